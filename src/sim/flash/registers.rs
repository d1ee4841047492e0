//! The registers by which firmware gives access to the flash.
//!
//! | register | dword | fields |
//! |---|---|---|
//! | MFPA 0x9010, parameters | 0 | 5:4 chip |
//! | | 1 | boot address (written) |
//! | | 4 | 3:0 number of chips, 16 subsectors and 17 sectors can be protected, 29 64 KiB can be erased |
//! | | 5 | 23:0 JEDEC id, the maker in 7:0 |
//! | | 6 | 9:0 log2 of the sector |
//! | | 7 | capabilities: 16 write protection, 17 quad mode |
//! | MFBA 0x9011, block access | 0 | 5:4 chip |
//! | | 1 | 8:0 bytes |
//! | | 2 | address |
//! | | 3... | data, each dword with its first byte in 7:0 |
//! | MFBE 0x9012, block erase | 0 | 5:4 chip, 29 64 KiB instead of 4 KiB |
//! | | 2 | address |
//! | MFMC 0x9013, configuration | 1 | 31 write protection on, 17:16 unit (1: 64 KiB, else 4 KiB), 7:0 log2 of their number |
//! | | 4 | 24 quad mode |
//! | MFAI 0x9029, ConnectX-4: where to boot from | 0 | 31 by image, 30 by address, 29 for good, 23:0 address |
//!
//! A refused or protected write is no error, as with the chip. While somebody
//! else has the flash (a fault), block access and erase answer busy; that is an
//! assumption.
//!
//! # Sources
//! mstflint 4.21, reg_access/reg_access.c, mflash/mflash_pack_layer.c,
//! tools_layouts/tools_open_layouts.c (`tools_open_mfpa_pack`,
//! `tools_open_mfmc_pack`), register_access_open_layouts.c and cibfw_layouts.c
//! (`cibfw_register_mfai_pack`).

use crate::sim::firmware::Firmware;
use crate::sim::live::{FLASH_PROGRAMMING, FLASH_SEMAPHORE};
use crate::sim::operation::{Method, Operation, Status, field};
use crate::sim::profile::Generation;

const MFPA: u16 = 0x9010;
const MFBA: u16 = 0x9011;
const MFBE: u16 = 0x9012;
const MFMC: u16 = 0x9013;
/// The same number is MNVIA on ConnectX-3.
pub(crate) const MFAI: u16 = 0x9029;

const USE_IMAGE: u32 = 1 << 31;
const USE_ADDRESS: u32 = 1 << 30;

/// Executes an access to one of these registers; `None` for another one.
pub(crate) fn access(
    firmware: &mut Firmware,
    operation: Operation,
    register: &mut [u32],
) -> Option<Status> {
    let method = operation.method;
    match operation.register {
        MFPA => Some(parameters(firmware, method, register)),
        MFBA => Some(block_access(firmware, method, register)),
        MFBE => Some(block_erase(firmware, method, register)),
        MFMC => Some(configuration(firmware, method, register)),
        _ => None,
    }
}

fn is_another_chip(word: u32) -> bool {
    field(word, 4, 2) != 0
}

fn parameters(firmware: &mut Firmware, method: Method, register: &mut [u32]) -> Status {
    let boot_address = firmware.effective_boot_address();
    let Some(register) = register.get_mut(..8) else {
        return Status::WRONG_LENGTH;
    };
    if is_another_chip(register[0]) {
        return Status::BAD_PARAMETER;
    }
    if method == Method::Set {
        firmware.set_boot_address(register[1]);
        return Status::OK;
    }
    let facts = &firmware.chip().facts;
    let [maker, kind, density] = facts.jedec;
    let large = facts.erase_of(0x1_0000).is_some();
    register.fill(0);
    register[1] = boot_address;
    register[4] = 1 | 1 << 17 | u32::from(large) << 29;
    register[5] = u32::from_le_bytes([maker, kind, density, 0]);
    register[6] = facts.sector().trailing_zeros();
    register[7] = 3 << 16;
    Status::OK
}

/// Counts it when the semaphore of flash programming is free meanwhile.
fn check_lock(firmware: &mut Firmware) {
    let held = match firmware.profile.card.generation {
        Generation::ConnectX3 => firmware.live.cr_semaphores >> FLASH_PROGRAMMING & 1 != 0,
        Generation::ConnectX4 => firmware.live.semaphores[FLASH_SEMAPHORE] != 0,
    };
    firmware.live.counters.unlocked += u64::from(!held);
}

