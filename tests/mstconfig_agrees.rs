//! What flexctl set, Debian's mstconfig 4.21 shows, and the other way round: every
//! setting that both know and a card offers, with random values, on both
//! generations, from set and unset TLVs, with unknown bits seeded and kept.
//!
//! The test starts itself again inside a namespace that shows the virtual cards
//! (`inside`). Needs root, /dev/fuse and mstconfig; says SKIPPED where they are
//! missing, and fails there if CI=true. FLEXCTL_TEST_ROUNDS=10 tries ten times as
//! much, FLEXCTL_TEST_SEED other values.
#![cfg(feature = "cli")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test fails by panicking and says what it did"
)]

mod random;
mod ring;

use std::collections::{BTreeMap, BTreeSet};
use std::env;
use std::process::Command;

use flexctl::access::Patience;
use flexctl::command::Firmware;
use flexctl::device::{OpenCard, scan};
use flexctl::hwdb::{Access, Field, FieldValue, FirmwareInterface, Hwdb, Scope, Tlv};
use flexctl::pci::SysfsRoot;
use flexctl::settings::{
    Assignment, Availability, Detail, Goal, Plan, PortSettings, Reserved, SettingValue, Stored,
    TlvKey, TlvReading, TlvWrite, Wanted, apply, plan,
};
use flexctl::sim::fuse::{Guard, RunOptions, run};
use flexctl::sim::{Card, Shelf};
use random::Random;

const INSIDE: &str = "FLEXCTL_TEST_INSIDE";
const EVERYTHING: &str = "FLEXCTL_TEST_EVERYTHING";

/// Settings that only one of the two tools could set or show on a card, and why.
const EXCEPTIONS: [(&str, &str); 0] = [];

/// mstconfig neither shows nor sets others while these are off (the conditions in
/// its database that name the own TLV).
const SWITCHES: [&str; 3] = ["ADVANCED_PCI_SETTINGS", "BOOT_DBG_LOG", "UEFI_LOGS"];

/// What mstconfig has to set before the others: those switches, and on a ConnectX-3
/// the size of a BAR, by which it judges how many virtual functions have room.
const FIRST: [&str; 4] = [
    "ADVANCED_PCI_SETTINGS",
    "BOOT_DBG_LOG",
    "UEFI_LOGS",
    "LOG_BAR_SIZE",
];

/// The most megabytes of BARs that mstconfig takes on a ConnectX-3.
const MOST_BARS: u32 = 512;

/// The one ConnectX-3 TLV of which mstconfig keeps what it does not know.
const KEPT_BY_MSTCONFIG: &str = "BOOT_SETTINGS";

/// How the TLVs are at the beginning.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Begin {
    AsTheProfileSays,
    /// Three of four TLVs are set, with random bits where no field is.
    Seeded,
}

/// Starts this program in a namespace with a card, `rounds` rounds each way.
fn agree(profile: &str, begin: Begin, rounds: u32) {
    if ring::skipped("mstconfig", &ring::MSTCONFIG) {
        return;
    }
    let card = Shelf::memory().card(profile).unwrap();
    if begin == Begin::Seeded {
        seed(&card, &mut Random::new(0x5eed_0bed));
    }
    let command = [
        env::current_exe().unwrap().into_os_string(),
        "--exact".into(),
        "inside".into(),
        "--nocapture".into(),
    ];
    let mut environment = vec![(INSIDE.into(), random::rounds(rounds).to_string().into())];
    if profile.ends_with("-everything") {
        environment.push((EVERYTHING.into(), "1".into()));
    }
    let options = RunOptions {
        guard: Guard::None,
        environment,
        ..RunOptions::default()
    };
    let code = run(std::slice::from_ref(&card), &command, &options).unwrap();
    assert_eq!(code, 0, "{profile}: the assertion that failed stands above");
    let counters = card.counters();
    assert_eq!((counters.unlocked, counters.overruns), (0, 0), "{profile}");
    assert_eq!(card.held_semaphores(), [], "{profile}");
}

