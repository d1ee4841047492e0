//! The address spaces behind the vendor capability.
//!
//! | space | what it is |
//! |---|---|
//! | 1, 3 | the ICMD mailbox (1 is the newer view of the same) |
//! | 2 | CR space |
//! | 0xa | semaphores: 0 ICMD, 0x10 flash programming |
//!
//! mstflint 4.21 takes the capability only when 1, 2 and 0xa are there.

use super::icmd::Icmd;
use super::vsec::{Effect, Vsec};
use crate::sim::config_space::VSEC;
use crate::sim::firmware::Firmware;
use crate::sim::profile::Profile;

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
        let version = firmware.profile.card.firmware;
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
                firmware.touch();
            }
        }
        // CR space: nothing here can be changed, the ids least of all
        // (`mstflint -ocr` writes 0 to 0xf0014).
        _ => {}
    }
}

fn semaphore(address: u32) -> Option<usize> {
    usize::try_from(address / 4).ok()
}

/// The registers that mstflint 4.21 looks at before it trusts a card.
fn read_cr(firmware: &Firmware, address: u32) -> u32 {
    let card = &firmware.profile.card;
    match address {
        0xf0014 => u32::from(card.hw_revision) << 16 | u32::from(card.hw_id),
        // 0xb0004 bit 31 set would mean: static configuration not done.
        _ => 0,
    }
}
