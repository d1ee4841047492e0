//! The card's semaphores: what they are called, who holds them, how to take one,
//! how to free one that a killed program left behind.
//!
//! | semaphore | place | how it is taken |
//! |---|---|---|
//! | ICMD | space 0xa, 0x0 | write a number, read it back |
//! | flash programming, ConnectX-4 | space 0xa, 0x10 | write a number, read it back |
//! | tools HCR | CR 0xf03bc | read it as 0 |
//! | flash programming, ConnectX-3 | CR 0xf03a0 | read it as 0 |
//! | flash gateway, ConnectX-3 | CR 0xf03fc | read it as 0 |
//!
//! Writing 0 frees each of them.
//!
//! # Sources
//! mstflint 4.21 `tools_res_mgmt.c`: `g_dev_sem_info_db`, `g_vsec_sem_addr`,
//! `lock_hw_semaphore`, `lock_icommand_gateway_semaphore`; `mflash.c`:
//! `old_flash_lock`; `mtcr_tools_cif.c`: `tools_cmdif_flash_lock`.

use crate::access::{AccessError, Gateway, GaveUp, Space, Word};
use crate::hwdb::FirmwareInterface;
use crate::pci::Bdf;

use super::CommandError;

/// CR space: hardware id in bits 15:0, revision in 23:16.
pub(super) const HARDWARE_ID: u32 = 0xf_0014;

/// A semaphore of the card.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Semaphore {
    /// Dword 0 of space 0xa; holds the process id of its owner.
    Icmd,
    /// CR 0xf03bc; reading it when it is free takes it, so it names no owner.
    ToolsHcr,
    /// Dword 0x10 of space 0xa: who programs the flash of a ConnectX-4; holds
    /// the process id of its owner.
    FlashProgramming,
    /// CR 0xf03a0: who programs the flash of a ConnectX-3; names no owner.
    HcrFlashProgramming,
    /// CR 0xf03fc: who uses the SPI gateway of a ConnectX-3; names no owner.
    FlashGateway,
}

/// What a look at a semaphore showed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SemaphoreState {
    /// Nobody holds it.
    Free,
    /// Somebody holds it.
    Held {
        /// What it reads as; the owner's process id on ICMD, mostly.
        value: u32,
    },
}

impl Semaphore {
    /// The semaphore of a firmware interface.
    #[must_use]
    pub fn of(interface: FirmwareInterface) -> Self {
        match interface {
            FirmwareInterface::Icmd => Self::Icmd,
            FirmwareInterface::ToolsHcr => Self::ToolsHcr,
        }
    }

    /// The semaphore of those who program the flash.
    #[must_use]
    pub fn of_flash(interface: FirmwareInterface) -> Self {
        match interface {
            FirmwareInterface::Icmd => Self::FlashProgramming,
            FirmwareInterface::ToolsHcr => Self::HcrFlashProgramming,
        }
    }

