//! What shall change and what will be written: the values between reading,
//! planning, applying and reporting.

use crate::command::register::TlvHeader;
use crate::hwdb::{Applies, FieldValue, Risk};
use crate::pci::Bdf;

use super::tlv_store::{Stored, TlvKey};

/// A wish: this setting of this port shall have this value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assignment {
    /// The port, counted from 1; of no account for settings of the whole card.
    pub port: u8,
    /// The setting's name.
    pub setting: String,
    /// What it shall be.
    pub goal: Goal,
}

impl Assignment {
    /// The wish for a value.
    #[must_use]
    pub fn set(port: u8, setting: &str, value: impl Into<FieldValue>) -> Self {
        Self {
            port,
            setting: setting.to_owned(),
            goal: Goal::Value(value.into()),
        }
    }

    /// The wish for the card's default.
    #[must_use]
    pub fn reset(port: u8, setting: &str) -> Self {
        Self {
            port,
            setting: setting.to_owned(),
            goal: Goal::Default,
        }
    }
}

/// What a setting shall be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Goal {
    /// This value.
    Value(FieldValue),
    /// What the card does when nothing is set.
    Default,
}

/// What to do about a reserved value that is stored already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reserved {
    /// Refuse.
    Refuse,
    /// Keep it, or replace it where a wish says so.
    Allow,
}

/// What a changed TLV is built on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Base {
    /// The bytes that the card has stored.
    Stored,
    /// The card's defaults, because the TLV is not set.
    Defaults,
}

/// One setting that changes or stays.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The port, counted from 1; 0 for a setting of the whole card.
    pub port: u8,
    /// The function through which it is written.
    pub function: Bdf,
    /// The setting's name.
    pub setting: String,
    /// What the next boot would use now.
    pub from: FieldValue,
    /// The same for people; a secret is hidden.
    pub from_text: String,
    /// Whether `from` is stored or the card's default.
    pub from_base: Base,
    /// What the next boot shall use.
    pub to: FieldValue,
    /// The same for people; a secret is hidden.
    pub to_text: String,
    /// Whether the card's default was wished for.
    pub goal_is_default: bool,
    /// When it takes effect.
    pub applies: Applies,
    /// What a wrong value can break.
    pub risk: Risk,
    /// What to know before changing it.
    pub caution: Option<String>,
    /// Why it has no effect with the other settings as they will be.
    pub without_effect: Option<String>,
    pub(super) changes: bool,
}

impl Change {
    /// Whether anything changes.
    #[must_use]
    pub fn is_change(&self) -> bool {
        self.changes
    }
}

/// One TLV that will be written.
#[derive(Clone, PartialEq, Eq)]
pub struct TlvWrite {
    /// The function through which it is written.
    pub function: Bdf,
    /// The port that it belongs to; 0 for a TLV of the whole card.
    pub port: u8,
    /// Its name in the data files, or the card's name for it.
    pub name: String,
    /// The card's name for it.
    pub key: TlvKey,
    /// What the card held when it was read.
    pub before: Stored,
    /// What the new bytes are built on; the card's defaults where it is not set
    /// or shall not be.
    pub base: Vec<u8>,
    /// The new bytes, or that it shall not be set.
    pub after: Stored,
    /// Version and writer to store it with, where they are to be restored.
    pub header: Option<TlvHeader>,
    /// Whether its bytes are never shown.
    pub secret: bool,
    /// When it takes effect.
    pub applies: Applies,
}

impl TlvWrite {
    /// Whether the card holds what is planned.
    ///
    /// Some firmwares answer a TLV that is not set with its defaults.
    #[must_use]
    pub fn is_done(&self, found: &Stored) -> bool {
        match (&self.after, found) {
            (Stored::NotSet, Stored::Set(data)) => *data == self.base,
            (after, found) => after == found,
        }
    }
}

impl std::fmt::Debug for TlvWrite {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let shown = |stored: &Stored| {
            if self.secret {
                "(hidden)".to_owned()
            } else {
                stored.to_string()
            }
        };
        f.debug_struct("TlvWrite")
            .field("function", &self.function)
            .field("port", &self.port)
            .field("name", &self.name)
            .field("key", &self.key)
            .field("before", &shown(&self.before))
            .field("base", &shown(&Stored::Set(self.base.clone())))
            .field("after", &shown(&self.after))
            .finish_non_exhaustive()
    }
}

/// What will be done. The same value is printed, applied and reported.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// The TLVs to write, in order. Empty when nothing is to be done.
    pub writes: Vec<TlvWrite>,
    /// Every wish, with what it changes.
    pub changes: Vec<Change>,
}

impl Plan {
    /// Whether there is nothing to do.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.writes.is_empty()
    }

    /// The restart after which everything has taken effect.
    #[must_use]
    pub fn restart(&self) -> Option<Applies> {
        self.writes.iter().map(|write| write.applies).max()
    }
}
