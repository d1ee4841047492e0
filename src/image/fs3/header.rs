//! The first 0x38 bytes of an FS3 image.
//!
//! | offset | size | content |
//! |---|---|---|
//! | 0 | 16 | magic, [`FIRMWARE_MAGIC`](crate::image::FIRMWARE_MAGIC) |
//! | 0x10 | 20 | what the boot ROM of the chip needs before boot2 |
//! | 0x24 | 1 | format, 3 |
//! | 0x25 | 1 | log2 of the chunk, which is where the second image starts; 0: 21 |
//! | 0x26 | 2 | version of the binary format, major and minor; 0.0 or 1.1 |
//! | 0x28 | 12 | reserved |
//! | 0x34 | 4 | CRC of all before it, in the low half |
//!
//! All big-endian. mstflint does not check the CRC, "because of a variance in
//! the calculation"; genuine images carry the plain one. 0 means that there is
//! none.
//!
//! # Sources
//! mstflint 4.21, mlxfwops/lib/fs3_ops.cpp (`Fs3Operations::FsVerifyAux`) and
//! fw_ops.cpp (`FwOperations::CheckBinVersion`).

use std::io::Cursor;

use binrw::{BinRead, BinWrite};

use crate::image::checksum::crc16;
use crate::image::{Finding, FindingKind};

/// Bytes of the header.
pub(super) const HEADER_BYTES: usize = 0x38;
const CRC_OFFSET: u64 = 0x34;
const LOG2_CHUNK_OFFSET: u64 = 0x25;
/// What mstflint takes for a chunk whose size is not given.
const DEFAULT_LOG2_CHUNK: u8 = 21;
/// The largest chunk that mstflint burns; the smallest is one start address.
const LOG2_CHUNKS: std::ops::RangeInclusive<u8> = 16..=24;
/// An image at this address has a chunk of this size, whatever it says.
const EIGHT_MIB: usize = 0x80_0000;

/// The header.
#[derive(BinRead, BinWrite, Clone, Copy, Debug, PartialEq, Eq)]
#[brw(big)]
pub struct Fs3Header {
    /// The magic.
    pub magic: [u8; 16],
    /// For the boot ROM of the chip.
    pub preboot: [u32; 5],
    /// Format of the image, 3.
    pub generation: u8,
    /// Log2 of the chunk size, as stored.
    pub log2_chunk: u8,
    /// Major version of the binary format.
    pub binary_major: u8,
    /// Minor version of the binary format.
    pub binary_minor: u8,
    /// 0 in genuine images.
    pub reserved: [u32; 3],
    /// The CRC, upper half included.
    pub crc: u32,
}

impl Fs3Header {
    /// Reads it; `None` when there are not enough bytes.
    #[must_use]
    pub fn parse(image: &[u8]) -> Option<Self> {
        Self::read(&mut Cursor::new(image.get(..HEADER_BYTES)?)).ok()
    }

