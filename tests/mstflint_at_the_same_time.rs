//! `flexctl burn` and somebody else on the same card at the same time: another
//! `flexctl burn`, `flexctl settings set`, `mstconfig set`, `mstflint brom`.
//!
//! One waits for the other, or is refused and says so. Whatever comes of it, the
//! card boots one of the images, whole, and a setting that was said to be set is.
//! Needs root, /dev/fuse, mstconfig and mstflint; says SKIPPED where they are
//! missing, and fails there if CI=true.
#![cfg(feature = "cli")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a test fails by panicking and says on stderr what it skips"
)]

mod ring;

use std::ffi::OsString;
use std::fs;
use std::path::Path;

use flexctl::image::build::build;
use flexctl::sim::fuse::{Guard, RunOptions, run};
use flexctl::sim::{Card, Shelf};

const NEEDS: [ring::Need; 4] = [
    ring::Need::Root,
    ring::Need::Fuse,
    ring::Need::Program("mstconfig"),
    ring::Need::Program("mstflint"),
];

/// How a program ended: exit code, and all that it said.
#[derive(Debug)]
struct End {
    code: i32,
    said: String,
}

impl End {
    fn is_done(&self) -> bool {
        self.code == 0
    }
}

/// A card and two expansion ROMs for it.
struct Table {
    card: Card,
    home: tempfile::TempDir,
    roms: [Vec<u8>; 2],
    old: Option<Vec<u8>>,
    kept: Vec<u8>,
}

impl Table {
    fn new(profile: &str) -> Self {
        let card = Shelf::memory().card(profile).unwrap();
        let home = tempfile::tempdir().unwrap();
        let device = card.infos()[0].device;
        let roms = [(7, "a.rom"), (8, "b.rom")].map(|(seed, name)| {
            let text = format!(
                "format = 'option-rom'\nvendor_id = 0x15b3\ndevice_id = {device}\n\
                 record = [{{ version = '3.4.99{seed}' }}]\n\
                 [[image]]\ncontents = {{ random = {seed}, size = 0x1800 }}"
            );
            let rom = build(&text).unwrap();
            fs::write(home.path().join(name), &rom).unwrap();
            rom
        });
        let old = card.boot().image().and_then(|image| image.rom.clone());
        let kept = kept(&card);
        Self {
            card,
            home,
            roms,
            old,
            kept,
        }
    }

    fn path(&self, name: &str) -> String {
        self.home.path().join(name).display().to_string()
    }

    /// `flexctl burn` of one of the ROMs, for a shell.
    fn burn(&self, rom: &str) -> String {
        format!(
            "$FLEXCTL burn -d $CARD {} --yes --no-backup --accept-untested --allow-lost-image",
            self.path(rom)
        )
    }

    /// Runs two commands at the same time, the second so much later.
    fn both(&self, first: &str, delay: &str, second: &str) -> [End; 2] {
        let one = |command: &str, number: u8| {
            let file = self.path(&number.to_string());
            format!("{{ {command}; }} > {file}.said 2>&1 < /dev/null; echo $? > {file}.code")
        };
        let text = format!(
            "( {} ) &\nsleep {delay}\n{}\nwait",
            one(first, 1),
            one(second, 2)
        );
        let options = RunOptions {
            guard: Guard::None,
            environment: vec![
                ("FLEXCTL".into(), env!("CARGO_BIN_EXE_flexctl").into()),
                (
                    "CARD".into(),
                    self.card.infos()[0].address.to_string().into(),
                ),
                ("OTHER".into(), self.path("other").into()),
                ("FLEXCTL_STATE_DIR".into(), self.path("state").into()),
            ],
            ..RunOptions::default()
        };
        fs::create_dir_all(self.home.path().join("other")).unwrap();
        let command = ["sh", "-c", &text].map(OsString::from);
        let code = run(std::slice::from_ref(&self.card), &command, &options).unwrap();
        assert_eq!(code, 0, "{text}");
        ["1", "2"].map(|number| End {
            code: read(&self.home.path().join(format!("{number}.code")))
                .trim()
                .parse()
                .unwrap(),
            said: read(&self.home.path().join(format!("{number}.said"))),
        })
    }

    /// The card boots a whole image with one of the ROMs that was burned, kept its
    /// own data, and nobody passed a semaphore by.
    fn is_whole(&self, burned: [bool; 2], about: &str) {
        let card = &self.card;
        let counters = card.counters();
        assert_eq!((counters.unlocked, counters.overruns), (0, 0), "{about}");
        assert_eq!(card.held_semaphores(), [], "{about}");
        assert_eq!(card.flash_counters().refused, 0, "{about}");
        for boot in [card.boot(), card.boot_warm()] {
            let image = boot.image().unwrap_or_else(|| panic!("{about}: {boot:?}"));
            let rom = image.rom.clone();
            let is_one_of = burned
                .iter()
                .zip(&self.roms)
                .any(|(burned, one)| *burned && rom.as_ref() == Some(one));
            let is_old = burned == [false; 2] && rom == self.old;
            assert!(is_one_of || is_old, "{about}: {image:?}");
        }
        assert!(kept(card) == self.kept, "{about}: device data changed");
    }
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap()
}

/// Data of the card itself: the last 64 KiB of its flash.
fn kept(card: &Card) -> Vec<u8> {
    let flash = card.flash();
    flash[flash.len() - 0x1_0000..].to_vec()
}

