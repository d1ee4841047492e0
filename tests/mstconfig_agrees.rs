//! What flexctl set, Debian's mstconfig 4.21 shows, and the other way round:
//! a few hundred random settings on both generations, from set and unset TLVs,
//! with unknown bits seeded.
//!
//! The test starts itself again inside a namespace that shows the virtual cards
//! (`inside`). Needs root, /dev/fuse and mstconfig; says SKIPPED where they are
//! missing, and fails there if CI=true.
#![cfg(feature = "cli")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    clippy::print_stdout,
    reason = "a test fails by panicking and says on stderr what it skips"
)]

mod ring;

use std::collections::BTreeMap;
use std::env;
use std::process::Command;

use flexctl::access::Patience;
use flexctl::command::Firmware;
use flexctl::device::{OpenCard, scan};
use flexctl::hwdb::{FieldValue, FirmwareInterface, Hwdb, Place};
use flexctl::pci::SysfsRoot;
use flexctl::settings::{
    Assignment, Availability, Detail, Goal, Plan, PortSettings, Reserved, Stored, Wanted, apply,
    plan,
};
use flexctl::sim::Shelf;
use flexctl::sim::fuse::{Guard, RunOptions, run};

const SETTINGS: [&str; 5] = [
    "IP_VER",
    "LEGACY_BOOT_PROTOCOL",
    "BOOT_VLAN",
    "BOOT_VLAN_EN",
    "BOOT_RETRY_CNT",
];
const INSIDE: &str = "FLEXCTL_TEST_INSIDE";
const SEED: &str = "FLEXCTL_TEST_SEED";

/// Random numbers that can be had again (xorshift64*).
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u32) -> u32 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let high = self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33;
        u32::try_from(high % u64::from(limit)).unwrap()
    }
}

/// Starts this program in a namespace with a card, `rounds` rounds each way.
fn agree(profile: &str, seeds: &[(u8, u32, u8, [u8; 4])], rounds: u32) {
    if ring::skipped("mstconfig", &ring::MSTCONFIG) {
        return;
    }
    let card = Shelf::memory().card(profile).unwrap();
    for (function, tlv, modifier, data) in seeds {
        card.seed_tlv(*function, *tlv, *modifier, data).unwrap();
    }
    let command = [
        env::current_exe().unwrap().into_os_string(),
        "--exact".into(),
        "inside".into(),
        "--nocapture".into(),
    ];
    let options = RunOptions {
        guard: Guard::None,
        environment: vec![(INSIDE.into(), rounds.to_string().into())],
        ..RunOptions::default()
    };
    let code = run(std::slice::from_ref(&card), &command, &options).unwrap();
    assert_eq!(code, 0, "{profile}: the assertion that failed stands above");
    let counters = card.counters();
    assert_eq!((counters.unlocked, counters.overruns), (0, 0), "{profile}");
    assert_eq!(card.held_semaphores(), [], "{profile}");
}

#[test]
fn on_a_connectx_3() {
    // Unknown bits of 0x2001, strap type and link speed of 0x2021.
    let seeds = [
        (0, 0x2001, 1, [0xfc, 0, 0, 0x2a]),
        (0, 0x2001, 2, [0, 0xff, 0xf0, 0x01]),
        (0, 0x2021, 1, [0xb8, 1, 0xf0, 0x05]),
    ];
    agree("connectx-3", &seeds, 12);
}

#[test]
fn on_a_connectx_3_as_new() {
    agree("connectx-3-factory", &[], 10);
}

#[test]
fn on_a_connectx_4() {
    let seeds = [
        (0, 0x0300_0195, 0, [0xfc, 0, 0xfc, 0xff]),
        (1, 0x0300_0195, 0, [0x12, 0x34, 0x54, 0x76]),
        (0, 0x0300_0221, 0, [0x98, 1, 0xf0, 0x07]),
    ];
    agree("connectx-4", &seeds, 20);
}

#[test]
fn on_a_connectx_4_as_new() {
    agree("connectx-4-factory", &[], 10);
}

#[test]
fn on_a_connectx_4_lx() {
    agree("connectx-4-lx", &[], 10);
}

/// Not a test by itself: what runs in the namespace.
#[test]
fn inside() {
    let Ok(rounds) = env::var(INSIDE) else {
        return;
    };
    let seed = env::var(SEED).map_or(0x5eed_0f1e, |seed| seed.parse().unwrap());
    let mut random = Random(seed);
    let mut tried = 0;
    for _ in 0..rounds.parse::<u32>().unwrap() {
        tried += flexctl_sets_and_mstconfig_shows(&mut random);
        tried += mstconfig_sets_and_flexctl_shows(&mut random);
    }
    println!("{tried} random settings agreed ({SEED}={seed})");
}

/// The one card of the namespace, opened.
fn open() -> OpenCard {
    let hwdb = Hwdb::builtin().unwrap();
    let root = SysfsRoot::default();
    let cards = scan(&root, &hwdb).unwrap();
    assert_eq!(cards.len(), 1);
    OpenCard::open(
        &cards[0],
        &hwdb,
        &root,
        &Shelf::memory(),
        &Patience::default(),
    )
    .unwrap()
}

/// Random legal values for every setting that the card offers.
fn wishes(random: &mut Random, ports: &[PortSettings]) -> Vec<Assignment> {
    let mut wishes = Vec::new();
    for port in ports {
        for name in SETTINGS {
            if port.availability(name) != Availability::Offered || random.below(4) == 0 {
                continue;
            }
            let field = port.setting(name).unwrap().field;
            let value = if field.values.is_empty() {
                let Place::Number { bits, .. } = field.place else {
                    continue;
                };
                random.below(bits.mask().saturating_add(1))
            } else {
                let choice = random.below(u32::try_from(field.values.len()).unwrap());
                field.values[usize::try_from(choice).unwrap()].value
            };
            wishes.push(Assignment::set(port.port, name, value));
        }
    }
    wishes
}