fn block_access(firmware: &mut Firmware, method: Method, register: &mut [u32]) -> Status {
    check_lock(firmware);
    let [first, size, address, data @ ..] = register else {
        return Status::WRONG_LENGTH;
    };
    let (size, address) = (field(*size, 0, 9), *address);
    let bytes = size as usize;
    let end = address.checked_add(size);
    let inside = end.is_some_and(|end| end <= firmware.chip().cells.size());
    if is_another_chip(*first) || !inside || size == 0 || !size.is_multiple_of(4) {
        return Status::BAD_PARAMETER;
    }
    let Some(data) = data.get_mut(..bytes / 4) else {
        return Status::WRONG_LENGTH;
    };
    if firmware.live.flash_taken {
        return Status::BUSY;
    }
    match method {
        Method::Get => {
            firmware.live.latches.busy_looks = 0;
            let mut read = vec![0; bytes];
            firmware.answer_of_flash(0x03, address, 0, &mut read);
            for (word, chunk) in data.iter_mut().zip(read.as_chunks::<4>().0) {
                *word = u32::from_le_bytes(*chunk);
            }
        }
        Method::Set => {
            let page = firmware.chip().facts.page;
            // The chip would wrap inside the page.
            if address / page != (address + size - 1) / page {
                return Status::BAD_PARAMETER;
            }
            let opcode = firmware.chip().facts.program_opcode;
            let bytes: Vec<u8> = data.iter().flat_map(|word| word.to_le_bytes()).collect();
            firmware.write_flash(opcode, address, &bytes);
            if firmware.live.flash_taken {
                return Status::BUSY;
            }
        }
    }
    Status::OK
}

fn block_erase(firmware: &mut Firmware, method: Method, register: &mut [u32]) -> Status {
    check_lock(firmware);
    if method != Method::Set {
        return Status::METHOD_UNSUPPORTED;
    }
    let &mut [first, _, address, ..] = register else {
        return Status::WRONG_LENGTH;
    };
    let bytes = if field(first, 29, 1) == 1 {
        0x1_0000
    } else {
        0x1000
    };
    let chip = firmware.chip();
    let Some(erase) = chip.facts.erase_of(bytes) else {
        return Status::BAD_PARAMETER;
    };
    if is_another_chip(first) || address >= chip.cells.size() || !address.is_multiple_of(bytes) {
        return Status::BAD_PARAMETER;
    }
    if !firmware.live.flash_taken {
        firmware.write_flash(erase.opcode, address, &[]);
    }
    if firmware.live.flash_taken {
        return Status::BUSY;
    }
    Status::OK
}

fn configuration(firmware: &mut Firmware, method: Method, register: &mut [u32]) -> Status {
    let Some(register) = register.get_mut(..7) else {
        return Status::WRONG_LENGTH;
    };
    if is_another_chip(register[0]) {
        return Status::BAD_PARAMETER;
    }
    // Nobody needs to change it by a register.
    if method == Method::Set {
        return Status::METHOD_UNSUPPORTED;
    }
    let plan_protects = firmware.state.faults.flash_is_protected();
    let chip = firmware.chip();
    let mut status = chip.status;
    if plan_protects {
        status.protect_everything();
    }
    let [maker, ..] = chip.facts.jedec;
    let protected = status.protected(maker, chip.cells.size());
    let length = protected.end - protected.start;
    register.fill(0);
    if length > 0 {
        let unit: u32 = if length < 0x1_0000 { 0x1000 } else { 0x1_0000 };
        let count = (length / unit).max(1).ilog2();
        register[1] = 1 << 31 | u32::from(unit == 0x1_0000) << 16 | count;
    }
    register[4] = u32::from(status.second & 2 != 0) << 24;
    Status::OK
}

/// MFAI: where a warm reset boots from.
pub(crate) fn boot_address(
    firmware: &mut Firmware,
    method: Method,
    register: &mut [u32],
) -> Status {
    let Some(register) = register.get_mut(..4) else {
        return Status::WRONG_LENGTH;
    };
    match method {
        Method::Get => {
            register.fill(0);
            register[0] = USE_ADDRESS | firmware.effective_boot_address() & 0xff_ffff;
            Status::OK
        }
        Method::Set if register[0] & (USE_IMAGE | USE_ADDRESS) == USE_ADDRESS => {
            firmware.set_boot_address(field(register[0], 0, 24));
            Status::OK
        }
        Method::Set => Status::BAD_PARAMETER,
    }
}
