//! Bytes to structure and back, pure: expansion ROMs and firmware images.
//!
//! Every format has a folder with the same shape: `parse` makes a tree out of
//! bytes and never stops at the first finding, `lay_out` makes a [`Layout`] of
//! the tree (and so the bytes), `check` collects [`Finding`]s, `edit` changes it.
//! Trees borrow from the file; nothing keeps a copy of it.
//!
//! [`version_records`] finds what a FlexBoot or UEFI ROM says of itself;
//! [`ipxe_header`] and [`mentions_ipxe`] recognise an iPXE
//! image that carries no such record.

pub mod boot2;
pub mod build;
pub mod checksum;
mod edit;
mod file;
mod finding;
mod firmware;
mod firmware_facts;
mod flash_survey;
pub mod fs2;
pub mod fs3;
mod kind;
mod layout;
pub mod option_rom;
pub mod payload;
mod ready;
mod rom_fits;
mod slot_place;

pub use edit::{ByteChange, EditError, EditPolicy, Edited, Permission, RomEdit};
pub use file::{FileBytes, FileError, LARGEST_FILE_BYTES, Reading};
pub use finding::{Finding, FindingKind, Parsed, Severity, worst};
pub use firmware::{Firmware, edit_rom, edit_rom_as};
pub use firmware_facts::{
    AddressFact, AddressKind, FirmwareFacts, FirmwareVersion, ReleaseDate, RomFact, SectionFact,
};
pub use flash_survey::{DamagedImage, DeviceRegion, FlashSurvey, Slot, SlotState, WholeImage};
pub use kind::{FIRMWARE_MAGIC, FS4_MAGIC, ImageKind, START_ADDRESSES, firmware_starts};
pub use layout::{Layout, Piece, PieceKind, Region};
pub use option_rom::{
    CpuArchitecture, FlexBootVersion, IpxeHeader, OptionRom, RomProduct, RomProtocol, RomVersion,
    VersionRecord, VersionRecordError, ipxe_header, mentions_ipxe, version_records,
};
pub use ready::{PrepareError, Prepared, RomSource, rom_change, whole_image};
pub use rom_fits::{RomObstacles, rom_obstacles_on};
pub use slot_place::{ReadyImage, SlotPlace};
