//! Why a backup cannot be brought back.

use crate::flash::PlanError;

/// A restore that cannot be planned.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RestoreError {
    /// A stage of it cannot.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// The backup is of a flash of another size.
    #[error("the backup has {backup:#x} bytes, the flash {flash:#x}")]
    OtherSize {
        /// Bytes of the backup.
        backup: usize,
        /// Bytes of the chip.
        flash: u32,
    },
    /// An image stands where this card has no slot.
    #[error("{what} has an image at {at:#010x}, where no slot starts")]
    OtherLayout {
        /// "the backup" or "the flash".
        what: &'static str,
        /// Where.
        at: u32,
    },
    /// The card boots now and would not afterwards.
    #[error("the backup holds no image that boots, and the card boots now")]
    NothingBoots,
    /// No order of stages leaves a card that boots.
    #[error("after stage {stage} the card would not boot")]
    NoSafeWay {
        /// The stage, counted from 1.
        stage: usize,
    },
}
