//! The hold of the card that a flash stands on: the locks of those who program
//! it, and the firmware's semaphore where firmware runs.

use crate::access::{AccessError, Gateway, Patience, Space};
use crate::command::{Semaphore, Session};
use crate::hwdb::Device;
use crate::pci::Bdf;

use super::FlashError;

const HARDWARE_ID: u32 = 0xf_0014;

/// A hold of the card. Dropping it gives everything back.
#[derive(Debug)]
pub(super) struct Link<'a> {
    hold: Hold<'a>,
    /// What the gateway had before: it is heard when somebody asks to stop.
    patience: Patience,
    undisturbed: bool,
}

#[derive(Debug)]
enum Hold<'a> {
    /// Firmware runs: its semaphore and that of the flash are in the session.
    Session(Session<'a>),
    /// No firmware runs.
    Bare {
        gateway: &'a mut dyn Gateway,
        semaphore: Option<Semaphore>,
    },
}

impl<'a> Link<'a> {
    /// A hold of a card with firmware. From here on a request to stop tears
    /// nothing apart: it is only told.
    pub(super) fn with_firmware(session: Session<'a>, patience: Patience) -> Self {
        Self::new(Hold::Session(session), patience)
    }

    /// Takes the flash's semaphore of a card on which no firmware runs.
    pub(super) fn without_firmware(
        device: &Device,
        gateway: &'a mut dyn Gateway,
    ) -> Result<Self, FlashError> {
        let address = gateway.address();
        let patience = gateway.patience().clone();
        let action = "opening the flash";
        let failed = |source| FlashError::of_access(address, action, source);
        let id = gateway.read(Space::Cr, HARDWARE_ID).map_err(failed)?;
        if id == u32::MAX {
            let what = "its hardware id (CR 0xf0014)";
            return Err(failed(AccessError::Gone { address, what }));
        }
        if id & 0xffff != u32::from(device.hardware_id) {
            return Err(FlashError::Unsupported {
                address,
                action: action.to_owned(),
                reason: format!(
                    "its hardware id (CR 0xf0014) is {:#06x}, that of a {} is {:#06x}",
                    id & 0xffff,
                    device.title,
                    device.hardware_id
                ),
            });
        }
        let semaphore = Semaphore::of_flash(device.firmware_interface);
        let semaphore = match semaphore.take(gateway) {
            Ok(()) => Some(semaphore),
            // Without firmware a card may show CR space alone.
            Err(AccessError::SpaceUnsupported { .. }) => None,
            Err(source) => return Err(failed(source)),
        };
        Ok(Self::new(Hold::Bare { gateway, semaphore }, patience))
    }

    fn new(hold: Hold<'a>, patience: Patience) -> Self {
        let mut link = Self {
            hold,
            undisturbed: false,
            patience,
        };
        let deaf = link.patience.undisturbed();
        link.gateway().set_patience(deaf);
        link
    }

    pub(super) fn address(&self) -> Bdf {
        match &self.hold {
            Hold::Session(session) => session.address(),
            Hold::Bare { gateway, .. } => gateway.address(),
        }
    }

    pub(super) fn gateway(&mut self) -> &mut dyn Gateway {
        match &mut self.hold {
            Hold::Session(session) => session.gateway_mut(),
            Hold::Bare { gateway, .. } => *gateway,
        }
    }

    /// The firmware, where it runs.
    pub(super) fn session(&mut self) -> Option<&mut Session<'a>> {
        match &mut self.hold {
            Hold::Session(session) => Some(session),
            Hold::Bare { .. } => None,
        }
    }

    /// The semaphore of those who program the flash, if it is held.
    pub(super) fn semaphore(&self) -> Option<Semaphore> {
        match &self.hold {
            Hold::Session(session) => Some(Semaphore::of_flash(session.interface())),
            Hold::Bare { semaphore, .. } => *semaphore,
        }
    }

    /// Fails when somebody else freed the semaphore.
    pub(super) fn confirm(&mut self, action: &str) -> Result<(), FlashError> {
        let address = self.address();
        let Some(semaphore) = self.semaphore() else {
            return Ok(());
        };
        match semaphore.still_held(self.gateway()) {
            Ok(true) => Ok(()),
            Ok(false) => Err(FlashError::LockLost {
                address,
                action: action.to_owned(),
                lock: semaphore.title(),
            }),
            Err(source) => Err(FlashError::of_access(address, action, source)),
        }
    }

    pub(super) fn patience(&self) -> &Patience {
        &self.patience
    }

    pub(super) fn stop_requested(&self) -> bool {
        !self.undisturbed && self.patience.stopped()
    }

    pub(super) fn undisturbed(&mut self) {
        self.undisturbed = true;
    }

    /// Gives everything back. Nothing is to be done with it afterwards.
    pub(super) fn release(&mut self) -> Result<(), AccessError> {
        let outcome = match &mut self.hold {
            Hold::Session(session) => session.release(),
            Hold::Bare { gateway, semaphore } => match semaphore.take() {
                Some(semaphore) => semaphore.release(*gateway),
                None => Ok(()),
            },
        };
        let patience = self.patience.clone();
        self.gateway().set_patience(patience);
        outcome
    }
}

impl Drop for Link<'_> {
    fn drop(&mut self) {
        // On this way out another error is already on its way to the user.
        let _ = self.release();
    }
}
