//! For which cards and ports a section is.

use std::collections::BTreeSet;

use crate::pci::Bdf;

use super::facts::{CardFacts, PortFacts};
use super::pattern::{Case, Pattern};

/// The keys of a match.
pub(super) const KEYS: [&str; 9] = [
    "model",
    "device_id",
    "psid",
    "part_number",
    "serial",
    "pci",
    "interface",
    "host",
    "port",
];

/// A match. A key that is not given is fulfilled by all.
#[derive(Clone, Debug, Default)]
pub(super) struct Criteria {
    /// PCI device ids of the models that are meant by name.
    pub(super) model: Option<BTreeSet<u16>>,
    pub(super) device_id: Option<BTreeSet<u16>>,
    pub(super) psid: Option<Vec<Pattern>>,
    pub(super) part_number: Option<Vec<Pattern>>,
    pub(super) serial: Option<Vec<Pattern>>,
    pub(super) pci: Option<Vec<PciPattern>>,
    pub(super) interface: Option<Vec<Pattern>>,
    pub(super) host: Option<Vec<HostPattern>>,
    pub(super) port: Option<BTreeSet<u8>>,
}

/// What a card is to a match.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Fit {
    /// Not meant.
    No,
    /// Nobody knows: this fact is not known, all others fit.
    Unknown(&'static str),
    /// These ports are meant; for settings of the card, any will do.
    Ports(Vec<u8>),
}

/// What a later match is to an earlier one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Relation {
    Same,
    Narrower,
    Other,
}

impl Criteria {
    /// Whether a card of this model can be meant.
    pub(super) fn allows_device(&self, device_id: u16) -> bool {
        let in_set =
            |set: &Option<BTreeSet<u16>>| set.as_ref().is_none_or(|ids| ids.contains(&device_id));
        in_set(&self.model) && in_set(&self.device_id)
    }

    pub(super) fn fit(&self, card: &CardFacts<'_>) -> Fit {
        if !self.allows_device(card.device_id) {
            return Fit::No;
        }
        if let Some(patterns) = &self.host
            && !patterns.iter().any(|pattern| pattern.matches(&card.host))
        {
            return Fit::No;
        }
        let mut unknown = None;
        for (key, patterns, fact) in [
            ("psid", &self.psid, &card.psid),
            ("part_number", &self.part_number, &card.part_number),
            ("serial", &self.serial, &card.serial),
        ] {
            match (patterns, fact) {
                (None, _) => {}
                (Some(_), None) => unknown = unknown.or(Some(key)),
                (Some(patterns), Some(fact)) => {
                    if !patterns.iter().any(|pattern| pattern.matches(fact)) {
                        return Fit::No;
                    }
                }
            }
        }
        let near: Vec<&PortFacts> = card
            .ports
            .iter()
            .filter(|port| self.fits_but_for_interface(port))
            .collect();
        let ports: Vec<u8> = near
            .iter()
            .filter(|port| self.fits_interface(port))
            .map(|port| port.port)
            .collect();
        if near.is_empty() {
            Fit::No
        } else if ports.is_empty() {
            let is_unknown = near.iter().any(|port| port.interfaces.is_empty());
            if is_unknown {
                Fit::Unknown("interface")
            } else {
                Fit::No
            }
        } else {
            unknown.map_or(Fit::Ports(ports), Fit::Unknown)
        }
    }

    fn fits_but_for_interface(&self, port: &PortFacts) -> bool {
        let fits_port = self
            .port
            .as_ref()
            .is_none_or(|ports| ports.contains(&port.port));
        let fits_pci = self.pci.as_ref().is_none_or(|patterns| {
            patterns
                .iter()
                .any(|pattern| pattern.matches(port.function))
        });
        fits_port && fits_pci
    }

    fn fits_interface(&self, port: &PortFacts) -> bool {
        self.interface.as_ref().is_none_or(|patterns| {
            let mut names = port.interfaces.iter();
            names.any(|name| patterns.iter().any(|pattern| pattern.matches(name)))
        })
    }

    /// The same match for one port only.
    pub(super) fn for_port(&self, port: Option<u8>) -> Self {
        let mut narrowed = self.clone();
        if let Some(port) = port {
            narrowed.port = Some(BTreeSet::from([port]));
        }
        narrowed
    }

