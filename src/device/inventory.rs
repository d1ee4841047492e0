//! The cards of a host: functions grouped into cards, and the choice among them.

use std::collections::BTreeMap;

use crate::hwdb::{Device, Hwdb};
use crate::pci::{Bdf, FunctionInfo, FunctionKind, MELLANOX, ScanError, SysfsRoot};
use crate::sim;

use super::{Card, CardKind, Origin, Selector};

/// Class code of a network controller (PCI Code and ID Assignment, 02h).
const NETWORK_CLASS: u32 = 0x02;

/// Why a selection cannot be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SelectError {
    /// There is no card at all.
    #[error("no ConnectX-3 or ConnectX-4 card was found under `{root}`")]
    NoCards {
        /// Where was looked.
        root: String,
    },
    /// Nothing matches a selector.
    #[error("no card matches `{selector}`")]
    NotFound {
        /// The selector.
        selector: Selector,
        /// What would have matched.
        available: Vec<String>,
    },
    /// The selector names a virtual function.
    #[error("{address} is a virtual function")]
    VirtualFunction {
        /// The function that was named.
        address: Bdf,
        /// The physical function that it belongs to.
        physical: Option<Bdf>,
    },
    /// The host's functions cannot be listed.
    #[error(transparent)]
    Scan(#[from] ScanError),
    /// The virtual card cannot be had.
    #[error("virtual card `{name}`")]
    Sim {
        /// Its name.
        name: String,
        /// Why not.
        #[source]
        source: Box<sim::SimError>,
    },
}

/// Lists the Mellanox network cards of a host without opening any.
///
/// # Errors
/// [`ScanError`] when the host's functions cannot be listed at all.
pub fn scan(root: &SysfsRoot, hwdb: &Hwdb) -> Result<Vec<Card>, ScanError> {
    Ok(group(root.scan()?, &Origin::Host, hwdb))
}

/// Groups functions into cards: same domain, bus and device, virtual functions
/// with the physical one that they belong to.
pub(super) fn group(functions: Vec<FunctionInfo>, origin: &Origin, hwdb: &Hwdb) -> Vec<Card> {
    let mut cards: BTreeMap<(u32, u8, u8), Card> = BTreeMap::new();
    let (physical, virtual_ones): (Vec<_>, Vec<_>) = functions
        .into_iter()
        .filter(|info| info.vendor == MELLANOX && is_network(info, hwdb))
        .partition(|info| info.kind == FunctionKind::Physical && !is_virtual_id(info, hwdb));
    for info in physical {
        let kind = kind_of(info.device, hwdb);
        cards
            .entry(info.address.slot())
            .or_insert_with(|| empty(origin, kind))
            .functions
            .push(info);
    }
    for info in virtual_ones {
        let owner = info.physical_function.unwrap_or(info.address).slot();
        let is_physical = |card: &&mut Card| !matches!(card.kind, CardKind::VirtualOnly(_));
        if let Some(card) = cards.get_mut(&owner).filter(is_physical) {
            card.virtual_functions.push(info);
            continue;
        }
        let device = hwdb.device_of_virtual_function(info.device).cloned();
        cards
            .entry(owner)
            .or_insert_with(|| empty(origin, CardKind::VirtualOnly(device)))
            .functions
            .push(FunctionInfo {
                kind: FunctionKind::Virtual,
                ..info
            });
    }
    cards.into_values().collect()
}

fn empty(origin: &Origin, kind: CardKind) -> Card {
    Card {
        origin: origin.clone(),
        kind,
        functions: Vec::new(),
        virtual_functions: Vec::new(),
    }
}

/// Cards in flash recovery need not show the class of a network controller.
fn is_network(info: &FunctionInfo, hwdb: &Hwdb) -> bool {
    info.class.is_none_or(|class| class >> 16 == NETWORK_CLASS)
        || hwdb.device(info.device).is_some()
        || hwdb.device_in_flash_recovery(info.device).is_some()
}

/// In a guest a virtual function has no link to its physical one; the id tells.
fn is_virtual_id(info: &FunctionInfo, hwdb: &Hwdb) -> bool {
    hwdb.device_of_virtual_function(info.device).is_some()
}

fn kind_of(device: u16, hwdb: &Hwdb) -> CardKind {
    let known = |device: Option<&Device>, kind: fn(Device) -> CardKind| device.cloned().map(kind);
    known(hwdb.device(device), CardKind::Supported)
        .or_else(|| {
            known(
                hwdb.device_in_flash_recovery(device),
                CardKind::FlashRecovery,
            )
        })
        .unwrap_or(CardKind::Unsupported)
}

/// Chooses the cards that the selectors mean, each once, in the order of the
/// selectors.
///
/// Virtual cards are taken from the shelf; the host is looked at only when a
/// selector needs it.
///
/// # Errors
/// [`SelectError`] for the first selector that matches nothing.
pub fn select(
    root: &SysfsRoot,
    hwdb: &Hwdb,
    shelf: &sim::Shelf,
    selectors: &[Selector],
) -> Result<Vec<Card>, SelectError> {
    let mut host: Option<Vec<Card>> = None;
    let mut chosen: Vec<Card> = Vec::new();
    for selector in selectors {
        let found = if let Selector::Sim(name) = selector {
            vec![simulated(shelf, hwdb, name)?]
        } else {
            let cards = match &mut host {
                Some(cards) => cards,
                None => host.insert(scan(root, hwdb)?),
            };
            matching(cards, selector, root)?
        };
        for card in found {
            if chosen
                .iter()
                .all(|other| other.selector() != card.selector())
            {
                chosen.push(card);
            }
        }
    }
    Ok(chosen)
}

fn simulated(shelf: &sim::Shelf, hwdb: &Hwdb, name: &str) -> Result<Card, SelectError> {
    let failed = |source| SelectError::Sim {
        name: name.to_owned(),
        source: Box::new(source),
    };
    let infos = shelf.card(name).map_err(failed)?.infos();
    let origin = Origin::Simulated(name.to_owned());
    let mut cards = group(infos, &origin, hwdb);
    cards.pop().ok_or_else(|| SelectError::NotFound {
        selector: Selector::Sim(name.to_owned()),
        available: Vec::new(),
    })
}

fn matching(
    cards: &[Card],
    selector: &Selector,
    root: &SysfsRoot,
) -> Result<Vec<Card>, SelectError> {
    if *selector == Selector::All {
        let supported: Vec<Card> = cards
            .iter()
            .filter(|card| card.supported().is_some())
            .cloned()
            .collect();
        return if supported.is_empty() {
            Err(SelectError::NoCards {
                root: root.path().display().to_string(),
            })
        } else {
            Ok(supported)
        };
    }
    let named = |info: &FunctionInfo| match selector {
        Selector::Address(address) => info.address == *address,
        Selector::Rdma(name) => info.rdma.contains(name),
        Selector::Net(name) => info.net.iter().any(|net| net.name == *name),
        Selector::All | Selector::Sim(_) => false,
    };
    for card in cards {
        if let Some(info) = card.virtual_functions.iter().find(|info| named(info)) {
            return Err(SelectError::VirtualFunction {
                address: info.address,
                physical: info.physical_function,
            });
        }
        if let Some(info) = card.functions.iter().find(|info| named(info)) {
            return if matches!(card.kind, CardKind::VirtualOnly(_)) {
                Err(SelectError::VirtualFunction {
                    address: info.address,
                    physical: info.physical_function,
                })
            } else {
                Ok(vec![card.clone()])
            };
        }
    }
    Err(SelectError::NotFound {
        selector: selector.clone(),
        available: cards.iter().map(Card::selector).collect(),
    })
}
