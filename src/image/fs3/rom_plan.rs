//! Where everything goes when the expansion ROM of an FS3 image changes.
//!
//! The ROM goes where the old one is, or else before PCI_CODE. What lies behind
//! it and has an address within the image moves: by the size of the ROM when it
//! comes or goes, by as much as it grew when it is replaced, always rounded up to
//! 4 KiB. A smaller ROM moves nothing. Entries of what moves are written anew.
//!
//! # Sources
//! mstflint 4.21, mlxfwops/lib/fs3_ops.cpp (`Fs3Operations::GetModifiedSectionInfo`,
//! `Fs3Operations::UpdateItocAfterInsert`).

use crate::image::checksum::crc16;
use crate::image::{EditError, RomEdit};

use super::itoc_entry::ENTRY_BYTES;
use super::{Fs3Image, ItocEntry, MOST_ENTRIES, SectionType};

const SECTOR_BYTES: i64 = 0x1000;

/// A section of the new image.
#[derive(Clone, Debug)]
pub(super) struct Planned<'a> {
    /// What it is called.
    pub(super) name: String,
    /// Its entry.
    pub(super) entry: ItocEntry,
    /// Its contents.
    pub(super) bytes: &'a [u8],
    /// By how much it moved.
    pub(super) moved: i64,
}

impl Planned<'_> {
    /// Where it is in the file.
    pub(super) fn offset(&self, start: usize) -> u64 {
        let base = if self.entry.relative() { start } else { 0 };
        base as u64 + u64::from(self.entry.address())
    }

    /// Where it ends in the file.
    fn end(&self, start: usize) -> u64 {
        self.offset(start) + u64::from(self.entry.size())
    }
}

/// The sections of the new image.
pub(super) fn plan<'a>(
    image: &Fs3Image<'a>,
    edit: RomEdit<'a>,
    file_length: usize,
) -> Result<Vec<Planned<'a>>, EditError> {
    let (anchor, rom) = anchor(image, edit)?;
    let Some(anchor_entry) = image.sections.get(anchor).map(|section| section.entry) else {
        return Err(lacks_anchor());
    };
    let replaces = anchor_entry.section_type() == SectionType::ROM_CODE;
    let old = if replaces {
        i64::from(anchor_entry.size())
    } else {
        0
    };
    let shift = match rom {
        Some(rom) => {
            let grown = i64::try_from(rom.len()).unwrap_or(i64::MAX / 2) - old;
            round_up(grown.max(0))
        }
        None => -round_up(old),
    };
    if shift >= 1 << 30 || rom.is_some_and(|rom| rom.len() >= 1 << 24) {
        return Err(too_large(
            "the ROM",
            rom.map_or(0, |rom| rom.len() as u64),
            1 << 24,
            "no section is larger",
        ));
    }
    let mut planned = Vec::new();
    for (number, section) in image.sections.iter().enumerate() {
        let bytes = section.bytes.unwrap_or_default();
        let entry = section.entry;
        let keep = |entry, moved| Planned {
            name: section.name.clone(),
            entry,
            bytes,
            moved,
        };
        let behind = entry.relative() && entry.address() > anchor_entry.address();
        if number == anchor {
            if let Some(rom) = rom {
                // An inserted ROM inherits the parameters of PCI_CODE, as with
                // mstflint.
                planned.push(Planned {
                    name: SectionType::ROM_CODE.spelled(),
                    entry: rom_entry(&entry, rom),
                    bytes: rom,
                    moved: 0,
                });
                if !replaces {
                    planned.push(keep(moved(&entry, shift), shift));
                }
            }
        } else if behind {
            planned.push(keep(moved(&entry, shift), shift));
        } else {
            planned.push(keep(entry, 0));
        }
    }
    fits(image, &planned, file_length)?;
    Ok(planned)
}

