//! The image that runs, with another expansion ROM.

use crate::hwdb::ImageFormat;
use crate::image::fs2::FileShape;
use crate::image::fs3::image_in_flash;
use crate::image::{
    EditError, EditPolicy, FlashSurvey, ReadyImage, RomEdit, Slot, SlotState, WholeImage,
    edit_rom_as,
};

use super::place::{active, other_slot};
use super::trial::trial;
use super::{PrepareError, Prepared, fs2_identity, place};

/// Makes the active image with another expansion ROM ready for the other slot.
/// Inserting and replacing both mean "this ROM", whatever is there now.
///
/// # Errors
/// No whole image in the flash, no second slot, no room, or whatever the policy
/// does not permit; its slot is not looked at.
pub fn rom_change(
    survey: &FlashSurvey,
    edit: RomEdit<'_>,
    policy: &EditPolicy,
) -> Result<Prepared, PrepareError> {
    let slot = active(survey, "could get another expansion ROM")?;
    let image = whole(slot)?;
    let edit = match (edit, &image.rom) {
        (RomEdit::Insert(rom) | RomEdit::Replace(rom), Some(_)) => RomEdit::Replace(rom),
        (RomEdit::Insert(rom) | RomEdit::Replace(rom), None) => RomEdit::Insert(rom),
        (RomEdit::Remove, _) => RomEdit::Remove,
    };
    let place = other_slot(survey)?;
    let policy = EditPolicy {
        slot: None,
        ..*policy
    };
    let (bytes, notes) = match survey.format() {
        ImageFormat::Fs2 => fs2(survey, slot, image, edit, &policy)?,
        ImageFormat::Fs3 => fs3(survey, slot, edit, &policy)?,
    };
    trial(survey, ReadyImage { place, bytes }, notes)
}

fn whole(slot: &Slot) -> Result<&WholeImage, PrepareError> {
    match &slot.state {
        SlotState::Whole(image) => Ok(image),
        SlotState::Empty => Err(PrepareError::NoActiveImage {
            needed_for: "could get another expansion ROM",
            reason: "there is none".to_owned(),
        }),
        SlotState::Damaged(image) => Err(EditError::Damaged {
            findings: image.findings.clone(),
        }
        .into()),
    }
}

type Changed = (Vec<u8>, Vec<String>);

fn fs2(
    survey: &FlashSurvey,
    slot: &Slot,
    image: &WholeImage,
    edit: RomEdit<'_>,
    policy: &EditPolicy,
) -> Result<Changed, PrepareError> {
    let edited = edit_rom_as(&image.bytes, Some(FileShape::Contiguous), edit, policy)?;
    let mut bytes = edited.bytes;
    fs2_identity::full_crc(&mut bytes);
    let card = place::active_fs2(survey, slot)?;
    let parsed = crate::image::fs2::parse_as(&bytes, Some(FileShape::Contiguous));
    if let Some(new) = parsed.tree.as_ref().and_then(|file| file.slot(0)) {
        place::fs2_room(survey, &card, new)?;
    }
    Ok((bytes, edited.notes))
}

fn fs3(
    survey: &FlashSurvey,
    slot: &Slot,
    edit: RomEdit<'_>,
    policy: &EditPolicy,
) -> Result<Changed, PrepareError> {
    // The flash with only this image, and with the device data that it lists.
    let mut flash = survey.flash.bytes().to_vec();
    for &magic in survey.magics().iter().filter(|&&at| at != slot.place.start) {
        let at = usize::try_from(magic).unwrap_or(usize::MAX);
        if let Some(dword) = flash.get_mut(at..at.saturating_add(4)) {
            dword.fill(0xff);
        }
    }
    let edited = edit_rom_as(&flash, None, edit, policy)?;
    let start = usize::try_from(slot.place.start).unwrap_or(usize::MAX);
    let new = image_in_flash(&edited.bytes, slot.place.slot, start).tree;
    let size = new.map_or(0, |image| image.size());
    let end = start.saturating_add(usize::try_from(size).unwrap_or(usize::MAX));
    let bytes = edited.bytes.get(start..end).unwrap_or_default().to_vec();
    Ok((bytes, edited.notes))
}
