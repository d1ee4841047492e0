//! The record of a transaction: what every TLV held before the first write.
//!
//! Written and synced before the card is touched, removed when the card holds
//! what was planned or what was there before. One that is found at the next
//! start tells what a killed run had in hand; the last finished one stays as a
//! backup.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use crate::settings::Plan;

use super::card_lock::file_stem;
use super::{Card, StateFolders};

const SCHEMA: &str = "flexctl.transaction/1";

/// A record that cannot be written or read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum JournalError {
    /// The file system refused.
    #[error("cannot {action} `{path}`")]
    Io {
        /// What was tried.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The file is not a record.
    #[error("`{path}` is not a record of a transaction")]
    Malformed {
        /// The file.
        path: PathBuf,
        /// Where and what.
        #[source]
        source: serde_json::Error,
    },
}

/// One TLV of a transaction.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UnfinishedTlv {
    /// The PCI function.
    pub function: String,
    /// The port, counted from 1.
    pub port: u8,
    /// The TLV's name.
    pub tlv: String,
    /// The card's name for it.
    pub key: String,
    /// What it held before: hexadecimal, or "not set".
    pub before: String,
    /// What was to be written: hexadecimal.
    pub after: String,
}

/// A transaction that was begun.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Unfinished {
    /// `flexctl.transaction/1`.
    pub schema: String,
    /// The card, as a selector.
    pub card: String,
    /// Process id of the run.
    pub process: u32,
    /// When it began, seconds since 1970.
    pub started_unix: u64,
    /// What it was to write.
    pub tlvs: Vec<UnfinishedTlv>,
}

impl UnfinishedTlv {
    fn is_same(&self, other: &Self) -> bool {
        self.function == other.function && self.key == other.key
    }
}

impl Unfinished {
    /// The same record without the TLVs of a plan; `None` when nothing is left.
    #[must_use]
    pub fn without(&self, plan: &Plan) -> Option<Self> {
        let mut rest = self.clone();
        rest.tlvs.retain(|tlv| {
            !plan.writes.iter().any(|write| {
                tlv.function == write.function.to_string() && tlv.key == write.key.to_string()
            })
        });
        (!rest.tlvs.is_empty()).then_some(rest)
    }

    /// How long ago it began, in words; empty when the clock was set back.
    #[must_use]
    pub fn age(&self) -> String {
        let seconds = now_unix().saturating_sub(self.started_unix);
        match seconds {
            0..=119 => format!("{seconds} s ago"),
            120..=7199 => format!("{} min ago", seconds / 60),
            7200..=172_799 => format!("{} h ago", seconds / 3600),
            _ => format!("{} days ago", seconds / 86400),
        }
    }
}

/// The record of one transaction.
#[derive(Debug)]
pub struct Journal {
    path: PathBuf,
    backup: PathBuf,
}

impl Journal {
    /// Where a card's records are.
    #[must_use]
    pub fn of(folders: &StateFolders, card: &Card) -> Self {
        let stem = file_stem(card);
        Self {
            path: folders
                .state
                .join("transactions")
                .join(format!("{stem}.json")),
            backup: folders.state.join("backups").join(format!("{stem}.json")),
        }
    }

    /// Where the values of before are after a finished transaction.
    #[must_use]
    pub fn backup_path(&self) -> &Path {
        &self.backup
    }

    /// Where the record of a transaction under way is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The transaction that an earlier run began and did not finish.
    ///
    /// # Errors
    /// [`JournalError`] when a record is there and cannot be read.
    pub fn unfinished(&self) -> Result<Option<Unfinished>, JournalError> {
        let text = match fs::read_to_string(&self.path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(self.failed("read", source)),
        };
        serde_json::from_str(&text)
            .map(Some)
            .map_err(|source| JournalError::Malformed {
                path: self.path.clone(),
                source,
            })
    }

    /// Writes down what the card holds before the plan is carried out.
    ///
    /// Where an earlier run was not finished, its TLVs stay in the record with
    /// what they held before that run: those are the values to go back to.
    ///
    /// # Errors
    /// [`JournalError`]; then nothing must be written to the card.
    pub fn begin(
        &self,
        card: &Card,
        plan: &Plan,
        earlier: Option<&Unfinished>,
    ) -> Result<(), JournalError> {
        let mut record = Unfinished {
            schema: SCHEMA.to_owned(),
            card: card.selector(),
            process: std::process::id(),
            started_unix: now_unix(),
            tlvs: plan
                .writes
                .iter()
                .map(|write| UnfinishedTlv {
                    function: write.function.to_string(),
                    port: write.port,
                    tlv: write.name.clone(),
                    key: write.key.to_string(),
                    before: write.before.to_string(),
                    after: write.after.to_string(),
                })
                .collect(),
        };
        for old in earlier.iter().flat_map(|earlier| &earlier.tlvs) {
            match record.tlvs.iter_mut().find(|tlv| tlv.is_same(old)) {
                Some(tlv) => tlv.before.clone_from(&old.before),
                None => record.tlvs.push(old.clone()),
            }
        }
        self.write(&record)
            .map_err(|source| self.failed("write", source))
    }

    fn write(&self, record: &Unfinished) -> io::Result<()> {
        if let Some(folder) = self.path.parent() {
            fs::create_dir_all(folder)?;
        }
        let new = self.path.with_extension("json.new");
        // Whatever lies there is left from a killed run; links are not followed.
        match fs::remove_file(&new) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut file = File::create_new(&new)?;
        serde_json::to_writer_pretty(&mut file, record)?;
        file.write_all(b"\n")?;
        file.sync_all()?;
        fs::rename(&new, &self.path)?;
        match self.path.parent() {
            // The name has to last through a power cut as well.
            Some(folder) => File::open(folder)?.sync_all(),
            None => Ok(()),
        }
    }

    /// Ends the transaction: the record becomes the backup. What an earlier run
    /// left unfinished and this one did not touch stays on record.
    ///
    /// # Errors
    /// [`JournalError`] when the file cannot be moved.
    pub fn finish(&self, left_over: Option<&Unfinished>) -> Result<(), JournalError> {
        if let Some(folder) = self.backup.parent() {
            fs::create_dir_all(folder)
                .map_err(|source| self.failed("make the folder of", source))?;
        }
        fs::rename(&self.path, &self.backup).map_err(|source| self.failed("move", source))?;
        self.discard(left_over)
    }

    /// Ends a transaction that changed nothing: what was on record before it is
    /// on record again.
    ///
    /// # Errors
    /// [`JournalError`] when the file cannot be written or removed.
    pub fn discard(&self, left_over: Option<&Unfinished>) -> Result<(), JournalError> {
        if let Some(record) = left_over {
            return self
                .write(record)
                .map_err(|source| self.failed("write", source));
        }
        match fs::remove_file(&self.path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(self.failed("remove", error))
            }
            _ => Ok(()),
        }
    }

    fn failed(&self, action: &'static str, source: io::Error) -> JournalError {
        JournalError::Io {
            action,
            path: self.path.clone(),
            source,
        }
    }
}

fn now_unix() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs())
}
