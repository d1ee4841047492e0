//! What a firmware image says of itself, alike for every format: the answer to
//! "what is this", as `mstflint q full` gives it.

use super::VersionRecord;
use crate::hwdb::Chip;

/// What one firmware image says of itself. A field is `None`, or empty, where
/// the format has no such thing or the image does not carry it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FirmwareFacts {
    /// Which image of a flash dump this is: 0 or 1.
    pub slot: usize,
    /// Where it starts in the file, in bytes.
    pub offset: u64,
    /// Bytes that it takes from its start to the end of its last part.
    pub size: u64,
    /// Version, such as 2.42.5000 or 12.14.2036.
    pub version: Option<FirmwareVersion>,
    /// When it was made.
    pub release_date: Option<ReleaseDate>,
    /// The oldest version of mstflint that may handle it, `major.minor.sub`.
    pub mic_version: Option<String>,
    /// The product version, for images released as one with their ROM.
    pub product_version: Option<String>,
    /// Which board it is for (parameter-set id).
    pub psid: Option<String>,
    /// The PSID that the board had when it was made, where that differs.
    pub original_psid: Option<String>,
    /// Name of the product.
    pub name: Option<String>,
    /// Description of the product.
    pub description: Option<String>,
    /// Name of the .prs file that it was made from.
    pub prs_name: Option<String>,
    /// PCI device id that it gives the card.
    pub pci_device_id: Option<u16>,
    /// PCI vendor id that it gives the card.
    pub pci_vendor_id: Option<u16>,
    /// Hardware ids of the devices that it runs on, as `rev << 16 | id`.
    pub hardware_ids: Vec<u32>,
    /// Vendor-specific data, a text.
    pub vsd: Option<String>,
    /// PCI vendor id of whoever wrote the VSD.
    pub vsd_vendor_id: Option<u16>,
    /// GUIDs and MACs, in the format's order.
    pub addresses: Vec<AddressFact>,
    /// `secure-fw`, `signed-fw`, `debug`, ...: what it demands of a card.
    pub security: Vec<&'static str>,
    /// What it carries of signatures and marks, whether or not mstflint counts it
    /// as secure: `vendor-signature`, `sha-256-digest`, `secure-fw-bit`, ...
    pub signatures: Vec<&'static str>,
    /// The expansion ROM.
    pub rom: Option<RomFact>,
    /// All parts, in the order of the table that lists them.
    pub sections: Vec<SectionFact>,
}

impl FirmwareFacts {
    /// PCI device ids of the chips that it is for, and the one that it gives the
    /// card.
    #[must_use]
    pub fn pci_device_ids(&self) -> Vec<u16> {
        let chips = self.hardware_ids.iter().filter_map(|id| Chip::of(*id));
        let of_chips = chips.flat_map(|chip| chip.pci_devices);
        let mut ids: Vec<u16> = of_chips.chain(self.pci_device_id).collect();
        ids.sort_unstable();
        ids.dedup();
        ids
    }
}

/// Version of a firmware.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FirmwareVersion {
    /// Major version: which device.
    pub major: u16,
    /// Minor version.
    pub minor: u16,
    /// Sub-minor version.
    pub subminor: u16,
}

impl std::fmt::Display for FirmwareVersion {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // mstflint prints the last part with four digits at least.
        write!(f, "{}.{}.{:04}", self.major, self.minor, self.subminor)
    }
}

/// Date of a release; as stored, without a check that there is such a day.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ReleaseDate {
    /// Year.
    pub year: u16,
    /// Month, 1 to 12.
    pub month: u8,
    /// Day of the month.
    pub day: u8,
}

impl std::fmt::Display for ReleaseDate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:04}-{:02}-{:02}", self.year, self.month, self.day)
    }
}

/// Whether an address is an InfiniBand GUID or an Ethernet MAC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AddressKind {
    /// 64 bits.
    Guid,
    /// 48 bits.
    Mac,
}

/// One address, or a row of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AddressFact {
    /// Whose it is, as mstflint calls it: `node`, `port1`, `base`, ...
    pub role: &'static str,
    /// GUID or MAC.
    pub kind: AddressKind,
    /// The first address.
    pub first: u64,
    /// How many there are.
    pub count: u32,
    /// The distance between two of them.
    pub step: u32,
}

/// The expansion ROM of a firmware image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RomFact {
    /// First byte in the file; of a striped dump, the first byte of it.
    pub offset: u64,
    /// Number of bytes.
    pub length: u64,
    /// What its images say of themselves.
    pub records: Vec<VersionRecord>,
}

/// One part of an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SectionFact {
    /// Its name, as mstflint prints it.
    pub name: String,
    /// Its type number.
    pub type_id: u8,
    /// First byte of its contents in the file.
    pub offset: u64,
    /// Bytes of its contents.
    pub length: u64,
    /// The CRC that is stored for it; `None` where it has none.
    pub crc: Option<u16>,
    /// It belongs to the one card and not to the release.
    pub device_data: bool,
}
