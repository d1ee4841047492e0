//! A card opened for its flash, with or without firmware.

use crate::access::{self, Gateway, Patience, Space};
use crate::command::Firmware;
use crate::flash::{self, Flash, FlashError, FlashWish};
use crate::hwdb::Device;
use crate::pci::{Bdf, SysfsRoot};
use crate::sim;

use super::{Card, CardKind, OpenCard, OpenError};

/// CR space: hardware id in bits 15:0, revision in 23:16.
const HARDWARE_ID: u32 = 0xf_0014;

/// A card whose flash can be reached through its first function.
#[derive(Debug)]
pub struct FlashCard {
    /// What it is.
    pub device: Device,
    way: Way,
}

#[derive(Debug)]
enum Way {
    /// Its firmware runs.
    Firmware(Firmware),
    /// It is in flash-recovery mode.
    Recovery(Box<dyn Gateway>),
}

impl FlashCard {
    /// Opens the card's first function, also in flash-recovery mode. No command is
    /// sent yet.
    ///
    /// # Errors
    /// [`OpenError`] says why it cannot be opened.
    pub fn open(
        card: &Card,
        root: &SysfsRoot,
        shelf: &sim::Shelf,
        patience: &Patience,
    ) -> Result<Self, OpenError> {
        let (device, recovery) = match &card.kind {
            CardKind::FlashRecovery(device) => (device, true),
            _ => (OpenCard::supported(card)?, false),
        };
        let address = card.address();
        let function = OpenCard::first_function(card, root, shelf)?;
        let gateway = access::open(device, function, patience)
            .map_err(|source| OpenError::Access { address, source })?;
        let way = if recovery {
            Way::Recovery(gateway)
        } else {
            Way::Firmware(Firmware::new(device, gateway))
        };
        Ok(Self {
            device: device.clone(),
            way,
        })
    }

    /// The function that it is reached through.
    #[must_use]
    pub fn address(&self) -> Bdf {
        match &self.way {
            Way::Firmware(firmware) => firmware.address(),
            Way::Recovery(gateway) => gateway.address(),
        }
    }

    /// Its firmware; `None` in flash-recovery mode.
    pub fn firmware(&mut self) -> Option<&mut Firmware> {
        match &mut self.way {
            Way::Firmware(firmware) => Some(firmware),
            Way::Recovery(_) => None,
        }
    }

    /// The way into it.
    pub fn gateway_mut(&mut self) -> &mut dyn Gateway {
        match &mut self.way {
            Way::Firmware(firmware) => firmware.gateway_mut(),
            Way::Recovery(gateway) => gateway.as_mut(),
        }
    }

    /// Hardware id and revision of its chip (CR 0xf0014 bits 15:0 and 23:16).
    ///
    /// # Errors
    /// [`OpenError::Access`] when the card cannot be reached.
    pub fn hardware_id(&mut self) -> Result<(u16, u8), OpenError> {
        let address = self.address();
        let [_, revision, high, low] = self
            .gateway_mut()
            .read(Space::Cr, HARDWARE_ID)
            .map_err(|source| OpenError::Access { address, source })?
            .to_be_bytes();
        Ok((u16::from_be_bytes([high, low]), revision))
    }

    /// Takes the locks and opens the flash.
    ///
    /// # Errors
    /// As [`flash::open()`] and [`flash::open_without_firmware`].
    pub fn flash(&mut self, wish: FlashWish) -> Result<Box<dyn Flash + '_>, FlashError> {
        match &mut self.way {
            Way::Firmware(firmware) => flash::open(&self.device, firmware, wish),
            Way::Recovery(gateway) => {
                flash::open_without_firmware(&self.device, gateway.as_mut(), wish)
            }
        }
    }
}