/// Sets TLVs of settings that mlxconfig knows: legal values, and random bits where
/// no field is.
fn seed(card: &Card, random: &mut Random) {
    let hwdb = Hwdb::builtin().unwrap();
    let infos = card.infos();
    let device = hwdb.device(infos[0].device).unwrap();
    let mut seeded = 0;
    for tlv in &hwdb.settings(device).tlv {
        let ports = if tlv.scope == Scope::Card { 1 } else { 2 };
        for port in 1..=ports {
            if tlv.access == Access::ReadOnly
                || tlv.field.iter().all(|field| field.ours)
                || random.once_in(4)
            {
                continue;
            }
            let of_port = if tlv.scope == Scope::Port { port } else { 0 };
            let key = TlvKey::of(hwdb.settings(device).interface, tlv, of_port);
            let (kind, modifier) = match key {
                TlvKey::Mnva(key) => (u32::from(key.tlv_type), key.type_mod),
                TlvKey::Mnvda(key) => (key.0, 0),
            };
            let function = if key.is_of_function() { port - 1 } else { 0 };
            let data = random_tlv(tlv, random);
            // A card need not know all of them.
            seeded += usize::from(card.seed_tlv(function, kind, modifier, &data).is_ok());
        }
    }
    assert!(seeded > 4, "{seeded}");
}

fn random_tlv(tlv: &Tlv, random: &mut Random) -> Vec<u8> {
    let mut data: Vec<u8> = (0..tlv.length_bytes).map(|_| random.byte()).collect();
    for field in &tlv.field {
        // mstconfig writes no TLV with a number above what the card can do.
        let value = random.value(field, field.limit.as_ref().map(|_| 0));
        field.put(&mut data, &value).unwrap();
    }
    data
}

#[test]
fn on_a_connectx_3() {
    agree("connectx-3", Begin::Seeded, 8);
}

#[test]
fn on_a_connectx_3_as_new() {
    agree("connectx-3-factory", Begin::AsTheProfileSays, 6);
}

#[test]
fn on_a_connectx_3_that_offers_everything() {
    agree("connectx-3-everything", Begin::Seeded, 8);
}

#[test]
fn on_a_connectx_4() {
    agree("connectx-4", Begin::Seeded, 6);
}

#[test]
fn on_a_connectx_4_as_new() {
    agree("connectx-4-factory", Begin::AsTheProfileSays, 5);
}

#[test]
fn on_a_connectx_4_lx() {
    agree("connectx-4-lx", Begin::AsTheProfileSays, 5);
}

#[test]
fn on_a_connectx_4_that_offers_everything() {
    agree("connectx-4-everything", Begin::Seeded, 6);
}

/// A setting of a port; of port 0 where it belongs to the card.
type Name = (u8, String);

/// What was compared, by who had set it.
#[derive(Default)]
struct Covered {
    by_flexctl: BTreeSet<Name>,
    by_mstconfig: BTreeSet<Name>,
}

/// Not a test by itself: what runs in the namespace.
#[test]
fn inside() {
    let Ok(rounds) = env::var(INSIDE) else {
        return;
    };
    let mut random = Random::new(0x5eed_0f1e);
    let mut covered = Covered::default();
    let mut tried = 0;
    for round in 0..rounds.parse::<u32>().unwrap() {
        // The first round is about everything.
        let all = round == 0;
        tried += flexctl_sets_and_mstconfig_shows(&mut random, all, &mut covered.by_flexctl);
        tried += mstconfig_sets_and_flexctl_shows(&mut random, all, &mut covered.by_mstconfig);
    }
    let known = nothing_is_left_out(&covered);
    println!("{tried} random values of {known} settings agreed");
}

