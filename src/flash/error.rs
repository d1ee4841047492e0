//! What can go wrong between us and the flash.

use std::time::Duration;

use crate::access::AccessError;
use crate::command::CommandError;
use crate::pci::Bdf;

/// An access to the flash failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FlashError {
    /// The card cannot be reached.
    #[error("{address}: {action} failed")]
    Access {
        /// The function.
        address: Bdf,
        /// What was tried, as in "reading 16 bytes of flash at 0x00001000".
        action: String,
        /// Why not.
        #[source]
        source: AccessError,
    },
    /// The firmware refused a register of the flash.
    #[error("{address}: {action} failed")]
    Command {
        /// The function.
        address: Bdf,
        /// What was tried.
        action: String,
        /// Why not.
        #[source]
        source: Box<CommandError>,
    },
    /// The chip says an id that `hwdb/flash-chips.toml` does not know.
    #[error("{address}: unknown flash chip, JEDEC id {:02x} {:02x} {:02x}", .jedec[0], .jedec[1], .jedec[2])]
    UnknownChip {
        /// The function.
        address: Bdf,
        /// Maker, type, density.
        jedec: [u8; 3],
    },
    /// Somebody else holds the flash.
    #[error("{address}: the {lock} is held (it reads as {value:#x}), waited {waited:?}")]
    Locked {
        /// The function.
        address: Bdf,
        /// Which lock.
        lock: &'static str,
        /// What it reads as.
        value: u32,
        /// How long it was waited for.
        waited: Duration,
    },
    /// The chip stayed busy.
    #[error("{address}: {action}: the flash chip is still busy after {waited:?}")]
    StillBusy {
        /// The function.
        address: Bdf,
        /// What was tried.
        action: String,
        /// How long it was waited for.
        waited: Duration,
    },
    /// What was asked for is not possible this way.
    #[error("{address}: {action} is not possible: {reason}")]
    Unsupported {
        /// The function.
        address: Bdf,
        /// What was asked for.
        action: String,
        /// Why not.
        reason: String,
    },
}

impl FlashError {
    /// Whether the card has no such thing, rather than that it failed.
    #[must_use]
    pub fn is_unsupported(&self) -> bool {
        matches!(self, Self::Unsupported { .. })
    }
}
