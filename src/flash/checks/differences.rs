//! What a burn changes for people, and what it does not.

use crate::image::{
    FirmwareFacts, FirmwareVersion, FlashSurvey, Prepared, VersionRecord, version_records,
};

/// A value before and after.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change<T> {
    /// Now.
    pub old: T,
    /// Afterwards.
    pub new: T,
}

impl<T: PartialEq> Change<T> {
    /// Whether anything changes.
    #[must_use]
    pub fn is_one(&self) -> bool {
        self.old != self.new
    }
}

/// What a burn changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Differences {
    /// Version of the firmware.
    pub firmware: Change<Option<FirmwareVersion>>,
    /// The board that the image is made for.
    pub psid: Change<Option<String>>,
    /// What the images of the expansion ROM say of themselves, such as
    /// `PXE 3.4.752`; none where there is no ROM.
    pub roms: Change<Vec<String>>,
    /// Whether the ROM's bytes change, whatever they say.
    pub rom_bytes_change: bool,
    /// Where the active image starts in the flash.
    pub slot: Change<Option<u32>>,
    /// What stays as it is.
    pub stays: Vec<String>,
    /// Against what two slots do not help.
    pub not_covered: Vec<String>,
}

impl Differences {
    pub(super) fn of(survey: &FlashSurvey, new: &Prepared) -> Self {
        let slot = survey.active();
        let old = slot.and_then(|slot| slot.facts());
        let old_rom = slot
            .and_then(|slot| slot.whole())
            .and_then(|image| image.rom.as_deref());
        let firmware = Change {
            old: old.and_then(|facts| facts.version),
            new: new.facts.version,
        };
        let rom_bytes_change = old_rom != new.rom.as_deref();
        Self {
            psid: Change {
                old: old.and_then(|facts| facts.psid.clone()),
                new: new.facts.psid.clone(),
            },
            roms: Change {
                old: roms(old_rom),
                new: roms(new.rom.as_deref()),
            },
            rom_bytes_change,
            slot: Change {
                old: slot.map(|slot| slot.place.start),
                new: Some(new.image.place.start),
            },
            stays: stays(survey, old),
            not_covered: not_covered(rom_bytes_change, &firmware),
            firmware,
        }
    }
}

/// What the images of a ROM say of themselves.
fn roms(rom: Option<&[u8]>) -> Vec<String> {
    let Some(rom) = rom else {
        return Vec::new();
    };
    let mut roms: Vec<String> = version_records(rom)
        .flatten()
        .map(|record| spelled(&record))
        .collect();
    if roms.is_empty() {
        roms.push(format!("{:#x} bytes without a version", rom.len()));
    }
    roms
}

fn spelled(record: &VersionRecord) -> String {
    let name = record.product.name().unwrap_or("unknown");
    match &record.version {
        crate::image::RomVersion::Numbered(version) => format!("{name} {version}"),
        crate::image::RomVersion::Text(text) => text.clone(),
    }
}

fn stays(survey: &FlashSurvey, old: Option<&FirmwareFacts>) -> Vec<String> {
    let mut stays = Vec::new();
    let addresses = old.map_or(&[][..], |facts| &facts.addresses);
    if !addresses.is_empty() {
        stays.push("GUIDs and MACs".to_owned());
    }
    for region in survey.device_data() {
        if !stays.contains(&region.name) {
            stays.push(region.name.clone());
        }
    }
    stays
}

fn not_covered(rom: bool, firmware: &Change<Option<FirmwareVersion>>) -> Vec<String> {
    let mut sentences = Vec::new();
    if rom {
        sentences.push(
            "a new ROM that hangs the host while it starts: the card boots, the host does not"
                .to_owned(),
        );
    }
    if firmware.is_one() {
        sentences.push(
            "new firmware that starts and does not work: nothing goes back to the old image by \
             itself"
                .to_owned(),
        );
        sentences.push(
            "settings stay as they are stored, and another version may understand them in another \
             way"
            .to_owned(),
        );
    }
    sentences
}
