//! The card's semaphores: what they are called, who holds them, how to free one
//! that a killed program left behind.

use crate::access::{AccessError, Gateway, Space};
use crate::hwdb::FirmwareInterface;
use crate::pci::Bdf;

use super::CommandError;

/// CR space: hardware id in bits 15:0, revision in 23:16.
pub(super) const HARDWARE_ID: u32 = 0xf_0014;

/// A semaphore of the firmware's command interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Semaphore {
    /// Dword 0 of space 0xa; holds the process id of its owner.
    Icmd,
    /// CR 0xf03bc; reading it when it is free takes it, so it names no owner.
    ToolsHcr,
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

    /// Name and place, for messages.
    #[must_use]
    pub fn title(self) -> &'static str {
        match self {
            Self::Icmd => "ICMD semaphore (space 0xa, address 0)",
            Self::ToolsHcr => "tools HCR semaphore (CR 0xf03bc)",
        }
    }

    fn place(self) -> (Space, u32) {
        match self {
            Self::Icmd => (Space::Semaphore, 0),
            Self::ToolsHcr => (Space::Cr, 0xf_03bc),
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
        if self == Self::ToolsHcr {
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
