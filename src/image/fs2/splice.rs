//! An image with a ROM section put in, replaced or taken out, and all addresses
//! and CRCs brought up to date.
//!
//! # Sources
//! mstflint 4.21, mlxfwops/lib/fs2_ops.cpp (`Fs2Operations::UpdateRomInImage`,
//! `AddNewSect`, `UpdateFullImageCRC`).

use super::header::{
    CRC_FLAG_OFFSET, CRC_OFFSET, GUID_POINTER_OFFSET, INFO_POINTER_OFFSET, SIZE_OFFSET,
    checked_word,
};
use super::read_image::parse_image;
use super::section::{NEXT_OFFSET, encode_header, ends_chain};
use super::stripes::View;
use super::target::{crc_dword, put};
use super::{Fs2Image, LAST, SECTION_CRC_BYTES, SECTION_HEADER_BYTES, Section, SectionType};
use crate::image::{ByteChange, EditError, RomEdit};

/// Bytes of an image that go out, and a ROM section that comes in there.
pub(super) struct Splice<'r> {
    at: usize,
    removed: usize,
    rom: Option<&'r [u8]>,
    /// `next` of the new section, by old addresses.
    next: u32,
    /// The section whose `next` is not only moved, and its new `next`, by old
    /// addresses.
    relinked: Option<(usize, Link)>,
}

#[derive(Clone, Copy)]
enum Link {
    /// To the new ROM.
    ToRom,
    /// To what the removed ROM pointed to.
    To(u32),
}

impl<'r> Splice<'r> {
    pub(super) fn new(image: &Fs2Image<'_>, edit: RomEdit<'r>) -> Result<Self, EditError> {
        let slot = image.slot;
        let unsupported = |reason: &str| EditError::Unsupported {
            format: "FS2".to_owned(),
            reason: reason.to_owned(),
        };
        let roms: Vec<usize> = (0..)
            .zip(&image.sections)
            .filter(|(_, section)| section.kind == SectionType::Rom)
            .map(|(index, _)| index)
            .collect();
        let old = match roms[..] {
            [] => None,
            [one] => image.sections.get(one).map(|section| (one, section)),
            _ => return Err(unsupported("the image has several expansion ROMs")),
        };
        match (edit, old) {
            (RomEdit::Insert(_), Some((_, old))) => Err(EditError::HasRom {
                slot,
                offset: image.physical(old.data_address()),
            }),
            (RomEdit::Replace(_) | RomEdit::Remove, None) => Err(EditError::NoRom { slot }),
            (RomEdit::Insert(rom), None) => {
                let first = image.sections.first().ok_or_else(|| EditError::Lacks {
                    part: "section".to_owned(),
                    needed_for: "the ROM would follow".to_owned(),
                })?;
                Ok(Self {
                    at: first.end(),
                    removed: 0,
                    rom: Some(rom),
                    next: first.next,
                    relinked: Some((0, Link::ToRom)),
                })
            }
            (RomEdit::Replace(rom), Some((_, old))) => Ok(Self {
                at: old.address,
                removed: old.end() - old.address,
                rom: Some(rom),
                next: old.next,
                relinked: None,
            }),
            (RomEdit::Remove, Some((index, old))) => {
                let relinked = index
                    .checked_sub(1)
                    .map(|before| (before, Link::To(old.next)));
                if relinked.is_none() && old.next as usize != old.end() {
                    return Err(unsupported(
                        "the ROM is the first section, and the next one does not follow it",
                    ));
                }
                Ok(Self {
                    at: old.address,
                    removed: old.end() - old.address,
                    rom: None,
                    next: 0,
                    relinked,
                })
            }
        }
    }

    fn inserted(&self) -> usize {
        self.rom.map_or(0, |rom| {
            SECTION_HEADER_BYTES + rom.len() + SECTION_CRC_BYTES
        })
    }

    /// Where an address of the old image is in the new one.
    pub(super) fn moved(&self, address: usize) -> usize {
        let behind = self.at + self.removed;
        if address >= behind {
            address - behind + self.at + self.inserted()
        } else {
            address
        }
    }

    fn moved_next(&self, next: u32) -> u32 {
        if ends_chain(next) {
            return next;
        }
        let moved = usize::try_from(next).map(|next| self.moved(next));
        moved
            .ok()
            .and_then(|next| u32::try_from(next).ok())
            .unwrap_or(LAST)
    }

    fn is_removed(&self, section: &Section<'_>) -> bool {
        self.removed > 0 && section.address == self.at
    }

    /// The change itself, for people.
    pub(super) fn change(&self, image: &Fs2Image<'_>) -> Vec<ByteChange> {
        let old = image.section(SectionType::Rom).map(Section::data);
        let what = match (&old, self.rom) {
            (Some(old), Some(new)) if **old == *new => return Vec::new(),
            (Some(old), Some(new)) => {
                format!("{:#x} bytes -> {:#x} bytes", old.len(), new.len())
            }
            (None, Some(new)) => format!("{:#x} bytes inserted", new.len()),
            (Some(old), None) => format!("{:#x} bytes removed", old.len()),
            (None, None) => return Vec::new(),
        };
        vec![ByteChange {
            path: format!("{}/ROM", image.path()),
            offset: image.physical(self.at),
            length: self.inserted() as u64,
            what,
        }]
    }

