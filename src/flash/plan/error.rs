//! Why a plan cannot be made.

use crate::flash::{FlashError, Region};

/// A change of a flash that cannot be planned.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PlanError {
    /// What is there now cannot be read.
    #[error(transparent)]
    Flash(#[from] FlashError),
    /// It would touch what must stay.
    #[error(
        "writing flash {start:#010x}..{end:#010x} would touch {region}, which must stay as it is"
    )]
    Protected {
        /// The first byte that would be erased or programmed.
        start: u32,
        /// The first byte behind.
        end: u32,
        /// What it would touch.
        region: Region,
    },
    /// It does not fit into the chip.
    #[error("flash {start:#010x}..{end:#010x} is not in a chip of {flash:#x} bytes")]
    OutsideOfFlash {
        /// The first byte.
        start: u32,
        /// The first byte behind.
        end: u64,
        /// Bytes of the chip.
        flash: u32,
    },
    /// The image does not start with the magic.
    #[error("the image for slot {slot} does not start with the firmware magic")]
    NoMagicInImage {
        /// The slot.
        slot: usize,
    },
    /// The image would go over the slot that the card boots from.
    #[error(
        "the image for {target:#010x} would go over the slot at {old:#010x} that the card boots from"
    )]
    OverOldSlot {
        /// Where the image starts.
        target: u32,
        /// Where the other one starts.
        old: u32,
    },
    /// Two pieces want to be at one place.
    #[error("two pieces are meant for flash {at:#010x}")]
    Overlap {
        /// The place.
        at: u32,
    },
}
