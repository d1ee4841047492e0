//! The first bytes of an image of an expansion ROM.
//!
//! | offset | size | all | code type 0 (BIOS) | code type 3 (EFI) |
//! |---|---|---|---|---|
//! | 0 | 2 | 55 AA | | |
//! | 2 | 1 | size in blocks of 512 bytes | | 2 bytes |
//! | 3 | 3 | | entry point: a jump | |
//! | 4 | 4 | | | 0x00000ef1 |
//! | 6 | 1 | | iPXE, SeaBIOS: makes the sum 0 | |
//! | 8 | 2 | | | subsystem |
//! | 0xa | 2 | | | machine |
//! | 0xc | 2 | | | compression: 0 none, 1 UEFI |
//! | 0x10 | 2 | | iPXE: offset of its header | |
//! | 0x14 | 2 | | IBM: offset of the BOFM header | |
//! | 0x16 | 2 | | PXE: offset of the UNDI ROM id | offset of the EFI image |
//! | 0x18 | 2 | offset of PCIR | | |
//! | 0x1a | 2 | | offset of the first `$PnP` header | |
//!
//! What is left out has no meaning of its own; its bytes are kept. All numbers
//! are little-endian.
//!
//! # Sources
//! PCI Firmware Specification 3.0, sections 5.1.1 and 5.1.2; UEFI Specification
//! 2.10, section 14.4.2 (PCI option ROMs); PXE 2.1, section 3.1 (UNDI ROM id);
//! Plug and Play BIOS Specification 1.0a, section 3; iPXE, src/util/Option/ROM.pm.

use binrw::{BinRead, BinWrite};

use super::codec::{decode, encode};

/// Signature of every image.
pub(super) const SIGNATURE: [u8; 2] = [0x55, 0xaa];
/// Signature in the header of an EFI image.
pub(super) const EFI_SIGNATURE: u32 = 0x0ef1;
/// Bytes of the header without the pointer to `$PnP`.
pub(super) const HEADER_BYTES: usize = 0x1a;
pub(super) const CHECKSUM_BYTE: usize = 6;
pub(super) const PCIR_POINTER: usize = 0x18;
pub(super) const PNP_POINTER: usize = 0x1a;

/// Header of an image for a BIOS.
#[derive(BinRead, BinWrite, Clone, Copy, Debug, PartialEq, Eq)]
#[brw(little, magic = b"\x55\xaa")]
pub struct PcHeader {
    /// Blocks of 512 bytes that the BIOS copies and sums up.
    pub size_blocks: u8,
    /// Where it calls into the image: a jump as a rule.
    pub entry: [u8; 3],
    /// What makes the sum 0 in ROMs of iPXE and SeaBIOS.
    pub checksum: u8,
    /// Not defined.
    pub reserved7: [u8; 9],
    /// Offset of the iPXE header, where there is one.
    pub ipxe: u16,
    /// Not defined.
    pub reserved12: u16,
    /// Offset of IBM's BOFM header.
    pub bofm: u16,
    /// Offset of the UNDI ROM id, where there is one.
    pub undi: u16,
    /// Offset of PCIR; 0 in a ROM of an ISA card.
    pub pcir: u16,
}

/// Header of an image for EFI.
#[derive(BinRead, BinWrite, Clone, Copy, Debug, PartialEq, Eq)]
#[brw(little, magic = b"\x55\xaa")]
pub struct EfiHeader {
    /// Blocks of 512 bytes.
    pub size_blocks: u16,
    /// 0x0ef1.
    pub signature: u32,
    /// Subsystem of the PE image: 0xb boot service driver, 0xc runtime driver,
    /// 0xa application.
    pub subsystem: u16,
    /// Machine of the PE image, such as 0x8664.
    pub machine: u16,
    /// 0 not compressed, 1 UEFI compression.
    pub compression: u16,
    /// Not defined.
    pub reserved: [u8; 8],
    /// Offset of the EFI image.
    pub image: u16,
    /// Offset of PCIR.
    pub pcir: u16,
}

/// Header of any other image.
#[derive(BinRead, BinWrite, Clone, Copy, Debug, PartialEq, Eq)]
#[brw(little, magic = b"\x55\xaa")]
pub struct OtherHeader {
    /// Blocks of 512 bytes.
    pub size_blocks: u8,
    /// For the processor or firmware that it is for.
    pub data: [u8; 21],
    /// Offset of PCIR.
    pub pcir: u16,
}

/// Header of an image; which one depends on the code type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RomHeader {
    /// Code type 0, or no PCIR.
    Pc(PcHeader),
    /// Code type 3 with the EFI signature.
    Efi(EfiHeader),
    /// Any other.
    Other(OtherHeader),
}

impl RomHeader {
    pub(super) fn pc(image: &[u8]) -> Option<Self> {
        decode(image, 0).map(Self::Pc)
    }

    pub(super) fn efi(image: &[u8]) -> Option<Self> {
        decode(image, 0)
            .filter(|header: &EfiHeader| header.signature == EFI_SIGNATURE)
            .map(Self::Efi)
    }

    pub(super) fn other(image: &[u8]) -> Option<Self> {
        decode(image, 0).map(Self::Other)
    }

    /// Its bytes.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        match self {
            Self::Pc(header) => encode(header),
            Self::Efi(header) => encode(header),
            Self::Other(header) => encode(header),
        }
    }

    /// Size in bytes, as the header says it; PCIR may say another.
    #[must_use]
    pub fn size_bytes(&self) -> usize {
        let blocks = match self {
            Self::Pc(header) => u16::from(header.size_blocks),
            Self::Efi(header) => header.size_blocks,
            Self::Other(header) => u16::from(header.size_blocks),
        };
        usize::from(blocks) * super::rom_image::BLOCK_BYTES
    }
}

impl EfiHeader {
    /// The processor that the image is for, as its PE header would say it.
    #[must_use]
    pub fn machine_name(&self) -> Option<&'static str> {
        Some(match self.machine {
            0x014c => "IA32",
            0x0200 => "Itanium",
            0x0ebc => "EFI byte code",
            0x01c2 => "ARM",
            0x8664 => "x86-64",
            0xaa64 => "AArch64",
            0x5032 => "RISC-V 32",
            0x5064 => "RISC-V 64",
            0x6264 => "LoongArch64",
            _ => return None,
        })
    }

    /// What kind of EFI program it is.
    #[must_use]
    pub fn subsystem_name(&self) -> Option<&'static str> {
        Some(match self.subsystem {
            0xa => "application",
            0xb => "boot service driver",
            0xc => "runtime driver",
            _ => return None,
        })
    }
}