/// What was wished for.
fn value_of(wish: &Assignment) -> &FieldValue {
    match &wish.goal {
        Goal::Value(value) => value,
        Goal::Default => panic!("{wish:?}"),
    }
}

/// mstconfig's name of a setting.
fn mst_name(port: &PortSettings, setting: &str) -> String {
    match port.interface {
        FirmwareInterface::ToolsHcr => format!("{setting}_P{}", port.port),
        FirmwareInterface::Icmd => setting.to_owned(),
    }
}

fn port_of<'a>(ports: &'a [PortSettings], wish: &Assignment) -> &'a PortSettings {
    ports.iter().find(|port| port.port == wish.port).unwrap()
}

fn flexctl_sets_and_mstconfig_shows(random: &mut Random) -> usize {
    let mut card = open();
    let before = card.read(Detail::ForChange, Wanted::All).unwrap().ports;
    let wishes = wishes(random, &before);
    let plan = plan(&before, &wishes, Reserved::Refuse).unwrap();
    let mut firmwares: Vec<&mut Firmware> = card.firmwares.iter_mut().collect();
    apply(&mut firmwares, &plan).unwrap();
    let after = card.read(Detail::ForChange, Wanted::All).unwrap().ports;
    only_wished_bits_changed(&plan, &wishes, &before, &after);

    let mut names: BTreeMap<String, Vec<(String, u32)>> = BTreeMap::new();
    for wish in &wishes {
        let port = port_of(&after, wish);
        let setting = port.setting(&wish.setting).unwrap();
        assert_eq!(setting.values.effective(), Some(value_of(wish)), "{wish:?}");
        // Where the default was wished for, nothing is stored, and mstconfig
        // (which knows no defaults then) has nothing to show.
        if setting.reading.next != Ok(Stored::NotSet) {
            let of_function = names.entry(port.function.to_string()).or_default();
            of_function.push((
                mst_name(port, &wish.setting),
                value_of(wish).number().unwrap(),
            ));
        }
    }
    for (function, expected) in &names {
        let shown = mstconfig_query(function, expected.iter().map(|(name, _)| name));
        for (name, value) in expected {
            assert_eq!(
                shown.get(name),
                Some(value),
                "{function}: flexctl set {name}={value}, mstconfig shows {shown:?}"
            );
        }
    }
    wishes.len()
}

/// Every bit that no wish names is as it was, or as the card's defaults have it.
fn only_wished_bits_changed(
    plan: &Plan,
    wishes: &[Assignment],
    before: &[PortSettings],
    after: &[PortSettings],
) {
    for write in &plan.writes {
        let (was, is) = (before, after);
        let reading = |ports: &[PortSettings]| {
            let port = ports.iter().find(|port| port.port == write.port).unwrap();
            port.tlvs
                .iter()
                .find(|tlv| tlv.key == write.key)
                .unwrap()
                .clone()
        };
        let (was, is) = (reading(was), reading(is));
        let base = match (&was.next, &was.default) {
            (Ok(Stored::Set(data)), _) | (Ok(Stored::NotSet), Some(Ok(Stored::Set(data)))) => data,
            other => panic!("{other:?}"),
        };
        let Ok(Stored::Set(now)) = &is.next else {
            panic!("{is:?}");
        };
        let mut expected = base.clone();
        for wish in wishes.iter().filter(|wish| wish.port == write.port) {
            if let Some(field) = was
                .tlv
                .field
                .iter()
                .find(|field| field.name == wish.setting)
            {
                field.put(&mut expected, value_of(wish)).unwrap();
            }
        }
        assert_eq!(*now, expected, "{write:?}");
    }
}

fn mstconfig_sets_and_flexctl_shows(random: &mut Random) -> usize {
    let ports = open().read(Detail::ForChange, Wanted::All).unwrap().ports;
    let wishes = wishes(random, &ports);
    let mut by_function: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for wish in &wishes {
        let port = port_of(&ports, wish);
        let assignment = format!("{}={}", mst_name(port, &wish.setting), value_of(wish));
        let assignments = by_function.entry(port.function.to_string()).or_default();
        assignments.push(assignment);
    }
    for (function, assignments) in &by_function {
        let output = Command::new("mstconfig")
            .args(["-d", function, "-y", "set"])
            .args(assignments)
            .output()
            .unwrap();
        assert!(
            output.status.success(),
            "{function} {assignments:?}: {output:?}"
        );
    }
    let shown = open().read(Detail::ForChange, Wanted::All).unwrap().ports;
    for wish in &wishes {
        let found = port_of(&shown, wish)
            .setting(&wish.setting)
            .unwrap()
            .values
            .next;
        assert_eq!(
            found.value(),
            Some(value_of(wish)),
            "mstconfig set {wish:?}"
        );
    }
    wishes.len()
}

/// Name to number, as mstconfig shows these settings of a function.
fn mstconfig_query<'a>(
    function: &str,
    names: impl Iterator<Item = &'a String>,
) -> BTreeMap<String, u32> {
    let output = Command::new("mstconfig")
        .args(["-d", function, "query"])
        .args(names)
        .output()
        .unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{said}");
    said.lines()
        .filter_map(|line| {
            let words: Vec<&str> = line
                .split_whitespace()
                .filter(|word| *word != "*")
                .collect();
            let [name, value] = words.as_slice() else {
                return None;
            };
            let number = match value.split_once('(') {
                Some((_, number)) => number.trim_end_matches(')'),
                None => value,
            };
            Some(((*name).to_owned(), number.parse().ok()?))
        })
        .collect()
}
