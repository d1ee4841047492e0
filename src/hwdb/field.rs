//! A field of a TLV: a setting.

use serde::Deserialize;

use super::{DefaultAt, FieldValue, Limit, Requirement};

/// A field of a TLV: a setting.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Record")]
pub struct Field {
    /// mlxconfig's name without a port suffix, or ours.
    pub name: String,
    /// Whether the name is ours because mlxconfig has none.
    pub ours: bool,
    /// Other names of the same field.
    pub aliases: Vec<String>,
    /// Where it lies in the TLV, and of what kind it is.
    pub place: Place,
    /// What it means, in one line.
    pub meaning: String,
    /// Unit of a plain number.
    pub unit: Option<String>,
    /// The legal values by name. Without any, every number in `range` is legal.
    pub values: Vec<NamedValue>,
    /// The legal texts. Without any, every text of its format is legal.
    pub texts: Vec<String>,
    /// The legal numbers, both ends inside, where not all that fit are.
    pub range: Option<NumberRange>,
    /// Where the card says how high the number may go.
    pub limit: Option<Limit>,
    /// Where QUERY_DEF_PARAMS holds the default; tools HCR only.
    pub default: Option<DefaultAt>,
    /// What the card must offer for the setting to exist.
    pub requires: Vec<Requirement>,
    /// The bit that says that the value counts; set along with it.
    pub valid: Option<ValidBit>,
    /// The setting without which this one has no effect.
    pub effective_with: Option<EffectiveWith>,
    /// What a wrong value can break.
    pub risk: Risk,
    /// What to know before changing it, one sentence.
    pub caution: Option<String>,
    /// Whether it is never shown or written down unless asked for by name.
    pub secret: bool,
}

/// The record as it is written in a file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Record {
    name: String,
    #[serde(default)]
    ours: bool,
    #[serde(default)]
    aliases: Vec<String>,
    dword: Option<usize>,
    bits: Option<BitField>,
    text: Option<TextPlace>,
    meaning: String,
    unit: Option<String>,
    #[serde(default)]
    values: Vec<NamedValue>,
    #[serde(default)]
    texts: Vec<String>,
    #[serde(default)]
    boolean: bool,
    range: Option<NumberRange>,
    limit: Option<Limit>,
    default: Option<DefaultAt>,
    #[serde(default)]
    requires: Vec<Requirement>,
    valid: Option<ValidBit>,
    effective_with: Option<EffectiveWith>,
    #[serde(default)]
    risk: Risk,
    caution: Option<String>,
    #[serde(default)]
    secret: bool,
}

impl TryFrom<Record> for Field {
    type Error = String;

    fn try_from(record: Record) -> Result<Self, String> {
        let place = match (record.dword, record.bits, record.text) {
            (Some(dword), Some(bits), None) => Place::Number { dword, bits },
            (None, None, Some(text)) => Place::Text(text),
            _ => {
                return Err(format!(
                    "{}: needs either `dword` and `bits` or `text`",
                    record.name
                ));
            }
        };
        let values = if record.boolean {
            if !record.values.is_empty() {
                return Err(format!("{}: `boolean` and `values`", record.name));
            }
            vec![NamedValue::new("False", 0), NamedValue::new("True", 1)]
        } else {
            record.values
        };
        Ok(Self {
            name: record.name,
            ours: record.ours,
            aliases: record.aliases,
            place,
            meaning: record.meaning,
            unit: record.unit,
            values,
            texts: record.texts,
            range: record.range,
            limit: record.limit,
            default: record.default,
            requires: record.requires,
            valid: record.valid,
            effective_with: record.effective_with,
            risk: record.risk,
            caution: record.caution,
            secret: record.secret,
        })
    }
}

/// Where a field lies in its TLV.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// A number in bits of one big-endian dword.
    Number {
        /// Which dword of the TLV, counted from 0.
        dword: usize,
        /// Bits of the dword.
        bits: BitField,
    },
    /// A text in whole bytes.
    Text(TextPlace),
}

/// A text in whole bytes: filled up with zeros, none at its end when it is full.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TextPlace {
    /// First byte in the TLV.
    pub offset: usize,
    /// How many bytes.
    pub length: usize,
    /// What may stand there.
    pub format: TextFormat,
    /// The fewest characters of a text that is not empty.
    #[serde(default)]
    pub shortest: usize,
    /// The most characters, where the readers of the TLV do not take all bytes:
    /// some of them need a zero at the end.
    #[serde(default)]
    longest: Option<usize>,
}

impl TextPlace {
    /// The most characters that may stand there.
    #[must_use]
    pub fn longest(&self) -> usize {
        self.longest.unwrap_or(self.length)
    }
}

/// What may stand in a text field.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TextFormat {
    /// Printable ASCII.
    Text,
    /// An IPv4 address as text: `192.0.2.1`.
    Ipv4,
    /// An IPv4 or IPv6 address as text.
    Ip,
    /// A decimal number as text, 1 to 65535: a port.
    Port,
    /// A decimal number of at most 64 bits as text.
    Decimal,
    /// Bytes, written as hexadecimal digits.
    Hex,
}

/// Bits of a dword, `[high, low]`, both inside.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub struct BitField(pub u8, pub u8);

