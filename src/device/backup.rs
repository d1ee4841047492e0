//! All settings of a card, from all of its functions.

use std::time::{SystemTime, UNIX_EPOCH};

use crate::hwdb::Ports;
use crate::settings::{Backup, BackupCard, BackupError, BackupReader, Secrets};

use super::{CardReading, OpenCard};

impl OpenCard {
    /// Reads everything that the card has stored. The reading says which ports it
    /// has, and which card it is: see [`OpenCard::read_vpd`].
    ///
    /// # Errors
    /// [`BackupError`] when the card cannot be reached, breaks off, or
    /// contradicts itself.
    pub fn read_backup(
        &mut self,
        reading: &CardReading,
        secrets: &Secrets,
    ) -> Result<Backup, BackupError> {
        let identity = self.identity(reading);
        let firmware = reading.identity.as_ref().map(|mgir| mgir.fw_version);
        let card = BackupCard::new(identity, firmware.unwrap_or_default(), self.first());
        let mut reader = BackupReader::new(&self.settings, secrets);
        for firmware in &mut self.firmwares {
            let mut session = firmware.session()?;
            let address = session.address();
            let ports: Vec<u8> = reading
                .ports
                .iter()
                .filter(|port| self.device.ports == Ports::OneFunction || port.function == address)
                .map(|port| port.port)
                .collect();
            reader.read(&mut session, &ports)?;
            session.end()?;
        }
        Ok(reader.finish(card, now_unix()))
    }
}

fn now_unix() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs())
}