    /// Whether it names every key that the earlier one names, with values that
    /// are inside of those, and is narrower in at least one.
    pub(super) fn is_narrower_than(&self, earlier: &Self) -> bool {
        let subset = |one: &BTreeSet<u16>, other: &BTreeSet<u16>| one.is_subset(other);
        let patterns =
            |one: &Vec<Pattern>, other: &Vec<Pattern>| all_inside(one, other, Pattern::contains);
        let relations = [
            relate(self.model.as_ref(), earlier.model.as_ref(), subset),
            relate(self.device_id.as_ref(), earlier.device_id.as_ref(), subset),
            relate(self.psid.as_ref(), earlier.psid.as_ref(), patterns),
            relate(
                self.part_number.as_ref(),
                earlier.part_number.as_ref(),
                patterns,
            ),
            relate(self.serial.as_ref(), earlier.serial.as_ref(), patterns),
            relate(
                self.interface.as_ref(),
                earlier.interface.as_ref(),
                patterns,
            ),
            relate(self.pci.as_ref(), earlier.pci.as_ref(), |one, other| {
                all_inside(one, other, PciPattern::contains)
            }),
            relate(self.host.as_ref(), earlier.host.as_ref(), |one, other| {
                all_inside(one, other, HostPattern::contains)
            }),
            relate(self.port.as_ref(), earlier.port.as_ref(), |one, other| {
                one.is_subset(other)
            }),
        ];
        !relations.contains(&Relation::Other) && relations.contains(&Relation::Narrower)
    }
}

fn relate<T>(
    later: Option<&T>,
    earlier: Option<&T>,
    is_inside: impl Fn(&T, &T) -> bool,
) -> Relation {
    match (later, earlier) {
        (None, None) => Relation::Same,
        (None, Some(_)) => Relation::Other,
        (Some(later), Some(earlier)) if !is_inside(later, earlier) => Relation::Other,
        (Some(later), Some(earlier)) if is_inside(earlier, later) => Relation::Same,
        _ => Relation::Narrower,
    }
}

fn all_inside<T>(inner: &[T], outer: &[T], contains: impl Fn(&T, &T) -> bool) -> bool {
    inner
        .iter()
        .all(|one| outer.iter().any(|other| contains(other, one)))
}

/// A pattern for host names: it means the whole name or what is before its
/// first dot.
#[derive(Clone, Debug)]
pub(super) struct HostPattern(Pattern);

impl HostPattern {
    pub(super) fn new(text: &str) -> Self {
        Self(Pattern::new(text, Case::Ignored))
    }

    fn matches(&self, host: &str) -> bool {
        let short = host.split('.').next().unwrap_or(host);
        self.0.matches(host) || self.0.matches(short)
    }

    fn contains(&self, other: &Self) -> bool {
        self.0.contains(&other.0)
    }
}

/// A pattern for PCI addresses.
#[derive(Clone, Debug)]
pub(super) enum PciPattern {
    /// One function.
    Function(Bdf),
    /// All functions of a device; the function number is 0 here.
    Slot(Bdf),
    /// A text with wildcards, with or without a domain.
    Wild(Pattern),
}

impl PciPattern {
    pub(super) fn parse(text: &str) -> Option<Self> {
        if Pattern::has_wildcards(text) {
            let is_address = |letter: char| letter.is_ascii_hexdigit() || ":.*?".contains(letter);
            return text
                .chars()
                .all(is_address)
                .then(|| Self::Wild(Pattern::new(text, Case::Ignored)));
        }
        let function = text.parse().ok().map(Self::Function);
        function.or_else(|| format!("{text}.0").parse().ok().map(Self::Slot))
    }

    fn matches(&self, function: Bdf) -> bool {
        match self {
            Self::Function(address) => *address == function,
            Self::Slot(address) => address.slot() == function.slot(),
            Self::Wild(pattern) => {
                let spellings = spellings(function);
                spellings.iter().any(|spelling| pattern.matches(spelling))
            }
        }
    }

    fn contains(&self, other: &Self) -> bool {
        match (self, other) {
            (_, Self::Function(address)) => self.matches(*address),
            // A device is inside of a pattern when all of its functions are.
            (_, Self::Slot(address)) => {
                (0..8).all(|function| self.matches(address.with_function(function)))
            }
            (Self::Wild(pattern), Self::Wild(other)) => pattern.contains(other),
            _ => false,
        }
    }
}

/// The ways to write an address: with and without function and, where it is 0,
/// domain.
fn spellings(function: Bdf) -> Vec<String> {
    let whole = function.to_string();
    let mut texts = vec![whole.clone()];
    if function.domain == 0 {
        texts.push(whole.trim_start_matches("0000:").to_owned());
    }
    let slots: Vec<String> = texts
        .iter()
        .filter_map(|text| text.rsplit_once('.').map(|(slot, _)| slot.to_owned()))
        .collect();
    texts.extend(slots);
    texts
}
