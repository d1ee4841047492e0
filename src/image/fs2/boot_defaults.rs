//! The boot defaults in an image: what a card goes by while a setting of its
//! expansion ROM was never set. Inferred, not documented.

use super::boot_pattern::{Found, Write, find, writes};
use super::registers::VALUE_OFFSET;
use super::target::pick;
use super::{Fs2File, Fs2Image};
use crate::hwdb::{
    BitField, BootDefaultsFile, DefaultName, Field, FieldValue, Hwdb, ImageFormat, Provenance,
    SettingsFile,
};
use crate::image::EditError;

/// The boot defaults of an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BootDefaults {
    /// Which image of a flash dump: 0 or 1.
    pub slot: usize,
    /// How it is known what they are.
    pub provenance: Provenance,
    /// The same for people: `inferred, not documented`.
    pub status: String,
    /// Where that comes from.
    pub source: Vec<String>,
    /// The defaults: of the card, of port 1, of port 2.
    pub values: Vec<BootDefault>,
}

/// One default.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BootDefault {
    /// Name of the setting, or of what the firmware says of itself.
    pub name: String,
    /// Counted from 1; `None` for the card's.
    pub port: Option<u8>,
    /// The value.
    pub value: u32,
    /// The value as a change of it is spelled: `IPv4`, `4`.
    pub spelled: String,
    /// The value for people: `IPv4(0)`, `4`, `reserved(9)`.
    pub shown: String,
    /// What the setting means.
    pub meaning: String,
    /// Whether it is the default of a setting, and may be changed.
    pub is_setting: bool,
    /// The register that gets it.
    pub register: u32,
    /// Its bits there.
    pub bits: BitField,
    /// Where the dword is in the file.
    pub offset: u64,
    /// Writes behind it that set some of the bits again.
    pub overridden: Vec<Override>,
}

/// A later write to the register of a default.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Override {
    /// Its section.
    pub path: String,
    /// Where its value is in the file.
    pub offset: u64,
    /// Its value.
    pub value: u32,
    /// Which bits it writes.
    pub mask: u32,
}

/// Reads the boot defaults of an image; `slot` may be left out where there is
/// only one.
///
/// # Errors
/// [`EditError::PatternCount`] unless they are there exactly once,
/// [`EditError::WhichSlot`], [`EditError::NoSuchSlot`], and
/// [`EditError::Unsupported`] when `hwdb` says nothing of them.
pub fn boot_defaults(
    file: &Fs2File<'_>,
    slot: Option<usize>,
    hwdb: &Hwdb,
) -> Result<BootDefaults, EditError> {
    let slot = pick(file, slot, &[])?;
    let image = file.slot(slot).ok_or(EditError::NoSuchSlot {
        slot,
        present: Vec::new(),
    })?;
    let (facts, settings) = facts(hwdb)?;
    let all = writes(image);
    let found = find(&all, facts)?;
    let values = found
        .iter()
        .flat_map(|found| of_register(image, &all, found, settings));
    Ok(BootDefaults {
        slot,
        provenance: facts.provenance,
        status: facts.status.clone(),
        source: facts.source.clone(),
        values: values.collect(),
    })
}

/// What is known of them, and the settings.
pub(super) fn facts(hwdb: &Hwdb) -> Result<(&BootDefaultsFile, &SettingsFile), EditError> {
    hwdb.boot_defaults(ImageFormat::Fs2)
        .ok_or_else(|| EditError::Unsupported {
            format: "FS2".to_owned(),
            reason: "nothing is known of its boot defaults".to_owned(),
        })
}

/// The defaults in one register.
fn of_register(
    image: &Fs2Image<'_>,
    all: &[Write],
    found: &Found<'_>,
    settings: &SettingsFile,
) -> Vec<BootDefault> {
    let entry = found.write.entry;
    let fields = found.register.field.iter();
    fields
        .map(|field| {
            let value = field.bits.get(entry.value);
            let (setting, meaning) = match &field.what {
                DefaultName::Setting(name) => {
                    let setting = settings.setting(name).map(|(_, setting)| setting);
                    (setting, setting.map_or("", |setting| &setting.meaning))
                }
                DefaultName::Flag { meaning, .. } => (None, &meaning[..]),
            };
            BootDefault {
                name: field.name().to_owned(),
                port: found.port,
                value,
                spelled: spelled(setting, value),
                shown: shown(setting, value),
                meaning: meaning.to_owned(),
                is_setting: setting.is_some(),
                register: entry.register,
                bits: field.bits,
                offset: image.physical(entry.address + VALUE_OFFSET),
                overridden: overridden(image, all, found.write, field.bits),
            }
        })
        .collect()
}

pub(super) fn spelled(setting: Option<&Field>, value: u32) -> String {
    match setting {
        Some(setting) => setting.spell(&FieldValue::Number(value)),
        None => value.to_string(),
    }
}

fn shown(setting: Option<&Field>, value: u32) -> String {
    match setting {
        Some(setting) => setting.describe(&FieldValue::Number(value)),
        None => value.to_string(),
    }
}

/// Writes behind one that set some of its bits again.
pub(super) fn overridden(
    image: &Fs2Image<'_>,
    all: &[Write],
    write: Write,
    bits: BitField,
) -> Vec<Override> {
    let own = write.entry;
    let place = bits.mask() << bits.1;
    let is_later = |other: &&Write| {
        (other.section, other.entry.address) > (write.section, own.address)
            && other.entry.register == own.register
            && other.entry.mask & place != 0
    };
    all.iter()
        .filter(is_later)
        .filter_map(|other| {
            let section = image.sections.get(other.section)?;
            Some(Override {
                path: format!("{}/{}", image.path(), section.path()),
                offset: image.physical(other.entry.address + VALUE_OFFSET),
                value: other.entry.value,
                mask: other.entry.mask,
            })
        })
        .collect()
}
