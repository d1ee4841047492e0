//! The settings that are set on a card: for now and for the next boot.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::profile::Profile;
use super::scalar::{Bytes, Kind, Place};

/// One stored setting.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Stored {
    pub(crate) data: Bytes,
    /// Who wrote it: mstconfig's `set` says 9, `set_raw` 12 (mstflint 4.21 observed).
    #[serde(default)]
    pub(crate) writer: u8,
}

type Settings = BTreeMap<Place, BTreeMap<Kind, Stored>>;

/// What survives a power failure.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Store {
    /// What the card boots with next time.
    pub(crate) next: Settings,
    /// What the card booted with.
    pub(crate) current: Settings,
}

/// Which of the two is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum When {
    Next,
    Current,
}

impl Store {
    /// The settings that a new card comes with.
    pub(crate) fn of(profile: &Profile) -> Self {
        let next: Settings = profile
            .set
            .iter()
            .map(|(place, settings)| {
                let stored = settings.iter().map(|(kind, data)| {
                    let data = data.clone();
                    (*kind, Stored { data, writer: 0 })
                });
                (*place, stored.collect())
            })
            .collect();
        Self {
            current: next.clone(),
            next,
        }
    }

    pub(crate) fn get(&self, when: When, place: Place, kind: Kind) -> Option<&Stored> {
        let settings = match when {
            When::Next => &self.next,
            When::Current => &self.current,
        };
        settings.get(&place)?.get(&kind)
    }

    pub(crate) fn set(&mut self, place: Place, kind: Kind, stored: Stored) {
        self.next.entry(place).or_default().insert(kind, stored);
    }

    pub(crate) fn remove(&mut self, place: Place, kind: Kind) {
        if let Some(settings) = self.next.get_mut(&place) {
            settings.remove(&kind);
            if settings.is_empty() {
                self.next.remove(&place);
            }
        }
    }

    pub(crate) fn clear(&mut self) {
        self.next.clear();
    }

    pub(crate) fn reboot(&mut self) {
        self.current.clone_from(&self.next);
    }

    /// Everything that is set for the next boot, in a fixed order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (Place, Kind, &Stored)> {
        self.next
            .iter()
            .flat_map(|(place, settings)| settings.iter().map(|(kind, one)| (*place, *kind, one)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stored(byte: u8) -> Stored {
        Stored {
            data: Bytes(vec![byte]),
            writer: 9,
        }
    }

    #[test]
    fn a_change_counts_from_the_next_boot_on() {
        let mut store = Store::default();
        let (place, kind) = (Place::Port(1), Kind(0x2021));
        store.set(place, kind, stored(1));
        assert!(store.get(When::Current, place, kind).is_none());
        store.reboot();
        assert_eq!(store.get(When::Current, place, kind), Some(&stored(1)));
        store.remove(place, kind);
        assert!(store.get(When::Next, place, kind).is_none());
        assert_eq!(store.get(When::Current, place, kind), Some(&stored(1)));
    }

    #[test]
    fn the_same_type_is_kept_apart_by_place() {
        let mut store = Store::default();
        store.set(Place::Port(1), Kind(0x2021), stored(1));
        store.set(Place::Port(2), Kind(0x2021), stored(2));
        assert_eq!(store.iter().count(), 2);
        store.clear();
        assert_eq!(store, Store::default());
    }
}
