//! Non-volatile settings: TLVs and the fields in them.

use serde::Deserialize;

use super::{FirmwareInterface, Verified};

/// One file of `hwdb/settings`: the TLVs of one firmware interface.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SettingsFile {
    /// Version of the file format, 1.
    pub schema: u32,
    /// Whose TLVs these are.
    pub interface: FirmwareInterface,
    /// The TLVs.
    pub tlv: Vec<Tlv>,
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

/// What an instance of a TLV belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Scope {
    /// The card.
    Card,
    /// A physical port, counted from 1.
    Port,
    /// The PCI function through which it is read.
    Function,
}

/// When a new value takes effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, serde::Serialize)]
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

/// A field of a TLV: a setting.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Field {
    /// mlxconfig's name without a port suffix, or ours.
    pub name: String,
    /// Whether the name is ours because mlxconfig has none.
    #[serde(default)]
    pub ours: bool,
    /// Other names of the same field.
    #[serde(default)]
    pub aliases: Vec<String>,
    /// Which dword of the TLV, counted from 0.
    pub dword: usize,
    /// Bits of the dword.
    pub bits: BitField,
    /// What it means, in one line.
    pub meaning: String,
    /// Unit of a plain number.
    pub unit: Option<String>,
    /// The legal values by name. Without any, every number that fits is legal.
    #[serde(default)]
    pub values: Vec<NamedValue>,
    /// Where QUERY_DEF_PARAMS (per port) holds the default; tools HCR only.
    pub default: Option<DefaultAt>,
    /// What the card must offer for the setting to exist.
    pub requires: Option<Requirement>,
}

impl Field {
    /// The value of this field in the TLV's data (big-endian dwords).
    #[must_use]
    pub fn get(&self, data: &[u8]) -> Option<u32> {
        Some(self.bits.get(dword(data, self.dword)?))
    }

    /// Puts a value into the TLV's data and leaves every other bit alone.
    ///
    /// Returns `None` when the data is too short or the value does not fit.
    #[must_use]
    pub fn put(&self, data: &mut [u8], value: u32) -> Option<()> {
        let word = self.bits.put(dword(data, self.dword)?, value)?;
        let at = self.dword * 4;
        data.get_mut(at..at + 4)?
            .copy_from_slice(&word.to_be_bytes());
        Some(())
    }

    /// The name of a value, where it has one.
    #[must_use]
    pub fn value_name(&self, value: u32) -> Option<&str> {
        let named = self.values.iter().find(|named| named.value == value)?;
        Some(&named.name)
    }

    /// Whether the source defines this value.
    #[must_use]
    pub fn is_legal(&self, value: u32) -> bool {
        self.bits.fits(value) && (self.values.is_empty() || self.value_name(value).is_some())
    }

    /// Whether the ROM boots by PXE with this value of a boot protocol.
    #[must_use]
    pub fn boots_pxe(&self, value: u32) -> bool {
        self.values
            .iter()
            .any(|named| named.value == value && named.boots_pxe)
    }

    /// The value for people: `PXE(1)`, `7`, `reserved(9)`.
    #[must_use]
    pub fn describe(&self, value: u32) -> String {
        match self.value_name(value) {
            Some(name) => format!("{name}({value})"),
            None if self.is_legal(value) => value.to_string(),
            None => format!("reserved({value})"),
        }
    }
}

fn dword(data: &[u8], index: usize) -> Option<u32> {
    let bytes = data.get(index * 4..index * 4 + 4)?;
    Some(u32::from_be_bytes(bytes.try_into().ok()?))
}

/// Bits of a dword, `[high, low]`, both inside.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub struct BitField(pub u8, pub u8);

impl BitField {
    fn mask(self) -> u32 {
        let width = u32::from(self.0 - self.1) + 1;
        u32::MAX >> (32 - width)
    }

    /// Whether a value fits in.
    #[must_use]
    pub fn fits(self, value: u32) -> bool {
        value <= self.mask()
    }

    /// The field's value in `word`.
    #[must_use]
    pub fn get(self, word: u32) -> u32 {
        (word >> self.1) & self.mask()
    }

    /// `word` with the field replaced; `None` when the value does not fit.
    #[must_use]
    pub fn put(self, word: u32, value: u32) -> Option<u32> {
        self.fits(value)
            .then(|| (word & !(self.mask() << self.1)) | (value << self.1))
    }
}

/// A legal value and its name.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NamedValue {
    /// mlxconfig's name of the value.
    pub name: String,
    /// The number.
    pub value: u32,
    /// For boot protocols: whether the ROM boots by PXE with it.
    #[serde(default)]
    pub boots_pxe: bool,
}

/// Where the per-port answer of QUERY_DEF_PARAMS holds a default.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DefaultAt {
    /// Dword of the answer, counted from 0.
    pub dword: usize,
    /// Bits of the dword.
    pub bits: BitField,
}

/// What a card must offer for a setting to exist.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Requirement {
    /// A bit of a capability TLV (ICMD).
    CapabilityTlv {
        /// Type dword of the capability TLV.
        #[serde(rename = "type")]
        tlv_type: u32,
        /// Dword of its data.
        dword: usize,
        /// Bit that must be set.
        bit: u8,
        /// Name of the bit in the source.
        name: String,
    },
    /// A bit of the global QUERY_DEF_PARAMS answer (tools HCR).
    DefParamsGlobal {
        /// Dword of the answer.
        dword: usize,
        /// Bit that must be set.
        bit: u8,
        /// Name of the bit in the source.
        name: String,
    },
    /// A version of the TLV as MNVQC reports it (ICMD).
    MnvqcVersion {
        /// The lowest version that has the field.
        at_least: u8,
        /// Words for the message.
        name: String,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_keeps_every_bit_that_is_not_its_own() {
        let bits = BitField(9, 8);
        assert_eq!(bits.put(0xffff_ffff, 1), Some(0xffff_fdff));
        assert_eq!(bits.get(0xffff_fdff), 1);
        assert_eq!(bits.put(0, 4), None);
        assert_eq!(BitField(31, 0).put(1, u32::MAX), Some(u32::MAX));
    }
}
