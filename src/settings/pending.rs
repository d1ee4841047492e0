//! What waits for a restart.

use crate::hwdb::{Applies, Scope};
use crate::pci::Bdf;

use super::{PortSettings, SettingValue, Stored, TlvKey, Value};

/// A setting whose next value is not the current one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pending {
    /// The port, counted from 1; 0 for a setting of the whole card.
    pub port: u8,
    /// The setting.
    pub setting: String,
    /// What the firmware uses now, for people.
    pub current: String,
    /// What it will use, for people.
    pub next: String,
    /// The restart that is enough.
    pub restart: Applies,
    /// Who says what is current.
    pub known_from: KnownFrom,
}

/// Who says what the firmware uses now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum KnownFrom {
    /// The card.
    Card,
    /// The records of what flexctl changed since the host was booted.
    Record,
}

/// A TLV and what it held when the host was booted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeldAtBoot {
    /// The function through which it was changed since.
    pub function: Bdf,
    /// The TLV.
    pub key: TlvKey,
    /// What it held.
    pub stored: Stored,
}

/// What waits for a restart: next values that differ from the current ones.
///
/// A card that knows no current values (ConnectX-3) says nothing of it; there it
/// is what differs from `at_boot`.
#[must_use]
pub fn pending(ports: &[PortSettings], at_boot: &[HeldAtBoot]) -> Vec<Pending> {
    let mut waiting: Vec<Pending> = Vec::new();
    for port in ports {
        for setting in port.settings() {
            let of_card = setting.reading.tlv.scope == Scope::Card;
            let number = if of_card { 0 } else { port.port };
            let known = waiting
                .iter()
                .any(|other| other.port == number && other.setting == setting.field.name);
            if known {
                continue;
            }
            let said = difference(&setting).map(|words| (words, KnownFrom::Card));
            let recorded = || {
                let held = at_boot.iter().find(|held| {
                    held.key == setting.reading.key && (of_card || held.function == port.function)
                })?;
                let words = since(&setting, &held.stored)?;
                Some((words, KnownFrom::Record))
            };
            if let Some(((current, next), known_from)) = said.or_else(recorded) {
                waiting.push(Pending {
                    port: number,
                    setting: setting.field.name.clone(),
                    current,
                    next,
                    restart: setting.reading.tlv.applies,
                    known_from,
                });
            }
        }
    }
    waiting
}

impl SettingValue<'_> {
    /// Whether the next value is not the current one.
    #[must_use]
    pub fn is_pending(&self) -> bool {
        difference(self).is_some()
    }
}

fn difference(setting: &SettingValue<'_>) -> Option<(String, String)> {
    let values = &setting.values;
    let current = match &values.current {
        Value::NotSet => values.default.value(),
        current => current.value(),
    }?;
    let next = values.effective()?;
    let describe = |value| setting.field.describe(value);
    (current != next).then(|| (describe(current), describe(next)))
}

/// The same against what the TLV held at boot, where the card does not say what
/// is current.
fn since(setting: &SettingValue<'_>, held: &Stored) -> Option<(String, String)> {
    let reading = setting.reading;
    if reading.current.is_some() {
        return None;
    }
    let default = match &reading.default {
        Some(Ok(Stored::Set(data))) => Some(data.as_slice()),
        _ => None,
    };
    let held = match held {
        Stored::Set(data) if setting.field.is_valid(data) => data.as_slice(),
        _ => default?,
    };
    let current = setting.field.get(held)?;
    let next = setting.values.effective()?;
    let describe = |value| setting.field.describe(value);
    (current != *next).then(|| (describe(&current), describe(next)))
}
