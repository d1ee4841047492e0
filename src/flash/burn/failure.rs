//! Why a burn ended early, and what the card holds then.

use std::fmt;

use serde::Serialize;

use crate::access::AccessError;
use crate::flash::{FlashError, Region};

use super::Phase;

/// What is on the card.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum CardHolds {
    /// What it held before.
    Untouched,
    /// What it held before, or a beginning of the new image in the slot that it
    /// does not boot from: that could not be read.
    PerhapsUntouched,
    /// A part of the new image, in the slot that it does not boot from.
    InactivePartlyWritten,
    /// The whole new image but its magic: it is not looked at.
    WrittenNotActive,
    /// Both images, both whole.
    BothBootable,
    /// The whole new image; whether the switch to it took place could not be read.
    PerhapsActive,
    /// The new image, and that is what it boots.
    Active,
}

impl fmt::Display for CardHolds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Untouched => "the flash is untouched",
            Self::PerhapsUntouched => {
                "the first write failed, and whether it changed the inactive slot could not be read"
            }
            Self::InactivePartlyWritten => "the inactive slot is partly written",
            Self::WrittenNotActive => "the image is written but not active",
            Self::BothBootable => "the old and the new image are both whole",
            Self::PerhapsActive => {
                "the image is written, and whether it is active could not be read"
            }
            Self::Active => "the new image is active",
        })
    }
}

/// A burn that did not come to its end.
#[derive(Debug, thiserror::Error)]
#[error("{phase} failed: {holds}")]
pub struct BurnFailure {
    /// What the card holds.
    pub holds: CardHolds,
    /// The slot that a cold boot takes; `None` where nothing boots, or where that
    /// could not be read.
    pub boots: Option<usize>,
    /// What was being done.
    pub phase: Phase,
    /// What went wrong.
    #[source]
    pub error: BurnError,
}

/// What went wrong in a burn.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BurnError {
    /// The flash cannot be reached or refuses.
    #[error(transparent)]
    Flash(#[from] FlashError),
    /// Somebody asked to stop.
    #[error("stopped on request")]
    Stopped,
    /// The chip does not take writes.
    #[error("the flash is write protected: {0}")]
    WriteProtected(String),
    /// The plan is for another chip.
    #[error("the plan is for a flash chip {planned}, this is {found}")]
    OtherChip {
        /// Whose plan it is.
        planned: String,
        /// What is there.
        found: String,
    },
    /// The flash is not what the plan was made from.
    #[error("the flash changed at {at:#010x} since the plan was made")]
    Changed {
        /// The first byte that differs.
        at: u32,
    },
    /// The plan touches what must stay. A plan like this is never made.
    #[error("writing flash {start:#010x}..{end:#010x} would touch {what}")]
    Protected {
        /// The first byte.
        start: u32,
        /// The first byte behind.
        end: u32,
        /// What it would touch.
        what: String,
    },
    /// Bytes are not there although they were written.
    #[error("flash {at:#010x} reads {found:#04x} instead of {expected:#04x} after {tries} tries")]
    DoesNotVerify {
        /// The first byte that differs.
        at: u32,
        /// What was written.
        expected: u8,
        /// What is there.
        found: u8,
        /// How often it was written.
        tries: u32,
    },
}

impl BurnError {
    /// Whether somebody asked to stop, rather than that something failed.
    #[must_use]
    pub fn is_stop(&self) -> bool {
        match self {
            Self::Stopped => true,
            Self::Flash(FlashError::Access { source, .. }) => {
                matches!(source, AccessError::Interrupted { .. })
            }
            _ => false,
        }
    }

    pub(super) fn touches(region: &Region, start: u32, end: u32) -> Self {
        Self::Protected {
            start,
            end,
            what: region.to_string(),
        }
    }
}
