//! The device data in the ITOC of an FS3 image, as it is on the card.
//!
//! Device data stays where it is in the flash; only the entries of the new image
//! must say where that is. Each takes the card's entry of its type, if they agree
//! in what kind of section it is.
//!
//! # Sources
//! mstflint 4.21, mlxfwops/lib/fs3_ops.cpp (`Fs3Operations::UpdateDevDataITOC`,
//! `BurnFs3Image`).

use crate::image::fs3::{Fs3Image, ItocEntry};

use super::PrepareError;

/// The entries to write: where in the image, and their bytes.
type Patches = Vec<(usize, Vec<u8>)>;

/// What must change in the table of an image, and what the user should know.
pub(super) fn device_data(
    card: &Fs3Image<'_>,
    image: &Fs3Image<'_>,
) -> Result<(Patches, Vec<String>), PrepareError> {
    let mut patches = Vec::new();
    let mut notes = Vec::new();
    let Some(itoc) = &image.itoc else {
        return Ok((patches, notes));
    };
    for (number, section) in image.sections.iter().enumerate() {
        let entry = &section.entry;
        if !entry.device_data() {
            if !entry.relative() {
                return Err(PrepareError::DeviceData {
                    section: section.name.clone(),
                    reason: "it is at a fixed place, and is not the card's".to_owned(),
                });
            }
            continue;
        }
        let own = card
            .sections
            .iter()
            .rfind(|other| other.section_type() == section.section_type());
        match own {
            Some(own) => {
                agree(&section.name, &own.entry, entry)?;
                let bytes = own.entry.rewritten().to_bytes();
                patches.push((itoc.entry_address(number), bytes));
            }
            None => notes.push(format!(
                "the image lists {}, which the card does not have",
                section.name
            )),
        }
    }
    for own in card.sections.iter().filter(|own| own.entry.device_data()) {
        let listed = image
            .sections
            .iter()
            .any(|section| section.section_type() == own.section_type());
        if !listed {
            notes.push(format!(
                "{} of the card stays in the flash, but the image does not list it",
                own.name
            ));
        }
    }
    Ok((patches, notes))
}

fn agree(section: &str, card: &ItocEntry, image: &ItocEntry) -> Result<(), PrepareError> {
    let marks = [
        ("device_data", card.device_data(), image.device_data()),
        ("no_crc", card.no_crc(), image.no_crc()),
        ("relative_addr", card.relative(), image.relative()),
    ];
    match marks.iter().find(|(_, card, image)| card != image) {
        Some((mark, card, image)) => Err(PrepareError::DeviceData {
            section: section.to_owned(),
            reason: format!("{mark} is {card} on the card and {image} in the image"),
        }),
        None => Ok(()),
    }
}