impl BitField {
    /// The highest number that fits in.
    #[must_use]
    pub fn mask(self) -> u32 {
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

impl NamedValue {
    fn new(name: &str, value: u32) -> Self {
        Self {
            name: name.to_owned(),
            value,
            boots_pxe: false,
        }
    }
}

/// Legal numbers, both ends inside.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NumberRange {
    /// The lowest.
    pub min: u32,
    /// The highest.
    pub max: u32,
}

/// The bit of the TLV that says that a value counts.
///
/// While it is clear the firmware goes by its default, whatever the value.
/// Source: mstflint 4.21 `mlxcfg_tlv.cpp`, checkParamValidBit.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ValidBit {
    /// Dword of the TLV.
    pub dword: usize,
    /// Bit of the dword.
    pub bit: u8,
    /// Its name in the source.
    pub name: String,
}

/// The setting without which another has no effect.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EffectiveWith {
    /// Its name.
    pub setting: String,
    /// The values of it that will do.
    pub values: Vec<u32>,
}

/// What a wrong value can break.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Deserialize, serde::Serialize,
)]
#[serde(rename_all = "kebab-case")]
pub enum Risk {
    /// Nothing but convenience.
    #[default]
    None,
    /// Whether the host boots from the network.
    Boot,
    /// What the operating system sees of the card, up to not starting.
    Host,
}

impl Field {
    /// Whether this is its name or one of its aliases; case does not matter.
    #[must_use]
    pub fn is_called(&self, name: &str) -> bool {
        std::iter::once(&self.name)
            .chain(&self.aliases)
            .any(|known| known.eq_ignore_ascii_case(name))
    }

    /// The value of this field in the TLV's data.
    ///
    /// `None` when the data is too short. A field whose valid bit is clear has
    /// a value all the same: see [`Field::is_valid`].
    #[must_use]
    pub fn get(&self, data: &[u8]) -> Option<FieldValue> {
        match &self.place {
            Place::Number { .. } => self.number(data).map(FieldValue::Number),
            Place::Text(place) => {
                let end = data.len().min(place.offset + place.length);
                let bytes = data.get(place.offset..end)?;
                Some(FieldValue::from_bytes(bytes, place.format))
            }
        }
    }

    /// The number in this field; `None` for texts and when the data is too short.
    #[must_use]
    pub fn number(&self, data: &[u8]) -> Option<u32> {
        match &self.place {
            Place::Number { dword: index, bits } => Some(bits.get(dword(data, *index)?)),
            Place::Text(_) => None,
        }
    }

    /// Whether the value counts: it has no valid bit, or that is set.
    #[must_use]
    pub fn is_valid(&self, data: &[u8]) -> bool {
        self.valid.as_ref().is_none_or(|valid| {
            dword(data, valid.dword).is_some_and(|word| word >> valid.bit & 1 == 1)
        })
    }

    /// Puts a value into the TLV's data, sets its valid bit, and leaves every
    /// other bit alone.
    ///
    /// Returns `None` when the data is too short or the value does not fit.
    #[must_use]
    pub fn put(&self, data: &mut [u8], value: &FieldValue) -> Option<()> {
        self.put_bits(data, value)?;
        self.put_valid(data, true)
    }

    /// Sets or clears the valid bit, where there is one.
    ///
    /// Returns `None` when the data is too short.
    #[must_use]
    pub fn put_valid(&self, data: &mut [u8], counts: bool) -> Option<()> {
        let Some(valid) = &self.valid else {
            return Some(());
        };
        let bit = 1 << valid.bit;
        let word = dword(data, valid.dword)?;
        let word = if counts { word | bit } else { word & !bit };
        put_dword(data, valid.dword, word)
    }

    /// Puts a value into the TLV's data and leaves its valid bit alone.
    ///
    /// Returns `None` when the data is too short or the value does not fit.
    #[must_use]
    pub fn put_bits(&self, data: &mut [u8], value: &FieldValue) -> Option<()> {
        match (&self.place, value) {
            (Place::Number { dword: index, bits }, FieldValue::Number(number)) => {
                let word = bits.put(dword(data, *index)?, *number)?;
                put_dword(data, *index, word)?;
            }
            (Place::Text(place), FieldValue::Text(_) | FieldValue::Bytes(_)) => {
                let bytes = value.to_bytes();
                let room = data.get_mut(place.offset..place.offset + place.length)?;
                if bytes.len() > room.len() {
                    return None;
                }
                room.fill(0);
                room.iter_mut().zip(bytes).for_each(|(to, from)| *to = from);
            }
            _ => return None,
        }
        Some(())
    }

    /// Whether the ROM boots by PXE with this value of a boot protocol.
    #[must_use]
    pub fn boots_pxe(&self, value: u32) -> bool {
        self.values
            .iter()
            .any(|named| named.value == value && named.boots_pxe)
    }
}

fn dword(data: &[u8], index: usize) -> Option<u32> {
    let bytes = data.get(index * 4..index * 4 + 4)?;
    Some(u32::from_be_bytes(bytes.try_into().ok()?))
}

fn put_dword(data: &mut [u8], index: usize, word: u32) -> Option<()> {
    let at = index * 4;
    data.get_mut(at..at + 4)?
        .copy_from_slice(&word.to_be_bytes());
    Some(())
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
