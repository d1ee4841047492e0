//! The vendor-specific capability: one dword at a time through config space.
//!
//! | offset | register |
//! |---|---|
//! | +0 | id 9, next, length, type |
//! | +4 | 15:0 space, 31:29 not 0 when the card has that space |
//! | +8 | counter: another value at every read, never 0 |
//! | +c | semaphore: who writes while it is 0 owns it, 0 frees it |
//! | +10 | 29:0 address, 31 flag |
//! | +14 | data |
//!
//! Flag written 0: the card fetches the dword and sets the flag. Flag written
//! 1: the card stores the dword and clears the flag. Source: mstflint 4.21.

use crate::sim::firmware::Firmware;

/// The registers of one function's capability.
#[derive(Clone, Debug, Default)]
pub(crate) struct Vsec {
    space: u16,
    counter: u32,
    address: u32,
    data: u32,
    /// The flag as it will read once the card is ready.
    flag: bool,
    /// How many looks at the flag come too early.
    early_looks: u32,
}

/// What a write asks the card to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Effect {
    /// Not a register of the capability.
    NotMine,
    None,
    /// Fetch a dword and [`Vsec::deliver`] it.
    Read {
        space: u16,
        address: u32,
    },
    Write {
        space: u16,
        address: u32,
        value: u32,
    },
}

const FLAG: u32 = 1 << 31;
const ADDRESS: u32 = 0x3fff_ffff;
/// Status bits of a space that the card has; FlexBoot tests 0x20 in byte +7.
const SUPPORTED: u32 = 1 << 29;

fn is_supported(space: u16) -> bool {
    matches!(space, 1 | 2 | 3 | 0xa)
}

impl Vsec {
    /// Reads a register; `None` for those that are plain config space.
    pub(crate) fn read(
        &mut self,
        firmware: &mut Firmware,
        function: usize,
        register: u16,
    ) -> Option<u32> {
        Some(match register {
            0x04 => self.control(),
            0x08 => {
                self.counter = self.counter.wrapping_add(1).max(1);
                self.counter
            }
            0x0c => firmware.live.vsec.get(function).copied().unwrap_or(0),
            0x10 => {
                let early = self.early_looks > 0;
                self.early_looks = self.early_looks.saturating_sub(1);
                self.address | if self.flag != early { FLAG } else { 0 }
            }
            0x14 => self.data,
            _ => return None,
        })
    }

    fn control(&self) -> u32 {
        let status = if is_supported(self.space) {
            SUPPORTED
        } else {
            0
        };
        u32::from(self.space) | status
    }

    /// Writes a register; lanes are the bits that were written.
    pub(crate) fn write(
        &mut self,
        firmware: &mut Firmware,
        function: usize,
        register: u16,
        value: u32,
        lanes: u32,
    ) -> Effect {
        match register {
            0x04 => {
                let control = self.control() & !lanes | value & lanes;
                self.space = u16::try_from(control & 0xffff).unwrap_or(0);
            }
            0x08 => {}
            0x0c => {
                if let Some(held) = firmware.live.vsec.get_mut(function)
                    && (*held == 0 || value & lanes == 0)
                {
                    *held = value & lanes;
                    firmware.touch();
                }
            }
            0x10 => return self.start(firmware, function, value & lanes),
            0x14 => self.data = self.data & !lanes | value & lanes,
            _ => return Effect::NotMine,
        }
        Effect::None
    }

    fn start(&mut self, firmware: &mut Firmware, function: usize, value: u32) -> Effect {
        if firmware
            .live
            .vsec
            .get(function)
            .is_some_and(|held| *held == 0)
        {
            firmware.live.counters.unlocked += 1;
        }
        self.address = value & ADDRESS;
        self.early_looks = firmware.profile.gateway.flag_looks;
        let (space, address) = (self.space, self.address);
        self.flag = value & FLAG == 0;
        if self.flag {
            Effect::Read { space, address }
        } else {
            Effect::Write {
                space,
                address,
                value: self.data,
            }
        }
    }

    /// Hands over the dword that was fetched.
    pub(crate) fn deliver(&mut self, word: u32) {
        self.data = word;
    }
}
