//! What waits for a restart.

use crate::hwdb::{Applies, Scope};

use super::{PortSettings, SettingValue, Value};

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
}

/// What waits for a restart, as the card says it: next values that differ from
/// the current ones. Cards that know no current values have none.
#[must_use]
pub fn pending(ports: &[PortSettings]) -> Vec<Pending> {
    let mut waiting: Vec<Pending> = Vec::new();
    for port in ports {
        for setting in port.settings() {
            let of_card = setting.reading.tlv.scope == Scope::Card;
            let number = if of_card { 0 } else { port.port };
            let known = waiting
                .iter()
                .any(|other| other.port == number && other.setting == setting.field.name);
            if let Some((current, next)) = difference(&setting).filter(|_| !known) {
                waiting.push(Pending {
                    port: number,
                    setting: setting.field.name.clone(),
                    current,
                    next,
                    restart: setting.reading.tlv.applies,
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
