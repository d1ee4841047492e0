//! The address spaces behind the vendor capability.
//!
//! | space | what it is |
//! |---|---|
//! | 1, 3 | the ICMD mailbox (1 is the newer view of the same) |
//! | 2 | CR space |
//! | 0xa | semaphores: 0 ICMD, 0x10 flash programming |
//!
//! | CR address | what it is |
//! |---|---|
//! | 0xb0004 | 31: the static configuration is not done: no firmware runs |
//! | 0xf0000 | where a warm reset boots from, shifted up by 8 |
//! | 0xf0014 | 23:16 hardware revision, 15:0 hardware id |
//! | 0xf0204 | 1: a warm reset resets the flash chip as well |
//! | 0xf0400... | [SPI gateway](crate::sim::flash::gateway) |
//! | 0xf0408, 0xf040c | 25:0 offset, 23:16 command of the firmware's cache: not 0 while it reads from the flash itself |
//! | 0xf0420 | 0: the cache is on |
//!
//! mstflint 4.21 takes the capability only when 1, 2 and 0xa are there.

use super::icmd::Icmd;
use super::vsec::{Effect, Vsec};
use crate::sim::config_space::VSEC;
use crate::sim::firmware::Firmware;
use crate::sim::flash::gateway;
use crate::sim::profile::Profile;

const STATIC_CONFIGURATION: u32 = 0xb_0004;
const BOOT_ADDRESS: u32 = 0xf_0000;
const DEVICE_ID: u32 = 0xf_0014;
const RESET_FLASH: u32 = 0xf_0204;
const CACHE_OFFSET: u32 = 0xf_0408;
const CACHE_COMMAND: u32 = 0xf_040c;
const CACHE_ENABLE: u32 = 0xf_0420;
/// What the cache's offset and command are does not matter, if only they are not 0.
const CACHE_REPLACED: u32 = 0x0003_0000;

/// A ConnectX-4 without its memory of settings.
#[derive(Debug)]
pub(crate) struct ConnectX4 {
    /// One per physical function.
    vsec: Vec<Vsec>,
    icmd: Icmd,
}

impl ConnectX4 {
    pub(crate) fn new(profile: &Profile) -> Self {
        let functions = usize::from(profile.physical_functions());
        Self {
            vsec: vec![Vsec::default(); functions],
            icmd: Icmd::new(profile),
        }
    }

    /// Reads a dword of config space if it is one of the capability's registers.
    pub(crate) fn read_vsec(
        &mut self,
        firmware: &mut Firmware,
        function: usize,
        at: u16,
    ) -> Option<u32> {
        let register = at.checked_sub(VSEC)?;
        self.vsec
            .get_mut(function)?
            .read(firmware, function, register)
    }

    /// Writes a dword of config space; whether it was one of the registers.
    pub(crate) fn write_vsec(
        &mut self,
        firmware: &mut Firmware,
        function: usize,
        at: u16,
        value: u32,
        lanes: u32,
    ) -> bool {
        let Some(register) = at.checked_sub(VSEC) else {
            return false;
        };
        let Some(vsec) = self.vsec.get_mut(function) else {
            return false;
        };
        match vsec.write(firmware, function, register, value, lanes) {
            Effect::NotMine => false,
            Effect::None => true,
            Effect::Read { space, address } => {
                let word = read_space(&mut self.icmd, firmware, space, address);
                if let Some(vsec) = self.vsec.get_mut(function) {
                    vsec.deliver(word);
                }
                true
            }
            Effect::Write {
                space,
                address,
                value,
            } => {
                write_space(&mut self.icmd, firmware, function, space, address, value);
                true
            }
        }
    }

    /// The beginning of BAR0, where drivers find the firmware version.
    pub(crate) fn initial_segment(&self, firmware: &Firmware, offset: u32) -> u32 {
        if !firmware.runs() {
            return u32::MAX;
        }
        let version = firmware.version();
        match offset {
            0 => u32::from(version.minor) << 16 | u32::from(version.major),
            // Command interface revision 5, as Linux' mlx5_core demands.
            4 => 5 << 16 | u32::from(version.sub),
            _ => 0,
        }
    }
}

fn read_space(icmd: &mut Icmd, firmware: &mut Firmware, space: u16, address: u32) -> u32 {
    match space {
        1 | 3 => icmd.read(firmware, address),
        2 => read_cr(firmware, address),
        0xa => semaphore(address)
            .and_then(|index| firmware.live.semaphores.get(index).copied())
            .unwrap_or(0),
        _ => 0,
    }
}

/// In space 0xa: the semaphore of those who program the flash.
const FLASH_PROGRAMMING: u32 = 0x10;

fn write_space(
    icmd: &mut Icmd,
    firmware: &mut Firmware,
    function: usize,
    space: u16,
    address: u32,
    value: u32,
) {
    match space {
        1 | 3 => icmd.write(firmware, function, address, value),
        0xa => {
            let held = semaphore(address)
                .and_then(|index| firmware.live.semaphores.get_mut(index))
                .filter(|held| **held == 0 || value == 0);
            if let Some(held) = held {
                *held = value;
                // Whoever took the flash from its holder is gone with the semaphore.
                if address == FLASH_PROGRAMMING && value == 0 {
                    firmware.live.flash_taken = false;
                }
                firmware.touch();
            }
        }
        2 => write_cr(firmware, address, value),
        _ => {}
    }
}

fn semaphore(address: u32) -> Option<usize> {
    usize::try_from(address / 4).ok()
}

fn read_cr(firmware: &mut Firmware, address: u32) -> u32 {
    let runs = firmware.runs();
    let card = &firmware.profile.card;
    match address {
        BOOT_ADDRESS => firmware.effective_boot_address() << 8,
        DEVICE_ID => u32::from(card.hw_revision) << 16 | u32::from(card.hw_id),
        RESET_FLASH => firmware.live.reset_flash,
        CACHE_OFFSET | CACHE_COMMAND if runs => CACHE_REPLACED,
        CACHE_ENABLE => {
            let enabled = firmware.live.cache_replacement;
            enabled.unwrap_or(u32::from(runs))
        }
        STATIC_CONFIGURATION if !runs => 1 << 31,
        _ => gateway::read(firmware, address).unwrap_or(0),
    }
}

/// The ids least of all can be changed (`mstflint -ocr` writes 0 there).
fn write_cr(firmware: &mut Firmware, address: u32, value: u32) {
    match address {
        BOOT_ADDRESS => firmware.set_boot_address(value >> 8),
        RESET_FLASH => firmware.live.reset_flash = value,
        CACHE_ENABLE => firmware.live.cache_replacement = Some(value),
        _ => {
            gateway::write(firmware, address, value);
        }
    }
}
