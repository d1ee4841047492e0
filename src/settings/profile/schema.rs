//! The JSON Schema of profiles, made from the data files.
//!
//! Editors complete and check profiles with it, TOML ones as well. It is
//! stricter than [`super::Profile::parse`]: names of settings and values are as
//! the data files spell them and numbers are no texts, while a profile may write
//! names in any case and numbers as texts.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::hwdb::{Access, Field, Hwdb, Place, Scope, TextFormat, TextPlace, Tlv};

use super::catalog::{Catalog, Generation};
use super::criteria::KEYS;
use super::document::SCHEMA;
use super::given::is_switch;

/// A port from 1 to 65535, or nothing.
const PORT: &str =
    "^([1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5])?$";
/// Texts hold printable ASCII.
const PRINTABLE: &str = "^[ -~]*$";

/// A setting on one generation.
type OnGeneration<'a> = (&'a Generation<'a>, &'a Tlv, &'a Field);

/// The JSON Schema (draft 2020-12) of profiles.
#[must_use]
pub fn profile_schema(hwdb: &Hwdb) -> Value {
    let catalog = Catalog::new(hwdb);
    let mut by_name: BTreeMap<&str, Vec<OnGeneration<'_>>> = BTreeMap::new();
    for generation in &catalog.generations {
        for (tlv, field) in generation.settings.settings() {
            if tlv.access == Access::ReadWrite {
                let found = by_name.entry(&field.name).or_default();
                found.push((generation, tlv, field));
            }
        }
    }
    let mut settings = Map::new();
    let mut definitions = Map::new();
    for (name, found) in by_name {
        let definition = format!("setting-{name}");
        let reference = json!({ "$ref": format!("#/$defs/{definition}") });
        definitions.insert(definition, setting(&found, catalog.generations.len()));
        let has_ports = found.iter().any(|(_, tlv, _)| tlv.scope != Scope::Card);
        let aliases = found.iter().flat_map(|(_, _, field)| &field.aliases);
        for name in std::iter::once(name).chain(aliases.map(String::as_str)) {
            settings.insert(name.to_owned(), reference.clone());
            for port in [1, 2].into_iter().filter(|_| has_ports) {
                settings.insert(format!("{name}_P{port}"), reference.clone());
            }
        }
    }
    definitions.insert(
        "settings".to_owned(),
        json!({
            "description": "settings by name; a name that ends in _P1 or _P2 is for that port only",
            "type": "object",
            "properties": settings,
            "additionalProperties": false,
        }),
    );
    definitions.insert("match".to_owned(), match_schema(&catalog));
    definitions.insert("device-id".to_owned(), device_id_schema(&catalog));
    definitions.insert("section".to_owned(), section_schema());
    definitions.insert("patterns".to_owned(), patterns_schema());
    definitions.insert("file".to_owned(), file_schema());
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": format!("urn:flexctl:profile:{SCHEMA}"),
        "title": "flexctl profile",
        "description": "how Mellanox ConnectX cards shall be set",
        "type": "object",
        "properties": {
            "$schema": { "type": "string", "description": "for editors" },
            "schema": { "const": SCHEMA, "description": "version of the format" },
            "settings": {
                "$ref": "#/$defs/settings",
                "description": "settings of every card and port; every section may refine them",
            },
            "section": {
                "type": "array",
                "items": { "$ref": "#/$defs/section" },
                "description": "settings of some cards and ports; later ones refine earlier ones",
            },
        },
        "required": ["schema"],
        "additionalProperties": false,
        "$defs": definitions,
    })
}

fn section_schema() -> Value {
    json!({
        "type": "object",
        "properties": {
            "name": { "type": "string", "description": "what messages call it" },
            "match": { "$ref": "#/$defs/match" },
            "settings": { "$ref": "#/$defs/settings" },
        },
        "additionalProperties": false,
    })
}

fn patterns_schema() -> Value {
    let pattern = json!({ "type": "string", "minLength": 1 });
    json!({
        "description": "a text in which * is any number of characters and ? is one, or several of them",
        "anyOf": [pattern, { "type": "array", "items": pattern, "minItems": 1 }],
    })
}

fn file_schema() -> Value {
    json!({
        "description": "the value is the one line of a file in the folder of the profile or below",
        "type": "object",
        "properties": { "file": { "type": "string", "minLength": 1 } },
        "required": ["file"],
        "additionalProperties": false,
    })
}

fn device_id_schema(catalog: &Catalog<'_>) -> Value {
    let ids = catalog.devices().map(|device| device.pci_device);
    let spellings = ids.flat_map(|id| {
        [
            json!(id),
            json!(format!("{id:#06x}")),
            json!(format!("15b3:{id:04x}")),
        ]
    });
    json!({ "enum": spellings.collect::<Vec<_>>() })
}

