//! Facts about hardware: a typed, validated view of the files in `hwdb/`.
//!
//! The files are part of the program; a folder of the same shape can replace
//! or add files. What a record means is said at the types here, the rules for
//! writing one stand in `hwdb/README.md`.

mod boot_defaults;
mod chip;
mod database;
mod device;
mod field;
mod field_value;
mod flash_chip;
mod flash_path;
mod requirement;
mod setting;
mod validate;
mod validate_boot_defaults;
mod validate_settings;

pub use boot_defaults::{BootDefaultsFile, DefaultField, DefaultName, DefaultRegister, Provenance};
pub use chip::{Chip, ChipFormat, ChipKind};
pub use database::{Hwdb, HwdbError};
pub use device::{
    AccessWay, Device, FirmwareInterface, ImageFormat, Ports, Tested, TestedState, Verified,
};
pub use field::{
    BitField, EffectiveWith, Field, NamedValue, NumberRange, Place, Risk, TextFormat, TextPlace,
    ValidBit,
};
pub use field_value::{FieldValue, ValueError};
pub use flash_chip::{
    EraseCommand, FlashChip, ProgramCommand, ProtectionBits, SecondStatus, Times,
};
pub use flash_path::{
    CrField, CrSetting, CrShift, FlashDefaultWay, FlashGateway, FlashGatewayLock, FlashPath,
    WithoutFirmware,
};
pub use requirement::{DefaultAt, DefaultOf, Limit, Requirement};
pub use setting::{Access, Applies, Scope, SettingsFile, Tlv, TlvClass};
