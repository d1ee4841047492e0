//! What the board says of itself, beside what its firmware says.

use crate::pci::{FunctionError, Vpd, VpdError};
use crate::settings::CardIdentity;

use super::{CardReading, OpenCard, OpenError};

/// Why a board's Vital Product Data is not known. The card works without.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum VpdUnreadable {
    /// The function cannot be opened once more.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The host does not show it.
    #[error(transparent)]
    Function(#[from] FunctionError),
    /// What the host shows is none.
    #[error("the vital product data makes no sense")]
    Malformed(#[from] VpdError),
}

impl OpenCard {
    /// Reads the Vital Product Data and puts serial number and, where MQIS said
    /// none, part number into the reading.
    ///
    /// On a real card it takes milliseconds a dword: only where it is needed.
    ///
    /// # Errors
    /// [`VpdUnreadable`]; the reading is as it was then.
    pub fn read_vpd(&self, reading: &mut CardReading) -> Result<(), VpdUnreadable> {
        let bytes = self.another_handle()?.read_vpd()?;
        let vpd = Vpd::parse(&bytes)?;
        reading.serial_number.clone_from(&vpd.serial_number);
        if reading.part_number.is_none() {
            reading.part_number.clone_from(&vpd.part_number);
        }
        reading.vpd = Some(vpd);
        Ok(())
    }

    /// Which card it is, as far as the reading tells. Whoever wants to know the
    /// board calls [`OpenCard::read_vpd`] first.
    #[must_use]
    pub fn identity(&self, reading: &CardReading) -> CardIdentity {
        let psid = reading.identity.as_ref().map(|mgir| mgir.psid.clone());
        let vpd = reading.vpd.as_ref();
        CardIdentity {
            model: self.device.name.clone(),
            device_id: self.device.pci_device,
            psid: psid.filter(|psid| !psid.is_empty()),
            part_number: vpd.and_then(|vpd| vpd.part_number.clone()),
            serial_number: vpd.and_then(|vpd| vpd.serial_number.clone()),
        }
    }
}
