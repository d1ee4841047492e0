//! A card: the PCI functions that belong together.

use crate::hwdb::Device;
use crate::pci::{Bdf, FunctionInfo, device_name, subsystem_name};

/// Where a card comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// This host's sysfs.
    Host,
    /// A virtual card of this name.
    Simulated(String),
}

/// What can be done with a card.
#[derive(Clone, Debug)]
pub enum CardKind {
    /// A card that flexctl knows.
    Supported(Device),
    /// A card that runs without firmware, waiting for a flash.
    FlashRecovery(Device),
    /// Only virtual functions are here: the card belongs to another host.
    VirtualOnly(Option<Device>),
    /// A card of Mellanox that flexctl does not know.
    Unsupported,
}

/// A card: its physical functions, and the virtual ones that hang on them.
#[derive(Clone, Debug)]
pub struct Card {
    /// Where it comes from.
    pub origin: Origin,
    /// What can be done with it.
    pub kind: CardKind,
    /// Its physical functions by address; of a [`CardKind::VirtualOnly`] card
    /// its virtual ones.
    pub functions: Vec<FunctionInfo>,
    /// Its virtual functions by address.
    pub virtual_functions: Vec<FunctionInfo>,
}

impl Card {
    /// The address of its first function.
    #[must_use]
    pub fn address(&self) -> Bdf {
        // A card is made from at least one function (inventory.rs).
        self.functions[0].address
    }

    /// What to pass as a selector to mean this card again.
    #[must_use]
    pub fn selector(&self) -> String {
        match &self.origin {
            Origin::Host => self.address().to_string(),
            Origin::Simulated(name) => format!("sim:{name}"),
        }
    }

    /// The model: from the data files, else from the PCI ID database.
    #[must_use]
    pub fn model(&self) -> String {
        let first = &self.functions[0];
        match &self.kind {
            CardKind::Supported(device) => device.title.clone(),
            CardKind::FlashRecovery(device) => format!("{} in flash-recovery mode", device.title),
            CardKind::VirtualOnly(device) => {
                let title = device.as_ref().map(|device| device.title.as_str());
                format!("{} virtual function", title.unwrap_or("unknown"))
            }
            CardKind::Unsupported => device_name(first.vendor, first.device).map_or_else(
                || format!("unknown device {:04x}:{:04x}", first.vendor, first.device),
                str::to_owned,
            ),
        }
    }

    /// The chip's name in the PCI ID database.
    #[must_use]
    pub fn chip(&self) -> Option<&'static str> {
        let first = &self.functions[0];
        device_name(first.vendor, first.device)
    }

    /// The board's name in the PCI ID database.
    #[must_use]
    pub fn board(&self) -> Option<&'static str> {
        let first = &self.functions[0];
        subsystem_name(
            first.vendor,
            first.device,
            first.subsystem_vendor?,
            first.subsystem_device?,
        )
    }

    /// The device record, when this is a card that can be worked on.
    #[must_use]
    pub fn supported(&self) -> Option<&Device> {
        match &self.kind {
            CardKind::Supported(device) => Some(device),
            _ => None,
        }
    }
}
