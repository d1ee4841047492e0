//! Version record of an expansion ROM: what stands behind `mlxsign:`.
//!
//! | offset | bits | content |
//! |---|---|---|
//! | 0 | | `mlxsign:` in ASCII |
//! | 8 | 31:16 | product id |
//! | 8 | 7:0 | major version |
//! | 12 | 23:16 | minor version |
//! | 12 | 15:0 | sub-minor version |
//! | 16 | 31:16 | PCI device id of the card; 0: any |
//! | 16 | 15:12 | port; 0: any |
//! | 16 | 11:8 | processor architecture |
//! | 16 | 7:0 | protocol; 0xff: any |
//!
//! All little-endian dwords. With product id 0xf the version is free text, with
//! its length in bits 15:8 of the dword at 20 (bits 7:0: length of the whole
//! record in dwords from offset 8 on) and its characters from 24 on. Product ids
//! below 0xf have no dword at 16.
//!
//! A file may hold several records, anywhere; one for each image as a rule. In
//! spite of its name the record signs nothing: it is a plain version number.
//!
//! # Sources
//! mstflint 4.21, mlxfwops/lib/fw_ops.cpp (`RomInfo::GetExpRomVersion`,
//! `RomInfo::GetExpRomVerForOneRom`, `expRomType2Str`) and mlxfwops_com.h
//! (`ExpRomProto`, `ExpRomCpuArch`); FlexBoot 3.4.719,
//! src/arch/i386/prefix/romprefix.S (`driver_version`).

use super::FlexBootVersion;

const MAGIC: &[u8; 8] = b"mlxsign:";
/// How far mstflint goes on after a record (`ROM_INFO_SIZE`).
const STEP_BYTES: usize = 12;
const TEXT_PRODUCT: u16 = 0xf;
const FIRST_WITH_TARGET: u16 = 0x10;
/// Dwords of a text record without its text, counted as mstflint does.
const TEXT_OVERHEAD_DWORDS: usize = 4;

/// What kind of program an expansion ROM image is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RomProduct {
    /// 0xf: says what it is in its own words.
    Text,
    /// 0x10: PXE, that is FlexBoot.
    Pxe,
    /// 0x11: UEFI driver.
    Uefi,
    /// 0x12: CLP, the command line protocol of servers.
    Clp,
    /// 0x21: Open Firmware (FCode).
    Fcode,
    /// Any other.
    Unknown(u16),
}

/// The version in a record.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum RomVersion {
    /// Three numbers.
    Numbered(FlexBootVersion),
    /// Free text; what is not UTF-8 is replaced.
    Text(String),
}

/// For which processors an image is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CpuArchitecture {
    /// 0, or a record that does not say.
    Unspecified,
    /// 1: x86, 64 bits.
    Amd64,
    /// 2: Arm, 64 bits.
    Aarch64,
    /// 3: both.
    Amd64AndAarch64,
    /// 4: x86, 32 bits.
    Ia32,
    /// Any other.
    Unknown(u8),
}

/// For which kind of network an image is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RomProtocol {
    /// 0: InfiniBand.
    InfiniBand,
    /// 1: Ethernet.
    Ethernet,
    /// 2: both (VPI).
    Vpi,
    /// 0xff, or a record that does not say.
    Any,
    /// Any other.
    Unknown(u8),
}

/// One version record.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct VersionRecord {
    /// Where its magic starts in the file, in bytes.
    pub offset: usize,
    /// What the image is.
    pub product: RomProduct,
    /// Its version.
    pub version: RomVersion,
    /// The PCI device id that it is for; `None` when it is for any.
    pub device_id: Option<u16>,
    /// The port that it is for, counted from 1; `None` when it is for any.
    pub port: Option<u8>,
    /// The processors that it is for.
    pub cpu: CpuArchitecture,
    /// The network that it is for.
    pub protocol: RomProtocol,
}

/// A magic with no valid record behind it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum VersionRecordError {
    /// The file ends inside of the record.
    #[error("the version record at {offset:#010x} is cut off by the end of the file")]
    Truncated {
        /// Where its magic starts in the file, in bytes.
        offset: usize,
    },
    /// The record is too short for the text that it claims.
    #[error(
        "the version record at {offset:#010x} has {record_dwords} dwords, \
         too few for a text of {text_bytes} bytes"
    )]
    TextTooLong {
        /// Where its magic starts in the file, in bytes.
        offset: usize,
        /// The record's own length.
        record_dwords: u8,
        /// The claimed length of the text.
        text_bytes: u8,
    },
}