/// Every setting of the card that both tools know was compared both ways.
fn nothing_is_left_out(covered: &Covered) -> usize {
    let mut card = open();
    let ports = card.read(Detail::ForReset, Wanted::All).unwrap().ports;
    let expected: BTreeSet<Name> = candidates(&ports)
        .iter()
        .map(|(port, setting)| (*port, setting.field.name.clone()))
        .filter(|(_, name)| EXCEPTIONS.iter().all(|(exception, _)| exception != name))
        .collect();
    for (by, covered) in [
        ("flexctl", &covered.by_flexctl),
        ("mstconfig", &covered.by_mstconfig),
    ] {
        let missing: Vec<&Name> = expected.difference(covered).collect();
        assert!(missing.is_empty(), "never set by {by}: {missing:?}");
    }
    // Whatever mstconfig shows of this card is one of them.
    let ours: BTreeSet<String> = candidates(&ports)
        .iter()
        .map(|(port, setting)| mst_name(&ports[0], *port, setting))
        .collect();
    for port in &ports {
        for name in mstconfig_query(&port.function.to_string(), [].iter()).keys() {
            assert!(ours.contains(name), "only mstconfig knows {name}");
        }
    }
    if env::var_os(EVERYTHING).is_some() {
        let of_the_data_file: BTreeSet<&str> = card
            .settings
            .settings()
            .filter(|(tlv, field)| tlv.access == Access::ReadWrite && !field.ours)
            .map(|(_, field)| field.name.as_str())
            .collect();
        let offered: BTreeSet<&str> = candidates(&ports)
            .iter()
            .map(|(_, setting)| setting.field.name.as_str())
            .collect();
        assert_eq!(of_the_data_file, offered, "the profile lacks a capability");
    }
    expected.len()
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

/// Every setting that both tools know and the card lets be written, with its port.
fn candidates(ports: &[PortSettings]) -> Vec<(u8, SettingValue<'_>)> {
    let mut found = Vec::new();
    for (index, port) in ports.iter().enumerate() {
        for setting in port.settings() {
            let of_card = setting.reading.tlv.scope == Scope::Card;
            let offered = port.availability(&setting.field.name) == Availability::Offered;
            let written = setting.reading.tlv.access == Access::ReadWrite;
            if !setting.field.ours
                && offered
                && written
                && setting.reading.writable
                && (index == 0 || !of_card)
            {
                found.push((if of_card { 0 } else { port.port }, setting));
            }
        }
    }
    found
}

/// The port of a wish, or the first one for the whole card.
fn port_of(ports: &[PortSettings], number: u8) -> &PortSettings {
    ports
        .iter()
        .find(|port| number == 0 || port.port == number)
        .unwrap()
}

/// The switch without which mstconfig does not know a setting, where there is one.
fn switch_of(field: &Field) -> Option<(&str, &[u32])> {
    let condition = field.effective_with.as_ref()?;
    let switch = condition.setting.as_str();
    SWITCHES
        .contains(&switch)
        .then_some((switch, condition.values.as_slice()))
}

/// Random legal values, for all settings or some.
fn wishes(random: &mut Random, ports: &[PortSettings], all: bool) -> Vec<Assignment> {
    let candidates = candidates(ports);
    let mut wishes: Vec<Assignment> = Vec::new();
    for (number, setting) in &candidates {
        let field = setting.field;
        if !all && !random.once_in(2) {
            continue;
        }
        let highest = port_of(ports, *number).limit(&field.name);
        let mut value = random.value(field, highest).number().unwrap();
        if all {
            // What the card does anyway would not have to be written.
            for _ in 0..16 {
                if setting.values.effective() == Some(&value.into()) {
                    value = random.value(field, highest).number().unwrap();
                }
            }
            let needed = candidates.iter().find_map(|(_, other)| {
                switch_of(other.field).filter(|(switch, _)| field.is_called(switch))
            });
            if let Some((_, values)) = needed {
                value = values[random.index(values.len())];
            }
        }
        wishes.push(Assignment::set(*number, &field.name, value));
    }
    keep_bars_small(random, ports, &mut wishes);
    // A value that does not count is none.
    if wishes.iter().any(|wish| wish.setting == "NUM_PF_MSIX") {
        for wish in &mut wishes {
            if wish.setting == "NUM_PF_MSIX_VALID" {
                wish.goal = Goal::Value(1.into());
            }
        }
    }
    wishes
}

/// On a ConnectX-3 mstconfig refuses more virtual functions than have room.
fn keep_bars_small(random: &mut Random, ports: &[PortSettings], wishes: &mut Vec<Assignment>) {
    let names = ["NUM_OF_VFS", "LOG_BAR_SIZE"];
    let has = |name| ports[0].setting(name).is_some();
    if !names.iter().all(|name| has(*name)) {
        return;
    }
    wishes.retain(|wish| !names.contains(&wish.setting.as_str()));
    let highest = |name| ports[0].limit(name).unwrap();
    let log_size = random.below(highest("LOG_BAR_SIZE").min(9) + 1);
    let functions = highest("NUM_OF_VFS").min((MOST_BARS >> log_size) - 1);
    let values = [random.below(functions + 1), log_size];
    for (name, value) in names.into_iter().zip(values) {
        if ports[0].availability(name) == Availability::Offered {
            wishes.push(Assignment::set(0, name, value));
        }
    }
}

/// Some of the wishes are for the card's default.
fn some_resets(random: &mut Random, ports: &[PortSettings], wishes: &mut [Assignment]) {
    for wish in wishes {
        let setting = port_of(ports, wish.port).setting(&wish.setting).unwrap();
        let default = setting.values.default.value().cloned();
        let bound = ["NUM_OF_VFS", "LOG_BAR_SIZE", "NUM_PF_MSIX_VALID"];
        if default.is_some() && !bound.contains(&wish.setting.as_str()) && random.once_in(4) {
            wish.goal = Goal::Default;
        }
    }
}

/// What was wished for.
fn value_of(before: &[PortSettings], wish: &Assignment) -> FieldValue {
    match &wish.goal {
        Goal::Value(value) => value.clone(),
        Goal::Default => {
            let setting = port_of(before, wish.port).setting(&wish.setting).unwrap();
            setting.values.default.value().unwrap().clone()
        }
    }
}

/// mstconfig's name of a setting.
fn mst_name(port: &PortSettings, number: u8, setting: &SettingValue<'_>) -> String {
    let name = &setting.field.name;
    match (port.interface, setting.reading.tlv.scope) {
        // Through its own function it needs no number.
        (FirmwareInterface::Icmd, Scope::Function) | (_, Scope::Card) => name.clone(),
        _ => format!("{name}_P{number}"),
    }
}

fn flexctl_sets_and_mstconfig_shows(
    random: &mut Random,
    all: bool,
    covered: &mut BTreeSet<Name>,
) -> usize {
    let mut card = open();
    let before = card.read(Detail::ForReset, Wanted::All).unwrap().ports;
    let mut wishes = wishes(random, &before, all);
    if !all {
        some_resets(random, &before, &mut wishes);
    }
    let plan = plan(&before, &wishes, Reserved::Refuse).unwrap();
    let mut firmwares: Vec<&mut Firmware> = card.firmwares.iter_mut().collect();
    apply(&mut firmwares, &plan).unwrap();
    let after = card.read(Detail::ForReset, Wanted::All).unwrap().ports;
    written_as_planned(&plan, &wishes, &before, &after);

    let mut expected: BTreeMap<String, Vec<(String, u32, Name)>> = BTreeMap::new();
    for wish in &wishes {
        let port = port_of(&after, wish.port);
        let setting = port.setting(&wish.setting).unwrap();
        let value = value_of(&before, wish);
        assert_eq!(setting.values.effective(), Some(&value), "{wish:?}");
        // Where the default was wished for, nothing is stored, and mstconfig
        // (which knows no defaults then) has nothing to show.
        let is_stored = setting.reading.next != Ok(Stored::NotSet);
        if is_stored && is_switched_on(port, setting.field) {
            let of_function = expected.entry(port.function.to_string()).or_default();
            of_function.push((
                mst_name(port, wish.port, &setting),
                value.number().unwrap(),
                (wish.port, wish.setting.clone()),
            ));
        }
    }
    for (function, expected) in expected {
        let shown = mstconfig_query(&function, expected.iter().map(|(name, ..)| name));
        for (name, value, which) in expected {
            assert_eq!(
                shown.get(&name),
                Some(&value),
                "{function}: flexctl set {name}={value}, mstconfig shows {shown:?}"
            );
            covered.insert(which);
        }
    }
    wishes.len()
}

/// Whether mstconfig shows a setting, as the card is now.
fn is_switched_on(port: &PortSettings, field: &Field) -> bool {
    let Some((switch, values)) = switch_of(field) else {
        return true;
    };
    let holds = port.setting(switch).unwrap().values.next.number();
    holds.is_some_and(|holds| values.contains(&holds))
}

fn reading_of<'a>(ports: &'a [PortSettings], write: &TlvWrite) -> &'a TlvReading {
    let mut tlvs = port_of(ports, write.port).tlvs.iter();
    tlvs.find(|tlv| tlv.key == write.key).unwrap()
}