    /// The new image, in one row.
    pub(super) fn apply(&self, image: &Fs2Image<'_>, changes: &mut Vec<ByteChange>) -> Vec<u8> {
        let old = image.layout().to_bytes();
        let mut new = Vec::with_capacity(self.moved(old.len()));
        new.extend_from_slice(old.get(..self.at).unwrap_or_default());
        if let Some(rom) = self.rom {
            let dwords = u32::try_from(rom.len() / 4).unwrap_or(u32::MAX);
            let next = self.moved_next(self.next);
            let header = encode_header(SectionType::Rom, dwords, 0, next);
            let start = new.len();
            new.extend(header);
            new.extend_from_slice(rom);
            let crc = crc_dword(new.get(start..).unwrap_or_default());
            new.extend(crc);
        }
        new.extend_from_slice(old.get(self.at + self.removed..).unwrap_or_default());
        self.link(image, &mut new, changes);
        self.header(image, &mut new, changes);
        new
    }

    /// Brings the addresses in the sections up to date.
    fn link(&self, image: &Fs2Image<'_>, new: &mut [u8], changes: &mut Vec<ByteChange>) {
        let mut relinked = 0_usize;
        let mut first = None;
        for (index, section) in image.sections.iter().enumerate() {
            if self.is_removed(section) {
                continue;
            }
            let next = match self.relinked {
                Some((before, Link::ToRom)) if before == index => {
                    u32::try_from(self.at).unwrap_or(LAST)
                }
                Some((before, Link::To(next))) if before == index => self.moved_next(next),
                _ => self.moved_next(section.next),
            };
            if next == section.next {
                continue;
            }
            let start = self.moved(section.address);
            put(new, start + NEXT_OFFSET, &next.to_be_bytes());
            if !section.is_blank() {
                let crc_at =
                    self.moved(section.address) + SECTION_HEADER_BYTES + section.data_length();
                let crc = crc_dword(new.get(start..crc_at).unwrap_or_default());
                put(new, crc_at, &crc);
            }
            relinked += 1;
            first.get_or_insert((section.path(), start));
        }
        if let Some((path, start)) = first {
            changes.push(ByteChange {
                path: format!("{}/{path}/next", image.path()),
                offset: image.physical(start + NEXT_OFFSET),
                length: 4,
                what: format!(
                    "the address of the next section, and the CRC, in {relinked} sections"
                ),
            });
        }
    }

    /// Brings the header up to date.
    fn header(&self, image: &Fs2Image<'_>, new: &mut [u8], changes: &mut Vec<ByteChange>) {
        let old = &image.header;
        let mut field = |new: &mut [u8], name: &str, at: usize, from: u32, to: u32| {
            if from != to {
                put(new, at, &to.to_be_bytes());
                changes.push(change(image, name, at, 4, from, to));
            }
        };
        let moved = |address: u32| self.moved_next(address);
        if let Some(info) = old.info_address() {
            let pointer = checked_word(moved(info));
            field(
                new,
                "info_pointer",
                INFO_POINTER_OFFSET,
                old.info_pointer,
                pointer,
            );
        }
        let guids = moved(old.guid_pointer);
        field(
            new,
            "guid_pointer",
            GUID_POINTER_OFFSET,
            old.guid_pointer,
            guids,
        );
        let size = u32::try_from(self.moved(image.end())).unwrap_or(old.size);
        field(new, "size", SIZE_OFFSET, old.size, size);
        if old.crc_absent != 0 {
            put(new, CRC_FLAG_OFFSET, &[0]);
            let from = u32::from(old.crc_absent);
            changes.push(change(image, "crc_absent", CRC_FLAG_OFFSET, 1, from, 0));
        }
        if let Some(crc) = new_full_crc(image, new) {
            put(new, CRC_OFFSET, &crc.to_be_bytes());
            changes.push(change(
                image,
                "crc",
                CRC_OFFSET,
                2,
                u32::from(old.crc),
                u32::from(crc),
            ));
        }
    }
}

/// A change of a value in the header.
pub(super) fn change(
    image: &Fs2Image<'_>,
    name: &str,
    at: usize,
    length: u64,
    from: u32,
    to: u32,
) -> ByteChange {
    ByteChange {
        path: format!("{}/header/{name}", image.path()),
        offset: image.physical(at),
        length,
        what: format!("{from:#x} -> {to:#x}"),
    }
}

/// The full-image CRC that a changed image must get, if another than it has.
///
/// One that does not count, and was not right before, stays as it is.
pub(super) fn new_full_crc(old: &Fs2Image<'_>, new: &[u8]) -> Option<u16> {
    let was_right = old.header.crc == old.computed_full_crc();
    if !was_right && !old.has_full_crc() {
        return None;
    }
    let parsed = parse_image(View::contiguous(new), old.slot);
    let crc = parsed.tree?.computed_full_crc();
    (crc != old.header.crc).then_some(crc)
}
