//! Cards: those of the host and virtual ones.

use std::collections::HashSet;
use std::ffi::OsStr;

use clap_complete::CompletionCandidate;

use crate::device::{Card, CardKind, Selector, scan};
use crate::sim;

use super::typed::{Typed, begins, in_time, shelf};

/// Whether a candidate is offered along with others, or only when nothing else
/// fits.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Offer {
    Always,
    InNeed,
}

/// Candidates in the order in which they are offered, each once.
struct Candidates<'a> {
    word: &'a OsStr,
    seen: HashSet<String>,
    found: Vec<CompletionCandidate>,
}

impl<'a> Candidates<'a> {
    fn new(word: &'a OsStr) -> Self {
        Self {
            word,
            seen: HashSet::new(),
            found: Vec::new(),
        }
    }

    fn add(&mut self, value: &str, help: &str, offer: Offer) {
        if begins(value, self.word) && self.seen.insert(value.to_owned()) {
            let candidate = CompletionCandidate::new(value)
                .help(Some(help.to_owned().into()))
                .display_order(Some(self.found.len()))
                .hide(offer == Offer::InNeed);
            self.found.push(candidate);
        }
    }
}

/// What `--device` may be. On a host with cards virtual ones are offered when
/// their `sim:` is begun.
pub(super) fn devices(typed: &Typed, word: &OsStr) -> Vec<CompletionCandidate> {
    let mut found = Candidates::new(word);
    let cards = cards(typed);
    for card in &cards {
        if !matches!(card.kind, CardKind::VirtualOnly(_)) {
            add_card(&mut found, card);
        }
    }
    let some = cards.iter().any(|card| card.supported().is_some());
    let offer = if some { Offer::Always } else { Offer::InNeed };
    found.add(
        &Selector::All.to_string(),
        "all supported cards of this host",
        offer,
    );
    for (name, help) in virtual_names() {
        let selector = Selector::Sim(name).to_string();
        found.add(&selector, &help, Offer::InNeed);
    }
    found.found
}

fn add_card(found: &mut Candidates<'_>, card: &Card) {
    let model = card.model();
    let usable = matches!(
        card.kind,
        CardKind::Supported(_) | CardKind::FlashRecovery(_)
    );
    let offer = if usable { Offer::Always } else { Offer::InNeed };
    for (index, function) in card.functions.iter().enumerate() {
        // One address stands for the card; the others are there for who begins one.
        let address = function.address.to_string();
        let first = if index == 0 { offer } else { Offer::InNeed };
        found.add(&address, &model, first);
        if let Some(short) = address.strip_prefix("0000:") {
            found.add(short, &model, Offer::InNeed);
        }
        for name in &function.rdma {
            found.add(&Selector::Rdma(name.clone()).to_string(), &model, offer);
        }
        for net in &function.net {
            let name = Selector::Net(net.name.clone()).to_string();
            found.add(&name, &model, offer);
        }
    }
}

/// The cards of the host, none of them opened.
fn cards(typed: &Typed) -> Vec<Card> {
    let Some(hwdb) = typed.hwdb() else {
        return Vec::new();
    };
    let root = typed.root();
    let cards = in_time(move || scan(&root, &hwdb).ok());
    cards.flatten().unwrap_or_default()
}

/// Cards on the shelf, then profiles of which there is no card yet.
pub(super) fn virtual_cards(word: &OsStr) -> Vec<CompletionCandidate> {
    let mut found = Candidates::new(word);
    for (name, help) in virtual_names() {
        found.add(&name, &help, Offer::Always);
    }
    found.found
}

/// What a virtual card can be made from.
pub(super) fn profiles(word: &OsStr) -> Vec<CompletionCandidate> {
    let mut found = Candidates::new(word);
    for profile in sim::profiles() {
        found.add(profile.name, profile.description, Offer::Always);
    }
    found.found
}

fn virtual_names() -> Vec<(String, String)> {
    let shelf = shelf();
    let profiles = sim::profiles();
    let described = |name: &str| {
        let profile = profiles.iter().find(|profile| profile.name == name);
        profile.map_or("virtual card", |profile| profile.description)
    };
    let mut names = Vec::new();
    for name in shelf.list().unwrap_or_default() {
        let profile = shelf.profile_of(&name);
        let help = described(profile.as_deref().unwrap_or_default());
        names.push((name, help.to_owned()));
    }
    for profile in &profiles {
        if names.iter().all(|(name, _)| name != profile.name) {
            names.push((profile.name.to_owned(), profile.description.to_owned()));
        }
    }
    names
}