/// Every bit that no wish names is as it was, or as the card's defaults have it.
fn written_as_planned(
    plan: &Plan,
    wishes: &[Assignment],
    before: &[PortSettings],
    after: &[PortSettings],
) {
    for write in &plan.writes {
        let (was, is) = (reading_of(before, write), reading_of(after, write));
        let default = was.default.as_ref().and_then(|answer| answer.as_ref().ok());
        if write.after == Stored::NotSet {
            let is = is.next.as_ref().unwrap();
            assert!(
                *is == Stored::NotSet || Some(is) == default,
                "{write:?}: {is:?}"
            );
            continue;
        }
        let base = match (&was.next, default) {
            (Ok(Stored::Set(data)), _) | (Ok(Stored::NotSet), Some(Stored::Set(data))) => data,
            other => panic!("{other:?}"),
        };
        let expected = with_wishes(was, base, (write.port, wishes), before);
        assert_eq!(is.next, Ok(Stored::Set(expected)), "{write:?}");
    }
}

/// The bytes of a TLV with what was wished for its port.
fn with_wishes(
    reading: &TlvReading,
    base: &[u8],
    (port, wishes): (u8, &[Assignment]),
    before: &[PortSettings],
) -> Vec<u8> {
    let mut data = base.to_vec();
    for wish in wishes.iter().filter(|wish| wish.port == port) {
        let mut fields = reading.tlv.field.iter();
        if let Some(field) = fields.find(|field| field.name == wish.setting) {
            field.put(&mut data, &value_of(before, wish)).unwrap();
        }
    }
    data
}

