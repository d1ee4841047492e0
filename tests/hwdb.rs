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
    let defaults = shipped("boot-defaults/connectx-3.toml");
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
        (
            "boot-defaults",
            defaults.replacen("bits = [25, 24]", "bits = [24, 23]", 1),
            "IP_VER: overlaps another default",
        ),
        (
            "boot-defaults",
            defaults.replacen("bits = [11, 0]", "bits = [10, 0]", 1),
            "BOOT_VLAN: its `default` in the settings file lies elsewhere",
        ),
        (
            "boot-defaults",
            defaults.replacen("mask = 0xf0ff0fff", "mask = 0xf0ff07ff", 1),
            "BOOT_VLAN: has bits that the mask leaves alone",
        ),
        (
            "boot-defaults",
            defaults.replacen("\"BOOT_PKEY\"", "\"BOOT_KEY\"", 1),
            "BOOT_KEY: there is no such setting",
        ),
        (
            "boot-defaults",
            defaults.replacen("offset = 0x08", "offset = 0x14", 1),
            "lies over another register",
        ),
    ] {
        let message = refused(folder, "connectx-3.toml", &text);
        assert!(message.contains(expected), "{expected}: {message}");
    }
}

/// A settings file of one ConnectX-4 TLV of 8 bytes with these fields.
fn tlv_with(fields: &str) -> String {
    format!(
        r#"
schema = 1
interface = "icmd"
[[tlv]]
name = "made_up"
class = "host"
type = 0x3f0
scope = "function"
length_bytes = 8
applies = "boot"
access = "read-write"
verified = "published"
source = ["nowhere"]
{fields}
"#
    )
}

/// A field of it: its place, and further keys.
fn field(name: &str, place: &str, more: &str) -> String {
    format!("[[tlv.field]]\nname = \"{name}\"\nmeaning = \"something\"\n{place}\n{more}\n")
}

const NUMBER: &str = "dword = 0\nbits = [3, 0]";
const TEXT: &str = "text = { offset = 0, length = 8, format = \"text\" }";

#[test]
fn a_broken_rule_of_a_field_is_named() {
    let number = |more: &str| tlv_with(&field("A", NUMBER, more));
    let text = |place: &str, more: &str| tlv_with(&field("A", &format!("text = {place}"), more));
    let two = |one: &str, other: &str| tlv_with(&(field("A", one, "") + &field("B", other, "")));
    for (file, expected) in [
        (
            number("text = { offset = 4, length = 4, format = \"text\" }"),
            "needs either",
        ),
        (tlv_with(&field("A", "dword = 0", "")), "needs either"),
        (
            tlv_with(&field("A", "dword = 2\nbits = [0, 0]", "")),
            "dword 2 is outside of made_up",
        ),
        (
            text("{ offset = 4, length = 5, format = \"text\" }", ""),
            "its text is outside of made_up",
        ),
        (
            text(
                "{ offset = 0, length = 9223372036854775807, format = \"text\" }",
                "",
            ),
            "its text is outside of made_up",
        ),
        (
            tlv_with(&field(
                "A",
                "dword = 9223372036854775807\nbits = [0, 0]",
                "",
            )),
            "is outside of made_up",
        ),
        (
            number("valid = { dword = 9223372036854775807, bit = 0, name = \"v\" }"),
            "valid is outside of its TLV",
        ),
        (
            text("{ offset = 0, length = 8, format = \"poem\" }", ""),
            "poem",
        ),
        (
            text(
                "{ offset = 0, length = 8, format = \"text\", longest = 9 }",
                "",
            ),
            "shortest <= longest",
        ),
        (
            text(
                "{ offset = 0, length = 8, format = \"text\", longest = 0 }",
                "",
            ),
            "shortest <= longest",
        ),
        (
            text(
                "{ offset = 0, length = 8, format = \"text\", shortest = 9 }",
                "",
            ),
            "shortest <= longest",
        ),
        (
            two(
                "text = { offset = 0, length = 1, format = \"text\" }",
                "dword = 0\nbits = [31, 24]",
            ),
            "B: overlaps another field",
        ),
        (
            two(
                "dword = 0\nbits = [24, 0]",
                "text = { offset = 0, length = 1, format = \"text\" }",
            ),
            "B: overlaps another field",
        ),
        (two(TEXT, TEXT), "B: overlaps another field"),
        (number("secret = true"), "only texts can be secret"),
        (
            number("boolean = true\nvalues = [{ name = \"On\", value = 1 }]"),
            "`boolean` and `values`",
        ),
        (
            number("values = [{ name = \"On\", value = 1 }]\nrange = { min = 0, max = 1 }"),
            "has values and a range",
        ),
        (
            number("values = [{ name = \"On\", value = 1 }, { name = \"ON\", value = 2 }]"),
            "two values have the same name",
        ),
        (number("range = { min = 2, max = 1 }"), "range does not fit"),
        (
            number("range = { min = 0, max = 16 }"),
            "range does not fit",
        ),
        (number("texts = [\"On\"]"), "texts are for texts"),
        (
            tlv_with(&field("A", TEXT, "range = { min = 0, max = 1 }")),
            "are for numbers",
        ),
        (
            tlv_with(&field("A", TEXT, "boolean = true")),
            "are for numbers",
        ),
        (
            tlv_with(&field("A", TEXT, "unit = \"s\"")),
            "default and unit are for numbers",
        ),
        (
            tlv_with(&field("A", TEXT, "texts = [\"much too long\"]")),
            "one of its texts",
        ),
        (
            text(
                "{ offset = 0, length = 8, format = \"port\" }",
                "texts = [\"http\"]",
            ),
            "one of its texts",
        ),
        (
            number("valid = { dword = 2, bit = 0, name = \"v\" }"),
            "valid is outside of its TLV",
        ),
        (
            number("valid = { dword = 0, bit = 32, name = \"v\" }"),
            "valid is outside of its TLV",
        ),
        (
            number("default = { dword = 1, bits = [3, 0] }"),
            "default is for the tools HCR",
        ),
        (
            number("effective_with = { setting = \"B\", values = [1] }"),
            "there is no B",
        ),
        (
            number("effective_with = { setting = \"A\", values = [16] }"),
            "needs legal values",
        ),
        (
            number("effective_with = { setting = \"A\", values = [] }"),
            "needs legal values",
        ),
        (
            number("requires = [{ kind = \"dev-cap\", bit = 0, name = \"c\" }]"),
            "of another firmware interface",
        ),
        (
            number("limit = { kind = \"dev-cap\", offset = 0, bits = [3, 0], name = \"c\" }"),
            "limit is of another firmware interface",
        ),
        (number("risk = \"certain\""), "certain"),
        (
            tlv_with(&field("A_p1", NUMBER, "")),
            "ends like mlxconfig's names",
        ),
        (
            tlv_with(&field("A", NUMBER, "aliases = [\"a\"]")),
            "is the name of two settings",
        ),
        (
            number("").replace("\"boot\"", "\"boot\"\nversion = 16"),
            "version is not a number of 4 bits",
        ),
        (
            number("").replace("class = \"host\"\n", ""),
            "class is for the ICMD interface",
        ),
        (
            number("")
                + &number("")
                    .split_once("\"icmd\"")
                    .unwrap()
                    .1
                    .replace("\"A\"", "\"B\""),
            "has the type of another TLV",
        ),
    ] {
        let message = refused("settings", "made-up.toml", &file);
        assert!(message.contains(expected), "{expected}: {message}");
    }
}