    /// Its bytes.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Cursor::new(Vec::with_capacity(HEADER_BYTES));
        // Writing to memory cannot fail.
        let _ = self.write(&mut bytes);
        bytes.into_inner()
    }

    /// The CRC that its bytes have.
    #[must_use]
    pub fn computed_crc(&self) -> u16 {
        let bytes = self.to_bytes();
        crc16(bytes.get(..HEADER_BYTES - 4).unwrap_or_default())
    }

    /// Log2 of the chunk size, as it is meant for an image that starts at `start`.
    #[must_use]
    pub fn effective_log2_chunk(&self, start: usize) -> u8 {
        match self.log2_chunk {
            0 => DEFAULT_LOG2_CHUNK,
            0x16 if start == EIGHT_MIB => 0x17,
            other => other,
        }
    }

    /// Bytes of a chunk for an image that starts at `start`; all there is when
    /// the header says nonsense.
    #[must_use]
    pub fn chunk_bytes(&self, start: usize) -> u64 {
        1_u64
            .checked_shl(u32::from(self.effective_log2_chunk(start)))
            .unwrap_or(u64::MAX)
    }

    /// What is wrong with it.
    pub(super) fn check(&self, path: &str, start: usize, findings: &mut Vec<Finding>) {
        let at = start as u64;
        let log2_chunk = self.effective_log2_chunk(start);
        if !LOG2_CHUNKS.contains(&log2_chunk) {
            findings.push(
                Finding::error(
                    FindingKind::BadValue,
                    format!("{path}/log2_chunk"),
                    at + LOG2_CHUNK_OFFSET,
                    "no flash is divided like this",
                )
                .expected_found(
                    format_args!("{} to {}", LOG2_CHUNKS.start(), LOG2_CHUNKS.end()),
                    log2_chunk,
                ),
            );
        }
        if start != 0 && start as u64 != self.chunk_bytes(start) {
            findings.push(
                Finding::error(
                    FindingKind::Mismatch,
                    format!("{path}/log2_chunk"),
                    at + LOG2_CHUNK_OFFSET,
                    "the image is not where its second copy belongs",
                )
                .expected_found(
                    format_args!("{:#x}", self.chunk_bytes(start)),
                    format_args!("{start:#x}"),
                ),
            );
        }
        let binary = (self.binary_major, self.binary_minor);
        if !matches!(binary, (0, 0) | (1, 1..)) {
            findings.push(
                Finding::error(
                    FindingKind::BadValue,
                    format!("{path}/binary_version"),
                    at + LOG2_CHUNK_OFFSET + 1,
                    "the version of the binary format is not known",
                )
                .expected_found("0.0 or 1.1", format_args!("{}.{}", binary.0, binary.1)),
            );
        }
        let computed = self.computed_crc();
        if self.crc == 0 {
            findings.push(Finding::note(
                FindingKind::NotChecked,
                format!("{path}/crc"),
                at + CRC_OFFSET,
                "the header carries no CRC",
            ));
        } else if self.crc & 0xffff != u32::from(computed) {
            // mstflint and the burning flow do not look at it.
            findings.push(
                Finding::warning(
                    FindingKind::BadChecksum,
                    format!("{path}/crc"),
                    at + CRC_OFFSET,
                    "wrong CRC, which mstflint does not check",
                )
                .expected_found(
                    format_args!("{computed:#06x}"),
                    format_args!("{:#06x}", self.crc),
                ),
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header() -> Fs3Header {
        let mut header = Fs3Header {
            magic: crate::image::FIRMWARE_MAGIC,
            preboot: [0, 0, 0, 0, 0x100],
            generation: 3,
            log2_chunk: 0x16,
            binary_major: 1,
            binary_minor: 1,
            reserved: [0; 3],
            crc: 0,
        };
        header.crc = header.computed_crc().into();
        header
    }

    fn findings(header: Fs3Header, start: usize) -> Vec<FindingKind> {
        let mut findings = Vec::new();
        header.check("header", start, &mut findings);
        findings.iter().map(|finding| finding.kind).collect()
    }

    #[test]
    fn it_is_written_as_it_was_read() {
        let bytes: Vec<u8> = (0..0x38).collect();
        let header = Fs3Header::parse(&bytes).unwrap();
        assert_eq!((header.generation, header.log2_chunk), (0x24, 0x25));
        assert_eq!(header.to_bytes(), bytes);
        assert_eq!(Fs3Header::parse(&bytes[..0x37]), None);
    }

    #[test]
    fn zero_means_2_mib_and_the_8_mib_slot_rules_4() {
        let chunk = |log2_chunk, start| {
            Fs3Header {
                log2_chunk,
                ..header()
            }
            .chunk_bytes(start)
        };
        assert_eq!(chunk(0, 0), 0x20_0000);
        assert_eq!(chunk(0x16, 0), 0x40_0000);
        assert_eq!(chunk(0x16, 0x80_0000), 0x80_0000);
        assert_eq!(chunk(0xff, 0), u64::MAX);
    }

    #[test]
    fn a_sound_header_has_no_findings_and_damage_has() {
        assert_eq!(findings(header(), 0), []);
        assert_eq!(findings(header(), 0x40_0000), []);
        assert_eq!(findings(header(), 0x20_0000), [FindingKind::Mismatch]);
        let damaged = Fs3Header { crc: 1, ..header() };
        assert_eq!(findings(damaged, 0), [FindingKind::BadChecksum]);
        let without = Fs3Header { crc: 0, ..header() };
        assert_eq!(findings(without, 0), [FindingKind::NotChecked]);
        let mut newer = Fs3Header {
            binary_major: 2,
            ..header()
        };
        newer.crc = newer.computed_crc().into();
        assert_eq!(findings(newer, 0), [FindingKind::BadValue]);
    }
}
