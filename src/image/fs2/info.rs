//! What an FS2 image says of itself: the tags of its image info section.
//!
//! | offset | bits | meaning |
//! |---|---|---|
//! | 0 | 31:24 | id of the tag |
//! | 0 | 23:0 | bytes of its data, a multiple of 4 |
//! | 4 | | data |
//!
//! | id | data |
//! |---|---|
//! | 0 | revision of the format |
//! | 1 | firmware version: u16 major, u16 0, u16 minor, u16 sub-minor |
//! | 2 | time of the build in BCD: 00 hh mm ss, yyyy mm dd |
//! | 3 | PCI device id in the low half of a dword |
//! | 4, 5, 6, 7 | texts: PSID (16 bytes), VSD (208), supported PSIDs, product version (16) |
//! | 8, 9 | PCI vendor id of whoever wrote the VSD; whether the image is generally available |
//! | 10 | list of hardware ids, `rev << 16 \| id` |
//! | 11, 12 | oldest mstflint, oldest FIT: shaped like the firmware version |
//! | 13 | access key, u64 |
//! | 14, 15, 16 | list of profiles (compressed), list of supported profiles, default profile |
//! | 17, 18 | TLV formats, tracer hash (compressed) |
//! | 19 | area of the settings store: sectors, padding sectors, log2 of the sector size in KiB (absent in old images) |
//! | 20 | name of the .prs file |
//! | 255 | end |
//!
//! The end must come with the last dword of the section.
//!
//! # Sources
//! mstflint 4.21, mlxfwops/lib/fs2_ops.cpp (`Fs2Operations::ParseInfoSect`) and
//! fs2_ops.h (`Fs2ImageInfoTags`).

use std::borrow::Cow;

use super::Stretch;
use crate::image::{Finding, FindingKind};

const TAG_HEADER_BYTES: usize = 4;
/// Many times more than there are ids.
const MOST_TAGS: usize = 1024;
pub(in crate::image) const END_TAG: u8 = 0xff;

/// The tags, and what is left of the section when they do not fill it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct InfoSection<'a> {
    /// The tags, in their order.
    pub tags: Vec<InfoTag<'a>>,
    /// Bytes after the last tag that could be read; none in a sound section.
    pub rest: Cow<'a, [u8]>,
}

/// One tag.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InfoTag<'a> {
    /// Its id.
    pub id: u8,
    /// Its data.
    pub value: InfoValue<'a>,
}

/// A version of four 16-bit numbers, the second of which is not shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InfoVersion(pub [u16; 4]);

impl InfoVersion {
    /// The three numbers that are shown.
    #[must_use]
    pub fn shown(self) -> [u16; 3] {
        let Self([major, _, minor, subminor]) = self;
        [major, minor, subminor]
    }
}

