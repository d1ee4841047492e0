//! What can be wrong inside of an FS3 image.
//!
//! # Sources
//! mstflint 4.21, mlxfwops/lib/fs3_ops.cpp (`Fs3Operations::VerifyTOC`: what
//! `v` and `q` insist on; `Fs3Operations::CheckFs3ImgSize` and
//! `Fs3Operations::CheckItocArrConsistency`: what burning insists on).

use std::collections::BTreeMap;

use crate::hwdb::{Chip, ChipFormat};
use crate::image::boot2::BOOT2_OFFSET;
use crate::image::checksum::crc16;
use crate::image::{Finding, FindingKind, Severity, worst};

use super::addresses::{DevInfo, MfgInfo};
use super::digest::{Gaps, digest};
use super::header::HEADER_BYTES;
use super::image_info::IMAGE_INFO_BYTES;
use super::signature::{DIGEST_OFFSET, SIGNATURE_256_BYTES, SIGNATURE_512_BYTES};
use super::{Fs3File, Fs3Image, Section, SectionType, Signature};

/// Bytes of MFG_INFO and DEV_INFO.
const MFG_INFO_BYTES: usize = 0x140;
const DEV_INFO_BYTES: usize = 0x200;

/// Types of which tools look at the first section only, or at the last.
const ONCE: [SectionType; 5] = [
    SectionType::PCI_CODE,
    SectionType::IMAGE_INFO,
    SectionType::ROM_CODE,
    SectionType::IMAGE_SIGNATURE_256,
    SectionType::MFG_INFO,
];

/// Checks all images of a file.
pub(super) fn check(file: &Fs3File<'_>) -> Vec<Finding> {
    let mut checker = Checker::new(file.bytes);
    for image in &file.images {
        checker.image(image);
    }
    checker.findings
}

/// Checks one image of a file.
pub(super) fn check_image(bytes: &[u8], image: &Fs3Image<'_>) -> Vec<Finding> {
    let mut checker = Checker::new(bytes);
    checker.image(image);
    checker.findings
}

struct Checker<'a> {
    file: &'a [u8],
    /// CRCs of sections by place: both images of a dump have the same device data.
    crcs: BTreeMap<(u64, u64), u16>,
    /// Bytes that may still be looked at. In a sound file sections do not
    /// overlap, so that all of it is enough; a hostile one could list all of it
    /// 63 times.
    budget: u64,
    findings: Vec<Finding>,
    /// How many of the findings are about images before this one.
    earlier: usize,
}

impl<'a> Checker<'a> {
    fn new(file: &'a [u8]) -> Self {
        Self {
            file,
            crcs: BTreeMap::new(),
            budget: file.len() as u64 * 2,
            findings: Vec::new(),
            earlier: 0,
        }
    }

    fn image(&mut self, image: &Fs3Image<'_>) {
        self.earlier = self.findings.len();
        if let Some(boot2) = &image.boot2 {
            let offset = (image.start + BOOT2_OFFSET) as u64;
            self.findings
                .extend(boot2.check(&image.path("BOOT2"), offset));
        }
        if image.itoc.is_none() {
            // Said already when it was read; the rest would be noise.
            return;
        }
        for section in &image.sections {
            self.section(image, section);
        }
        self.presence(image);
        self.image_info(image);
        self.addresses(image);
        self.places(image);
        self.signature(image);
    }

