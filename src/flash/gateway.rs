//! The flash through the SPI gateway in CR space.
//!
//! The chip is spoken to directly: opcodes, addresses, status register. For the
//! registers see `spi_command.rs`, for the lock `gateway_lock.rs`.
//!
//! The lock is held for a few KiB of reading at a time, so that others, and
//! firmware that fetches code from the flash, get their turn; from the first
//! erasure or page on it is held to the end, as mstflint does it. A command is
//! one batch of words under one hold of the way into the card, from which only a
//! chip that takes its time falls out.
//!
//! # Sources
//! mstflint 4.21 `mflash.c`: `mf_open_fw`, `cntx_flash_init`,
//! `fifth_gen_flash_init`, `mfl_com_lock`, `mf_write`; `mflash_gw.c`: all of it;
//! against virtual cards of both generations.

use crate::access::{AccessError, GaveUp, Patience, Space, Word};
use crate::hwdb::{FlashChip, FlashPath};
use crate::pci::Bdf;

use super::busy_wait::BusyWait;
use super::link::Link;
use super::protected_parts::protected_parts;
use super::range::Limits;
use super::spi_command::{BUSY, Commands, LOCK};
use super::{Block, Flash, FlashError, boot_address, gateway_lock};

/// Opcode: JEDEC id.
const JEDEC: u8 = 0x9f;
/// Opcode: status register 1.
const STATUS: u8 = 0x05;
/// Status register 1: a write is in progress.
const IN_PROGRESS: u8 = 1;
/// What three address bytes reach.
const REACH: u32 = 1 << 24;
/// Bytes that are read under one hold of the gateway's lock, ...
const LOCKED_BYTES: usize = 0x1000;
/// ... and under one hold of the way into the card.
const BATCH_BYTES: usize = 0x200;
/// What the slowest chip of `hwdb/flash-chips.toml` takes for an erasure, for one
/// that is not known yet.
const LEFT_WORK_US: u32 = 6_000_000;
/// mstflint asks a chip twice that does not answer.
const JEDEC_TRIES: usize = 2;

/// The flash through the SPI gateway.
#[derive(Debug)]
pub(super) struct SpiGateway<'a> {
    link: Link<'a>,
    path: FlashPath,
    chip: FlashChip,
    lock: Lock,
    /// Nothing protects it, as far as was looked.
    unprotected: bool,
}

/// How the gateway's lock stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Lock {
    Free,
    /// For one read.
    Reading,
    /// To the end.
    Writing,
}

impl<'a> SpiGateway<'a> {
    /// Finds out which chip is there.
    ///
    /// # Errors
    /// [`FlashError::UnknownChip`] where nobody said how large it is.
    pub(super) fn open(
        link: Link<'a>,
        path: FlashPath,
        unknown_chip_bytes: Option<u32>,
    ) -> Result<Self, FlashError> {
        let mut flash = Self {
            link,
            path,
            chip: FlashChip::unknown([0; 3], 0),
            lock: Lock::Free,
            unprotected: false,
        };
        flash.prepare()?;
        // Requests to stop are heard while it is waited for the first time.
        let patience = flash.link.patience().clone();
        let jedec = flash.locked(Lock::Reading, &patience, Self::jedec)?;
        let address = flash.address();
        let mut chip = FlashChip::of(jedec)
            .or_else(|| unknown_chip_bytes.map(|bytes| FlashChip::unknown(jedec, bytes)))
            .ok_or(FlashError::UnknownChip { address, jedec })?;
        chip.bytes = chip.bytes.min(REACH);
        flash.chip = chip;
        Ok(flash)
    }

    /// Whether running firmware fetches code from the flash.
    fn firmware_uses_it(&mut self) -> Result<bool, FlashError> {
        let fields = self.path.gateway.firmware_uses.clone();
        let mut words: Vec<Word> = fields
            .iter()
            .map(|field| Word::read(field.register))
            .collect();
        if words.is_empty() {
            return Ok(false);
        }
        self.words("looking whether the firmware uses the flash", &mut words)?;
        Ok(fields
            .iter()
            .zip(&words)
            .any(|(field, word)| field.is_set(word.value())))
    }

