//! The contents of a section, as a description gives them.
//!
//! ```toml
//! content = { hex = "00 11 22" }
//! content = { text = "[section]\nkey = 1\n" }
//! content = { fill = 0xff, size = 0x1000 }
//! content = { random = 7, size = 0x1000 }     # the same bytes for the same seed
//! content = { option_rom = { format = "option-rom", device_id = 0x1003, image = [{}] } }
//! ```

use serde::Deserialize;

use super::{BuildError, OptionRomDescription};

/// What a section holds: exactly one of `hex`, `text`, `fill`, `random` and
/// `option_rom`; `fill` and `random` with `size`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Content {
    /// Bytes in hexadecimal; spaces and line ends do not count.
    pub hex: Option<String>,
    /// Text in UTF-8.
    pub text: Option<String>,
    /// One byte, again and again.
    pub fill: Option<u8>,
    /// Bytes that look like compressed code; the number is the seed.
    pub random: Option<u32>,
    /// An expansion ROM, by its own description.
    pub option_rom: Option<Box<OptionRomDescription>>,
    /// How many bytes of `fill` or `random`.
    pub size: Option<u32>,
}

/// More than any flash holds.
const MOST_BYTES: u32 = 64 << 20;

impl Content {
    /// The bytes; `path` says in an error which key it was.
    ///
    /// # Errors
    /// None or several of the kinds, a size that is missing or absurd, bad hex.
    pub fn bytes(&self, path: &str) -> Result<Vec<u8>, BuildError> {
        let wrong = |problem: &str| BuildError::Value {
            path: path.to_owned(),
            problem: problem.to_owned(),
        };
        let sized = || match self.size {
            Some(size) if size <= MOST_BYTES => Ok(size as usize),
            Some(_) => Err(wrong("size is larger than any flash")),
            None => Err(wrong("fill and random need size")),
        };
        let kinds = [
            self.hex.is_some(),
            self.text.is_some(),
            self.fill.is_some(),
            self.random.is_some(),
            self.option_rom.is_some(),
        ];
        let sizes = self.fill.is_some() || self.random.is_some();
        let one = kinds.iter().filter(|given| **given).count() == 1;
        if !one || self.size.is_some() && !sizes {
            return Err(wrong(
                "give exactly one of hex, text, fill (with size), random (with size) and option_rom",
            ));
        }
        if let Some(hex) = &self.hex {
            return parse_hex(hex).ok_or_else(|| wrong("hex must be pairs of hexadecimal digits"));
        }
        if let Some(rom) = &self.option_rom {
            return rom.build();
        }
        match (&self.text, self.fill, self.random) {
            (Some(text), ..) => Ok(text.clone().into_bytes()),
            (_, Some(byte), _) => Ok(vec![byte; sized()?]),
            (.., seed) => Ok(random_bytes(seed.unwrap_or_default(), sized()?)),
        }
    }
}

fn parse_hex(text: &str) -> Option<Vec<u8>> {
    let digits: Option<Vec<u8>> = text
        .chars()
        .filter(|letter| !letter.is_whitespace())
        .map(|letter| {
            letter
                .to_digit(16)
                .and_then(|digit| u8::try_from(digit).ok())
        })
        .collect();
    let digits = digits?;
    let (pairs, rest) = digits.as_chunks::<2>();
    rest.is_empty()
        .then(|| pairs.iter().map(|[high, low]| high << 4 | low).collect())
}

/// xorshift32 (G. Marsaglia, "Xorshift RNGs", 2003): the same on every machine.
fn random_bytes(seed: u32, size: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9) | 1;
    let words = std::iter::repeat_with(|| {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        state.to_be_bytes()
    });
    words.flatten().take(size).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn content(text: &str) -> Result<Vec<u8>, String> {
        let content: Content = toml::from_str(text).map_err(|error| error.to_string())?;
        content.bytes("section").map_err(|error| error.to_string())
    }

    #[test]
    fn each_kind_gives_its_bytes() {
        assert_eq!(content("hex = '00 aB 12'").unwrap(), [0, 0xab, 0x12]);
        assert_eq!(content("text = 'abc'").unwrap(), b"abc");
        assert_eq!(content("fill = 0xff\nsize = 3").unwrap(), [0xff; 3]);
        let random = content("random = 7\nsize = 9").unwrap();
        assert_eq!(random.len(), 9);
        assert_eq!(random, content("random = 7\nsize = 9").unwrap());
        assert_ne!(random, content("random = 8\nsize = 9").unwrap());
    }

    #[test]
    fn nonsense_is_refused() {
        for text in [
            "",
            "hex = '0'",
            "hex = 'zz'",
            "fill = 1",
            "text = 'a'\nhex = '00'",
            "hex = '00'\nsize = 4",
            "fill = 1\nsize = 0xffffffff",
            "bytes = 3",
        ] {
            assert!(content(text).is_err(), "{text}");
        }
    }
}