    fn section(&mut self, image: &Fs3Image<'_>, section: &Section<'_>) {
        let Some(bytes) = section.bytes else {
            return;
        };
        let path = image.path(&section.name);
        if section.section_type().name().is_none() {
            self.findings.push(Finding::note(
                FindingKind::Unknown,
                path.clone(),
                section.offset,
                "the type of the section is not known",
            ));
        }
        if section.entry.no_crc() {
            return;
        }
        let place = (section.offset, section.end());
        let computed = match self.crcs.get(&place) {
            Some(crc) => *crc,
            None => {
                let Some(left) = self.budget.checked_sub(bytes.len() as u64) else {
                    self.findings.push(Finding::warning(
                        FindingKind::NotChecked,
                        format!("{path}/crc"),
                        section.offset,
                        "the sections together are larger than the file",
                    ));
                    return;
                };
                self.budget = left;
                let crc = crc16(bytes);
                self.crcs.insert(place, crc);
                crc
            }
        };
        if computed != section.entry.section_crc() {
            self.findings.push(
                Finding::error(
                    FindingKind::BadChecksum,
                    format!("{path}/crc"),
                    section.offset,
                    "wrong CRC",
                )
                .expected_found(
                    format_args!("{computed:#06x}"),
                    format_args!("{:#06x}", section.entry.section_crc()),
                ),
            );
        }
    }

    fn presence(&mut self, image: &Fs3Image<'_>) {
        let start = image.start as u64;
        let missing = |name: &str, message: &str| (image.path(name), message.to_owned());
        if image.section(SectionType::MFG_INFO).is_none() {
            let (path, message) = missing("MFG_INFO", "no tool takes an image without MFG_INFO");
            self.findings
                .push(Finding::error(FindingKind::Missing, path, start, message));
        }
        if image.section(SectionType::IMAGE_INFO).is_none() {
            let (path, message) = missing("IMAGE_INFO", "nothing says what the image is for");
            self.findings
                .push(Finding::warning(FindingKind::Missing, path, start, message));
        }
        for once in ONCE {
            let mut same = image
                .sections
                .iter()
                .filter(|section| section.section_type() == once);
            if let (Some(_), Some(second)) = (same.next(), same.next()) {
                self.findings.push(Finding::warning(
                    FindingKind::BadValue,
                    image.path(&second.name),
                    second.offset,
                    "there are several sections of this type, and tools take the first",
                ));
            }
        }
    }

