//! One FS3 image in a file: header, boot2, ITOC, sections.

use crate::image::boot2::{BOOT2_OFFSET, Boot2};
use crate::image::{Finding, FindingKind};

use super::{Fs3Header, ImageInfo, Itoc, ItocEntry, SectionType};

/// One image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fs3Image<'a> {
    /// Which half of the flash it is for: 0 or 1.
    pub slot: usize,
    /// Where it starts in the file.
    pub start: usize,
    /// Its header.
    pub header: Fs3Header,
    /// The code that loads the rest; `None` when it is damaged.
    pub boot2: Option<Boot2<'a>>,
    /// The table of contents; `None` when there is none.
    pub itoc: Option<Itoc>,
    /// Tables of contents that do not count.
    pub spares: Vec<Itoc>,
    /// The sections, in the order of the table of contents.
    pub sections: Vec<Section<'a>>,
}

/// One section.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Section<'a> {
    /// Its name, and a number when there are several of its type.
    pub name: String,
    /// Its entry in the table of contents.
    pub entry: ItocEntry,
    /// Where it starts in the file.
    pub offset: u64,
    /// Its contents; `None` when they are not within the file.
    pub bytes: Option<&'a [u8]>,
}

impl Section<'_> {
    /// Where it ends in the file.
    #[must_use]
    pub fn end(&self) -> u64 {
        self.offset.saturating_add(u64::from(self.entry.size()))
    }

    /// What it is.
    #[must_use]
    pub fn section_type(&self) -> SectionType {
        self.entry.section_type()
    }
}

impl<'a> Fs3Image<'a> {
    /// Reads the image that starts at `start`.
    pub(super) fn parse(
        file: &'a [u8],
        slot: usize,
        start: usize,
        header: Fs3Header,
        findings: &mut Vec<Finding>,
    ) -> Self {
        let mut image = Self {
            slot,
            start,
            header,
            boot2: None,
            itoc: None,
            spares: Vec::new(),
            sections: Vec::new(),
        };
        header.check(&image.path("header"), start, findings);
        let rest = file.get(start..).unwrap_or_default();
        let chunk = usize::try_from(header.chunk_bytes(start)).unwrap_or(usize::MAX);
        let rest = rest.get(..chunk).unwrap_or(rest);
        let boot2_offset = (start + BOOT2_OFFSET) as u64;
        let code = rest.get(BOOT2_OFFSET..).unwrap_or_default();
        match Boot2::parse(code, &image.path("BOOT2"), boot2_offset) {
            Ok(boot2) => {
                let end = BOOT2_OFFSET + boot2.length();
                image.boot2 = Some(boot2);
                (image.itoc, image.spares) = Itoc::find(rest, end);
                match &image.itoc {
                    Some(itoc) => itoc.check(&image.path("ITOC"), start, findings),
                    None => findings.push(Finding::error(
                        FindingKind::Missing,
                        image.path("ITOC"),
                        (start + end) as u64,
                        "there is no table of contents behind boot2",
                    )),
                }
            }
            Err(finding) => findings.push(*finding),
        }
        image.read_sections(file, findings);
        image
    }

    fn read_sections(&mut self, file: &'a [u8], findings: &mut Vec<Finding>) {
        let entries = self.itoc.iter().flat_map(|itoc| &itoc.entries);
        let mut sections: Vec<Section<'a>> = Vec::new();
        for entry in entries.copied() {
            let section_type = entry.section_type();
            let same = sections
                .iter()
                .filter(|other| other.section_type() == section_type);
            let name = match same.count() {
                0 => section_type.spelled(),
                before => format!("{}#{}", section_type.spelled(), before + 1),
            };
            let base = if entry.relative() { self.start } else { 0 };
            let offset = base as u64 + u64::from(entry.address());
            let end = offset + u64::from(entry.size());
            let bytes = usize::try_from(offset)
                .ok()
                .zip(usize::try_from(end).ok())
                .and_then(|(from, to)| file.get(from..to));
            sections.push(Section {
                name,
                entry,
                offset,
                bytes,
            });
        }
        for section in sections.iter().filter(|section| section.bytes.is_none()) {
            findings.push(
                Finding::error(
                    FindingKind::OutOfImage,
                    self.path(&section.name),
                    section.offset,
                    "the section is not within the file",
                )
                .expected_found(
                    format_args!("an end up to {:#x}", file.len()),
                    format_args!("{:#x}", section.end()),
                ),
            );
        }
        self.sections = sections;
    }

    /// A path within this image.
    pub(super) fn path(&self, inner: &str) -> String {
        format!("slot{}/{inner}", self.slot)
    }

    /// The first section of a type.
    #[must_use]
    pub fn section(&self, section_type: SectionType) -> Option<&Section<'a>> {
        self.sections
            .iter()
            .find(|section| section.section_type() == section_type)
    }

    /// The contents of the first section of a type.
    #[must_use]
    pub fn contents(&self, section_type: SectionType) -> Option<&'a [u8]> {
        self.section(section_type)?.bytes
    }

    /// What the image says of itself.
    #[must_use]
    pub fn info(&self) -> Option<ImageInfo<'a>> {
        self.contents(SectionType::IMAGE_INFO).map(ImageInfo::new)
    }

    /// The expansion ROM.
    #[must_use]
    pub fn rom(&self) -> Option<&'a [u8]> {
        self.contents(SectionType::ROM_CODE)
    }

    /// Bytes from its start to the end of its last part, device data not
    /// counted.
    #[must_use]
    pub fn size(&self) -> u64 {
        let itoc = self
            .itoc
            .as_ref()
            .map_or(0, |itoc| itoc.address + itoc.length());
        self.data_size()
            .max(itoc as u64)
            .max(super::header::HEADER_BYTES as u64)
    }

    /// Bytes from its start to the end of the last section that has an address
    /// within the image; what its digest is about.
    #[must_use]
    pub fn data_size(&self) -> u64 {
        self.sections
            .iter()
            .filter(|section| section.entry.relative())
            .map(|section| u64::from(section.entry.address()) + u64::from(section.entry.size()))
            .max()
            .unwrap_or(0)
    }

    /// Where its data must end, whichever slot it is burned to: at the chunk, or
    /// where the first device data is.
    #[must_use]
    pub fn data_limit(&self) -> u64 {
        let chunk = self.header.chunk_bytes(self.start);
        let (mut first, mut second) = (chunk, chunk.saturating_mul(2));
        for section in &self.sections {
            if section.entry.device_data() {
                let address = u64::from(section.entry.address());
                if address > chunk {
                    second = second.min(address);
                } else {
                    first = first.min(address);
                }
            }
        }
        first.min(second.saturating_sub(chunk))
    }
}
