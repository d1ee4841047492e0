//! The ICMD mailbox: commands to the firmware of ConnectX-4.
//!
//! | address | what it is |
//! |---|---|
//! | 0x0 | control: 0 busy, 1 mailbox in host memory, 15:8 status, 31:16 opcode |
//! | 0x1000 | size of the mailbox in bytes |
//! | 0x100000 | the mailbox |
//!
//! Source: mstflint 4.21; FlexBoot 3.4.812 uses the same numbers.

use super::registers;
use crate::sim::firmware::Firmware;
use crate::sim::operation::{Operation, REGISTER, Status};
use crate::sim::profile::Profile;

const CONTROL: u32 = 0;
const SIZE: u32 = 0x1000;
const MAILBOX: u32 = 0x10_0000;

const BUSY: u32 = 1;
const HOST_MEMORY: u32 = 2;

/// Access a register: operation TLV, register TLV.
const ACCESS_REGISTER: u32 = 0x9001;

const BAD_OPCODE: u32 = 1;
const BAD_PARAMETER: u32 = 4;

/// The mailbox; its control dword is part of what outlives a process.
#[derive(Debug)]
pub(crate) struct Icmd {
    mailbox: Vec<u32>,
    /// How many looks at the control dword still find it busy.
    busy_looks: u32,
}

impl Icmd {
    pub(crate) fn new(profile: &Profile) -> Self {
        let dwords = usize::try_from(profile.gateway.mailbox_bytes / 4).unwrap_or(0);
        Self {
            mailbox: vec![0; dwords],
            busy_looks: 0,
        }
    }

    pub(crate) fn read(&mut self, firmware: &mut Firmware, address: u32) -> u32 {
        match address {
            CONTROL => {
                let busy = firmware.live.stuck || self.busy_looks > 0;
                self.busy_looks = self.busy_looks.saturating_sub(1);
                firmware.live.icmd_control & !BUSY | u32::from(busy)
            }
            SIZE if !firmware.runs() => 0,
            SIZE => u32::try_from(self.mailbox.len() * 4).unwrap_or(0),
            _ => self.word(address).map_or(0, |word| *word),
        }
    }

    pub(crate) fn write(
        &mut self,
        firmware: &mut Firmware,
        function: usize,
        address: u32,
        value: u32,
    ) {
        if firmware.live.semaphores[0] == 0 {
            firmware.live.counters.unlocked += 1;
        }
        if address == CONTROL {
            self.control(firmware, function, value);
        } else if let Some(word) = self.word(address) {
            *word = value;
        }
    }

    fn word(&mut self, address: u32) -> Option<&mut u32> {
        let index = usize::try_from(address.checked_sub(MAILBOX)? / 4).ok()?;
        self.mailbox.get_mut(index)
    }

    fn control(&mut self, firmware: &mut Firmware, function: usize, value: u32) {
        if firmware.live.stuck || self.busy_looks > 0 {
            firmware.live.counters.overruns += u64::from(value & BUSY);
            return;
        }
        firmware.live.icmd_control = value & !BUSY;
        if value & BUSY != 0 {
            self.busy_looks = firmware.profile.gateway.busy_looks;
            let status = self.execute(firmware, function, value);
            firmware.live.icmd_control = value & !(BUSY | 0xff00) | status << 8;
        }
    }

    fn execute(&mut self, firmware: &mut Firmware, function: usize, control: u32) -> u32 {
        if !firmware.runs() {
            // Nobody there who would ever take it.
            firmware.live.stuck = true;
            return 0;
        }
        let fate = firmware.begin_command();
        if fate.stuck {
            0
        } else if control & HOST_MEMORY != 0 {
            BAD_PARAMETER
        } else if control >> 16 != ACCESS_REGISTER {
            BAD_OPCODE
        } else {
            let status = match (fate.status, Operation::parse(&self.mailbox)) {
                (Some(status), _) => Status(status),
                (None, Err(status)) => status,
                (None, Ok(operation)) => {
                    let register = &mut self.mailbox[REGISTER..REGISTER + operation.dwords];
                    registers::access(firmware, function, operation, register)
                }
            };
            Operation::answer(&mut self.mailbox, status);
            0
        }
    }
}
