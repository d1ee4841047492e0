//! Write a profile: what cards are, so that they can be made so again.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use toml::Value;

use crate::hwdb::{Access, Field, FieldValue, Tlv};

use super::document::SCHEMA;
use super::given::is_switch;

/// Settings of one card, or of every card.
#[derive(Clone, Debug, Default)]
pub struct ExportedCard<'a> {
    /// Name of the section, for people.
    pub name: Option<String>,
    /// Keys and values of the section's match. Without any, the settings are
    /// written for every card: that is for one card only.
    pub matching: Vec<(&'static str, String)>,
    /// How many ports the card has.
    pub ports: u8,
    /// Its settings.
    pub settings: Vec<ExportedSetting<'a>>,
}

/// A setting and its value.
#[derive(Clone, Debug)]
pub struct ExportedSetting<'a> {
    /// The port, counted from 1; 0 for settings of the whole card.
    pub port: u8,
    /// The TLV that holds it.
    pub tlv: &'a Tlv,
    /// The setting.
    pub field: &'a Field,
    /// The value.
    pub value: FieldValue,
}

/// What becomes of secrets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Secrets {
    /// They are left out, which a comment says.
    LeaveOut,
    /// They are written like everything else.
    Write,
}

/// A profile that makes cards what they are.
///
/// What no profile may set is in comments: settings that are only read, and
/// values that no source defines.
#[must_use]
pub fn to_toml(header: &str, cards: &[ExportedCard<'_>], secrets: Secrets) -> String {
    let mut text = String::new();
    for line in header.lines() {
        comment(&mut text, line);
    }
    let _ = writeln!(text, "schema = {SCHEMA}");
    for card in cards {
        if card.matching.is_empty() {
            text.push_str("\n[settings]\n");
        } else {
            text.push_str("\n[[section]]\n");
            if let Some(name) = &card.name {
                let _ = writeln!(text, "name = {}", Value::from(name.as_str()));
            }
            let keys: Vec<String> = card
                .matching
                .iter()
                .map(|(key, value)| format!("{key} = {}", Value::from(value.as_str())))
                .collect();
            let _ = writeln!(text, "match = {{ {} }}", keys.join(", "));
            text.push_str("[section.settings]\n");
        }
        settings(&mut text, card, secrets);
    }
    text
}

fn settings(text: &mut String, card: &ExportedCard<'_>, secrets: Secrets) {
    // In the order of the first port that has it.
    let mut names: Vec<&str> = Vec::new();
    let mut by_name: BTreeMap<&str, Vec<&ExportedSetting<'_>>> = BTreeMap::new();
    for setting in &card.settings {
        let name = setting.field.name.as_str();
        if !by_name.contains_key(name) {
            names.push(name);
        }
        by_name.entry(name).or_default().push(setting);
    }
    for name in names {
        let values = &by_name[name];
        let Some(first) = values.first() else {
            continue;
        };
        comment(text, &first.field.meaning);
        let is_whole = values.len() == usize::from(card.ports)
            && values.iter().all(|setting| setting.value == first.value);
        if first.port == 0 || is_whole {
            setting(text, name, first, secrets);
        } else {
            for value in values {
                setting(text, &format!("{name}_P{}", value.port), value, secrets);
            }
        }
    }
}

fn setting(text: &mut String, name: &str, setting: &ExportedSetting<'_>, secrets: Secrets) {
    let field = setting.field;
    if field.secret && secrets == Secrets::LeaveOut {
        comment(text, &format!("{name} is a secret and left out"));
        return;
    }
    let line = format!("{name} = {}", value(field, &setting.value));
    if setting.tlv.access == Access::ReadOnly {
        comment(text, &format!("{line} (only read)"));
    } else if field.is_legal(&setting.value) {
        text.push_str(&line);
        text.push('\n');
    } else {
        comment(text, &format!("{line} (which no source defines)"));
    }
}

/// The value in TOML, as people would write it.
fn value(field: &Field, value: &FieldValue) -> String {
    match value {
        FieldValue::Number(number) if is_switch(field) && *number < 2 => (*number == 1).to_string(),
        FieldValue::Number(number) if field.value_name(*number).is_none() => number.to_string(),
        _ => Value::from(field.spell(value)).to_string(),
    }
}

fn comment(text: &mut String, words: &str) {
    let words: String = words
        .chars()
        .map(|letter| if letter.is_control() { ' ' } else { letter })
        .collect();
    let _ = writeln!(text, "{}", format!("# {words}").trim_end());
}
