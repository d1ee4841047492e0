//! CR space of ConnectX-3 and the address/data pair that leads there.
//!
//! | address | what it is |
//! |---|---|
//! | 0x1f064, 0x1f068 | version of the running firmware: 31:16 major; 31:16 minor, 15:0 sub |
//! | 0x41270 | above 0xfff00000 when no firmware runs |
//! | 0x80780 | tools HCR, 7 dwords |
//! | 0xe0000 | window to the HCR's mailbox, if the firmware has it |
//! | 0xf0000 | where a warm reset boots from, shifted up by 8 |
//! | 0xf0014 | hardware id and revision |
//! | 0xf0380...0xf03fc | semaphores: a read takes, writing 0 frees |
//! | 0xf0400... | [SPI gateway](crate::sim::flash::gateway) |
//!
//! Config space 0x58 holds the address, 0x5c is the data; BAR0 is the same
//! space, big-endian. Source: mstflint 4.21.

use super::hcr::Hcr;
use crate::sim::firmware::Firmware;
use crate::sim::flash::gateway;

const GATEWAY_ADDRESS: u16 = 0x58;
const GATEWAY_DATA: u16 = 0x5c;

const VERSION: u32 = 0x1_f064;
const VERSION_END: u32 = VERSION + 8;
const LIVEFISH: u32 = 0x4_1270;
const BOOT_ADDRESS: u32 = 0xf_0000;
const HCR: u32 = 0x8_0780;
const HCR_END: u32 = HCR + 28;
const WINDOW: u32 = 0xe_0000;
const DEVICE_ID: u32 = 0xf_0014;
const SEMAPHORES: u32 = 0xf_0380;
/// The semaphore of those who program the flash.
const FLASH_PROGRAMMING: u32 = 0xf_03a0;
const SEMAPHORES_END: u32 = 0xf_0400;
const END: u32 = 0x10_0000;

/// What the card answers where there is nothing (mstflint 4.21 knows the value).
const BAD_ACCESS: u32 = 0xbada_cce5;

/// A ConnectX-3 without its memory of settings.
#[derive(Debug)]
pub(crate) struct ConnectX3 {
    address: u32,
    /// Only in write-only-address mode: what was fetched or is to be stored.
    data: u32,
    hcr: Hcr,
}

impl ConnectX3 {
    pub(crate) fn new() -> Self {
        Self {
            address: 0,
            data: 0,
            hcr: Hcr::new(),
        }
    }

    /// Reads a dword of config space if it belongs to the gateway.
    pub(crate) fn read_gateway(&mut self, firmware: &mut Firmware, at: u16) -> Option<u32> {
        let write_only = firmware.profile.gateway.write_only_address;
        match (at, write_only) {
            (GATEWAY_ADDRESS, false) => Some(self.address),
            (GATEWAY_ADDRESS, true) => Some(BAD_ACCESS),
            (GATEWAY_DATA, false) => Some(self.read(firmware, self.address)),
            (GATEWAY_DATA, true) => Some(self.data),
            _ => None,
        }
    }

    /// Writes a dword of config space; whether it belongs to the gateway.
    pub(crate) fn write_gateway(
        &mut self,
        firmware: &mut Firmware,
        at: u16,
        value: u32,
        lanes: u32,
    ) -> bool {
        let write_only = firmware.profile.gateway.write_only_address;
        match (at, write_only) {
            (GATEWAY_ADDRESS, false) => self.address = self.address & !lanes | value & lanes,
            // The lowest bit asks for a read; else the data written before goes in.
            (GATEWAY_ADDRESS, true) => {
                if value & 1 == 1 {
                    self.data = self.read(firmware, value & !3);
                } else {
                    self.write(firmware, value & !3, self.data);
                }
            }
            (GATEWAY_DATA, false) => self.write(firmware, self.address, value & lanes),
            (GATEWAY_DATA, true) => self.data = self.data & !lanes | value & lanes,
            _ => return false,
        }
        true
    }

