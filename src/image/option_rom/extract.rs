//! One image, or those for one kind of firmware, as a file of their own.

use super::super::{EditError, Edited};
use super::recombine::{chain, errors_of, product};
use super::{CodeType, OptionRom, RomImage, RomProduct};

/// What to take out of a ROM.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RomSelection {
    /// All of it, as it is.
    Whole,
    /// One image by its number, as it is.
    Image(usize),
    /// The images for a BIOS, iPXE's payload with them, as a ROM of its own.
    Bios,
    /// The images for EFI, as a ROM of its own.
    Efi,
}

/// Takes images out of a ROM. A selection that is a ROM of its own ends with an
/// image that is marked as the last one and has its own version records behind
/// it; these changes are listed.
///
/// # Errors
/// The ROM is damaged, or has no such image.
pub fn extract(bytes: &[u8], selection: RomSelection) -> Result<Edited, EditError> {
    let parsed = OptionRom::parse(bytes);
    let mut findings = parsed.findings;
    let Some(rom) = parsed.tree else {
        return Err(EditError::Damaged { findings });
    };
    let as_it_is = |bytes: &[u8]| Edited {
        bytes: bytes.to_vec(),
        slot: 0,
        changes: Vec::new(),
        notes: Vec::new(),
    };
    let wanted: fn(CodeType) -> bool = match selection {
        RomSelection::Whole => return Ok(as_it_is(bytes)),
        RomSelection::Image(index) => {
            let lacks = || EditError::Lacks {
                part: format!("image {index}"),
                needed_for: format!("was asked for: it has {}", rom.images.len()),
            };
            let image = rom.images.get(index).ok_or_else(lacks)?;
            return Ok(as_it_is(image.bytes));
        }
        RomSelection::Bios => |code| matches!(code, CodeType::PcAt | CodeType::IpxePayload),
        RomSelection::Efi => |code| code == CodeType::Efi,
    };
    // The sum of what is taken out is made anew: one that is wrong must not be hidden.
    findings.extend(rom.check());
    if let Some(findings) = errors_of(&findings) {
        return Err(EditError::Damaged { findings });
    }
    let images: Vec<&RomImage<'_>> = rom
        .images
        .iter()
        .filter(|image| wanted(image.code_type()))
        .collect();
    if images.is_empty() {
        return Err(EditError::Lacks {
            part: match selection {
                RomSelection::Efi => "EFI image".to_owned(),
                _ => "BIOS image".to_owned(),
            },
            needed_for: "was asked for".to_owned(),
        });
    }
    let mut draft = chain(&images);
    let snapshot = draft.bytes.clone();
    if let Some(own) = OptionRom::parse(&snapshot).tree
        && !draft.changes.is_empty()
    {
        draft.correct_images(&own)?;
    }
    for placed in &rom.trailing {
        let of_efi = match product(placed) {
            Some(RomProduct::Fcode) | None => continue,
            Some(product) => product == RomProduct::Uefi,
        };
        if of_efi == (selection == RomSelection::Efi) {
            draft.bytes.extend(placed.part.to_bytes());
        }
    }
    Ok(Edited {
        bytes: draft.bytes,
        slot: 0,
        changes: draft.changes,
        notes: Vec::new(),
    })
}
