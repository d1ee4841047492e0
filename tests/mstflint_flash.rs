//! Debian's mstflint 4.21 at the flash of virtual cards: it identifies the chip,
//! reads, erases and writes it, burns images, and the card boots what it burned.
//!
//! Needs root, /dev/fuse and mstflint; says SKIPPED where they are missing, and
//! fails there if CI=true.
#![cfg(feature = "cli")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "a test fails by panicking and says on stderr what it skips"
)]

mod ring;

use std::ffi::OsString;
use std::fs;

use flexctl::sim::fuse::{Guard, RunOptions, run};
use flexctl::sim::{Card, Shelf};

const MSTFLINT: [ring::Need; 3] = [
    ring::Need::Root,
    ring::Need::Fuse,
    ring::Need::Program("mstflint"),
];

fn card(name: &str) -> Card {
    Shelf::memory().card(name).unwrap()
}

/// Runs mstflint on the card; `{d}` in the arguments stands for `-d ADDRESS`.
fn mstflint(card: &Card, arguments: &str) -> (u8, String) {
    let directory = tempfile::tempdir().unwrap();
    let output = directory.path().join("output");
    let device = format!("-d {}", card.infos()[0].address);
    let arguments = arguments.replace("{d}", &device);
    let script = format!(
        "mstflint {arguments} > {} 2>&1 < /dev/null",
        output.display()
    );
    let command = ["sh", "-c", &script].map(OsString::from);
    let options = RunOptions {
        guard: Guard::None,
        ..RunOptions::default()
    };
    let code = run(std::slice::from_ref(card), &command, &options).unwrap();
    (code, fs::read_to_string(output).unwrap())
}

/// Whatever mstflint does, it follows the protocol: so does the model.
fn assert_orderly(card: &Card) {
    let counters = card.counters();
    assert_eq!(
        (counters.unlocked, counters.overruns),
        (0, 0),
        "{}",
        card.name()
    );
    assert!(
        card.held_semaphores().is_empty(),
        "{:?}",
        card.held_semaphores()
    );
    assert_eq!(card.flash_counters().refused, 0);
}

fn done(card: &Card, arguments: &str) -> String {
    let (code, said) = mstflint(card, arguments);
    assert_eq!(code, 0, "{arguments}: {said}");
    assert_orderly(card);
    said
}

/// Every way to the flash that mstflint has: a profile, and its switches.
const WAYS: [(&str, &str); 4] = [
    ("connectx-3", ""),
    ("connectx-3", "--use_fw"),
    ("connectx-4", ""),
    ("connectx-4", "-ocr"),
];

#[test]
fn the_chip_is_known_by_every_way() {
    if ring::skipped("mstflint", &MSTFLINT) {
        return;
    }
    for (name, way) in WAYS {
        let said = done(&card(name), &format!("{way} {{d}} hw query"));
        let (kind, size, id) = match name {
            "connectx-3" => ("W25QxxBV", "0x200000", "0x1540ef"),
            _ => ("N25Q0XX", "0x1000000", "0x18ba20"),
        };
        let value = |name: &str| {
            let line = said.lines().find(|line| line.trim().starts_with(name));
            line.and_then(|line| line.split_whitespace().last())
        };
        assert_eq!(value("Type"), Some(kind), "{name} {way}: {said}");
        assert_eq!(value("TotalSize"), Some(size), "{said}");
        assert_eq!(value("JEDEC_ID"), Some(id), "{said}");
        assert_eq!(value("SectorSize"), Some("0x1000"), "{said}");
        assert_eq!(value("Flash0.WriteProtected"), Some("Disabled"), "{said}");
    }
}

#[test]
fn a_protected_chip_says_so_and_nothing_is_written() {
    if ring::skipped("mstflint", &MSTFLINT) {
        return;
    }
    for (name, way) in [
        ("connectx-3-protected", ""),
        ("connectx-3-protected", "--use_fw"),
        ("connectx-4-protected", ""),
        ("connectx-4-protected", "-ocr"),
    ] {
        let card = card(name);
        let said = done(&card, &format!("{way} {{d}} hw query"));
        assert!(
            !said.contains("WriteProtected   Disabled"),
            "{name} {way}: {said}"
        );
        let before = card.flash();
        let (code, said) = mstflint(&card, &format!("{way} -y {{d}} e 0x1000"));
        let changed = card.flash() != before;
        assert!(!changed, "{name} {way}: {code} {said}");
        assert!(card.flash_counters().refused > 0);
    }
}

