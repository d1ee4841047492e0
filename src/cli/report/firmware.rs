//! A firmware image in JSON.

use serde::Serialize;

use crate::hwdb::Chip;
use crate::image::{AddressFact, AddressKind, FirmwareFacts, RomFact, SectionFact};

use super::rom::VersionRecordReport;

/// What one image says of itself. Null, or an empty list, is what the format or
/// the image does not have.
#[derive(Debug, Serialize)]
pub(in crate::cli) struct FirmwareReport {
    slot: usize,
    offset: u64,
    size: u64,
    version: Option<String>,
    /// Year, month and day.
    release_date: Option<String>,
    mic_version: Option<String>,
    product_version: Option<String>,
    psid: Option<String>,
    original_psid: Option<String>,
    name: Option<String>,
    description: Option<String>,
    prs_name: Option<String>,
    /// As in `15b3:1013`.
    pci_id: Option<String>,
    hardware_ids: Vec<HardwareReport>,
    vsd: Option<String>,
    addresses: Vec<AddressReport>,
    /// As mstflint counts it.
    security: Vec<&'static str>,
    /// Signatures and marks that are there.
    signatures: Vec<&'static str>,
    rom: Option<RomFactReport>,
    sections: Vec<SectionReport>,
}

#[derive(Debug, Serialize)]
struct HardwareReport {
    id: String,
    revision: u16,
    chip: Option<String>,
}

#[derive(Debug, Serialize)]
struct AddressReport {
    role: &'static str,
    /// `guid` or `mac`.
    kind: &'static str,
    first: String,
    count: u32,
    step: u32,
}

#[derive(Debug, Serialize)]
struct RomFactReport {
    offset: u64,
    length: u64,
    version_records: Vec<VersionRecordReport>,
}

#[derive(Debug, Serialize)]
struct SectionReport {
    name: String,
    #[serde(rename = "type")]
    type_id: u8,
    offset: u64,
    length: u64,
    crc: Option<String>,
    device_data: bool,
}

/// An address as it is written: MACs with twelve digits, GUIDs with sixteen.
pub(in crate::cli) fn address_text(address: &AddressFact) -> String {
    match address.kind {
        AddressKind::Guid => format!("{:016x}", address.first),
        AddressKind::Mac => format!("{:012x}", address.first),
    }
}

/// Vendor and device, as in `15b3:1013`.
pub(in crate::cli) fn pci_id_of(facts: &FirmwareFacts) -> Option<String> {
    const MELLANOX: u16 = 0x15b3;
    facts.pci_device_id.map(|device| {
        let vendor = facts.pci_vendor_id.unwrap_or(MELLANOX);
        format!("{vendor:04x}:{device:04x}")
    })
}

impl From<&FirmwareFacts> for FirmwareReport {
    fn from(facts: &FirmwareFacts) -> Self {
        Self {
            slot: facts.slot,
            offset: facts.offset,
            size: facts.size,
            version: facts.version.map(|version| version.to_string()),
            release_date: facts.release_date.map(|date| date.to_string()),
            mic_version: facts.mic_version.clone(),
            product_version: facts.product_version.clone(),
            psid: facts.psid.clone(),
            original_psid: facts.original_psid.clone(),
            name: facts.name.clone(),
            description: facts.description.clone(),
            prs_name: facts.prs_name.clone(),
            pci_id: pci_id_of(facts),
            hardware_ids: facts.hardware_ids.iter().map(hardware).collect(),
            vsd: facts.vsd.clone(),
            addresses: facts.addresses.iter().map(AddressReport::from).collect(),
            security: facts.security.clone(),
            signatures: facts.signatures.clone(),
            rom: facts.rom.as_ref().map(RomFactReport::from),
            sections: facts.sections.iter().map(SectionReport::from).collect(),
        }
    }
}

#[allow(clippy::cast_possible_truncation)]
fn hardware(id: &u32) -> HardwareReport {
    HardwareReport {
        id: format!("{:#06x}", id & 0xffff),
        revision: (id >> 16) as u16,
        chip: Chip::of(*id).map(|chip| chip.name),
    }
}

impl From<&AddressFact> for AddressReport {
    fn from(address: &AddressFact) -> Self {
        Self {
            role: address.role,
            kind: match address.kind {
                AddressKind::Guid => "guid",
                AddressKind::Mac => "mac",
            },
            first: address_text(address),
            count: address.count,
            step: address.step,
        }
    }
}

impl From<&RomFact> for RomFactReport {
    fn from(rom: &RomFact) -> Self {
        Self {
            offset: rom.offset,
            length: rom.length,
            version_records: rom
                .records
                .iter()
                .map(|record| VersionRecordReport::new(None, record))
                .collect(),
        }
    }
}

impl From<&SectionFact> for SectionReport {
    fn from(section: &SectionFact) -> Self {
        Self {
            name: section.name.clone(),
            type_id: section.type_id,
            offset: section.offset,
            length: section.length,
            crc: section.crc.map(|crc| format!("{crc:#06x}")),
            device_data: section.device_data,
        }
    }
}
