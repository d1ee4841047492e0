//! Making the image ready, with everything that speaks against it collected on
//! the way.

use crate::image::{
    EditError, EditPolicy, FlashSurvey, Permission, PrepareError, Prepared, RomEdit, rom_change,
    whole_image,
};

use super::rom_checks::{damaged, other_device, unversioned};
use super::{Door, NewContents, Objection, ObjectionKind};

/// What has a door is permitted once it is told, so that the rest is found too;
/// whether its door is open is decided afterwards.
pub(super) fn prepare(
    survey: &FlashSurvey,
    new: &NewContents<'_>,
) -> (Option<Prepared>, Vec<Objection>) {
    let mut policy = EditPolicy::default();
    let mut objections = Vec::new();
    loop {
        let outcome = match new {
            NewContents::Rom(rom) => rom_change(survey, RomEdit::Replace(rom), &policy),
            NewContents::NoRom => rom_change(survey, RomEdit::Remove, &policy),
            NewContents::Image { file, slot, rom } => {
                whole_image(file, *slot, *rom, survey, &policy)
            }
        };
        let error = match outcome {
            Ok(prepared) => return (Some(prepared), objections),
            Err(error) => error,
        };
        let permitted = match &error {
            PrepareError::Edit(error) => permission(error, &mut policy),
            _ => None,
        };
        let is_last = permitted.is_none_or(|permission| *permission == Permission::Granted);
        objections.push(objection(&error, new));
        let PrepareError::Edit(error) = &error else {
            return (None, objections);
        };
        match permission(error, &mut policy) {
            Some(permission) if !is_last => *permission = Permission::Granted,
            _ => return (None, objections),
        }
    }
}

/// What would permit it.
fn permission<'p>(error: &EditError, policy: &'p mut EditPolicy) -> Option<&'p mut Permission> {
    match error {
        EditError::RomDamaged { .. } => Some(&mut policy.damaged_rom),
        EditError::OtherDevice { .. } => Some(&mut policy.other_device),
        EditError::Unversioned => Some(&mut policy.unversioned),
        EditError::SignatureLost { .. } => Some(&mut policy.unsigned),
        _ => None,
    }
}

fn objection(error: &PrepareError, new: &NewContents<'_>) -> Objection {
    let plain = |kind| Objection::new(kind, error.to_string());
    match error {
        PrepareError::Edit(error) => of_edit(error, new),
        PrepareError::WrongFormat { card, found } => {
            Objection::new(ObjectionKind::WrongFormat, "the file is not for this card")
                .expected_found(format_args!("{card} firmware"), found)
        }
        PrepareError::NotFirmware | PrepareError::Damaged { .. } => {
            plain(ObjectionKind::DamagedImage)
        }
        PrepareError::NoActiveImage { .. } => plain(ObjectionKind::UnhealthyFlash),
        PrepareError::NoSecondSlot { .. } => plain(ObjectionKind::TooFewSlots),
        PrepareError::OtherChunk { .. } => plain(ObjectionKind::OtherChunk),
        PrepareError::TooLarge { .. } => plain(ObjectionKind::TooLarge),
        PrepareError::Identity { .. } | PrepareError::DeviceData { .. } => {
            plain(ObjectionKind::Identity)
        }
        _ => plain(ObjectionKind::NotPossible),
    }
}

fn of_edit(error: &EditError, new: &NewContents<'_>) -> Objection {
    let plain = |kind| Objection::new(kind, error.to_string());
    match error {
        EditError::RomDamaged { findings } => {
            let first = findings
                .iter()
                .max_by_key(|finding| finding.severity)
                .map_or_else(|| "nothing in it is known".to_owned(), ToString::to_string);
            damaged(&first)
        }
        EditError::RomLength { .. } => plain(ObjectionKind::DamagedRom),
        EditError::OtherDevice { rom, image } => other_device(rom, image),
        EditError::Unversioned => unversioned(),
        EditError::SignatureLost { .. } => plain(ObjectionKind::Unsigned).door(Door::Unsigned),
        EditError::TooLarge { .. } => plain(ObjectionKind::TooLarge),
        EditError::WhichSlot { .. } | EditError::NoSuchSlot { .. } => {
            plain(ObjectionKind::WhichImage)
        }
        EditError::Damaged { .. } => match new {
            NewContents::Image { .. } => plain(ObjectionKind::DamagedImage),
            NewContents::Rom(_) | NewContents::NoRom => Objection::new(
                ObjectionKind::UnhealthyFlash,
                format!("no ROM can be changed in the card's image: {error}"),
            ),
        },
        _ => plain(ObjectionKind::NotPossible),
    }
}
