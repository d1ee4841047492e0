//! IMAGE_INFO: what an FS3 image says of itself.
//!
//! | offset | size | content |
//! |---|---|---|
//! | 0 | 1 | major version of the section, 0 |
//! | 1 | 1 | minor version; names and descriptions with 2 and 3 only |
//! | 2 | 1 | 0x80 secure-fw, 0x40 signed-fw, 0x20 debug, 0x01 taken by the running firmware (MCC) |
//! | 4, 8, 0xa | 2 each | firmware version: major, minor, sub-minor |
//! | 0xc | 3 | second, minute, hour, BCD |
//! | 0x10 | 4 | year, month, day, BCD |
//! | 0x14, 0x18, 0x1a | 2 each | oldest tool that may burn it |
//! | 0x1c | 4 | PCI device and vendor id |
//! | 0x20 | 4 | PCI subsystem and subsystem vendor id |
//! | 0x24 | 16 | PSID |
//! | 0x36 | 2 | vendor id of the VSD |
//! | 0x38 | 208 | VSD |
//! | 0x108 | 4 | bit 31: runs from any place |
//! | 0x118 | 4 each | four hardware ids |
//! | 0x1c0 | 16 | product version, where firmware and ROM are released as one |
//! | 0x1d0 | 256 | description |
//! | 0x340 | 64 | part number |
//! | 0x380 | 128 | name of the .prs file; 96 bytes in minor version 2 |
//!
//! # Sources
//! mstflint 4.21, tools_layouts/image_layout_layouts.c
//! (`image_layout_image_info_pack`), tools_open_layouts.c
//! (`tools_open_image_info_pack`) and mlxfwops/lib/fs3_ops.cpp
//! (`Fs3Operations::GetImageInfo`).

use crate::image::{FirmwareVersion, ReleaseDate};

use super::fields::Fields;

/// Bytes of the section.
pub(super) const IMAGE_INFO_BYTES: usize = 0x400;
const HW_IDS: [usize; 4] = [0x118, 0x11c, 0x120, 0x124];

/// The section.
#[derive(Clone, Copy, Debug)]
pub struct ImageInfo<'a>(Fields<'a>);

impl<'a> ImageInfo<'a> {
    /// Looks at a section.
    #[must_use]
    pub fn new(section: &'a [u8]) -> Self {
        Self(Fields(section))
    }

