//! Burning, with Debian's mstflint 4.21 on the same virtual cards: it agrees with
//! what flexctl burned, flexctl agrees with what it burned, and the same change by
//! both leaves the same bytes.
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
use std::ops::Range;
use std::path::PathBuf;

use flexctl::hwdb::ImageFormat;
use flexctl::image::build::build;
use flexctl::image::{EditPolicy, FlashSurvey, RomEdit, RomSource, SlotState};
use flexctl::image::{rom_change, whole_image};
use flexctl::sim::fuse::{Guard, RunOptions, run};
use flexctl::sim::{Card, Shelf};

const MSTFLINT: [ring::Need; 3] = [
    ring::Need::Root,
    ring::Need::Fuse,
    ring::Need::Program("mstflint"),
];

/// A card, and a way to its flash: mstflint's switch, and flexctl's.
type Way = (&'static str, &'static str, &'static str);

const CX3: [Way; 3] = [
    ("connectx-3", "--use_fw", "registers"),
    ("connectx-3-16-mib", "", "gateway"),
    ("connectx-3-pro", "", "gateway"),
];

/// By its second way mstflint takes its time: there only a ROM is burned.
const CX4: [Way; 3] = [
    ("connectx-4", "", "registers"),
    ("connectx-4", "-ocr", "gateway"),
    ("connectx-4-lx", "", "registers"),
];

fn format_of(profile: &str) -> ImageFormat {
    if profile.starts_with("connectx-4") {
        ImageFormat::Fs3
    } else {
        ImageFormat::Fs2
    }
}

/// A card, and a folder for what is done to it.
struct Desk {
    profile: &'static str,
    card: Card,
    folder: tempfile::TempDir,
}

impl Desk {
    fn new(profile: &'static str) -> Self {
        Self {
            profile,
            card: Shelf::memory().card(profile).unwrap(),
            folder: tempfile::tempdir().unwrap(),
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn file(&self, name: &str, bytes: &[u8]) -> String {
        let path = self.path(name);
        fs::write(&path, bytes).unwrap();
        path.display().to_string()
    }

    /// Runs commands among the cards, one after the other, and gives what they said.
    /// `{d}` stands for `-d ADDRESS`. All must end with 0.
    fn run(&self, commands: &[String]) -> Vec<String> {
        let device = format!("-d {}", self.card.infos()[0].address);
        let folder = self.folder.path().display();
        let mut script =
            format!("export FLEXCTL_STATE_DIR={folder}/state FLEXCTL_RUN_DIR={folder}/run\n");
        for (number, command) in commands.iter().enumerate() {
            let command = command.replace("{d}", &device);
            script +=
                &format!("( {command} ) > {folder}/said-{number} 2>&1 < /dev/null || exit 1\n");
        }
        let options = RunOptions {
            guard: Guard::None,
            ..RunOptions::default()
        };
        let command = ["sh", "-c", &script].map(OsString::from);
        let code = run(std::slice::from_ref(&self.card), &command, &options).unwrap();
        let said: Vec<String> = (0..commands.len())
            .filter_map(|number| fs::read_to_string(self.path(&format!("said-{number}"))).ok())
            .collect();
        assert_eq!(code, 0, "{}: {commands:?}: {said:?}", self.profile);
        let counters = self.card.counters();
        assert_eq!(
            (counters.unlocked, counters.overruns),
            (0, 0),
            "{}",
            self.profile
        );
        assert_eq!(self.card.held_semaphores(), [], "{}", self.profile);
        assert_eq!(self.card.flash_counters().refused, 0, "{}", self.profile);
        said
    }

    fn flexctl(&self, arguments: &str) -> String {
        let program = env!("CARGO_BIN_EXE_flexctl");
        self.run(&[format!("{program} {arguments}")]).remove(0)
    }

    fn flexctl_burns(&self, via: &str, file: &str) {
        let said = self.flexctl(&format!(
            "burn --accept-untested --allow-lost-image --yes --no-backup --via {via} {{d}} {file}"
        ));
        assert!(said.contains("switched over"), "{said}");
    }

    fn mstflint(&self, arguments: &str) -> String {
        self.run(&[format!("mstflint {arguments}")]).remove(0)
    }

    fn survey(&self) -> FlashSurvey {
        FlashSurvey::of_bytes(format_of(self.profile), &self.card.flash(), None)
    }

    /// It boots this ROM, when it is switched off and on and when it is only reset.
    fn boots(&self, rom: &[u8], version: Option<&str>) {
        for boot in [self.card.boot(), self.card.boot_warm()] {
            let image = boot
                .image()
                .unwrap_or_else(|| panic!("{}: {boot}", self.profile));
            assert!(
                image.rom.as_deref() == Some(rom),
                "{}: {boot}",
                self.profile
            );
            if let Some(version) = version {
                assert_eq!(image.firmware, version, "{}", self.profile);
            }
        }
        self.card.reboot();
    }

    /// GUIDs, MACs and what else is the card's own, as mstflint shows them. "Image
    /// VSD" is the file's in FS3.
    fn identity(&self, query: &str) -> Vec<String> {
        let words = ["GUID", "MAC", "VSD", "PSID"];
        let lines = query.lines().map(str::trim);
        let lines: Vec<String> = lines
            .filter(|line| words.iter().any(|word| line.contains(word)))
            .filter(|line| !line.starts_with("Image VSD"))
            .map(str::to_owned)
            .collect();
        assert!(lines.len() >= 3, "{query}");
        lines
    }

    /// Everything that mstflint says of the card, by its usual way, and `v` by the
    /// other one. Gives who it is, and the image that `ri` reads.
    fn mstflint_looks(&self, switch: &str, rom: &[u8]) -> (Vec<String>, Vec<u8>) {
        let (image, rom_file) = (self.path("read.bin"), self.path("read.rom"));
        // It asks before it writes over a file.
        let _ = (fs::remove_file(&image), fs::remove_file(&rom_file));
        let said = self.run(&[
            format!("mstflint {switch} {{d}} v"),
            "mstflint {d} q".to_owned(),
            "mstflint {d} q full".to_owned(),
            format!("mstflint {{d}} ri {}", image.display()),
            format!("mstflint {{d}} rrom {}", rom_file.display()),
            format!("mstflint {switch} {{d}} hw query"),
        ]);
        let verified = &said[0];
        assert!(
            verified.contains("bootable"),
            "{}: {verified}",
            self.profile
        );
        for word in ["wrong CRC", "BLANK", "ERROR", "CRC error"] {
            assert!(!verified.contains(word), "{}: {verified}", self.profile);
        }
        assert!(fs::read(rom_file).unwrap() == rom, "{}", self.profile);
        assert!(said[5].contains("HwDevId"), "{}", said[5]);
        assert_eq!(self.identity(&said[1]).len(), self.identity(&said[2]).len());
        (self.identity(&said[1]), fs::read(image).unwrap())
    }

    /// What flexctl finds wrong in the flash.
    fn flexctl_looks(&self, via: &str, version: &str) -> Vec<String> {
        let program = env!("CARGO_BIN_EXE_flexctl");
        let said = self.run(&[
            format!("{program} image info --via {via} {{d}}"),
            // It ends with 1 when something is wrong.
            format!("{program} image check --via {via} {{d}} ; true"),
        ]);
        assert!(said[0].contains(version), "{}: {}", self.profile, said[0]);
        let lines = said[1].lines();
        let wrong: Vec<String> = lines
            .filter(|line| line.starts_with("error") || line.starts_with("warning"))
            .map(str::to_owned)
            .collect();
        assert!(!said[1].is_empty() && (!wrong.is_empty() || !said[1].contains("damaged")));
        wrong
    }
}

fn device_of(profile: &str) -> u16 {
    match profile {
        "connectx-3-pro" => 0x1007,
        "connectx-4" => 0x1013,
        "connectx-4-lx" => 0x1015,
        _ => 0x1003,
    }
}

/// The description of a ROM for a BIOS.
fn rom_text(profile: &str, seed: u32) -> String {
    format!(
        "format = 'option-rom'\nvendor_id = 0x15b3\ndevice_id = {}\n\
         record = [{{ version = '3.4.{seed}' }}]\n\
         image = [{{ contents = {{ random = {seed}, size = {} }} }}]\n",
        device_of(profile),
        0x1000 + seed
    )
}

fn rom(profile: &str, seed: u32) -> Vec<u8> {
    build(&rom_text(profile, seed)).unwrap()
}

/// An image for the card, with a ROM of its own: the file, its version, its ROM.
fn newer(profile: &str) -> (Vec<u8>, &'static str, Vec<u8>) {
    let own = rom(profile, 555);
    let of_rom = format!("[rom.option_rom]\n{}", rom_text(profile, 555));
    let fs3 = |psid: &str, version: &str, hw_id: u16, device: u16, chunk: u8| {
        format!(
            "format = 'fs3'\nfile_size = 0x1000000\nlog2_chunk = {chunk}\npsid = '{psid}'\n\
             version = '{version}'\ndate = '2022-01-31'\nhw_ids = [{hw_id}]\n\
             pci_device = {device}\n\
             [[section]]\ntype = 'MAIN_CODE'\ncontent = {{ random = 33, size = 0x3000 }}\n"
        )
    };
    let fs2 = |psid: &str, hardware_id: u32, device: u16, chunk: u32| {
        format!(
            "format = 'fs2'\npsid = '{psid}'\nfirmware = '2.42.6000'\ndate = '2022-01-31'\n\
             device_id = {device}\nhardware_ids = [{hardware_id}]\nchunk = {chunk}\n\
             mic_version = '2.0.0'\n\
             code = [{{ random = 31, size = 0x9000 }}, {{ random = 32, size = 0x6c00 }}]\n"
        )
    };
    let (text, version) = match profile {
        "connectx-4" => (
            fs3("MT_2190110032", "12.28.2040", 0x209, 0x1013, 22),
            "12.28.2040",
        ),
        "connectx-4-lx" => (
            fs3("MT_2420110034", "14.28.2040", 0x20b, 0x1015, 23),
            "14.28.2040",
        ),
        "connectx-3-pro" => (fs2("MT_1090111023", 0x1f7, 0x1007, 0x8_0000), "2.42.6000"),
        "connectx-3-16-mib" => (fs2("MT_1090120019", 0x101f5, 0x1003, 0x1_0000), "2.42.6000"),
        _ => (fs2("MT_1090120019", 0x101f5, 0x1003, 0x8_0000), "2.42.6000"),
    };
    (build(&format!("{text}{of_rom}")).unwrap(), version, own)
}

/// Where two byte strings differ, bytes apart by less than 64 put together.
fn differences(one: &[u8], other: &[u8]) -> Vec<Range<usize>> {
    let mut ranges: Vec<Range<usize>> = Vec::new();
    for at in 0..one.len().max(other.len()) {
        if one.get(at) == other.get(at) {
            continue;
        }
        match ranges.last_mut() {
            Some(last) if at < last.end + 64 => last.end = at + 1,
            _ => ranges.push(at..at + 1),
        }
    }
    ranges
}

/// Where FS3 sections end before their sector does, nothing counts: mstflint reads
/// ones there, flexctl leaves what the sector had (the rest of a larger ROM).
const BEHIND_SECTIONS: [Range<usize>; 2] = [0x4414..0x4800, 0x5800..0x6000];

/// What shall be read of an image: `ready`, with what is read where nothing counts.
fn mostly(profile: &str, read: &[u8], ready: &[u8]) -> Vec<u8> {
    let mut shall = ready.to_vec();
    if format_of(profile) == ImageFormat::Fs3 {
        for range in BEHIND_SECTIONS {
            shall[range.clone()].copy_from_slice(&read[range]);
        }
    }
    shall
}

fn after_flexctl(&(profile, switch, via): &Way) {
    let desk = Desk::new(profile);
    let query = desk.mstflint("{d} q");
    let policy = EditPolicy::default();
    // A ROM.
    let new = rom(profile, 777);
    let prepared = rom_change(&desk.survey(), RomEdit::Replace(&new), &policy).unwrap();
    let file = desk.file("new.rom", &new);
    desk.flexctl_burns(via, &file);
    desk.boots(&new, None);
    let (who, read) = desk.mstflint_looks(switch, &new);
    assert_eq!(who, desk.identity(&query), "{profile}");
    assert!(
        read.starts_with(&mostly(profile, &read, &prepared.image.bytes)),
        "{profile}"
    );
    if switch == "-ocr" {
        return;
    }
    // And an image.
    let (image, version, own) = newer(profile);
    let prepared = whole_image(&image, None, RomSource::Usual, &desk.survey(), &policy).unwrap();
    let file = desk.file("new.bin", &image);
    desk.flexctl_burns(via, &file);
    desk.boots(&own, Some(version));
    let (who, read) = desk.mstflint_looks(switch, &own);
    assert_eq!(who, desk.identity(&query), "{profile}");
    assert!(read.starts_with(&prepared.image.bytes), "{profile}");
    // What is the card's own, and what counts that.
    let (own_parts, end): (&[Range<usize>], usize) = match format_of(profile) {
        ImageFormat::Fs2 => (
            &[
                0x22..0x24,     // CRC of the whole image
                0x1b10..0x1b44, // section GUID, with its CRC
                0x1bb0..0x1bd0, // VSD, in section Image Info
                0x1ca2..0x1ca4, // CRC of that section
            ],
            read.len(),
        ),
        // In the ITOC: where the device data are, and their CRCs.
        ImageFormat::Fs3 => (
            std::slice::from_ref(&(0x1100..0x1140)),
            prepared.image.bytes.len(),
        ),
    };
    for range in differences(&read[..end], &image[..end]) {
        let inside = |part: &Range<usize>| part.start <= range.start && range.end <= part.end;
        assert!(own_parts.iter().any(inside), "{profile}: {range:x?}");
    }
}

#[test]
fn mstflint_agrees_with_what_flexctl_burned_to_connectx_3() {
    if !ring::skipped("mstflint", &MSTFLINT) {
        CX3.iter().for_each(after_flexctl);
    }
}

#[test]
fn mstflint_agrees_with_what_flexctl_burned_to_connectx_4() {
    if !ring::skipped("mstflint", &MSTFLINT) {
        CX4.iter().for_each(after_flexctl);
    }
}

fn after_mstflint(&(profile, switch, via): &Way) {
    let desk = Desk::new(profile);
    let who = desk.identity(&desk.mstflint("{d} q"));
    let first = rom(profile, 777);
    let file = desk.file("first.rom", &first);
    desk.mstflint(&format!("-y {switch} {{d}} brom {file}"));
    let version = desk.card.boot().image().unwrap().firmware.clone();
    desk.boots(&first, None);
    assert_eq!(desk.flexctl_looks(via, &version), [""; 0], "{profile}");
    if switch == "-ocr" {
        return;
    }
    // flexctl goes on from there, and mstflint agrees again.
    let second = rom(profile, 888);
    let file = desk.file("second.rom", &second);
    desk.flexctl_burns(via, &file);
    desk.boots(&second, Some(&version));
    let (found, _) = desk.mstflint_looks("", &second);
    assert_eq!(found, who, "{profile}");
    let (image, version, own) = newer(profile);
    let file = desk.file("new.bin", &image);
    desk.mstflint(&format!("-y {switch} -i {file} {{d}} b"));
    desk.boots(&own, Some(version));
    let wrong = desk.flexctl_looks(via, version);
    if format_of(profile) == ImageFormat::Fs3 {
        assert_eq!(wrong, [""; 0], "{profile}");
        return;
    }
    // mstflint leaves the CRC of the whole image blank when the file's GUIDs are
    // blank, and finds that wrong itself; flexctl warns, and goes on burning.
    let said = desk.mstflint("{d} v");
    assert!(said.contains("Image is bootable"), "{said}");
    let theirs = said.lines().find(|line| line.contains("wrong CRC"));
    assert!(
        theirs.is_some_and(|line| line.contains("(Full Image)") && line.contains("act:0xffff")),
        "{said}"
    );
    let [ours] = &wrong[..] else {
        panic!("{profile}: {wrong:?}")
    };
    assert!(
        ours.contains("CRC of the whole image") && ours.contains("found 0xffff"),
        "{ours}"
    );
    assert!(ours.starts_with("warning"), "{ours}");
    if profile == "connectx-3" {
        let third = rom(profile, 777);
        desk.flexctl_burns(via, &desk.file("third.rom", &third));
        desk.boots(&third, Some(version));
    }
}

#[test]
fn flexctl_agrees_with_what_mstflint_burned_to_connectx_3() {
    if !ring::skipped("mstflint", &MSTFLINT) {
        CX3.iter().for_each(after_mstflint);
    }
}

#[test]
fn flexctl_agrees_with_what_mstflint_burned_to_connectx_4() {
    if !ring::skipped("mstflint", &MSTFLINT) {
        CX4.iter().for_each(after_mstflint);
    }
}

/// The same change by mstflint and by flexctl: where the flashes differ afterwards.
fn both_ways(profile: &'static str, mstflint: &str, bytes: &[u8]) -> (Desk, Vec<Range<usize>>) {
    let desk = Desk::new(profile);
    let before = desk.card.flash_snapshot();
    let file = desk.file("file", bytes);
    desk.mstflint(&mstflint.replace("FILE", &file));
    let theirs = desk.card.flash();
    desk.card.restore_flash(&before);
    desk.card.reboot();
    desk.flexctl_burns("auto", &file);
    let ours = desk.card.flash();
    let found = differences(&theirs, &ours);
    (desk, found)
}

#[test]
fn the_same_change_by_both_leaves_the_same_bytes() {
    if ring::skipped("mstflint", &MSTFLINT) {
        return;
    }
    for profile in ["connectx-3-16-mib", "connectx-4", "connectx-3-two-images"] {
        let (desk, found) = both_ways(profile, "-y {d} brom FILE", &rom(profile, 777));
        let expected = match profile {
            "connectx-4" => BEHIND_SECTIONS
                .map(|range| 0x40_0000 + range.start..0x40_0000 + range.end)
                .to_vec(),
            _ => Vec::new(),
        };
        assert_eq!(found, expected, "{profile}");
        if let Some(slot) = desk.survey().active() {
            assert!(matches!(slot.state, SlotState::Whole(_)));
        }
        if profile != "connectx-3-two-images" {
            let (_, found) = both_ways(profile, "-y -i FILE {d} b", &newer(profile).0);
            // The CRC of the whole image, which mstflint leaves blank.
            let expected = match profile {
                "connectx-4" => Vec::new(),
                _ => std::iter::once(0x1_0022..0x1_0024).collect(),
            };
            assert_eq!(found, expected, "{profile}");
        }
    }
}
