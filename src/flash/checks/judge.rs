//! The judgement: every objection, and an image to burn if there is none.

use crate::hwdb::{Hwdb, ImageFormat};
use crate::image::{FirmwareFacts, FlashSurvey, Prepared, RomSource};

use super::boot_default_checks::default_checks;
use super::card_checks::card_checks;
use super::image_checks::{firmware_checks, hardware_checks};
use super::preparation::prepare;
use super::rom_checks::{ipv6, lost_images, product_version, rom_of_file};
use super::{CardFacts, Differences, Doors, Objection, ObjectionKind};

/// What is to be burned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NewContents<'n> {
    /// The image that runs, with this expansion ROM.
    Rom(&'n [u8]),
    /// The image that runs, without an expansion ROM.
    NoRom,
    /// A firmware file.
    Image {
        /// All of it: an image, or a copy of a flash.
        file: &'n [u8],
        /// Which of its images, where there are two.
        slot: Option<usize>,
        /// Whose expansion ROM.
        rom: RomSource,
    },
}

/// What was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Judgement {
    /// What stands in the way.
    pub objections: Vec<Objection>,
    /// What would, if its door were not open.
    pub overridden: Vec<Objection>,
    /// What the user should know.
    pub notes: Vec<String>,
    /// What changes; `None` when no image could be made.
    pub differences: Option<Differences>,
    prepared: Option<Prepared>,
}

impl Judgement {
    /// The image to burn, if nothing stands in the way.
    #[must_use]
    pub fn ready(&self) -> Option<&Prepared> {
        self.prepared
            .as_ref()
            .filter(|_| self.objections.is_empty())
    }

    /// The same, to keep.
    #[must_use]
    pub fn into_ready(self) -> Option<Prepared> {
        self.prepared.filter(|_| self.objections.is_empty())
    }
}

/// Judges whether a card may be written at all, whatever it is that is put back. What
/// its flash holds may be damaged: that is what copies are for.
#[must_use]
pub fn judge_card(card: &CardFacts<'_>, survey: &FlashSurvey) -> Vec<Objection> {
    let mut objections = card_checks(card, survey);
    objections.retain(|objection| {
        !matches!(
            objection.kind,
            ObjectionKind::UnhealthyFlash | ObjectionKind::TooFewSlots
        )
    });
    objections
}

/// Judges whether something may be burned onto a card.
#[must_use]
pub fn judge(
    card: &CardFacts<'_>,
    survey: &FlashSurvey,
    new: &NewContents<'_>,
    doors: &Doors,
    hwdb: &Hwdb,
) -> Judgement {
    let mut all = card_checks(card, survey);
    let (prepared, objections) = prepare(survey, new);
    all.extend(objections);
    let mut notes = prepared
        .as_ref()
        .map(|prepared| prepared.notes.clone())
        .unwrap_or_default();
    notes.extend(not_reset(card, survey));
    if let Some(facts) = new_facts(prepared.as_ref(), new, &all) {
        all.extend(hardware_checks(card, &facts));
        if matches!(new, NewContents::Image { .. }) {
            all.extend(firmware_checks(card, survey, &facts));
        }
    }
    let old = survey.active().and_then(|slot| slot.whole());
    let new_rom = match (&prepared, new) {
        (Some(prepared), _) => prepared.rom.as_deref(),
        (None, NewContents::Rom(rom)) => Some(*rom),
        (None, _) => None,
    };
    if prepared.is_some() || !matches!(new, NewContents::Image { .. }) {
        all.extend(lost_images(old, new_rom));
        if card.promises_ipv6 {
            all.extend(ipv6(new_rom));
        }
    }
    let changes_rom = old.map(|image| image.rom.as_deref()) != Some(new_rom);
    match (new, &prepared) {
        (NewContents::Image { file, slot, .. }, Some(prepared)) => {
            if let Some(rom) = prepared.rom.as_deref().filter(|_| changes_rom) {
                all.extend(rom_of_file(rom, &prepared.facts));
            }
            if !keeps_rom_of_file(file, *slot, new_rom) {
                let of_card = old.and_then(|image| image.facts.product_version.as_deref());
                let product = prepared.facts.product_version.as_deref().or(of_card);
                all.extend(product_version(product));
            }
            if survey.format() == ImageFormat::Fs2 {
                let (objections, more) = default_checks(survey, &prepared.image.bytes, hwdb);
                all.extend(objections);
                notes.extend(more);
            }
        }
        (NewContents::Rom(_) | NewContents::NoRom, _) if changes_rom => {
            let product = old.and_then(|image| image.facts.product_version.as_deref());
            all.extend(product_version(product));
        }
        _ => {}
    }
    let is_open = |objection: &Objection| objection.door.is_some_and(|door| doors.is_open(door));
    let (overridden, objections): (Vec<_>, Vec<_>) = all.into_iter().partition(is_open);
    Judgement {
        objections,
        overridden,
        notes,
        differences: prepared
            .as_ref()
            .map(|prepared| Differences::of(survey, prepared)),
        prepared,
    }
}

/// Whether the card was burned and not reset since, as far as versions tell.
fn not_reset(card: &CardFacts<'_>, survey: &FlashSurvey) -> Option<String> {
    let runs = card.running_version?;
    let boots = survey.active()?.facts()?.version?;
    (runs != boots).then(|| {
        format!(
            "firmware {runs} runs, and a boot takes {boots}: the card was burned, and not reset \
             since"
        )
    })
}

/// What the new image says of itself; `None` when it is not an image that could
/// be believed.
fn new_facts(
    prepared: Option<&Prepared>,
    new: &NewContents<'_>,
    objections: &[Objection],
) -> Option<FirmwareFacts> {
    if let Some(prepared) = prepared {
        return Some(prepared.facts.clone());
    }
    let no_image = [
        ObjectionKind::DamagedImage,
        ObjectionKind::WrongFormat,
        ObjectionKind::WhichImage,
    ];
    if objections
        .iter()
        .any(|objection| no_image.contains(&objection.kind))
    {
        return None;
    }
    let NewContents::Image { file, slot, .. } = new else {
        return None;
    };
    let firmware = crate::image::Firmware::parse(file, None).tree?;
    let slot = slot.or_else(|| firmware.slots().first().copied())?;
    firmware.facts(slot)
}

fn keeps_rom_of_file(file: &[u8], slot: Option<usize>, new_rom: Option<&[u8]>) -> bool {
    let Some(firmware) = crate::image::Firmware::parse(file, None).tree else {
        return true;
    };
    let slot = slot.or_else(|| firmware.slots().first().copied());
    let of_file = slot.and_then(|slot| firmware.rom(slot));
    of_file.as_deref() == new_rom
}
