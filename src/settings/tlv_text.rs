//! Keys and contents of TLVs from the text that they are shown as.

use std::str::FromStr;

use crate::command::register::{MnvaKey, TypeDword};

use super::{Stored, TlvKey};

/// What is shown for a TLV that is not set.
const NOT_SET: &str = "not set";

/// A text that is no key or content of a TLV. It is not repeated: it may be a
/// secret with a slip in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected {expected}")]
pub struct ParseTlvError {
    /// What was expected.
    pub expected: &'static str,
}

impl FromStr for TlvKey {
    type Err = ParseTlvError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        parse_key(text).ok_or(ParseTlvError {
            expected: "the key of a TLV: `0x03000195`, or `0x2001/1` on ConnectX-3",
        })
    }
}

fn parse_key(text: &str) -> Option<TlvKey> {
    let is_hex = |digits: &str| digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    let rest = text.strip_prefix("0x")?;
    match rest.split_once('/') {
        Some((kind, port)) if kind.len() == 4 && is_hex(kind) => {
            let plain = port.bytes().all(|byte| byte.is_ascii_digit());
            Some(TlvKey::Mnva(MnvaKey {
                tlv_type: u16::from_str_radix(kind, 16).ok()?,
                type_mod: plain.then(|| port.parse().ok()).flatten()?,
            }))
        }
        None if rest.len() == 8 && is_hex(rest) => {
            let kind = u32::from_str_radix(rest, 16).ok()?;
            Some(TlvKey::Mnvda(TypeDword(kind)))
        }
        _ => None,
    }
}

impl FromStr for Stored {
    type Err = ParseTlvError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == NOT_SET {
            return Ok(Self::NotSet);
        }
        parse_hex(text.as_bytes())
            .filter(|data| !data.is_empty())
            .map(Self::Set)
            .ok_or(ParseTlvError {
                expected: "hexadecimal digits, two a byte, or `not set`",
            })
    }
}

/// Hexadecimal digits, two a byte.
pub(super) fn parse_hex(digits: &[u8]) -> Option<Vec<u8>> {
    digits
        .chunks(2)
        .map(|pair| {
            let pair = std::str::from_utf8(pair)
                .ok()
                .filter(|pair| pair.len() == 2)?;
            let is_hex = pair.bytes().all(|byte| byte.is_ascii_hexdigit());
            is_hex.then(|| u8::from_str_radix(pair, 16).ok()).flatten()
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_is_no_key_or_content_is_refused() {
        for text in [
            "",
            "0x195",
            "03000195",
            "0x0300019g",
            "0x2001/",
            "0x2001/256",
            "0x2001/+1",
        ] {
            assert!(text.parse::<TlvKey>().is_err(), "{text}");
        }
        for text in ["", "0", "0g", "+1", "Not set", "00 11"] {
            assert!(text.parse::<Stored>().is_err(), "{text}");
        }
        assert_eq!("not set".parse(), Ok(Stored::NotSet));
    }

    proptest! {
        #[test]
        fn what_is_shown_is_read_back(
            kind: u32,
            tlv_type: u16,
            type_mod: u8,
            data in proptest::collection::vec(any::<u8>(), 1..40),
        ) {
            for key in [
                TlvKey::Mnvda(TypeDword(kind)),
                TlvKey::Mnva(MnvaKey { tlv_type, type_mod }),
            ] {
                prop_assert_eq!(key.to_string().parse(), Ok(key));
            }
            let stored = Stored::Set(data);
            prop_assert_eq!(stored.to_string().parse(), Ok(stored));
        }

        #[test]
        fn no_text_makes_it_panic(text: String) {
            let _ = text.parse::<TlvKey>();
            let _ = text.parse::<Stored>();
        }
    }
}
