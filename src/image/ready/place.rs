//! Where a new image goes, and how large it may be there.

use crate::hwdb::ImageFormat;
use crate::image::fs2::{Fs2Image, image_in_flash};
use crate::image::fs3::{self, Fs3Image};
use crate::image::{FlashSurvey, Slot, SlotPlace};

use super::PrepareError;

const EIGHT_MIB: u32 = 0x80_0000;

/// The active slot.
pub(super) fn active<'s>(
    survey: &'s FlashSurvey,
    needed_for: &'static str,
) -> Result<&'s Slot, PrepareError> {
    survey.active().ok_or_else(|| PrepareError::NoActiveImage {
        needed_for,
        reason: match survey.magics() {
            [] => "there is none at any address where one may start".to_owned(),
            [first, ..] => format!("the one at {first:#x} is not where it says that it is"),
        },
    })
}

/// The slot that is not active, for an image with the same chunks.
pub(super) fn other_slot(survey: &FlashSurvey) -> Result<SlotPlace, PrepareError> {
    survey.target().ok_or_else(|| PrepareError::NoSecondSlot {
        reason: match survey.slots() {
            [] | [_] => "the image in it is not failsafe and has all of it".to_owned(),
            _ => format!(
                "the flash has {:#x} bytes, and the second slot starts behind them",
                survey.flash_bytes()
            ),
        },
    })
}

/// The image in the active slot of an FS2 flash, damaged or not.
pub(super) fn active_fs2<'s>(
    survey: &'s FlashSurvey,
    slot: &Slot,
) -> Result<Fs2Image<'s>, PrepareError> {
    let place = slot.place;
    image_in_flash(survey.flash.bytes(), place.stripes, place.slot)
        .tree
        .ok_or_else(|| unreadable(slot))
}

/// The image in the active slot of an FS3 flash, damaged or not.
pub(super) fn active_fs3<'s>(
    survey: &'s FlashSurvey,
    slot: &Slot,
) -> Result<Fs3Image<'s>, PrepareError> {
    let start = usize::try_from(slot.place.start).unwrap_or(usize::MAX);
    fs3::image_in_flash(survey.flash.bytes(), slot.place.slot, start)
        .tree
        .ok_or_else(|| unreadable(slot))
}

fn unreadable(slot: &Slot) -> PrepareError {
    PrepareError::NoActiveImage {
        needed_for: "can be read",
        reason: format!("the one at {:#x} has no header", slot.place.start),
    }
}

/// Where an FS3 image with chunks of its own goes. The sizes may differ only if
/// both are 4 or 8 MiB; an image of 8 MiB never goes over an active one at 4 MiB.
pub(super) fn fs3_place(
    survey: &FlashSurvey,
    active: &Slot,
    card: &Fs3Image<'_>,
    image: &Fs3Image<'_>,
) -> Result<SlotPlace, PrepareError> {
    let of_card = card.header.effective_log2_chunk(card.start);
    let of_image = image.header.effective_log2_chunk(image.start);
    let mixed = [of_card, of_image]
        .iter()
        .all(|log2| [0x16, 0x17].contains(log2));
    if of_card != of_image && !mixed {
        return Err(PrepareError::OtherChunk {
            card: u32::try_from(card.header.chunk_bytes(card.start)).unwrap_or(u32::MAX),
            image: format!("{:#x}", image.header.chunk_bytes(image.start)),
        });
    }
    let start = match active.place.start {
        0 if of_card == 0x17 => EIGHT_MIB,
        0 => u32::try_from(image.header.chunk_bytes(image.start)).unwrap_or(u32::MAX),
        EIGHT_MIB => 0,
        _ if of_image == 0x17 => EIGHT_MIB,
        _ => 0,
    };
    if start == EIGHT_MIB
        && of_image == 0x16
        && !image.info().is_some_and(|info| info.runs_from_any())
    {
        return Err(PrepareError::OtherChunk {
            card: EIGHT_MIB,
            image: "0x400000, and does not say that it runs from anywhere else".to_owned(),
        });
    }
    if start >= survey.flash_bytes() {
        return Err(PrepareError::NoSecondSlot {
            reason: format!(
                "it would start at {start:#x}, and the flash has {:#x} bytes",
                survey.flash_bytes()
            ),
        });
    }
    Ok(SlotPlace {
        slot: usize::from(start != 0),
        start,
        stripes: None,
    })
}

/// The most bytes that an FS2 image may have: the larger settings store counts.
pub(super) fn fs2_room(
    survey: &FlashSurvey,
    card: &Fs2Image<'_>,
    image: &Fs2Image<'_>,
) -> Result<(), PrepareError> {
    let flash = u64::from(survey.flash_bytes());
    let available = card.limit_in_flash(flash).min(image.limit_in_flash(flash));
    let needed = image.end() as u64;
    if needed > available {
        return Err(PrepareError::TooLarge {
            needed,
            available,
            limit: "an image has half of the flash, less the settings store at its end".to_owned(),
        });
    }
    Ok(())
}

/// The most bytes that an FS3 image may have: up to the card's device data,
/// whichever slot it is burned to.
pub(super) fn fs3_room(card: &Fs3Image<'_>, image: &Fs3Image<'_>) -> Result<(), PrepareError> {
    let chunk = image.header.chunk_bytes(image.start);
    let (mut first, mut second) = (chunk, chunk.saturating_mul(2));
    for section in &card.sections {
        if section.entry.device_data() {
            let address = u64::from(section.entry.address());
            let edge = if address > chunk {
                &mut second
            } else {
                &mut first
            };
            *edge = address.min(*edge);
        }
    }
    let available = first.min(second.saturating_sub(chunk));
    let needed = image.size();
    if needed > available {
        return Err(PrepareError::TooLarge {
            needed,
            available,
            limit: "device data of the card or the other slot begins there".to_owned(),
        });
    }
    Ok(())
}

/// The name of the card's format.
pub(super) fn format_name(format: ImageFormat) -> &'static str {
    match format {
        ImageFormat::Fs2 => "FS2",
        ImageFormat::Fs3 => "FS3",
    }
}
