//! The flash through the firmware's registers: MFPA, MFBA, MFBE, MFMC, MFAI.
//!
//! The firmware talks to the chip: it enables writes, waits for the chip and
//! shares the flash with the code that it fetches from it. What it says of a
//! register (its status) is the only answer; whether the bytes are right is seen
//! by reading them.
//!
//! The semaphores of those who program the flash (space 0xa address 0x10 on
//! ConnectX-4, CR 0xf03a0 on ConnectX-3) and of the firmware are held to the end.
//!
//! # Sources
//! mstflint 4.21 `mflash.c`: `flash_init_inband_access`, `update_max_write_size`,
//! `write_chunks`, `read_chunks`; `mflash_access_layer.c`: all of it;
//! `mflash_pack_layer.c`: `run_mfpa_command`, `sx_st_block_access`,
//! `common_erase_sector`; against virtual cards of both generations.

use crate::command::register::{Mfai, Mfba, Mfbe, Mfmc, Mfpa, Mfrl, Readable, Register};
use crate::command::{CommandError, Status};
use crate::hwdb::{FirmwareInterface, FlashChip, FlashPath};
use crate::pci::Bdf;

use super::link::Link;
use super::range::Limits;
use super::{Block, Flash, FlashError, boot_address, busy_wait};

/// The chip that is worked on: boards of these cards have one.
const BANK: u8 = 0;
const BULK: u32 = 0x1_0000;
/// What MFAI and three address bytes reach.
const REACH: u32 = 1 << 24;
/// Bytes that are programmed between two looks at the semaphore.
const CONFIRM_BYTES: usize = 0x1000;

/// The flash through the firmware's registers.
#[derive(Debug)]
pub(super) struct RegisterFlash<'a> {
    link: Link<'a>,
    path: FlashPath,
    chip: FlashChip,
    /// Whether MFMC says what is protected.
    protection_known: bool,
    /// Nothing protects it, as far as was looked.
    unprotected: bool,
    /// Bytes programmed since the last look at the semaphore.
    unconfirmed: usize,
}

/// Why the flash was not opened, and the hold of the card for another way.
pub(super) type NotOpened<'a> = Box<(Link<'a>, FlashError)>;

impl<'a> RegisterFlash<'a> {
    /// Finds out which chip is there.
    ///
    /// # Errors
    /// [`FlashError::UnknownChip`] where nobody said how large it is,
    /// [`FlashError::Unsupported`] when the firmware has no such registers.
    pub(super) fn open(
        mut link: Link<'a>,
        path: FlashPath,
        unknown_chip_bytes: Option<u32>,
    ) -> Result<Self, NotOpened<'a>> {
        match identify(&mut link, &path, unknown_chip_bytes) {
            Ok((chip, protection_known)) => Ok(Self {
                link,
                path,
                chip,
                protection_known,
                unprotected: false,
                unconfirmed: 0,
            }),
            Err(error) => Err(Box::new((link, error))),
        }
    }

    fn limits(&self) -> Limits<'_> {
        Limits {
            address: self.link.address(),
            chip: &self.chip,
        }
    }

    fn block(&self) -> u32 {
        u32::from(self.path.register_bytes).max(4)
    }

    /// One MFBA: a whole block at a multiple of its size.
    fn read_block(&mut self, at: u32) -> Result<Vec<u8>, FlashError> {
        let size = self.path.register_bytes;
        let action = format!("reading {size} bytes of flash at {at:#010x}");
        let answer = get(&mut self.link, &action, &Mfba::ask(BANK, at, size))?;
        Ok(answer.data)
    }

    fn protected(&mut self) -> Result<Option<String>, FlashError> {
        if !self.protection_known {
            return Ok(None);
        }
        let action = "reading the write protection of the flash";
        let mfmc = get(&mut self.link, action, &Mfmc::ask(BANK))?;
        if !mfmc.protected {
            return Ok(None);
        }
        let unit = match mfmc.block_size {
            0 => "sectors of 4 KiB",
            1 => "blocks of 64 KiB",
            _ => "blocks of a size that is not known",
        };
        let count = 1_u64.unbounded_shl(mfmc.log2_count.into());
        Ok(Some(format!("{count} {unit} at its top (MFMC)")))
    }

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

    /// Looks at the semaphore before an erasure and every few KiB of programming.
    fn confirm(&mut self, action: &str, bytes: usize) -> Result<(), FlashError> {
        if self.unconfirmed == 0 || self.unconfirmed.saturating_add(bytes) > CONFIRM_BYTES {
            self.link.confirm(action)?;
            self.unconfirmed = 0;
        }
        self.unconfirmed = self.unconfirmed.saturating_add(bytes);
        Ok(())
    }

    /// Writes a register that keeps the firmware waiting for the chip.
    fn set_slowly<R: Register>(
        &mut self,
        action: &str,
        register: &R,
        longest_us: u32,
    ) -> Result<(), FlashError> {
        let before = self.link.gateway().patience().clone();
        let mut longer = before.clone();
        longer.limit = longer.limit.max(busy_wait::limit(longest_us));
        self.link.gateway().set_patience(longer);
        let outcome = set(&mut self.link, action, register);
        self.link.gateway().set_patience(before);
        outcome
    }

    /// Names the image through the firmware, as mstflint does it.
    fn activate(&mut self, start: u32) -> Result<(), FlashError> {
        let action = "setting the boot address";
        let mfai = Mfai::at(start).ok_or_else(|| boot_address::has_no_room(&self.link, start))?;
        set(&mut self.link, action, &mfai)?;
        // Old firmware refuses this one and looks at the boot address all the same.
        match set(&mut self.link, action, &Mfrl) {
            Err(FlashError::Command { source, .. }) if source.status().is_some() => Ok(()),
            Err(FlashError::Unsupported { .. }) => Ok(()),
            outcome => outcome,
        }
    }
}

