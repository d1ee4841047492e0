//! What a card forgets when power fails, but not when a program is killed.

use serde::{Deserialize, Serialize};

use super::card::HeldSemaphore;
use super::counters::Counters;
use super::faults::Semaphore;
use super::flash::gateway::LOCK;
use super::flash::{FlashCounters, GatewayRegisters, Latches};
use super::profile::Generation;

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
    /// The SPI gateway.
    pub(crate) gateway: GatewayRegisters,
    /// What the flash chip forgets without power.
    pub(crate) latches: Latches,
    /// What was done to the flash.
    pub(crate) flash: FlashCounters,
    /// Somebody else uses the flash, whoever thinks to hold its lock.
    pub(crate) flash_taken: bool,
    /// Where a warm reset boots from, if somebody said so.
    pub(crate) boot_address: Option<u32>,
    /// ConnectX-4: CR 0xf0420 and 0xf0204, which tools change and change back.
    pub(crate) cache_replacement: Option<u32>,
    pub(crate) reset_flash: u32,
}

/// How far a fault plan has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Progress {
    pub(crate) accesses: u64,
    pub(crate) commands: u64,
    pub(crate) writes: u64,
    pub(crate) flash_operations: u64,
    pub(crate) flash_erases: u64,
    pub(crate) flash_reads: u64,
    /// A foreign change is due at the next command that names a setting.
    pub(crate) change_due: bool,
}

/// The bit of the tools HCR's semaphore, CR 0xf03bc (mstflint 4.21).
pub(crate) const HCR_SEMAPHORE: u32 = (0xf03bc - 0xf0380) / 4;

/// The bit of the semaphore of flash programming, CR 0xf03a0.
pub(crate) const FLASH_PROGRAMMING: u32 = (0xf03a0 - 0xf0380) / 4;
/// The bit of the SPI gateway's semaphore, CR 0xf03fc.
pub(crate) const GATEWAY_SEMAPHORE: u32 = (0xf03fc - 0xf0380) / 4;
/// The semaphore of flash programming in semaphore space, address 0x10.
pub(crate) const FLASH_SEMAPHORE: usize = 0x10 / 4;

/// Who holds a semaphore for a fault: a plausible process number.
const SOMEBODY: u32 = 0x0bad;

impl Live {
    /// A card that was just switched on, with its history.
    pub(crate) fn after_reboot(&self) -> Self {
        Self {
            counters: self.counters,
            progress: self.progress,
            flash: self.flash.clone(),
            vsec: vec![0; self.vsec.len()],
            ..Self::default()
        }
    }

    pub(crate) fn hold(&mut self, semaphore: Semaphore, generation: Generation) {
        match semaphore {
            Semaphore::Vsec => self.vsec.fill(SOMEBODY),
            Semaphore::Icmd => self.semaphores[0] = SOMEBODY,
            Semaphore::Hcr => self.cr_semaphores |= 1 << HCR_SEMAPHORE,
            Semaphore::Flash => match generation {
                Generation::ConnectX3 => {
                    self.cr_semaphores |= 1 << FLASH_PROGRAMMING | 1 << GATEWAY_SEMAPHORE;
                }
                Generation::ConnectX4 => {
                    self.semaphores[FLASH_SEMAPHORE] = SOMEBODY;
                    self.gateway.command |= LOCK;
                }
            },
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
        let gateway = (
            "SPI gateway, CR 0xf0400".to_owned(),
            self.gateway.command >> 31,
        );
        vsec.chain(space)
            .chain(cr)
            .chain([gateway])
            .filter(|(_, value)| *value != 0)
            .map(|(name, value)| HeldSemaphore { name, value })
            .collect()
    }
}
