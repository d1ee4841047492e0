//! Reading one image: boot2, the chain of sections, the pointers to them.
//!
//! A chain may be damaged or made to do harm: it ends at the first section that
//! lies outside of the file, over another part, or is larger than any may be.
//!
//! # Sources
//! mstflint 4.21, mlxfwops/lib/fs2_ops.cpp (`Fs2Operations::checkList`,
//! `checkGen`, `Fs2Query`).

use std::collections::BTreeMap;

use super::header::{GUID_POINTER_OFFSET, INFO_POINTER_OFFSET, SIZE_OFFSET};
use super::image::slot_path;
use super::section::{NEXT_OFFSET, ends_chain};
use super::stripes::View;
use super::{
    Contents, Fs2Header, Fs2Image, InfoSection, MOST_SECTION_BYTES, SECTION_CRC_BYTES,
    SECTION_HEADER_BYTES, Section, SectionType,
};
use crate::image::boot2::{BOOT2_OFFSET, Boot2};
use crate::image::{Finding, FindingKind, Parsed, Severity};

/// Many times more than released images have.
const MOST_SECTIONS: usize = 4096;
const MOST_GUIDS: usize = 32;

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
        if !at.is_multiple_of(4) {
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
            let available = view.length();
            let severity = if size > available {
                Severity::Error
            } else {
                Severity::Warning
            };
            let finding = Finding::new(
                severity,
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

#[cfg(test)]
mod tests {
    use super::super::file::tests::{GUIDS, ROM, build, findings};
    use super::super::parse;
    use super::*;
    use crate::image::build::flash_dump;

    fn put(bytes: &mut [u8], at: usize, dword: u32) {
        bytes[at..at + 4].copy_from_slice(&dword.to_be_bytes());
    }

    /// Start of each section.
    fn starts(bytes: &[u8]) -> Vec<usize> {
        let file = parse(bytes).tree.unwrap();
        let image = file.slot(0).unwrap();
        image
            .sections
            .iter()
            .map(|section| section.address)
            .collect()
    }

    fn has(bytes: &[u8], kind: FindingKind, path: &str) -> bool {
        let found = findings(bytes);
        found
            .iter()
            .any(|finding| finding.kind == kind && finding.path == path)
    }

    #[test]
    fn sections_come_in_the_order_of_released_images() {
        let bytes = build(&format!("{GUIDS}{ROM}"));
        let file = parse(&bytes).tree.unwrap();
        let image = file.slot(0).unwrap();
        let paths: Vec<String> = image.sections.iter().map(Section::path).collect();
        assert_eq!(
            paths,
            [
                "CNF", "ROM", "GUID", "IMG_INFO", "DDR", "DDR[1]", "DDR[2]", "CNF[1]", "JMP",
                "FW_CONF"
            ]
        );
        assert_eq!(image.end(), bytes.len());
        assert_eq!(image.header.size as usize, bytes.len());
        assert!(image.has_full_crc());
        assert_eq!(findings(&bytes), []);
    }

    #[test]
    fn chains_that_loop_overlap_or_leave_the_file_end() {
        let sound = build(&format!("{GUIDS}{ROM}"));
        let starts = starts(&sound);
        let last = *starts.last().unwrap();
        for (next, kind) in [
            (starts[0], FindingKind::Overlap),
            (last, FindingKind::Overlap),
            (starts[3] + 4, FindingKind::Overlap),
            (0x10, FindingKind::Overlap),
            (0x3a, FindingKind::BadValue),
            (0x7fff_fff0, FindingKind::OutOfImage),
            (sound.len(), FindingKind::OutOfImage),
        ] {
            let mut bytes = sound.clone();
            put(&mut bytes, last + NEXT_OFFSET, u32::try_from(next).unwrap());
            assert!(has(&bytes, kind, "slot0/FW_CONF/next"), "{next:#x}");
            let file = parse(&bytes).tree.unwrap();
            assert!(file.layout().to_bytes() == bytes);
        }
    }

    #[test]
    fn gaps_between_sections_are_kept() {
        let sound = build(GUIDS);
        let starts = starts(&sound);
        let last = *starts.last().unwrap();
        let before = starts[starts.len() - 2];
        let mut bytes = sound[..last].to_vec();
        bytes.extend([0xab; 12]);
        bytes.extend(&sound[last..]);
        put(
            &mut bytes,
            before + NEXT_OFFSET,
            u32::try_from(last + 12).unwrap(),
        );
        let file = parse(&bytes).tree.unwrap();
        let image = file.slot(0).unwrap();
        assert_eq!(image.gaps.len(), 1);
        assert_eq!(image.gaps[0].0, last);
        assert!(file.layout().to_bytes() == bytes);
    }

    #[test]
    fn pointers_must_meet_their_sections() {
        let mut bytes = build(GUIDS);
        let guids = Fs2Header::read(View::contiguous(&bytes))
            .unwrap()
            .guid_pointer;
        put(&mut bytes, GUID_POINTER_OFFSET, guids + 8);
        put(
            &mut bytes,
            INFO_POINTER_OFFSET,
            super::super::checked_word(0x40),
        );
        put(&mut bytes, SIZE_OFFSET, 4);
        for name in ["guid_pointer", "info_pointer", "size"] {
            let path = format!("slot0/header/{name}");
            assert!(has(&bytes, FindingKind::Mismatch, &path), "{name}");
        }
    }

    #[test]
    fn a_boot_block_may_go_on_in_another_chunk() {
        let image = build(&format!(
            "chunk = 0x10000\n{GUIDS}boot2 = {{ random = 3, size = 0x18000 }}\n"
        ));
        let dump = flash_dump([None, Some(&image)], Some(16), 0x10_0000, &[0xff]).unwrap();
        assert!(parse(&dump).tree.unwrap().layout().to_bytes() == dump);
        assert_eq!(findings(&dump), []);
    }
}
