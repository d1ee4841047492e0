//! For whom an image of an expansion ROM is.

use std::fmt;

/// Code type of an image (PCIR, offset 0x14).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CodeType {
    /// 0: x86 code for a BIOS.
    PcAt,
    /// 1: Open Firmware.
    OpenFirmware,
    /// 2: Hewlett-Packard PA-RISC.
    PaRisc,
    /// 3: an EFI driver or application.
    Efi,
    /// 0xff: what iPXE's BIOS image keeps behind it and unpacks itself.
    IpxePayload,
    /// Any other.
    Unknown(u8),
}

impl CodeType {
    /// From its number.
    #[must_use]
    pub fn from_id(id: u8) -> Self {
        match id {
            0 => Self::PcAt,
            1 => Self::OpenFirmware,
            2 => Self::PaRisc,
            3 => Self::Efi,
            0xff => Self::IpxePayload,
            other => Self::Unknown(other),
        }
    }

    /// Its number.
    #[must_use]
    pub fn id(self) -> u8 {
        match self {
            Self::PcAt => 0,
            Self::OpenFirmware => 1,
            Self::PaRisc => 2,
            Self::Efi => 3,
            Self::IpxePayload => 0xff,
            Self::Unknown(other) => other,
        }
    }

    /// A stable word.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::PcAt => "bios",
            Self::OpenFirmware => "open-firmware",
            Self::PaRisc => "pa-risc",
            Self::Efi => "efi",
            Self::IpxePayload => "payload",
            Self::Unknown(_) => "unknown",
        }
    }
}

impl fmt::Display for CodeType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::PcAt => f.write_str("BIOS (PC-AT)"),
            Self::OpenFirmware => f.write_str("Open Firmware"),
            Self::PaRisc => f.write_str("PA-RISC"),
            Self::Efi => f.write_str("EFI"),
            Self::IpxePayload => f.write_str("iPXE payload"),
            Self::Unknown(id) => write!(f, "unknown code type {id:#04x}"),
        }
    }
}
