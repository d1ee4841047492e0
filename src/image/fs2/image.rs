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
//! `checkGen`).

use std::collections::BTreeMap;

use super::header::{GUID_POINTER_OFFSET, INFO_POINTER_OFFSET, SIZE_OFFSET};
use super::section::{NEXT_OFFSET, ends_chain};
use super::stripes::{View, physical};
use super::{
    Contents, Fs2Header, InfoSection, MOST_SECTION_BYTES, SECTION_CRC_BYTES, SECTION_HEADER_BYTES,
    Section, SectionType, Stretch, Stripes,
};
use crate::image::boot2::{BOOT2_OFFSET, Boot2};
use crate::image::{Finding, FindingKind, Parsed, Severity};

/// Many times more than released images have.
const MOST_SECTIONS: usize = 4096;
const MOST_GUIDS: usize = 32;

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

/// Reads the image that starts with the first byte of a view.
pub(super) fn parse_image<'a>(view: View<'a>, slot: usize) -> Parsed<Fs2Image<'a>> {
    let path = slot_path(slot);
    let Some(header) = Fs2Header::read(view) else {
        let finding = Finding::error(
            FindingKind::Truncated,
            format!("{path}/header"),
            view.physical(0),
            "the file ends inside of the header",
        );
        return Parsed {
            tree: None,
            findings: vec![finding],
        };
    };
    let mut reader = Reader {
        view,
        findings: header.findings(&format!("{path}/header"), view),
        path,
        taken: BTreeMap::new(),
    };
    let boot2 = reader.boot2();
    let mut image = Fs2Image {
        slot,
        stripes: view.stripes(),
        header,
        sections: Vec::new(),
        gaps: Vec::new(),
        boot2,
    };
    if !image.boot2.is_empty() {
        image.sections = reader.chain(image.chain_start());
    }
    let mut at = image.chain_start();
    let mut gaps = Vec::new();
    for section in image.by_address() {
        if let Some(gap) = view.get(at, section.address).filter(|gap| !gap.is_empty()) {
            gaps.push((at, gap));
        }
        at = section.end();
    }
    image.gaps = gaps;
    reader.pointers(&image);
    reader.findings.sort_by_key(|finding| finding.offset);
    Parsed {
        tree: Some(image),
        findings: reader.findings,
    }
}

struct Reader<'a> {
    view: View<'a>,
    path: String,
    findings: Vec<Finding>,
    /// Start and end of every part.
    taken: BTreeMap<usize, usize>,
}

