//! What is wrong inside of a file: all CRCs.
//!
//! | covers | stored |
//! |---|---|
//! | a boot2 block without its last dword | its last dword |
//! | header and data of a section | the dword behind the data |
//! | header with FFFF for the CRC, boot2, sections in the order of the chain | 0x22 of the image |
//!
//! # Sources
//! mstflint 4.21, mlxfwops/lib/fs2_ops.cpp (`Fs2Operations::Fs2Verify`,
//! `checkGen`). mstflint reports a wrong full-image CRC and ends well all the
//! same; it looks at the first image of a file only.

use super::header::CRC_OFFSET;
use super::{Fs2File, Fs2Header, Fs2Image, SectionType};
use crate::image::boot2::BOOT2_OFFSET;
use crate::image::checksum::Crc16;
use crate::image::{Finding, FindingKind};

impl Fs2File<'_> {
    /// What reading did not find because it does not look at contents: the CRCs
    /// of every part and of the whole, compressed parts.
    #[must_use]
    pub fn check(&self) -> Vec<Finding> {
        let mut findings: Vec<Finding> = self.images().flat_map(Fs2Image::check).collect();
        findings.extend(self.halves.iter().enumerate().filter_map(|(slot, half)| {
            let image = half.image.as_ref()?;
            let limit = self.image_limit(slot)?;
            (image.end() as u64 > limit).then(|| {
                Finding::warning(
                    FindingKind::OutOfImage,
                    image.path(),
                    image.physical(0),
                    "the image reaches into the settings store at the end of its half of the flash",
                )
                .expected_found(
                    format_args!("at most {limit:#x} bytes"),
                    format_args!("{:#x}", image.end()),
                )
            })
        }));
        findings.sort_by_key(|finding| finding.offset);
        findings
    }
}

/// What mstflint 4.21 leaves in the header of an image with blank GUIDs that it burns
/// with a card's own (fs2_ops.cpp, `Fs2Operations::FwBurnAdvanced`). That a card boots
/// it all the same is an inference: mstflint counts it as bootable.
const NOT_FILLED_IN: u16 = 0xffff;

impl Fs2Image<'_> {
    pub(super) fn check(&self) -> Vec<Finding> {
        let mut findings = Vec::new();
        let path = self.path();
        let mut at = BOOT2_OFFSET;
        for (block, name) in self.boot2.iter().zip(["BOOT2", "BOOT2[1]"]) {
            // Its own offset counts in one row.
            let crc_at = at + block.length() - 4;
            let finding = block.check(&format!("{path}/{name}"), 0);
            findings.extend(finding.map(|finding| Finding {
                offset: self.physical(crc_at),
                ..finding
            }));
            at += block.length();
        }
        for section in &self.sections {
            let computed = u32::from(section.computed_crc());
            if section.crc != computed && !section.is_blank() {
                findings.push(
                    Finding::error(
                        FindingKind::BadChecksum,
                        format!("{path}/{}/crc", section.path()),
                        self.physical(section.crc_address()),
                        "wrong CRC",
                    )
                    .expected_found(
                        format_args!("{computed:#06x}"),
                        format_args!("{:#06x}", section.crc),
                    ),
                );
            }
            if section.is_blank() {
                findings.push(Finding::note(
                    FindingKind::Missing,
                    format!("{path}/{}/guids", section.path()),
                    self.physical(section.data_address()),
                    "the GUIDs are blank, and no card can boot from the image until they are set",
                ));
            }
            if matches!(
                section.kind,
                SectionType::FirmwareConfiguration | SectionType::HashFile
            ) && let Err(error) = super::inflate(&section.data())
            {
                findings.push(Finding::warning(
                    FindingKind::BadValue,
                    format!("{path}/{}/data", section.path()),
                    self.physical(section.data_address()),
                    error.to_string(),
                ));
            }
        }
        findings.extend(self.full_crc());
        findings
    }

    /// The CRC over all parts.
    #[must_use]
    pub fn computed_full_crc(&self) -> u16 {
        let header = Fs2Header {
            crc: 0xffff,
            ..self.header.clone()
        };
        let mut crc = Crc16::new();
        crc.update(&header.encode());
        for block in &self.boot2 {
            let mut layout = crate::image::Layout::new();
            block.lay_out("", &mut layout);
            for piece in layout.pieces() {
                crc.update(&piece.bytes);
            }
        }
        for section in &self.sections {
            section.add_to(&mut crc);
            crc.update(&section.crc.to_be_bytes());
        }
        crc.finish()
    }

    fn full_crc(&self) -> Option<Finding> {
        let computed = self.computed_full_crc();
        if self.header.crc == computed {
            return None;
        }
        let (path, offset) = (
            format!("{}/header/crc", self.path()),
            self.physical(CRC_OFFSET),
        );
        let finding = if self.has_full_crc() && self.header.crc == NOT_FILLED_IN {
            let message = "the CRC of the whole image is not filled in, as after mstflint put \
                           GUIDs into an image that had none";
            Finding::warning(FindingKind::BadChecksum, path, offset, message)
        } else if self.has_full_crc() {
            let message = match self.header.crc_absent {
                0 => "wrong CRC of the whole image",
                _ => {
                    "wrong CRC of the whole image; the byte before it says that there is none, \
                     which mstflint does not look at"
                }
            };
            Finding::error(FindingKind::BadChecksum, path, offset, message)
        } else {
            let why = if self.has_blank_guids() {
                "its GUIDs are blank"
            } else {
                "it does not name the oldest mstflint for it"
            };
            let message = format!("the CRC of the whole image does not count, because {why}");
            Finding::note(FindingKind::NotChecked, path, offset, message)
        };
        Some(finding.expected_found(
            format_args!("{computed:#06x}"),
            format_args!("{:#06x}", self.header.crc),
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::super::file::tests::{GUIDS, ROM, build, findings};
    use crate::image::{FindingKind, Severity, worst};

    #[test]
    fn every_flipped_bit_of_an_image_with_a_full_crc_is_found() {
        let sound = build(&format!("{GUIDS}{ROM}"));
        assert_eq!(worst(&findings(&sound)), None);
        for at in 0..sound.len() {
            let mut bytes = sound.clone();
            bytes[at] ^= 1 << (at % 8);
            assert_eq!(worst(&findings(&bytes)), Some(Severity::Error), "{at:#x}");
        }
    }

    #[test]
    fn a_full_crc_that_does_not_count_is_only_noted() {
        let guids_only = GUIDS.replace("mic_version = \"2.0.0\"", "");
        for text in ["", "mic_version = \"2.0.0\"\n", &guids_only] {
            let mut bytes = build(text);
            bytes[0x23] ^= 1;
            let found = findings(&bytes);
            assert_eq!(worst(&found), Some(Severity::Note), "{text}");
            let crc = found
                .iter()
                .find(|finding| finding.path == "slot0/header/crc")
                .unwrap();
            assert_eq!((crc.kind, crc.offset), (FindingKind::NotChecked, 0x22));
        }
    }

    #[test]
    fn images_that_reach_into_the_settings_store_are_found() {
        let text = |size: u32| {
            format!(
                "chunk = 0x10000\nsettings_area = [1, 0, 6]\ncode = [{{ fill = 1, size = {size} }}]\n\
                 flash = {{ size = 0x40000, slots = [0] }}\n"
            )
        };
        let too_large = |size| {
            let found = findings(&build(&text(size)));
            found
                .iter()
                .any(|finding| finding.kind == FindingKind::OutOfImage)
        };
        assert!(!too_large(0xe000));
        assert!(too_large(0x1_8000));
    }
}
