//! The flash of a ConnectX-4: two slots in a row, device data where the ITOC says.

use std::ops::Range;

use crate::image::boot2::BOOT2_OFFSET;
use crate::image::fs3::{
    Fs3Header, Fs3Image, ITOC_SECTOR_BYTES, ItocHeader, SectionType, Signature, check_in_flash,
    image_in_flash,
};
use crate::image::{FindingKind, Severity, SlotPlace, worst};

use super::reader::Reader;
use super::slot::{DamagedImage, DeviceRegion, Slot, SlotState, WholeImage};
use super::sparse_flash::{SparseFlash, in_memory};

/// Header, and the beginning of boot2 up to its size.
const HEAD_BYTES: u32 = 0x40;
const ITOC_HEADER_BYTES: u32 = 0x20;
/// Chunks that mstflint burns.
const LOG2_CHUNKS: std::ops::RangeInclusive<u8> = 16..=24;

/// Where the second slot is, by the header of the image that starts at `start`;
/// `None` when that cannot be where it says that it is.
pub(super) fn second_start(header: &[u8], start: u32) -> Option<u32> {
    let at = usize::try_from(start).ok()?;
    let header = Fs3Header::parse(header).filter(|header| header.generation == 3)?;
    let log2_chunk = header.effective_log2_chunk(at);
    let chunk = u32::try_from(header.chunk_bytes(at)).ok()?;
    (LOG2_CHUNKS.contains(&log2_chunk) && (start == 0 || start == chunk)).then_some(chunk)
}

/// The places of a flash whose second slot starts at `second`.
pub(super) fn places(second: u32) -> Vec<SlotPlace> {
    let place = |slot, start| SlotPlace {
        slot,
        start,
        stripes: None,
    };
    vec![place(0, 0), place(1, second)]
}

/// Reads the image in a slot: whatever its own tables list.
pub(super) fn read_slot<E>(
    reader: &mut Reader<impl FnMut(u32, &mut [u8]) -> Result<(), E>>,
    place: SlotPlace,
) -> Result<(), E> {
    loop {
        let wanted = wanted(&reader.flash, place);
        let mut more = false;
        for range in wanted {
            more |= reader.know(&range)?;
        }
        if !more {
            return Ok(());
        }
    }
}

/// What must be known to read an image as far as it can be understood; addresses
/// of the flash.
fn wanted(flash: &SparseFlash, place: SlotPlace) -> Vec<Range<u32>> {
    let narrow = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
    let within = |range: Range<u32>| {
        place.start.saturating_add(range.start)..place.start.saturating_add(range.end)
    };
    let mut ranges = vec![within(0..HEAD_BYTES)];
    let start = usize::try_from(place.start).unwrap_or(usize::MAX);
    let Some(image) = image_in_flash(flash.bytes(), place.slot, start).tree else {
        return ranges;
    };
    let Some(boot2) = &image.boot2 else {
        return ranges;
    };
    let boot2_end = BOOT2_OFFSET + boot2.length();
    ranges.push(within(0..narrow(boot2_end)));
    ranges.extend(itoc_search(flash, &image, boot2_end).map(within));
    let Some(itoc) = &image.itoc else {
        return ranges;
    };
    // What is not known looks like the end of the table, so that this goes on
    // until the end itself is known.
    let table = narrow(itoc.address)..narrow(itoc.address + itoc.length());
    ranges.push(within(table));
    if unlisted_counts(flash, &image) {
        ranges.push(within(
            0..u32::try_from(image.data_size()).unwrap_or(u32::MAX),
        ));
    }
    for section in &image.sections {
        let entry = &section.entry;
        let sound = entry.computed_crc() == entry.entry_crc();
        if sound && (entry.relative() || !entry.no_crc()) {
            let edge = |at: u64| u32::try_from(at).unwrap_or(u32::MAX);
            ranges.push(edge(section.offset)..edge(section.end()));
        }
    }
    ranges
}