/// Which chip is there, with what this way erases, and whether MFMC knows its
/// protection.
fn identify(
    link: &mut Link<'_>,
    path: &FlashPath,
    unknown_chip_bytes: Option<u32>,
) -> Result<(FlashChip, bool), FlashError> {
    let address = link.address();
    let action = "reading the JEDEC id of the flash chip";
    let no_chip = |found: &str| FlashError::NoChip {
        address,
        found: found.to_owned(),
    };
    let mfpa = match get(link, action, &Mfpa::ask(BANK)) {
        Ok(mfpa) => mfpa,
        Err(FlashError::Command { source, .. })
            if source.status() == Some(Status::BadParameter) =>
        {
            return Err(no_chip("MFPA was answered with: bad parameter"));
        }
        Err(error) => return Err(error),
    };
    match mfpa.flash_num {
        0 => return Err(no_chip("MFPA says that there are 0")),
        1 => {}
        number => {
            return Err(FlashError::Unsupported {
                address,
                action: "opening the flash".to_owned(),
                reason: format!("the card has {number} flash chips"),
            });
        }
    }
    let jedec = mfpa.jedec;
    if jedec == [0; 3] || jedec == [0xff; 3] {
        return Err(no_chip("MFPA names none"));
    }
    let mut chip = FlashChip::of(jedec)
        .or_else(|| unknown_chip_bytes.map(|bytes| FlashChip::unknown(jedec, bytes)))
        .ok_or(FlashError::UnknownChip { address, jedec })?;
    chip.bytes = chip.bytes.min(REACH);
    let sector = if path.firmware_names_sector {
        sector_size(mfpa.log2_sector_size).unwrap_or(chip.sector())
    } else {
        chip.sector()
    };
    let bulk = mfpa.bulk_64kb_erase_en || sector == BULK;
    chip.erase.retain(|erase| match erase.bytes {
        BULK => bulk,
        bytes => bytes == sector,
    });
    Ok((chip, mfpa.write_protection))
}

/// The sector size that MFPA means; some firmware of ConnectX-3 says it in KiB.
fn sector_size(log2: u16) -> Option<u32> {
    match 1_u32.unbounded_shl(log2.into()) {
        _ if log2 == 0 => None,
        size @ (4 | 64) => Some(size * 1024),
        size => Some(size),
    }
}

fn of_command(link: &Link<'_>, action: &str, error: CommandError) -> FlashError {
    let address = link.address();
    let missing = matches!(
        error.status(),
        Some(
            Status::RegisterNotSupported
                | Status::ClassNotSupported
                | Status::MethodNotSupported
                | Status::VersionNotSupported
        )
    );
    if missing {
        return FlashError::Unsupported {
            address,
            action: action.to_owned(),
            reason: format!("its firmware has no such register: {error}"),
        };
    }
    FlashError::of_command(address, action, error)
}

fn no_firmware(link: &Link<'_>, action: &str) -> FlashError {
    FlashError::Unsupported {
        address: link.address(),
        action: action.to_owned(),
        reason: "no firmware runs that has registers".to_owned(),
    }
}

