//! The SHA-256 of an FS3 image.
//!
//! It is over the image from its start to the end of its last section, with FF
//! in place of the magic, of the ITOC entries of device data, of the signature
//! section and of its ITOC entry. mstflint hashes only what the image lists, and
//! FF for what lies between; whoever releases images hashes the file. Both are
//! the same as long as there is FF between the parts.
//!
//! # Sources
//! mstflint 4.21, mlxfwops/lib/fs3_ops.cpp (`Fs3Operations::FwCalcSHA`,
//! `Fs3Operations::FwExtract4MBImage`, `Fs3Operations::MaskItocSectionAndEntry`,
//! `Fs3Operations::maskDevToc`) and mft_utils/mlarge_buffer.cpp.

use std::ops::Range;

use sha2::{Digest, Sha256};

use crate::image::boot2::BOOT2_OFFSET;
use crate::image::checksum::crc16;

use super::header::HEADER_BYTES;
use super::itoc::ITOC_SECTOR_BYTES;
use super::itoc_entry::ENTRY_BYTES;
use super::mosaic::Mosaic;
use super::signature::digest_section;
use super::{Fs3Header, Fs3Image, SectionType};

const MAGIC_BYTES: u64 = 16;
static BLANK: [u8; 0x1000] = [0xff; 0x1000];

/// What counts for what lies between the parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Gaps {
    /// FF, as in mstflint.
    Blank,
    /// What is in the file.
    Stored,
}

/// What is hashed of a stretch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Source {
    /// What is in the file.
    File,
    /// FF.
    Blank,
}

/// What mstflint reads of an image, by addresses from the start of it.
pub(super) fn listed(image: &Fs3Image<'_>) -> Mosaic<Source> {
    let mut mosaic = Mosaic::new();
    for range in listed_ranges(image) {
        mosaic.lay(range, Source::File);
    }
    mosaic
}

fn listed_ranges(image: &Fs3Image<'_>) -> Vec<Range<u64>> {
    let range = |from: usize, length: usize| from as u64..from.saturating_add(length) as u64;
    let mut ranges = vec![range(0, HEADER_BYTES)];
    if let Some(boot2) = &image.boot2 {
        ranges.push(range(BOOT2_OFFSET, boot2.length()));
        if let Some(itoc) = &image.itoc {
            // It looked for the ITOC in every sector before.
            let first = (BOOT2_OFFSET + boot2.length()).next_multiple_of(ITOC_SECTOR_BYTES);
            let sectors = (first..itoc.address).step_by(ITOC_SECTOR_BYTES);
            ranges.extend(sectors.map(|sector| range(sector, ENTRY_BYTES)));
            ranges.push(range(itoc.address, itoc.length()));
        }
    }
    let start = image.start as u64;
    ranges.extend(
        image.sections.iter().map(|section| {
            section.offset.saturating_sub(start)..section.end().saturating_sub(start)
        }),
    );
    ranges
}

/// The digest of an image.
pub(super) fn digest(file: &[u8], image: &Fs3Image<'_>, gaps: Gaps) -> [u8; 32] {
    let start = image.start as u64;
    let there = (file.len() as u64).saturating_sub(start);
    let size = image.data_size().min(there);
    let mut mosaic = match gaps {
        Gaps::Blank => listed(image),
        Gaps::Stored => {
            let mut mosaic = Mosaic::new();
            mosaic.lay(0..size, Source::File);
            mosaic
        }
    };
    mosaic.lay(0..MAGIC_BYTES, Source::Blank);
    for (number, section) in image.sections.iter().enumerate() {
        let signature = section.section_type() == SectionType::IMAGE_SIGNATURE_256;
        if let (Some(itoc), true) = (&image.itoc, signature || section.entry.device_data()) {
            let at = itoc.entry_address(number) as u64;
            mosaic.lay(at..at + ENTRY_BYTES as u64, Source::Blank);
        }
        if signature {
            let from = u64::from(section.entry.address());
            mosaic.lay(from..from + u64::from(section.entry.size()), Source::Blank);
        }
    }
    let mut hash = Sha256::new();
    for visible in mosaic.visible(0..size) {
        let in_file = |at: u64| usize::try_from(start.saturating_add(at)).unwrap_or(usize::MAX);
        match visible.top {
            Some((_, Source::File)) => {
                let range = in_file(visible.range.start)..in_file(visible.range.end);
                hash.update(file.get(range).unwrap_or_default());
            }
            Some((_, Source::Blank)) | None => {
                let mut left = visible.range.end.saturating_sub(visible.range.start);
                while left > 0 {
                    let step = usize::try_from(left).map_or(BLANK.len(), |n| n.min(BLANK.len()));
                    hash.update(BLANK.get(..step).unwrap_or_default());
                    left -= step as u64;
                }
            }
        }
    }
    hash.finalize().into()
}

/// The signature section of the image that starts at `start`, with its digest,
/// and the entry that goes with it: where each is in the file, and its bytes.
/// Nothing when there is no such section.
pub(in crate::image) fn image_digest(file: &[u8], start: usize) -> Vec<(usize, Vec<u8>)> {
    patches(file, start).map_or_else(Vec::new, Vec::from)
}

fn patches(file: &[u8], start: usize) -> Option<[(usize, Vec<u8>); 2]> {
    let header = Fs3Header::parse(file.get(start..)?)?;
    let image = Fs3Image::parse(file, 0, start, header, &mut Vec::new());
    let itoc = image.itoc.as_ref()?;
    let number = image
        .sections
        .iter()
        .position(|section| section.section_type() == SectionType::IMAGE_SIGNATURE_256)?;
    let section = image.sections.get(number)?;
    let contents = digest_section(&digest(file, &image, Gaps::Blank), section.bytes?.len());
    let entry = section
        .entry
        .with_section_crc(crc16(&contents))
        .rewritten()
        .to_bytes();
    let offset = usize::try_from(section.offset).ok()?;
    Some([
        (offset, contents),
        (start + itoc.entry_address(number), entry),
    ])
}