    /// Reads a dword of CR space.
    pub(crate) fn read(&mut self, firmware: &mut Firmware, address: u32) -> u32 {
        let address = address & !3;
        let card = &firmware.profile.card;
        match address {
            HCR..HCR_END => self.hcr.read(firmware, register(address - HCR)),
            VERSION..VERSION_END if firmware.runs() => {
                let version = firmware.version();
                let second = u32::from(version.minor) << 16 | u32::from(version.sub);
                if address == VERSION {
                    u32::from(version.major) << 16
                } else {
                    second
                }
            }
            LIVEFISH if !firmware.runs() => 0xfff8_0000,
            BOOT_ADDRESS => firmware.effective_boot_address() << 8,
            DEVICE_ID => u32::from(card.hw_revision) << 16 | u32::from(card.hw_id),
            SEMAPHORES..SEMAPHORES_END => {
                let bit = 1 << ((address - SEMAPHORES) / 4);
                let held = firmware.live.cr_semaphores & bit != 0;
                if !held {
                    firmware.live.cr_semaphores |= bit;
                    firmware.touch();
                }
                u32::from(held)
            }
            WINDOW..BOOT_ADDRESS if firmware.profile.gateway.mailbox_window && firmware.runs() => {
                self.hcr
                    .window(register(address - WINDOW))
                    .map_or(0, |word| *word)
            }
            END.. => BAD_ACCESS,
            _ => gateway::read(firmware, address).unwrap_or(0),
        }
    }

    /// Writes a dword of CR space.
    pub(crate) fn write(&mut self, firmware: &mut Firmware, address: u32, value: u32) {
        let address = address & !3;
        match address {
            HCR..HCR_END => self.hcr.write(firmware, register(address - HCR), value),
            SEMAPHORES..SEMAPHORES_END if value == 0 => {
                firmware.live.cr_semaphores &= !(1 << ((address - SEMAPHORES) / 4));
                // Whoever took the flash from its holder is gone with the semaphore.
                if address == FLASH_PROGRAMMING {
                    firmware.live.flash_taken = false;
                }
                firmware.touch();
            }
            BOOT_ADDRESS => firmware.set_boot_address(value >> 8),
            WINDOW..BOOT_ADDRESS if firmware.profile.gateway.mailbox_window && firmware.runs() => {
                if let Some(word) = self.hcr.window(register(address - WINDOW)) {
                    *word = value;
                }
            }
            _ => {
                gateway::write(firmware, address, value);
            }
        }
    }
}

fn register(offset: u32) -> usize {
    usize::try_from(offset / 4).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::profile::Profile;

    fn firmware(change: impl FnOnce(&mut Profile)) -> Firmware {
        Firmware::of_changed_profile("connectx-3", change)
    }

    #[test]
    fn a_write_only_address_triggers_the_access_itself() {
        let firmware = &mut firmware(|profile| profile.gateway.write_only_address = true);
        let mut chip = ConnectX3::new();
        let mut write = |at, value| assert!(chip.write_gateway(firmware, at, value, u32::MAX));
        // The data goes first, then the address without its lowest bit.
        write(GATEWAY_DATA, 0x1234);
        write(GATEWAY_ADDRESS, WINDOW);
        write(GATEWAY_DATA, 0);
        write(GATEWAY_ADDRESS, WINDOW | 1);
        assert_eq!(chip.read_gateway(firmware, GATEWAY_DATA), Some(0x1234));
        assert_eq!(
            chip.read_gateway(firmware, GATEWAY_ADDRESS),
            Some(BAD_ACCESS)
        );
    }

    #[test]
    fn without_the_window_its_memory_is_not_there() {
        let firmware = &mut firmware(|profile| profile.gateway.mailbox_window = false);
        let mut chip = ConnectX3::new();
        chip.write(firmware, WINDOW, 0x0bad_b00f);
        assert_eq!(chip.read(firmware, WINDOW), 0);
    }
}
