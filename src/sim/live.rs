//! What a card forgets when power fails, but not when a program is killed.

use serde::{Deserialize, Serialize};

use super::card::HeldSemaphore;
use super::counters::Counters;
use super::faults::Semaphore;

/// Volatile state that outlives the process which looks at the card.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Live {
    /// The card does not answer until it reboots.
    pub(crate) gone: bool,
    /// A mailbox is busy for good.
    pub(crate) stuck: bool,
    pub(crate) counters: Counters,
    pub(crate) progress: Progress,
    /// ConnectX-4: the semaphore of each function's vendor capability.
    pub(crate) vsec: Vec<u32>,
    /// ConnectX-4: semaphore space, dwords from address 0.
    pub(crate) semaphores: [u32; 8],
    /// ConnectX-4: the ICMD control dword.
    pub(crate) icmd_control: u32,
    /// ConnectX-3: semaphores from CR 0xf0380, one bit each.
    pub(crate) cr_semaphores: u32,
    /// ConnectX-3: the tools HCR.
    pub(crate) hcr: [u32; 7],
}

/// How far a fault plan has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Progress {
    pub(crate) accesses: u64,
    pub(crate) commands: u64,
    pub(crate) writes: u64,
    /// A foreign change is due at the next command that names a setting.
    pub(crate) change_due: bool,
}

/// The bit of the tools HCR's semaphore, CR 0xf03bc (mstflint 4.21).
pub(crate) const HCR_SEMAPHORE: u32 = (0xf03bc - 0xf0380) / 4;

/// Who holds a semaphore for a fault: a plausible process number.
const SOMEBODY: u32 = 0x0bad;

impl Live {
    /// A card that was just switched on, with its history.
    pub(crate) fn after_reboot(&self) -> Self {
        Self {
            counters: self.counters,
            progress: self.progress,
            vsec: vec![0; self.vsec.len()],
            ..Self::default()
        }
    }

    pub(crate) fn hold(&mut self, semaphore: Semaphore) {
        match semaphore {
            Semaphore::Vsec => self.vsec.fill(SOMEBODY),
            Semaphore::Icmd => self.semaphores[0] = SOMEBODY,
            Semaphore::Hcr => self.cr_semaphores |= 1 << HCR_SEMAPHORE,
        }
    }

    pub(crate) fn held(&self) -> Vec<HeldSemaphore> {
        let vsec =
            self.vsec.iter().enumerate().map(|(function, value)| {
                (format!("vendor capability of function {function}"), *value)
            });
        let space = self
            .semaphores
            .iter()
            .enumerate()
            .map(|(index, value)| (format!("semaphore space {:#x}", index * 4), *value));
        // 0xf0380 is no lock: mstflint writes and reads it to flush its writes.
        let cr = (1..32).map(|bit| {
            let held = self.cr_semaphores >> bit & 1;
            (format!("CR {:#x}", 0xf0380 + bit * 4), held)
        });
        vsec.chain(space)
            .chain(cr)
            .filter(|(_, value)| *value != 0)
            .map(|(name, value)| HeldSemaphore { name, value })
            .collect()
    }
}
