//! FS3 firmware images: ConnectX-4 and -4 Lx, Connect-IB, and switches of that
//! time.
//!
//! | where | what |
//! |---|---|
//! | 0 | [header](Fs3Header) |
//! | 0x38 | [boot2](crate::image::boot2) |
//! | next multiple of 4 KiB | [ITOC](Itoc), the table of contents; two sectors are reserved for it |
//! | behind | sections, found by the ITOC |
//!
//! Sections have addresses that count from the start of the image, except those
//! that belong to the one card (device data), which are at fixed places near the
//! end of the flash. A flash has room for two images: the second starts where
//! the header's chunk ends. Both have their own ITOC and share the device data.
//!
//! [`parse`] reads a file, [`Fs3File::check`] looks into the sections,
//! [`Fs3File::layout`] makes the bytes again, [`edit_rom`] changes the expansion
//! ROM.
//!
//! # Sources
//! mstflint 4.21, mlxfwops/lib/fs3_ops.cpp.

mod addresses;
mod check;
mod digest;
mod edit_rom;
mod facts;
mod fields;
mod file;
mod header;
mod image;
mod image_info;
mod in_flash;
mod itoc;
mod itoc_entry;
mod layout;
mod mosaic;
mod rom_plan;
#[cfg(test)]
mod samples;
mod section_type;
mod signature;

pub(in crate::image) use digest::image_digest;
pub(in crate::image) use in_flash::{check_in_flash, image_in_flash};

pub use addresses::{AddressForm, DevInfo, MfgInfo};
pub use edit_rom::edit_rom;
pub use file::{Fs3File, parse};
pub use header::Fs3Header;
pub use image::{Fs3Image, Section};
pub use image_info::ImageInfo;
pub use itoc::{ITOC_SECTOR_BYTES, Itoc, ItocHeader, MOST_ENTRIES};
pub use itoc_entry::ItocEntry;
pub use section_type::SectionType;
pub use signature::Signature;
