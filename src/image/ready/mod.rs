//! An image made ready for one slot of one card's flash.
//!
//! [`rom_change`] gives the image that runs another expansion ROM,
//! [`whole_image`] makes a firmware file the card's own. Both end in a
//! [`ReadyImage`] for the slot that is not active, which was put into a copy of
//! the flash and read again: what is given away is whole where it will stand.
//!
//! | what of the card stays | FS2 | FS3 |
//! |---|---|---|
//! | GUIDs and MACs | written into the image's GUID section | device data, not in the image |
//! | VSD | written into the image info section | of the file |
//! | settings, VPD, manufacturing data | outside of all images | device data; the image's ITOC gets the card's entries for it |
//! | expansion ROM | the card's, if the file has none | of the file |
//!
//! # Sources
//! mstflint 4.21, mlxfwops/lib/fs2_ops.cpp (`Fs2Operations::Fs2Burn`,
//! `FwBurnRom`, `preFS2PatchGUIDs`, `patchImageVsd`, `Fs2FailSafeBurn`) and
//! fs3_ops.cpp (`Fs3Operations::FsBurnAux`, `BurnFs3Image`, `UpdateDevDataITOC`,
//! `CheckFs3ImgSize`, `getNewImageStartAddress`).

mod error;
mod fs2_identity;
mod fs3_table;
mod place;
mod rom_change;
mod source_image;
#[cfg(test)]
mod tests;
mod trial;
mod whole_image;

use super::{FirmwareFacts, ReadyImage};

pub use error::PrepareError;
pub use rom_change::rom_change;
pub use whole_image::{RomSource, whole_image};

/// An image that may be burned, and what it will say of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prepared {
    /// The image and its place.
    pub image: ReadyImage,
    /// What it says of itself; offsets are addresses of the flash.
    pub facts: FirmwareFacts,
    /// Its expansion ROM.
    pub rom: Option<Vec<u8>>,
    /// What the user should know of it.
    pub notes: Vec<String>,
}