    /// Name and place, for messages.
    #[must_use]
    pub fn title(self) -> &'static str {
        match self {
            Self::Icmd => "ICMD semaphore (space 0xa, address 0)",
            Self::ToolsHcr => "tools HCR semaphore (CR 0xf03bc)",
            Self::FlashProgramming => "flash programming semaphore (space 0xa, address 0x10)",
            Self::HcrFlashProgramming => "flash programming semaphore (CR 0xf03a0)",
            Self::FlashGateway => "flash gateway semaphore (CR 0xf03fc)",
        }
    }

    /// Whether it holds the process id of its owner, rather than that reading it
    /// takes it.
    #[must_use]
    pub fn names_its_owner(self) -> bool {
        matches!(self, Self::Icmd | Self::FlashProgramming)
    }

    fn place(self) -> (Space, u32) {
        match self {
            Self::Icmd => (Space::Semaphore, 0),
            Self::FlashProgramming => (Space::Semaphore, 0x10),
            Self::ToolsHcr => (Space::Cr, 0xf_03bc),
            Self::HcrFlashProgramming => (Space::Cr, 0xf_03a0),
            Self::FlashGateway => (Space::Cr, 0xf_03fc),
        }
    }

    /// Looks whether it is held, and leaves it as it was.
    ///
    /// # Errors
    /// [`AccessError`] when the card cannot be reached.
    pub fn look(self, gateway: &mut dyn Gateway) -> Result<SemaphoreState, AccessError> {
        let (space, address) = self.place();
        let value = gateway.read(space, address)?;
        if value != 0 {
            return Ok(SemaphoreState::Held { value });
        }
        if !self.names_its_owner() {
            // The look took it; give it back.
            gateway.write(space, address, 0)?;
        }
        Ok(SemaphoreState::Free)
    }

    /// Frees the semaphore, whoever holds it.
    ///
    /// For a semaphore that a killed program left behind. The caller has made
    /// sure that nobody is at work.
    ///
    /// # Errors
    /// [`AccessError`] when the card cannot be reached.
    pub fn clear(self, gateway: &mut dyn Gateway) -> Result<(), AccessError> {
        let (space, address) = self.place();
        gateway.write(space, address, 0)
    }

    /// Waits for the semaphore and takes it, as long as the gateway's patience
    /// lasts.
    ///
    /// # Errors
    /// [`AccessError::SemaphoreHeld`] when somebody else keeps it; it is not held
    /// after any error.
    pub fn take(self, gateway: &mut dyn Gateway) -> Result<(), AccessError> {
        let patience = gateway.patience().clone();
        let mut wait = patience.wait();
        loop {
            let value = self.claim(gateway)?;
            if self.is_ours(value) {
                return Ok(());
            }
            if value == u32::MAX && !self.names_its_owner() {
                return Err(AccessError::Gone {
                    address: gateway.address(),
                    what: self.title(),
                });
            }
            wait.pause().map_err(|end| match end {
                GaveUp::TimeUp(waited) => AccessError::SemaphoreHeld {
                    address: gateway.address(),
                    semaphore: self.title(),
                    value,
                    waited,
                },
                GaveUp::Stopped => AccessError::Interrupted {
                    address: gateway.address(),
                    what: self.title(),
                },
            })?;
        }
    }

    /// Gives back what [`Semaphore::take`] took.
    ///
    /// # Errors
    /// [`AccessError`] when the card cannot be reached.
    pub fn release(self, gateway: &mut dyn Gateway) -> Result<(), AccessError> {
        // One that stays behind locks everybody out: it is worth a second try.
        self.clear(gateway).or_else(|_| self.clear(gateway))
    }

    /// Whether a hold that was taken is still there. One that is not was freed by
    /// somebody else, and may have been used by them; where looking takes it, it
    /// is held again afterwards.
    ///
    /// # Errors
    /// [`AccessError`] when the card cannot be reached.
    pub fn still_held(self, gateway: &mut dyn Gateway) -> Result<bool, AccessError> {
        let (space, address) = self.place();
        let value = gateway.read(space, address)?;
        if self.names_its_owner() {
            return Ok(value == std::process::id());
        }
        if value == u32::MAX {
            return Err(AccessError::Gone {
                address: gateway.address(),
                what: self.title(),
            });
        }
        Ok(value != 0)
    }

    fn is_ours(self, value: u32) -> bool {
        if self.names_its_owner() {
            value == std::process::id()
        } else {
            value == 0
        }
    }

    /// One try: what the semaphore reads as.
    fn claim(self, gateway: &mut dyn Gateway) -> Result<u32, AccessError> {
        let (space, address) = self.place();
        let mut words = Vec::with_capacity(2);
        if self.names_its_owner() {
            words.push(Word::write(address, std::process::id()));
        }
        words.push(Word::Read {
            address,
            value: u32::MAX,
        });
        let mut claim = Claim {
            semaphore: self,
            gateway,
            words,
            answered: false,
        };
        let Claim { gateway, words, .. } = &mut claim;
        gateway.batch(space, words)?;
        claim.answered = true;
        Ok(claim.value())
    }
}

/// A try whose answer may be lost although the card took it: then the semaphore
/// is given back if it is ours.
struct Claim<'a> {
    semaphore: Semaphore,
    gateway: &'a mut dyn Gateway,
    words: Vec<Word>,
    answered: bool,
}

impl Claim<'_> {
    fn value(&self) -> u32 {
        self.words.last().map_or(u32::MAX, |word| word.value())
    }
}

impl Drop for Claim<'_> {
    fn drop(&mut self) {
        if self.answered {
            return;
        }
        let (space, address) = self.semaphore.place();
        let ours = if self.semaphore.names_its_owner() {
            let owner = self.gateway.read(space, address);
            owner.is_ok_and(|owner| owner == std::process::id())
        } else {
            self.value() == 0
        };
        if ours {
            // On this way out another error is already on its way to the user.
            let _ = self.gateway.write(space, address, 0);
        }
    }
}

/// Gives back semaphores, the last one first.
pub(super) fn release(
    held: &mut Vec<Semaphore>,
    gateway: &mut dyn Gateway,
) -> Result<(), AccessError> {
    let mut outcome = Ok(());
    // It leaves the list when it is given back: whoever unwinds before tries again.
    while let Some(semaphore) = held.last().copied() {
        // What somebody else took meanwhile is theirs.
        let lost = semaphore == Semaphore::FlashProgramming
            && matches!(semaphore.still_held(gateway), Ok(false));
        if !lost {
            outcome = outcome.and(semaphore.release(gateway));
        }
        held.pop();
    }
    outcome
}

/// Compares CR 0xf0014 with what the data files say of this PCI id.
pub(super) fn check_hardware_id(
    address: Bdf,
    expected: u16,
    dword: u32,
) -> Result<(), CommandError> {
    if dword == u32::MAX {
        return Err(CommandError::Access {
            address,
            action: "opening the command interface".to_owned(),
            source: AccessError::Gone {
                address,
                what: "its hardware id (CR 0xf0014)",
            },
        });
    }
    if dword & 0xffff == u32::from(expected) {
        return Ok(());
    }
    Err(CommandError::WrongCard {
        address,
        what: "hardware id (CR 0xf0014 bits 15:0)",
        expected: format!("{expected:#06x}"),
        found: format!("{:#06x}", dword & 0xffff),
    })
}
