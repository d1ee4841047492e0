//! The lock of the SPI gateway.
//!
//! ConnectX-3 has a semaphore of its own for it (CR 0xf03fc). On ConnectX-4 it is
//! bit 31 of the command register: reading it as 0 takes it, it has to be set in
//! every command, writing 0 frees it. While it is held there, the firmware must
//! not fetch code from the flash: "cache replacement" (CR 0xf0420 bit 0) is
//! switched off and on again afterwards.
//!
//! # Sources
//! mstflint 4.21 `mflash.c`: `old_flash_lock`, `is4_flash_lock`,
//! `connectib_flash_lock`, `disable_cache_replacement`, `restore_cache_replacemnt`.

use crate::access::{AccessError, Gateway, GaveUp, Patience, Space, Word};
use crate::command::Semaphore;
use crate::hwdb::{FlashGateway, FlashGatewayLock};

use super::spi_command::LOCK;

pub(super) const COMMAND_BIT: &str = "flash gateway lock (CR 0xf0400 bit 31)";

/// Its name, for messages.
pub(super) fn title(registers: &FlashGateway) -> &'static str {
    match registers.lock {
        FlashGatewayLock::Semaphore => Semaphore::FlashGateway.title(),
        FlashGatewayLock::CommandBit => COMMAND_BIT,
    }
}

/// Waits for the lock and takes it.
pub(super) fn take(
    registers: &FlashGateway,
    gateway: &mut dyn Gateway,
    patience: &Patience,
) -> Result<(), AccessError> {
    let deaf = gateway.patience().clone();
    gateway.set_patience(patience.clone());
    let outcome = match registers.lock {
        FlashGatewayLock::Semaphore => Semaphore::FlashGateway.take(gateway),
        FlashGatewayLock::CommandBit => take_command_bit(registers, gateway),
    };
    gateway.set_patience(deaf);
    outcome
}

fn take_command_bit(
    registers: &FlashGateway,
    gateway: &mut dyn Gateway,
) -> Result<(), AccessError> {
    let address = gateway.address();
    let patience = gateway.patience().clone();
    let mut wait = patience.wait();
    loop {
        let value = claim_command_bit(registers, gateway)?;
        if value == u32::MAX {
            let what = "the flash gateway (CR 0xf0400)";
            return Err(AccessError::Gone { address, what });
        }
        if value & LOCK == 0 {
            return Ok(());
        }
        wait.pause().map_err(|end| match end {
            GaveUp::TimeUp(waited) => AccessError::SemaphoreHeld {
                address,
                semaphore: COMMAND_BIT,
                value,
                waited,
            },
            GaveUp::Stopped => AccessError::Interrupted {
                address,
                what: COMMAND_BIT,
            },
        })?;
    }
}

/// One try. When its answer was read and then got lost on the way out, the lock
/// is given back.
fn claim_command_bit(
    registers: &FlashGateway,
    gateway: &mut dyn Gateway,
) -> Result<u32, AccessError> {
    let mut words = [Word::Read {
        address: registers.command,
        value: u32::MAX,
    }];
    let outcome = gateway.batch(Space::Cr, &mut words);
    let value = words[0].value();
    if outcome.is_err() && value & LOCK == 0 {
        // On this way out another error is already on its way to the user.
        let _ = gateway.write(Space::Cr, registers.command, 0);
    }
    outcome.map(|()| value)
}

/// Keeps the firmware from fetching code from the flash.
pub(super) fn stop_firmware_reads(
    registers: &FlashGateway,
    gateway: &mut dyn Gateway,
) -> Result<(), AccessError> {
    let Some(field) = registers.cache_replacement else {
        return Ok(());
    };
    let before = gateway.read(Space::Cr, field.register)?;
    gateway.write(Space::Cr, field.register, field.clear(before))
}

/// Lets the firmware fetch code again.
pub(super) fn allow_firmware_reads(
    registers: &FlashGateway,
    gateway: &mut dyn Gateway,
) -> Result<(), AccessError> {
    let Some(field) = registers.cache_replacement else {
        return Ok(());
    };
    let before = gateway.read(Space::Cr, field.register)?;
    gateway.write(Space::Cr, field.register, field.set(before))
}

/// Gives the lock back.
pub(super) fn release(
    registers: &FlashGateway,
    gateway: &mut dyn Gateway,
) -> Result<(), AccessError> {
    match registers.lock {
        FlashGatewayLock::Semaphore => Semaphore::FlashGateway.release(gateway),
        FlashGatewayLock::CommandBit => {
            let free = |gateway: &mut dyn Gateway| gateway.write(Space::Cr, registers.command, 0);
            // One that stays behind locks everybody out: it is worth a second try.
            free(gateway).or_else(|_| free(gateway))
        }
    }
}

/// Whether the lock is still held; looking at a lost one takes it again.
pub(super) fn still_held(
    registers: &FlashGateway,
    gateway: &mut dyn Gateway,
) -> Result<bool, AccessError> {
    match registers.lock {
        FlashGatewayLock::Semaphore => Semaphore::FlashGateway.still_held(gateway),
        FlashGatewayLock::CommandBit => {
            let value = gateway.read(Space::Cr, registers.command)?;
            if value == u32::MAX {
                return Err(AccessError::Gone {
                    address: gateway.address(),
                    what: "the flash gateway (CR 0xf0400)",
                });
            }
            Ok(value & LOCK != 0)
        }
    }
}
