//! What Debian's mstflint 4.21 says of the FS2 images that flexctl builds and
//! edits. Its exit code says nothing of a wrong CRC, so its output is read.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod ring;

use std::path::Path;
use std::process::Command;

use flexctl::hwdb::Hwdb;
use flexctl::image::build::{Fs2Description, flash_dump};
use flexctl::image::fs2::{self, DefaultChange, FileShape, Fs2File, edit_boot_defaults, edit_rom};
use flexctl::image::{EditPolicy, FirmwareFacts, RomEdit, Severity, worst};
use ring::Need;

const NEEDS: [Need; 1] = [Need::Program("mstflint")];
const GUIDS: &str = r#"guids = ["0002c90300a1b2c0", "0002c90300a1b2c1", "0002c90300a1b2c2",
    "0002c90300a1b2c3", "0002c9a1b2c1", "0002c9a1b2c2"]
mic_version = "2.0.0"
"#;

/// How mstflint ends a verification of an image whose GUIDs are not set.
const BLANK: &str = "-E- FW image verification failed: \
    BLANK GUIDS. AN HCA DEVICE CAN NOT BOOT FROM THIS IMAGE.";

fn image(text: &str) -> Vec<u8> {
    let text = format!("format = \"fs2\"\n{text}");
    Fs2Description::from_toml(&text).unwrap().build().unwrap()
}

/// What mstflint prints, and whether it ended well.
fn mstflint(file: &Path, arguments: &[&str]) -> (String, bool) {
    let run = Command::new("mstflint")
        .arg("-i")
        .arg(file)
        .args(arguments)
        .output()
        .unwrap();
    let said = [run.stdout, run.stderr].concat();
    (
        String::from_utf8_lossy(&said).into_owned(),
        run.status.success(),
    )
}

/// What mstflint and flexctl both have to say of a file: nothing bad.
fn accepted(bytes: &[u8], shape: FileShape) -> String {
    let parsed = fs2::parse(bytes);
    let file = parsed.tree.unwrap();
    assert_eq!(file.shape, shape);
    let findings = [parsed.findings, file.check()].concat();
    assert!(worst(&findings) < Some(Severity::Warning), "{findings:#?}");
    assert!(file.layout().to_bytes() == bytes);

    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("image.bin");
    std::fs::write(&path, bytes).unwrap();
    let is_blank = file.images().all(fs2::Fs2Image::has_blank_guids);
    let striped: &[&str] = match shape {
        FileShape::Contiguous => &[],
        FileShape::Striped => &["-striped_image"],
    };
    let run = |arguments: &[&str]| {
        let (mut said, mut ended_well) = mstflint(&path, &[striped, arguments].concat());
        if said.contains(BLANK) {
            assert!(is_blank && !ended_well, "{arguments:?}: {said}");
            said = said.replace(BLANK, "");
            ended_well = true;
        }
        for bad in ["wrong CRC", "-E-", "ERROR", "too big", "unexpected"] {
            assert!(!said.contains(bad), "{arguments:?}: {said}");
        }
        assert!(ended_well, "{arguments:?}: {said}");
        said
    };
    let verified = run(&["v"]);
    let succeeded = verified.contains("FW image verification succeeded");
    assert!(succeeded || is_blank, "{verified}");
    run(&["q"]);
    let full = run(&["q", "full"]);
    let ini = run(&["dc"]);
    let slot = file.images().next().unwrap().slot;
    same_facts(&file, slot, &full);
    let image = file.slot(slot).unwrap();
    assert_eq!(
        ini.trim(),
        String::from_utf8(image.ini().unwrap().unwrap())
            .unwrap()
            .trim()
    );
    // rrom ignores -striped_image, and finds no image in odd chunks.
    let alone = shape == FileShape::Contiguous;
    if let Some(rom) = file.rom(slot).filter(|_| alone) {
        let to = directory.path().join("rom.bin");
        run(&["rrom", to.to_str().unwrap()]);
        assert!(std::fs::read(to).unwrap() == *rom);
    }
    verified
}

