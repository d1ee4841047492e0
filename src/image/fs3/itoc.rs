//! The ITOC (image table of contents) of an FS3 image.
//!
//! | offset | size | content |
//! |---|---|---|
//! | 0 | 16 | signature 49544F43 04081516 2342CAFA BACAFE00 |
//! | 0x10 | 3 | reserved |
//! | 0x13 | 1 | version, 1 |
//! | 0x14 | 8 | reserved |
//! | 0x1c | 2 | reserved |
//! | 0x1e | 2 | CRC of the first 28 bytes |
//! | 0x20 | 32 each | [entries](super::ItocEntry), 63 at most |
//! | behind | 32 | the end: type 0xff, all bytes FF in genuine images |
//!
//! It is looked for in steps of 4 KiB behind boot2. Two such sectors are
//! reserved: who changes it on a card writes the other one and then sets the
//! first dword of the old signature to 0. That one is called spare here.
//!
//! # Sources
//! mstflint 4.21, mlxfwops/lib/fs3_ops.cpp (`Fs3Operations::VerifyTOC`,
//! `Fs3Operations::reburnItocSection`, `Fs3Operations::FsVerifyAux`) and
//! tools_layouts/cibfw_layouts.c (`cibfw_itoc_header_pack`).

use std::io::Cursor;

use binrw::{BinRead, BinWrite};

use crate::image::checksum::crc16;
use crate::image::{Finding, FindingKind};

use super::itoc_entry::ENTRY_BYTES;
use super::{ItocEntry, SectionType};

/// Bytes of the sector that the ITOC has for itself.
pub const ITOC_SECTOR_BYTES: usize = 0x1000;
/// The most entries that it has room for in mstflint.
pub const MOST_ENTRIES: usize = 63;
/// The signature of a valid one.
pub(super) const SIGNATURE: [u32; 4] = [0x4954_4f43, 0x0408_1516, 0x2342_cafa, 0xbaca_fe00];
/// Where the CRC is in the header.
const CRC_OFFSET: u64 = 0x1e;

/// The header of an ITOC.
#[derive(BinRead, BinWrite, Clone, Copy, Debug, PartialEq, Eq)]
#[brw(big)]
pub struct ItocHeader {
    /// The signature; its first dword is 0 in a spare one.
    pub signature: [u32; 4],
    /// 0 in genuine images.
    pub reserved0: [u8; 3],
    /// Version, 1.
    pub version: u8,
    /// 0 in genuine images.
    pub reserved1: [u8; 10],
    /// CRC of the header.
    pub crc: u16,
}

impl ItocHeader {
    /// One that counts, with its CRC.
    #[must_use]
    pub fn new() -> Self {
        let mut header = Self {
            signature: SIGNATURE,
            reserved0: [0; 3],
            version: 1,
            reserved1: [0; 10],
            crc: 0,
        };
        header.crc = header.computed_crc();
        header
    }

    /// Reads it; `None` when there are not enough bytes.
    #[must_use]
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        Self::read(&mut Cursor::new(bytes.get(..ENTRY_BYTES)?)).ok()
    }

    /// Its bytes.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Cursor::new(Vec::with_capacity(ENTRY_BYTES));
        // Writing to memory cannot fail.
        let _ = self.write(&mut bytes);
        bytes.into_inner()
    }

    /// The CRC that it has.
    #[must_use]
    pub fn computed_crc(&self) -> u16 {
        let bytes = self.to_bytes();
        crc16(bytes.get(..ENTRY_BYTES - 4).unwrap_or_default())
    }

    /// Whether it is the one that counts.
    #[must_use]
    pub fn is_valid(&self) -> bool {
        self.signature == SIGNATURE
    }

    /// Whether it is one that does not count, or not any more.
    fn is_spare(&self) -> bool {
        self.signature.get(1..) == SIGNATURE.get(1..)
    }
}

impl Default for ItocHeader {
    fn default() -> Self {
        Self::new()
    }
}

/// A table of contents.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Itoc {
    /// Where it starts, counted from the start of the image.
    pub address: usize,
    /// Its header.
    pub header: ItocHeader,
    /// Its entries, without the end.
    pub entries: Vec<ItocEntry>,
    /// The end; `None` when there is none where it must be.
    pub end: Option<ItocEntry>,
}

impl Itoc {
    /// Reads the one at `address`, whatever its signature says.
    fn parse(image: &[u8], address: usize) -> Option<Self> {
        let bytes = image.get(address..)?;
        let header = ItocHeader::parse(bytes)?;
        let mut entries = Vec::new();
        let mut end = None;
        let (rows, _) = bytes.get(ENTRY_BYTES..)?.as_chunks::<ENTRY_BYTES>();
        for row in rows.iter().take(MOST_ENTRIES + 1) {
            let entry = ItocEntry::parse(row)?;
            if entry.section_type() == SectionType::END {
                end = Some(entry);
                break;
            }
            if entries.len() < MOST_ENTRIES {
                entries.push(entry);
            }
        }
        Some(Self {
            address,
            header,
            entries,
            end,
        })
    }

