//! Data files, cards and short ways to profiles for the other tests.

use std::path::Path;
use std::sync::LazyLock;
use std::{fs, io};

use crate::hwdb::Hwdb;
use crate::pci::Bdf;
use crate::settings::profile::{
    CardFacts, Desired, PortFacts, Profile, ProfileError, ProfileText, Syntax,
};

const CONNECTX_3: &str = include_str!("connectx-3.toml");
const CONNECTX_4: &str = include_str!("connectx-4.toml");

pub(super) static HWDB: LazyLock<Hwdb> = LazyLock::new(|| {
    let folder = tempfile::tempdir().unwrap();
    let settings = folder.path().join("settings");
    fs::create_dir(&settings).unwrap();
    fs::write(settings.join("connectx-3.toml"), CONNECTX_3).unwrap();
    fs::write(settings.join("connectx-4.toml"), CONNECTX_4).unwrap();
    Hwdb::with_folder(folder.path()).unwrap()
});

/// The files beside the profiles of these tests.
pub(super) fn beside(file: &Path) -> io::Result<String> {
    match file.to_str() {
        Some("chap.txt") => Ok("correct horse\n".to_owned()),
        Some("./dos.txt") => Ok("battery\r\n".to_owned()),
        Some("two.txt") => Ok("one\ntwo\n".to_owned()),
        Some("empty.txt") => Ok("\n".to_owned()),
        Some("long.txt") => Ok("staple".repeat(9)),
        _ => Err(io::ErrorKind::NotFound.into()),
    }
}

pub(super) fn parse_as(name: &str, text: &str) -> Result<Profile, ProfileError> {
    let source = ProfileText {
        path: Path::new(name),
        syntax: Syntax::of(Path::new(name)),
        text,
    };
    Profile::parse(&source, &HWDB, &beside)
}

pub(super) fn parse(text: &str) -> Result<Profile, ProfileError> {
    parse_as("p.toml", &format!("schema = 1\n{text}"))
}

/// What is wrong with a profile whose second line is the first of `text`.
pub(super) fn refused(text: &str) -> String {
    parse(text).unwrap_err().to_string()
}

/// A card with two ports.
pub(super) fn card(name: &str) -> CardFacts<'static> {
    let hwdb: &'static Hwdb = &HWDB;
    let device = hwdb.devices().iter().find(|device| device.name == name);
    let device = device.unwrap();
    let first: Bdf = "04:00.0".parse().unwrap();
    let second = if name.starts_with("connectx-4") {
        first.with_function(1)
    } else {
        first
    };
    let port = |port, function, interface: &str| PortFacts {
        port,
        function,
        interfaces: vec![interface.to_owned()],
    };
    CardFacts {
        model_name: device.name.clone(),
        model_title: device.title.clone(),
        device_id: device.pci_device,
        psid: Some("MT_2120110027".to_owned()),
        part_number: Some("MCX416A-CCAT".to_owned()),
        serial: None,
        addresses: vec![first, second],
        host: "node17.example.org".to_owned(),
        ports: vec![port(1, first, "eth4"), port(2, second, "eth5")],
        settings: hwdb.settings(device),
    }
}

pub(super) fn resolve(text: &str, name: &str) -> Result<Desired, ProfileError> {
    let profile = parse(text).unwrap_or_else(|error| panic!("{error}"));
    profile.resolve(&card(name))
}

/// The entries as `BOOT_VLAN of 1 is 7, line 3`.
pub(super) fn wanted(text: &str, name: &str) -> Vec<String> {
    let desired = resolve(text, name).unwrap_or_else(|error| panic!("{error}"));
    let entries = desired.entries.iter();
    entries
        .map(|entry| {
            format!(
                "{} of {} is {}, line {}",
                entry.setting, entry.port, entry.value_text, entry.line
            )
        })
        .collect()
}

pub(super) fn notes(text: &str, name: &str) -> Vec<String> {
    let desired = resolve(text, name).unwrap_or_else(|error| panic!("{error}"));
    desired.notes.iter().map(ToString::to_string).collect()
}
