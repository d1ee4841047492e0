//! Facts about hardware: a typed, validated view of the files in `hwdb/`.
//!
//! The files are part of the program; a folder of the same shape can replace
//! or add files. What a record means is said at the types here, the rules for
//! writing one stand in `hwdb/README.md`.

mod database;
mod device;
mod setting;
mod validate;

pub use database::{Hwdb, HwdbError};
pub use device::{
    AccessWay, Device, FirmwareInterface, ImageFormat, Ports, Tested, TestedState, Verified,
};
pub use setting::{
    Access, Applies, BitField, DefaultAt, Field, NamedValue, Requirement, Scope, SettingsFile, Tlv,
    TlvClass,
};
