//! Non-volatile settings: the TLVs of a firmware interface.

use serde::Deserialize;

use super::{Field, FirmwareInterface, Verified};

/// One file of `hwdb/settings`: the TLVs of one firmware interface.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SettingsFile {
    /// Version of the file format, 1.
    pub schema: u32,
    /// Whose TLVs these are.
    pub interface: FirmwareInterface,
    /// Files of the same folder (without `.toml`) whose TLVs belong to it too.
    #[serde(default)]
    pub include: Vec<String>,
    /// The TLVs: its own, then those of the included files.
    pub tlv: Vec<Tlv>,
}

impl SettingsFile {
    /// The setting of this name or alias, with the TLV that holds it.
    #[must_use]
    pub fn setting(&self, name: &str) -> Option<(&Tlv, &Field)> {
        self.settings().find(|(_, field)| field.is_called(name))
    }

    /// Every setting, with the TLV that holds it.
    pub fn settings(&self) -> impl Iterator<Item = (&Tlv, &Field)> {
        self.tlv
            .iter()
            .flat_map(|tlv| tlv.field.iter().map(move |field| (tlv, field)))
    }
}

/// A TLV of the card's settings store.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tlv {
    /// Name, as the source spells it.
    pub name: String,
    /// Class of the TLV; only on the ICMD interface.
    pub class: Option<TlvClass>,
    /// Type (tools HCR, 16 bits) or id within its class (ICMD).
    #[serde(rename = "type")]
    pub tlv_type: u32,
    /// What one instance of it belongs to.
    pub scope: Scope,
    /// Length of its data in bytes, a multiple of four.
    pub length_bytes: u16,
    /// Version that a stored TLV has to name for its readers to go by it all.
    #[serde(default)]
    pub version: u8,
    /// When a new value takes effect.
    pub applies: Applies,
    /// Whether flexctl may write it.
    pub access: Access,
    /// How far the claims of this record go.
    pub verified: Verified,
    /// Where the facts come from.
    pub source: Vec<String>,
    /// The fields.
    pub field: Vec<Field>,
}

impl Tlv {
    /// Whether a value of it must not be shown or written down unasked.
    #[must_use]
    pub fn is_secret(&self) -> bool {
        self.field.iter().any(|field| field.secret)
    }
}

/// Class of an ICMD TLV: the upper byte of its type dword.
///
/// Source: mstflint 4.21, `mlxconfig`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TlvClass {
    /// Class 0: the whole card.
    Global,
    /// Class 1: a physical port.
    Port,
    /// Class 3: a host's PCI function.
    Host,
    /// Class 7: a host's PCI settings.
    Pci,
}

impl TlvClass {
    /// The upper byte of the type dword.
    #[must_use]
    pub fn code(self) -> u32 {
        match self {
            Self::Global => 0,
            Self::Port => 1,
            Self::Host => 3,
            Self::Pci => 7,
        }
    }
}

/// What an instance of a TLV belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Scope {
    /// The card.
    Card,
    /// A physical port, counted from 1.
    Port,
    /// The PCI function through which it is read.
    Function,
}

/// When a new value takes effect: the restart that is enough.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize, serde::Serialize,
)]
#[serde(rename_all = "kebab-case")]
pub enum Applies {
    /// At the next boot: the ROM reads it itself.
    Boot,
    /// After a reset of the firmware.
    FirmwareReset,
}

/// What flexctl may do with a TLV.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Access {
    /// Read and write.
    ReadWrite,
    /// Only read.
    ReadOnly,
}