/// All version records of a file, in their order; broken ones are errors and
/// hide no later one.
///
/// mstflint 4.21 gives up at the first broken record and looks at five at most.
pub fn version_records(
    bytes: &[u8],
) -> impl Iterator<Item = Result<VersionRecord, VersionRecordError>> + '_ {
    let mut from = 0;
    std::iter::from_fn(move || {
        let rest = bytes.get(from..)?;
        let offset = from + rest.windows(MAGIC.len()).position(|found| found == MAGIC)?;
        from = offset + STEP_BYTES;
        Some(VersionRecord::parse(bytes, offset))
    })
}

impl VersionRecord {
    /// Reads the record whose magic starts at `offset`.
    fn parse(bytes: &[u8], offset: usize) -> Result<Self, VersionRecordError> {
        let truncated = VersionRecordError::Truncated { offset };
        let content = bytes.get(offset + MAGIC.len()..).unwrap_or_default();
        let dword = |at: usize| {
            let bytes = content.get(at..)?.first_chunk().copied()?;
            Some(u32::from_le_bytes(bytes))
        };
        let (Some(first), Some(second)) = (dword(0), dword(4)) else {
            return Err(truncated);
        };
        let product_id = bits16(first, 16);
        let mut record = Self {
            offset,
            product: RomProduct::from_id(product_id),
            version: RomVersion::Numbered(FlexBootVersion {
                major: bits8(first, 0),
                minor: bits8(second, 16),
                sub: bits16(second, 0),
            }),
            device_id: None,
            port: None,
            cpu: CpuArchitecture::Unspecified,
            protocol: RomProtocol::Any,
        };
        if product_id == TEXT_PRODUCT {
            let lengths = dword(12).ok_or_else(|| truncated.clone())?;
            let (record_dwords, text_bytes) = (bits8(lengths, 0), bits8(lengths, 8));
            let text_dwords = usize::from(text_bytes).div_ceil(4);
            if usize::from(record_dwords) < text_dwords + TEXT_OVERHEAD_DWORDS {
                return Err(VersionRecordError::TextTooLong {
                    offset,
                    record_dwords,
                    text_bytes,
                });
            }
            let text = content
                .get(16..16 + usize::from(text_bytes))
                .ok_or(truncated)?;
            let text = text.split(|&byte| byte == 0).next().unwrap_or_default();
            record.version = RomVersion::Text(String::from_utf8_lossy(text).into_owned());
        } else if product_id >= FIRST_WITH_TARGET {
            let target = dword(8).ok_or(truncated)?;
            record.device_id = Some(bits16(target, 16)).filter(|&id| id != 0);
            record.cpu = CpuArchitecture::from_id(bits8(target, 8) & 0xf);
            // CLP images are for all ports and all networks.
            if record.product != RomProduct::Clp {
                record.port = Some(bits8(target, 8) >> 4).filter(|&port| port != 0);
                record.protocol = RomProtocol::from_id(bits8(target, 0));
            }
        }
        Ok(record)
    }

    /// The version as numbers; `None` when it is text.
    #[must_use]
    pub fn numbered(&self) -> Option<FlexBootVersion> {
        match self.version {
            RomVersion::Numbered(version) => Some(version),
            RomVersion::Text(_) => None,
        }
    }
}

impl RomProduct {
    fn from_id(id: u16) -> Self {
        match id {
            TEXT_PRODUCT => Self::Text,
            0x10 => Self::Pxe,
            0x11 => Self::Uefi,
            0x12 => Self::Clp,
            0x21 => Self::Fcode,
            other => Self::Unknown(other),
        }
    }

    /// Whether the bytes of an image of this kind add up to 0. mstflint does not
    /// check files that hold a UEFI or an FCode record.
    #[must_use]
    pub fn has_checksum(self) -> bool {
        !matches!(self, Self::Uefi | Self::Fcode)
    }
}

impl CpuArchitecture {
    fn from_id(id: u8) -> Self {
        match id {
            0 => Self::Unspecified,
            1 => Self::Amd64,
            2 => Self::Aarch64,
            3 => Self::Amd64AndAarch64,
            4 => Self::Ia32,
            other => Self::Unknown(other),
        }
    }
}

impl RomProtocol {
    fn from_id(id: u8) -> Self {
        match id {
            0 => Self::InfiniBand,
            1 => Self::Ethernet,
            2 => Self::Vpi,
            0xff => Self::Any,
            other => Self::Unknown(other),
        }
    }
}

fn bits16(dword: u32, from: u32) -> u16 {
    let [low, high, ..] = (dword >> from).to_le_bytes();
    u16::from_le_bytes([low, high])
}

fn bits8(dword: u32, from: u32) -> u8 {
    let [low, ..] = (dword >> from).to_le_bytes();
    low
}