    fn prepare(&mut self) -> Result<(), FlashError> {
        let action = "preparing the flash gateway";
        if let Some(register) = self.path.gateway.firmware_uses_write
            && self.link.session().is_some()
            && self.firmware_uses_it()?
        {
            self.words(action, &mut [Word::write(register, 0)])?;
        }
        let Some(quirk) = self.path.gateway.without_firmware else {
            return Ok(());
        };
        let mut words = [Word::read(quirk.register), Word::read(quirk.field.register)];
        self.words(action, &mut words)?;
        let [state, before] = words.map(Word::value);
        if state > quirk.above {
            let set = Word::write(quirk.field.register, quirk.field.set(before));
            self.words(action, &mut [set])?;
        }
        Ok(())
    }

    fn failed(&self, action: &str, source: AccessError) -> FlashError {
        FlashError::of_access(self.link.address(), action, source)
    }

    fn limits(&self) -> Limits<'_> {
        Limits {
            address: self.link.address(),
            chip: &self.chip,
        }
    }

    fn words(&mut self, action: &str, words: &mut [Word]) -> Result<(), FlashError> {
        let outcome = self.link.gateway().batch(Space::Cr, words);
        outcome.map_err(|source| self.failed(action, source))
    }

    /// Performs commands. Where the gateway is still busy after some looks, it is
    /// waited for and what follows is done afterwards.
    fn run(&mut self, action: &str, commands: Commands<'_>) -> Result<Vec<Word>, FlashError> {
        let mut words = commands.into_words();
        let mut done = 0;
        loop {
            let rest = words.get_mut(done..).unwrap_or_default();
            let outcome = self.link.gateway().batch(Space::Cr, rest);
            outcome.map_err(|source| FlashError::of_access(self.link.address(), action, source))?;
            let Some(stopped) = rest.iter().position(|word| word.stops()) else {
                break;
            };
            self.wait_until_idle(action)?;
            done += stopped + 1;
        }
        self.confirm_words(action, &words)?;
        Ok(words)
    }

    /// Every look at the command register shows the lock of the 5th generation.
    fn confirm_words(&self, action: &str, words: &[Word]) -> Result<(), FlashError> {
        if self.path.gateway.always & LOCK == 0 {
            return Ok(());
        }
        let lost = words
            .iter()
            .any(|word| matches!(word, Word::Gate { value, .. } if value & (LOCK | BUSY) == 0));
        if lost {
            return Err(self.lock_lost(action));
        }
        Ok(())
    }

    fn lock_lost(&self, action: &str) -> FlashError {
        FlashError::LockLost {
            address: self.link.address(),
            action: action.to_owned(),
            lock: gateway_lock::title(&self.path.gateway),
        }
    }

    fn wait_until_idle(&mut self, action: &str) -> Result<(), FlashError> {
        let address = self.link.address();
        let register = self.path.gateway.command;
        let patience = self.link.gateway().patience().clone();
        let mut wait = patience.wait();
        loop {
            let value = self.link.gateway().read(Space::Cr, register);
            let value = value.map_err(|source| self.failed(action, source))?;
            if value == u32::MAX {
                let what = "the flash gateway (CR 0xf0400)";
                return Err(self.failed(action, AccessError::Gone { address, what }));
            }
            if value & BUSY == 0 {
                return Ok(());
            }
            if let Err(GaveUp::TimeUp(waited)) = wait.pause() {
                let what = "the flash gateway (CR 0xf0400 busy bit)";
                let source = AccessError::Timeout {
                    address,
                    what,
                    waited,
                };
                return Err(self.failed(action, source));
            }
        }
    }

    /// Does something under the gateway's lock. A hold for writing stays.
    fn locked<T>(
        &mut self,
        kind: Lock,
        patience: &Patience,
        work: impl FnOnce(&mut Self) -> Result<T, FlashError>,
    ) -> Result<T, FlashError> {
        let action = "locking the flash gateway";
        if self.lock == Lock::Free {
            let taken = gateway_lock::take(&self.path.gateway, self.link.gateway(), patience);
            taken.map_err(|source| self.failed(action, source))?;
            self.lock = Lock::Reading;
            let stopped =
                gateway_lock::stop_firmware_reads(&self.path.gateway, self.link.gateway());
            let idle = stopped
                .map_err(|source| self.failed(action, source))
                .and_then(|()| self.wait_until_idle(action));
            if let Err(error) = idle {
                // On this way out another error is already on its way to the user.
                let _ = self.unlock();
                return Err(error);
            }
        }
        if kind == Lock::Writing {
            self.lock = Lock::Writing;
        }
        let outcome = work(self);
        if self.lock == Lock::Reading {
            let unlocked = self.unlock();
            let unlocked =
                unlocked.map_err(|source| self.failed("freeing the flash gateway", source));
            return outcome.and_then(|value| unlocked.map(|()| value));
        }
        outcome
    }

    fn unlock(&mut self) -> Result<(), AccessError> {
        if self.lock == Lock::Free {
            return Ok(());
        }
        self.lock = Lock::Free;
        let registers = &self.path.gateway;
        let allowed = gateway_lock::allow_firmware_reads(registers, self.link.gateway());
        let released = gateway_lock::release(registers, self.link.gateway());
        allowed.and(released)
    }

    /// Fails when a lock was freed by somebody else.
    fn confirm_locks(&mut self, action: &str) -> Result<(), FlashError> {
        let held = gateway_lock::still_held(&self.path.gateway, self.link.gateway());
        match held {
            Ok(true) => self.link.confirm(action),
            Ok(false) => Err(self.lock_lost(action)),
            Err(source) => Err(self.failed(action, source)),
        }
    }

    /// Asks the chip: the first four bytes of its answer.
    fn ask(&mut self, action: &str, opcode: u8) -> Result<[u8; 4], FlashError> {
        let registers = self.path.gateway.clone();
        let mut commands = Commands::new(&registers);
        commands.ask(opcode);
        let words = self.run(action, commands)?;
        let dword = words.last().map_or(u32::MAX, |word| word.value());
        Ok(dword.to_be_bytes())
    }

    fn jedec(&mut self) -> Result<[u8; 3], FlashError> {
        let action = "reading the JEDEC id of the flash chip";
        let mut found = [0xff; 3];
        for _ in 0..JEDEC_TRIES {
            let [maker, kind, density, _] = self.ask(action, JEDEC)?;
            found = [maker, kind, density];
            if found != [0; 3] && found != [0xff; 3] {
                return Ok(found);
            }
            self.wait_for_left_work(action)?;
        }
        // Perhaps it is the card that does not answer.
        self.wait_until_idle(action)?;
        let [maker, kind, density] = found;
        Err(FlashError::NoChip {
            address: self.link.address(),
            found: format!("JEDEC id {maker:02x} {kind:02x} {density:02x}"),
        })
    }

    /// Waits for a chip that a killed program left at work: until it is done, it
    /// answers nothing but its status.
    fn wait_for_left_work(&mut self, action: &str) -> Result<(), FlashError> {
        let mut wait = BusyWait::new(LEFT_WORK_US, LEFT_WORK_US);
        loop {
            let status = self.status(action, STATUS)?;
            // All ones: there is no chip.
            if status & IN_PROGRESS == 0 || status == 0xff || wait.pause().is_err() {
                return Ok(());
            }
        }
    }

    fn status(&mut self, action: &str, opcode: u8) -> Result<u8, FlashError> {
        let [status, _, _, _] = self.ask(action, opcode)?;
        Ok(status)
    }

    /// Waits for the chip after an erasure or a page.
    fn wait_for_chip(
        &mut self,
        action: &str,
        typical_us: u32,
        longest_us: u32,
    ) -> Result<(), FlashError> {
        let mut wait = BusyWait::new(typical_us, longest_us);
        while self.status(action, STATUS)? & IN_PROGRESS != 0 {
            wait.pause().map_err(|waited| FlashError::StillBusy {
                address: self.link.address(),
                action: action.to_owned(),
                waited,
            })?;
        }
        Ok(())
    }

    fn protected(&mut self) -> Result<Option<String>, FlashError> {
        let action = "reading the status of the flash chip";
        let status = self.status(action, STATUS)?;
        let second = match self.chip.protection.second {
            Some(second) => Some(self.status(action, second.opcode)?),
            None => None,
        };
        Ok(protected_parts(&self.chip, status, second))
    }

    /// Looks once whether the chip lets itself be written.
    fn ensure_unprotected(&mut self, action: &str) -> Result<(), FlashError> {
        if self.unprotected {
            return Ok(());
        }
        if let Some(what) = self.protected()? {
            return Err(FlashError::Protected {
                address: self.link.address(),
                action: action.to_owned(),
                what,
            });
        }
        self.unprotected = true;
        Ok(())
    }

    /// Reads whole blocks of the data registers' size under the lock.
    fn read_blocks(&mut self, at: u32, blocks: usize) -> Result<Vec<u8>, FlashError> {
        let registers = self.path.gateway.clone();
        let block = u32::from(registers.data_bytes).max(4);
        let at_once = (BATCH_BYTES / block as usize).max(1);
        let starts: Vec<u32> = (at..).step_by(block as usize).take(blocks).collect();
        let mut bytes = Vec::with_capacity(blocks.saturating_mul(block as usize));
        for part in starts.chunks(at_once) {
            let first = part.first().copied().unwrap_or(at);
            let action = format!(
                "reading {} bytes of flash at {first:#010x}",
                part.len() * block as usize
            );
            let mut commands = Commands::new(&registers);
            part.iter().for_each(|start| commands.read(*start));
            commands.look();
            let words = self.run(&action, commands)?;
            if words.last().is_none_or(|word| word.value() == u32::MAX) {
                let what = "the flash gateway (CR 0xf0400)";
                let address = self.link.address();
                return Err(self.failed(&action, AccessError::Gone { address, what }));
            }
            let is_data = |register: u32| {
                (registers.data..registers.data.saturating_add(block)).contains(&register)
            };
            for word in words {
                if let Word::Read { address, value } = word
                    && is_data(address)
                {
                    bytes.extend(value.to_be_bytes());
                }
            }
        }
        Ok(bytes)
    }

    fn read_locked(&mut self, at: u32, data: &mut [u8]) -> Result<(), FlashError> {
        let block = u32::from(self.path.gateway.data_bytes).max(4);
        let before = at % block;
        let length = before as usize + data.len();
        let patience = self.link.gateway().patience().clone();
        let bytes = self.locked(Lock::Reading, &patience, |flash| {
            let bytes = flash.read_blocks(at - before, length.div_ceil(block as usize))?;
            flash.confirm_locks("reading the flash")?;
            Ok(bytes)
        })?;
        let wanted = bytes.iter().skip(before as usize);
        data.iter_mut()
            .zip(wanted)
            .for_each(|(to, from)| *to = *from);
        Ok(())
    }
}