/// The entry that the edit goes by, and the new ROM.
fn anchor<'a>(
    image: &Fs3Image<'a>,
    edit: RomEdit<'a>,
) -> Result<(usize, Option<&'a [u8]>), EditError> {
    let position = |section_type| {
        image
            .sections
            .iter()
            .position(|section| section.section_type() == section_type)
    };
    let old = position(SectionType::ROM_CODE);
    let slot = image.slot;
    let (number, rom) = match (edit, old) {
        (RomEdit::Insert(_), Some(old)) => {
            let offset = image.sections.get(old).map_or(0, |section| section.offset);
            return Err(EditError::HasRom { slot, offset });
        }
        (RomEdit::Replace(_) | RomEdit::Remove, None) => return Err(EditError::NoRom { slot }),
        (RomEdit::Insert(rom), None) => {
            let pci = position(SectionType::PCI_CODE).ok_or_else(lacks_anchor)?;
            (pci, Some(rom))
        }
        (RomEdit::Replace(rom), Some(old)) => (old, Some(rom)),
        (RomEdit::Remove, Some(old)) => (old, None),
    };
    let relative = image
        .sections
        .get(number)
        .is_some_and(|section| section.entry.relative());
    if relative {
        Ok((number, rom))
    } else {
        Err(EditError::Unsupported {
            format: "FS3".to_owned(),
            reason: "the section that the ROM goes by has no address within the image".to_owned(),
        })
    }
}

fn lacks_anchor() -> EditError {
    EditError::Lacks {
        part: "PCI_CODE".to_owned(),
        needed_for: "says where the ROM goes".to_owned(),
    }
}

fn round_up(bytes: i64) -> i64 {
    bytes.saturating_add(SECTOR_BYTES - 1) / SECTOR_BYTES * SECTOR_BYTES
}

fn rom_entry(anchor: &ItocEntry, rom: &[u8]) -> ItocEntry {
    anchor
        .with_type(SectionType::ROM_CODE)
        .with_size(u32::try_from(rom.len()).unwrap_or(u32::MAX))
        .with_section_crc(crc16(rom))
        .rewritten()
}

fn moved(entry: &ItocEntry, shift: i64) -> ItocEntry {
    let address = i64::from(entry.address()).saturating_add(shift);
    // What does not fit is refused afterwards.
    entry
        .with_address(u32::try_from(address).unwrap_or(u32::MAX))
        .rewritten()
}

fn too_large(what: &str, needed: u64, available: u64, limit: impl Into<String>) -> EditError {
    EditError::TooLarge {
        what: what.to_owned(),
        needed,
        available,
        limit: limit.into(),
    }
}

/// Whether there is room for all of it.
fn fits(
    image: &Fs3Image<'_>,
    planned: &[Planned<'_>],
    file_length: usize,
) -> Result<(), EditError> {
    if planned.len() > MOST_ENTRIES {
        return Err(too_large(
            "the table of contents",
            (planned.len() * ENTRY_BYTES) as u64,
            (MOST_ENTRIES * ENTRY_BYTES) as u64,
            format!("it has room for {MOST_ENTRIES} entries"),
        ));
    }
    let what = "the image with this ROM";
    let relative = planned.iter().filter(|section| section.entry.relative());
    let size = relative
        .clone()
        .map(|section| u64::from(section.entry.address()) + u64::from(section.entry.size()))
        .max()
        .unwrap_or(0);
    let room = (file_length as u64).saturating_sub(image.start as u64);
    let limit = image.data_limit();
    if size > limit {
        return Err(too_large(
            what,
            size,
            limit,
            "device data or the other half of the flash begins there",
        ));
    }
    if size > room {
        return Err(too_large(what, size, room, "the file ends there"));
    }
    for section in relative.filter(|section| section.moved != 0 || section.name == "ROM_CODE") {
        let (from, to) = (section.offset(image.start), section.end(image.start));
        let in_the_way = planned.iter().find(|other| {
            let (start, end) = (other.offset(image.start), other.end(image.start));
            !other.entry.relative() && start < end && start < to && from < end
        });
        if let Some(other) = in_the_way {
            return Err(too_large(
                what,
                size,
                other.offset(image.start).saturating_sub(image.start as u64),
                format!("{} is there and cannot move", other.name),
            ));
        }
    }
    Ok(())
}
