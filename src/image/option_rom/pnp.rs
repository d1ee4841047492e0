//! Plug and Play header of a BIOS image: how it offers itself for booting.
//!
//! | offset | size | content |
//! |---|---|---|
//! | 0 | 4 | `$PnP` |
//! | 4 | 1 | revision |
//! | 5 | 1 | length in units of 16 bytes |
//! | 6 | 2 | offset of the next header, 0 in the last |
//! | 8 | 1 | reserved |
//! | 9 | 1 | makes the sum of the header 0 |
//! | 0xa | 4 | device identifier |
//! | 0xe | 2 | offset of the manufacturer's name |
//! | 0x10 | 2 | offset of the product's name |
//! | 0x12 | 3 | device type: class, sub-class, interface |
//! | 0x15 | 1 | device indicators |
//! | 0x16 | 2 | boot connection vector (BCV) |
//! | 0x18 | 2 | disconnect vector |
//! | 0x1a | 2 | bootstrap entry vector (BEV) |
//! | 0x1c | 2 | reserved |
//! | 0x1e | 2 | static resource information vector |
//!
//! Offsets count from the start of the image. A network card has a BEV; FlexBoot
//! clears it in memory when the card is set not to boot.
//!
//! # Sources
//! Plug and Play BIOS Specification 1.0a, section 3.2; iPXE,
//! src/arch/x86/prefix/romprefix.S and src/util/Option/ROM.pm.

use binrw::{BinRead, BinWrite};

use super::codec::{decode, encode};

pub(super) const PNP_BYTES: usize = 0x20;
const UNIT_BYTES: usize = 16;

/// Plug and Play header.
#[derive(BinRead, BinWrite, Clone, Copy, Debug, PartialEq, Eq)]
#[brw(little, magic = b"$PnP")]
pub struct PnpHeader {
    /// Revision of the structure.
    pub revision: u8,
    /// Length in units of 16 bytes.
    pub length_units: u8,
    /// Offset of the next header, 0 in the last.
    pub next: u16,
    /// Reserved.
    pub reserved8: u8,
    /// Makes the sum of the header 0.
    pub checksum: u8,
    /// Device identifier.
    pub device_id: u32,
    /// Offset of the manufacturer's name, or 0.
    pub manufacturer: u16,
    /// Offset of the product's name, or 0.
    pub product: u16,
    /// Device type: class, sub-class, interface.
    pub device_type: [u8; 3],
    /// What kind of device it is to a BIOS.
    pub indicators: u8,
    /// Boot connection vector, or 0.
    pub bcv: u16,
    /// Disconnect vector, or 0.
    pub disconnect: u16,
    /// Bootstrap entry vector, or 0.
    pub bev: u16,
    /// Reserved.
    pub reserved1c: u16,
    /// Static resource information vector, or 0.
    pub static_resources: u16,
}

impl PnpHeader {
    pub(super) fn parse(image: &[u8], at: usize) -> Option<Self> {
        decode(image, at)
    }

    /// Its bytes.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        encode(self)
    }

    /// Length in bytes, as the header says it.
    #[must_use]
    pub fn length(&self) -> usize {
        usize::from(self.length_units) * UNIT_BYTES
    }
}
