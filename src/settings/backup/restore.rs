//! What a restore will do, and why it may not.

use std::fmt;

use crate::command::register::TlvHeader;
use crate::pci::Bdf;
use crate::settings::{CardIdentity, Stored, TlvKey};

use super::Difference;

/// What to put back, and how.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RestoreOptions {
    /// Only these: names of settings, names of TLVs, or keys of TLVs. Empty is
    /// everything.
    pub only: Vec<String>,
    /// What to do with TLVs that are set but were not, where a card cannot
    /// delete a single one (ConnectX-3).
    pub undeletable: Undeletable,
}

/// What to do with a TLV that should not be set and cannot be deleted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Undeletable {
    /// Leave it as it is, and say so.
    #[default]
    Leave,
    /// Write the card's defaults, where they are known: the same values, written
    /// down.
    WriteDefaults,
}

/// What a restore will do. Nothing is written by making one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Restore {
    /// The TLVs to write or delete.
    pub changes: Vec<RestoreChange>,
    /// What to know before.
    pub notes: Vec<RestoreNote>,
}

impl Restore {
    /// Whether the card holds everything already.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }
}

/// A TLV to write, or to delete.
#[derive(Clone, PartialEq, Eq)]
pub struct RestoreChange {
    /// The function through which it is done.
    pub function: Bdf,
    /// The port that it belongs to; 0 for the card.
    pub port: u8,
    /// Its name in the data files, else its key.
    pub name: String,
    /// The card's name for it.
    pub key: TlvKey,
    /// What the card holds.
    pub before: Stored,
    /// What holds before: the bytes, or the card's defaults while it is not set.
    /// Empty where these are not known; then the TLV can be deleted.
    pub base: Vec<u8>,
    /// What it shall hold; not set: to be deleted.
    pub after: Stored,
    /// In whose name it is written; `None`: as flexctl's own.
    pub header: Option<TlvHeader>,
    /// Whether it must not be shown.
    pub secret: bool,
    /// What changes in it, for people.
    pub differences: Vec<Difference>,
}

impl fmt::Debug for RestoreChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("RestoreChange");
        debug
            .field("function", &self.function.to_string())
            .field("port", &self.port)
            .field("name", &self.name)
            .field("key", &self.key.to_string());
        if self.secret {
            debug.field("data", &"(hidden)");
        } else {
            debug
                .field("before", &self.before.to_string())
                .field("base", &self.base)
                .field("after", &self.after.to_string());
        }
        debug
            .field("header", &self.header)
            .field("differences", &self.differences)
            .finish()
    }
}

/// What to know before a restore.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RestoreNote {
    /// One of the two does not say its PSID.
    #[error(
        "whether the backup is of this card model cannot be told: it is of {backup}, the card is {card}"
    )]
    CannotTellModel {
        /// Whose the backup is.
        backup: Box<CardIdentity>,
        /// What the card is.
        card: Box<CardIdentity>,
    },
    /// Another board of the same model.
    #[error("the backup is of another board, serial number {backup}; this one has {card}")]
    OtherBoard {
        /// Serial number in the backup.
        backup: String,
        /// Serial number of the card.
        card: String,
    },
    /// One of the two has no serial number.
    #[error("whether the backup is of this very board cannot be told: a serial number is missing")]
    CannotTellBoard,
    /// The firmware was another one.
    #[error("the backup was made with firmware {backup}, the card runs {card}")]
    OtherFirmware {
        /// Version in the backup.
        backup: String,
        /// Version of the card.
        card: String,
    },
    /// Not everything that was set need be in the backup, or be seen now.
    #[error(
        "the firmware does not name what is set: TLVs that flexctl does not know stay as they are"
    )]
    OnlyKnown,
    /// A TLV that is only read.
    #[error("{function}: {name} ({key}) differs, but flexctl only reads it: it stays")]
    ReadOnly {
        /// The function.
        function: Bdf,
        /// The TLV.
        name: String,
        /// The card's name for it.
        key: TlvKey,
    },
    /// A TLV that should not be set and cannot be deleted.
    #[error("{function}: port {port}: {name} ({key}) was not set and cannot be deleted: it keeps {holds}{}", defaults_words(.defaults))]
    CannotDelete {
        /// The function.
        function: Bdf,
        /// The port, 0 for the card.
        port: u8,
        /// The TLV.
        name: String,
        /// The card's name for it.
        key: TlvKey,
        /// What stays there; a secret is hidden.
        holds: String,
        /// The card's defaults, which are offered instead, where they are known.
        defaults: Option<Vec<u8>>,
    },
    /// A TLV that the backup left out.
    #[error("{function}: {name} ({key}) is not in the backup: {because}; it stays")]
    LeftOut {
        /// The function.
        function: Bdf,
        /// The TLV.
        name: String,
        /// The card's name for it.
        key: TlvKey,
        /// Why.
        because: String,
    },
    /// A TLV that cannot be read now, so that nobody knows what to go back to.
    #[error("{function}: {name} ({key}) cannot be read now: {because}; it stays")]
    Unreadable {
        /// The function.
        function: Bdf,
        /// The TLV.
        name: String,
        /// The card's name for it.
        key: TlvKey,
        /// The card's words.
        because: String,
    },
    /// A function was not read for the backup.
    #[error("{function}: the backup says nothing of this function: its settings stay")]
    FunctionNotInBackup {
        /// The function.
        function: Bdf,
    },
}

fn defaults_words(defaults: &Option<Vec<u8>>) -> String {
    defaults.as_ref().map_or_else(String::new, |data| {
        format!(
            " (the card's defaults are {})",
            super::text::short_hex(data)
        )
    })
}

/// Why a backup cannot be put back on a card.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RestoreError {
    /// Another model: its settings mean other things, or nothing.
    #[error("the backup is of {backup}, the card is {card}")]
    OtherModel {
        /// Whose the backup is.
        backup: Box<CardIdentity>,
        /// What the card is.
        card: Box<CardIdentity>,
    },
    /// A TLV in the form of the other generation.
    #[error("{key} is no name of a TLV on this card")]
    OtherGeneration {
        /// The TLV.
        key: TlvKey,
    },
    /// The card lacks a function that the backup has settings of.
    #[error(
        "the backup has settings of function {function}, which the card has not (or does not show)"
    )]
    NoSuchFunction {
        /// The function.
        function: u8,
    },
    /// A name that is neither a setting nor a TLV.
    #[error("`{name}` is no setting of this card and no TLV of the backup")]
    UnknownName {
        /// The name.
        name: String,
    },
    /// What shall be put back was left out.
    #[error("{name} is not in the backup: {because}")]
    LeftOut {
        /// The name that was asked for.
        name: String,
        /// Why.
        because: String,
    },
    /// What shall be put back is only read.
    #[error("{name} can only be read")]
    ReadOnly {
        /// The name that was asked for.
        name: String,
    },
    /// A TLV is not set, cannot be deleted again, and its defaults are not known.
    #[error(
        "{function}: port {port}: {name} ({key}) is not set and the card does not say its defaults"
    )]
    NoDefaults {
        /// The function.
        function: Bdf,
        /// The port, 0 for the card.
        port: u8,
        /// The TLV.
        name: String,
        /// The card's name for it.
        key: TlvKey,
    },
    /// A TLV whose length is not that in the data files.
    #[error("{function}: {name} ({key}) has {found} bytes, expected {expected}")]
    UnexpectedLength {
        /// The function.
        function: Bdf,
        /// The TLV.
        name: String,
        /// The card's name for it.
        key: TlvKey,
        /// Length in the data files, bytes.
        expected: usize,
        /// Length that was found.
        found: usize,
    },
}
