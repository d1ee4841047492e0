//! The SPI gateway in CR space, by which anybody reaches the flash chip without
//! the firmware's help.
//!
//! | address | register |
//! |---|---|
//! | 0xf0400 | command |
//! | 0xf0404 | address in the flash |
//! | 0xf0410...0xf041c | data; the first byte of the flash is the highest of the first dword |
//!
//! | bits of the command | meaning |
//! |---|---|
//! | 0 | read |
//! | 2, 3, 4 | there is an opcode, an address, data |
//! | 5 | the chip stays selected |
//! | 10:8 | log2 of the bytes of data |
//! | 12:11 | which chip |
//! | 13 | flash enable, needed on ConnectX-3 |
//! | 14 | addresses have four bytes |
//! | 23:16 | opcode |
//! | 30 | go; busy |
//! | 31 | ConnectX-4: the lock; a read takes it, writing 0 gives it back |
//!
//! ConnectX-3 has semaphores for it instead: CR 0xf03fc for a command, 0xf03a0
//! for a session. A command that begins while the chip is still selected by
//! another deselects it first: what was sent so far counts. (No source says what
//! the hardware does then; a program that was killed leaves it so.)
//!
//! # Sources
//! mstflint 4.21, mflash/mflash.c, mflash_gw.c (`cntx_exec_cmd`,
//! `cntx_st_spi_block_write_ex`) and mflash_common_structs.h.

use serde::{Deserialize, Serialize};

use crate::sim::firmware::Firmware;
use crate::sim::live::GATEWAY_SEMAPHORE;
use crate::sim::operation::field;
use crate::sim::profile::Generation;

const COMMAND: u32 = 0xf_0400;
const ADDRESS: u32 = 0xf_0404;
const DATA: u32 = 0xf_0410;
const DATA_END: u32 = 0xf_0420;

const READ: u32 = 1;
const HAS_OPCODE: u32 = 1 << 2;
const HAS_ADDRESS: u32 = 1 << 3;
const HAS_DATA: u32 = 1 << 4;
const HOLD: u32 = 1 << 5;
const FLASH_ENABLE: u32 = 1 << 13;
const LONG_ADDRESS: u32 = 1 << 14;
const BUSY: u32 = 1 << 30;
pub(crate) const LOCK: u32 = 1 << 31;

/// The gateway's registers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct GatewayRegisters {
    pub(crate) command: u32,
    address: u32,
    data: [u32; 4],
    /// How many looks at the command still find it busy.
    busy_looks: u32,
    /// The command for which the chip is still selected.
    selected: Option<Selected>,
}

/// A command to the chip that is not over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Selected {
    opcode: u8,
    address: Option<u32>,
    /// What was sent to the chip, without opcode and address.
    sent: Vec<u8>,
    /// How many bytes the chip has answered.
    answered: u32,
}

/// Reads a register; `None` for other addresses.
pub(crate) fn read(firmware: &mut Firmware, address: u32) -> Option<u32> {
    let locks = has_lock_bit(firmware);
    let gateway = &mut firmware.live.gateway;
    Some(match address {
        COMMAND => {
            let word = gateway.command;
            let busy = gateway.busy_looks > 0;
            gateway.busy_looks = gateway.busy_looks.saturating_sub(1);
            if locks && word & LOCK == 0 {
                gateway.command |= LOCK;
                firmware.touch();
            }
            if busy { word | BUSY } else { word & !BUSY }
        }
        ADDRESS => gateway.address,
        DATA..DATA_END => register(gateway, address).map_or(0, |word| *word),
        _ => return None,
    })
}

/// Writes a register; whether it was one.
pub(crate) fn write(firmware: &mut Firmware, address: u32, value: u32) -> bool {
    match address {
        COMMAND => command(firmware, value),
        ADDRESS => firmware.live.gateway.address = value,
        DATA..DATA_END => {
            if let Some(word) = register(&mut firmware.live.gateway, address) {
                *word = value;
            }
        }
        _ => return false,
    }
    true
}

fn register(gateway: &mut GatewayRegisters, address: u32) -> Option<&mut u32> {
    let index = usize::try_from(address.checked_sub(DATA)? / 4).ok()?;
    gateway.data.get_mut(index)
}

fn has_lock_bit(firmware: &Firmware) -> bool {
    firmware.profile.card.generation == Generation::ConnectX4
}

fn command(firmware: &mut Firmware, value: u32) {
    let is_locked = if has_lock_bit(firmware) {
        firmware.live.gateway.command & LOCK != 0
    } else {
        firmware.live.cr_semaphores >> GATEWAY_SEMAPHORE & 1 != 0
    };
    let before = firmware.live.gateway.command;
    firmware.live.gateway.command = value & !BUSY;
    // A process that ends in the middle of a read leaves nothing behind worth saving,
    // and reads are many.
    if value & READ == 0 || (before ^ value) & LOCK != 0 {
        firmware.touch();
    }
    if value & BUSY == 0 {
        return;
    }
    if !is_locked {
        firmware.live.counters.unlocked += 1;
    }
    firmware.live.gateway.busy_looks = firmware.profile.gateway.busy_looks.min(1);
    let enabled = has_lock_bit(firmware) || value & FLASH_ENABLE != 0;
    // There is one chip, and it takes addresses of three bytes.
    if enabled && field(value, 11, 2) == 0 && value & LONG_ADDRESS == 0 {
        transfer(firmware, value);
    }
}

/// One run of the gateway: opcode, address, data, as far as the command says.
fn transfer(firmware: &mut Firmware, command: u32) {
    let gateway = &mut firmware.live.gateway;
    if command & HAS_OPCODE != 0 {
        let started = Selected {
            opcode: u8::try_from(field(command, 16, 8)).unwrap_or(0),
            address: (command & HAS_ADDRESS != 0).then_some(gateway.address & 0xff_ffff),
            sent: Vec::new(),
            answered: 0,
        };
        if let Some(before) = gateway.selected.replace(started) {
            deselect(firmware, &before);
        }
    }
    let gateway = &mut firmware.live.gateway;
    let Some(mut selected) = gateway.selected.take() else {
        return;
    };
    let length = 1_usize << field(command, 8, 3).min(4);
    if command & HAS_DATA != 0 && command & READ == 0 {
        let bytes = gateway.data.iter().flat_map(|word| word.to_be_bytes());
        selected.sent.extend(bytes.take(length));
        // More than a page: the chip forgets the first bytes.
        let most = selected.sent.len().saturating_sub(256);
        selected.sent.drain(..most);
    } else if command & HAS_DATA != 0 {
        let mut data = vec![0; length];
        let (opcode, address) = (selected.opcode, selected.address.unwrap_or(0));
        firmware.answer_of_flash(opcode, address, selected.answered, &mut data);
        selected.answered += u32::try_from(length).unwrap_or(0);
        let gateway = &mut firmware.live.gateway;
        for (word, bytes) in gateway.data.iter_mut().zip(data.chunks(4)) {
            let mut whole = [0; 4];
            whole[..bytes.len()].copy_from_slice(bytes);
            *word = u32::from_be_bytes(whole);
        }
    }
    if command & HOLD == 0 {
        deselect(firmware, &selected);
    } else {
        firmware.live.gateway.selected = Some(selected);
    }
}

fn deselect(firmware: &mut Firmware, selected: &Selected) {
    if selected.answered == 0 {
        firmware.execute_in_flash(selected.opcode, selected.address, &selected.sent);
    }
}