fn mstconfig_sets_and_flexctl_shows(
    random: &mut Random,
    all: bool,
    covered: &mut BTreeSet<Name>,
) -> usize {
    let before = open().read(Detail::ForReset, Wanted::All).unwrap().ports;
    let (first, mut others): (Vec<_>, Vec<_>) = wishes(random, &before, all)
        .into_iter()
        .partition(|wish| FIRST.contains(&wish.setting.as_str()));
    if first.iter().any(|wish| wish.setting == "LOG_BAR_SIZE") {
        // It judges each of the two by what is stored of the other.
        mstconfig_sets(&before, &[Assignment::set(0, "NUM_OF_VFS", 0)]);
    }
    mstconfig_sets(&before, &first);
    let between = open().read(Detail::ForReset, Wanted::All).unwrap().ports;
    others.retain(|wish| {
        let port = port_of(&between, wish.port);
        is_switched_on(port, port.setting(&wish.setting).unwrap().field)
    });
    mstconfig_sets(&between, &others);
    let after = open().read(Detail::ForReset, Wanted::All).unwrap().ports;
    let wishes = [first, others].concat();
    for wish in &wishes {
        let port = port_of(&after, wish.port);
        let found = port.setting(&wish.setting).unwrap().values.next;
        let expected = value_of(&before, wish);
        assert_eq!(found.value(), Some(&expected), "mstconfig set {wish:?}");
        covered.insert((wish.port, wish.setting.clone()));
    }
    mstconfig_changed_nothing_else(&wishes, &before, &after);
    wishes.len()
}

/// Bits that neither tool has a name for stay: what mstconfig changes of a TLV that
/// was set is what the data files name.
fn mstconfig_changed_nothing_else(
    wishes: &[Assignment],
    before: &[PortSettings],
    after: &[PortSettings],
) {
    for (port, is) in before.iter().zip(after) {
        for was in &port.tlvs {
            let is = is.tlvs.iter().find(|tlv| tlv.key == was.key).unwrap();
            let keeps =
                port.interface == FirmwareInterface::Icmd || was.tlv.name == KEPT_BY_MSTCONFIG;
            let Ok(Stored::Set(base)) = &was.next else {
                continue;
            };
            if keeps {
                let of_card = was.tlv.scope == Scope::Card;
                let number = if of_card { 0 } else { port.port };
                let expected = with_wishes(was, base, (number, wishes), before);
                assert_eq!(is.next, Ok(Stored::Set(expected)), "{}", was.tlv.name);
            }
        }
    }
}

fn mstconfig_sets(ports: &[PortSettings], wishes: &[Assignment]) {
    let mut by_function: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for wish in wishes {
        let port = port_of(ports, wish.port);
        let name = mst_name(port, wish.port, &port.setting(&wish.setting).unwrap());
        let assignments = by_function.entry(port.function.to_string()).or_default();
        assignments.push(format!("{name}={}", value_of(ports, wish)));
    }
    for (function, assignments) in &by_function {
        let output = Command::new("mstconfig")
            .args(["-d", function, "-y", "set"])
            .args(assignments)
            .output()
            .unwrap();
        assert!(
            output.status.success(),
            "{function} {assignments:?}: {}{}",
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
    }
}

/// Name to number, as mstconfig shows these settings of a function; all that it
/// knows without any.
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
        .skip_while(|line| !line.starts_with("Configurations:"))
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
