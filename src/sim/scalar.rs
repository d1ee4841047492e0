//! Values as profiles and state files write them: addresses, versions, bytes.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A text in a profile or state file that does not mean what it should.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not {expected}")]
pub struct BadScalar {
    /// The text as it was given.
    pub text: String,
    /// What it should have been.
    pub expected: &'static str,
}

fn bad(text: &str, expected: &'static str) -> BadScalar {
    BadScalar {
        text: text.to_owned(),
        expected,
    }
}

/// Where on the card a setting lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Place {
    /// One value for the whole card.
    Card,
    /// One value per PCI function (ConnectX-4), counted from 0.
    Function(u8),
    /// One value per port (ConnectX-3), counted from 1.
    Port(u8),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Card => write!(f, "card"),
            Self::Function(index) => write!(f, "function{index}"),
            Self::Port(number) => write!(f, "port{number}"),
        }
    }
}

impl FromStr for Place {
    type Err = BadScalar;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let numbered = |prefix: &str| text.strip_prefix(prefix)?.parse::<u8>().ok();
        if text == "card" {
            Ok(Self::Card)
        } else if let Some(index) = numbered("function") {
            Ok(Self::Function(index))
        } else if let Some(number) = numbered("port") {
            Ok(Self::Port(number))
        } else {
            Err(bad(text, "a place: `card`, `functionN` or `portN`"))
        }
    }
}

/// The type number of a setting (TLV), written in hexadecimal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(crate) struct Kind(pub(crate) u32);

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#010x}", self.0)
    }
}

impl FromStr for Kind {
    type Err = BadScalar;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.strip_prefix("0x")
            .and_then(|digits| u32::from_str_radix(digits, 16).ok())
            .map(Self)
            .ok_or_else(|| bad(text, "a type number such as 0x2021"))
    }
}

/// No setting is longer.
const MOST_TIMES: usize = 256;

/// Bytes, written as hexadecimal digits; blanks between them are free, `00*16` is
/// sixteen times `00`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(crate) struct Bytes(pub(crate) Vec<u8>);

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl FromStr for Bytes {
    type Err = BadScalar;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = || bad(text, "bytes in hexadecimal, two digits each");
        let mut digits = Vec::new();
        for word in text.split_ascii_whitespace() {
            let (part, times) = match word.split_once('*') {
                None => (word, 1),
                Some((part, times)) => {
                    let times = times.parse().ok().filter(|times| *times <= MOST_TIMES);
                    (part, times.ok_or_else(wrong)?)
                }
            };
            digits.extend(part.as_bytes().repeat(times));
        }
        digits
            .chunks(2)
            .map(|pair| match pair {
                [high, low] => Some(nibble(*high)? << 4 | nibble(*low)?),
                _ => None,
            })
            .collect::<Option<Vec<u8>>>()
            .map(Self)
            .ok_or_else(wrong)
    }
}

fn nibble(digit: u8) -> Option<u8> {
    char::from(digit)
        .to_digit(16)
        .and_then(|value| u8::try_from(value).ok())
}

/// An Ethernet address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct Mac(pub(crate) [u8; 6]);

impl Mac {
    /// The address as a number.
    pub(crate) fn number(self) -> u64 {
        let [a, b, c, d, e, f] = self.0;
        u64::from_be_bytes([0, 0, a, b, c, d, e, f])
    }

    /// The address `count` after this one.
    pub(crate) fn plus(self, count: u64) -> Self {
        let [a, b, c, d, e, f] = self.0;
        let number = u64::from_be_bytes([0, 0, a, b, c, d, e, f]).wrapping_add(count);
        let [_, _, a, b, c, d, e, f] = number.to_be_bytes();
        Self([a, b, c, d, e, f])
    }
}

impl fmt::Display for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, g] = self.0;
        write!(f, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}")
    }
}

impl FromStr for Mac {
    type Err = BadScalar;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.replace(':', "")
            .parse::<Bytes>()
            .ok()
            .and_then(|bytes| bytes.0.try_into().ok())
            .map(Self)
            .ok_or_else(|| bad(text, "an Ethernet address"))
    }
}

/// A version of three numbers, as in `2.42.5000`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(crate) struct Version {
    pub(crate) major: u16,
    pub(crate) minor: u16,
    pub(crate) sub: u16,
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.sub)
    }
}

impl FromStr for Version {
    type Err = BadScalar;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let numbers: Option<Vec<u16>> = text.split('.').map(|part| part.parse().ok()).collect();
        match numbers.as_deref() {
            Some(&[major, minor, sub]) => Ok(Self { major, minor, sub }),
            _ => Err(bad(text, "a version of three numbers")),
        }
    }
}

macro_rules! from_text {
    ($($name:ident),*) => {$(
        impl TryFrom<String> for $name {
            type Error = BadScalar;
            fn try_from(text: String) -> Result<Self, Self::Error> {
                text.parse()
            }
        }
    )*};
}

macro_rules! into_text {
    ($($name:ident),*) => {$(
        impl From<$name> for String {
            fn from(value: $name) -> Self {
                value.to_string()
            }
        }
    )*};
}

from_text!(Place, Kind, Bytes, Mac, Version);
into_text!(Place, Kind, Bytes, Version);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_come_back_as_they_were() {
        for text in ["card", "function1", "port2"] {
            assert_eq!(text.parse::<Place>().unwrap().to_string(), text);
        }
        assert_eq!(
            "00 00 01 c3".parse::<Bytes>().unwrap().to_string(),
            "000001c3"
        );
        assert_eq!("0x2021".parse::<Kind>().unwrap(), Kind(0x2021));
        assert_eq!(
            "2.42.5000".parse::<Version>().unwrap().to_string(),
            "2.42.5000"
        );
    }

    #[test]
    fn addresses_count_on_across_bytes() {
        let mac: Mac = "24:8a:07:23:bd:ff".parse().unwrap();
        assert_eq!(mac.plus(1).to_string(), "24:8a:07:23:be:00");
    }

    #[test]
    fn refuses_what_means_nothing() {
        assert!("porthole".parse::<Place>().is_err());
        assert!("0".parse::<Bytes>().is_err());
        assert_eq!(
            "00 ff*3 1 2".parse(),
            Ok(Bytes(vec![0, 255, 255, 255, 0x12]))
        );
        assert!("00*257".parse::<Bytes>().is_err());
        assert!("00*-1".parse::<Bytes>().is_err());
        assert!("0x1g".parse::<Kind>().is_err());
        assert!("2021".parse::<Kind>().is_err());
        assert!("1.2".parse::<Version>().is_err());
        assert!("24:8a:07".parse::<Mac>().is_err());
    }
}