/// Data of a tag.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InfoValue<'a> {
    /// A number: format revision, device type, VSD vendor, general
    /// availability, default profile.
    Number(u32),
    /// Firmware version, oldest mstflint, oldest FIT.
    Version(InfoVersion),
    /// Time of the build.
    BuildTime {
        /// `00hhmmss` in BCD.
        time: u32,
        /// `yyyymmdd` in BCD.
        date: u32,
    },
    /// A text, filled up with zeros: PSID, VSD, supported PSIDs, product
    /// version, name of the .prs file.
    Text(Cow<'a, [u8]>),
    /// Hardware ids, supported profiles.
    Numbers(Vec<u32>),
    /// Access key.
    Key(u64),
    /// Compressed data: profiles, TLV formats, tracer hash.
    Compressed(Cow<'a, [u8]>),
    /// Area of the settings store.
    SettingsArea {
        /// Sectors that it has.
        sectors: u32,
        /// Sectors behind it.
        pad: u32,
        /// log2 of the size of a sector in KiB.
        log2_sector_kib: Option<u32>,
    },
    /// Whatever else, or not of the length that its id has.
    Unknown(Cow<'a, [u8]>),
}

impl<'a> InfoTag<'a> {
    /// Its name in mstflint's source.
    #[must_use]
    pub fn name(&self) -> Cow<'static, str> {
        Cow::Borrowed(match self.id {
            0 => "IiFormatRevision",
            1 => "FwVersion",
            2 => "FwBuildTime",
            3 => "DeviceType",
            4 => "PSID",
            5 => "VSD",
            6 => "SupportedPsids",
            7 => "ProductVer",
            8 => "VsdVendorId",
            9 => "IsGa",
            10 => "HwDevsId",
            11 => "MicVersion",
            12 => "MinFitVersion",
            13 => "HwAccessKey",
            14 => "PROFILES_LIST",
            15 => "SUPPORTED_PROFS",
            16 => "CONFIG_INFO",
            17 => "TLVS_FORMAT",
            18 => "TRACER_HASH",
            19 => "ConfigArea",
            20 => "PSInfo",
            END_TAG => "End",
            other => return Cow::Owned(format!("tag_{other}")),
        })
    }

    fn new(id: u8, data: Cow<'a, [u8]>) -> Self {
        let dword = |at: usize| {
            let bytes = data.get(at..)?.first_chunk().copied()?;
            Some(u32::from_be_bytes(bytes))
        };
        let halves = |dword: u32| [(dword >> 16) as u16, (dword & 0xffff) as u16];
        let value = match (id, data.len(), dword(0), dword(4)) {
            (0 | 3 | 8 | 9 | 16, 4, Some(number), _) => InfoValue::Number(number),
            (1 | 11 | 12, 8, Some(first), Some(second)) => {
                let ([major, zero], [minor, subminor]) = (halves(first), halves(second));
                InfoValue::Version(InfoVersion([major, zero, minor, subminor]))
            }
            (2, 8, Some(time), Some(date)) => InfoValue::BuildTime { time, date },
            (10 | 15, length, _, _) if length % 4 == 0 => {
                InfoValue::Numbers((0..length / 4).filter_map(|at| dword(at * 4)).collect())
            }
            (13, 8, Some(high), Some(low)) => {
                InfoValue::Key(u64::from(high) << 32 | u64::from(low))
            }
            (19, 8 | 12, Some(sectors), Some(pad)) => InfoValue::SettingsArea {
                sectors,
                pad,
                log2_sector_kib: dword(8),
            },
            (4..=7 | 20, ..) => InfoValue::Text(data),
            (14 | 17 | 18, ..) => InfoValue::Compressed(data),
            _ => InfoValue::Unknown(data),
        };
        Self { id, value }
    }

    /// Its data as bytes.
    #[must_use]
    pub fn data(&self) -> Cow<'_, [u8]> {
        let dwords = |dwords: &[u32]| -> Cow<'static, [u8]> {
            Cow::Owned(
                dwords
                    .iter()
                    .flat_map(|dword| dword.to_be_bytes())
                    .collect(),
            )
        };
        match &self.value {
            InfoValue::Number(number) => dwords(&[*number]),
            InfoValue::Version(InfoVersion(numbers)) => Cow::Owned(
                numbers
                    .iter()
                    .flat_map(|number| number.to_be_bytes())
                    .collect(),
            ),
            InfoValue::BuildTime { time, date } => dwords(&[*time, *date]),
            InfoValue::Numbers(numbers) => dwords(numbers),
            InfoValue::Key(key) => Cow::Owned(key.to_be_bytes().to_vec()),
            InfoValue::SettingsArea {
                sectors,
                pad,
                log2_sector_kib,
            } => {
                let mut numbers = vec![*sectors, *pad];
                numbers.extend(log2_sector_kib);
                dwords(&numbers)
            }
            InfoValue::Text(data) | InfoValue::Compressed(data) | InfoValue::Unknown(data) => {
                Cow::Borrowed(data)
            }
        }
    }

    fn data_length(&self) -> usize {
        match &self.value {
            InfoValue::Number(_) => 4,
            InfoValue::Version(_) | InfoValue::BuildTime { .. } | InfoValue::Key(_) => 8,
            InfoValue::Numbers(numbers) => numbers.len() * 4,
            InfoValue::SettingsArea {
                log2_sector_kib, ..
            } => 8 + 4 * usize::from(log2_sector_kib.is_some()),
            InfoValue::Text(data) | InfoValue::Compressed(data) | InfoValue::Unknown(data) => {
                data.len()
            }
        }
    }

    /// Its bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let length = u32::try_from(self.data_length()).unwrap_or(u32::MAX) & 0xff_ffff;
        let mut bytes = (u32::from(self.id) << 24 | length).to_be_bytes().to_vec();
        bytes.extend_from_slice(&self.data());
        bytes
    }

    fn has_wrong_length(&self) -> bool {
        self.id <= 20 && matches!(self.value, InfoValue::Unknown(_))
    }
}

