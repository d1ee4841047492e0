//! The JSON Schema of profiles in the hands of a validator that nobody here
//! wrote, Debian's python3-jsonschema: it and flexctl agree on what a profile is.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "what these functions make is part of the test"
)]

mod ring;

use std::collections::HashSet;
use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use flexctl::hwdb::Hwdb;
use flexctl::settings::profile::{Profile, ProfileText, Syntax, profile_schema};
use ring::{Need, skipped};
use serde_json::{Value, json};

/// The program tells that the package is there; it has no way to judge many
/// files apart from each other.
const NEEDS: [Need; 2] = [Need::Program("jsonschema"), Need::Program("python3")];
const VALIDATOR: &str = "
import json, sys
from jsonschema import Draft202012Validator as Validator
schema = json.load(open(sys.argv[1]))
Validator.check_schema(schema)
validator = Validator(schema, format_checker=Validator.FORMAT_CHECKER)
for line in sys.stdin:
    print(validator.is_valid(json.loads(line)))
";

const TEXTS: &str = r#"
[[tlv]]
name = "texts"
class = "host"
type = 0xfff0
scope = "function"
length_bytes = 64
applies = "boot"
access = "read-write"
verified = "published"
source = ["a test"]
field = [
    { name = "A_TEXT", text = { offset = 0, length = 4, format = "text" }, meaning = "a text" },
    { name = "A_SECRET", text = { offset = 4, length = 4, format = "text" }, meaning = "a secret", secret = true },
    { name = "AN_IPV4", text = { offset = 8, length = 16, format = "ipv4" }, meaning = "an address" },
    { name = "AN_IP", text = { offset = 24, length = 16, format = "ip" }, meaning = "an address" },
    { name = "A_PORT", text = { offset = 40, length = 8, format = "port" }, meaning = "a port" },
    { name = "SOME_BYTES", text = { offset = 48, length = 4, format = "hex" }, meaning = "bytes" },
]
"#;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// What the validator says of each of these.
fn judge(schema: &Value, instances: &[Value]) -> Vec<bool> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("schema.json");
    fs::write(&path, schema.to_string()).unwrap();
    let mut child = Command::new("python3")
        .args(["-c", VALIDATOR])
        .arg(path)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines: Vec<String> = instances.iter().map(Value::to_string).collect();
    let mut stdin = child.stdin.take().unwrap();
    let writer = std::thread::spawn(move || stdin.write_all(lines.join("\n").as_bytes()));
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap().unwrap();
    assert!(output.status.success(), "the validator failed");
    let said = String::from_utf8(output.stdout).unwrap();
    let verdicts: Vec<bool> = said.lines().map(|line| line == "True").collect();
    assert_eq!(verdicts.len(), instances.len());
    verdicts
}

/// The data files, with texts of every format.
fn with_texts() -> Hwdb {
    let folder = tempfile::tempdir().unwrap();
    let settings = folder.path().join("settings");
    fs::create_dir(&settings).unwrap();
    let own = fs::read_to_string(root().join("hwdb/settings/connectx-4.toml")).unwrap();
    fs::write(settings.join("connectx-4.toml"), own + TEXTS).unwrap();
    Hwdb::with_folder(folder.path()).unwrap()
}

fn is_profile(hwdb: &Hwdb, instance: &Value) -> Result<(), String> {
    let source = ProfileText {
        path: Path::new("p.json"),
        syntax: Syntax::Json,
        text: &instance.to_string(),
    };
    // No schema knows what is in a file: one of these is right for every text.
    let has_file = instance.to_string().contains("\"file\"");
    let lines = ["1", "192.0.2.1", "abcd", "twelve-chars", "Enabled"];
    let lines = if has_file { &lines[..] } else { &lines[..1] };
    let of_any_file = lines.iter().map(|line| {
        let parsed = Profile::parse(&source, hwdb, &|_| Ok((*line).to_owned()));
        parsed.map(drop).map_err(|error| error.to_string())
    });
    of_any_file.reduce(Result::or).unwrap()
}

fn has_a_number_as_text(instance: &Value) -> bool {
    let settings = instance["settings"].as_object();
    settings.is_some_and(|settings| {
        let mut texts = settings.values().filter_map(Value::as_str);
        texts.any(|text| text.starts_with(|letter: char| letter.is_ascii_digit()))
    })
}

/// Checks that the validator and flexctl say the same of all of these.
fn agree(hwdb: &Hwdb, instances: &[Value]) {
    let verdicts = judge(&profile_schema(hwdb), instances);
    for (instance, verdict) in instances.iter().zip(verdicts) {
        let own = is_profile(hwdb, instance);
        if own.is_ok() && has_a_number_as_text(instance) {
            // The schema is stricter.
            continue;
        }
        assert_eq!(verdict, own.is_ok(), "{instance}: {own:?}");
    }
}

#[test]
fn the_examples_are_valid() {
    if skipped("schema", &NEEDS) {
        return;
    }
    let examples = root().join("scripts/examples");
    let toml = fs::read_to_string(examples.join("profile.toml")).unwrap();
    let json = fs::read_to_string(examples.join("profile.json")).unwrap();
    let instances = [
        toml::from_str(&toml).unwrap(),
        serde_json::from_str(&json).unwrap(),
    ];
    let schema = fs::read_to_string(root().join("schemas/profile-1.json")).unwrap();
    let schema = serde_json::from_str(&schema).unwrap();
    assert_eq!(judge(&schema, &instances), [true, true]);
}

