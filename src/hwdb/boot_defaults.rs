//! Where a firmware image holds the defaults of settings.

use serde::Deserialize;

use super::{BitField, DefaultOf, ImageFormat};

/// One file of `hwdb/boot-defaults`: writes to registers in the image of a
/// format, whose values the firmware answers as defaults (QUERY_DEF_PARAMS).
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BootDefaultsFile {
    /// Version of the file format, 1.
    pub schema: u32,
    /// In which images.
    pub image_format: ImageFormat,
    /// Name of the settings file whose settings these are.
    pub settings: String,
    /// How the facts came about.
    pub provenance: Provenance,
    /// The same for people: `inferred, not documented`.
    pub status: String,
    /// Where the facts come from.
    pub source: Vec<String>,
    /// How many ports have registers.
    pub ports: u8,
    /// From a register of one port to that of the next.
    pub port_step: u32,
    /// The registers.
    pub register: Vec<DefaultRegister>,
}

/// How facts came about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Provenance {
    /// Concluded from released firmware and other sources; nobody states it.
    Inferred,
    /// Stated by a public source.
    Published,
}

/// A register, by what is written to it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DefaultRegister {
    /// Whether there is one for the card or one a port.
    pub scope: DefaultOf,
    /// Which dword of the answer it is.
    pub dword: usize,
    /// Distance from the first register of the card.
    pub offset: u32,
    /// Mask of the write.
    pub mask: u32,
    /// Its address in the firmware that it was seen in; of the first port.
    pub seen_at: u32,
    /// The defaults in it.
    pub field: Vec<DefaultField>,
}

/// A default in a register.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Record")]
pub struct DefaultField {
    /// What it is.
    pub what: DefaultName,
    /// Its bits.
    pub bits: BitField,
}

/// What a default is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DefaultName {
    /// The default of a setting.
    Setting(String),
    /// Something that the firmware says of itself, not to be changed.
    Flag {
        /// Its name in the source.
        name: String,
        /// What it means, in one line.
        meaning: String,
    },
}

impl DefaultField {
    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        match &self.what {
            DefaultName::Setting(name) | DefaultName::Flag { name, .. } => name,
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Record {
    setting: Option<String>,
    flag: Option<String>,
    meaning: Option<String>,
    bits: BitField,
}

impl TryFrom<Record> for DefaultField {
    type Error = String;

    fn try_from(record: Record) -> Result<Self, String> {
        let what = match (record.setting, record.flag, record.meaning) {
            (Some(setting), None, None) => DefaultName::Setting(setting),
            (None, Some(name), Some(meaning)) => DefaultName::Flag { name, meaning },
            _ => return Err("needs either `setting`, or `flag` and `meaning`".to_owned()),
        };
        Ok(Self {
            what,
            bits: record.bits,
        })
    }
}

impl DefaultRegister {
    /// Distance of a port's register from the first of the card; ports count
    /// from 1, and registers of the card have no port.
    #[must_use]
    pub fn distance(&self, file: &BootDefaultsFile, port: Option<u8>) -> u32 {
        let before = port.map_or(0, |port| u32::from(port).saturating_sub(1));
        let step = before.saturating_mul(file.port_step);
        self.offset.saturating_add(step)
    }
}