    /// The contents of a section, if they are long enough to be what they claim.
    fn whole<'b>(
        &mut self,
        image: &Fs3Image<'b>,
        section_type: SectionType,
        length: usize,
    ) -> Option<(u64, &'b [u8])> {
        let section = image.section(section_type)?;
        let bytes = section.bytes?;
        if bytes.len() >= length {
            return Some((section.offset, bytes));
        }
        self.findings.push(
            Finding::error(
                FindingKind::Truncated,
                image.path(&section.name),
                section.offset,
                "the section is too short",
            )
            .expected_found(
                format_args!("{length:#x} bytes"),
                format_args!("{:#x}", bytes.len()),
            ),
        );
        None
    }

    fn image_info(&mut self, image: &Fs3Image<'_>) {
        let Some((offset, bytes)) = self.whole(image, SectionType::IMAGE_INFO, IMAGE_INFO_BYTES)
        else {
            return;
        };
        let info = super::ImageInfo::new(bytes);
        let (major, minor) = info.section_version();
        if major != 0 {
            self.findings.push(unknown_version(
                image.path("IMAGE_INFO/version"),
                offset,
                "0.x",
                format!("{major}.{minor}"),
            ));
        }
        let first = info.hardware_ids().first().copied().unwrap_or(0);
        let chip = Chip::of(first);
        if chip
            .as_ref()
            .is_some_and(|chip| chip.format == ChipFormat::Fs3)
        {
            return;
        }
        let (path, at) = (image.path("IMAGE_INFO/supported_hw_id"), offset + 0x118);
        let finding = if chip.is_some() {
            Finding::warning(
                FindingKind::BadValue,
                path,
                at,
                "the device has firmware of another format",
            )
        } else {
            Finding::error(FindingKind::BadValue, path, at, "no device has this id")
        };
        self.findings.push(finding.expected_found(
            "the hardware id of a device with FS3 firmware",
            format_args!("{first:#x}"),
        ));
    }

    fn addresses(&mut self, image: &Fs3Image<'_>) {
        if let Some((offset, bytes)) = self.whole(image, SectionType::MFG_INFO, MFG_INFO_BYTES) {
            let info = MfgInfo::new(bytes);
            if info.form().is_none() {
                let (major, minor) = info.section_version();
                self.findings.push(unknown_version(
                    image.path("MFG_INFO/version"),
                    offset + 0x1c,
                    "0.x or 1.x",
                    format!("{major}.{minor}"),
                ));
            }
        }
        if let Some((offset, bytes)) = self.whole(image, SectionType::DEV_INFO, DEV_INFO_BYTES) {
            let info = DevInfo::new(bytes);
            if info.form().is_none() {
                let (major, minor) = info.section_version();
                self.findings.push(unknown_version(
                    image.path("DEV_INFO/version"),
                    offset + 0x11,
                    "1.x or 2.x",
                    format!("{major}.{minor}"),
                ));
            }
            if !info.is_valid() {
                self.findings.push(Finding::warning(
                    FindingKind::BadMagic,
                    image.path("DEV_INFO/signature"),
                    offset,
                    "the signature of the section is not there, which mstflint does not check",
                ));
            }
        }
    }

    fn places(&mut self, image: &Fs3Image<'_>) {
        let limit = image.data_limit();
        for section in &image.sections {
            let entry = &section.entry;
            let end = u64::from(entry.address()) + u64::from(entry.size());
            if entry.relative() && end > limit {
                self.findings.push(
                    Finding::error(
                        FindingKind::OutOfImage,
                        image.path(&section.name),
                        section.offset,
                        "the section runs into device data or the other half of the flash",
                    )
                    .expected_found(
                        format_args!("an end up to {limit:#x}"),
                        format_args!("{end:#x}"),
                    ),
                );
            }
        }
        let start = image.start as u64;
        let mut parts: Vec<(u64, u64, &str)> = vec![(start, start + HEADER_BYTES as u64, "header")];
        if let Some(boot2) = &image.boot2 {
            let from = start + BOOT2_OFFSET as u64;
            parts.push((from, from + boot2.length() as u64, "BOOT2"));
        }
        if let Some(itoc) = &image.itoc {
            let from = start + itoc.address as u64;
            parts.push((from, from + itoc.length() as u64, "ITOC"));
        }
        let sections = image
            .sections
            .iter()
            .filter(|section| section.bytes.is_some());
        parts.extend(sections.map(|section| (section.offset, section.end(), &*section.name)));
        parts.retain(|(from, to, _)| from < to);
        parts.sort_by_key(|&(from, to, _)| (from, to));
        let mut before = (0, "");
        for (from, to, name) in parts {
            if from < before.0 {
                self.findings.push(
                    Finding::error(
                        FindingKind::Overlap,
                        image.path(name),
                        from,
                        format!("it overlaps {}", before.1),
                    )
                    .expected_found(
                        format_args!("a start from {:#x} on", before.0),
                        format_args!("{from:#x}"),
                    ),
                );
            }
            if to > before.0 {
                before = (to, name);
            }
        }
    }

    fn signature(&mut self, image: &Fs3Image<'_>) {
        let info = image.info();
        let claims = info.is_some_and(|info| info.secure_fw() || info.signed_fw());
        let long = self.whole(image, SectionType::IMAGE_SIGNATURE_512, SIGNATURE_512_BYTES);
        let signed_512 =
            long.is_some_and(|(_, bytes)| Signature::of_512(bytes) == Signature::Vendor);
        let short = self.whole(image, SectionType::IMAGE_SIGNATURE_256, SIGNATURE_256_BYTES);
        let state = short.map(|(offset, bytes)| (offset, Signature::of_256(bytes)));
        let signed_256 = matches!(state, Some((_, Signature::Vendor)));
        if let Some((offset, Signature::Vendor)) = state {
            self.findings.push(Finding::note(
                FindingKind::NotChecked,
                image.path("IMAGE_SIGNATURE_256"),
                offset,
                "signed by its vendor; only the card can check that",
            ));
        }
        if let Some((offset, Signature::Digest(stored))) = state {
            self.digest(image, offset, stored);
        }
        if claims && !signed_256 && !signed_512 {
            self.findings.push(Finding::warning(
                FindingKind::Mismatch,
                image.path("IMAGE_INFO/signed_fw"),
                state.map_or(image.start as u64, |(offset, _)| offset),
                "the image says that it is signed, and carries no signature",
            ));
        }
    }

    fn digest(&mut self, image: &Fs3Image<'_>, offset: u64, stored: [u8; 32]) {
        let here = self.findings.get(self.earlier..).unwrap_or_default();
        if worst(here) == Some(Severity::Error) {
            // Damage elsewhere changes it too, and hostile files need no more work.
            return;
        }
        let as_mstflint = digest(self.file, image, Gaps::Blank);
        if as_mstflint == stored || digest(self.file, image, Gaps::Stored) == stored {
            return;
        }
        let (path, at) = (
            image.path("IMAGE_SIGNATURE_256/digest"),
            offset + DIGEST_OFFSET as u64,
        );
        let message = "the digest is not that of the image";
        // Neither mstflint nor a card without secure firmware looks at it, but it is
        // the only check that an FS3 image carries over all of itself.
        let finding = Finding::error(FindingKind::BadDigest, path, at, message);
        self.findings
            .push(finding.expected_found(hex(&as_mstflint), hex(&stored)));
    }
}

