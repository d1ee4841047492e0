//! Names of settings, and the values that have names.

use std::collections::BTreeMap;
use std::ffi::OsStr;

use clap_complete::CompletionCandidate;
use clap_complete::engine::{PathCompleter, ValueCompleter};

use crate::device::{Selector, select};
use crate::hwdb::{Access, Field, Hwdb, Place, Scope, SettingsFile, Tlv};
use crate::settings::SettingName;
use crate::sim::Shelf;

use super::typed::{Typed, begins, in_time, shelf};

/// What a setting is named for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// To be shown.
    Read,
    /// To be written.
    Change,
}

/// Names of settings with what they mean.
pub(super) fn names(typed: &Typed, word: &OsStr, purpose: Purpose) -> Vec<CompletionCandidate> {
    named(typed, word, purpose, "")
}

/// `NAME=` while a name is typed, and `NAME=VALUE` after it.
pub(super) fn assignments(typed: &Typed, word: &OsStr) -> Vec<CompletionCandidate> {
    match word.to_str().and_then(|word| word.split_once('=')) {
        None => named(typed, word, Purpose::Change, "="),
        Some((name, value)) => values(typed, name, value),
    }
}

/// `end` is put behind every name.
fn named(typed: &Typed, word: &OsStr, purpose: Purpose, end: &str) -> Vec<CompletionCandidate> {
    let Some(hwdb) = typed.hwdb() else {
        return Vec::new();
    };
    let settings = settings(typed, &hwdb);
    let mut found: BTreeMap<String, CompletionCandidate> = BTreeMap::new();
    let fitting = settings
        .iter()
        .filter(|(tlv, _)| purpose == Purpose::Read || tlv.access == Access::ReadWrite);
    for (tlv, field) in fitting {
        let mut add = |name: String, alias: bool| {
            if begins(&name, word) {
                let candidate = CompletionCandidate::new(format!("{name}{end}"))
                    .help(Some(field.meaning.clone().into()))
                    .hide(alias);
                found.entry(name).or_insert(candidate);
            }
        };
        let aliases = field.aliases.iter().map(|alias| (alias, true));
        for (name, alias) in std::iter::once((&field.name, false)).chain(aliases) {
            add(name.clone(), alias);
            // Three of every name would be too many: the ports come with the last letter.
            if tlv.scope != Scope::Card && word.len() >= name.len() {
                add(format!("{name}_P1"), alias);
                add(format!("{name}_P2"), alias);
            }
        }
    }
    found.into_values().collect()
}

fn values(typed: &Typed, name: &str, value: &str) -> Vec<CompletionCandidate> {
    let Some(hwdb) = typed.hwdb() else {
        return Vec::new();
    };
    let base = SettingName::parse(name).base;
    let settings = settings(typed, &hwdb);
    let fields = settings
        .iter()
        .filter(|(_, field)| field.is_called(&base))
        .map(|(_, field)| *field);
    let mut found: BTreeMap<String, CompletionCandidate> = BTreeMap::new();
    for field in fields {
        if let (Place::Text(_), Some(path)) = (&field.place, value.strip_prefix('@')) {
            let files = PathCompleter::file().stdio().complete(OsStr::new(path));
            let whole = |file: CompletionCandidate| file.add_prefix(format!("{name}=@"));
            return files.into_iter().map(whole).collect();
        }
        let truth = [("False", 0), ("True", 1)];
        let named = field.values.iter().map(|value| (&*value.name, value.value));
        let is_truth = named.clone().eq(truth);
        for (position, (text, number)) in named.enumerate() {
            if begins(text, OsStr::new(value)) {
                // The name as it was typed: shells compare.
                let whole = format!("{name}={text}");
                let help = (!is_truth).then(|| number.to_string().into());
                let candidate = CompletionCandidate::new(&whole)
                    .help(help)
                    .display_order(Some(position));
                found.entry(whole).or_insert(candidate);
            }
        }
    }
    found.into_values().collect()
}

/// The settings of the cards that are named, else of all generations.
fn settings<'a>(typed: &Typed, hwdb: &'a Hwdb) -> Vec<(&'a Tlv, &'a Field)> {
    let mut ids = chosen(typed, hwdb);
    if ids.is_empty() {
        ids = hwdb.devices().iter().map(|one| one.pci_device).collect();
    }
    let mut files: Vec<&SettingsFile> = Vec::new();
    for device in ids.into_iter().filter_map(|id| hwdb.device(id)) {
        let file = hwdb.settings(device);
        if !files.iter().any(|known| std::ptr::eq(*known, file)) {
            files.push(file);
        }
    }
    files.into_iter().flat_map(SettingsFile::settings).collect()
}

/// PCI device ids of the cards that are named.
fn chosen(typed: &Typed, hwdb: &Hwdb) -> Vec<u16> {
    if typed.selectors.is_empty() {
        return Vec::new();
    }
    let (root, hwdb, shelf) = (typed.root(), hwdb.clone(), shelf());
    let selectors = typed.selectors.clone();
    let cards = in_time(move || {
        // A virtual card is not opened, which could take its time and would make one
        // that is not there yet: another of its profile is asked.
        let like = |selector| match selector {
            Selector::Sim(name) => Selector::Sim(shelf.profile_of(&name).unwrap_or(name)),
            other => other,
        };
        let found = selectors
            .into_iter()
            .map(like)
            .filter_map(|selector| select(&root, &hwdb, &Shelf::memory(), &[selector]).ok());
        found.flatten().collect::<Vec<_>>()
    });
    let cards = cards.unwrap_or_default();
    let devices = cards.iter().filter_map(|card| card.supported());
    devices.map(|device| device.pci_device).collect()
}
