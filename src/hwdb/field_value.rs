//! A setting's value: read from text, checked, shown.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr};

use super::field::{Field, Place, TextFormat};

/// A setting's value.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum FieldValue {
    /// A number.
    Number(u32),
    /// A text.
    Text(String),
    /// Bytes, or a text that is none.
    Bytes(Vec<u8>),
}

impl FieldValue {
    /// The number, if it is one.
    #[must_use]
    pub fn number(&self) -> Option<u32> {
        match self {
            Self::Number(number) => Some(*number),
            Self::Text(_) | Self::Bytes(_) => None,
        }
    }

    pub(super) fn from_bytes(bytes: &[u8], format: TextFormat) -> Self {
        if format == TextFormat::Hex {
            return Self::Bytes(bytes.to_vec());
        }
        let end = bytes.iter().position(|byte| *byte == 0);
        let text = bytes.get(..end.unwrap_or(bytes.len())).unwrap_or_default();
        match std::str::from_utf8(text) {
            Ok(text) if text.bytes().all(is_printable) => Self::Text(text.to_owned()),
            _ => Self::Bytes(text.to_vec()),
        }
    }

    pub(super) fn to_bytes(&self) -> Vec<u8> {
        match self {
            Self::Number(number) => number.to_be_bytes().to_vec(),
            Self::Text(text) => text.as_bytes().to_vec(),
            Self::Bytes(bytes) => bytes.clone(),
        }
    }
}

impl From<u32> for FieldValue {
    fn from(number: u32) -> Self {
        Self::Number(number)
    }
}

/// The value without its name: `1`, `iqn.2026-01.org.example:a`, `0x00ff`.
impl fmt::Display for FieldValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => number.fmt(f),
            Self::Text(text) => f.write_str(text),
            Self::Bytes(bytes) => {
                f.write_str("0x")?;
                bytes.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
            }
        }
    }
}

fn is_printable(byte: u8) -> bool {
    (b' '..=b'~').contains(&byte)
}

/// More bytes than this are shown by their first ones.
const MANY: usize = 16;
const FEW: usize = 8;

/// A text that is no value of a setting.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a value of {setting}: allowed is {allowed}")]
pub struct ValueError {
    /// The setting.
    pub setting: String,
    /// What was given; a secret is not repeated.
    pub text: String,
    /// What is allowed, in words.
    pub allowed: String,
}

impl Field {
    /// Reads a value as people write it: a name of `values` (case does not
    /// matter), a number (also hexadecimal, `0x..`), or a text.
    ///
    /// # Errors
    /// [`ValueError`] says what is allowed.
    pub fn parse(&self, text: &str) -> Result<FieldValue, ValueError> {
        let refused = || ValueError {
            setting: self.name.clone(),
            text: if self.secret {
                "(hidden)".to_owned()
            } else {
                text.to_owned()
            },
            allowed: self.allowed(),
        };
        let value = match &self.place {
            Place::Number { .. } => self
                .named(text)
                .or_else(|| parse_number(text))
                .map(FieldValue::Number),
            Place::Text(place) if place.format == TextFormat::Hex => {
                parse_hex(text).map(FieldValue::Bytes)
            }
            Place::Text(_) => Some(FieldValue::Text(self.spelled(text).to_owned())),
        };
        value
            .filter(|value| self.is_legal(value))
            .ok_or_else(refused)
    }

    fn named(&self, text: &str) -> Option<u32> {
        self.values
            .iter()
            .find(|named| named.name.eq_ignore_ascii_case(text))
            .map(|named| named.value)
    }

    /// A legal text as the card spells it, where the texts are counted.
    fn spelled<'a>(&'a self, text: &'a str) -> &'a str {
        self.texts
            .iter()
            .find(|known| known.eq_ignore_ascii_case(text))
            .map_or(text, String::as_str)
    }

    /// Whether the source defines this value.
    #[must_use]
    pub fn is_legal(&self, value: &FieldValue) -> bool {
        match (&self.place, value) {
            (Place::Number { bits, .. }, FieldValue::Number(number)) => {
                bits.fits(*number)
                    && self
                        .range
                        .is_none_or(|range| (range.min..=range.max).contains(number))
                    && (self.values.is_empty() || self.value_name(*number).is_some())
            }
            (Place::Text(place), FieldValue::Text(text)) => {
                let fits = (place.shortest..=place.longest()).contains(&text.len())
                    && text.bytes().all(is_printable)
                    && has_format(text, place.format)
                    && (self.texts.is_empty() || self.texts.contains(text));
                fits || text.is_empty()
            }
            (Place::Text(place), FieldValue::Bytes(bytes)) => {
                place.format == TextFormat::Hex && bytes.len() <= place.length
            }
            _ => false,
        }
    }

