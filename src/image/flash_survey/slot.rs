//! A place for an image in a flash, and what is there.

use std::ops::Range;

use crate::image::{Finding, FirmwareFacts, SlotPlace};

/// A place for an image, and what is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slot {
    /// Where it is.
    pub place: SlotPlace,
    /// What is there.
    pub state: SlotState,
}

/// What is in a slot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SlotState {
    /// No magic: whatever else is there, no boot takes it.
    Empty,
    /// A magic, and behind it no image that is whole.
    Damaged(Box<DamagedImage>),
    /// An image without an error.
    Whole(Box<WholeImage>),
}

/// What there is of an image that is not whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DamagedImage {
    /// What is wrong, errors among it; offsets are addresses of the flash.
    pub findings: Vec<Finding>,
    /// What it says of itself, as far as that can be read.
    pub facts: Option<FirmwareFacts>,
}

/// An image that is whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WholeImage {
    /// What it says of itself; offsets are addresses of the flash.
    pub facts: FirmwareFacts,
    /// Its bytes by its own addresses; FS3 device data is not in it.
    pub bytes: Vec<u8>,
    /// Its expansion ROM.
    pub rom: Option<Vec<u8>>,
    /// Warnings and notes.
    pub findings: Vec<Finding>,
}

/// Bytes of the flash that belong to the card and that no burn may touch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceRegion {
    /// What it is.
    pub name: String,
    /// Where it is in the flash as it is wired.
    pub range: Range<u32>,
}

impl Slot {
    /// Whether a boot may take what is there.
    #[must_use]
    pub fn has_magic(&self) -> bool {
        self.state != SlotState::Empty
    }

    /// The image, if it is whole.
    #[must_use]
    pub fn whole(&self) -> Option<&WholeImage> {
        match &self.state {
            SlotState::Whole(image) => Some(image),
            SlotState::Empty | SlotState::Damaged(_) => None,
        }
    }

    /// What the image says of itself, whole or not.
    #[must_use]
    pub fn facts(&self) -> Option<&FirmwareFacts> {
        match &self.state {
            SlotState::Whole(image) => Some(&image.facts),
            SlotState::Damaged(image) => image.facts.as_ref(),
            SlotState::Empty => None,
        }
    }
}
