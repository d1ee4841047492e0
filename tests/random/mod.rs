//! Random numbers that can be had again, and random values of settings.

#![allow(
    dead_code,
    unreachable_pub,
    clippy::print_stderr,
    clippy::unwrap_used,
    reason = "each test binary uses a part of this"
)]

use std::env;

use flexctl::hwdb::{Field, FieldValue, Place, TextFormat};

/// Takes another seed than the one that every run takes.
const SEED: &str = "FLEXCTL_TEST_SEED";
/// Multiplies how much is tried.
const ROUNDS: &str = "FLEXCTL_TEST_ROUNDS";

/// Random numbers (xorshift64*).
#[derive(Debug)]
pub struct Random(u64);

impl Random {
    /// From this seed, or the one that the environment names. Says which one, so
    /// that a failure can be had again.
    pub fn new(seed: u64) -> Self {
        let seed = env::var(SEED).map_or(seed, |seed| seed.parse().unwrap());
        eprintln!("{SEED}={seed}");
        Self::of(seed)
    }

    /// From exactly this seed.
    pub fn of(seed: u64) -> Self {
        // 0 is the one state that it never leaves.
        Self(seed.max(1))
    }

    /// A number below `limit`.
    pub fn below(&mut self, limit: u32) -> u32 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let high = self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 32;
        u32::try_from(high % u64::from(limit)).unwrap()
    }

    /// An index of something that is that long.
    pub fn index(&mut self, length: usize) -> usize {
        usize::try_from(self.below(u32::try_from(length).unwrap())).unwrap()
    }

    /// True once in so many times.
    pub fn once_in(&mut self, times: u32) -> bool {
        self.below(times) == 0
    }

    pub fn byte(&mut self) -> u8 {
        u8::try_from(self.below(256)).unwrap()
    }

    /// A legal value of a setting; a number is at most `highest`.
    pub fn value(&mut self, field: &Field, highest: Option<u32>) -> FieldValue {
        match &field.place {
            Place::Number { bits, .. } if field.values.is_empty() => {
                let (min, max) = field
                    .range
                    .map_or((0, bits.mask()), |range| (range.min, range.max));
                let max = max.min(highest.unwrap_or(max));
                FieldValue::Number(min + self.below((max - min).saturating_add(1)))
            }
            Place::Number { .. } => {
                let choice = self.index(field.values.len());
                FieldValue::Number(field.values[choice].value)
            }
            Place::Text(_) if !field.texts.is_empty() => {
                let choice = self.index(field.texts.len());
                FieldValue::Text(field.texts[choice].clone())
            }
            Place::Text(place) => match place.format {
                TextFormat::Hex => {
                    FieldValue::Bytes((0..place.length).map(|_| self.byte()).collect())
                }
                TextFormat::Ipv4 | TextFormat::Ip => {
                    FieldValue::Text(format!("192.0.2.{}", self.byte()))
                }
                TextFormat::Port | TextFormat::Decimal => {
                    FieldValue::Text((1 + self.below(999)).to_string())
                }
                TextFormat::Text => {
                    let room = place.longest().min(20) - place.shortest.min(20);
                    let length = place.shortest.max(1) + self.index(room + 1);
                    let letters = (0..length.min(place.longest()))
                        .map(|_| char::from(b'a' + u8::try_from(self.below(26)).unwrap()));
                    FieldValue::Text(letters.collect())
                }
            },
        }
    }
}

/// How many rounds to run where a usual run has this many.
pub fn rounds(usual: u32) -> u32 {
    let factor = env::var(ROUNDS).map_or(1, |factor| factor.parse().unwrap());
    usual * factor
}
