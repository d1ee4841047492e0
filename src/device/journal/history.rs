//! The records of one card: the one under way, and those of finished changes.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::device::card_lock::file_stem;
use crate::device::regular_file::read_regular;
use crate::device::{Card, StateFolders};
use crate::settings::{CardIdentity, Plan, Sameness};

use super::files::Files;
use super::record::SCHEMAS;
use super::{ChangeKind, JournalError, Record, RecordTlv};

/// How many finished changes are kept of a card.
const KEPT: usize = 32;
/// A record of a thousand TLVs is well below.
const MOST_BYTES: u64 = 4 << 20;
/// Digits of a number in a file name.
const DIGITS: usize = 8;

/// A finished change.
#[derive(Debug)]
pub struct HistoryEntry {
    /// Its number; later changes have higher ones.
    pub number: u64,
    /// Its file.
    pub path: PathBuf,
    /// What was done, or why that cannot be told.
    pub record: Result<Record, JournalError>,
}

/// The records of one card.
///
/// Whoever writes holds the card's lock.
#[derive(Debug)]
pub struct Journal {
    path: PathBuf,
    changes: PathBuf,
    backup: PathBuf,
    files: Files,
}

impl Journal {
    /// Where a card's records are.
    #[must_use]
    pub fn of(folders: &StateFolders, card: &Card) -> Self {
        Self::in_folder(&folders.state, &file_stem(card))
    }

    fn in_folder(state: &Path, stem: &str) -> Self {
        Self {
            path: state.join("transactions").join(format!("{stem}.json")),
            changes: state.join("changes").join(stem),
            backup: state.join("backups").join(format!("{stem}.json")),
            files: Files::default(),
        }
    }

    /// A copy of the last finished change, where earlier versions kept it. Can go
    /// when nobody names it any more: see [`Journal::changes_path`].
    #[must_use]
    pub fn backup_path(&self) -> &Path {
        &self.backup
    }

    /// Where the records of finished changes are.
    #[must_use]
    pub fn changes_path(&self) -> &Path {
        &self.changes
    }

    /// The file of a finished change.
    #[must_use]
    pub fn change_path(&self, number: u64) -> PathBuf {
        self.changes.join(format!("{number:0DIGITS$}.json"))
    }

    /// Where the record of a change under way is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The change that an earlier run began and did not finish.
    ///
    /// # Errors
    /// [`JournalError`] when a record is there and cannot be read.
    pub fn unfinished(&self) -> Result<Option<Record>, JournalError> {
        read(&self.path)
    }

    /// As [`Journal::begin_change`] for a plan, without knowing the board. Can go
    /// when nobody calls it any more.
    ///
    /// # Errors
    /// As [`Journal::begin_change`].
    pub fn begin(
        &self,
        card: &Card,
        plan: &Plan,
        earlier: Option<&Record>,
    ) -> Result<(), JournalError> {
        let tlvs = plan.writes.iter().map(RecordTlv::of).collect();
        let record = Record::new(card, None, ChangeKind::Set, None, tlvs);
        self.begin_change(record, earlier)
    }

    /// Writes down what the card holds before a change is carried out.
    ///
    /// Where an earlier run was not finished, its TLVs stay in the record with
    /// what they held before that run: those are the values to go back to.
    ///
    /// # Errors
    /// [`JournalError`]; then nothing must be written to the card.
    pub fn begin_change(
        &self,
        mut record: Record,
        earlier: Option<&Record>,
    ) -> Result<(), JournalError> {
        if let Some(earlier) = earlier {
            record.take_over(earlier);
        }
        self.write(&self.path, &record)
    }

    /// Ends a change: its record becomes the newest finished one. What an earlier
    /// run left unfinished and this one did not touch stays on record.
    ///
    /// # Errors
    /// [`JournalError`] when a file cannot be written or moved. The record is then
    /// still under way, or is finished already.
    pub fn finish(&self, left_over: Option<&Record>) -> Result<(), JournalError> {
        let record = read(&self.path)?.ok_or_else(|| {
            let missing = io::Error::from(io::ErrorKind::NotFound);
            failed("read", &self.path)(missing)
        })?;
        let settled = match left_over {
            Some(left_over) => record.without_tlvs(&left_over.tlvs),
            None => Some(record),
        };
        let number = self.numbers()?.last().map_or(1, |newest| newest + 1);
        let file = self.change_path(number);
        match (&settled, left_over) {
            (Some(_), None) => {
                self.files
                    .folder(&self.changes)
                    .map_err(failed("make the folder of", &file))?;
                self.files
                    .rename(&self.path, &file)
                    .map_err(failed("move", &self.path))?;
            }
            (Some(settled), Some(_)) => {
                self.write(&file, settled)?;
                self.discard(left_over)?;
            }
            (None, _) => self.discard(left_over)?,
        }
        if let Some(settled) = &settled {
            self.write(&self.backup, settled)?;
        }
        self.prune();
        Ok(())
    }

