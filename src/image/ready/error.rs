//! Why no image can be made ready for a card.

use crate::image::{EditError, Finding, Severity};

/// Why an image was not made ready. Nothing was changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PrepareError {
    /// The expansion ROM cannot or may not go in, or the file does not say which
    /// of its images is meant.
    #[error(transparent)]
    Edit(#[from] EditError),
    /// The file is firmware of another format than the card's.
    #[error("the file is {found}, and the card has {card} firmware")]
    WrongFormat {
        /// Format of the card.
        card: &'static str,
        /// What the file is.
        found: &'static str,
    },
    /// The file is no firmware at all.
    #[error("the file is no firmware image")]
    NotFirmware,
    /// The file is damaged or cut off.
    #[error("the image in the file is damaged: {}", first_error(.findings))]
    Damaged {
        /// What was found, the errors among it.
        findings: Vec<Finding>,
    },
    /// The image that was made would not be whole in the card's flash.
    #[error("the image would not be whole in the flash: {}", first_error(.findings))]
    NotWhole {
        /// What was found, the errors among it.
        findings: Vec<Finding>,
    },
    /// The flash holds no image that could be changed or followed.
    #[error("the flash holds no image that {needed_for}: {reason}")]
    NoActiveImage {
        /// What it is needed for.
        needed_for: &'static str,
        /// Why there is none.
        reason: String,
    },
    /// There is no second slot, so that nothing could be burned without losing
    /// the image that runs.
    #[error("the flash has no second slot for an image: {reason}")]
    NoSecondSlot {
        /// Why not.
        reason: String,
    },
    /// The image and the flash are divided in different ways.
    #[error("the flash is divided into chunks of {card:#x} bytes, the image is made for {image}")]
    OtherChunk {
        /// Chunk size of the flash in bytes.
        card: u32,
        /// That of the image, in words.
        image: String,
    },
    /// There is not enough room.
    #[error("the image needs {needed:#x} bytes, and there are {available:#x}: {limit}")]
    TooLarge {
        /// Bytes that it needs.
        needed: u64,
        /// Bytes that there are.
        available: u64,
        /// What sets the limit.
        limit: String,
    },
    /// What makes the card this one card cannot be carried over.
    #[error("{what} of the card cannot be kept: {reason}")]
    Identity {
        /// What it is about.
        what: &'static str,
        /// Why not.
        reason: String,
    },
    /// The image says other things of a section of device data than the card.
    #[error("{section} in the image is not as on the card: {reason}")]
    DeviceData {
        /// The section.
        section: String,
        /// What differs.
        reason: String,
    },
}

fn first_error(findings: &[Finding]) -> String {
    findings
        .iter()
        .find(|finding| finding.severity == Severity::Error)
        .map_or_else(|| "nothing in it is known".to_owned(), Finding::to_string)
}