fn match_schema(catalog: &Catalog<'_>) -> Value {
    let mut models: Vec<Value> = Vec::new();
    for device in catalog.devices() {
        models.push(json!(device.name));
        models.push(json!(device.title));
    }
    let id = json!({ "$ref": "#/$defs/device-id" });
    let port = json!({ "enum": [1, 2] });
    let patterns =
        |description: &str| json!({ "$ref": "#/$defs/patterns", "description": description });
    let properties: Map<String, Value> = KEYS
        .iter()
        .map(|key| {
            let schema = match *key {
                "model" => json!({
                    "$ref": "#/$defs/patterns",
                    "description": "model by name or title",
                    "examples": models,
                }),
                "device_id" => json!({
                    "description": "PCI device id",
                    "anyOf": [id, { "type": "array", "items": id, "minItems": 1 }],
                }),
                "port" => json!({
                    "description": "port of the card",
                    "anyOf": [port, { "type": "array", "items": port, "minItems": 1 }],
                }),
                "psid" => patterns("board id of the firmware"),
                "part_number" => patterns("part number of the board"),
                "serial" => patterns("serial number of the board"),
                "pci" => patterns(
                    "PCI address [DDDD:]BB:DD[.F]; with a function it is for that function's port",
                ),
                "interface" => patterns("network interface; it is for that interface's port"),
                _ => patterns("name of the host, whole or what is before its first dot"),
            };
            ((*key).to_owned(), schema)
        })
        .collect();
    json!({
        "description": "for which cards and ports the section is; all keys have to fit, of an array any value",
        "type": "object",
        "properties": properties,
        "additionalProperties": false,
    })
}

/// One setting: what any generation takes.
fn setting(found: &[OnGeneration<'_>], generations: usize) -> Value {
    let mut schemas: Vec<Value> = Vec::new();
    for (_, _, field) in found {
        for schema in values(field) {
            if !schemas.contains(&schema) {
                schemas.push(schema);
            }
        }
    }
    let mut schema = Map::new();
    schema.insert(
        "description".to_owned(),
        json!(description(found, generations)),
    );
    schema.insert("anyOf".to_owned(), json!(schemas));
    Value::Object(schema)
}

fn description(found: &[OnGeneration<'_>], generations: usize) -> String {
    let mut sentences: Vec<String> = Vec::new();
    for (_, _, field) in found {
        let unit = field.unit.as_ref().map(|unit| format!(" ({unit})"));
        let meaning = format!("{}{}", field.meaning, unit.unwrap_or_default());
        for sentence in [Some(meaning), field.caution.clone()].into_iter().flatten() {
            if !sentences.contains(&sentence) {
                sentences.push(sentence);
            }
        }
    }
    if found.iter().all(|(_, tlv, _)| tlv.scope == Scope::Card) {
        sentences.push("of the whole card".to_owned());
    }
    if found.len() < generations {
        let devices = found
            .iter()
            .flat_map(|(generation, _, _)| &generation.devices);
        let titles: Vec<&str> = devices.map(|device| device.title.as_str()).collect();
        sentences.push(format!("only {}", titles.join(", ")));
    }
    sentences.join("; ")
}

/// What a field takes.
fn values(field: &Field) -> Vec<Value> {
    match &field.place {
        Place::Text(text) => text_values(field, text),
        Place::Number { .. } if !field.values.is_empty() => {
            let mut all: Vec<Value> = Vec::new();
            if is_switch(field) {
                all.extend([json!(false), json!(true)]);
            }
            all.extend(field.values.iter().map(|named| json!(named.name)));
            all.extend(field.values.iter().map(|named| json!(named.value)));
            vec![json!({ "enum": all })]
        }
        Place::Number { bits, .. } => {
            let (min, max) = field
                .range
                .map_or((0, bits.mask()), |range| (range.min, range.max));
            vec![json!({ "type": "integer", "minimum": min, "maximum": max })]
        }
    }
}

fn text_values(field: &Field, text: &TextPlace) -> Vec<Value> {
    let length = text.longest();
    let own = if !field.texts.is_empty() {
        let mut all = vec![""];
        all.extend(field.texts.iter().map(String::as_str));
        json!({ "enum": all })
    } else {
        let shortest = text.shortest;
        let mut own = match text.format {
            TextFormat::Text => json!({ "type": "string", "pattern": PRINTABLE }),
            TextFormat::Ipv4 => json!({
                "type": "string",
                "anyOf": [{ "const": "" }, { "format": "ipv4" }],
            }),
            TextFormat::Ip => json!({
                "type": "string",
                "anyOf": [{ "const": "" }, { "format": "ipv4" }, { "format": "ipv6" }],
            }),
            TextFormat::Port => json!({ "type": "string", "pattern": PORT }),
            TextFormat::Decimal => json!({ "type": "string", "pattern": "^[0-9]*$" }),
            TextFormat::Hex => {
                let pattern = format!("^(0x)?([0-9a-fA-F]{{2}}){{0,{length}}}$");
                json!({ "type": "string", "pattern": pattern })
            }
        };
        if text.format != TextFormat::Hex {
            own["maxLength"] = json!(length);
        }
        // Nothing at all is always allowed.
        if shortest > 1 {
            own = json!({ "anyOf": [{ "const": "" }, { "allOf": [own, { "minLength": shortest }] }] });
        }
        own
    };
    vec![own, json!({ "$ref": "#/$defs/file" })]
}
