//! What is known of the card that is to be burned.

use crate::hwdb::{Device, FlashChip};
use crate::image::FirmwareVersion;

/// What is known of the card, apart from what its flash holds.
#[derive(Clone, Debug)]
pub struct CardFacts<'h> {
    /// What it is.
    pub device: &'h Device,
    /// Its hardware id, CR 0xf0014 bits 15:0.
    pub hardware_id: u16,
    /// The revision of its chip, CR 0xf0014 bits 23:16.
    pub revision: u8,
    /// Its board, as the running firmware says it; `None` when no firmware runs
    /// or it does not say.
    pub psid: Option<String>,
    /// Version of the firmware that runs.
    pub running_version: Option<FirmwareVersion>,
    /// Why it is known that the card insists on signed firmware; `None` when it
    /// is not known to.
    pub secure: Option<String>,
    /// Its flash chip.
    pub chip: ChipFacts,
    /// Which parts of the chip are write protected, in words.
    pub protection: Option<String>,
    /// The kernel driver that is bound to it.
    pub driver: Option<String>,
    /// It is hardware, not a card in software.
    pub live: bool,
    /// The command that asks said that the card will be able to use IPv6.
    pub promises_ipv6: bool,
}

/// A flash chip, as far as it is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ChipFacts {
    /// One of `hwdb/flash-chips.toml`.
    Known(FlashChip),
    /// Any other.
    Unknown {
        /// What it answered to opcode 0x9f: maker, type, density.
        jedec: [u8; 3],
    },
}