fn unknown_version(path: String, offset: u64, expected: &str, found: String) -> Finding {
    Finding::error(
        FindingKind::BadValue,
        path,
        offset,
        "the version of the section is not known",
    )
    .expected_found(expected, found)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::super::itoc::ItocHeader;
    use super::super::samples::{image, rom_line};
    use super::super::{ItocEntry, parse};
    use super::*;

    fn findings(bytes: &[u8]) -> Vec<Finding> {
        let parsed = parse(bytes);
        let mut findings = parsed.findings;
        findings.extend(parsed.tree.iter().flat_map(Fs3File::check));
        findings
    }

    fn paths(bytes: &[u8]) -> Vec<String> {
        findings(bytes)
            .into_iter()
            .map(|finding| format!("{} {}", finding.severity.word(), finding.path))
            .collect()
    }

    /// The image with another table of contents.
    fn listing(mut bytes: Vec<u8>, change: impl FnOnce(&mut Vec<ItocEntry>)) -> Vec<u8> {
        let tree = parse(&bytes).tree.unwrap();
        let itoc = tree.images[0].itoc.clone().unwrap();
        let mut entries = itoc.entries;
        change(&mut entries);
        let mut table = ItocHeader::new().to_bytes();
        for entry in entries {
            table.extend(entry.rewritten().to_bytes());
        }
        table.resize(0x1000, 0xff);
        bytes[itoc.address..itoc.address + table.len()].copy_from_slice(&table);
        bytes
    }

    #[test]
    fn a_sound_image_has_no_findings() {
        assert_eq!(paths(&image("")), [""; 0]);
        assert_eq!(paths(&image("signature = 'digest'\nfill = 7")), [""; 0]);
        assert_eq!(
            paths(&image("signature = 'vendor'\nsecurity = ['signed-fw']")),
            ["note slot0/IMAGE_SIGNATURE_256"]
        );
    }

    #[test]
    fn damage_is_found_where_it_is() {
        let bytes = image(&rom_line(0x400));
        let regions = parse(&bytes).tree.unwrap().layout().regions();
        for (region, expected) in [
            ("slot0/BOOT2/code", "error slot0/BOOT2/crc"),
            ("slot0/ROM_CODE", "error slot0/ROM_CODE/crc"),
            ("slot0/MAIN_CODE", "error slot0/MAIN_CODE/crc"),
            (
                "slot0/ITOC/MAIN_CODE",
                "error slot0/ITOC/MAIN_CODE/entry_crc",
            ),
        ] {
            let found = regions.iter().find(|other| other.path == region).unwrap();
            let mut bad = bytes.clone();
            bad[usize::try_from(found.offset).unwrap() + 9] ^= 0x40;
            assert_eq!(paths(&bad), [expected]);
        }
        // Nobody looks at the non-volatile data.
        let mut worn = bytes.clone();
        worn[0x1a_1000] = 1;
        assert_eq!(paths(&worn), [""; 0]);
    }

    #[test]
    fn a_stale_digest_is_an_error() {
        for (more, expected) in [
            ("", &["error slot0/IMAGE_SIGNATURE_256/digest"][..]),
            (
                "security = ['signed-fw']",
                &[
                    "error slot0/IMAGE_SIGNATURE_256/digest",
                    "warning slot0/IMAGE_INFO/signed_fw",
                ],
            ),
        ] {
            let mut bytes = image(&format!("signature = 'digest'\n{more}"));
            // A preboot word: no CRC but that of the header covers it.
            bytes[0x23] ^= 1;
            let header = super::super::Fs3Header::parse(&bytes).unwrap();
            let crc = u32::from(header.computed_crc());
            bytes[0x34..0x38].copy_from_slice(&crc.to_be_bytes());
            assert_eq!(paths(&bytes), expected);
        }
    }

    #[test]
    fn both_ways_of_hashing_are_taken() {
        let mut bytes = image("signature = 'digest'\nfill = 7");
        let tree = parse(&bytes).tree.unwrap();
        let stored = digest(&bytes, &tree.images[0], Gaps::Stored);
        assert_ne!(stored, digest(&bytes, &tree.images[0], Gaps::Blank));
        let section = tree.images[0].section(SectionType::IMAGE_SIGNATURE_256);
        let at = usize::try_from(section.unwrap().offset).unwrap();
        let contents = super::super::signature::digest_section(&stored, 0x140);
        bytes[at..at + 0x140].copy_from_slice(&contents);
        let bytes = listing(bytes, |entries| {
            for entry in entries {
                if entry.section_type() == SectionType::IMAGE_SIGNATURE_256 {
                    *entry = entry.with_section_crc(crc16(&contents));
                }
            }
        });
        assert_eq!(paths(&bytes), [""; 0]);
    }

    #[test]
    fn missing_parts_and_bad_places_are_found() {
        let without = |section_type: SectionType| {
            paths(&listing(image(""), |entries| {
                entries.retain(|entry| entry.section_type() != section_type);
            }))
        };
        assert_eq!(without(SectionType::MFG_INFO), ["error slot0/MFG_INFO"]);
        assert_eq!(
            without(SectionType::IMAGE_INFO),
            ["warning slot0/IMAGE_INFO"]
        );

        let moved = |address| {
            let mut paths = paths(&listing(image(""), |entries| {
                for entry in entries {
                    if entry.section_type() == SectionType::MAIN_CODE {
                        *entry = entry.with_address(address);
                    }
                }
            }));
            paths.retain(|path| !path.ends_with("/crc"));
            paths
        };
        assert_eq!(
            moved(0x3000),
            ["error slot0/MAIN_CODE"],
            "overlaps PCI_CODE"
        );
        assert_eq!(
            moved(0x1000),
            ["error slot0/MAIN_CODE", "error slot0/PCI_CODE"],
            "overlaps the ITOC"
        );
        assert_eq!(
            moved(0x1f_7000),
            ["error slot0/MAIN_CODE", "error slot0/MFG_INFO"],
            "in the device data"
        );
        assert_eq!(
            moved(0x7f00_0000),
            ["error slot0/MAIN_CODE", "error slot0/MAIN_CODE"],
            "not in the file"
        );
    }

    #[test]
    fn hostile_tables_cost_no_more_than_large_files() {
        let bytes = listing(image("file_size = 0x1000000"), |entries| {
            entries.clear();
            for number in 0..63 {
                let size = 0xff_ff00 - number * 4;
                let entry = ItocEntry::new(SectionType::MAIN_CODE, size, number * 4, true);
                entries.push(entry);
            }
        });
        let findings = findings(&bytes);
        let unchecked = findings
            .iter()
            .filter(|finding| finding.kind == FindingKind::NotChecked);
        assert!(unchecked.count() >= 60);
        let layout = parse(&bytes).tree.unwrap().layout();
        assert!(layout.to_bytes() == bytes);
    }
}
