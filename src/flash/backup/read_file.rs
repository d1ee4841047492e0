//! A backup, read and checked.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek};
use std::path::Path;

use flate2::bufread::GzDecoder;
use sha2::{Digest, Sha256};

use crate::flash::whole_file::open_regular;
use crate::flash::{Phase, Progress};

use super::facts::SCHEMA;
use super::header;
use super::{BackupError, BackupFacts, LARGEST_FLASH_BYTES};

const CHUNK: usize = 0x1_0000;

/// A backup that is whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FlashBackup {
    /// Whose it is.
    pub facts: BackupFacts,
    /// The flash.
    pub contents: Vec<u8>,
}

/// Whether a file that begins with these bytes, 14 at least, is meant to be a
/// backup of a flash.
#[must_use]
pub fn is_flash_backup(first_bytes: &[u8]) -> bool {
    header::begins_as_one(first_bytes)
}

/// Reads a backup and checks everything in it.
///
/// # Errors
/// [`BackupError`], which names what is damaged. No file makes it take more memory
/// than [`LARGEST_FLASH_BYTES`].
pub fn read_backup(path: &Path, progress: &mut dyn Progress) -> Result<FlashBackup, BackupError> {
    let failed = |source| BackupError::Io {
        action: "read",
        path: path.to_owned(),
        source,
    };
    let damaged = |what: String| BackupError::Damaged {
        path: path.to_owned(),
        what,
    };
    let mut file = open_regular(path, false).map_err(failed)?;
    let facts = read_facts(path, &mut file)?;
    file.rewind().map_err(failed)?;
    let mut decoder = GzDecoder::new(BufReader::new(file));
    let total = u64::from(facts.bytes);
    progress.at(Phase::CheckFile, 0, total);
    let mut contents = Vec::new();
    let mut part = vec![0; CHUNK];
    loop {
        let read = match decoder.read(&mut part) {
            Ok(0) => break,
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(damaged(format!("gzip: {error}"))),
        };
        contents.extend(part.get(..read).unwrap_or_default());
        if contents.len() as u64 > total {
            return Err(damaged(format!("it holds more than {total} bytes")));
        }
        progress.at(Phase::CheckFile, contents.len() as u64, total);
    }
    if contents.len() as u64 != total {
        let found = contents.len();
        return Err(damaged(format!(
            "it holds {found} bytes instead of {total}"
        )));
    }
    let behind = decoder.into_inner().fill_buf().map_err(failed)?.len();
    if behind != 0 {
        return Err(damaged("something is behind its end".to_owned()));
    }
    let found = sha256_of(&contents);
    if found != facts.sha256 {
        return Err(damaged(format!(
            "its SHA-256 is {found} instead of {}",
            facts.sha256
        )));
    }
    Ok(FlashBackup { facts, contents })
}

fn read_facts(path: &Path, file: &mut File) -> Result<BackupFacts, BackupError> {
    /// The one field that says how to read the others.
    #[derive(serde::Deserialize)]
    struct Kind {
        schema: String,
    }
    let not_one = |reason: &str| BackupError::NotABackup {
        path: path.to_owned(),
        reason: reason.to_owned(),
    };
    let damaged = |what: String| BackupError::Damaged {
        path: path.to_owned(),
        what,
    };
    let mut first = Vec::new();
    let limit = u64::try_from(header::LONGEST).unwrap_or(u64::MAX);
    let read = file.take(limit).read_to_end(&mut first);
    read.map_err(|source| BackupError::Io {
        action: "read",
        path: path.to_owned(),
        source,
    })?;
    if !is_flash_backup(&first) {
        return Err(not_one("it does not begin as one"));
    }
    let header = header::read(&first).map_err(damaged)?;
    let wrong = |error: serde_json::Error| damaged(format!("what it says of the card: {error}"));
    let kind: Kind = serde_json::from_slice(&header.facts).map_err(wrong)?;
    if kind.schema != SCHEMA {
        return Err(BackupError::UnknownSchema {
            path: path.to_owned(),
            found: kind.schema,
        });
    }
    let facts: BackupFacts = serde_json::from_slice(&header.facts).map_err(wrong)?;
    if facts.bytes > LARGEST_FLASH_BYTES {
        return Err(BackupError::TooLarge {
            what: format!("`{}`", path.display()),
            limit: LARGEST_FLASH_BYTES,
        });
    }
    Ok(facts)
}

/// SHA-256, hexadecimal.
pub(in crate::flash) fn sha256_of(bytes: &[u8]) -> String {
    use std::fmt::Write;
    let mut text = String::new();
    for byte in Sha256::digest(bytes) {
        // Writing to a string does not fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}