/// The next place where the ITOC may be that is not known yet, if it was not
/// found before it.
fn itoc_search(flash: &SparseFlash, image: &Fs3Image<'_>, boot2_end: usize) -> Option<Range<u32>> {
    let chunk = usize::try_from(image.header.chunk_bytes(image.start)).unwrap_or(usize::MAX);
    let first = boot2_end.next_multiple_of(ITOC_SECTOR_BYTES);
    for at in (first..chunk).step_by(ITOC_SECTOR_BYTES) {
        let from = u32::try_from(at).ok()?;
        let place = u32::try_from(image.start.checked_add(at)?).ok()?;
        if place >= flash.length() {
            break;
        }
        let Some(bytes) = flash.get(place..place.checked_add(ITOC_HEADER_BYTES)?) else {
            return Some(from..from.checked_add(ITOC_HEADER_BYTES)?);
        };
        if ItocHeader::parse(bytes).is_some_and(|header| header.is_valid()) {
            break;
        }
    }
    None
}

/// Whether the digest may be that of the whole image, what lies between the
/// sections included: it is not that of the sections alone.
fn unlisted_counts(flash: &SparseFlash, image: &Fs3Image<'_>) -> bool {
    let signature = image.section(SectionType::IMAGE_SIGNATURE_256);
    let all_known = image.sections.iter().all(|section| {
        let edge = |at: u64| u32::try_from(at).unwrap_or(u32::MAX);
        let range = edge(section.offset)..edge(section.end());
        !section.entry.relative() || flash.missing(&range).is_empty()
    });
    let has_digest = signature
        .and_then(|section| section.bytes)
        .is_some_and(|bytes| matches!(Signature::of_256(bytes), Signature::Digest(_)));
    has_digest
        && all_known
        && check_in_flash(flash.bytes(), image)
            .iter()
            .any(|finding| finding.kind == FindingKind::BadDigest)
}

/// What is in a slot that has a magic, after it was read.
pub(super) fn slot(flash: &SparseFlash, place: SlotPlace) -> Slot {
    let start = usize::try_from(place.start).unwrap_or(usize::MAX);
    let parsed = image_in_flash(flash.bytes(), place.slot, start);
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
    findings.extend(check_in_flash(flash.bytes(), &image));
    findings.sort_by_key(|finding| finding.offset);
    let facts = image.facts();
    let state = if worst(&findings) == Some(Severity::Error) {
        SlotState::Damaged(Box::new(DamagedImage {
            findings,
            facts: Some(facts),
        }))
    } else {
        let size = u32::try_from(image.size()).unwrap_or(u32::MAX);
        let range = place.start..place.start.saturating_add(size);
        let bytes = flash.bytes().get(in_memory(&range)).unwrap_or_default();
        SlotState::Whole(Box::new(WholeImage {
            facts,
            bytes: bytes.to_vec(),
            rom: image
                .rom()
                .filter(|rom| !rom.is_empty())
                .map(<[u8]>::to_vec),
            findings,
        }))
    };
    Slot { place, state }
}

/// What the tables of all images mark as the card's own.
pub(super) fn device_data(flash: &SparseFlash, slots: &[Slot]) -> Vec<DeviceRegion> {
    let mut regions: Vec<DeviceRegion> = Vec::new();
    for slot in slots.iter().filter(|slot| slot.has_magic()) {
        let start = usize::try_from(slot.place.start).unwrap_or(usize::MAX);
        let Some(image) = image_in_flash(flash.bytes(), slot.place.slot, start).tree else {
            continue;
        };
        for section in &image.sections {
            let entry = &section.entry;
            let sound = entry.computed_crc() == entry.entry_crc();
            if !sound || entry.relative() || entry.size() == 0 {
                continue;
            }
            let end = entry.address().saturating_add(entry.size());
            let region = DeviceRegion {
                name: section.section_type().printed_name(),
                range: entry.address()..end.min(flash.length()),
            };
            if !regions.contains(&region) {
                regions.push(region);
            }
        }
    }
    regions.sort_by_key(|region| (region.range.start, region.range.end));
    regions
}
