//! What speaks against the expansion ROM of the new image.

use std::collections::BTreeSet;

use crate::image::payload::{Answer, prove};
use crate::image::{FirmwareFacts, WholeImage, rom_obstacles_on, version_records};

use super::{Door, Objection, ObjectionKind, RomType};

/// A ROM that came with a firmware file, if it is another than the card's.
pub(super) fn rom_of_file(rom: &[u8], new: &FirmwareFacts) -> Vec<Objection> {
    let mut objections = Vec::new();
    let obstacles = rom_obstacles_on(rom, new.pci_device_ids());
    if let Some(first) = obstacles.damages.first() {
        objections.push(damaged(&first.to_string()));
    }
    if obstacles.other_device {
        objections.push(other_device(&obstacles.of_rom, &obstacles.of_image));
    }
    if version_records(rom).flatten().next().is_none() {
        objections.push(unversioned());
    }
    objections
}

pub(super) fn damaged(what: &str) -> Objection {
    Objection::new(
        ObjectionKind::DamagedRom,
        format!("the ROM is damaged: {what}"),
    )
    .door(Door::DamagedRom)
}

pub(super) fn other_device(rom: &[u16], image: &[u16]) -> Objection {
    let spelled = |ids: &[u16]| {
        let ids: Vec<String> = ids.iter().map(|id| format!("{id:#06x}")).collect();
        ids.join(", ")
    };
    Objection::new(
        ObjectionKind::OtherDeviceRom,
        "the ROM is made for another device",
    )
    .expected_found(spelled(image), spelled(rom))
    .door(Door::OtherDeviceRom)
}

pub(super) fn unversioned() -> Objection {
    Objection::new(
        ObjectionKind::UnversionedRom,
        "the ROM has no version record, so that no tool can tell its version",
    )
    .door(Door::UnversionedRom)
}

/// Image types that the card has now and would have no more.
pub(super) fn lost_images(old: Option<&WholeImage>, new: Option<&[u8]>) -> Option<Objection> {
    let had = RomType::of(old?.rom.as_deref()?);
    let has = new.map(RomType::of).unwrap_or_default();
    let lost: Vec<RomType> = had.difference(&has).copied().collect();
    if lost.is_empty() {
        return None;
    }
    Some(
        Objection::new(
            ObjectionKind::LostImage,
            format!(
                "the card could boot no more by {}, which its ROM has now",
                titles(lost)
            ),
        )
        .expected_found(titles(had), spelled(has))
        .door(Door::LostImage),
    )
}

fn titles(types: impl IntoIterator<Item = RomType>) -> String {
    let titles: Vec<&str> = types.into_iter().map(RomType::title).collect();
    titles.join(", ")
}

fn spelled(types: BTreeSet<RomType>) -> String {
    if types.is_empty() {
        "no image that boots".to_owned()
    } else {
        titles(types)
    }
}

/// Firmware and ROM that were released as one.
pub(super) fn product_version(product: Option<&str>) -> Option<Objection> {
    product.map(|product| {
        Objection::new(
            ObjectionKind::RomChange,
            format!(
                "the firmware was released together with its ROM as {product}, which would not be \
                 true any more"
            ),
        )
        .door(Door::RomChange)
    })
}

/// Whether a ROM shows that it can do what was promised.
pub(super) fn ipv6(rom: Option<&[u8]>) -> Option<Objection> {
    let Some(rom) = rom else {
        return Some(Objection::new(
            ObjectionKind::NoIpv6Proof,
            "IPv6 was promised, and the card would have no ROM",
        ));
    };
    let proof = prove(rom);
    let wants = [&proof.obeys_ip_ver, &proof.ipv6_when_unset];
    let (what, fact) = if proof.ipv6.answer != Answer::Yes {
        ("has IPv6", &proof.ipv6)
    } else if wants.iter().all(|fact| fact.answer != Answer::Yes) {
        ("uses IPv6 when it is told to", &proof.obeys_ip_ver)
    } else {
        return None;
    };
    let evidence = fact.evidence.join("; ");
    Some(
        Objection::new(
            ObjectionKind::NoIpv6Proof,
            format!("IPv6 was promised, and nothing shows that the ROM {what}: {evidence}"),
        )
        .expected_found(Answer::Yes.word(), fact.answer.word()),
    )
}