/// One line of `q full`.
fn line<'a>(said: &'a str, title: &str) -> Option<&'a str> {
    said.lines()
        .find_map(|line| line.strip_prefix(title)?.strip_prefix(':'))
        .map(str::trim)
}

fn same_facts(file: &Fs2File<'_>, slot: usize, said: &str) {
    let facts: FirmwareFacts = file.facts(slot).unwrap();
    assert_eq!(line(said, "Image type"), Some("FS2"));
    let version = facts.version.map(|version| version.to_string());
    assert_eq!(line(said, "FW Version"), version.as_deref(), "{said}");
    let date = facts.release_date.unwrap();
    let date = format!("{}.{}.{}", date.day, date.month, date.year);
    assert_eq!(line(said, "FW Release Date"), Some(&date[..]), "{said}");
    assert_eq!(
        line(said, "MIC Version"),
        facts.mic_version.as_deref(),
        "{said}"
    );
    assert_eq!(
        line(said, "Product Version"),
        facts.product_version.as_deref(),
        "{said}"
    );
    assert_eq!(line(said, "PSID"), facts.psid.as_deref(), "{said}");
    assert_eq!(line(said, "PRS Name"), facts.prs_name.as_deref(), "{said}");
    let device = facts.pci_device_id.map(|id| id.to_string());
    assert_eq!(line(said, "Device ID"), device.as_deref(), "{said}");
    assert_eq!(
        line(said, "VSD").unwrap_or(""),
        facts.vsd.unwrap_or_default(),
        "{said}"
    );
    let guids: Vec<String> = facts
        .addresses
        .iter()
        .map(|fact| match fact.kind {
            flexctl::image::AddressKind::Guid => format!("{:016x}", fact.first),
            flexctl::image::AddressKind::Mac => format!("{:012x}", fact.first),
        })
        .collect();
    for guid in guids {
        assert!(said.contains(&guid), "{guid}: {said}");
    }
}

#[test]
fn what_is_built_is_accepted() {
    if ring::skipped("mstflint", &NEEDS) {
        return;
    }
    let rom = "rom = { hex = \"55aa0200 6d6c787369676e3a 03001000 f0020400 ff000310\" }\n";
    for text in [
        "",
        "chunk = 0x80000\n",
        "single_boot2 = true\n",
        "mic_version = \"2.1.3\"\n",
        "product_version = \"rel-2_42_5000\"\nvsd = \"some data\"\nprs_name = \"a.prs\"\n",
        "hardware_ids = [0x1f5, 0x1f7]\ndevice_id = 0x1007\nini = \"[image]\\nkey = 1\\n\"\n",
        "late_configuration = [[0x1f064, 1, 2]]\nchunk = 0x10000\n",
    ] {
        for guids in ["", GUIDS] {
            if guids.contains("mic") && text.contains("mic") {
                continue;
            }
            for rom in ["", rom] {
                let text = format!("{text}{guids}{rom}");
                println!("{text}");
                accepted(&image(&text), FileShape::Contiguous);
            }
        }
    }
}

/// A ROM of so many bytes with the version record of a ConnectX-3.
fn rom(length: usize, seed: u8) -> Vec<u8> {
    let record = b"mlxsign:\x03\x00\x10\x00\xf0\x02\x04\x00\xff\x00\x03\x10";
    let mut rom = vec![seed; 0x200];
    rom[..4].copy_from_slice(&[0x55, 0xaa, 1, 0]);
    rom[0x18..0x1c].copy_from_slice(&[0x1c, 0, 0, 0]);
    rom[0x1c..0x34]
        .copy_from_slice(b"PCIR\xb3\x15\x03\x10\0\0\x18\0\0\0\0\x02\x01\0\0\0\0\x80\0\0");
    rom.resize(length - record.len(), seed);
    rom.extend(record);
    rom
}

fn policy(slot: usize) -> EditPolicy {
    EditPolicy {
        slot: Some(slot),
        ..EditPolicy::default()
    }
}

/// Contents of the sections of code of an image of about so many bytes.
fn code(bytes: usize) -> String {
    let sections = (bytes / 0x3_0000).max(1);
    let size = bytes / sections / 4 * 4;
    let sections: Vec<String> = (0..sections)
        .map(|seed| format!("{{ random = {seed}, size = {size} }}"))
        .collect();
    format!("code = [{}]\n", sections.join(", "))
}

