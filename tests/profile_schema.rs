//! Profiles with the data files that are part of the program: the JSON Schema in
//! the repository, the examples, and that what is exported reads back.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "what these functions make is part of the test"
)]

use std::path::{Path, PathBuf};
use std::{env, fs};

use flexctl::hwdb::{Device, Hwdb};
use flexctl::pci::Bdf;
use flexctl::settings::profile::{CardFacts, PortFacts, Profile, profile_schema};
use serde_json::Value;

const SCHEMA: &str = "schemas/profile-1.json";

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn example(name: &str) -> PathBuf {
    root().join("scripts/examples").join(name)
}

fn card<'a>(hwdb: &'a Hwdb, device: &Device, host: &str) -> CardFacts<'a> {
    let address: Bdf = "04:00.0".parse().unwrap();
    let port = |port| PortFacts {
        port,
        function: address,
        interfaces: Vec::new(),
    };
    CardFacts {
        model_name: device.name.clone(),
        model_title: device.title.clone(),
        device_id: device.pci_device,
        psid: None,
        part_number: None,
        serial: None,
        addresses: vec![address],
        host: host.to_owned(),
        ports: vec![port(1), port(2)],
        settings: hwdb.settings(device),
    }
}

/// What a profile says of a setting of port 1 and 2.
fn said(profile: &Profile, card: &CardFacts<'_>, setting: &str) -> Vec<String> {
    let desired = profile.resolve(card).unwrap();
    let entries = desired.entries.iter();
    entries
        .filter(|entry| entry.setting == setting)
        .map(|entry| entry.value_text.clone())
        .collect()
}

#[test]
fn the_schema_in_the_repository_is_that_of_the_data_files() {
    let schema = profile_schema(&Hwdb::builtin().unwrap());
    let text = serde_json::to_string_pretty(&schema).unwrap() + "\n";
    let path = root().join(SCHEMA);
    if env::var_os("FLEXCTL_UPDATE").is_some_and(|value| value == "1") {
        fs::write(&path, &text).unwrap();
    }
    let found = fs::read_to_string(&path).unwrap_or_default();
    // Not assert_eq: nobody reads two whole schemas.
    assert!(
        found == text,
        "{SCHEMA} is not what the data files give; \
         write it anew: FLEXCTL_UPDATE=1 cargo test --test profile_schema"
    );
}

#[test]
fn the_schema_names_what_a_profile_may_set_and_nothing_else() {
    let hwdb = Hwdb::builtin().unwrap();
    let schema = profile_schema(&hwdb);
    let names = schema["$defs"]["settings"]["properties"]
        .as_object()
        .unwrap();
    assert_eq!(
        schema["$defs"]["setting-IP_VER"]["anyOf"],
        serde_json::json!([{ "enum": ["IPv4", "IPv6", "IPv4_IPv6", "IPv6_IPv4", 0, 1, 2, 3] }])
    );
    for name in [
        "IP_VER",
        "IP_VER_P1",
        "IP_VER_P2",
        "BOOT_RETRY_CNT1",
        "BOOT_RETRY_CNT1_P2",
    ] {
        assert!(names.contains_key(name), "{name}");
    }
    for device in hwdb.devices() {
        for (_, field) in hwdb.settings(device).settings() {
            let text = format!(
                "schema = 1\n[[section]]\nmatch.port = 1\nsettings.{} = []\n",
                field.name
            );
            let known = names.contains_key(&format!("{}_P1", field.name));
            let refused = parse_toml(&text, &hwdb).unwrap_err();
            let is_for_a_port = refused.contains("expected");
            assert_eq!(known, is_for_a_port, "{}: {refused}", field.name);
            assert!(
                known || refused.contains("whole card") || refused.contains("only be read"),
                "{refused}"
            );
        }
    }
    assert!(!names.contains_key("FROBNICATE"));
}

fn parse_toml(text: &str, hwdb: &Hwdb) -> Result<Profile, String> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("p.toml");
    fs::write(&path, text).unwrap();
    Profile::load(&path, hwdb).map_err(|error| error.to_string())
}

#[test]
fn the_examples_are_profiles_and_say_what_their_comments_say() {
    let hwdb = Hwdb::builtin().unwrap();
    let toml = Profile::load(&example("profile.toml"), &hwdb).unwrap();
    let json = Profile::load(&example("profile.json"), &hwdb).unwrap();
    for device in hwdb.devices() {
        for profile in [&toml, &json] {
            let card = |host| card(&hwdb, device, host);
            assert_eq!(
                said(profile, &card("node1"), "IP_VER"),
                ["IPv4_IPv6(2)", "IPv4_IPv6(2)"]
            );
            assert_eq!(
                said(profile, &card("node1"), "LEGACY_BOOT_PROTOCOL"),
                ["PXE(1)", "None(0)"]
            );
            assert_eq!(said(profile, &card("node70"), "BOOT_VLAN"), ["7"]);
            assert_eq!(
                said(profile, &card("node71.example.org"), "BOOT_VLAN"),
                ["77"]
            );
            assert_eq!(
                said(profile, &card("gateway"), "IP_VER"),
                ["IPv6(1)", "IPv4_IPv6(2)"]
            );
            let waits = said(profile, &card("node80"), "BOOT_UNDI_NETWORK_WAIT");
            let expected = if device.settings == "connectx-4" {
                2
            } else {
                0
            };
            assert_eq!(waits.len(), expected, "{}", device.name);
        }
    }
}

#[test]
fn both_examples_say_the_same() {
    let toml: Value =
        toml::from_str(&fs::read_to_string(example("profile.toml")).unwrap()).unwrap();
    let json = fs::read_to_string(example("profile.json")).unwrap();
    let mut json: Value = serde_json::from_str(&json).unwrap();
    json.as_object_mut().unwrap().remove("$schema");
    assert_eq!(toml, json);
}
