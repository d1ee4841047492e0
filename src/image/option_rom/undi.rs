//! UNDI ROM id: how PXE software finds the network driver in a BIOS image.
//!
//! | offset | size | content |
//! |---|---|---|
//! | 0 | 4 | `UNDI` |
//! | 4 | 1 | length of the structure |
//! | 5 | 1 | makes its sum 0 |
//! | 6 | 1 | revision of the structure |
//! | 7 | 3 | version of PXE: revision, minor, major |
//! | 0xa | 2 | offset of the loader in the image |
//! | 0xc | 2 | bytes of stack segment |
//! | 0xe | 2 | bytes of data segment |
//! | 0x10 | 2 | bytes of code segment |
//! | 0x12 | 4 | bus, `PCIR` for PCI |
//!
//! # Sources
//! PXE Specification 2.1, section 3.1 (table 3-1); iPXE, src/util/Option/ROM.pm.

use std::fmt;

use binrw::{BinRead, BinWrite};

use super::codec::{decode, encode};

/// UNDI ROM id.
#[derive(BinRead, BinWrite, Clone, Copy, Debug, PartialEq, Eq)]
#[brw(little, magic = b"UNDI")]
pub struct UndiId {
    /// Length of the structure.
    pub length: u8,
    /// Makes its sum 0.
    pub checksum: u8,
    /// Revision of the structure.
    pub revision: u8,
    /// Version of PXE: revision, minor, major.
    pub version: [u8; 3],
    /// Offset of the loader in the image.
    pub loader: u16,
    /// Bytes of stack segment.
    pub stack_bytes: u16,
    /// Bytes of data segment.
    pub data_bytes: u16,
    /// Bytes of code segment.
    pub code_bytes: u16,
    /// Bus, `PCIR` for PCI.
    pub bus: [u8; 4],
}

impl UndiId {
    pub(super) fn parse(image: &[u8], at: usize) -> Option<Self> {
        decode(image, at)
    }

    /// Its bytes.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        encode(self)
    }

    /// The version of PXE, as `2.1.0`.
    #[must_use]
    pub fn pxe_version(&self) -> impl fmt::Display {
        let [revision, minor, major] = self.version;
        format!("{major}.{minor}.{revision}")
    }
}
