//! One entry of the ITOC: where a section is.
//!
//! | offset | bits | content |
//! |---|---|---|
//! | 0 | 31:24 | type |
//! | 0 | 23:2 | size in dwords |
//! | 4 | 31 | compressed |
//! | 4 | 30 | CRC over cache lines |
//! | 4 | 29:0 | first parameter: where it is loaded |
//! | 8 | | second parameter: where it starts to run |
//! | 0xc, 0x10 | | reserved |
//! | 0x14 | 31 | the address counts from the start of the image |
//! | 0x14 | 30:2 | address in dwords |
//! | 0x18 | 17 | belongs to the one card (device data) |
//! | 0x18 | 16 | has no CRC |
//! | 0x18 | 15:0 | CRC of the section |
//! | 0x1c | 15:0 | CRC of the entry up to here |
//!
//! Big-endian dwords; what is not named is reserved, and kept.
//!
//! # Sources
//! mstflint 4.21, tools_layouts/cibfw_layouts.c (`cibfw_itoc_entry_pack`).

use std::io::Cursor;

use binrw::{BinRead, BinWrite};
use bitfield_struct::bitfield;

use crate::image::checksum::crc16;

use super::SectionType;

/// Bytes of an entry, and of the header before the first.
pub(super) const ENTRY_BYTES: usize = 0x20;

/// Dword 0 of an entry.
#[bitfield(u32, order = Msb)]
#[derive(PartialEq, Eq)]
struct TypeAndSize {
    type_id: u8,
    #[bits(22)]
    dwords: u32,
    #[bits(2)]
    reserved: u8,
}

/// Dword 1 of an entry.
#[bitfield(u32, order = Msb)]
#[derive(PartialEq, Eq)]
struct Param0 {
    zipped: bool,
    cache_line_crc: bool,
    #[bits(30)]
    value: u32,
}

/// Dword 5 of an entry.
#[bitfield(u32, order = Msb)]
#[derive(PartialEq, Eq)]
struct Address {
    relative: bool,
    #[bits(29)]
    dwords: u32,
    #[bits(2)]
    reserved: u8,
}

/// Dword 6 of an entry.
#[bitfield(u32, order = Msb)]
#[derive(PartialEq, Eq)]
struct Flags {
    #[bits(14)]
    reserved: u16,
    device_data: bool,
    no_crc: bool,
    crc: u16,
}

/// Dword 7 of an entry.
#[bitfield(u32, order = Msb)]
#[derive(PartialEq, Eq)]
struct EntryCrc {
    reserved: u16,
    crc: u16,
}

/// An entry.
#[derive(BinRead, BinWrite, Clone, Copy, Debug, PartialEq, Eq)]
#[brw(big)]
pub struct ItocEntry {
    #[br(map = TypeAndSize::from_bits)]
    #[bw(map = |dword| dword.into_bits())]
    type_and_size: TypeAndSize,
    #[br(map = Param0::from_bits)]
    #[bw(map = |dword| dword.into_bits())]
    param0: Param0,
    /// The second parameter.
    pub param1: u32,
    reserved: [u32; 2],
    #[br(map = Address::from_bits)]
    #[bw(map = |dword| dword.into_bits())]
    address: Address,
    #[br(map = Flags::from_bits)]
    #[bw(map = |dword| dword.into_bits())]
    flags: Flags,
    #[br(map = EntryCrc::from_bits)]
    #[bw(map = |dword| dword.into_bits())]
    entry_crc: EntryCrc,
}

