//! How often a card was touched, for tests that prove that nothing was done.

use serde::{Deserialize, Serialize};

/// What was done to a card since it was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Counters {
    /// Reads of config space.
    pub config_reads: u64,
    /// Writes of config space.
    pub config_writes: u64,
    /// Reads of a BAR.
    pub bar_reads: u64,
    /// Writes of a BAR.
    pub bar_writes: u64,
    /// Reads of the expansion ROM from its beginning.
    pub rom_reads: u64,
    /// How often the host's ROM file was switched on.
    pub rom_enables: u64,
    /// How often the host's ROM file was switched off.
    pub rom_disables: u64,
    /// Commands that firmware executed (ICMD, or tools HCR without mailbox moves).
    pub commands: u64,
    /// Commands that would have changed settings, successful or not.
    pub tlv_writes: u64,
    /// Uses of a gateway or mailbox by somebody who did not hold its semaphore.
    pub unlocked: u64,
    /// Commands that were started while another one was busy.
    pub overruns: u64,
}

impl Counters {
    /// Whether anything was done that could change the card's settings.
    #[must_use]
    pub fn wrote_settings(&self) -> bool {
        self.tlv_writes > 0
    }
}