fn get<R: Readable>(link: &mut Link<'_>, action: &str, ask: &R) -> Result<R, FlashError> {
    let Some(session) = link.session() else {
        return Err(no_firmware(link, action));
    };
    let answer = session.get(ask);
    answer.map_err(|error| of_command(link, action, error))
}

fn set<R: Register>(link: &mut Link<'_>, action: &str, value: &R) -> Result<(), FlashError> {
    let Some(session) = link.session() else {
        return Err(no_firmware(link, action));
    };
    let outcome = session.set(value);
    outcome.map_err(|error| of_command(link, action, error))
}

impl Flash for RegisterFlash<'_> {
    fn address(&self) -> Bdf {
        self.link.address()
    }

    fn way(&self) -> &'static str {
        "firmware registers (MFBA, MFBE)"
    }

    fn chip(&self) -> &FlashChip {
        &self.chip
    }

    fn read(&mut self, at: u32, data: &mut [u8]) -> Result<(), FlashError> {
        self.limits().range("reading the flash", at, data.len())?;
        let block = self.block();
        let mut at = at;
        let mut rest = data;
        while !rest.is_empty() {
            let before = at % block;
            let bytes = self.read_block(at - before)?;
            let wanted = bytes.get(before as usize..).unwrap_or_default();
            let count = rest.len().min(wanted.len());
            if count == 0 {
                return Err(FlashError::Unsupported {
                    address: self.link.address(),
                    action: format!("reading the flash at {at:#010x}"),
                    reason: format!("MFBA gave {} bytes, not {block}", bytes.len()),
                });
            }
            let (part, behind) = rest.split_at_mut(count);
            part.iter_mut()
                .zip(wanted)
                .for_each(|(to, from)| *to = *from);
            rest = behind;
            at = at.saturating_add(u32::try_from(count).unwrap_or(u32::MAX));
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
        self.ensure_unprotected(&action)?;
        self.unconfirmed = 0;
        self.confirm(&action, 1)?;
        let register = if block.bytes == BULK {
            Mfbe::block_64kb(BANK, block.start)
        } else {
            Mfbe::sector(BANK, block.start)
        };
        self.set_slowly(&action, &register, command.longest_us)
    }

    fn program(&mut self, at: u32, data: &[u8]) -> Result<(), FlashError> {
        let action = format!("programming {:#x} bytes of flash at {at:#010x}", data.len());
        self.limits().writable(&action)?;
        self.limits().page(&action, at, data.len())?;
        self.ensure_unprotected(&action)?;
        let block = self.block();
        let mut at = at;
        let mut rest = data;
        while !rest.is_empty() {
            // The whole block around it, the others of its bytes are ones: these
            // change nothing.
            let before = at % block;
            let count = rest.len().min((block - before) as usize);
            let (part, behind) = rest.split_at(count);
            if part.iter().any(|byte| *byte != 0xff) {
                self.confirm(&action, count)?;
                let mut bytes = vec![0xff; block as usize];
                let place = bytes.iter_mut().skip(before as usize);
                place.zip(part).for_each(|(to, from)| *to = *from);
                let register = Mfba::program(BANK, at - before, bytes);
                let longest_us = self.chip.program.longest_us;
                self.set_slowly(&action, &register, longest_us)?;
            }
            rest = behind;
            at = at.saturating_add(u32::try_from(count).unwrap_or(u32::MAX));
        }
        Ok(())
    }

    fn protection(&mut self) -> Result<Option<String>, FlashError> {
        self.protected()
    }

    fn boot_address(&mut self) -> Result<Option<u32>, FlashError> {
        boot_address::read(&mut self.link, &self.path).map(Some)
    }

    fn set_boot_address(&mut self, start: u32) -> Result<(), FlashError> {
        match self.path.interface {
            FirmwareInterface::Icmd => self.activate(start),
            FirmwareInterface::ToolsHcr => boot_address::write(&mut self.link, &self.path, start),
        }
    }

    fn stop_requested(&self) -> bool {
        self.link.stop_requested()
    }

    fn undisturbed(&mut self) {
        self.link.undisturbed();
    }

    fn close(mut self: Box<Self>) -> Result<(), FlashError> {
        let address = self.link.address();
        let action = "giving back the locks of the flash";
        self.link
            .release()
            .map_err(|source| FlashError::of_access(address, action, source))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sector_is_said_in_bytes_or_in_kib() {
        assert_eq!(sector_size(12), Some(0x1000));
        assert_eq!(sector_size(2), Some(0x1000));
        assert_eq!(sector_size(6), Some(0x1_0000));
        assert_eq!(sector_size(16), Some(0x1_0000));
        assert_eq!(sector_size(0), None);
    }
}
