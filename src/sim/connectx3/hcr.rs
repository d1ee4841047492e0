//! The tools HCR: commands to the firmware of ConnectX-3.
//!
//! | dword | fields |
//! |---|---|
//! | 0, 1 | input parameter, high and low |
//! | 2 | input modifier |
//! | 3, 4 | output parameter, high and low |
//! | 5 | token |
//! | 6 | 11:0 opcode, 15:12 opcode modifier, 23 go, 31:24 status |
//!
//! Parameters that do not fit go through a mailbox of 288 bytes, moved eight
//! bytes at a time by commands of their own, or through a window in CR space
//! (only for register access). Source: mstflint 4.21.

use super::{defaults, settings};
use crate::sim::firmware::Firmware;
use crate::sim::live::HCR_SEMAPHORE;
use crate::sim::operation::{Operation, REGISTER, Status, field};

const MAILBOX_DWORDS: usize = 72;

const GO: u32 = 1 << 23;

const QUERY_DEV_CAP: u32 = 0x03;
const ACCESS_REGISTER: u32 = 0x3b;
const HW_ACCESS: u32 = 0x60;
const WRITE_MAILBOX: u32 = 0x70;
const READ_MAILBOX: u32 = 0x71;
const QUERY_DEF_PARAMS: u32 = 0x73;

const OK: u32 = 0;
const BAD_OPCODE: u32 = 2;
/// Bad parameter, as in the driver's HCR (FlexBoot source).
const BAD_PARAMETER: u32 = 3;

/// The mailboxes; the registers are part of what outlives a process.
#[derive(Debug)]
pub(crate) struct Hcr {
    mailbox: [u32; MAILBOX_DWORDS],
    window: [u32; MAILBOX_DWORDS],
    /// How many looks at the last dword still find it busy.
    busy_looks: u32,
}

impl Hcr {
    pub(crate) fn new() -> Self {
        Self {
            mailbox: [0; MAILBOX_DWORDS],
            window: [0; MAILBOX_DWORDS],
            busy_looks: 0,
        }
    }

    /// A dword of the mailbox that lies in CR space.
    pub(crate) fn window(&mut self, index: usize) -> Option<&mut u32> {
        self.window.get_mut(index)
    }

    pub(crate) fn read(&mut self, firmware: &Firmware, index: usize) -> u32 {
        let word = firmware.live.hcr.get(index).copied().unwrap_or(0);
        if index != 6 {
            return word;
        }
        let busy = firmware.live.stuck || self.busy_looks > 0;
        self.busy_looks = self.busy_looks.saturating_sub(1);
        word & !GO | if busy { GO } else { 0 }
    }

    pub(crate) fn write(&mut self, firmware: &mut Firmware, index: usize, value: u32) {
        let go = index == 6 && value & GO != 0;
        if firmware.live.stuck || self.busy_looks > 0 {
            firmware.live.counters.overruns += u64::from(go);
            return;
        }
        if let Some(word) = firmware.live.hcr.get_mut(index) {
            *word = value;
        }
        if go {
            if firmware.live.cr_semaphores >> HCR_SEMAPHORE & 1 == 0 {
                firmware.live.counters.unlocked += 1;
            }
            self.busy_looks = firmware.profile.gateway.busy_looks;
            let status = self.execute(firmware, value);
            firmware.live.hcr[6] = value & !(GO | 0xff << 24) | status << 24;
        }
    }

    fn execute(&mut self, firmware: &mut Firmware, control: u32) -> u32 {
        let opcode = field(control, 0, 12);
        let modifier = field(control, 12, 4);
        if matches!(opcode, WRITE_MAILBOX | READ_MAILBOX) && firmware.runs() {
            return self.move_quad(firmware, opcode);
        }
        if !firmware.runs() {
            // Nobody there who would ever take it.
            firmware.live.stuck = true;
            return OK;
        }
        let fate = firmware.begin_command();
        if fate.stuck {
            return OK;
        }
        match (opcode, fate.status) {
            (ACCESS_REGISTER, forced) => self.access_register(firmware, forced),
            (_, Some(status)) => u32::from(status),
            (QUERY_DEV_CAP, None) => self.reply(defaults::device_capabilities(firmware)),
            (QUERY_DEF_PARAMS, None) => match defaults::parameters(firmware, modifier) {
                Some(words) => self.reply(words),
                None => BAD_PARAMETER,
            },
            // Locking and unlocking with a key: the virtual card has none.
            (HW_ACCESS, None) => OK,
            _ => BAD_OPCODE,
        }
    }

    fn reply(&mut self, words: impl IntoIterator<Item = (usize, u32)>) -> u32 {
        self.mailbox = [0; MAILBOX_DWORDS];
        for (index, word) in words {
            if let Some(place) = self.mailbox.get_mut(index) {
                *place = word;
            }
        }
        OK
    }

    /// Moves two dwords of the mailbox; the input modifier says which.
    fn move_quad(&mut self, firmware: &mut Firmware, opcode: u32) -> u32 {
        let index = usize::try_from(firmware.live.hcr[2]).unwrap_or(usize::MAX);
        let Some([first, second]) = index
            .checked_add(2)
            .and_then(|end| self.mailbox.get_mut(index..end))
        else {
            return BAD_PARAMETER;
        };
        if opcode == WRITE_MAILBOX {
            (*second, *first) = (firmware.live.hcr[0], firmware.live.hcr[1]);
        } else {
            (firmware.live.hcr[3], firmware.live.hcr[4]) = (*second, *first);
        }
        OK
    }

    /// Input modifier 1 means the mailbox in the window.
    fn access_register(&mut self, firmware: &mut Firmware, forced: Option<u8>) -> u32 {
        let in_window = firmware.live.hcr[2] == 1 && firmware.profile.gateway.mailbox_window;
        let mailbox = if in_window {
            &mut self.window
        } else {
            &mut self.mailbox
        };
        let status = match (forced, Operation::parse(mailbox)) {
            (Some(status), _) => Status(status),
            (None, Err(status)) => status,
            (None, Ok(operation)) => {
                let register = &mut mailbox[REGISTER..REGISTER + operation.dwords];
                settings::access(firmware, operation, register)
            }
        };
        Operation::answer(mailbox, status);
        OK
    }
}
