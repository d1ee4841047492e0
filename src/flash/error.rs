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
    /// No flash chip answers.
    #[error("{address}: no flash chip answers ({found})")]
    NoChip {
        /// The function.
        address: Bdf,
        /// What was read instead.
        found: String,
    },
    /// The flash is write protected.
    #[error("{address}: {action}: the flash is write protected: {what}")]
    Protected {
        /// The function.
        address: Bdf,
        /// What was tried.
        action: String,
        /// Which part of it, and where that stands.
        what: String,
    },
    /// A lock was freed by somebody else while it was held: they may have used
    /// the flash at the same time.
    #[error("{address}: {action}: somebody else freed the {lock}")]
    LockLost {
        /// The function.
        address: Bdf,
        /// What was under way.
        action: String,
        /// Which lock.
        lock: &'static str,
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
    /// A failed access while `action` was under way.
    pub(super) fn of_access(address: Bdf, action: impl Into<String>, source: AccessError) -> Self {
        match source {
            AccessError::SemaphoreHeld {
                semaphore,
                value,
                waited,
                ..
            } => Self::Locked {
                address,
                lock: semaphore,
                value,
                waited,
            },
            source => Self::Access {
                address,
                action: action.into(),
                source,
            },
        }
    }

    /// A failed command while `action` was under way.
    pub(super) fn of_command(
        address: Bdf,
        action: impl Into<String>,
        source: CommandError,
    ) -> Self {
        match source {
            CommandError::Access {
                source: source @ AccessError::SemaphoreHeld { .. },
                ..
            } => Self::of_access(address, action, source),
            source => Self::Command {
                address,
                action: action.into(),
                source: Box::new(source),
            },
        }
    }

    /// Whether the card has no such thing, rather than that it failed.
    #[must_use]
    pub fn is_unsupported(&self) -> bool {
        matches!(self, Self::Unsupported { .. })
    }
}