    /// The name of a number, where it has one.
    #[must_use]
    pub fn value_name(&self, number: u32) -> Option<&str> {
        let named = self.values.iter().find(|named| named.value == number)?;
        Some(&named.name)
    }

    /// The value for people: `PXE(1)`, `7`, `reserved(9)`, `"text"`; a secret is
    /// hidden.
    #[must_use]
    pub fn describe(&self, value: &FieldValue) -> String {
        if self.secret {
            return match value {
                FieldValue::Text(text) if text.is_empty() => "\"\"".to_owned(),
                _ => "(hidden)".to_owned(),
            };
        }
        match value {
            FieldValue::Number(number) => match self.value_name(*number) {
                Some(name) => format!("{name}({number})"),
                None if self.is_legal(value) => number.to_string(),
                None => format!("reserved({number})"),
            },
            FieldValue::Text(text) => format!("\"{text}\""),
            FieldValue::Bytes(bytes) if bytes.len() > MANY => {
                let few = Self::first(bytes, FEW);
                format!("{few}... ({} bytes)", bytes.len())
            }
            FieldValue::Bytes(_) => value.to_string(),
        }
    }

    fn first(bytes: &[u8], count: usize) -> FieldValue {
        FieldValue::Bytes(bytes.iter().take(count).copied().collect())
    }

    /// The value as [`Field::parse`] reads it back: the name where it has one.
    /// A secret is not hidden.
    #[must_use]
    pub fn spell(&self, value: &FieldValue) -> String {
        match value {
            FieldValue::Number(number) => self
                .value_name(*number)
                .map_or_else(|| number.to_string(), str::to_owned),
            _ => value.to_string(),
        }
    }

    /// What is allowed, in words: `IPv4, IPv6, IPv4_IPv6, IPv6_IPv4`.
    #[must_use]
    pub fn allowed(&self) -> String {
        match &self.place {
            Place::Number { .. } if !self.values.is_empty() => {
                let names: Vec<String> = self
                    .values
                    .iter()
                    .map(|named| format!("{}({})", named.name, named.value))
                    .collect();
                names.join(", ")
            }
            Place::Number { bits, .. } => {
                let (min, max) = self
                    .range
                    .map_or((0, bits.mask()), |range| (range.min, range.max));
                let unit = self.unit.as_ref().map(|unit| format!(" {unit}"));
                format!("{min} to {max}{}", unit.unwrap_or_default())
            }
            Place::Text(_) if !self.texts.is_empty() => {
                format!("{}, or nothing", self.texts.join(", "))
            }
            Place::Text(place) => {
                let length = place.longest();
                match place.format {
                    TextFormat::Text if place.shortest > 0 => format!(
                        "printable ASCII, {} to {length} characters, or nothing",
                        place.shortest
                    ),
                    TextFormat::Text => format!("printable ASCII, at most {length} characters"),
                    TextFormat::Ipv4 => "an IPv4 address, or nothing".to_owned(),
                    TextFormat::Ip => {
                        format!(
                            "an IPv4 or IPv6 address of at most {length} characters, or nothing"
                        )
                    }
                    TextFormat::Port => "a port from 1 to 65535, or nothing".to_owned(),
                    TextFormat::Decimal => {
                        format!("a decimal number of at most {length} digits, or nothing")
                    }
                    TextFormat::Hex => format!("at most {length} bytes as hexadecimal digits"),
                }
            }
        }
    }
}

fn has_format(text: &str, format: TextFormat) -> bool {
    match format {
        TextFormat::Text => true,
        TextFormat::Ipv4 => text.parse::<Ipv4Addr>().is_ok(),
        TextFormat::Ip => text.parse::<IpAddr>().is_ok(),
        TextFormat::Port => text.parse::<u16>().is_ok_and(|port| port != 0),
        TextFormat::Decimal => {
            text.bytes().all(|byte| byte.is_ascii_digit()) && text.parse::<u64>().is_ok()
        }
        TextFormat::Hex => false,
    }
}

fn parse_number(text: &str) -> Option<u32> {
    match text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        Some(digits) if digits.bytes().all(|byte| byte.is_ascii_hexdigit()) => {
            u32::from_str_radix(digits, 16).ok()
        }
        None if text.bytes().all(|byte| byte.is_ascii_digit()) => text.parse().ok(),
        _ => None,
    }
}

fn parse_hex(text: &str) -> Option<Vec<u8>> {
    let digits = text.strip_prefix("0x").unwrap_or(text);
    let pairs = digits.as_bytes().chunks(2);
    pairs
        .map(|pair| {
            let pair = std::str::from_utf8(pair)
                .ok()
                .filter(|pair| pair.len() == 2)?;
            let is_hex = pair.bytes().all(|byte| byte.is_ascii_hexdigit());
            is_hex.then(|| u8::from_str_radix(pair, 16).ok()).flatten()
        })
        .collect()
}
