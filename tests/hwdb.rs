//! The data files: what is shipped loads, what breaks a rule is named.

#![allow(clippy::unwrap_used)]
use std::fs;
use std::path::Path;

use flexctl::hwdb::{Access, Hwdb, Verified};

#[test]
fn the_shipped_files_load_and_every_record_has_a_source() {
    let hwdb = Hwdb::builtin().unwrap();
    let ids: Vec<u16> = hwdb
        .devices()
        .iter()
        .map(|device| device.pci_device)
        .collect();
    assert_eq!(ids, [0x1003, 0x1007, 0x1013, 0x1015]);
    for device in hwdb.devices() {
        for tlv in &hwdb.settings(device).tlv {
            assert!(!tlv.source.is_empty(), "{}", tlv.name);
            assert!(tlv.verified != Verified::Unverified || tlv.access == Access::ReadOnly);
        }
    }
}

/// One overlay file and the text that its refusal must contain.
fn refused(folder: &str, name: &str, text: &str) -> String {
    let overlay = tempfile::tempdir().unwrap();
    fs::create_dir(overlay.path().join(folder)).unwrap();
    fs::write(overlay.path().join(folder).join(name), text).unwrap();
    let error = Hwdb::with_folder(overlay.path()).unwrap_err();
    let mut message = error.to_string();
    let mut cause = std::error::Error::source(&error);
    while let Some(source) = cause {
        message = format!("{message}: {source}");
        cause = source.source();
    }
    assert!(message.contains(name), "{message}");
    message
}

fn shipped(path: &str) -> String {
    fs::read_to_string(Path::new("hwdb").join(path)).unwrap()
}

#[test]
fn a_broken_rule_is_named_with_file_and_record() {
    let settings = shipped("settings/connectx-3.toml");
    let device = shipped("devices/connectx-3.toml");
    for (folder, text, expected) in [
        (
            "settings",
            settings.replacen("bits = [11, 0]", "bits = [15, 0]", 1),
            "BOOT_LINK_SPEED: overlaps another field",
        ),
        (
            "settings",
            settings.replacen("bits = [11, 0]", "bits = [0, 11]", 1),
            "BOOT_VLAN: bits is not [high, low]",
        ),
        (
            "settings",
            settings.replacen("value = 3 }", "value = 300 }", 1),
            "does not fit",
        ),
        (
            "settings",
            settings.replacen("length_bytes = 4", "length_bytes = 5", 1),
            "multiple of 4",
        ),
        (
            "settings",
            settings.replacen("agrees-with-mstflint-4.21", "unverified", 1),
            "may therefore only be read",
        ),
        (
            "settings",
            settings.replacen("unit = \"s\"", "colour = \"red\"", 1),
            "colour",
        ),
        (
            "devices",
            device.replacen("0x1003", "0x1007", 1),
            "another device has the same",
        ),
        (
            "devices",
            device.replacen("settings = \"connectx-3\"", "settings = \"none\"", 1),
            "there is no settings file `none`",
        ),
        (
            "devices",
            device.replacen("\"bar0\", ", "\"vsec\", ", 1),
            "reached through",
        ),
    ] {
        let message = refused(folder, "connectx-3.toml", &text);
        assert!(message.contains(expected), "{expected}: {message}");
    }
}

#[test]
fn a_folder_that_is_not_there_is_not_an_empty_overlay() {
    assert!(Hwdb::with_folder(Path::new("no/such/folder")).is_err());
}
