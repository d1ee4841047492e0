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

use super::{FlexBootVersion, StoredRecord};

pub(super) const MAGIC: &[u8; 8] = b"mlxsign:";
/// How far mstflint goes on after a record (`ROM_INFO_SIZE`).
const STEP_BYTES: usize = 12;
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
    /// 0x13: NVMe.
    Nvme,
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
        StoredRecord::parse(bytes, offset).map(|stored| stored.meaning(offset))
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
    /// From its number.
    #[must_use]
    pub fn from_id(id: u16) -> Self {
        match id {
            0xf => Self::Text,
            0x10 => Self::Pxe,
            0x11 => Self::Uefi,
            0x12 => Self::Clp,
            0x13 => Self::Nvme,
            0x21 => Self::Fcode,
            other => Self::Unknown(other),
        }
    }

    /// Its number.
    #[must_use]
    pub fn id(self) -> u16 {
        match self {
            Self::Text => 0xf,
            Self::Pxe => 0x10,
            Self::Uefi => 0x11,
            Self::Clp => 0x12,
            Self::Nvme => 0x13,
            Self::Fcode => 0x21,
            Self::Unknown(other) => other,
        }
    }

    /// Its name, as mstflint prints it; `None` where it has none.
    #[must_use]
    pub fn name(self) -> Option<&'static str> {
        match self {
            Self::Text | Self::Clp => Some("CLP"),
            Self::Pxe => Some("PXE"),
            Self::Uefi => Some("UEFI"),
            Self::Nvme => Some("NVMe"),
            Self::Fcode => Some("FCODE"),
            Self::Unknown(_) => None,
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
    /// Its number.
    #[must_use]
    pub fn id(self) -> u8 {
        match self {
            Self::Unspecified => 0,
            Self::Amd64 => 1,
            Self::Aarch64 => 2,
            Self::Amd64AndAarch64 => 3,
            Self::Ia32 => 4,
            Self::Unknown(other) => other,
        }
    }

    /// Its name, as mstflint prints it; `None` where it prints none.
    #[must_use]
    pub fn name(self) -> Option<&'static str> {
        match self {
            Self::Amd64 => Some("AMD64"),
            Self::Aarch64 => Some("AARCH64"),
            Self::Amd64AndAarch64 => Some("AMD64,AARCH64"),
            Self::Ia32 => Some("IA32"),
            Self::Unspecified | Self::Unknown(_) => None,
        }
    }

    pub(in crate::image) fn from_id(id: u8) -> Self {
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
    /// Its number.
    #[must_use]
    pub fn id(self) -> u8 {
        match self {
            Self::InfiniBand => 0,
            Self::Ethernet => 1,
            Self::Vpi => 2,
            Self::Any => 0xff,
            Self::Unknown(other) => other,
        }
    }

    /// Its name, as mstflint prints it; `None` where it prints none.
    #[must_use]
    pub fn name(self) -> Option<&'static str> {
        match self {
            Self::InfiniBand => Some("IB"),
            Self::Ethernet => Some("ETH"),
            Self::Vpi => Some("VPI"),
            Self::Any | Self::Unknown(_) => None,
        }
    }

    pub(in crate::image) fn from_id(id: u8) -> Self {
        match id {
            0 => Self::InfiniBand,
            1 => Self::Ethernet,
            2 => Self::Vpi,
            0xff => Self::Any,
            other => Self::Unknown(other),
        }
    }
}