/// Every edit of the ROM of a file, and back: each step is accepted.
fn edits(original: &[u8], shape: FileShape, slot: usize) {
    let step = |bytes: &[u8], edit: RomEdit<'_>, expected: Option<&[u8]>| {
        let edited = edit_rom(bytes, edit, &policy(slot)).unwrap();
        assert_eq!(edited.slot, slot);
        accepted(&edited.bytes, shape);
        let parsed = fs2::parse(&edited.bytes).tree.unwrap();
        assert_eq!(parsed.rom(slot).as_deref(), expected);
        edited.bytes
    };
    let (small, large, larger) = (rom(0x4004, 1), rom(0x8000, 2), rom(0x1_9814, 3));
    let first = step(original, RomEdit::Insert(&large), Some(&large));
    assert!(step(&first, RomEdit::Replace(&large), Some(&large)) == first);
    let grown = step(&first, RomEdit::Replace(&larger), Some(&larger));
    let shrunk = step(&grown, RomEdit::Replace(&small), Some(&small));
    let back = step(&shrunk, RomEdit::Replace(&large), Some(&large));
    assert!(back == first, "{shape:?} {slot}");
    let without = step(&back, RomEdit::Remove, None);
    assert!(without == original, "{shape:?} {slot}");
    assert!(step(&without, RomEdit::Insert(&large), Some(&large)) == first);
}

#[test]
fn roms_go_in_and_out_of_images_of_any_size() {
    if ring::skipped("mstflint", &NEEDS) {
        return;
    }
    for (size, head, guids) in [
        (0x1_1000, "", ""),
        (0x1_1000, "chunk = 0x10000\n", GUIDS),
        (0x8_0000, "chunk = 0x80000\n", GUIDS),
        (0x8_0000, "single_boot2 = true\nchunk = 0x10000\n", ""),
        (0x10_0000, "chunk = 0x80000\n", GUIDS),
        (0x1f_0000, "single_boot2 = true\n", GUIDS),
    ] {
        let original = image(&format!("{head}{guids}{}", code(size)));
        edits(&original, FileShape::Contiguous, 0);
    }
}

#[test]
fn roms_go_in_and_out_of_either_slot_of_a_dump() {
    if ring::skipped("mstflint", &NEEDS) {
        return;
    }
    for (flash, size, chunk, slots) in [
        (0x20_0000, 0x2_0000, 0x8_0000, "[0]"),
        (0x20_0000, 0xc_0000, 0x8_0000, "[1]"),
        (0x20_0000, 0xc_0000, 0x1_0000, "[0, 1]"),
        (0x100_0000, 0x2_0000, 0x2_0000, "[1]"),
        (0x100_0000, 0x30_0000, 0x8_0000, "[0, 1]"),
    ] {
        {
            let text = format!(
                "chunk = {chunk}\n{}{GUIDS}flash = {{ size = {flash}, slots = {slots} }}\n",
                code(size)
            );
            let original = image(&text);
            for slot in [0, 1]
                .into_iter()
                .filter(|slot| slots.contains(&slot.to_string()))
            {
                println!("{flash:#x} {size:#x} {chunk:#x} {slots} {slot}");
                edits(&original, FileShape::Striped, slot);
            }
        }
    }
}

