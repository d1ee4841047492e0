//! Images that are made ready for a card agree with mstflint 4.21: a ROM change is
//! the one that it makes in a copy of the flash, and what a whole burn leaves is
//! verified by it.
//!
//! mstflint's exit code says little (it is 0 with a wrong CRC), so its output is
//! read. Says SKIPPED where mstflint is missing, and fails there if CI=true.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod ring;

use std::fs;
use std::path::Path;
use std::process::Command;

use flexctl::hwdb::ImageFormat;
use flexctl::image::build::{Fs2Description, Fs3Description, build, flash_dump};
use flexctl::image::{
    EditPolicy, FlashSurvey, ReadyImage, RomEdit, RomSource, rom_change, whole_image,
};

const NEEDS: [ring::Need; 1] = [ring::Need::Program("mstflint")];
const FS2: &str = include_str!("images/fs2-connectx-3.toml");
const FS3: &str = include_str!("images/fs3-connectx-4.toml");

fn skipped() -> bool {
    ring::skipped("mstflint", &NEEDS)
}

fn mstflint(image: &Path, arguments: &[&str]) -> String {
    let run = Command::new("mstflint")
        .arg("-i")
        .arg(image)
        .arg("-y")
        .args(arguments)
        .output()
        .unwrap();
    String::from_utf8_lossy(&[run.stdout, run.stderr].concat()).into_owned()
}

fn rom(device: u16, size: u32) -> Vec<u8> {
    build(&format!(
        "format = 'option-rom'\nvendor_id = 0x15b3\ndevice_id = {device:#x}\n\
         record = [{{ version = '3.4.812' }}]\n\
         image = [{{ contents = {{ random = 8, size = {size} }} }}]"
    ))
    .unwrap()
}

fn fs3(change: impl FnOnce(&mut Fs3Description)) -> Vec<u8> {
    let mut description = Fs3Description::parse(FS3).unwrap();
    description.file_size = 0x100_0000;
    change(&mut description);
    description.build().unwrap()
}

fn fs2(change: impl FnOnce(&mut Fs2Description)) -> Vec<u8> {
    let mut description = Fs2Description::from_toml(FS2).unwrap();
    description.chunk = Some(0x1_0000);
    change(&mut description);
    description.image().unwrap()
}

/// The flash after a whole burn: the image in its slot, the old one without its
/// magic.
fn burned(flash: &[u8], survey: &FlashSurvey, ready: &ReadyImage) -> Vec<u8> {
    let mut flash = flash.to_vec();
    let length = u32::try_from(ready.bytes.len()).unwrap();
    for (at, part) in ready.place.pieces(0..length) {
        let bytes = &ready.bytes[part.start as usize..part.end as usize];
        flash[at as usize..at as usize + bytes.len()].copy_from_slice(bytes);
    }
    let old = survey.active().unwrap().place.start as usize;
    flash[old..old + 4].fill(0);
    flash
}

/// What mstflint says of a flash, after it verified it. Reading an image (`ri`) it
/// does of cards only.
fn accepted(flash: &[u8], flags: &[&str]) -> String {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("flash.bin");
    fs::write(&path, flash).unwrap();
    let verified = mstflint(&path, &[flags, &["v"]].concat());
    assert!(verified.contains("bootable"), "{verified}");
    assert!(!verified.contains("wrong CRC"), "{verified}");
    assert!(!verified.contains("BLANK"), "{verified}");
    mstflint(&path, &[flags, &["q"]].concat())
}

#[test]
fn an_fs3_rom_change_is_that_of_mstflint() {
    if skipped() {
        return;
    }
    for (has_rom, signature) in [(true, true), (false, true), (true, false)] {
        for size in [500, 4000, 30_000] {
            let flash = fs3(|new| {
                if !has_rom {
                    new.rom = None;
                }
                if !signature {
                    new.signature = flexctl::image::build::Fs3Signature::None;
                }
            });
            let rom = rom(0x1013, size);
            let survey = FlashSurvey::of_bytes(ImageFormat::Fs3, &flash, None);
            let policy = EditPolicy::default();
            let prepared = rom_change(&survey, RomEdit::Replace(&rom), &policy).unwrap();
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("flash.bin");
            let rom_path = folder.path().join("rom.bin");
            fs::write(&path, &flash).unwrap();
            fs::write(&rom_path, &rom).unwrap();
            let said = mstflint(&path, &["brom", rom_path.to_str().unwrap()]);
            let theirs = fs::read(&path).unwrap();
            assert!(theirs != flash, "{said}");
            // What lies between parts is not read from a flash, and FF here.
            assert!(theirs.starts_with(&prepared.image.bytes), "ROM of {size}");
        }
    }
}

#[test]
fn a_burned_fs3_flash_is_verified_by_mstflint() {
    if skipped() {
        return;
    }
    let file = fs3(|new| {
        new.version = "12.16.1020".to_owned();
        new.base_guid = 1;
        new.base_mac = 2;
        new.file_size = 0x40_0000;
    });
    for slot in [0, 1] {
        let flash = fs3(|new| new.slots = vec![slot]);
        let survey = FlashSurvey::of_bytes(ImageFormat::Fs3, &flash, None);
        let policy = EditPolicy::default();
        let rom = rom(0x1013, 5000);
        for prepared in [
            rom_change(&survey, RomEdit::Replace(&rom), &policy).unwrap(),
            whole_image(&file, None, RomSource::Usual, &survey, &policy).unwrap(),
        ] {
            let after = burned(&flash, &survey, &prepared.image);
            let query = accepted(&after, &[]);
            assert!(query.contains("e41d2d0300abcd00"), "{query}");
            assert!(query.contains(&prepared.facts.version.unwrap().to_string()));
        }
    }
}

#[test]
fn a_burned_fs2_flash_is_verified_by_mstflint() {
    if skipped() {
        return;
    }
    let file = fs2(|new| {
        new.firmware = "2.42.5004".to_owned();
        new.guids = None;
        new.vsd = "of the release".to_owned();
        new.rom = None;
    });
    for slot in [0, 1] {
        for size in [0x20_0000, 0x100_0000] {
            let own = fs2(|_| {});
            let mut slots = [None, None];
            slots[slot] = Some(&own[..]);
            let flash = flash_dump(slots, Some(16), size, &[0xff]).unwrap();
            let survey = FlashSurvey::of_bytes(ImageFormat::Fs2, &flash, None);
            let policy = EditPolicy::default();
            let rom = rom(0x1003, 90_000);
            for prepared in [
                rom_change(&survey, RomEdit::Replace(&rom), &policy).unwrap(),
                whole_image(&file, None, RomSource::Usual, &survey, &policy).unwrap(),
            ] {
                let after = burned(&flash, &survey, &prepared.image);
                let query = accepted(&after, &["-striped_image"]);
                assert!(query.contains("0002c90300abcd00"), "{query}");
                assert!(query.contains("synthetic"), "{query}");
                assert!(query.contains(&prepared.facts.version.unwrap().to_string()));
            }
        }
    }
}
