//! What was done to a flash chip, and how long a real one would have taken.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// What was done to the flash of a card since it was made.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FlashCounters {
    /// Commands that read the cells.
    pub reads: u64,
    /// Bytes that they read.
    pub read_bytes: u64,
    /// Page program commands that were carried out.
    pub programs: u64,
    /// Bytes that were programmed.
    pub programmed_bytes: u64,
    /// Erase commands that were carried out, by the size of the block.
    pub erases: BTreeMap<u32, u64>,
    /// Program and erase commands that the chip did not take: it was not write
    /// enabled, busy, or the block is protected. Reads while it was busy, too.
    pub refused: u64,
    /// Writes of a status or configuration register.
    pub status_writes: u64,
    /// How long the chip was at it, in nanoseconds; the bus that leads to the
    /// card's gateway is not in it.
    pub modelled_ns: u64,
}

impl FlashCounters {
    /// Programs and erases that were carried out.
    #[must_use]
    pub fn operations(&self) -> u64 {
        self.programs + self.erases.values().sum::<u64>()
    }
}