    /// Finds the one that counts and the spare ones around it, in an image whose
    /// boot2 ends at `boot2_end`.
    pub(super) fn find(image: &[u8], boot2_end: usize) -> (Option<Self>, Vec<Self>) {
        let mut spares = Vec::new();
        let mut address = boot2_end.next_multiple_of(ITOC_SECTOR_BYTES);
        while let Some(header) = image.get(address..).and_then(ItocHeader::parse) {
            if header.is_valid() {
                let next = address + ITOC_SECTOR_BYTES;
                let behind = image.get(next..).and_then(ItocHeader::parse);
                if behind.is_some_and(|behind| behind.is_spare()) {
                    spares.extend(Self::parse(image, next));
                }
                return (Self::parse(image, address), spares);
            }
            if header.is_spare() && spares.is_empty() {
                spares.extend(Self::parse(image, address));
            }
            address += ITOC_SECTOR_BYTES;
        }
        (None, spares)
    }

    /// Where the entry with this number is, counted from the start of the image.
    #[must_use]
    pub fn entry_address(&self, number: usize) -> usize {
        self.address + (number + 1) * ENTRY_BYTES
    }

    /// Bytes up to the end of its end.
    #[must_use]
    pub fn length(&self) -> usize {
        (1 + self.entries.len() + usize::from(self.end.is_some())) * ENTRY_BYTES
    }

    /// What is wrong with it; `start` is where the image starts in the file.
    pub(super) fn check(&self, path: &str, start: usize, findings: &mut Vec<Finding>) {
        let at = (start + self.address) as u64;
        let wrong = |path: String, offset, computed: u16, stored: u16| {
            Finding::error(FindingKind::BadChecksum, path, offset, "wrong CRC").expected_found(
                format_args!("{computed:#06x}"),
                format_args!("{stored:#06x}"),
            )
        };
        let (computed, stored) = (self.header.computed_crc(), self.header.crc);
        if computed != stored {
            findings.push(wrong(
                format!("{path}/header/crc"),
                at + CRC_OFFSET,
                computed,
                stored,
            ));
        }
        for (number, entry) in self.entries.iter().enumerate() {
            let (computed, stored) = (entry.computed_crc(), entry.entry_crc());
            if computed != stored {
                findings.push(wrong(
                    format!("{path}/{}/entry_crc", entry.section_type().spelled()),
                    (start + self.entry_address(number)) as u64 + CRC_OFFSET,
                    computed,
                    stored,
                ));
            }
        }
        if self.end.is_none() {
            findings.push(Finding::error(
                FindingKind::Missing,
                format!("{path}/END"),
                (start + self.entry_address(self.entries.len())) as u64,
                format!("the table does not end after {MOST_ENTRIES} entries at most"),
            ));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn itoc(entries: usize) -> Vec<u8> {
        let mut bytes = ItocHeader::new().to_bytes();
        for _ in 0..entries {
            let entry = ItocEntry::new(SectionType::PCI_CODE, 0x100, 0x3000, true);
            bytes.extend(entry.rewritten().to_bytes());
        }
        bytes.resize(ITOC_SECTOR_BYTES, 0xff);
        bytes
    }

    fn kinds(itoc: &Itoc) -> Vec<FindingKind> {
        let mut findings = Vec::new();
        itoc.check("ITOC", 0, &mut findings);
        findings.iter().map(|finding| finding.kind).collect()
    }

    #[test]
    fn the_valid_one_is_found_behind_a_spare_one_and_before_one() {
        let good = itoc(2);
        let mut spare = itoc(1);
        spare[..4].fill(0);
        for (first, second, valid_at) in [(&good, &spare, 0x1000), (&spare, &good, 0x2000)] {
            let image = [vec![0; 0x1000], first.clone(), second.clone()].concat();
            let (found, spares) = Itoc::find(&image, 0x800);
            let found = found.unwrap();
            assert_eq!((found.address, found.entries.len()), (valid_at, 2));
            assert_eq!(kinds(&found), []);
            assert_eq!(spares.len(), 1);
            assert_eq!(spares[0].entries.len(), 1);
        }
    }

    #[test]
    fn damage_is_found() {
        let find = |bytes: &[u8]| Itoc::find(bytes, 0).0;
        let mut bytes = itoc(63);
        assert_eq!(kinds(&find(&bytes).unwrap()), []);
        bytes[0x25] ^= 1;
        assert_eq!(kinds(&find(&bytes).unwrap()), [FindingKind::BadChecksum]);
        assert_eq!(
            kinds(&find(&itoc(64)).unwrap()),
            [FindingKind::Missing],
            "no end"
        );
        assert_eq!(find(&[0xff; 0x4000]), None);
    }
}
