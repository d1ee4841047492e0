//! Profiles against small data files of their own, so that what the real ones
//! hold is no matter.

mod any_text;
mod files;
mod messages;
mod refinement;
mod resolution;

use std::path::Path;
use std::sync::LazyLock;
use std::{fs, io};

use super::{CardFacts, Desired, PortFacts, Profile, ProfileError, ProfileText, Syntax};
use crate::hwdb::Hwdb;
use crate::pci::Bdf;

const CONNECTX_3: &str = r#"
schema = 1
interface = "tools-hcr"
[[tlv]]
name = "BOOT_SETTINGS"
type = 0x2021
scope = "port"
length_bytes = 4
applies = "boot"
access = "read-write"
verified = "published"
source = ["a test"]
field = [
    { name = "BOOT_VLAN", dword = 0, bits = [11, 0], meaning = "a number" },
    { name = "BOOT_LINK_SPEED", ours = true, dword = 0, bits = [15, 12], meaning = "only here" },
    { name = "BOOT_PROTOCOL", dword = 0, bits = [18, 16], meaning = "names", values = [
        { name = "None", value = 0 }, { name = "PXE", value = 1 }, { name = "Both", value = 3 } ] },
    { name = "BOOT_RETRY_CNT", dword = 0, bits = [26, 24], meaning = "a number" },
    { name = "BOOT_VLAN_EN", dword = 0, bits = [30, 30], meaning = "a switch", boolean = true },
]
[[tlv]]
name = "VPI_SETTINGS"
type = 0x12
scope = "port"
length_bytes = 4
applies = "firmware-reset"
access = "read-only"
verified = "published"
source = ["a test"]
field = [{ name = "LINK_TYPE", dword = 0, bits = [1, 0], meaning = "read here", values = [
    { name = "IB", value = 1 }, { name = "ETH", value = 2 } ] },
    { name = "ROM_LEVEL", dword = 0, bits = [7, 4], meaning = "read everywhere" }]
"#;

const CONNECTX_4: &str = r#"
schema = 1
interface = "icmd"
[[tlv]]
name = "nv_rom_boot_conf1"
class = "host"
type = 0x221
scope = "function"
length_bytes = 4
applies = "boot"
access = "read-write"
verified = "published"
source = ["a test"]
field = [
    { name = "BOOT_VLAN", dword = 0, bits = [11, 0], meaning = "a number", range = { min = 1, max = 4094 } },
    { name = "BOOT_PROTOCOL", dword = 0, bits = [18, 16], meaning = "names", values = [
        { name = "None", value = 0 }, { name = "PXE", value = 1 }, { name = "PXE_WO_FAIL", value = 4 } ] },
    { name = "BOOT_RETRY_CNT", aliases = ["BOOT_RETRY_CNT1"], dword = 0, bits = [26, 24], meaning = "a number" },
    { name = "BOOT_VLAN_EN", dword = 0, bits = [30, 30], meaning = "a switch", boolean = true },
]
[[tlv]]
name = "nv_vpi_link_type"
class = "port"
type = 0x12
scope = "port"
length_bytes = 4
applies = "firmware-reset"
access = "read-write"
verified = "published"
source = ["a test"]
field = [{ name = "LINK_TYPE", dword = 0, bits = [3, 2], meaning = "names", values = [
    { name = "IB", value = 1 }, { name = "ETH", value = 2 } ] }]
[[tlv]]
name = "nv_global_pci_conf"
class = "global"
type = 0x80
scope = "card"
length_bytes = 4
applies = "firmware-reset"
access = "read-write"
verified = "published"
source = ["a test"]
field = [{ name = "SRIOV_EN", dword = 0, bits = [31, 31], meaning = "of the card", boolean = true },
    { name = "NUM_OF_VFS", dword = 0, bits = [15, 0], meaning = "of the card" }]
[[tlv]]
name = "nv_rom_cap"
class = "port"
type = 0x101
scope = "port"
length_bytes = 4
applies = "firmware-reset"
access = "read-only"
verified = "published"
source = ["a test"]
field = [{ name = "ROM_LEVEL", dword = 0, bits = [7, 4], meaning = "read everywhere" }]
[[tlv]]
name = "nv_rom_iscsi"
class = "host"
type = 0x211
scope = "function"
length_bytes = 64
applies = "boot"
access = "read-write"
verified = "published"
source = ["a test"]
field = [
    { name = "ISCSI_NAME", text = { offset = 0, length = 32, format = "text" }, meaning = "a text" },
    { name = "ISCSI_CHAP_PWD", text = { offset = 32, length = 16, format = "text" }, meaning = "a secret", secret = true },
    { name = "ISCSI_ADDRESS", text = { offset = 48, length = 16, format = "ipv4" }, meaning = "an address" },
]
"#;

static HWDB: LazyLock<Hwdb> = LazyLock::new(|| {
    let folder = tempfile::tempdir().unwrap();
    let settings = folder.path().join("settings");
    fs::create_dir(&settings).unwrap();
    fs::write(settings.join("connectx-3.toml"), CONNECTX_3).unwrap();
    fs::write(settings.join("connectx-4.toml"), CONNECTX_4).unwrap();
    Hwdb::with_folder(folder.path()).unwrap()
});

/// The files beside the profiles of these tests.
fn beside(file: &Path) -> io::Result<String> {
    match file.to_str() {
        Some("chap.txt") => Ok("correct horse\n".to_owned()),
        Some("./dos.txt") => Ok("battery\r\n".to_owned()),
        Some("two.txt") => Ok("one\ntwo\n".to_owned()),
        Some("empty.txt") => Ok("\n".to_owned()),
        Some("long.txt") => Ok("staple".repeat(9)),
        _ => Err(io::ErrorKind::NotFound.into()),
    }
}

fn parse_as(name: &str, text: &str) -> Result<Profile, ProfileError> {
    let source = ProfileText {
        path: Path::new(name),
        syntax: Syntax::of(Path::new(name)),
        text,
    };
    Profile::parse(&source, &HWDB, &beside)
}

fn parse(text: &str) -> Result<Profile, ProfileError> {
    parse_as("p.toml", &format!("schema = 1\n{text}"))
}

/// What is wrong with a profile whose second line is the first of `text`.
fn refused(text: &str) -> String {
    parse(text).unwrap_err().to_string()
}

/// A card with two ports.
fn card(name: &str) -> CardFacts<'static> {
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

fn resolve(text: &str, name: &str) -> Result<Desired, ProfileError> {
    let profile = parse(text).unwrap_or_else(|error| panic!("{error}"));
    profile.resolve(&card(name))
}

/// The entries as `BOOT_VLAN of 1 is 7, line 3`.
fn wanted(text: &str, name: &str) -> Vec<String> {
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

fn notes(text: &str, name: &str) -> Vec<String> {
    let desired = resolve(text, name).unwrap_or_else(|error| panic!("{error}"));
    desired.notes.iter().map(ToString::to_string).collect()
}
