//! FS2: firmware images of ConnectX-3 and ConnectX-3 Pro.
//!
//! [`parse`] reads a whole file: [one image](Fs2Image) in a row, or a copy of a
//! flash with one or two images in [stripes](Stripes). An image is a
//! [header](Fs2Header), one or two blocks of [boot code](crate::image::boot2), and
//! a chain of [sections](Section).

mod boot_default_edit;
mod boot_defaults;
mod boot_pattern;
mod check;
mod facts;
mod file;
mod flash_limit;
mod header;
mod image;
mod in_flash;
mod inflate;
mod info;
mod lay_out;
mod read_image;
mod registers;
mod rom_edit;
mod rom_fits;
mod section;
mod shape;
mod splice;
mod stretch;
mod stripes;
mod target;

pub use boot_default_edit::{DefaultChange, edit_boot_defaults};
pub use boot_defaults::{BootDefault, BootDefaults, Override, boot_defaults};
pub use file::{Fs2File, parse, parse_as};
pub use header::{Fs2Header, HEADER_BYTES};
pub use image::Fs2Image;
pub use inflate::{InflateError, MOST_INFLATED_BYTES, inflate};
pub use info::{InfoSection, InfoTag, InfoValue, InfoVersion};
pub use registers::RegisterWrite;
pub use rom_edit::{edit_rom, edit_rom_as};
pub use section::{
    Contents, LAST, MOST_SECTION_BYTES, SECTION_CRC_BYTES, SECTION_HEADER_BYTES, Section,
    SectionType,
};
pub use shape::FileShape;
pub use stretch::Stretch;
pub use stripes::Stripes;

pub(in crate::image) use header::{CRC_OFFSET as FULL_CRC_OFFSET, checked_word, failsafe_word};
pub(in crate::image) use in_flash::{check_in_flash, image_in_flash, sound_header};
pub(in crate::image) use info::END_TAG;
pub(in crate::image) use section::encode_header;
