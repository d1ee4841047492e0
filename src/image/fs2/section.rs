//! A section of an FS2 image.
//!
//! | offset | size | meaning |
//! |---|---|---|
//! | 0 | 4 | type |
//! | 4 | 4 | size of the data in dwords; of an EMT section in bytes |
//! | 8 | 4 | parameter: of code the address that it is loaded to |
//! | 12 | 4 | where the next section starts; 0 or FF000000 after the last one |
//! | 16 | n | data, filled up to dwords |
//! | 16 + n | 4 | CRC over all before it, in the low half; the upper one must be 0 |
//!
//! All big-endian; addresses count from the start of the image. The CRC of a
//! GUID section may be FFFF while the first GUID is all ones (blank).
//!
//! # Sources
//! mstflint 4.21, mlxfwops/lib/fs2_ops.cpp (`Fs2Operations::checkGen`),
//! flint_base.h (`SectionType`, `MAX_SECTION_SIZE`) and flint_base.cpp
//! (`g_sectNames`).

use std::borrow::Cow;

use super::{InfoSection, Stretch};
use crate::image::checksum::Crc16;

/// Bytes before the data.
pub const SECTION_HEADER_BYTES: usize = 16;
/// Bytes after the data.
pub const SECTION_CRC_BYTES: usize = 4;
/// The most data that a section may have.
pub const MOST_SECTION_BYTES: usize = 0x40_0000;
/// Where `next` of the last section points.
pub const LAST: u32 = 0xff00_0000;
const BLANK_CRC: u32 = 0xffff;
/// Where `next` is in a section.
pub(super) const NEXT_OFFSET: usize = 12;

/// What a section is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SectionType {
    /// 1: code, to be loaded at the address in the parameter.
    Ddr,
    /// 2: what to write to which register.
    Configuration,
    /// 3: entry addresses.
    JumpAddresses,
    /// 4: EMT service.
    Emt,
    /// 5: the expansion ROM.
    Rom,
    /// 6: GUIDs and MACs of the card.
    Guid,
    /// 7: board id.
    BoardId,
    /// 8: data of the user.
    UserData,
    /// 9: the ini that the image was made with, compressed.
    FirmwareConfiguration,
    /// 10: what the image says of itself.
    ImageInfo,
    /// 11: compressed code.
    Ddrz,
    /// 12: hash file for traces, compressed.
    HashFile,
    /// Any other.
    Unknown(u32),
}

impl SectionType {
    /// The type of a number.
    #[must_use]
    pub fn from_id(id: u32) -> Self {
        match id {
            1 => Self::Ddr,
            2 => Self::Configuration,
            3 => Self::JumpAddresses,
            4 => Self::Emt,
            5 => Self::Rom,
            6 => Self::Guid,
            7 => Self::BoardId,
            8 => Self::UserData,
            9 => Self::FirmwareConfiguration,
            10 => Self::ImageInfo,
            11 => Self::Ddrz,
            12 => Self::HashFile,
            other => Self::Unknown(other),
        }
    }

    /// Its number.
    #[must_use]
    pub fn id(self) -> u32 {
        match self {
            Self::Ddr => 1,
            Self::Configuration => 2,
            Self::JumpAddresses => 3,
            Self::Emt => 4,
            Self::Rom => 5,
            Self::Guid => 6,
            Self::BoardId => 7,
            Self::UserData => 8,
            Self::FirmwareConfiguration => 9,
            Self::ImageInfo => 10,
            Self::Ddrz => 11,
            Self::HashFile => 12,
            Self::Unknown(other) => other,
        }
    }

    /// Its name in mstflint's source, for paths.
    #[must_use]
    pub fn symbol(self) -> Cow<'static, str> {
        Cow::Borrowed(match self {
            Self::Ddr => "DDR",
            Self::Configuration => "CNF",
            Self::JumpAddresses => "JMP",
            Self::Emt => "EMT",
            Self::Rom => "ROM",
            Self::Guid => "GUID",
            Self::BoardId => "BOARD_ID",
            Self::UserData => "USER_DATA",
            Self::FirmwareConfiguration => "FW_CONF",
            Self::ImageInfo => "IMG_INFO",
            Self::Ddrz => "DDRZ",
            Self::HashFile => "HASH_FILE",
            Self::Unknown(other) => return Cow::Owned(format!("TYPE_{other:#x}")),
        })
    }

    /// Its name as mstflint prints it.
    #[must_use]
    pub fn title(self) -> Cow<'static, str> {
        Cow::Borrowed(match self {
            Self::Ddr => "DDR",
            Self::Configuration => "Configuration",
            Self::JumpAddresses => "Jump addresses",
            Self::Emt => "EMT Service",
            Self::Rom => "ROM",
            Self::Guid => "GUID",
            Self::BoardId => "BOARD ID",
            Self::UserData => "User Data",
            Self::FirmwareConfiguration => "FW Configuration",
            Self::ImageInfo => "Image Info",
            Self::Ddrz => "DDRZ",
            Self::HashFile => "Hash File",
            Self::Unknown(other) => return Cow::Owned(format!("UNKNOWN ({other})")),
        })
    }
}

