//! What speaks against burning this card at all.

use crate::hwdb::{FlashChip, TestedState};
use crate::image::{FirmwareFacts, FlashSurvey, Severity, SlotState};

use super::{CardFacts, ChipFacts, Door, Objection, ObjectionKind};

/// Drivers that give the card to somebody else, who may reset it at any time.
const OF_GUESTS: [&str; 4] = ["vfio-pci", "pci-stub", "xen-pciback", "uio_pci_generic"];

pub(super) fn card_checks(card: &CardFacts<'_>, survey: &FlashSurvey) -> Vec<Objection> {
    let mut objections = Vec::new();
    objections.extend(chip(card, survey));
    objections.extend(card.protection.as_ref().map(|parts| {
        Objection::new(
            ObjectionKind::ProtectedFlash,
            format!("the flash chip is write protected: {parts}"),
        )
        .expected_found("no protection", parts)
    }));
    objections.extend(secure(card, survey));
    objections.extend(driver(card));
    objections.extend(untested(card));
    objections.extend(hardware(card));
    objections.extend(health(survey));
    objections
}

fn chip(card: &CardFacts<'_>, survey: &FlashSurvey) -> Option<Objection> {
    match &card.chip {
        ChipFacts::Unknown {
            jedec: [maker, kind, density],
        } => Some(Objection::new(
            ObjectionKind::UnknownChip,
            format!(
                "nothing is known of a flash chip with JEDEC id {maker:02x} {kind:02x} {density:02x}"
            ),
        )),
        ChipFacts::Known(FlashChip {
            name,
            read_only: Some(reason),
            ..
        }) => Some(Objection::new(
            ObjectionKind::UnknownChip,
            format!("a flash chip {name} is only read: {reason}"),
        )),
        ChipFacts::Known(chip) => (chip.bytes != survey.flash_bytes()).then(|| {
            Objection::new(
                ObjectionKind::UnknownChip,
                "the flash was looked at as if it had another size",
            )
            .expected_found(
                format_args!("{:#x} bytes ({})", chip.bytes, chip.name),
                format_args!("{:#x}", survey.flash_bytes()),
            )
        }),
    }
}

fn secure(card: &CardFacts<'_>, survey: &FlashSurvey) -> Option<Objection> {
    let by_flash = || {
        let facts = survey.active()?.facts()?;
        is_secure(facts).then(|| "the image that runs is marked as secure firmware".to_owned())
    };
    let reason = card.secure.clone().or_else(by_flash)?;
    Some(Objection::new(
        ObjectionKind::SecureFirmware,
        format!(
            "the card takes only firmware that its maker signed, and only through the running \
             firmware: {reason}"
        ),
    ))
}

/// Whether an image is for cards that insist on a signature.
pub(super) fn is_secure(facts: &FirmwareFacts) -> bool {
    facts.security.contains(&"secure-fw") || facts.signatures.contains(&"secure-fw-bit")
}

fn driver(card: &CardFacts<'_>) -> Option<Objection> {
    let driver = card.driver.as_deref()?;
    OF_GUESTS.contains(&driver).then(|| {
        Objection::new(
            ObjectionKind::Driver,
            format!(
                "the card is given away (driver {driver}), and may be reset while it is burned"
            ),
        )
        .expected_found("a network driver, or none", driver)
    })
}

fn untested(card: &CardFacts<'_>) -> Option<Objection> {
    let title = &card.device.title;
    let message = match card.device.tested.burn {
        _ if !card.live => return None,
        TestedState::Ok => return None,
        TestedState::Untested => format!(
            "nobody ever reported a {title} that was burned with flexctl: it agrees with mstflint \
             4.21 on virtual cards, and was not tried on hardware"
        ),
        TestedState::Broken => {
            format!("somebody reported that burning a {title} with flexctl does not work")
        }
    };
    Some(Objection::new(ObjectionKind::Untested, message).door(Door::AcceptUntested))
}

/// The chip must be what its PCI id says.
fn hardware(card: &CardFacts<'_>) -> Option<Objection> {
    (card.hardware_id != card.device.hardware_id).then(|| {
        Objection::new(
            ObjectionKind::OtherHardware,
            format!("the chip is not that of a {}", card.device.title),
        )
        .expected_found(
            format_args!("hardware id {:#06x}", card.device.hardware_id),
            format_args!("{:#06x}", card.hardware_id),
        )
    })
}

fn health(survey: &FlashSurvey) -> Vec<Objection> {
    let unhealthy = |message: String| {
        Objection::new(ObjectionKind::UnhealthyFlash, message).door(Door::UnhealthyFlash)
    };
    let mut objections = Vec::new();
    if let Some(slot) = survey.active()
        && let SlotState::Damaged(image) = &slot.state
    {
        let errors = image.findings.iter();
        let first = errors
            .filter(|finding| finding.severity == Severity::Error)
            .map(ToString::to_string)
            .next()
            .unwrap_or_default();
        objections.push(unhealthy(format!(
            "the image at {:#x}, which a boot takes, is damaged: {first}",
            slot.place.start
        )));
    }
    if let (Some(cold), Some(warm)) = (survey.cold_boot(), survey.warm_boot()) {
        let is_slot = |start: u32| survey.slots().iter().any(|slot| slot.place.start == start);
        if cold != warm {
            objections.push(unhealthy(format!(
                "a cold boot takes the image at {cold:#x} and a warm reset the one at {warm:#x}, \
                 as after a burn that was broken off"
            )));
        } else if !is_slot(cold) && !survey.slots().is_empty() {
            objections.push(unhealthy(format!(
                "there is a magic at {cold:#x}, where no slot starts, and a boot would take it"
            )));
        }
    }
    objections
}