impl<'a> Reader<'a> {
    fn boot2(&mut self) -> Vec<Boot2<'a>> {
        let mut blocks = Vec::new();
        let mut at = BOOT2_OFFSET;
        for name in ["BOOT2", "BOOT2[1]"] {
            let path = format!("{}/{name}", self.path);
            match self.boot2_at(at, &path) {
                Ok(block) => {
                    at += block.length();
                    blocks.push(block);
                }
                Err(finding) => {
                    self.findings.push(*finding);
                    break;
                }
            }
            let next = self.view.dword(at).map(SectionType::from_id);
            if !matches!(next, Some(SectionType::Unknown(_))) {
                break;
            }
        }
        blocks
    }

    fn boot2_at(&self, at: usize, path: &str) -> Result<Boot2<'a>, Box<Finding>> {
        let rest = self.view.rest(at);
        let first = rest.parts().first().copied().unwrap_or_default();
        let parsed = Boot2::parse(first, path, self.view.physical(at));
        match parsed {
            Err(finding) if finding.kind == FindingKind::Truncated && rest.parts().len() > 1 => {
                // It goes on in another chunk, a megabyte further at most.
                let most = rest.len().min(MOST_SECTION_BYTES + 0x100);
                let bytes = rest.slice(0, most).unwrap_or_default().to_cow();
                let block = Boot2::parse(&bytes, path, self.view.physical(at))?;
                Ok(block.into_owned())
            }
            parsed => parsed,
        }
    }

    fn chain(&mut self, start: usize) -> Vec<Section<'a>> {
        let mut sections: Vec<Section<'a>> = Vec::new();
        let mut counts: BTreeMap<SectionType, usize> = BTreeMap::new();
        self.taken.insert(0, start);
        let mut at = start;
        // Who names the address, for findings.
        let mut pointer = (format!("{}/BOOT2", self.path), BOOT2_OFFSET);
        loop {
            if sections.len() == MOST_SECTIONS {
                self.findings.push(Finding::error(
                    FindingKind::BadValue,
                    pointer.0,
                    self.view.physical(pointer.1),
                    format!("more than {MOST_SECTIONS} sections"),
                ));
                break;
            }
            let Some(mut section) = self.section(at, &pointer) else {
                break;
            };
            let count = counts.entry(section.kind).or_default();
            section.index = *count;
            *count += 1;
            let path = format!("{}/{}", self.path, section.path());
            self.contents(&mut section, &path);
            self.taken.insert(section.address, section.end());
            pointer = (format!("{path}/next"), section.address + NEXT_OFFSET);
            at = section.next as usize;
            let is_last = section.is_last();
            sections.push(section);
            if is_last {
                break;
            }
        }
        sections
    }

    /// The section at an address, its contents not looked into.
    fn section(&mut self, at: usize, pointer: &(String, usize)) -> Option<Section<'a>> {
        let wrong = |kind, message: &str| {
            Finding::error(
                kind,
                pointer.0.clone(),
                self.view.physical(pointer.1),
                message,
            )
        };
        if at % 4 != 0 {
            let finding = wrong(
                FindingKind::BadValue,
                "the address of the next section is not a multiple of 4",
            )
            .expected_found("a multiple of 4", format_args!("{at:#x}"));
            self.findings.push(finding);
            return None;
        }
        let header = at
            .checked_add(SECTION_HEADER_BYTES)
            .and_then(|end| self.view.get(at, end));
        let Some(header) = header else {
            let finding = wrong(
                FindingKind::OutOfImage,
                "the next section lies outside of the file",
            )
            .expected_found(
                format_args!("below {:#x}", self.view.length()),
                format_args!("{at:#x}"),
            );
            self.findings.push(finding);
            return None;
        };
        let mut dwords = header.dwords();
        let mut dword = || dwords.next().unwrap_or_default();
        let kind = SectionType::from_id(dword());
        let (size, param, next) = (dword(), dword(), dword());
        let bytes = Section::data_bytes(kind, size);
        let path = format!("{}/{}", self.path, kind.symbol());
        if bytes > MOST_SECTION_BYTES as u64 {
            self.findings.push(
                Finding::error(
                    FindingKind::BadValue,
                    format!("{path}/size"),
                    self.view.physical(at + 4),
                    "the section is larger than any may be",
                )
                .expected_found(
                    format_args!("at most {MOST_SECTION_BYTES:#x} bytes"),
                    format_args!("{bytes:#x}"),
                ),
            );
            return None;
        }
        // At most 4 MiB, so it fits.
        let bytes = usize::try_from(bytes).unwrap_or_default();
        let data_at = at + SECTION_HEADER_BYTES;
        let crc_at = data_at + bytes;
        let (Some(data), Some(crc)) = (self.view.get(data_at, crc_at), self.view.dword(crc_at))
        else {
            self.findings.push(
                Finding::error(
                    FindingKind::Truncated,
                    path,
                    self.view.physical(at),
                    "the file ends inside of the section",
                )
                .expected_found(
                    format_args!(
                        "{:#x} bytes",
                        bytes + SECTION_HEADER_BYTES + SECTION_CRC_BYTES
                    ),
                    format_args!("{:#x}", self.view.length() - at),
                ),
            );
            return None;
        };
        let end = crc_at + SECTION_CRC_BYTES;
        let overlaps = self
            .taken
            .range(..end)
            .next_back()
            .is_some_and(|(_, &other_end)| other_end > at);
        if overlaps {
            let finding = wrong(
                FindingKind::Overlap,
                "the next section lies over a part that was there before it",
            );
            self.findings.push(finding.expected_found(
                "bytes of no other part",
                format_args!("{at:#x} to {end:#x}"),
            ));
            return None;
        }
        Some(Section {
            address: at,
            kind,
            index: 0,
            size,
            param,
            next,
            contents: Contents::Bytes(data),
            crc,
        })
    }

    /// Looks into the contents of a section, where the format says what they are.
    fn contents(&mut self, section: &mut Section<'a>, path: &str) {
        let Contents::Bytes(data) = &section.contents else {
            return;
        };
        let data_address = section.data_address();
        match section.kind {
            SectionType::ImageInfo => {
                let (info, findings) = InfoSection::parse(data);
                let moved = findings.into_iter().map(|finding| {
                    let at = usize::try_from(finding.offset).unwrap_or_default();
                    let offset = self.view.physical(data_address + at);
                    Finding {
                        offset: 0,
                        ..finding
                    }
                    .within(path, offset)
                });
                self.findings.extend(moved);
                section.contents = Contents::Info(info);
            }
            SectionType::Guid if data.len() % 8 == 0 && data.len() <= MOST_GUIDS * 8 => {
                let dwords: Vec<u32> = data.dwords().collect();
                let (pairs, _) = dwords.as_chunks::<2>();
                let guids = pairs
                    .iter()
                    .map(|[high, low]| u64::from(*high) << 32 | u64::from(*low));
                section.contents = Contents::Guids(guids.collect());
            }
            SectionType::Guid => self.findings.push(
                Finding::error(
                    FindingKind::BadValue,
                    format!("{path}/size"),
                    self.view.physical(section.address + 4),
                    "a GUID section of impossible size",
                )
                .expected_found(
                    format_args!("a multiple of 8 bytes, at most {:#x}", MOST_GUIDS * 8),
                    format_args!("{:#x}", data.len()),
                ),
            ),
            SectionType::Unknown(_) => self.findings.push(Finding::warning(
                FindingKind::Unknown,
                path,
                self.view.physical(section.address),
                "the type of the section is in no known list",
            )),
            _ => {}
        }
    }

    /// Whether the header and the sections tell the same story.
    fn pointers(&mut self, image: &Fs2Image<'a>) {
        let header = &image.header;
        let chain_ended = image
            .sections
            .last()
            .is_some_and(|section| ends_chain(section.next));
        if !chain_ended {
            // What is missing was said, or cannot be known.
            return;
        }
        let (path, view) = (&self.path, self.view);
        let mut points = |kind: SectionType, name: &str, offset: usize, address: Option<u32>| {
            let sections = image.sections.iter();
            let mut starts = sections
                .filter(|section| section.kind == kind)
                .map(Section::data_address)
                .peekable();
            let Some(&first) = starts.peek() else {
                // mstflint needs the GUIDs to answer a query, and does without
                // the rest.
                let severity = match kind {
                    SectionType::Guid => Severity::Error,
                    _ if address.is_some() => Severity::Error,
                    _ => Severity::Warning,
                };
                let finding = Finding::new(
                    severity,
                    FindingKind::Missing,
                    format!("{path}/{}", kind.symbol()),
                    view.physical(offset),
                    format!("there is no {} section", kind.title()),
                );
                self.findings.push(finding);
                return;
            };
            let address = address.unwrap_or(0) as usize;
            if !starts.any(|start| start == address) {
                let finding = Finding::error(
                    FindingKind::Mismatch,
                    format!("{path}/header/{name}"),
                    view.physical(offset),
                    format!("the header does not point to the {} section", kind.title()),
                );
                self.findings.push(
                    finding
                        .expected_found(format_args!("{first:#x}"), format_args!("{address:#x}")),
                );
            }
        };
        let info = header.info_address();
        points(
            SectionType::ImageInfo,
            "info_pointer",
            INFO_POINTER_OFFSET,
            info,
        );
        let guids = Some(header.guid_pointer);
        points(
            SectionType::Guid,
            "guid_pointer",
            GUID_POINTER_OFFSET,
            guids,
        );
        for kind in [SectionType::ImageInfo, SectionType::Guid, SectionType::Rom] {
            let second = image
                .sections
                .iter()
                .find(|section| section.kind == kind && section.index == 1);
            if let Some(second) = second {
                self.findings.push(Finding::warning(
                    FindingKind::BadValue,
                    format!("{path}/{}", second.path()),
                    view.physical(second.address),
                    format!("a second {} section", kind.title()),
                ));
            }
        }
        let size = header.size as usize;
        if size != image.end() {
            let finding = Finding::warning(
                FindingKind::Mismatch,
                format!("{path}/header/size"),
                view.physical(SIZE_OFFSET),
                "the size of the image is not where its last section ends",
            );
            self.findings.push(finding.expected_found(
                format_args!("{:#x}", image.end()),
                format_args!("{size:#x}"),
            ));
        }
    }
}