#[test]
fn the_image_is_whole_and_read_back_byte_by_byte() {
    if ring::skipped("mstflint", &MSTFLINT) {
        return;
    }
    for name in ["connectx-3", "connectx-3-16-mib", "connectx-4"] {
        let card = card(name);
        let booted = card.boot();
        let image = booted.image().unwrap();
        let directory = tempfile::tempdir().unwrap();
        let file = |name: &str| directory.path().join(name);
        let said = done(&card, "{d} q full");
        assert!(said.contains(&image.psid), "{said}");
        assert!(said.contains(&image.firmware), "{said}");
        let said = done(&card, "{d} v");
        assert!(
            said.contains("Image is bootable") && !said.contains("wrong CRC"),
            "{said}"
        );
        done(&card, &format!("{{d}} rrom {}", file("rom").display()));
        assert_eq!(fs::read(file("rom")).ok(), image.rom);
        done(&card, &format!("{{d}} ri {}", file("image").display()));
        let read = fs::read(file("image")).unwrap();
        let same_start = read.starts_with(&card.flash_bytes(0, 0x1_0000)[..0x4000.min(read.len())]);
        assert!(same_start, "{name}");
        let same = mstflint(&card, &format!("-i {} v", file("image").display()));
        assert_eq!(same.0, 0, "{}", same.1);
    }
}

#[test]
fn single_blocks_are_read_erased_and_written() {
    if ring::skipped("mstflint", &MSTFLINT) {
        return;
    }
    for (name, way) in WAYS {
        let card = card(name);
        let at = 0x18_0000;
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("block");
        let block: Vec<u8> = (0..0x1234_u32).map(|number| (number % 251) as u8).collect();
        fs::write(&path, &block).unwrap();
        let written = format!("-y {way} {{d}} wb {} {at:#x}", path.display());
        done(&card, &written);
        assert_eq!(card.flash_bytes(at, 0x1234), block, "{name} {way}");
        let copy = directory.path().join("copy");
        done(
            &card,
            &format!("{way} {{d}} rb {at:#x} 0x1234 {}", copy.display()),
        );
        assert_eq!(fs::read(copy).unwrap(), block, "{name} {way}");
        done(&card, &format!("-y {way} {{d}} e {at:#x}"));
        assert_eq!(card.flash_bytes(at, 0x1000), [0xff; 0x1000], "{name} {way}");
        assert_eq!(
            card.flash_bytes(at + 0x1000, 0x234),
            block[0x1000..],
            "{name}"
        );
        done(&card, &format!("-y {way} {{d}} ww {at:#x} 0x12345678"));
        assert_eq!(
            card.flash_bytes(at, 4),
            [0x12, 0x34, 0x56, 0x78],
            "{name} {way}"
        );
        let said = done(&card, &format!("{way} {{d}} rw {at:#x}"));
        assert!(said.contains("0x12345678"), "{said}");
    }
}

/// An image for the card with another version and another ROM.
fn newer(name: &str) -> Vec<u8> {
    let rom = "[rom]\noption_rom = { format = 'option-rom', device_id = 0x1003, image = [{}] }\n";
    let text = match name {
        "connectx-4" => format!(
            "format = 'fs3'\nfile_size = 0x1000000\npsid = 'MT_2190110032'\nversion = '12.28.2040'\n\
             date = '2022-01-31'\nhw_ids = [0x209]\npci_device = 0x1013\n{rom}\
             [[section]]\ntype = 'MAIN_CODE'\ncontent = {{ random = 33, size = 0x6000 }}\n"
        ),
        "connectx-4-lx" => format!(
            "format = 'fs3'\nfile_size = 0x1000000\nlog2_chunk = 23\npsid = 'MT_2420110034'\n\
             version = '14.28.2040'\ndate = '2022-01-31'\nhw_ids = [0x20b]\npci_device = 0x1015\n{rom}"
        ),
        _ => format!(
            "format = 'fs2'\npsid = 'MT_1090120019'\nfirmware = '2.42.6000'\ndate = '2022-01-31'\n\
             device_id = 0x1003\nhardware_ids = [0x101f5]\nchunk = {:#x}\nmic_version = '2.0.0'\n\
             code = [{{ random = 31, size = 0x9000 }}, {{ random = 32, size = 0x6c00 }}]\n{rom}",
            if name == "connectx-3" {
                0x8_0000
            } else {
                0x1_0000
            }
        ),
    };
    flexctl::image::build::build(&text).unwrap()
}

