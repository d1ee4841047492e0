//! The settings and models of all generations, as profiles name them.

use std::collections::HashMap;
use std::sync::Arc;

use crate::hwdb::{Device, Field, Hwdb, SettingsFile, Tlv};

use crate::settings::near_names;

/// The settings of a generation.
pub(super) struct Generation<'a> {
    /// Name of its file.
    pub(super) name: &'a str,
    /// Its settings.
    pub(super) settings: &'a SettingsFile,
    /// Its devices.
    pub(super) devices: Vec<&'a Device>,
}

/// A name that was found: all names of the setting in any generation, and the
/// port that a suffix names.
pub(super) struct FoundName {
    pub(super) names: Arc<[String]>,
    pub(super) port: Option<u8>,
}

/// All names.
pub(super) struct Catalog<'a> {
    pub(super) generations: Vec<Generation<'a>>,
    /// Name in capitals to all names of the setting.
    names: HashMap<String, Arc<[String]>>,
}

impl<'a> Catalog<'a> {
    pub(super) fn new(hwdb: &'a Hwdb) -> Self {
        let mut generations: Vec<Generation<'a>> = Vec::new();
        for device in hwdb.devices() {
            match generations
                .iter_mut()
                .find(|generation| generation.name == device.settings)
            {
                Some(generation) => generation.devices.push(device),
                None => generations.push(Generation {
                    name: &device.settings,
                    settings: hwdb.settings(device),
                    devices: vec![device],
                }),
            }
        }
        let mut names: HashMap<String, Vec<String>> = HashMap::new();
        for (_, field) in all_settings(&generations) {
            let own: Vec<&String> = std::iter::once(&field.name).chain(&field.aliases).collect();
            for name in &own {
                let synonyms = names.entry(name.to_ascii_uppercase()).or_default();
                for synonym in &own {
                    if !synonyms.contains(synonym) {
                        synonyms.push((*synonym).clone());
                    }
                }
            }
        }
        Self {
            generations,
            names: names
                .into_iter()
                .map(|(name, synonyms)| (name, synonyms.into()))
                .collect(),
        }
    }

    /// The setting of this name, which may end in `_P1` or `_P2`.
    pub(super) fn find(&self, name: &str) -> Option<FoundName> {
        let name = name.to_ascii_uppercase();
        if let Some(names) = self.names.get(&name) {
            let names = names.clone();
            return Some(FoundName { names, port: None });
        }
        let (plain, port) = without_port(&name)?;
        Some(FoundName {
            names: self.names.get(plain)?.clone(),
            port: Some(port),
        })
    }

    /// Settings whose names are like this one.
    pub(super) fn near(&self, name: &str) -> Vec<String> {
        let name = name.to_ascii_uppercase();
        let (plain, suffix) = match without_port(&name) {
            Some((plain, port)) => (plain, format!("_P{port}")),
            None => (name.as_str(), String::new()),
        };
        let known = all_settings(&self.generations).map(|(_, field)| field.name.as_str());
        near_names(plain, known)
            .into_iter()
            .map(|known| format!("{known}{suffix}"))
            .collect()
    }

    /// All devices.
    pub(super) fn devices(&self) -> impl Iterator<Item = &'a Device> {
        let generations = self.generations.iter();
        generations.flat_map(|generation| generation.devices.iter().copied())
    }
}

fn all_settings<'a>(generations: &[Generation<'a>]) -> impl Iterator<Item = (&'a Tlv, &'a Field)> {
    let files = generations.iter().map(|generation| generation.settings);
    files.flat_map(SettingsFile::settings)
}

fn without_port(name: &str) -> Option<(&str, u8)> {
    let one = name.strip_suffix("_P1").map(|plain| (plain, 1));
    one.or_else(|| name.strip_suffix("_P2").map(|plain| (plain, 2)))
}

/// The setting that one of these names means in a generation.
pub(super) fn setting<'a>(
    file: &'a SettingsFile,
    names: &[String],
) -> Option<(&'a Tlv, &'a Field)> {
    names.iter().find_map(|name| file.setting(name))
}