impl ItocEntry {
    /// An entry with this type, size and address, and nothing else.
    #[must_use]
    pub fn new(section_type: SectionType, size: u32, address: u32, relative: bool) -> Self {
        Self {
            type_and_size: TypeAndSize::new().with_type_id(section_type.0),
            param0: Param0::new(),
            param1: 0,
            reserved: [0; 2],
            address: Address::new().with_relative(relative),
            flags: Flags::new(),
            entry_crc: EntryCrc::new(),
        }
        .with_size(size)
        .with_address(address)
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

    /// What the section is.
    #[must_use]
    pub fn section_type(&self) -> SectionType {
        SectionType(self.type_and_size.type_id())
    }

    /// Bytes of the section.
    #[must_use]
    pub fn size(&self) -> u32 {
        self.type_and_size.dwords() << 2
    }

    /// Whether the section is compressed.
    #[must_use]
    pub fn zipped(&self) -> bool {
        self.param0.zipped()
    }

    /// Whether the card checks the section by cache lines; mstflint goes by the
    /// plain CRC all the same.
    #[must_use]
    pub fn cache_line_crc(&self) -> bool {
        self.param0.cache_line_crc()
    }

    /// The first parameter.
    #[must_use]
    pub fn param0(&self) -> u32 {
        self.param0.value()
    }

    /// Where the section is, in bytes.
    #[must_use]
    pub fn address(&self) -> u32 {
        self.address.dwords() << 2
    }

    /// Whether the address counts from the start of the image.
    #[must_use]
    pub fn relative(&self) -> bool {
        self.address.relative()
    }

    /// Whether the section belongs to the one card.
    #[must_use]
    pub fn device_data(&self) -> bool {
        self.flags.device_data()
    }

    /// Whether the section has no CRC.
    #[must_use]
    pub fn no_crc(&self) -> bool {
        self.flags.no_crc()
    }

    /// The stored CRC of the section.
    #[must_use]
    pub fn section_crc(&self) -> u16 {
        self.flags.crc()
    }

    /// The stored CRC of the entry.
    #[must_use]
    pub fn entry_crc(&self) -> u16 {
        self.entry_crc.crc()
    }

    /// The CRC that the entry has.
    #[must_use]
    pub fn computed_crc(&self) -> u16 {
        let bytes = self.to_bytes();
        crc16(bytes.get(..ENTRY_BYTES - 4).unwrap_or_default())
    }

    /// The same with another type.
    #[must_use]
    pub fn with_type(mut self, section_type: SectionType) -> Self {
        self.type_and_size.set_type_id(section_type.0);
        self
    }

    /// The same with another size in bytes, of which there is room for 24 bits.
    #[must_use]
    pub fn with_size(mut self, size: u32) -> Self {
        self.type_and_size.set_dwords((size >> 2) & 0x3f_ffff);
        self
    }

    /// The same at another address, of which there is room for 31 bits.
    #[must_use]
    pub fn with_address(mut self, address: u32) -> Self {
        self.address.set_dwords((address >> 2) & 0x1fff_ffff);
        self
    }

    /// The same with other parameters.
    #[must_use]
    pub fn with_params(mut self, param0: u32, param1: u32) -> Self {
        self.param0.set_value(param0 & 0x3fff_ffff);
        self.param1 = param1;
        self
    }

    /// The same with other marks.
    #[must_use]
    pub fn with_flags(mut self, device_data: bool, no_crc: bool, zipped: bool) -> Self {
        self.flags.set_device_data(device_data);
        self.flags.set_no_crc(no_crc);
        self.param0.set_zipped(zipped);
        self
    }

    /// The same with another CRC of the section.
    #[must_use]
    pub fn with_section_crc(mut self, crc: u16) -> Self {
        self.flags.set_crc(crc);
        self
    }

    /// The same as mstflint writes an entry that it changed: reserved bits are
    /// 0, and the CRC is right.
    #[must_use]
    pub fn rewritten(mut self) -> Self {
        self.type_and_size.set_reserved(0);
        self.reserved = [0; 2];
        self.address.set_reserved(0);
        self.flags.set_reserved(0);
        self.entry_crc = EntryCrc::new();
        self.entry_crc.set_crc(self.computed_crc());
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_bit_is_kept() {
        for seed in 0..64_u8 {
            let bytes: Vec<u8> = (0..32_u8)
                .map(|n| n.wrapping_mul(37).wrapping_add(seed.wrapping_mul(73)))
                .collect();
            assert_eq!(ItocEntry::parse(&bytes).unwrap().to_bytes(), bytes);
        }
        for bit in 0..256 {
            let mut bytes = [0; 32];
            bytes[bit / 8] = 1 << (bit % 8);
            assert_eq!(ItocEntry::parse(&bytes).unwrap().to_bytes(), bytes);
        }
    }

    #[test]
    fn fields_are_where_mstflint_has_them() {
        let mut bytes = [0; 32];
        bytes[0..8].copy_from_slice(&[0x18, 0, 0x10, 0, 0x80, 0, 0, 5]);
        bytes[0x14..0x1c].copy_from_slice(&[0x80, 0, 0x40, 0, 0, 3, 0x12, 0x34]);
        let entry = ItocEntry::parse(&bytes).unwrap();
        assert_eq!(entry.section_type(), SectionType::ROM_CODE);
        assert_eq!((entry.size(), entry.param0()), (0x1000, 5));
        assert!(entry.zipped() && entry.relative() && entry.device_data() && entry.no_crc());
        assert_eq!((entry.address(), entry.section_crc()), (0x4000, 0x1234));
    }

    #[test]
    fn a_rewritten_entry_has_no_reserved_bits_and_a_right_crc() {
        let entry = ItocEntry::parse(&[0xff; 32]).unwrap().rewritten();
        assert_eq!(entry.entry_crc(), entry.computed_crc());
        let bytes = entry.to_bytes();
        assert_eq!(&bytes[0xc..0x14], [0; 8]);
        assert_eq!(bytes[0x18], 0);
        assert_eq!(&bytes[0x1c..0x1e], [0; 2]);
    }
}