impl Flash for SpiGateway<'_> {
    fn address(&self) -> Bdf {
        self.link.address()
    }

    fn way(&self) -> &'static str {
        "SPI gateway (CR 0xf0400)"
    }

    fn chip(&self) -> &FlashChip {
        &self.chip
    }

    fn read(&mut self, at: u32, data: &mut [u8]) -> Result<(), FlashError> {
        self.limits().range("reading the flash", at, data.len())?;
        let mut at = at;
        for part in data.chunks_mut(LOCKED_BYTES) {
            self.read_locked(at, part)?;
            at = at.saturating_add(u32::try_from(part.len()).unwrap_or(u32::MAX));
        }
        Ok(())
    }

    fn erase(&mut self, block: Block) -> Result<(), FlashError> {
        let action = format!(
            "erasing {:#x} bytes of flash at {:#010x}",
            block.bytes, block.start
        );
        self.limits().writable(&action)?;
        let command = self.limits().erase(&action, block)?;
        let patience = self.link.gateway().patience().clone();
        self.locked(Lock::Writing, &patience, |flash| {
            flash.ensure_unprotected(&action)?;
            flash.confirm_locks(&action)?;
            let registers = flash.path.gateway.clone();
            let mut commands = Commands::new(&registers);
            commands.erase(command.opcode, block.start);
            flash.run(&action, commands)?;
            flash.wait_for_chip(&action, command.typical_us, command.longest_us)
        })
    }

    fn program(&mut self, at: u32, data: &[u8]) -> Result<(), FlashError> {
        let action = format!("programming {:#x} bytes of flash at {at:#010x}", data.len());
        self.limits().writable(&action)?;
        self.limits().page(&action, at, data.len())?;
        let Some((at, data)) = whole_blocks(at, data, self.path.gateway.data_bytes) else {
            return Ok(());
        };
        let patience = self.link.gateway().patience().clone();
        self.locked(Lock::Writing, &patience, |flash| {
            flash.ensure_unprotected(&action)?;
            flash.confirm_locks(&action)?;
            let registers = flash.path.gateway.clone();
            let mut commands = Commands::new(&registers);
            let command = flash.chip.program;
            commands.program(command.opcode, at, &data);
            flash.run(&action, commands)?;
            flash.wait_for_chip(&action, command.typical_us, command.longest_us)
        })
    }

    fn protection(&mut self) -> Result<Option<String>, FlashError> {
        let patience = self.link.gateway().patience().clone();
        self.locked(Lock::Reading, &patience, Self::protected)
    }

    fn boot_address(&mut self) -> Result<Option<u32>, FlashError> {
        boot_address::read(&mut self.link, &self.path).map(Some)
    }

    fn set_boot_address(&mut self, start: u32) -> Result<(), FlashError> {
        boot_address::write(&mut self.link, &self.path, start)
    }

    fn stop_requested(&self) -> bool {
        self.link.stop_requested()
    }

    fn undisturbed(&mut self) {
        self.link.undisturbed();
    }

    fn close(mut self: Box<Self>) -> Result<(), FlashError> {
        let unlocked = self.unlock();
        let unlocked = unlocked.map_err(|source| self.failed("freeing the flash gateway", source));
        let released = self.link.release();
        let released =
            released.map_err(|source| self.failed("giving back the locks of the flash", source));
        unlocked.and(released)
    }
}

