//! What speaks against this image on this card.

use crate::hwdb::Chip;
use crate::image::{FirmwareFacts, FirmwareVersion, FlashSurvey};

use super::card_checks::is_secure;
use super::{CardFacts, Door, Objection, ObjectionKind};

/// What every new image must be: made for this chip.
pub(super) fn hardware_checks(card: &CardFacts<'_>, new: &FirmwareFacts) -> Vec<Objection> {
    let mut objections = Vec::new();
    objections.extend(hardware_id(card, new));
    objections.extend(pci_device(card, new));
    objections
}

/// What is asked of a firmware file.
pub(super) fn firmware_checks(
    card: &CardFacts<'_>,
    survey: &FlashSurvey,
    new: &FirmwareFacts,
) -> Vec<Objection> {
    let active = survey.active().and_then(|slot| slot.facts());
    let mut objections = Vec::new();
    objections.extend(secure(new));
    objections.extend(psid(card, active, new));
    objections.extend(version(card, active, new));
    objections.extend(signature(active, new));
    objections
}

/// The image lists the chip, with its revision.
fn hardware_id(card: &CardFacts<'_>, new: &FirmwareFacts) -> Option<Objection> {
    let own = u32::from(card.revision) << 16 | u32::from(card.hardware_id);
    let other = |found: String| {
        Objection::new(
            ObjectionKind::OtherHardware,
            format!("the image is not made for this {}", card.device.title),
        )
        .expected_found(hardware(own), found)
    };
    if new.hardware_ids.is_empty() {
        let chip = Chip::of(card.hardware_id.into());
        let by_device = chip
            .zip(new.pci_device_id)
            .is_some_and(|(chip, id)| chip.pci_devices.contains(&id));
        return (!by_device).then(|| other("nothing that says for which chip it is".to_owned()));
    }
    // Of the revision only these bits count.
    let listed = |&id: &u32| id & 0xff_ffff;
    if new.hardware_ids.iter().any(|id| listed(id) == own) {
        return None;
    }
    let ids: Vec<String> = new.hardware_ids.iter().map(|&id| hardware(id)).collect();
    Some(other(ids.join(", ")))
}

fn hardware(id: u32) -> String {
    let name = Chip::of(id).map_or_else(String::new, |chip| format!("{} ", chip.name));
    format!("{name}{:#06x} revision {}", id & 0xffff, id >> 16 & 0xff)
}

/// The PCI device id that the image gives the card is one of its chip.
fn pci_device(card: &CardFacts<'_>, new: &FirmwareFacts) -> Option<Objection> {
    let chip = Chip::of(card.hardware_id.into())?;
    let id = new.pci_device_id?;
    (!chip.pci_devices.contains(&id)).then(|| {
        let ids: Vec<String> = chip
            .pci_devices
            .iter()
            .map(|id| format!("{id:#06x}"))
            .collect();
        Objection::new(
            ObjectionKind::OtherDevice,
            "the image would make the card another PCI device",
        )
        .expected_found(ids.join(", "), format_args!("{id:#06x}"))
    })
}

fn secure(new: &FirmwareFacts) -> Option<Objection> {
    is_secure(new).then(|| {
        Objection::new(
            ObjectionKind::SecureFirmware,
            "the image is secure firmware: with it the card takes only firmware that its maker \
             signed, and there is no way back",
        )
    })
}

fn psid(
    card: &CardFacts<'_>,
    active: Option<&FirmwareFacts>,
    new: &FirmwareFacts,
) -> Option<Objection> {
    let own = active
        .and_then(|facts| facts.psid.as_deref())
        .or(card.psid.as_deref());
    if own.is_some() && own == new.psid.as_deref() {
        return None;
    }
    let spelled = |psid: Option<&str>| psid.unwrap_or("none").to_owned();
    Some(
        Objection::new(
            ObjectionKind::OtherPsid,
            match own {
                Some(_) => "the image is made for another board",
                None => "it is not known which board the card is",
            },
        )
        .expected_found(
            format_args!("PSID {}", spelled(own)),
            spelled(new.psid.as_deref()),
        )
        .door(Door::OtherPsid),
    )
}

fn version(
    card: &CardFacts<'_>,
    active: Option<&FirmwareFacts>,
    new: &FirmwareFacts,
) -> Option<Objection> {
    let own = active
        .and_then(|facts| facts.version)
        .max(card.running_version)?;
    let spelled = |version: Option<FirmwareVersion>| {
        version.map_or_else(|| "no version".to_owned(), |version| version.to_string())
    };
    (new.version < Some(own)).then(|| {
        Objection::new(
            ObjectionKind::Downgrade,
            "the image is older than the card's firmware",
        )
        .expected_found(format_args!("{own} or later"), spelled(new.version))
        .door(Door::Downgrade)
    })
}

fn signature(active: Option<&FirmwareFacts>, new: &FirmwareFacts) -> Option<Objection> {
    let signed = |facts: &FirmwareFacts| facts.signatures.contains(&"vendor-signature");
    (active.is_some_and(signed) && !signed(new)).then(|| {
        Objection::new(
            ObjectionKind::Unsigned,
            "the card's firmware is signed by its vendor, and the image is not",
        )
        .door(Door::Unsigned)
    })
}