/// What a section holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Contents<'a> {
    /// Bytes that the format only carries.
    Bytes(Stretch<'a>),
    /// The tags of an image info section.
    Info(InfoSection<'a>),
    /// GUIDs and MACs.
    Guids(Vec<u64>),
}

/// A section.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Section<'a> {
    /// Where it starts in the image.
    pub address: usize,
    /// What it is.
    pub kind: SectionType,
    /// How many sections of its kind come before it.
    pub index: usize,
    /// Size as stored: dwords, or bytes of an EMT section.
    pub size: u32,
    /// Parameter.
    pub param: u32,
    /// Where the next section starts.
    pub next: u32,
    /// The data.
    pub contents: Contents<'a>,
    /// The stored CRC, upper half included.
    pub crc: u32,
}

impl<'a> Section<'a> {
    /// Bytes of data that a stored size stands for.
    pub(super) fn data_bytes(kind: SectionType, size: u32) -> u64 {
        let size = u64::from(size);
        match kind {
            SectionType::Emt => size.div_ceil(4) * 4,
            _ => size * 4,
        }
    }

    /// Where its data starts in the image.
    #[must_use]
    pub fn data_address(&self) -> usize {
        self.address + SECTION_HEADER_BYTES
    }

    /// Where its CRC is in the image.
    #[must_use]
    pub fn crc_address(&self) -> usize {
        self.data_address() + self.data_length()
    }

    /// The first byte of the image after it.
    #[must_use]
    pub fn end(&self) -> usize {
        self.crc_address() + SECTION_CRC_BYTES
    }

    /// Bytes of its data.
    #[must_use]
    pub fn data_length(&self) -> usize {
        match &self.contents {
            Contents::Bytes(bytes) => bytes.len(),
            Contents::Info(info) => info.length(),
            Contents::Guids(guids) => guids.len() * 8,
        }
    }

    /// Its data: borrowed where they lie together in the file and are not
    /// looked into.
    #[must_use]
    pub fn data(&self) -> Cow<'a, [u8]> {
        match &self.contents {
            Contents::Bytes(bytes) => bytes.to_cow(),
            Contents::Info(info) => Cow::Owned(info.encode()),
            Contents::Guids(guids) => {
                Cow::Owned(guids.iter().flat_map(|guid| guid.to_be_bytes()).collect())
            }
        }
    }

    /// Its name in paths: `CNF`, and `CNF[1]` for the second of its kind.
    #[must_use]
    pub fn path(&self) -> String {
        match self.index {
            0 => self.kind.symbol().into_owned(),
            index => format!("{}[{index}]", self.kind.symbol()),
        }
    }

    /// Whether a section follows.
    #[must_use]
    pub fn is_last(&self) -> bool {
        ends_chain(self.next)
    }

    /// Whether it is a GUID section of a card that got no GUIDs yet, which needs
    /// no CRC.
    #[must_use]
    pub fn is_blank(&self) -> bool {
        match &self.contents {
            Contents::Guids(guids) => self.crc == BLANK_CRC && guids.first() == Some(&u64::MAX),
            _ => false,
        }
    }

    /// The CRC that its bytes have.
    #[must_use]
    pub fn computed_crc(&self) -> u16 {
        let mut crc = Crc16::new();
        self.add_to(&mut crc);
        crc.finish()
    }

    /// All but its CRC.
    pub(super) fn add_to(&self, crc: &mut Crc16) {
        crc.update(&self.header());
        match &self.contents {
            Contents::Bytes(bytes) => bytes.add_to(crc),
            Contents::Info(_) | Contents::Guids(_) => crc.update(&self.data()),
        }
    }

    pub(super) fn header(&self) -> Vec<u8> {
        encode_header(self.kind, self.size, self.param, self.next)
    }
}

/// Whether nothing follows a section with this `next`.
pub(super) fn ends_chain(next: u32) -> bool {
    next == 0 || next == LAST
}

pub(in crate::image) fn encode_header(
    kind: SectionType,
    size: u32,
    param: u32,
    next: u32,
) -> Vec<u8> {
    [kind.id(), size, param, next]
        .iter()
        .flat_map(|dword| dword.to_be_bytes())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_and_numbers_agree() {
        for id in (0..20).chain([0x1234_5678]) {
            let kind = SectionType::from_id(id);
            assert_eq!(kind.id(), id);
            assert_eq!(
                matches!(kind, SectionType::Unknown(_)),
                !(1..=12).contains(&id)
            );
        }
        assert_eq!(SectionType::from_id(99).title(), "UNKNOWN (99)");
    }

    #[test]
    fn only_emt_counts_in_bytes() {
        assert_eq!(Section::data_bytes(SectionType::Emt, 5), 8);
        assert_eq!(Section::data_bytes(SectionType::Rom, 5), 20);
        assert_eq!(
            Section::data_bytes(SectionType::Rom, u32::MAX),
            4 * 0xffff_ffff
        );
    }
}
