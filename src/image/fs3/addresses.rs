//! MFG_INFO and DEV_INFO: the addresses of the one card, and who it was made as.
//!
//! | offset | MFG_INFO (0x140 bytes) |
//! |---|---|
//! | 0 | PSID, 16 bytes |
//! | 0x1c | major version: 0 addresses per port, 1 base addresses |
//! | 0x1d | minor version |
//! | 0x1f | bit 0: may be overridden by DEV_INFO |
//! | 0x20 | addresses |
//! | 0x60 | name of the .prs file, 96 bytes (minor version 1) |
//!
//! | offset | DEV_INFO (0x200 bytes) |
//! |---|---|
//! | 0 | signature 6D446576 496E666F 2342CAFA BACAFE00 |
//! | 0x11 | major version, 9 bits: 1 addresses per port, 2 base addresses |
//! | 0x13 | minor version |
//! | 0x20 | addresses |
//! | 0x6e | vendor id of the VSD |
//! | 0x70 | VSD, 208 bytes |
//!
//! Addresses are 16 bytes each: a zero byte, high byte of the count, step,
//! count, a zero dword, the first address. There are one GUID and one MAC in the
//! new form, two GUIDs and two MACs, a pair for each port, in the old one.
//!
//! # Sources
//! mstflint 4.21, tools_layouts/cibfw_layouts.c and cx4fw_layouts.c
//! (`*_mfg_info_pack`, `*_device_info_pack`, `*_uid_entry_pack`),
//! tools_open_layouts.c (`tools_open_mfg_info_pack`), mlxfwops/lib/fs3_ops.cpp
//! (`Fs3Operations::GetMfgInfo`, `Fs3Operations::GetDevInfo`); the high byte of
//! the count is from newer mstflint.

use crate::image::{AddressFact, AddressKind};

use super::fields::Fields;

/// Signature of DEV_INFO.
pub(super) const DEV_INFO_SIGNATURE: [u32; 4] =
    [0x6d44_6576, 0x496e_666f, 0x2342_cafa, 0xbaca_fe00];
const ADDRESSES: usize = 0x20;
const ADDRESS_BYTES: usize = 0x10;

/// How addresses are given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AddressForm {
    /// A GUID and a MAC for each of two ports.
    PerPort,
    /// The first GUID and the first MAC.
    Base,
}

/// The section MFG_INFO.
#[derive(Clone, Copy, Debug)]
pub struct MfgInfo<'a>(Fields<'a>);

/// The section DEV_INFO.
#[derive(Clone, Copy, Debug)]
pub struct DevInfo<'a>(Fields<'a>);

impl<'a> MfgInfo<'a> {
    /// Looks at a section.
    #[must_use]
    pub fn new(section: &'a [u8]) -> Self {
        Self(Fields(section))
    }

    /// Version of the section, major and minor.
    #[must_use]
    pub fn section_version(&self) -> (u8, u8) {
        (self.0.byte(0x1c), self.0.byte(0x1d))
    }

    /// How its addresses are given; `None` when the version is not known.
    #[must_use]
    pub fn form(&self) -> Option<AddressForm> {
        match self.section_version() {
            (0, _) => Some(AddressForm::PerPort),
            (1, _) => Some(AddressForm::Base),
            _ => None,
        }
    }

    /// The board that it was made as.
    #[must_use]
    pub fn psid(&self) -> Option<String> {
        self.0.text(0, 16)
    }

    /// The addresses that it was made with.
    #[must_use]
    pub fn addresses(&self) -> Vec<AddressFact> {
        addresses(self.0, self.form())
    }
}

impl<'a> DevInfo<'a> {
    /// Looks at a section.
    #[must_use]
    pub fn new(section: &'a [u8]) -> Self {
        Self(Fields(section))
    }

    /// Whether the signature is right.
    #[must_use]
    pub fn is_valid(&self) -> bool {
        [0, 4, 8, 12].map(|at| self.0.dword(at)) == DEV_INFO_SIGNATURE
    }

    /// Version of the section, major and minor.
    #[must_use]
    pub fn section_version(&self) -> (u16, u8) {
        (self.0.word(0x11) & 0x1ff, self.0.byte(0x13))
    }

    /// How its addresses are given; `None` when the version is not known.
    #[must_use]
    pub fn form(&self) -> Option<AddressForm> {
        match self.section_version() {
            (1, _) => Some(AddressForm::PerPort),
            (2, _) => Some(AddressForm::Base),
            _ => None,
        }
    }

    /// The addresses that the card uses.
    #[must_use]
    pub fn addresses(&self) -> Vec<AddressFact> {
        addresses(self.0, self.form())
    }

    /// Vendor id of the VSD; `None` when it is 0.
    #[must_use]
    pub fn vsd_vendor_id(&self) -> Option<u16> {
        Some(self.0.word(0x6e)).filter(|&id| id != 0)
    }

    /// Vendor-specific data.
    #[must_use]
    pub fn vsd(&self) -> Option<String> {
        self.0.text(0x70, 208)
    }
}

fn addresses(fields: Fields<'_>, form: Option<AddressForm>) -> Vec<AddressFact> {
    use AddressKind::{Guid, Mac};
    let rows: &[(&'static str, AddressKind)] = match form {
        None => &[],
        Some(AddressForm::Base) => &[("base", Guid), ("base", Mac)],
        Some(AddressForm::PerPort) => &[
            ("port1", Guid),
            ("port2", Guid),
            ("port1", Mac),
            ("port2", Mac),
        ],
    };
    rows.iter()
        .enumerate()
        .map(|(row, &(role, kind))| {
            let at = ADDRESSES + row * ADDRESS_BYTES;
            AddressFact {
                role,
                kind,
                first: fields.qword(at + 8),
                count: u32::from(fields.byte(at + 1)) << 8 | u32::from(fields.byte(at + 3)),
                step: fields.byte(at + 2).into(),
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_are_read() {
        let mut section = vec![0; 0x140];
        section[0x1c] = 1;
        section[0x22..0x24].copy_from_slice(&[2, 8]);
        section[0x28..0x30].copy_from_slice(&0x7cfe_9003_0011_2233_u64.to_be_bytes());
        section[0x38..0x40].copy_from_slice(&0x7cfe_9011_2233_u64.to_be_bytes());
        let base = MfgInfo::new(&section).addresses();
        assert_eq!(base.len(), 2);
        assert_eq!((base[0].count, base[0].step), (8, 2));
        assert_eq!(
            (base[1].kind, base[1].first),
            (AddressKind::Mac, 0x7cfe_9011_2233)
        );
        section[0x1c] = 0;
        let ports = MfgInfo::new(&section).addresses();
        assert_eq!(
            ports.iter().map(|fact| fact.role).collect::<Vec<_>>(),
            ["port1", "port2", "port1", "port2"]
        );
        section[0x1c] = 9;
        assert_eq!(MfgInfo::new(&section).addresses(), []);
    }
}