impl<'a> InfoSection<'a> {
    /// Reads the tags. Offsets of findings count from the section's data.
    pub(super) fn parse(data: &Stretch<'a>) -> (Self, Vec<Finding>) {
        let mut findings = Vec::new();
        let mut section = Self::default();
        let length = data.len();
        let mut at = 0;
        let mut ended = false;
        while !ended && section.tags.len() < MOST_TAGS {
            let Some(header) = data.dword(at) else { break };
            let [id, ..] = header.to_be_bytes();
            let size = (header & 0xff_ffff) as usize;
            let data_at = at + TAG_HEADER_BYTES;
            let Some(bytes) = data.slice(data_at, data_at + size) else {
                findings.push(
                    Finding::error(
                        FindingKind::OutOfImage,
                        format!("tag_{id}"),
                        at as u64,
                        "the tag exceeds its section",
                    )
                    .expected_found(
                        format_args!("at most {:#x} bytes", length - data_at),
                        format_args!("{size:#x}"),
                    ),
                );
                break;
            };
            let tag = InfoTag::new(id, bytes.to_cow());
            if !size.is_multiple_of(4) {
                findings.push(Finding::error(
                    FindingKind::BadValue,
                    tag.name(),
                    at as u64,
                    format!("the tag has {size:#x} bytes, not a multiple of 4, and hides what follows from mstflint"),
                ));
            } else if tag.has_wrong_length() {
                findings.push(Finding::warning(
                    FindingKind::BadValue,
                    tag.name(),
                    at as u64,
                    format!("a tag of this id does not have {size:#x} bytes"),
                ));
            } else if matches!(tag.value, InfoValue::Unknown(_)) && id != END_TAG {
                findings.push(Finding::note(
                    FindingKind::Unknown,
                    tag.name(),
                    at as u64,
                    "the tag is in no known list",
                ));
            }
            section.tags.push(tag);
            ended = id == END_TAG;
            at = data_at + size;
        }
        section.rest = data.slice(at, length).unwrap_or_default().to_cow();
        if ended && at != length {
            findings.push(
                Finding::error(
                    FindingKind::BadValue,
                    "End",
                    at as u64,
                    "the end tag is not the last of the section",
                )
                .expected_found(format_args!("{length:#x}"), format_args!("{at:#x}")),
            );
        } else if !ended
            && findings
                .last()
                .is_none_or(|last| last.kind != FindingKind::OutOfImage)
        {
            findings.push(Finding::error(
                FindingKind::Missing,
                "End",
                at as u64,
                "there is no end tag",
            ));
        }
        (section, findings)
    }

    /// Bytes of all tags and the rest.
    #[must_use]
    pub fn length(&self) -> usize {
        let tags = self.tags.iter();
        tags.map(|tag| TAG_HEADER_BYTES + tag.data_length())
            .sum::<usize>()
            + self.rest.len()
    }

    /// The section's data.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes: Vec<u8> = self.tags.iter().flat_map(InfoTag::encode).collect();
        bytes.extend_from_slice(&self.rest);
        bytes
    }

    /// The last tag with this id, which is the one that counts.
    #[must_use]
    pub fn tag(&self, id: u8) -> Option<&InfoValue<'a>> {
        let mut tags = self.tags.iter().rev();
        tags.find(|tag| tag.id == id).map(|tag| &tag.value)
    }

    /// A number.
    #[must_use]
    pub fn number(&self, id: u8) -> Option<u32> {
        match self.tag(id)? {
            InfoValue::Number(number) => Some(*number),
            _ => None,
        }
    }

    /// A version.
    #[must_use]
    pub fn version(&self, id: u8) -> Option<[u16; 3]> {
        match self.tag(id)? {
            InfoValue::Version(version) => Some(version.shown()),
            _ => None,
        }
    }

    /// A text, up to its first zero; what is not UTF-8 is replaced.
    #[must_use]
    pub fn text(&self, id: u8) -> Option<String> {
        match self.tag(id)? {
            InfoValue::Text(text) => {
                let text = text.split(|&byte| byte == 0).next().unwrap_or_default();
                Some(String::from_utf8_lossy(text).into_owned())
            }
            _ => None,
        }
    }

    /// A list of numbers; none where there is no such tag.
    #[must_use]
    pub fn numbers(&self, id: u8) -> &[u32] {
        match self.tag(id) {
            Some(InfoValue::Numbers(numbers)) => numbers,
            _ => &[],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tag(id: u8, data: &[u8]) -> Vec<u8> {
        let mut bytes = (u32::from(id) << 24 | u32::try_from(data.len()).unwrap())
            .to_be_bytes()
            .to_vec();
        bytes.extend_from_slice(data);
        bytes
    }

    #[test]
    fn every_kind_of_tag_is_read_and_written() {
        let mut bytes = Vec::new();
        for id in 0..=21 {
            for length in [0, 4, 8, 12, 16, 208] {
                bytes.extend(tag(id, &vec![id + 1; length]));
            }
        }
        bytes.extend(tag(0xff, &[]));
        let (section, findings) = InfoSection::parse(&Stretch::from(&bytes[..]));
        assert_eq!(section.encode(), bytes);
        assert_eq!(section.length(), bytes.len());
        assert!(section.rest.is_empty());
        assert!(
            findings
                .iter()
                .all(|finding| finding.severity < crate::image::Severity::Error)
        );
    }

    #[test]
    fn any_end_but_the_right_one_is_an_error() {
        let sound = [tag(1, &[0, 2, 0, 0, 0, 42, 0x13, 0x88]), tag(0xff, &[])].concat();
        let parse = |bytes: &[u8]| {
            let (section, findings) = InfoSection::parse(&Stretch::from(bytes));
            assert_eq!(section.encode(), bytes);
            findings.len()
        };
        assert_eq!(parse(&sound), 0);
        for length in (0..sound.len()).step_by(4) {
            assert_eq!(parse(&sound[..length]), 1, "{length}");
        }
        assert_eq!(parse(&[&sound[..], &[0; 4]].concat()), 1);
    }
}
