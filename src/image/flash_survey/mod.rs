//! What a flash holds: which slots have an image, whether it is whole, which one
//! a boot takes, and which bytes belong to the card rather than to an image.
//!
//! A byte of flash costs a few accesses to the card, so a [`FlashSurvey`] reads
//! only what must be known: the places where an image may start, and of every
//! image what its own tables list. What was not read counts as erased.
//!
//! | what | FS2 | FS3 |
//! |---|---|---|
//! | slot 0, slot 1 | even and odd chunks | address 0, address of one chunk |
//! | chunk | header 0x28, bits 2:0, plus 16 | header 0x25 |
//! | not failsafe | header 0x28, bit 3 clear: one slot | never |
//! | data of the card | the settings store at the end of each half, GUIDs in the image | sections that the ITOC marks as device data |
//!
//! The format follows the card, not the bytes.
//!
//! # Sources
//! mstflint 4.21, mlxfwops/lib/fw_ops.cpp (`FwOperations::FindAllImageStart`,
//! which takes the first magic in the order of the start addresses),
//! fs2_ops.cpp (`Fs2Operations::Fs2Verify`, `FwResetNvData`) and fs3_ops.cpp
//! (`Fs3Operations::FsVerifyAux`).

mod fs2_flash;
mod fs3_flash;
mod reader;
mod slot;
mod sparse_flash;
mod survey;
#[cfg(test)]
mod tests;

pub(in crate::image) use survey::read_again;

pub use slot::{DamagedImage, DeviceRegion, Slot, SlotState, WholeImage};
pub use survey::FlashSurvey;