#[test]
fn a_default_is_of_the_answer_that_the_tlv_belongs_to() {
    let settings = shipped("settings/connectx-3.toml");
    for (from, to) in [
        ("default = { dword", "default = { of = \"card\", dword"),
        ("default = { of = \"card\", dword", "default = { dword"),
    ] {
        let broken = settings.replacen(from, to, 1);
        let message = refused("settings", "connectx-3.toml", &broken);
        assert!(message.contains("the default of a card's TLV"), "{message}");
    }
}

#[test]
fn a_file_includes_what_is_there_and_fits() {
    let whole = |include: &str| {
        tlv_with(&field("A", NUMBER, "")).replacen(
            "schema = 1",
            &format!("schema = 1\ninclude = [\"{include}\"]"),
            1,
        )
    };
    for (include, expected) in [
        ("nowhere", "include: there is no file `nowhere`"),
        (
            "connectx-3-rom",
            "include: `connectx-3-rom` is for another firmware interface",
        ),
        ("connectx-4", "include: `connectx-4` includes files itself"),
        ("made-up", "include: `made-up` includes files itself"),
    ] {
        let message = refused("settings", "made-up.toml", &whole(include));
        assert!(message.contains(expected), "{expected}: {message}");
    }
    // A name or type in two of its parts is noticed in the whole.
    let twice = whole("connectx-4-debug").replace("\"A\"", "\"uefi_logs\"");
    let message = refused("settings", "made-up.toml", &twice);
    assert!(
        message.contains("UEFI_LOGS: is the name of two settings"),
        "{message}"
    );
    let twice = whole("connectx-4-debug").replace("0x3f0", "0x204");
    let message = refused("settings", "made-up.toml", &twice);
    assert!(message.contains("has the type of another TLV"), "{message}");
    // A part that breaks a rule is named itself, not the file that includes it.
    let part = shipped("settings/connectx-4-debug.toml");
    let part = part.replacen("bits = [31, 31]", "bits = [31, 29]", 1);
    let message = refused("settings", "connectx-4-debug.toml", &part);
    assert!(message.contains("overlaps another field"), "{message}");
}

#[test]
fn a_folder_that_is_not_there_is_not_an_empty_overlay() {
    assert!(Hwdb::with_folder(Path::new("no/such/folder")).is_err());
}
