//! The first 0x38 bytes of an FS2 image.
//!
//! | offset | size | meaning |
//! |---|---|---|
//! | 0x00 | 16 | magic |
//! | 0x10 | 16 | preboot words, code of the vendor; any value is accepted |
//! | 0x20 | 1 | device revision |
//! | 0x21 | 1 | whether a full-image CRC is absent; mstflint clears it when it writes an image anew and does not read it |
//! | 0x22 | 2 | CRC of the whole image, computed with FFFF here |
//! | 0x24 | 4 | format in the top byte, 0 for FS2; the rest is 4 in released images |
//! | 0x28 | 4 | failsafe word: bit 3 failsafe, bits 2:0 log2 of the chunk size less 16, the top byte makes the sum of the bytes 0 |
//! | 0x2c | 4 | bits 23:0 where the data of the image info section starts, the top byte makes the sum of the bytes 0 |
//! | 0x30 | 4 | size of the image in bytes |
//! | 0x34 | 4 | where the data of the GUID section starts |
//!
//! All big-endian; addresses count from the start of the image.
//!
//! # Sources
//! mstflint 4.21, mlxfwops/lib/fs2_ops.cpp (`Fs2Operations::Fs2Verify`,
//! `CntxGetFsData`, `Fs2Query`, `UpdateRomInImage`).

use std::io::Cursor;

use binrw::{BinRead, BinWrite};

use super::stripes::View;
use crate::image::checksum::sum8;
use crate::image::{FIRMWARE_MAGIC, Finding, FindingKind};

/// Bytes of the header.
pub const HEADER_BYTES: usize = 0x38;
pub(super) const CRC_FLAG_OFFSET: usize = 0x21;
/// Where the CRC of the whole image is.
pub(in crate::image) const CRC_OFFSET: usize = 0x22;
const FAILSAFE_OFFSET: usize = 0x28;
pub(super) const INFO_POINTER_OFFSET: usize = 0x2c;
pub(super) const SIZE_OFFSET: usize = 0x30;
pub(super) const GUID_POINTER_OFFSET: usize = 0x34;
const POINTER_BITS: u32 = 0xff_ffff;

/// The header of an FS2 image.
#[derive(Clone, Debug, PartialEq, Eq, BinRead, BinWrite)]
#[brw(big)]
pub struct Fs2Header {
    /// [`FIRMWARE_MAGIC`].
    pub magic: [u8; 16],
    /// Code of the vendor.
    pub preboot: [u32; 4],
    /// Revision of the device that the image is for.
    pub device_revision: u8,
    /// Not 0 where the full-image CRC is said to be absent. Nothing reads it.
    pub crc_absent: u8,
    /// CRC of the whole image.
    pub crc: u16,
    /// Format in the top byte.
    pub format: u32,
    /// Failsafe bit, chunk size, checksum.
    pub failsafe: u32,
    /// Where the image info is, checksum.
    pub info_pointer: u32,
    /// Bytes of the image.
    pub size: u32,
    /// Where the GUIDs are.
    pub guid_pointer: u32,
}

impl Fs2Header {
    /// Reads it; `None` when the file is too short.
    pub(super) fn read(view: View<'_>) -> Option<Self> {
        let bytes = view.get(0, HEADER_BYTES)?.to_cow();
        Self::read_be(&mut Cursor::new(&bytes[..])).ok()
    }

    /// Its bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Cursor::new(Vec::with_capacity(HEADER_BYTES));
        // Writing to memory cannot fail.
        let _ = self.write_be(&mut bytes);
        bytes.into_inner()
    }

    /// Whether the flash holds two images in turns.
    #[must_use]
    pub fn is_failsafe(&self) -> bool {
        self.failsafe & 8 != 0
    }

    /// The chunk size of a failsafe image, as a power of two.
    #[must_use]
    pub fn log2_chunk(&self) -> Option<u8> {
        let [.., low] = self.failsafe.to_be_bytes();
        self.is_failsafe().then_some((low & 7) + 16)
    }

    /// Where the data of the image info section starts; `None` where the header
    /// points nowhere.
    #[must_use]
    pub fn info_address(&self) -> Option<u32> {
        Some(self.info_pointer & POINTER_BITS).filter(|&address| address != 0)
    }

    /// The checksums in the header, and its fixed values.
    pub(super) fn findings(&self, path: &str, view: View<'_>) -> Vec<Finding> {
        let mut findings = Vec::new();
        if self.magic != FIRMWARE_MAGIC {
            findings.push(Finding::error(
                FindingKind::BadMagic,
                format!("{path}/magic"),
                view.physical(0),
                "this is not the magic of firmware",
            ));
        }
        for (name, word, offset) in [
            ("failsafe", self.failsafe, FAILSAFE_OFFSET),
            ("info_pointer", self.info_pointer, INFO_POINTER_OFFSET),
        ] {
            let sum = sum8(&word.to_be_bytes());
            if sum != 0 {
                let right = checked_word(word & POINTER_BITS);
                findings.push(
                    Finding::error(
                        FindingKind::BadChecksum,
                        format!("{path}/{name}"),
                        view.physical(offset),
                        "the bytes of the word do not add up to 0",
                    )
                    .expected_found(format_args!("{right:#010x}"), format_args!("{word:#010x}")),
                );
            }
        }
        findings
    }
}

/// A word of 24 bits with the top byte that makes the sum of its bytes 0.
pub(in crate::image) fn checked_word(value: u32) -> u32 {
    let value = value & POINTER_BITS;
    let sum = sum8(&value.to_be_bytes());
    u32::from(sum.wrapping_neg()) << 24 | value
}

/// The failsafe word of an image; `None` is an image that is not failsafe.
pub(in crate::image) fn failsafe_word(log2_chunk: Option<u8>) -> u32 {
    log2_chunk.map_or(0, |log2| {
        checked_word(8 | u32::from(log2.saturating_sub(16) & 7))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_have_the_checksum_of_released_images() {
        assert_eq!(failsafe_word(Some(19)), 0xf500_000b);
        assert_eq!(failsafe_word(None), 0);
        for value in [0, 1, 0xff, 0x1234, 0xff_ffff, 0x3_0140] {
            assert_eq!(sum8(&checked_word(value).to_be_bytes()), 0);
        }
    }

    #[test]
    fn every_byte_of_a_header_is_a_value() {
        let bytes: Vec<u8> = (0..0x38).map(|n| n * 3 + 1).collect();
        let header = Fs2Header::read(View::contiguous(&bytes)).unwrap();
        assert_eq!(header.encode(), bytes);
        assert_eq!(Fs2Header::read(View::contiguous(&bytes[..0x37])), None);
        assert_eq!(header.crc, 0x676a);
        let findings = header.findings("slot0/header", View::contiguous(&bytes));
        let offsets: Vec<u64> = findings.iter().map(|finding| finding.offset).collect();
        assert_eq!(offsets, [0, 0x28, 0x2c]);
    }
}
