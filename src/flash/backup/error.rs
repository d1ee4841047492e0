//! What can go wrong with a backup.

use std::io;
use std::path::PathBuf;

use crate::flash::{FlashError, Region};

/// A backup that cannot be made or read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BackupError {
    /// The flash cannot be read.
    #[error(transparent)]
    Flash(#[from] FlashError),
    /// Somebody asked to stop.
    #[error("stopped on request")]
    Stopped,
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
    /// Two reads of the flash differ where nothing changes by itself.
    #[error("two reads of the flash differ: {}", list(.0))]
    Differs(Vec<Region>),
    /// The flash or the file is larger than any flash of such a card.
    #[error("{what} has more than {limit:#x} bytes")]
    TooLarge {
        /// "the flash" or the file.
        what: String,
        /// The most that is taken.
        limit: u32,
    },
    /// The file is something else.
    #[error("`{path}` is no backup of a flash: {reason}")]
    NotABackup {
        /// The file.
        path: PathBuf,
        /// How that shows.
        reason: String,
    },
    /// The file is of a newer flexctl.
    #[error("`{path}` has schema `{found}`, which this flexctl does not know")]
    UnknownSchema {
        /// The file.
        path: PathBuf,
        /// What it says.
        found: String,
    },
    /// The file is not what was written.
    #[error("`{path}` is damaged: {what}")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong in it.
        what: String,
    },
}

fn list(regions: &[Region]) -> String {
    let words: Vec<_> = regions.iter().map(ToString::to_string).collect();
    words.join(", ")
}
