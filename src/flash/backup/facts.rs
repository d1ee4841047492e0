//! Whose flash a backup holds.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::flash::Region;
use crate::settings::CardIdentity;

/// The schema of [`BackupFacts`].
pub(super) const SCHEMA: &str = "flexctl.flash-backup/1";

/// What a backup says of itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackupFacts {
    /// `flexctl.flash-backup/1`.
    pub schema: String,
    /// When it was made, seconds since 1970.
    pub created_unix: u64,
    /// By what: `flexctl 0.1.0`.
    pub created_by: String,
    /// Model and board.
    pub card: CardIdentity,
    /// The PCI function that it was read through.
    pub address: String,
    /// Name of the flash chip.
    pub chip: String,
    /// Its JEDEC id.
    pub jedec: [u8; 3],
    /// Bytes of the flash.
    pub bytes: u32,
    /// Firmware version, where the card says it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub firmware: Option<String>,
    /// SHA-256 of the flash, hexadecimal.
    pub sha256: String,
    /// What differed between two reads: the firmware writes there by itself.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub differing: Vec<Region>,
}

/// What the caller knows of the card.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BackupCardFacts {
    /// Model and board.
    pub card: CardIdentity,
    /// Firmware version, where the card says it.
    pub firmware: Option<String>,
    /// The time, seconds since 1970.
    pub created_unix: u64,
}

impl fmt::Display for BackupFacts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "flash of {} at {}: {}, {} bytes",
            self.card, self.address, self.chip, self.bytes
        )?;
        if let Some(firmware) = &self.firmware {
            write!(f, ", firmware {firmware}")?;
        }
        write!(f, ", sha256 {}, by {}", self.sha256, self.created_by)
    }
}
