//! What an FS2 image says of itself, in the words of every format.
//!
//! # Sources
//! mstflint 4.21, mlxfwops/lib/fs2_ops.cpp (`Fs2Operations::ParseInfoSect`,
//! `Fs2Query`) and flint/subcommands.cpp (`QuerySubCommand::displayFs2Uids`:
//! the order of GUIDs and MACs).

use std::borrow::Cow;

use super::{Contents, Fs2File, Fs2Image, InfoSection, InfoValue, Section, SectionType};
use crate::image::{
    AddressFact, AddressKind, FirmwareFacts, FirmwareVersion, ReleaseDate, RomFact, SectionFact,
    version_records,
};

const GUID_ROLES: [(&str, AddressKind); 6] = [
    ("node", AddressKind::Guid),
    ("port1", AddressKind::Guid),
    ("port2", AddressKind::Guid),
    ("sysimage", AddressKind::Guid),
    ("port1", AddressKind::Mac),
    ("port2", AddressKind::Mac),
];
const MAC_BITS: u64 = 0xffff_ffff_ffff;

impl<'a> Fs2File<'a> {
    /// What the image in a slot says of itself; `None` where there is none.
    #[must_use]
    pub fn facts(&self, slot: usize) -> Option<FirmwareFacts> {
        self.slot(slot).map(Fs2Image::facts)
    }

    /// The expansion ROM of the image in a slot; a copy only where it lies in
    /// several chunks of the file.
    #[must_use]
    pub fn rom(&self, slot: usize) -> Option<Cow<'a, [u8]>> {
        let section = self.slot(slot)?.section(SectionType::Rom)?;
        Some(section.data())
    }
}

impl Fs2Image<'_> {
    /// What the image says of itself.
    #[must_use]
    pub fn facts(&self) -> FirmwareFacts {
        let empty = InfoSection::default();
        let info = self.info().unwrap_or(&empty);
        let text = |id| info.text(id).filter(|text| !text.is_empty());
        FirmwareFacts {
            slot: self.slot,
            offset: self.physical(0),
            size: self.end() as u64,
            version: info
                .version(1)
                .map(|[major, minor, subminor]| FirmwareVersion {
                    major,
                    minor,
                    subminor,
                }),
            release_date: info.release_date(),
            mic_version: info
                .version(11)
                .map(|[major, minor, sub]| format!("{major}.{minor}.{sub}")),
            product_version: text(7),
            psid: text(4),
            prs_name: text(20),
            pci_device_id: info.number(3).map(low_half),
            hardware_ids: hardware_ids(info),
            vsd: info.text(5),
            vsd_vendor_id: info.number(8).map(low_half),
            addresses: self.addresses(),
            rom: self.section(SectionType::Rom).map(|rom| self.rom_fact(rom)),
            sections: self
                .sections
                .iter()
                .map(|section| self.section_fact(section))
                .collect(),
            ..FirmwareFacts::default()
        }
    }

    fn addresses(&self) -> Vec<AddressFact> {
        let section = self.section(SectionType::Guid);
        let guids = match section.map(|section| &section.contents) {
            Some(Contents::Guids(guids)) => &guids[..],
            _ => &[],
        };
        guids
            .iter()
            .zip(GUID_ROLES)
            .map(|(&guid, (role, kind))| AddressFact {
                role,
                kind,
                first: match kind {
                    AddressKind::Guid => guid,
                    AddressKind::Mac => guid & MAC_BITS,
                },
                count: 1,
                step: 0,
            })
            .collect()
    }

    fn rom_fact(&self, rom: &Section<'_>) -> RomFact {
        RomFact {
            offset: self.physical(rom.data_address()),
            length: rom.data_length() as u64,
            records: version_records(&rom.data())
                .filter_map(Result::ok)
                .collect(),
        }
    }

    fn section_fact(&self, section: &Section<'_>) -> SectionFact {
        let [.., low] = section.kind.id().to_be_bytes();
        SectionFact {
            name: section.kind.title().into_owned(),
            type_id: low,
            offset: self.physical(section.data_address()),
            length: section.data_length() as u64,
            crc: Some(low_half(section.crc)),
            device_data: section.kind == SectionType::Guid,
        }
    }
}

impl InfoSection<'_> {
    fn release_date(&self) -> Option<ReleaseDate> {
        let Some(&InfoValue::BuildTime { date, .. }) = self.tag(2) else {
            return None;
        };
        let [century, year, month, day] = date.to_be_bytes().map(decimal);
        Some(ReleaseDate {
            year: u16::from(century) * 100 + u16::from(year),
            month,
            day,
        })
    }
}

/// Two decimal digits in the halves of a byte.
fn decimal(byte: u8) -> u8 {
    (byte >> 4) * 10 + (byte & 0xf)
}

/// The list, without the zero that may end it.
fn hardware_ids(info: &InfoSection<'_>) -> Vec<u32> {
    let ids = info.numbers(10).iter().copied();
    ids.take_while(|&id| id != 0).collect()
}

fn low_half(dword: u32) -> u16 {
    let [.., high, low] = dword.to_be_bytes();
    u16::from_be_bytes([high, low])
}
