//! A backup is made: read, read again and compared, written, read back.

use std::io::{BufWriter, Write};
use std::path::Path;

use crate::flash::region::first_touched;
use crate::flash::{Flash, Phase, Progress, Region, whole_file};

use super::facts::SCHEMA;
use super::header;
use super::read_file::sha256_of;
use super::{BackupCardFacts, BackupError, BackupFacts, LARGEST_FLASH_BYTES, read_backup};

/// How much is read at once: between two, a request to stop is heard.
const CHUNK: usize = 0x1000;

/// A backup that was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BackedUp {
    /// What it says of itself.
    pub facts: BackupFacts,
    /// The flash.
    pub contents: Vec<u8>,
    /// Bytes of the file.
    pub compressed: u64,
}

/// Reads the whole flash.
///
/// # Errors
/// [`BackupError`] when it cannot be read, or somebody asked to stop.
pub fn read_whole(
    flash: &mut dyn Flash,
    phase: Phase,
    progress: &mut dyn Progress,
) -> Result<Vec<u8>, BackupError> {
    let bytes = size_of_flash(flash)?;
    let mut contents = vec![0; bytes];
    let mut at = 0;
    progress.at(phase, 0, bytes as u64);
    for part in contents.chunks_mut(CHUNK) {
        if flash.stop_requested() {
            return Err(BackupError::Stopped);
        }
        flash.read(at, part)?;
        at = at.saturating_add(u32::try_from(part.len()).unwrap_or(u32::MAX));
        progress.at(phase, at.into(), bytes as u64);
    }
    Ok(contents)
}

fn size_of_flash(flash: &dyn Flash) -> Result<usize, BackupError> {
    let bytes = flash.chip().bytes;
    if bytes > LARGEST_FLASH_BYTES {
        return Err(BackupError::TooLarge {
            what: "the flash".to_owned(),
            limit: LARGEST_FLASH_BYTES,
        });
    }
    Ok(usize::try_from(bytes).unwrap_or(usize::MAX))
}

/// Makes a backup: a new file at `path`. Two reads must agree, but in `volatile`
/// regions, where the firmware writes by itself: what differs there is told.
///
/// # Errors
/// [`BackupError`]; then there is no file.
pub fn back_up(
    flash: &mut dyn Flash,
    path: &Path,
    card: &BackupCardFacts,
    volatile: &[Region],
    progress: &mut dyn Progress,
) -> Result<BackedUp, BackupError> {
    // Reading takes minutes: what is wrong with the file is said before.
    whole_file::can_create(path).map_err(|source| BackupError::Io {
        action: "write",
        path: path.to_owned(),
        source,
    })?;
    let contents = read_whole(flash, Phase::ReadFlash, progress)?;
    let again = read_whole(flash, Phase::ReadAgain, progress)?;
    let (differing, unexplained) = differences(&contents, &again, volatile);
    if !unexplained.is_empty() {
        return Err(BackupError::Differs(unexplained));
    }
    drop(again);
    let facts = BackupFacts {
        schema: SCHEMA.to_owned(),
        created_unix: card.created_unix,
        created_by: concat!("flexctl ", env!("CARGO_PKG_VERSION")).to_owned(),
        card: card.card.clone(),
        address: flash.address().to_string(),
        chip: flash.chip().name.clone(),
        jedec: flash.chip().jedec,
        bytes: flash.chip().bytes,
        firmware: card.firmware.clone(),
        sha256: sha256_of(&contents),
        differing,
    };
    let compressed = write_backup(path, &facts, &contents, progress)?;
    Ok(BackedUp {
        facts,
        contents,
        compressed,
    })
}

/// Writes a backup to a new file and reads it back; answers how many bytes the file
/// has.
///
/// # Errors
/// [`BackupError`]; then there is no file.
pub fn write_backup(
    path: &Path,
    facts: &BackupFacts,
    contents: &[u8],
    progress: &mut dyn Progress,
) -> Result<u64, BackupError> {
    let failed = |source| BackupError::Io {
        action: "write",
        path: path.to_owned(),
        source,
    };
    let total = contents.len() as u64;
    progress.at(Phase::WriteFile, 0, total);
    let mut compressed = 0;
    whole_file::create(path, |file| {
        let mut encoder = header::start(facts, BufWriter::new(&mut *file))?;
        let mut done = 0;
        for part in contents.chunks(0x1_0000) {
            encoder.write_all(part)?;
            done += part.len() as u64;
            progress.at(Phase::WriteFile, done, total);
        }
        encoder.finish()?.flush()?;
        compressed = file.metadata()?.len();
        Ok(())
    })
    .map_err(failed)?;
    let checked = read_backup(path, progress).and_then(|back| {
        if back.facts == *facts && back.contents == contents {
            Ok(())
        } else {
            Err(BackupError::Damaged {
                path: path.to_owned(),
                what: "it is not what was written".to_owned(),
            })
        }
    });
    if checked.is_err() {
        // A backup that is none must not look like one.
        let _ = whole_file::remove(path);
    }
    checked.map(|()| compressed)
}

/// What differs between two reads: where that may be, and where not. Neighbours
/// within 16 bytes are one region.
fn differences(one: &[u8], other: &[u8], volatile: &[Region]) -> (Vec<Region>, Vec<Region>) {
    const NEAR: u32 = 16;
    let (mut known, mut unknown): (Vec<Region>, Vec<Region>) = (Vec::new(), Vec::new());
    for (at, (one, other)) in (0_u32..).zip(one.iter().zip(other)) {
        if one == other {
            continue;
        }
        let here = at..at.saturating_add(1);
        let region = first_touched(volatile, &here);
        let list = if region.is_some() {
            &mut known
        } else {
            &mut unknown
        };
        let what = region.map_or("nothing known", |region| region.what.as_str());
        match list.last_mut() {
            Some(last) if last.what == what && at <= last.end.saturating_add(NEAR) => {
                last.end = here.end;
            }
            _ => list.push(Region::new(here, what)),
        }
    }
    (known, unknown)
}
