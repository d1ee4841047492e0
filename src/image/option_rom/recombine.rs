//! BIOS and EFI images of two ROMs as one.

use super::super::{EditError, Finding, Severity, worst};
use super::draft::Draft;
use super::{CodeType, OptionRom, Part, Pcir, Placed, RomImage, RomProduct};

/// Puts the EFI images of `other` into `rom`, in place of those that it has.
/// Version records for UEFI behind the images come with them.
pub(super) fn with_efi_of(
    rom: &OptionRom<'_>,
    other: &OptionRom<'_>,
    notes: &mut Vec<String>,
) -> Result<Draft, EditError> {
    let is_efi = |image: &&RomImage<'_>| image.code_type() == CodeType::Efi;
    let new: Vec<&RomImage<'_>> = other.images.iter().filter(is_efi).collect();
    if new.is_empty() {
        return Err(EditError::Lacks {
            part: "EFI image (code type 3)".to_owned(),
            needed_for: "should be put in".to_owned(),
        });
    }
    if new.len() < other.images.len() {
        notes.push("only the EFI images of that file are taken".to_owned());
    }
    let old = rom.images.iter().filter(is_efi).count();
    let place = rom
        .images
        .iter()
        .position(|image| is_efi(&image))
        .unwrap_or(rom.images.len());
    let kept = |range: &[RomImage<'_>]| range.iter().filter(|image| !is_efi(image)).count();
    let before = kept(rom.images.get(..place).unwrap_or_default());
    let mut images: Vec<&RomImage<'_>> = rom.images.iter().filter(|image| !is_efi(image)).collect();
    images.splice(before..before, new.iter().copied());

    let mut draft = chain(&images);
    let (start, length) = (
        images
            .iter()
            .take(before)
            .map(|image| image.bytes.len())
            .sum(),
        new.iter().map(|image| image.bytes.len()).sum::<usize>(),
    );
    let what = match old {
        0 => format!("an EFI image of {length:#x} bytes is added"),
        _ => format!("an EFI image of {length:#x} bytes replaces the one that was there"),
    };
    draft.changed(format!("image{before}"), start, length, what);
    let uefi = |placed: &&Placed<'_>| product(placed) == Some(RomProduct::Uefi);
    for placed in rom.trailing.iter().filter(|placed| !uefi(placed)) {
        draft.bytes.extend(placed.part.to_bytes());
    }
    for placed in other.trailing.iter().filter(uefi) {
        let record = placed.part.to_bytes();
        let (at, length) = (draft.bytes.len(), record.len());
        draft.bytes.extend(record);
        draft.changed(
            "trailing/version-record".to_owned(),
            at,
            length,
            "the version record of the EFI image".to_owned(),
        );
    }
    Ok(draft)
}

/// Images one after the other, the last one marked as such.
pub(super) fn chain(images: &[&RomImage<'_>]) -> Draft {
    let mut draft = Draft::default();
    for (index, image) in images.iter().enumerate() {
        draft.append(image, index + 1 == images.len());
    }
    draft
}

/// What the record of a part is for, if it is a record.
pub(super) fn product(placed: &Placed<'_>) -> Option<RomProduct> {
    match placed.part {
        Part::Record(record) => Some(record.meaning(placed.offset).product),
        _ => None,
    }
}

/// Whether the EFI images are for the same device as the others.
pub(super) fn same_device(rom: &OptionRom<'_>, other: &OptionRom<'_>) -> Result<(), EditError> {
    let id = |rom: &OptionRom<'_>, efi: bool| {
        rom.images
            .iter()
            .filter(|image| (image.code_type() == CodeType::Efi) == efi)
            .find_map(|image| image.pcir().map(Pcir::device_id))
    };
    match (id(rom, false), id(other, true)) {
        (Some(here), Some(there)) if here != there => Err(EditError::BadValue {
            field: "the device id of the EFI image".to_owned(),
            value: format!("{there:#06x}"),
            allowed: format!("the other images are for {here:#06x}"),
        }),
        _ => Ok(()),
    }
}

/// The errors among findings, if there are any.
pub(super) fn errors_of(findings: &[Finding]) -> Option<Vec<Finding>> {
    (worst(findings) == Some(Severity::Error)).then(|| findings.to_vec())
}
