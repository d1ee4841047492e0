//! Second-stage boot code (boot2), alike in FS2 and FS3: at 0x38 of an image.
//!
//! | offset | size | content |
//! |---|---|---|
//! | 0 | 4 | load address |
//! | 4 | 4 | n, the number of dwords of code |
//! | 8 | 4 n | code |
//! | 8 + 4 n | 4 | entry address |
//! | 12 + 4 n | 4 | CRC over all before it; the upper half is 0 |
//!
//! All big-endian. 4 <= n <= 0x100000.
//!
//! # Sources
//! mstflint 4.21, mlxfwops/lib/fw_ops.cpp (`FwOperations::CheckBoot2`).

use std::borrow::Cow;

use super::checksum::crc16;
use super::{Finding, FindingKind, Layout};

/// Where it lies in an FS2 or FS3 image.
pub const BOOT2_OFFSET: usize = 0x38;
const FEWEST_DWORDS: u32 = 4;
const MOST_DWORDS: u32 = 0x10_0000;
const HEADER_BYTES: usize = 8;
const TRAILER_BYTES: usize = 8;

/// A boot2 block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Boot2<'a> {
    /// Where the code is loaded.
    pub load_address: u32,
    /// The code; a whole number of dwords.
    pub code: Cow<'a, [u8]>,
    /// Where it starts to run.
    pub entry_address: u32,
    /// The stored CRC; its upper half must be 0.
    pub crc: u32,
}

impl<'a> Boot2<'a> {
    /// Reads the block that begins with the first byte; `offset` is where that
    /// lies in the file, `path` what it is called there.
    ///
    /// # Errors
    /// The finding that says why there is none.
    pub fn parse(bytes: &'a [u8], path: &str, offset: u64) -> Result<Self, Box<Finding>> {
        let truncated = |needed: u64| {
            Box::new(
                Finding::error(FindingKind::Truncated, path, offset, "boot2 is cut off")
                    .expected_found(
                        format_args!("{needed:#x} bytes"),
                        format_args!("{:#x}", bytes.len()),
                    ),
            )
        };
        let dword = |at: usize| {
            let bytes = bytes.get(at..)?.first_chunk().copied()?;
            Some(u32::from_be_bytes(bytes))
        };
        let (Some(load_address), Some(dwords)) = (dword(0), dword(4)) else {
            return Err(truncated(HEADER_BYTES as u64));
        };
        if !(FEWEST_DWORDS..=MOST_DWORDS).contains(&dwords) {
            return Err(Box::new(
                Finding::error(
                    FindingKind::BadValue,
                    format!("{path}/size"),
                    offset + 4,
                    "the size of boot2 is impossible",
                )
                .expected_found(
                    format_args!("{FEWEST_DWORDS:#x} to {MOST_DWORDS:#x} dwords"),
                    format_args!("{dwords:#x}"),
                ),
            ));
        }
        let code_end = HEADER_BYTES + dwords as usize * 4;
        let whole = code_end + TRAILER_BYTES;
        match (
            bytes.get(HEADER_BYTES..code_end),
            dword(code_end),
            dword(code_end + 4),
        ) {
            (Some(code), Some(entry_address), Some(crc)) => Ok(Self {
                load_address,
                code: Cow::Borrowed(code),
                entry_address,
                crc,
            }),
            _ => Err(truncated(whole as u64)),
        }
    }

    /// The same with a copy of the code, for one that does not lie together in
    /// its file.
    #[must_use]
    pub fn into_owned(self) -> Boot2<'static> {
        Boot2 {
            load_address: self.load_address,
            code: Cow::Owned(self.code.into_owned()),
            entry_address: self.entry_address,
            crc: self.crc,
        }
    }

    /// Bytes of the whole block.
    #[must_use]
    pub fn length(&self) -> usize {
        HEADER_BYTES + self.code.len() + TRAILER_BYTES
    }

    /// The CRC that its bytes have.
    #[must_use]
    pub fn computed_crc(&self) -> u16 {
        let mut crc = super::checksum::Crc16::new();
        crc.update(&self.header());
        crc.update(&self.code);
        crc.update(&self.entry_address.to_be_bytes());
        crc.finish()
    }

    /// The finding, if the CRC is wrong.
    #[must_use]
    pub fn check(&self, path: &str, offset: u64) -> Option<Finding> {
        let computed = self.computed_crc();
        // mstflint compares the whole dword.
        (self.crc != u32::from(computed)).then(|| {
            Finding::error(
                FindingKind::BadChecksum,
                format!("{path}/crc"),
                offset + self.length() as u64 - 4,
                "wrong CRC",
            )
            .expected_found(
                format_args!("{computed:#06x}"),
                format_args!("{:#06x}", self.crc),
            )
        })
    }

    /// Its pieces.
    pub fn lay_out(&self, path: &str, layout: &mut Layout<'a>) {
        layout.field(format!("{path}/header"), self.header());
        layout.section(format!("{path}/code"), self.code.clone());
        let mut trailer = self.entry_address.to_be_bytes().to_vec();
        trailer.extend(self.crc.to_be_bytes());
        layout.field(format!("{path}/trailer"), trailer);
    }

    /// A block made of code, with its CRC; for images built from a description.
    #[must_use]
    pub fn build(load_address: u32, code: &[u8], entry_address: u32) -> Vec<u8> {
        let dwords = u32::try_from(code.len() / 4).unwrap_or(u32::MAX);
        let mut bytes = load_address.to_be_bytes().to_vec();
        bytes.extend(dwords.to_be_bytes());
        bytes.extend_from_slice(code);
        bytes.extend(entry_address.to_be_bytes());
        let crc = u32::from(crc16(&bytes));
        bytes.extend(crc.to_be_bytes());
        bytes
    }

    fn header(&self) -> Vec<u8> {
        let dwords = u32::try_from(self.code.len() / 4).unwrap_or(u32::MAX);
        let mut header = self.load_address.to_be_bytes().to_vec();
        header.extend(dwords.to_be_bytes());
        header
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_built_is_read_back() {
        let bytes = Boot2::build(0x1000, &[0xab; 32], 0x1010);
        let boot2 = Boot2::parse(&bytes, "BOOT2", 0x38).unwrap();
        assert_eq!((boot2.load_address, boot2.entry_address), (0x1000, 0x1010));
        assert_eq!(boot2.check("BOOT2", 0x38), None);
        assert_eq!(boot2.length(), bytes.len());
        let mut layout = Layout::new();
        boot2.lay_out("BOOT2", &mut layout);
        assert_eq!(layout.to_bytes(), bytes);
    }

    #[test]
    fn damage_is_found_and_any_truncation_survived() {
        let mut bytes = Boot2::build(0, &[1; 16], 0);
        for length in 0..bytes.len() {
            let finding = Boot2::parse(&bytes[..length], "BOOT2", 0x38).unwrap_err();
            assert_eq!(finding.kind, FindingKind::Truncated);
        }
        bytes[9] ^= 1;
        let boot2 = Boot2::parse(&bytes, "BOOT2", 0x38).unwrap();
        let finding = boot2.check("BOOT2", 0x38).unwrap();
        assert_eq!(finding.offset, 0x38 + bytes.len() as u64 - 4);
        bytes[4..8].fill(0xff);
        let finding = Boot2::parse(&bytes, "BOOT2", 0x38).unwrap_err();
        assert_eq!(finding.kind, FindingKind::BadValue);
    }
}
