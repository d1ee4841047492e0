//! What can go wrong with the record of a burn.

use std::io;
use std::path::PathBuf;

use crate::flash::{FlashError, PlanError};
use crate::settings::CardIdentity;

/// A record that cannot be written, read, or gone on from.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RecordError {
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
    #[error("`{path}` is not a record of a burn")]
    Malformed {
        /// The file.
        path: PathBuf,
        /// Where and what.
        #[source]
        source: serde_json::Error,
    },
    /// The record is of a newer flexctl.
    #[error("`{path}` is a record of schema `{found}`, which this flexctl does not know")]
    UnknownSchema {
        /// The file.
        path: PathBuf,
        /// What it says.
        found: String,
    },
    /// The image beside the record is not what was wanted.
    #[error("`{path}` is damaged: {what}")]
    ImageDamaged {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        what: String,
    },
    /// It is a restore: that goes on by restoring again.
    #[error("what was begun is a restore of `{backup}`")]
    IsRestore {
        /// The backup.
        backup: PathBuf,
    },
    /// The record is of another board than the one that is there now.
    #[error("the burn was begun on another board: {recorded}; this one is {found}")]
    OtherBoard {
        /// Whose record it is.
        recorded: Box<CardIdentity>,
        /// What is there.
        found: Box<CardIdentity>,
    },
    /// The flash chip is another.
    #[error(
        "the burn was begun on a flash of {recorded_bytes:#x} bytes, JEDEC id {recorded:02x?}; \
         this one has {found_bytes:#x} bytes, {found:02x?}"
    )]
    OtherChip {
        /// What was there.
        recorded: [u8; 3],
        /// Its size.
        recorded_bytes: u32,
        /// What is there.
        found: [u8; 3],
        /// Its size.
        found_bytes: u32,
    },
    /// The only image that boots is in the slot that would be written.
    #[error(
        "slot {slot} is the only one that boots, and it holds another image than the wanted one"
    )]
    OnlyBootable {
        /// The slot.
        slot: usize,
    },
    /// The flash cannot be read.
    #[error(transparent)]
    Flash(#[from] FlashError),
    /// What is left to do cannot be planned.
    #[error(transparent)]
    Plan(#[from] PlanError),
}
