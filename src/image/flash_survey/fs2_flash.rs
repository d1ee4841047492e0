//! The flash of a ConnectX-3: chunks by turns, the settings store at the end of
//! each half.

use std::iter;
use std::ops::Range;

use crate::image::fs2::{
    self, Fs2Image, SECTION_HEADER_BYTES, SectionType, Stripes, check_in_flash, image_in_flash,
};
use crate::image::{Severity, SlotPlace, worst};

use super::reader::Reader;
use super::slot::{DamagedImage, DeviceRegion, Slot, SlotState, WholeImage};
use super::sparse_flash::SparseFlash;

/// Header, and the beginning of boot2 up to its size.
const HEAD_BYTES: u32 = 0x40;

/// The places for images, by the header of the one that starts at `start`;
/// `None` when that cannot be where it says that it is.
pub(super) fn places(header: &[u8], start: u32) -> Option<Vec<SlotPlace>> {
    let header = fs2::sound_header(header)?;
    let Some(log2_chunk) = header.log2_chunk() else {
        let only = SlotPlace {
            slot: 0,
            start: 0,
            stripes: None,
        };
        return (start == 0).then(|| vec![only]);
    };
    let chunk = 1_u32.checked_shl(log2_chunk.into())?;
    let place = |slot: usize, start: u32| {
        Some(SlotPlace {
            slot,
            start,
            stripes: Some(Stripes::new(log2_chunk, slot == 1)?),
        })
    };
    (start == 0 || start == chunk)
        .then(|| Some(vec![place(0, 0)?, place(1, chunk)?]))
        .flatten()
}

/// Reads the image in a slot: whatever its own addresses lead to.
pub(super) fn read_slot<E>(
    reader: &mut Reader<impl FnMut(u32, &mut [u8]) -> Result<(), E>>,
    place: SlotPlace,
) -> Result<(), E> {
    loop {
        let wanted = {
            let parsed = image_in_flash(reader.flash.bytes(), place.stripes, place.slot);
            parsed
                .tree
                .as_ref()
                .map_or_else(|| iter::once(0..HEAD_BYTES).collect(), wanted)
        };
        let mut more = false;
        for range in wanted {
            for (at, part) in place.pieces(range) {
                let end = at.saturating_add(part.end - part.start);
                more |= reader.know(&(at..end))?;
            }
        }
        if !more {
            return Ok(());
        }
    }
}

/// What must be known to read an image as far as it can be understood.
fn wanted(image: &Fs2Image<'_>) -> Vec<Range<u32>> {
    let narrow = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
    if image.boot2.is_empty() {
        return iter::once(0..HEAD_BYTES).collect();
    }
    // Behind boot2 there is another one, or the first section.
    let first = image.chain_start() + SECTION_HEADER_BYTES;
    let last = image.sections.last().filter(|section| !section.is_last());
    let next = last.map(|last| {
        let next = narrow(last.next as usize);
        next..next.saturating_add(narrow(SECTION_HEADER_BYTES))
    });
    iter::once(0..narrow(first.max(image.end())))
        .chain(next)
        .collect()
}

/// What is in a slot that has a magic, after it was read.
pub(super) fn slot(flash: &SparseFlash, place: SlotPlace) -> Slot {
    let parsed = image_in_flash(flash.bytes(), place.stripes, place.slot);
    let mut findings = parsed.findings;
    let Some(image) = parsed.tree else {
        return Slot {
            place,
            state: SlotState::Damaged(Box::new(DamagedImage {
                findings,
                facts: None,
            })),
        };
    };
    findings.extend(check_in_flash(&image));
    findings.sort_by_key(|finding| finding.offset);
    let facts = image.facts();
    let state = if worst(&findings) == Some(Severity::Error) {
        SlotState::Damaged(Box::new(DamagedImage {
            findings,
            facts: Some(facts),
        }))
    } else {
        let rom = image.section(SectionType::Rom);
        SlotState::Whole(Box::new(WholeImage {
            facts,
            bytes: image.layout().to_bytes(),
            rom: rom.map(|rom| rom.data().into_owned()),
            findings,
        }))
    };
    Slot { place, state }
}

/// Where the settings of the card are: behind all that an image may use.
pub(super) fn device_data(flash: &SparseFlash, slots: &[Slot]) -> Vec<DeviceRegion> {
    let length = u64::from(flash.length());
    let limits = slots.iter().filter(|slot| slot.has_magic()).map(|slot| {
        let parsed = image_in_flash(flash.bytes(), slot.place.stripes, slot.place.slot);
        let limit = parsed
            .tree
            .map_or(length, |image| image.limit_in_flash(length));
        u32::try_from(limit).unwrap_or(u32::MAX)
    });
    // The larger store counts, as it does in mstflint.
    let Some(limit) = limits.min() else {
        return Vec::new();
    };
    let mut regions = Vec::new();
    for slot in slots {
        let end = match slot.place.stripes {
            Some(stripes) => {
                let half = stripes.length(flash.bytes().len());
                u32::try_from(half).unwrap_or(u32::MAX)
            }
            None => flash.length(),
        };
        for (at, part) in slot.place.pieces(limit..end.max(limit)) {
            regions.push(DeviceRegion {
                name: "settings store".to_owned(),
                range: at..at.saturating_add(part.end - part.start),
            });
        }
    }
    regions
}
