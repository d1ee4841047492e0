//! What is to be burned.

use crate::flash::FlashWish;
use crate::flash::checks::{Doors, NewContents};
use crate::image::{FileBytes, ImageKind, RomSource};

use super::Copy;

/// What is to be burned.
#[derive(Debug)]
pub(in crate::cli) enum What {
    /// A file: an expansion ROM, or a firmware image.
    File {
        /// What it is called in messages.
        name: String,
        /// Its bytes.
        bytes: FileBytes,
        /// Which image of it.
        slot: Option<usize>,
        /// Whose ROM a firmware image gets.
        rom: RomSource,
    },
    /// The image that the card has, without its ROM.
    NoRom,
}

/// A burn, whichever the card.
#[derive(Debug)]
pub(in crate::cli) struct BurnJob {
    /// What.
    pub(in crate::cli) what: What,
    /// How the flash is reached.
    pub(in crate::cli) way: FlashWish,
    /// The safety checks that are opened.
    pub(in crate::cli) doors: Doors,
    /// The copy of the whole flash.
    pub(in crate::cli) copy: Copy,
    /// Whether the command promised IPv6.
    pub(in crate::cli) promises_ipv6: bool,
}

impl What {
    /// The same for those who judge and plan.
    pub(super) fn contents(&self) -> NewContents<'_> {
        match self {
            Self::NoRom => NewContents::NoRom,
            Self::File { bytes, .. } if ImageKind::of(bytes) == Some(ImageKind::OptionRom) => {
                NewContents::Rom(bytes)
            }
            Self::File {
                bytes, slot, rom, ..
            } => NewContents::Image {
                file: bytes,
                slot: *slot,
                rom: *rom,
            },
        }
    }

    /// In words.
    pub(in crate::cli) fn words(&self) -> String {
        match (self, self.contents()) {
            (Self::File { name, .. }, NewContents::Rom(_)) => format!("expansion ROM {name}"),
            (Self::File { name, .. }, _) => format!("firmware image {name}"),
            (Self::NoRom, _) => "the image that the card has, without its expansion ROM".to_owned(),
        }
    }
}