#[test]
fn both_slots_are_sound_after_an_edit_of_one() {
    if ring::skipped("mstflint", &NEEDS) {
        return;
    }
    // mstflint looks at the first image of a file only: each is looked at alone.
    let one = image(&format!(
        "chunk = 0x80000\nfirmware = \"2.42.5000\"\n{}{GUIDS}",
        code(0x9_0000)
    ));
    let other = image(&format!(
        "chunk = 0x80000\nfirmware = \"2.40.7000\"\n{}{GUIDS}",
        code(0xa_0000)
    ));
    let dump = flash_dump([Some(&one), Some(&other)], Some(19), 0x20_0000, &[0xff]).unwrap();
    for slot in [0, 1] {
        let rom = rom(0x1_0000, 7);
        let edited = edit_rom(&dump, RomEdit::Insert(&rom), &policy(slot))
            .unwrap()
            .bytes;
        accepted(&edited, FileShape::Striped);
        let mut second_only = edited.clone();
        second_only[..4].fill(0);
        accepted(&second_only, FileShape::Striped);
        let file = fs2::parse(&edited).tree.unwrap();
        assert_eq!(file.rom(slot).as_deref(), Some(&rom[..]));
        assert_eq!(file.rom(1 - slot), None);
        // What the untouched image has is where it was.
        let untouched = [&one, &other][1 - slot];
        let alone = flash_dump(
            if slot == 0 {
                [None, Some(untouched)]
            } else {
                [Some(untouched), None]
            },
            Some(19),
            0x20_0000,
            &[0xff],
        )
        .unwrap();
        let chunks = edited.chunks(0x8_0000).zip(alone.chunks(0x8_0000));
        for (edited, alone) in chunks.skip(1 - slot).step_by(2) {
            assert!(edited == alone);
        }
    }
}

#[test]
fn changed_boot_defaults_are_accepted() {
    if ring::skipped("mstflint", &NEEDS) {
        return;
    }
    let hwdb = Hwdb::builtin().unwrap();
    let plain = image(&format!("chunk = 0x10000\n{GUIDS}{}", code(0x3_0000)));
    let dump = image(&format!(
        "chunk = 0x10000\n{GUIDS}{}flash = {{ size = 0x200000, slots = [0, 1] }}\n",
        code(0x3_0000)
    ));
    for (original, shape, slot) in [
        (&plain, FileShape::Contiguous, 0),
        (&dump, FileShape::Striped, 0),
        (&dump, FileShape::Striped, 1),
    ] {
        let set = |bytes: &[u8], value: &str| {
            let change = DefaultChange {
                setting: "IP_VER".to_owned(),
                port: None,
                value: value.to_owned(),
            };
            edit_boot_defaults(bytes, &[change], &policy(slot), &hwdb)
                .unwrap()
                .bytes
        };
        for value in ["IPv6", "IPv4_IPv6", "IPv6_IPv4"] {
            let changed = set(original, value);
            let bytes = original.iter().zip(&changed);
            assert!(bytes.filter(|(old, new)| old != new).count() <= 6);
            accepted(&changed, shape);
            assert!(set(&changed, "IPv4") == **original);
        }
    }
}

/// Whether mstflint finds anything wrong.
fn refused_by_mstflint(path: &Path) -> bool {
    [&["v"][..], &["q", "full"]].iter().any(|arguments| {
        let (said, ended_well) = mstflint(path, arguments);
        !ended_well || said.contains("wrong CRC") || said.contains("-E-")
    })
}

#[test]
fn what_mstflint_finds_damaged_flexctl_finds_damaged() {
    if ring::skipped("mstflint", &NEEDS) {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("image.bin");
    let without_full_crc = GUIDS.replace("mic_version = \"2.0.0\"\n", "");
    let sound = image(&format!(
        "{without_full_crc}code = [{{ fill = 1, size = 8 }}]\n"
    ));
    let tree = fs2::parse(&sound).tree.unwrap();
    let mut stricter = Vec::new();
    for region in tree.layout().regions() {
        // Headers whole, of contents the first bytes.
        for at in region.offset..region.offset + region.length.min(0x38) {
            let mut damaged = sound.clone();
            damaged[usize::try_from(at).unwrap()] ^= 1 << (at * 5 % 8);
            std::fs::write(&path, &damaged).unwrap();
            let parsed = fs2::parse(&damaged);
            let mut findings = parsed.findings;
            findings.extend(parsed.tree.iter().flat_map(Fs2File::check));
            let refused = worst(&findings) == Some(Severity::Error);
            let by_mstflint = refused_by_mstflint(&path);
            assert!(refused || !by_mstflint, "{at:#x}: {findings:#?}");
            if refused && !by_mstflint {
                stricter.push(at);
            }
        }
    }
    // mstflint takes a format that it does not know for FS2, and does not compare
    // the size with the file.
    assert_eq!(stricter, [0x24, 0x30, 0x31, 0x32]);
}