/// The properties that are settings, wherever in the schema they stand.
fn find_properties(schema: &Value) -> Option<&serde_json::Map<String, Value>> {
    match schema {
        Value::Object(map) => {
            let own = map.get("properties").and_then(Value::as_object);
            own.filter(|own| own.contains_key("IP_VER"))
                .or_else(|| map.values().find_map(find_properties))
        }
        Value::Array(all) => all.iter().find_map(find_properties),
        _ => None,
    }
}

#[test]
fn the_validator_and_flexctl_agree_on_every_setting() {
    if skipped("schema", &NEEDS) {
        return;
    }
    let hwdb = with_texts();
    let mut values = vec![
        json!(true),
        json!(false),
        json!(1.5),
        json!(null),
        json!([]),
        json!([1]),
        json!({}),
        json!({ "file": "value.txt" }),
        json!({ "path": "value.txt" }),
        json!("True"),
        json!("False"),
        json!("PXE"),
        json!("no such name"),
        json!(""),
        json!("192.0.2.1"),
        json!("2001:db8::1"),
        json!("x".repeat(300)),
        json!("65535"),
        json!("65536"),
        json!("3260"),
        json!("abcdef01"),
        json!("0xabcdef012345"),
        json!("abc"),
        json!("\u{e9}"),
    ];
    values.extend((0..33).flat_map(|bit| [json!((1_u64 << bit) - 1), json!(1_u64 << bit)]));
    values.push(json!(-1));
    let mut names: Vec<String> = Vec::new();
    for device in hwdb.devices() {
        for (_, field) in hwdb.settings(device).settings() {
            for name in std::iter::once(&field.name).chain(&field.aliases) {
                for suffix in ["", "_P1", "_P2", "_P3"] {
                    names.push(format!("{name}{suffix}"));
                }
            }
        }
    }
    names.sort();
    names.dedup();
    let mut instances = Vec::new();
    // Settings that the schema treats alike are tried with every value once; all
    // names are tried with some.
    let schema = profile_schema(&hwdb);
    let properties = find_properties(&schema).unwrap();
    let mut shapes = HashSet::new();
    for (index, name) in names.iter().enumerate() {
        let shape = properties.get(name).map(|property| {
            let mut property = property.clone();
            property.as_object_mut().unwrap().remove("description");
            property.to_string()
        });
        let is_new = shapes.insert(shape);
        for (number, value) in values.iter().enumerate() {
            if !is_new && number % 11 != index % 11 {
                continue;
            }
            instances.push(json!({ "schema": 1, "settings": { name: value } }));
        }
    }
    agree(&hwdb, &instances);
}

#[test]
fn the_validator_and_flexctl_agree_on_everything_else() {
    if skipped("schema", &NEEDS) {
        return;
    }
    let matching = |criteria: Value| json!({ "schema": 1, "section": [{ "match": criteria }] });
    let mut instances = vec![
        json!({}),
        json!([]),
        json!({ "schema": 1 }),
        json!({ "schema": 2 }),
        json!({ "schema": "1" }),
        json!({ "schema": 1, "$schema": "x" }),
        json!({ "schema": 1, "$schema": 7 }),
        json!({ "schema": 1, "setting": {} }),
        json!({ "schema": 1, "settings": [] }),
        json!({ "schema": 1, "settings": { "NO_SUCH_SETTING": 1 } }),
        json!({ "schema": 1, "section": {} }),
        json!({ "schema": 1, "section": [] }),
        json!({ "schema": 1, "section": [1] }),
        json!({ "schema": 1, "section": [{}] }),
        json!({ "schema": 1, "section": [{ "name": "a", "settings": {} }] }),
        json!({ "schema": 1, "section": [{ "name": 1 }] }),
        json!({ "schema": 1, "section": [{ "when": {} }] }),
        matching(json!([])),
        matching(json!({ "modell": "connectx-4" })),
    ];
    let values = [
        json!(1),
        json!(2),
        json!(3),
        json!([1, 2]),
        json!(["1"]),
        json!([]),
        json!(""),
        json!([""]),
        json!("connectx-4*"),
        json!(["ConnectX-4 Lx", "*"]),
        json!(0x1013),
        json!("0x1013"),
        json!(["15b3:1015", 4099]),
        json!("1013"),
        json!(true),
        json!(null),
        json!({}),
    ];
    for key in [
        "device_id",
        "psid",
        "part_number",
        "serial",
        "interface",
        "host",
        "port",
    ] {
        for value in &values {
            instances.push(matching(json!({ key: value })));
        }
    }
    instances.push(matching(
        json!({ "model": ["connectx-4*", "ConnectX-3 Pro"], "pci": ["04:00", "*:00.0"] }),
    ));
    instances.push(matching(json!({ "model": [] })));
    instances.push(matching(json!({ "pci": 4 })));
    agree(&Hwdb::builtin().unwrap(), &instances);
}
