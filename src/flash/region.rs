//! A stretch of the flash that has a name.

use std::fmt;
use std::ops::Range;

use serde::{Deserialize, Serialize};

/// A stretch of the flash, by its physical addresses.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Region {
    /// Its first byte.
    pub start: u32,
    /// The first byte behind it.
    pub end: u32,
    /// What is in it, as in "DEV_INFO".
    pub what: String,
}

impl Region {
    /// A region from a range.
    #[must_use]
    pub fn new(range: Range<u32>, what: impl Into<String>) -> Self {
        Self {
            start: range.start,
            end: range.end,
            what: what.into(),
        }
    }

    /// Whether it has a byte of a range.
    #[must_use]
    pub fn touches(&self, range: &Range<u32>) -> bool {
        self.start < range.end && range.start < self.end
    }
}

impl fmt::Display for Region {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:#010x}..{:#010x} ({})",
            self.start, self.end, self.what
        )
    }
}

/// The first region that has a byte of a range.
pub(super) fn first_touched<'a>(regions: &'a [Region], range: &Range<u32>) -> Option<&'a Region> {
    regions.iter().find(|region| region.touches(range))
}