    /// Whether the section has room for all of it.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.0.0.len() >= IMAGE_INFO_BYTES
    }

    /// Version of the section, major and minor.
    #[must_use]
    pub fn section_version(&self) -> (u8, u8) {
        (self.0.byte(0), self.0.byte(1))
    }

    /// Only for cards that insist on a signature.
    #[must_use]
    pub fn secure_fw(&self) -> bool {
        self.0.byte(2) & 0x80 != 0
    }

    /// Signed.
    #[must_use]
    pub fn signed_fw(&self) -> bool {
        self.0.byte(2) & 0x40 != 0
    }

    /// For debugging.
    #[must_use]
    pub fn debug_fw(&self) -> bool {
        self.0.byte(2) & 0x20 != 0
    }

    /// Taken by the running firmware instead of burned.
    #[must_use]
    pub fn mcc_en(&self) -> bool {
        self.0.byte(2) & 0x01 != 0
    }

    /// Whether the image runs from any place, and not only from 0 and 4 MiB.
    #[must_use]
    pub fn runs_from_any(&self) -> bool {
        self.0.dword(0x108) & 1 << 31 != 0
    }

    /// Version of the firmware; `None` when all of it is 0.
    #[must_use]
    pub fn version(&self) -> Option<FirmwareVersion> {
        let version = FirmwareVersion {
            major: self.0.word(4),
            minor: self.0.word(8),
            subminor: self.0.word(0xa),
        };
        (version != FirmwareVersion::default()).then_some(version)
    }

    /// When it was made; `None` when all of it is 0.
    #[must_use]
    pub fn release_date(&self) -> Option<ReleaseDate> {
        let [day, month] = [0x13, 0x12].map(|at| from_bcd(u16::from(self.0.byte(at))));
        let narrow = |number: u16| u8::try_from(number).unwrap_or(u8::MAX);
        (self.0.dword(0x10) != 0).then(|| ReleaseDate {
            year: from_bcd(self.0.word(0x10)),
            month: narrow(month),
            day: narrow(day),
        })
    }

    /// The oldest tool that may burn it.
    #[must_use]
    pub fn mic_version(&self) -> Option<String> {
        let parts = [0x14, 0x18, 0x1a].map(|at| self.0.word(at));
        let [major, minor, subminor] = parts;
        (parts != [0; 3]).then(|| format!("{major}.{minor}.{subminor}"))
    }

    /// PCI device id; `None` when it is 0.
    #[must_use]
    pub fn pci_device_id(&self) -> Option<u16> {
        Some(self.0.word(0x1c)).filter(|&id| id != 0)
    }

    /// PCI vendor id; `None` when it is 0.
    #[must_use]
    pub fn pci_vendor_id(&self) -> Option<u16> {
        Some(self.0.word(0x1e)).filter(|&id| id != 0)
    }

    /// The board.
    #[must_use]
    pub fn psid(&self) -> Option<String> {
        self.0.text(0x24, 16)
    }

    /// Vendor id of the VSD; `None` when it is 0.
    #[must_use]
    pub fn vsd_vendor_id(&self) -> Option<u16> {
        Some(self.0.word(0x36)).filter(|&id| id != 0)
    }

    /// Vendor-specific data.
    #[must_use]
    pub fn vsd(&self) -> Option<String> {
        self.0.text(0x38, 208)
    }

    /// Hardware ids, up to the first 0.
    #[must_use]
    pub fn hardware_ids(&self) -> Vec<u32> {
        HW_IDS
            .map(|at| self.0.dword(at))
            .into_iter()
            .take_while(|&id| id != 0)
            .collect()
    }

    /// The product version.
    #[must_use]
    pub fn product_version(&self) -> Option<String> {
        self.0.text(0x1c0, 16)
    }

    fn named(&self, at: usize, length: usize) -> Option<String> {
        let (_, minor) = self.section_version();
        matches!(minor, 2 | 3)
            .then(|| self.0.text(at, length))
            .flatten()
    }

    /// Part number.
    #[must_use]
    pub fn name(&self) -> Option<String> {
        self.named(0x340, 64)
    }

    /// Description.
    #[must_use]
    pub fn description(&self) -> Option<String> {
        self.named(0x1d0, 256)
    }

    /// Name of the .prs file.
    #[must_use]
    pub fn prs_name(&self) -> Option<String> {
        let (_, minor) = self.section_version();
        // The last byte is always taken for the end in version 3.
        self.named(0x380, if minor == 2 { 96 } else { 127 })
    }
}

/// The decimal digits of a number in BCD; a digit above 9 counts as it is.
fn from_bcd(number: u16) -> u16 {
    (0..4).rev().fold(0_u16, |sum, place| {
        sum.saturating_mul(10)
            .saturating_add(number >> (place * 4) & 0xf)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_where_mstflint_has_them() {
        let mut section = vec![0; IMAGE_INFO_BYTES];
        section[1..3].copy_from_slice(&[3, 0xc1]);
        section[4..12].copy_from_slice(&[0, 12, 0, 0, 0, 14, 7, 0xf4]);
        section[0x10..0x14].copy_from_slice(&[0x20, 0x16, 0x05, 0x31]);
        section[0x118..0x120].copy_from_slice(&[0, 0, 2, 9, 0, 1, 2, 9]);
        section[0x340..0x344].copy_from_slice(b"MCX4");
        let info = ImageInfo::new(&section);
        assert_eq!(info.section_version(), (0, 3));
        assert!(info.secure_fw() && info.signed_fw() && info.mcc_en() && !info.debug_fw());
        assert_eq!(info.version().unwrap().to_string(), "12.14.2036");
        assert_eq!(info.release_date().unwrap().to_string(), "2016-05-31");
        assert_eq!(info.hardware_ids(), [0x209, 0x1_0209]);
        assert_eq!(info.name().as_deref(), Some("MCX4"));
        section[1] = 1;
        assert_eq!(ImageInfo::new(&section).name(), None);
        assert_eq!(ImageInfo::new(&[]).version(), None);
    }
}
