//! The profiles that flexctl comes with.

use std::sync::Arc;

use serde::Deserialize;
use toml::{Table, Value};

use super::error::SimError;
use super::name::nearest;
use super::profile::Profile;

/// A profile in one line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProfileSummary {
    /// Its name; a card can be made from it.
    pub name: &'static str,
    /// What it stands for.
    pub description: &'static str,
}

macro_rules! embedded {
    ($($name:literal),* $(,)?) => {
        &[$(($name, include_str!(concat!("profiles/", $name, ".toml")))),*]
    };
}

const PROFILES: &[(&str, &str)] = embedded![
    "connectx-3",
    "connectx-3-16-mib",
    "connectx-3-corrupt",
    "connectx-3-everything",
    "connectx-3-factory",
    "connectx-3-old-rom",
    "connectx-3-pro",
    "connectx-3-protected",
    "connectx-3-recovery",
    "connectx-3-rom-behind",
    "connectx-3-single-port",
    "connectx-3-two-images",
    "connectx-4",
    "connectx-4-everything",
    "connectx-4-factory",
    "connectx-4-ib",
    "connectx-4-lx",
    "connectx-4-no-ip-ver",
    "connectx-4-old-rom",
    "connectx-4-protected",
    "connectx-4-recovery",
    "connectx-4-rom-behind",
    "connectx-4-secure",
    "connectx-4-single",
    "connectx-4-sriov",
    "connectx-4-two-images",
    "connectx-4-unknown-chip",
    "connectx-4-upstream-ipxe",
];

/// The names of all profiles, in order.
pub(crate) fn names() -> impl Iterator<Item = &'static str> {
    PROFILES.iter().map(|(name, _)| *name)
}

/// All profiles that a card can be made from.
#[must_use]
pub fn profiles() -> Vec<ProfileSummary> {
    PROFILES
        .iter()
        .map(|(name, text)| ProfileSummary {
            name,
            description: description(text),
        })
        .collect()
}

/// The value of the first `description = "..."` line, without parsing the rest.
fn description(text: &'static str) -> &'static str {
    text.lines()
        .find_map(|line| line.strip_prefix("description = \"")?.strip_suffix('"'))
        .unwrap_or_default()
}

/// Loads a profile with everything that it takes over from its base.
pub(crate) fn load(name: &str) -> Result<Arc<Profile>, SimError> {
    let profile = Profile::deserialize(table(name)?).map_err(|error| SimError::BadProfile {
        name: name.to_owned(),
        reason: error.to_string(),
    })?;
    Ok(Arc::new(profile))
}

fn table(name: &str) -> Result<Table, SimError> {
    let (_, text) = PROFILES
        .iter()
        .find(|(known, _)| *known == name)
        .ok_or_else(|| SimError::NoSuchProfile {
            name: name.to_owned(),
            near: nearest(name, names()).map(str::to_owned),
            available: names().map(str::to_owned).collect(),
        })?;
    let own: Table = toml::from_str(text).map_err(|error| SimError::BadProfile {
        name: name.to_owned(),
        reason: error.to_string(),
    })?;
    match own.get("base").and_then(Value::as_str) {
        None => Ok(own),
        Some(base) => {
            let mut whole = table(base)?;
            // A profile that sets something sets everything: else nothing that
            // the base sets could be left unset.
            if own.contains_key("set") {
                whole.remove("set");
            }
            overlay(&mut whole, own);
            Ok(whole)
        }
    }
}

/// Tables are merged, everything else is replaced.
fn overlay(below: &mut Table, above: Table) {
    for (key, value) in above {
        match (below.get_mut(&key), value) {
            (Some(Value::Table(below)), Value::Table(above)) => overlay(below, above),
            (_, value) => {
                below.insert(key, value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::sim::profile::{Generation, Scope};
    use crate::sim::scalar::Place;

    #[test]
    fn every_file_of_the_folder_is_a_profile() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/sim/profiles");
        let mut files: Vec<String> = std::fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .map(|file| file.strip_suffix(".toml").unwrap().to_owned())
            .collect();
        files.sort();
        assert_eq!(files, names().collect::<Vec<_>>());
    }

    #[test]
    fn every_profile_is_sound() {
        for ProfileSummary { name, description } in profiles() {
            assert!(!description.is_empty(), "{name} has no description");
            let profile = load(name).unwrap();
            assert_eq!(profile.description, description);
            assert!((1..=2).contains(&profile.ports.len()), "{name}");
            let is_connectx3 = profile.card.generation == Generation::ConnectX3;
            assert_eq!(profile.defaults.is_some(), is_connectx3, "{name}");
            for (kind, tlv) in &profile.tlv {
                assert!(tlv.bytes % 4 == 0 && tlv.bytes <= 256, "{name} {kind}");
                if let Some(default) = &tlv.default {
                    assert_eq!(default.0.len(), usize::from(tlv.bytes), "{name} {kind}");
                }
                assert!(!(tlv.scope == Scope::Function && is_connectx3));
                assert!(tlv.default.is_some() || !tlv.capability, "{name} {kind}");
            }
            for (place, settings) in &profile.set {
                for (kind, data) in settings {
                    let tlv = profile.tlv(*kind).unwrap();
                    assert_eq!(data.0.len(), usize::from(tlv.bytes), "{name} {kind}");
                    let fits = match (tlv.scope, place) {
                        (Scope::Card, Place::Card) => true,
                        (Scope::Port, Place::Port(port)) => {
                            (1..=profile.port_count()).contains(port)
                        }
                        (Scope::Function, Place::Function(function)) => {
                            *function < profile.physical_functions()
                        }
                        _ => false,
                    };
                    assert!(fits, "{name}: {kind} at {place}");
                }
            }
        }
    }

    #[test]
    fn no_two_profiles_share_a_bus_or_an_address() {
        let mut seen = HashSet::new();
        for name in names() {
            let profile = load(name).unwrap();
            assert!(seen.insert(format!("bus {}", profile.card.bus)), "{name}");
            for port in &profile.ports {
                assert!(seen.insert(port.mac.to_string()), "{name}");
            }
        }
    }

    #[test]
    fn an_unknown_profile_names_the_near_one() {
        let said = load("connectx-5").unwrap_err().to_string();
        assert_eq!(
            said,
            "no profile is called `connectx-5`, did you mean `connectx-3`?"
        );
    }
}
