//! An image put into a copy of the flash, and read again there.

use crate::image::flash_survey::read_again;
use crate::image::{FlashSurvey, Prepared, ReadyImage, SlotState};

use super::PrepareError;

/// Whether the image is whole where it will stand, touches nothing that is the
/// card's, and leaves the active image alone.
pub(super) fn trial(
    survey: &FlashSurvey,
    image: ReadyImage,
    notes: Vec<String>,
) -> Result<Prepared, PrepareError> {
    let length = u32::try_from(image.bytes.len()).unwrap_or(u32::MAX);
    let mut flash = survey.flash.bytes().to_vec();
    for (at, part) in image.place.pieces(0..length) {
        let end = at.saturating_add(part.end - part.start);
        if let Some(region) = survey.device_data_within(&(at..end)) {
            return Err(PrepareError::TooLarge {
                needed: u64::from(length),
                available: u64::from(
                    part.start
                        .saturating_add(region.range.start.saturating_sub(at)),
                ),
                limit: format!("{} of the card is there", region.name),
            });
        }
        let bytes = in_memory(part.start, part.end).and_then(|part| image.bytes.get(part));
        let place = in_memory(at, end).and_then(|place| flash.get_mut(place));
        match (place, bytes) {
            (Some(place), Some(bytes)) => place.copy_from_slice(bytes),
            _ => {
                return Err(PrepareError::TooLarge {
                    needed: u64::from(length),
                    available: u64::from(part.start),
                    limit: "the flash ends there".to_owned(),
                });
            }
        }
    }
    if let Some(active) = survey.active() {
        stays_whole(active, &image, length)?;
    }
    match read_again(survey.format(), flash, image.place).state {
        SlotState::Whole(whole) => Ok(Prepared {
            facts: whole.facts,
            rom: whole.rom,
            image,
            notes,
        }),
        SlotState::Damaged(damaged) => Err(PrepareError::NotWhole {
            findings: damaged.findings,
        }),
        SlotState::Empty => Err(PrepareError::NotWhole {
            findings: Vec::new(),
        }),
    }
}

/// The active image must share no byte with the new one.
fn stays_whole(
    active: &crate::image::Slot,
    image: &ReadyImage,
    length: u32,
) -> Result<(), PrepareError> {
    let size = active.facts().map_or(0, |facts| facts.size);
    let size = u32::try_from(size).unwrap_or(u32::MAX);
    for (at, part) in active.place.pieces(0..size) {
        let end = at.saturating_add(part.end - part.start);
        for (new_at, new_part) in image.place.pieces(0..length) {
            let new_end = new_at.saturating_add(new_part.end - new_part.start);
            if at < new_end && new_at < end {
                return Err(PrepareError::TooLarge {
                    needed: u64::from(length),
                    available: u64::from(new_part.start.saturating_add(at.saturating_sub(new_at))),
                    limit: "the image that runs is there".to_owned(),
                });
            }
        }
    }
    Ok(())
}

fn in_memory(from: u32, to: u32) -> Option<std::ops::Range<usize>> {
    Some(usize::try_from(from).ok()?..usize::try_from(to).ok()?)
}