/// A refusal of flexctl names what is in the way.
fn assert_says_why(end: &End, about: &str) {
    if end.is_done() {
        return;
    }
    let known = [
        "is held",
        "changed at",
        "at work",
        "in use",
        "is locked",
        "semaphore",
    ];
    assert!(
        known.iter().any(|text| end.said.contains(text)) && end.said.contains("hint:"),
        "{about}"
    );
}

const DELAYS: [&str; 2] = ["0", "0.4"];

#[test]
fn two_burns() {
    if ring::skipped("mstflint", &NEEDS) {
        return;
    }
    // With the same lock file of flexctl, and as if from two hosts: with the card's
    // own locks alone.
    for profile in ["connectx-3", "connectx-4"] {
        for apart in ["", "FLEXCTL_RUN_DIR=$OTHER FLEXCTL_STATE_DIR=$OTHER "] {
            for delay in DELAYS {
                if apart.is_empty() && delay != "0" {
                    continue;
                }
                let table = Table::new(profile);
                let second = format!("{apart}{}", table.burn("b.rom"));
                let ends = table.both(&table.burn("a.rom"), delay, &second);
                let about = format!("{profile} {apart} after {delay} s: {ends:#?}");
                let done = [ends[0].is_done(), ends[1].is_done()];
                assert!(done[0] || done[1], "{about}");
                ends.iter().for_each(|end| assert_says_why(end, &about));
                table.is_whole(done, &about);
                println!(
                    "{profile} {apart:.15} {delay} s: {} {}",
                    ends[0].code, ends[1].code
                );
            }
        }
    }
}

#[test]
fn a_burn_and_flexctl_settings_set() {
    if ring::skipped("mstflint", &NEEDS) {
        return;
    }
    for profile in ["connectx-3", "connectx-4"] {
        for delay in DELAYS {
            let table = Table::new(profile);
            let set = "FLEXCTL_RUN_DIR=$OTHER FLEXCTL_STATE_DIR=$OTHER \
                       $FLEXCTL settings set -d $CARD IP_VER=IPv6 --yes";
            let ends = table.both(&table.burn("a.rom"), delay, set);
            let about = format!("{profile} after {delay} s: {ends:#?}");
            ends.iter().for_each(|end| assert_says_why(end, &about));
            table.is_whole([ends[0].is_done(), false], &about);
            let ipv6 = ip_version(&table.card) == 1;
            assert_eq!(ipv6, ends[1].is_done(), "{about}");
            println!("{profile} {delay} s: {} {}", ends[0].code, ends[1].code);
        }
    }
}

/// What `IP_VER` of the first port is for the next boot.
fn ip_version(card: &Card) -> u8 {
    let connectx_3 = card.infos()[0].device == 0x1003;
    let (kind, place) = if connectx_3 {
        (0x2001, 1)
    } else {
        (0x0300_0195, 0)
    };
    card.tlv(0, kind, place).unwrap()[2] & 3
}

fn vlan(card: &Card) -> u8 {
    let connectx_3 = card.infos()[0].device == 0x1003;
    let (kind, place) = if connectx_3 {
        (0x2021, 1)
    } else {
        (0x0300_0221, 0)
    };
    card.tlv(0, kind, place).map_or(0, |data| data[3])
}

#[test]
fn a_burn_and_mstconfig_set() {
    if ring::skipped("mstflint", &NEEDS) {
        return;
    }
    for (profile, setting) in [("connectx-3", "BOOT_VLAN_P1"), ("connectx-4", "BOOT_VLAN")] {
        for delay in DELAYS {
            let table = Table::new(profile);
            let before = vlan(&table.card);
            let set = format!("mstconfig -d $CARD -y set {setting}=77");
            let ends = table.both(&table.burn("a.rom"), delay, &set);
            let about = format!("{profile} after {delay} s: {ends:#?}");
            assert_says_why(&ends[0], &about);
            table.is_whole([ends[0].is_done(), false], &about);
            if ends[1].is_done() {
                assert_eq!(vlan(&table.card), 77, "{about}");
            } else {
                assert_eq!(vlan(&table.card), before, "{about}");
            }
            println!("{profile} {delay} s: {} {}", ends[0].code, ends[1].code);
        }
    }
}

#[test]
fn a_burn_and_mstflint_brom() {
    if ring::skipped("mstflint", &NEEDS) {
        return;
    }
    for profile in ["connectx-3", "connectx-4"] {
        for (turn, delay) in DELAYS.into_iter().enumerate() {
            let table = Table::new(profile);
            let burn = table.burn("a.rom");
            let brom = format!("mstflint -d $CARD -y brom {}", table.path("b.rom"));
            let order = |flip: bool| {
                if flip {
                    let [theirs, ours] = table.both(&brom, delay, &burn);
                    [ours, theirs]
                } else {
                    table.both(&burn, delay, &brom)
                }
            };
            let ends = order(turn % 2 == 1);
            let about = format!("{profile} after {delay} s: {ends:#?}");
            assert_says_why(&ends[0], &about);
            let done = [ends[0].is_done(), ends[1].is_done()];
            assert!(done[0] || done[1], "{about}");
            table.is_whole(done, &about);
            println!("{profile} {delay} s: {} {}", ends[0].code, ends[1].code);
        }
    }
}
