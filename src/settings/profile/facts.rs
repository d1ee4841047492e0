//! What a profile needs to know of a card.

use std::fmt;

use crate::hwdb::SettingsFile;
use crate::pci::Bdf;

/// What is known of one card. A fact that is not known matches no pattern.
#[derive(Clone, Debug)]
pub struct CardFacts<'a> {
    /// The device's name in the data files: `connectx-4-lx`.
    pub model_name: String,
    /// Its name for people: `ConnectX-4 Lx`.
    pub model_title: String,
    /// PCI device id of the running card.
    pub device_id: u16,
    /// Board id of the firmware.
    pub psid: Option<String>,
    /// Part number of the board.
    pub part_number: Option<String>,
    /// Serial number of the board.
    pub serial: Option<String>,
    /// Addresses of its physical functions; the first names it in messages.
    pub addresses: Vec<Bdf>,
    /// Name of the host that it is in.
    pub host: String,
    /// Its ports.
    pub ports: Vec<PortFacts>,
    /// The settings of its generation.
    pub settings: &'a SettingsFile,
}

/// What is known of a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PortFacts {
    /// Its number, counted from 1.
    pub port: u8,
    /// The function through which it is reached.
    pub function: Bdf,
    /// Its network interfaces.
    pub interfaces: Vec<String>,
}

/// The card in messages: `0000:04:00.0 (ConnectX-4)`.
impl fmt::Display for CardFacts<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.addresses.first() {
            Some(address) => write!(f, "{address} ({})", self.model_title),
            None => f.write_str(&self.model_title),
        }
    }
}