    /// Ends a change that changed nothing: what was on record before it is on
    /// record again.
    ///
    /// # Errors
    /// [`JournalError`] when the file cannot be written or removed.
    pub fn discard(&self, left_over: Option<&Record>) -> Result<(), JournalError> {
        match left_over {
            Some(record) => self.write(&self.path, record),
            None => self
                .files
                .remove(&self.path)
                .map_err(failed("remove", &self.path)),
        }
    }

    /// The newest finished change, with its number.
    ///
    /// # Errors
    /// [`JournalError`] when it cannot be read.
    pub fn last_change(&self) -> Result<Option<(u64, Record)>, JournalError> {
        let Some(number) = self.numbers()?.pop() else {
            return Ok(None);
        };
        let record = read(&self.change_path(number))?;
        Ok(record.map(|record| (number, record)))
    }

    /// All finished changes, the newest first.
    ///
    /// # Errors
    /// [`JournalError`] when they cannot be listed. One that cannot be read hides
    /// no other.
    pub fn history(&self) -> Result<Vec<HistoryEntry>, JournalError> {
        let numbers = self.numbers()?;
        let entries = numbers.into_iter().rev().filter_map(|number| {
            let path = self.change_path(number);
            let record = read(&path).transpose()?;
            Some(HistoryEntry {
                number,
                path,
                record,
            })
        });
        Ok(entries.collect())
    }

    /// Takes a finished change off the record: it was undone.
    ///
    /// # Errors
    /// [`JournalError`] when its file cannot be removed.
    pub fn forget(&self, number: u64) -> Result<(), JournalError> {
        let path = self.change_path(number);
        self.files.remove(&path).map_err(failed("remove", &path))
    }

    /// Refuses a record of another board than the one that is there now.
    ///
    /// # Errors
    /// [`JournalError::OtherBoard`] when serial number, PSID or model differ. What
    /// one of both does not say is no difference.
    pub fn check_board(record: &Record, found: &CardIdentity) -> Result<(), JournalError> {
        match (&record.identity, record.is_of(found)) {
            (Some(recorded), Sameness::Other) => Err(JournalError::OtherBoard {
                recorded: Box::new(recorded.clone()),
                found: Box::new(found.clone()),
            }),
            _ => Ok(()),
        }
    }

    fn write(&self, path: &Path, record: &Record) -> Result<(), JournalError> {
        let text = serde_json::to_vec_pretty(record).map(|mut text| {
            text.push(b'\n');
            text
        });
        text.map_err(io::Error::from)
            .and_then(|text| self.files.replace(path, &text))
            .map_err(failed("write", path))
    }

    /// The numbers of the finished changes, the newest last.
    fn numbers(&self) -> Result<Vec<u64>, JournalError> {
        let entries = match fs::read_dir(&self.changes) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(failed("list", &self.changes)(error)),
        };
        let mut numbers = Vec::new();
        for entry in entries {
            let name = entry.map_err(failed("list", &self.changes))?.file_name();
            numbers.extend(name.to_str().and_then(number_of));
        }
        numbers.sort_unstable();
        Ok(numbers)
    }

    /// Removes the oldest finished changes. What stays does no harm: a change is
    /// not undone because an old file cannot be removed.
    fn prune(&self) {
        let numbers = self.numbers().unwrap_or_default();
        let too_many = numbers.len().saturating_sub(KEPT);
        for number in numbers.into_iter().take(too_many) {
            let _ = self.files.remove(&self.change_path(number));
        }
    }
}

/// The number in a file name; nothing else in the folder is a record.
fn number_of(name: &str) -> Option<u64> {
    let digits = name.strip_suffix(".json")?;
    let plain = digits.len() >= DIGITS && digits.bytes().all(|byte| byte.is_ascii_digit());
    plain.then(|| digits.parse().ok()).flatten()
}

/// Reads a record; `None` when there is none.
fn read(path: &Path) -> Result<Option<Record>, JournalError> {
    /// The one field that says how to read the others.
    #[derive(Deserialize)]
    struct Kind {
        schema: String,
    }
    let text = match read_regular(path, MOST_BYTES) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed("read", path)(error)),
    };
    let malformed = |source| JournalError::Malformed {
        path: path.to_owned(),
        source,
    };
    let kind: Kind = serde_json::from_slice(&text).map_err(malformed)?;
    if !SCHEMAS.contains(&kind.schema.as_str()) {
        return Err(JournalError::UnknownSchema {
            path: path.to_owned(),
            found: kind.schema,
        });
    }
    serde_json::from_slice(&text).map(Some).map_err(malformed)
}

fn failed(action: &'static str, path: &Path) -> impl Fn(io::Error) -> JournalError {
    move |source| JournalError::Io {
        action,
        path: path.to_owned(),
        source,
    }
}

#[cfg(test)]
mod tests;
