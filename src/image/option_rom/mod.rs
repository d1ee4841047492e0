//! Expansion ROMs: a chain of images, each for another kind of processor or
//! firmware, and the version records of FlexBoot in and behind them.
//!
//! ```text
//! image 0   55 AA header, PCIR, code ...     each a multiple of 512 bytes;
//! image 1   55 AA header, PCIR, code ...     PCIR says how long, of which code
//! ...                                        type, and whether it is the last
//! trailing  version records, or anything     no BIOS looks there, mstflint does
//! ```
//!
//! [`OptionRom::parse`] makes a tree whose [`Part`]s tile the file,
//! [`OptionRom::layout`] makes the bytes again from their values,
//! [`check_option_rom`] collects what is wrong, [`RomPatch`] changes ids and
//! version records and puts BIOS and EFI images together, [`extract`] takes
//! them apart.
//!
//! iPXE's `.mrom` is two images: a short one that a BIOS copies, and a payload
//! (code type 0xff) that stays in the ROM and that the first one unpacks.
//!
//! # Sources
//! PCI Firmware Specification 3.0, section 5 (expansion ROM contents); iPXE,
//! src/util/Option/ROM.pm, src/util/catrom.pl, src/util/fixrom.pl,
//! src/arch/x86/prefix/romprefix.S and mromprefix.S; mstflint 4.21,
//! mlxfwops/lib/fw_ops.cpp (`RomInfo`).

mod check;
mod claims;
mod code_type;
mod codec;
mod draft;
mod extract;
mod flexboot_version;
mod image_sum;
mod ipxe_header;
mod lay_out;
mod parse;
mod patch;
mod pcir;
mod pnp;
mod recombine;
mod rom_header;
mod rom_image;
mod stored_record;
mod undi;
mod version_record;

pub use check::check_option_rom;
pub use code_type::CodeType;
pub use extract::{RomSelection, extract};
pub use flexboot_version::{FlexBootVersion, ParseVersionError};
pub use ipxe_header::{IpxeHeader, IpxeStructure, ipxe_header, mentions_ipxe};
pub use patch::{RecordPatch, RomPatch};
pub use pcir::{DeviceListPointer, Pcir};
pub use pnp::PnpHeader;
pub use rom_header::{EfiHeader, OtherHeader, PcHeader, RomHeader};
pub use rom_image::{OptionRom, Part, Placed, RomImage};
pub use stored_record::StoredRecord;
pub use undi::UndiId;

pub(in crate::image) use lay_out::device_list_bytes;
pub(in crate::image) use pcir::PcirFields;
pub(in crate::image) use stored_record::RecordTarget;
pub use version_record::{
    CpuArchitecture, RomProduct, RomProtocol, RomVersion, VersionRecord, VersionRecordError,
    version_records,
};