#[test]
fn a_burned_image_is_booted_from_the_other_slot() {
    if ring::skipped("mstflint", &MSTFLINT) {
        return;
    }
    for (name, way) in [
        ("connectx-3", ""),
        ("connectx-3", "--use_fw"),
        ("connectx-3-16-mib", ""),
        ("connectx-4", ""),
        ("connectx-4", "-ocr"),
        ("connectx-4-lx", ""),
    ] {
        let card = card(name);
        let old = card.boot();
        let old = old.image().unwrap();
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("image");
        fs::write(&file, newer(name)).unwrap();
        let store = |card: &Card| match name {
            "connectx-3" => card.flash_bytes(0x17_e000, 0x2000),
            "connectx-3-16-mib" => card.flash_bytes(0xfe_e000, 0x2000),
            _ => card.flash_bytes(0xfa_0000, 0x6_0000),
        };
        let kept = store(&card);
        assert!(kept.iter().any(|byte| !matches!(byte, 0 | 0xff)));
        done(&card, &format!("-y {way} -i {} {{d}} b", file.display()));
        let expected = match name {
            "connectx-4" => (0x40_0000, "12.28.2040"),
            "connectx-4-lx" => (0x80_0000, "14.28.2040"),
            "connectx-3" => (0x8_0000, "2.42.6000"),
            _ => (0x1_0000, "2.42.6000"),
        };
        for boot in [card.boot(), card.boot_warm()] {
            let image = boot
                .image()
                .unwrap_or_else(|| panic!("{name} {way}: {boot}"));
            assert_eq!((image.start, &image.firmware[..]), expected, "{name} {way}");
            // The card's own data went along.
            assert_eq!(image.macs, old.macs, "{name} {way}");
            assert_ne!(image.rom, old.rom);
        }
        assert_eq!(store(&card), kept, "{name} {way}");
        card.reboot();
        let said = done(&card, &format!("{way} {{d}} q"));
        assert!(said.contains(expected.1), "{said}");
        // And once more: back to the first slot. The slow ways have shown enough.
        if way.is_empty() {
            done(&card, &format!("-y -i {} {{d}} b", file.display()));
            card.reboot();
            let start = card.boot().image().map(|image| image.start);
            assert_eq!(start, Some(0), "{name}");
        }
    }
}

#[test]
fn a_rom_is_burned_and_dropped() {
    if ring::skipped("mstflint", &MSTFLINT) {
        return;
    }
    let card = card("connectx-4");
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("rom");
    let rom = "format = 'option-rom'\ndevice_id = 0x1013\nimage = [{}]\n";
    let rom = flexctl::image::build::build(rom).unwrap();
    fs::write(&file, &rom).unwrap();
    done(&card, &format!("-y {{d}} brom {}", file.display()));
    card.reboot();
    assert_eq!(
        card.boot().image().and_then(|image| image.rom.clone()),
        Some(rom)
    );
    done(&card, "-y {d} drom");
    card.reboot();
    assert_eq!(
        card.boot().image().and_then(|image| image.rom.clone()),
        None
    );
}

#[test]
fn a_card_without_firmware_is_burned_back_to_life() {
    if ring::skipped("mstflint", &MSTFLINT) {
        return;
    }
    for (name, image) in [
        ("connectx-3-recovery", "connectx-3"),
        ("connectx-4-recovery", "connectx-4"),
    ] {
        let card = card(name);
        assert_eq!(card.boot().image(), None);
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("image");
        fs::write(&file, newer(image)).unwrap();
        let said = done(&card, "{d} hw query");
        assert!(said.contains("HwDevId"), "{said}");
        let who = if image == "connectx-3" {
            "-guid 0x0002c90300000010 -mac 0x0002c9000010"
        } else {
            ""
        };
        let burn = format!("-y -nofs {who} -i {} {{d}} b", file.display());
        let said = done(&card, &burn);
        card.reboot();
        assert_eq!(
            card.infos()[0].device,
            if name == "connectx-3-recovery" {
                0x1003
            } else {
                0x1013
            },
            "{said} {}",
            card.boot()
        );
    }
}
