//! One FS2 image: header, boot2, sections.
//!
//! | offset | content |
//! |---|---|
//! | 0 | [header](super::Fs2Header) |
//! | 0x38 | [boot2](crate::image::boot2) |
//! | behind it | a second block of the same shape, where the next dword is no section type |
//! | behind it | the first [section](super::Section); each names the address of the next |
//!
//! # Sources
//! mstflint 4.21, mlxfwops/lib/fs2_ops.cpp (`Fs2Operations::checkList`,
//! `Fs2Verify`).

use super::stripes::physical;
use super::{Contents, Fs2Header, InfoSection, Section, SectionType, Stretch, Stripes};
use crate::image::boot2::{BOOT2_OFFSET, Boot2};

/// An FS2 image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fs2Image<'a> {
    /// Which image of a flash dump: 0 or 1.
    pub slot: usize,
    /// Which chunks of the file it has; `None` where it lies in one row.
    pub stripes: Option<Stripes>,
    /// Its header.
    pub header: Fs2Header,
    /// One or two blocks of boot code.
    pub boot2: Vec<Boot2<'a>>,
    /// The sections, in the order of the chain.
    pub sections: Vec<Section<'a>>,
    /// What lies between the sections, with the addresses; nothing in released
    /// images.
    pub gaps: Vec<(usize, Stretch<'a>)>,
}

impl<'a> Fs2Image<'a> {
    /// Where an address of the image is in the file.
    #[must_use]
    pub fn physical(&self, address: usize) -> u64 {
        physical(self.stripes, address)
    }

    /// Its name in paths.
    #[must_use]
    pub fn path(&self) -> String {
        slot_path(self.slot)
    }

    /// Where the first section is.
    #[must_use]
    pub fn chain_start(&self) -> usize {
        BOOT2_OFFSET + self.boot2.iter().map(Boot2::length).sum::<usize>()
    }

    /// The first byte after its last part.
    #[must_use]
    pub fn end(&self) -> usize {
        let ends = self.sections.iter().map(Section::end);
        ends.max().unwrap_or_else(|| self.chain_start())
    }

    /// The first section of a kind.
    #[must_use]
    pub fn section(&self, kind: SectionType) -> Option<&Section<'a>> {
        self.sections.iter().find(|section| section.kind == kind)
    }

    /// What it says of itself.
    #[must_use]
    pub fn info(&self) -> Option<&InfoSection<'a>> {
        self.sections
            .iter()
            .find_map(|section| match &section.contents {
                Contents::Info(info) => Some(info),
                _ => None,
            })
    }

    /// Whether its GUIDs were never set, so that no CRC covers them.
    #[must_use]
    pub fn has_blank_guids(&self) -> bool {
        self.sections.iter().any(Section::is_blank)
    }

    /// Whether its full-image CRC says something: mstflint looks at it only in
    /// an image that names the oldest mstflint for it (tag 11), and not while
    /// the GUIDs are blank.
    #[must_use]
    pub fn has_full_crc(&self) -> bool {
        let has_tag = self.info().is_some_and(|info| info.tag(11).is_some());
        has_tag && !self.has_blank_guids()
    }

    /// The sections in the order of their addresses.
    #[must_use]
    pub fn by_address(&self) -> Vec<&Section<'a>> {
        let mut sections: Vec<_> = self.sections.iter().collect();
        sections.sort_by_key(|section| section.address);
        sections
    }
}

/// The name of a slot in paths.
pub(super) fn slot_path(slot: usize) -> String {
    format!("slot{slot}")
}
