//! Open a card: every physical function, through the way that its kind has.

use crate::access::{self, AccessError, Patience};
use crate::command::{CommandError, Firmware};
use crate::hwdb::Hwdb;
use crate::hwdb::{Device, SettingsFile};
use crate::pci::{self, Bdf, Function, FunctionError, LiveFunction, SysfsRoot};
use crate::sim;

use super::{Card, CardKind, Origin};

/// Why a card cannot be worked on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The card waits for a flash.
    #[error(
        "{card} is a {title} in flash-recovery mode: it runs without firmware and has no settings to reach"
    )]
    FlashRecovery {
        /// The card, as a selector.
        card: String,
        /// Its model.
        title: String,
    },
    /// Virtual functions are listed, never written to.
    #[error("{card} is a virtual function: the settings belong to the physical card")]
    VirtualOnly {
        /// The function, as a selector.
        card: String,
    },
    /// Not one of the cards that the data files know.
    #[error("{card} is not supported: {model}")]
    Unsupported {
        /// The card, as a selector.
        card: String,
        /// Its model.
        model: String,
    },
    /// The host refuses.
    #[error("{address}: the function cannot be opened")]
    Function {
        /// The function.
        address: Bdf,
        /// Why not.
        #[source]
        source: FunctionError,
    },
    /// There is no way into the card.
    #[error("{address}: there is no way into the card")]
    Access {
        /// The function.
        address: Bdf,
        /// Why not.
        #[source]
        source: AccessError,
    },
    /// The virtual card cannot be had.
    #[error("virtual card `{name}`")]
    Sim {
        /// Its name.
        name: String,
        /// Why not.
        #[source]
        source: Box<sim::SimError>,
    },
    /// The card answers, but not as it should.
    #[error(transparent)]
    Command(#[from] CommandError),
}

impl OpenError {
    /// What the host refused, if the host did.
    #[must_use]
    pub fn function_error(&self) -> Option<&FunctionError> {
        let access = match self {
            Self::Function { source, .. } => return Some(source),
            Self::Access { source, .. } => Some(source),
            Self::Command(error) => error.access(),
            _ => None,
        };
        match access {
            Some(AccessError::Function(error)) => Some(error),
            _ => None,
        }
    }
}

/// A card whose command interfaces are at hand.
#[derive(Debug)]
pub struct OpenCard {
    /// What it is.
    pub device: Device,
    /// The TLVs that it has.
    pub settings: SettingsFile,
    /// One firmware interface a physical function, by address.
    pub firmwares: Vec<Firmware>,
    /// Where its functions can be opened once more.
    source: Source,
    first: Bdf,
}

impl OpenCard {
    /// Opens every physical function of the card. No command is sent yet.
    ///
    /// # Errors
    /// [`OpenError`] says which function cannot be opened and why.
    pub fn open(
        card: &Card,
        hwdb: &Hwdb,
        root: &SysfsRoot,
        shelf: &sim::Shelf,
        patience: &Patience,
    ) -> Result<Self, OpenError> {
        let device = supported(card)?.clone();
        let source = Source::of(card, root, shelf)?;
        let firmwares = card
            .functions
            .iter()
            .map(|info| {
                let address = info.address;
                let function = source.open(address)?;
                let gateway = access::open(&device, function, patience)
                    .map_err(|source| OpenError::Access { address, source })?;
                Ok(Firmware::new(&device, gateway))
            })
            .collect::<Result<Vec<_>, OpenError>>()?;
        Ok(Self {
            settings: hwdb.settings(&device).clone(),
            device,
            firmwares,
            first: card.address(),
            source,
        })
    }

    /// The record of a card that can be worked on while its firmware runs.
    pub(super) fn supported(card: &Card) -> Result<&Device, OpenError> {
        supported(card)
    }

    /// The address of its first function.
    pub(super) fn first(&self) -> Bdf {
        self.first
    }

    /// Opens its first function once more, for what needs no firmware.
    pub(super) fn another_handle(&self) -> Result<Box<dyn Function>, OpenError> {
        self.source.open(self.first)
    }

    /// Opens the card's first function for config space and option ROM only.
    ///
    /// # Errors
    /// [`OpenError`] when the host refuses.
    pub fn first_function(
        card: &Card,
        root: &SysfsRoot,
        shelf: &sim::Shelf,
    ) -> Result<Box<dyn Function>, OpenError> {
        Source::of(card, root, shelf)?.open(card.address())
    }
}

/// Where the functions of a card come from.
#[derive(Debug)]
enum Source {
    Host(SysfsRoot),
    Sim(String, sim::Card),
}

impl Source {
    fn of(card: &Card, root: &SysfsRoot, shelf: &sim::Shelf) -> Result<Self, OpenError> {
        match &card.origin {
            Origin::Host => Ok(Self::Host(root.clone())),
            Origin::Simulated(name) => {
                let simulated = shelf.card(name).map_err(|source| OpenError::Sim {
                    name: name.clone(),
                    source: Box::new(source),
                })?;
                Ok(Self::Sim(name.clone(), simulated))
            }
        }
    }

    fn open(&self, address: Bdf) -> Result<Box<dyn Function>, OpenError> {
        match self {
            Self::Host(root) => {
                let function = LiveFunction::open(root, address, pci::Access::ReadWrite)
                    .map_err(|source| OpenError::Function { address, source })?;
                Ok(Box::new(function))
            }
            Self::Sim(name, card) => card.function(address).map_err(|source| OpenError::Sim {
                name: name.clone(),
                source: Box::new(source),
            }),
        }
    }
}

fn supported(card: &Card) -> Result<&Device, OpenError> {
    match &card.kind {
        CardKind::Supported(device) => Ok(device),
        CardKind::FlashRecovery(device) => Err(OpenError::FlashRecovery {
            card: card.selector(),
            title: device.title.clone(),
        }),
        CardKind::VirtualOnly(_) => Err(OpenError::VirtualOnly {
            card: card.selector(),
        }),
        CardKind::Unsupported => Err(OpenError::Unsupported {
            card: card.selector(),
            model: card.model(),
        }),
    }
}
