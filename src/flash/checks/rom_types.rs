//! For which firmware of a host the images of an expansion ROM are.
//!
//! | type | image with | or a version record of |
//! |---|---|---|
//! | BIOS | code type 0 | PXE |
//! | UEFI x86 | code type 3, PE machine 0x8664 or 0x14c | UEFI for AMD64 or IA32 |
//! | UEFI Arm | code type 3, PE machine 0xaa64 | UEFI for AARCH64 |
//! | CLP | | CLP |
//!
//! # Sources
//! PCI Firmware Specification 3.0, 5.1.2 (code types); UEFI Specification 2.8,
//! 14.4.2 (EFI images in a PCI expansion ROM); mstflint 4.21,
//! mlxfwops/lib/fw_ops.cpp (`expRomType2Str`).

use std::collections::BTreeSet;

use crate::image::option_rom::CodeType;
use crate::image::{CpuArchitecture, OptionRom, RomProduct, version_records};

/// Which firmware of a host runs an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RomType {
    /// A BIOS.
    Bios,
    /// UEFI on x86.
    UefiX86,
    /// UEFI on Arm.
    UefiArm,
    /// UEFI on another machine, or it is not said on which.
    UefiOther,
    /// The command line protocol of servers.
    Clp,
}

const X86: [u16; 2] = [0x8664, 0x014c];
const ARM: [u16; 1] = [0xaa64];

impl RomType {
    /// The types of the images in a ROM, by their headers and version records.
    #[must_use]
    pub fn of(rom: &[u8]) -> BTreeSet<Self> {
        let mut types = BTreeSet::new();
        let tree = OptionRom::parse(rom).tree;
        for image in tree.iter().flat_map(|tree| &tree.images) {
            match image.code_type() {
                CodeType::PcAt => {
                    types.insert(Self::Bios);
                }
                CodeType::Efi => {
                    let machine = image.efi_header().map(|header| header.machine);
                    types.insert(match machine {
                        Some(machine) if X86.contains(&machine) => Self::UefiX86,
                        Some(machine) if ARM.contains(&machine) => Self::UefiArm,
                        _ => Self::UefiOther,
                    });
                }
                _ => {}
            }
        }
        for record in version_records(rom).flatten() {
            let of_record: &[Self] = match (record.product, record.cpu) {
                (RomProduct::Pxe, _) => &[Self::Bios],
                (RomProduct::Clp, _) => &[Self::Clp],
                (RomProduct::Uefi, CpuArchitecture::Amd64 | CpuArchitecture::Ia32) => {
                    &[Self::UefiX86]
                }
                (RomProduct::Uefi, CpuArchitecture::Aarch64) => &[Self::UefiArm],
                (RomProduct::Uefi, CpuArchitecture::Amd64AndAarch64) => {
                    &[Self::UefiX86, Self::UefiArm]
                }
                _ => &[],
            };
            types.extend(of_record);
        }
        types
    }

    /// What people call it.
    #[must_use]
    pub fn title(self) -> &'static str {
        match self {
            Self::Bios => "BIOS",
            Self::UefiX86 => "UEFI x86",
            Self::UefiArm => "UEFI Arm",
            Self::UefiOther => "UEFI",
            Self::Clp => "CLP",
        }
    }
}
