//! What the sections of an FS3 image are.
//!
//! # Sources
//! mstflint 4.21, mlxfwops/lib/flint_base.h (`fs3_section_t`) and fs3_ops.cpp
//! (`_fs3SectionsInfoArr`).

/// Type of a section, the first byte of its ITOC entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SectionType(pub u8);

impl SectionType {
    /// Code that brings up PCI Express.
    pub const PCI_CODE: Self = Self(0x02);
    /// Most of the firmware.
    pub const MAIN_CODE: Self = Self(0x03);
    /// Version, PSID, devices, names.
    pub const IMAGE_INFO: Self = Self(0x10);
    /// The expansion ROM.
    pub const ROM_CODE: Self = Self(0x18);
    /// The text that the image was made from, compressed.
    pub const DBG_FW_INI: Self = Self(0x30);
    /// Digest or signature made with SHA-256.
    pub const IMAGE_SIGNATURE_256: Self = Self(0xa0);
    /// Keys of 2048 bits.
    pub const PUBLIC_KEYS_2048: Self = Self(0xa1);
    /// Signature made with SHA-512.
    pub const IMAGE_SIGNATURE_512: Self = Self(0xa3);
    /// Keys of 4096 bits.
    pub const PUBLIC_KEYS_4096: Self = Self(0xa4);
    /// PSID and addresses that the card was made with.
    pub const MFG_INFO: Self = Self(0xe0);
    /// Addresses that the card uses.
    pub const DEV_INFO: Self = Self(0xe1);
    /// The end of the ITOC.
    pub const END: Self = Self(0xff);

    /// The name of `fs3_section_t` without its prefix; `None` when it is not known.
    #[must_use]
    pub fn name(self) -> Option<&'static str> {
        TYPES
            .binary_search_by_key(&self.0, |(id, _)| *id)
            .ok()
            .and_then(|at| TYPES.get(at))
            .map(|(_, name)| *name)
    }

    /// The name as mstflint prints it, which is not always unique.
    #[must_use]
    pub fn printed_name(self) -> String {
        match (self.0, self.name()) {
            (0xe2 | 0xe4 | 0xe6, _) => "NV_DATA".to_owned(),
            (0xeb | 0xec, _) => "PROGRAMMABLE_HW_FW".to_owned(),
            (_, Some(name)) => name.to_owned(),
            (id, None) => format!("UNKNOWN:{id:#x}"),
        }
    }

    /// The type with that name.
    #[must_use]
    pub fn by_name(name: &str) -> Option<Self> {
        TYPES
            .iter()
            .find(|(_, known)| *known == name)
            .map(|(id, _)| Self(*id))
    }

    /// What it is called in paths: its name, or its number.
    pub(super) fn spelled(self) -> String {
        self.name()
            .map_or_else(|| format!("{:#04x}", self.0), str::to_owned)
    }
}

/// In the order of their numbers.
const TYPES: [(u8, &str); 64] = [
    (0x01, "BOOT_CODE"),
    (0x02, "PCI_CODE"),
    (0x03, "MAIN_CODE"),
    (0x04, "PCIE_LINK_CODE"),
    (0x05, "IRON_PREP_CODE"),
    (0x06, "POST_IRON_BOOT_CODE"),
    (0x07, "UPGRADE_CODE"),
    (0x08, "HW_BOOT_CFG"),
    (0x09, "HW_MAIN_CFG"),
    (0x0a, "PHY_UC_CODE"),
    (0x0b, "PHY_UC_CONSTS"),
    (0x0c, "PCIE_PHY_UC_CODE"),
    (0x0d, "CCIR_INFRA_CODE"),
    (0x0e, "CCIR_ALGO_CODE"),
    (0x0f, "BOOT3_CODE"),
    (0x10, "IMAGE_INFO"),
    (0x11, "FW_BOOT_CFG"),
    (0x12, "FW_MAIN_CFG"),
    (0x14, "APU_KERNEL"),
    (0x15, "APU_APPS"),
    (0x18, "ROM_CODE"),
    (0x20, "RESET_INFO"),
    (0x30, "DBG_FW_INI"),
    (0x32, "DBG_FW_PARAMS"),
    (0x33, "FW_ADB"),
    (0x34, "GB_FW_CODE"),
    (0x35, "TILE_FW_CODE"),
    (0x36, "FW_TILE_INI"),
    (0x37, "HW_TILE_INI"),
    (0xa0, "IMAGE_SIGNATURE_256"),
    (0xa1, "PUBLIC_KEYS_2048"),
    (0xa2, "FORBIDDEN_VERSIONS"),
    (0xa3, "IMAGE_SIGNATURE_512"),
    (0xa4, "PUBLIC_KEYS_4096"),
    (0xa5, "HMAC_DIGEST"),
    (0xa6, "RSA_PUBLIC_KEY"),
    (0xa7, "RSA_4096_SIGNATURES"),
    (0xb0, "EXCLKSYNC_INFO"),
    (0xe0, "MFG_INFO"),
    (0xe1, "DEV_INFO"),
    (0xe2, "NV_DATA1"),
    (0xe3, "VPD_R0"),
    (0xe4, "NV_DATA2"),
    (0xe5, "FW_NV_LOG"),
    (0xe6, "NV_DATA0"),
    (0xe7, "DEV_INFO1"),
    (0xe8, "DEV_INFO2"),
    (0xe9, "CRDUMP_MASK_DATA"),
    (0xea, "FW_INTERNAL_USAGE"),
    (0xeb, "PROGRAMMABLE_HW_FW1"),
    (0xec, "PROGRAMMABLE_HW_FW2"),
    (0xed, "DIGITAL_CERT_PTR"),
    (0xee, "DIGITAL_CERT_RW"),
    (0xef, "LC_INI1_TABLE"),
    (0xf0, "LC_INI2_TABLE"),
    (0xf1, "LC_INI_NV_DATA"),
    (0xf2, "CERT_CHAIN_0"),
    (0xf3, "DIGITAL_CACERT_RW"),
    (0xfa, "HASHES_TABLE"),
    (0xfb, "HW_POINTERS"),
    (0xfc, "TOOLS_AREA"),
    (0xfd, "ITOC_HEADER"),
    (0xfe, "DTOC_HEADER"),
    (0xff, "END"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_sorted_and_names_lead_back() {
        assert!(TYPES.is_sorted_by(|a, b| a.0 < b.0));
        for (id, name) in TYPES {
            assert_eq!(SectionType(id).name(), Some(name));
            assert_eq!(SectionType::by_name(name), Some(SectionType(id)));
        }
    }

    #[test]
    fn unknown_ones_are_called_by_number() {
        assert_eq!(SectionType(0x7b).name(), None);
        assert_eq!(SectionType(0x7b).printed_name(), "UNKNOWN:0x7b");
        assert_eq!(SectionType(0x7b).spelled(), "0x7b");
        assert_eq!(SectionType(0xe6).printed_name(), "NV_DATA");
    }
}
