//! What an FS3 image says of itself, as `mstflint q full` tells it.

use crate::image::{FirmwareFacts, RomFact, SectionFact, version_records};

use super::addresses::{DevInfo, MfgInfo};
use super::signature::is_development_key;
use super::{Fs3File, Fs3Image, SectionType, Signature};

/// How much of the PSIDs mstflint compares.
const COMPARED: usize = 13;

impl Fs3File<'_> {
    /// What the image in a slot says of itself; nothing when there is none.
    #[must_use]
    pub fn facts(&self, slot: usize) -> FirmwareFacts {
        self.image(slot).map_or_else(
            || FirmwareFacts {
                slot,
                ..FirmwareFacts::default()
            },
            Fs3Image::facts,
        )
    }
}

impl Fs3Image<'_> {
    /// What the image says of itself.
    #[must_use]
    pub fn facts(&self) -> FirmwareFacts {
        facts(self)
    }
}

fn facts(image: &Fs3Image<'_>) -> FirmwareFacts {
    let mut facts = FirmwareFacts {
        slot: image.slot,
        offset: image.start as u64,
        size: image.size(),
        security: security(image),
        signatures: signatures(image),
        rom: rom(image),
        sections: sections(image),
        ..FirmwareFacts::default()
    };
    if let Some(info) = image.info() {
        facts.version = info.version();
        facts.release_date = info.release_date();
        facts.mic_version = info.mic_version();
        facts.product_version = info.product_version();
        facts.psid = info.psid();
        facts.name = info.name();
        facts.description = info.description();
        facts.prs_name = info.prs_name();
        facts.pci_device_id = info.pci_device_id();
        facts.pci_vendor_id = info.pci_vendor_id();
        facts.hardware_ids = info.hardware_ids();
        facts.vsd = info.vsd();
        facts.vsd_vendor_id = info.vsd_vendor_id();
    }
    if let Some(made) = image.contents(SectionType::MFG_INFO).map(MfgInfo::new) {
        facts.original_psid = made
            .psid()
            .filter(|psid| !same_psid(facts.psid.as_deref(), psid));
        facts.addresses = made.addresses();
    }
    if let Some(used) = image.contents(SectionType::DEV_INFO).map(DevInfo::new) {
        if used.form().is_some() {
            facts.addresses = used.addresses();
        }
        if facts.vsd.is_none() {
            facts.vsd = used.vsd();
            facts.vsd_vendor_id = used.vsd_vendor_id();
        }
    }
    facts
}

fn same_psid(psid: Option<&str>, original: &str) -> bool {
    let compared = |psid: &str| psid.bytes().take(COMPARED).collect::<Vec<_>>();
    psid.is_some_and(|psid| compared(psid) == compared(original))
}

/// mstflint says nothing of it unless the image has a signature and keys, and is
/// taken by the running firmware.
fn security(image: &Fs3Image<'_>) -> Vec<&'static str> {
    let Some(info) = image.info() else {
        return Vec::new();
    };
    let has = |section_type| image.section(section_type).is_some();
    let signatures = [
        SectionType::IMAGE_SIGNATURE_256,
        SectionType::IMAGE_SIGNATURE_512,
    ];
    let signed = signatures.into_iter().any(has);
    let keys = has(SectionType::PUBLIC_KEYS_2048) || has(SectionType::PUBLIC_KEYS_4096);
    if !(signed && keys && info.mcc_en()) {
        return Vec::new();
    }
    let mut security = Vec::new();
    if info.secure_fw() {
        security.push("secure-fw");
    } else if info.signed_fw() {
        security.push("signed-fw");
    } else {
        return security;
    }
    if info.debug_fw() {
        security.push("debug");
    }
    let mut sections = signatures
        .into_iter()
        .filter_map(|kind| image.contents(kind));
    if sections.any(is_development_key) {
        security.push("dev");
    }
    security
}

/// What there is of signatures and marks.
fn signatures(image: &Fs3Image<'_>) -> Vec<&'static str> {
    let states = [
        image
            .contents(SectionType::IMAGE_SIGNATURE_256)
            .map(Signature::of_256),
        image
            .contents(SectionType::IMAGE_SIGNATURE_512)
            .map(Signature::of_512),
    ];
    let mut found: Vec<&'static str> = states
        .into_iter()
        .flatten()
        .filter_map(|state| match state {
            Signature::Blank => None,
            Signature::Digest(_) => Some("sha-256-digest"),
            Signature::Vendor => Some("vendor-signature"),
        })
        .collect();
    found.dedup();
    if let Some(info) = image.info() {
        let marks = [
            (info.secure_fw(), "secure-fw-bit"),
            (info.signed_fw(), "signed-fw-bit"),
            (info.debug_fw(), "debug-bit"),
        ];
        found.extend(marks.iter().filter(|(set, _)| *set).map(|(_, name)| *name));
    }
    found
}

fn rom(image: &Fs3Image<'_>) -> Option<RomFact> {
    let section = image.section(SectionType::ROM_CODE)?;
    let bytes = section.bytes.filter(|bytes| !bytes.is_empty())?;
    Some(RomFact {
        offset: section.offset,
        length: bytes.len() as u64,
        records: version_records(bytes).flatten().collect(),
    })
}

fn sections(image: &Fs3Image<'_>) -> Vec<SectionFact> {
    image
        .sections
        .iter()
        .map(|section| SectionFact {
            name: section.section_type().printed_name(),
            type_id: section.section_type().0,
            offset: section.offset,
            length: section.entry.size().into(),
            crc: (!section.entry.no_crc()).then(|| section.entry.section_crc()),
            device_data: section.entry.device_data(),
        })
        .collect()
}
