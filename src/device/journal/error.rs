//! What can go wrong with a record.

use std::io;
use std::path::PathBuf;

use crate::settings::CardIdentity;

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
    /// The record is of another kind or of a newer flexctl.
    #[error("`{path}` is a record of schema `{found}`, which this flexctl does not know")]
    UnknownSchema {
        /// The file.
        path: PathBuf,
        /// What it says.
        found: String,
    },
    /// The record is of another board than the one that is there now.
    #[error("the record is of another board: {recorded}; this one is {found}")]
    OtherBoard {
        /// Whose record it is.
        recorded: Box<CardIdentity>,
        /// What is there.
        found: Box<CardIdentity>,
    },
}