impl Drop for SpiGateway<'_> {
    fn drop(&mut self) {
        // On this way out another error is already on its way to the user.
        let _ = self.unlock();
    }
}

/// The data as whole blocks of the data registers' size: filled up with ones,
/// which change nothing, without blocks of ones at both ends. `None` when nothing
/// is left.
fn whole_blocks(at: u32, data: &[u8], block: u8) -> Option<(u32, Vec<u8>)> {
    let block = u32::from(block).max(4);
    let before = at % block;
    let mut bytes = vec![0xff; before as usize];
    bytes.extend_from_slice(data);
    let whole = bytes.len().next_multiple_of(block as usize);
    bytes.resize(whole, 0xff);
    let has_zeros = |chunk: &[u8]| chunk.iter().any(|byte| *byte != 0xff);
    let mut chunks = bytes.chunks(block as usize);
    let first = chunks.position(has_zeros)?;
    let last = chunks
        .rposition(has_zeros)
        .map_or(first, |last| first + 1 + last);
    let size = block as usize;
    let wanted = bytes.get(first * size..(last + 1) * size)?.to_vec();
    let skipped = u32::try_from(first).ok()?.checked_mul(block)?;
    Some(((at - before).checked_add(skipped)?, wanted))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ones_at_the_ends_are_not_programmed() {
        let mut page = vec![0xff; 256];
        assert_eq!(whole_blocks(0x100, &page, 16), None);
        page[37] = 0;
        let (at, data) = whole_blocks(0x100, &page, 16).unwrap();
        assert_eq!((at, data.len()), (0x120, 16));
        page[0] = 1;
        let (at, data) = whole_blocks(0x100, &page, 16).unwrap();
        assert_eq!((at, data.len()), (0x100, 48));
        assert_eq!(data[37], 0);
    }

    #[test]
    fn a_dword_is_filled_up_with_ones() {
        let (at, data) = whole_blocks(0x24, &[0; 4], 16).unwrap();
        assert_eq!(at, 0x20);
        assert_eq!(data[..4], [0xff; 4]);
        assert_eq!(data[4..8], [0; 4]);
        assert_eq!(data[8..], [0xff; 8]);
    }
}
