//! Several settings of a card in one plan, some of them back to their defaults,
//! and a fault at a random step: all of them are as before, or as planned.
//!
//! Plans and faults are random, from a seed that is printed. FLEXCTL_TEST_ROUNDS=10
//! tries ten times as many.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod random;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use flexctl::access::Patience;
use flexctl::command::Firmware;
use flexctl::device::{OpenCard, Selector, select};
use flexctl::hwdb::{Access, Hwdb, Scope, SettingsFile};
use flexctl::pci::SysfsRoot;
use flexctl::settings::{
    Applied, ApplyError, Assignment, Availability, Detail, Goal, Holds, Plan, PortSettings,
    Reserved, Stored, TlvKey, TlvWrite, Wanted, apply, plan,
};
use flexctl::sim::{Card, Counters, Shelf};
use random::Random;

/// What a card holds, by place and type.
type Held = BTreeMap<(String, u32), Vec<u8>>;

struct Bench {
    card: Card,
    open: OpenCard,
}

impl Bench {
    fn new(hwdb: &Hwdb, profile: &str) -> Self {
        let shelf = Shelf::memory();
        let card = shelf.card(profile).unwrap();
        let root = SysfsRoot::new("/nonexistent");
        let chosen = select(&root, hwdb, &shelf, &[Selector::Sim(profile.to_owned())]).unwrap();
        let patience = Patience::new(Duration::from_millis(15), Arc::default());
        let open = OpenCard::open(&chosen[0], hwdb, &root, &shelf, &patience).unwrap();
        Self { card, open }
    }

    fn ports(&mut self) -> Vec<PortSettings> {
        self.open.read(Detail::ForReset, Wanted::All).unwrap().ports
    }

    fn apply(&mut self, plan: &Plan) -> Result<Applied, ApplyError> {
        let mut firmwares: Vec<&mut Firmware> = self.open.firmwares.iter_mut().collect();
        apply(&mut firmwares, plan)
    }

    fn held(&self) -> Held {
        let settings = self.card.settings().into_iter();
        settings
            .map(|stored| ((stored.place.to_string(), stored.kind), stored.data))
            .collect()
    }

    /// Sets half of the TLVs: legal values, and random bits where no field is.
    fn seed(&self, random: &mut Random) {
        let file: &SettingsFile = &self.open.settings;
        for tlv in &file.tlv {
            let ports = if tlv.scope == Scope::Card { 1 } else { 2 };
            for port in 1..=ports {
                if tlv.access == Access::ReadOnly || random.once_in(2) {
                    continue;
                }
                let mut data: Vec<u8> = (0..tlv.length_bytes).map(|_| random.byte()).collect();
                for field in &tlv.field {
                    field.put(&mut data, &random.value(field, None)).unwrap();
                }
                let of_port = if tlv.scope == Scope::Port { port } else { 0 };
                let key = TlvKey::of(file.interface, tlv, of_port);
                let (kind, modifier) = match key {
                    TlvKey::Mnva(key) => (u32::from(key.tlv_type), key.type_mod),
                    TlvKey::Mnvda(key) => (key.0, 0),
                };
                let function = if key.is_of_function() { port - 1 } else { 0 };
                // A card need not know all of them.
                let _ = self.card.seed_tlv(function, kind, modifier, &data);
            }
        }
    }
}

/// Random settings, values and resets; a TLV or two as a whole back to defaults.
fn wishes(random: &mut Random, ports: &[PortSettings]) -> Vec<Assignment> {
    let mut wishes: Vec<Assignment> = Vec::new();
    let mut wish = |wish: Assignment| {
        let same = |other: &Assignment| other.setting == wish.setting && other.port == wish.port;
        if !wishes.iter().any(same) {
            wishes.push(wish);
        }
    };
    for round in 0..3 + random.below(8) {
        let port = &ports[random.index(ports.len())];
        let reading = &port.tlvs[random.index(port.tlvs.len())];
        let number = if reading.tlv.scope == Scope::Card {
            0
        } else {
            port.port
        };
        let is_writable = reading.tlv.access == Access::ReadWrite && reading.writable;
        let has_default = matches!(reading.default, Some(Ok(Stored::Set(_))));
        let offered = |name: &str| port.availability(name) == Availability::Offered;
        let fields = reading.tlv.field.iter();
        let all_offered = fields.clone().all(|field| offered(&field.name));
        if !is_writable {
            continue;
        }
        if round % 3 == 2 && has_default && all_offered {
            fields.for_each(|field| wish(Assignment::reset(number, &field.name)));
            continue;
        }
        for field in fields.filter(|field| offered(&field.name)) {
            if random.once_in(2) {
                continue;
            }
            let goal = if has_default && random.once_in(4) {
                Goal::Default
            } else {
                Goal::Value(random.value(field, port.limit(&field.name)))
            };
            wish(Assignment {
                port: number,
                setting: field.name.clone(),
                goal,
            });
        }
    }
    wishes
}

fn accesses(counters: &Counters) -> u64 {
    counters.config_reads + counters.config_writes + counters.bar_reads + counters.bar_writes
}

/// What a fault does to the card.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fault {
    /// It answers afterwards as before.
    Passes,
    /// It does not answer any more until it reboots.
    Stays,
}

/// A fault at a random step of a run that takes so many.
fn fault(random: &mut Random, plan: &Plan, commands: u64, accesses: u64) -> (Fault, String) {
    let mut below = |most: u64| 1 + random.below(u32::try_from(most).unwrap());
    let (command, access) = (below(commands), below(accesses));
    let write = below(plan.writes.len() as u64);
    match random.below(8) {
        0 => (Fault::Passes, format!("status=0x22@{command}")),
        1 => (Fault::Passes, format!("status=0x4@{command}")),
        2 => (Fault::Passes, format!("status=0x70@{command}")),
        3 => (Fault::Passes, format!("lost-write@{write}")),
        4 => (Fault::Passes, format!("corrupt-write@{write}")),
        5 => (Fault::Stays, format!("stuck-busy@{command}")),
        6 => (Fault::Stays, format!("power-cut@{write}")),
        _ => (Fault::Stays, format!("power-cut-access@{access}")),
    }
}

/// How often what was seen.
#[derive(Default)]
struct Seen {
    done: u32,
    rolled_back: u32,
    deletes_rolled_back: u32,
    broken_off: u32,
}

fn with_faults(profile: &str, rounds: u32) -> Seen {
    let hwdb = Hwdb::builtin().unwrap();
    let mut seeds = Random::new(0x5eed_fa17);
    let mut seen = Seen::default();
    for _ in 0..random::rounds(rounds) {
        one_fault(&hwdb, profile, u64::from(seeds.below(u32::MAX)), &mut seen);
    }
    seen
}

fn one_fault(hwdb: &Hwdb, profile: &str, seed: u64, seen: &mut Seen) {
    let prepare = || {
        let mut random = Random::of(seed);
        let mut bench = Bench::new(hwdb, profile);
        bench.seed(&mut random);
        let ports = bench.ports();
        let wishes = wishes(&mut random, &ports);
        let plan = plan(&ports, &wishes, Reserved::Allow).unwrap();
        (bench, plan, random)
    };
    let (mut bench, plan, mut random) = prepare();
    if plan.is_empty() {
        return;
    }
    let old = bench.held();
    let before = bench.card.counters();
    bench.apply(&plan).unwrap();
    let after = bench.card.counters();
    let new = bench.held();
    let (kind, fault) = fault(
        &mut random,
        &plan,
        after.commands - before.commands,
        accesses(&after) - accesses(&before),
    );

    let (mut bench, plan, _) = prepare();
    bench.card.set_faults(fault.parse().unwrap());
    let outcome = bench.apply(&plan);
    let about = format!("{profile}, seed {seed}, {fault}: {outcome:?}");
    let held = bench.held();
    match (&outcome, kind) {
        (Ok(_), _) => {
            seen.done += 1;
            let held = without_lost_deletes(&plan, held);
            assert_eq!(different(&held, &new), "", "{about}");
        }
        (Err(error), Fault::Passes) => {
            seen.rolled_back += 1;
            let deletes = plan.writes.iter();
            let deletes = deletes.filter(|write| write.after == Stored::NotSet);
            seen.deletes_rolled_back += u32::from(deletes.count() > 0);
            assert!(error.nothing_changed(), "{about}");
            let held = without_defaults(error, held);
            assert_eq!(different(&held, &old), "", "{about}");
            assert_eq!(bench.card.held_semaphores(), [], "{about}");
        }
        (Err(error), Fault::Stays) => {
            seen.broken_off += 1;
            for (key, data) in without_defaults(error, held) {
                let known = [old.get(&key), new.get(&key)];
                assert!(known.contains(&Some(&data)), "{about}: {key:?} {data:02x?}");
            }
        }
    }
}

/// The TLVs that are not the same, in words.
fn different(is: &Held, expected: &Held) -> String {
    let keys: BTreeSet<_> = is.keys().chain(expected.keys()).collect();
    let differ = keys
        .into_iter()
        .filter(|key| is.get(*key) != expected.get(*key));
    let words = differ.map(|key| {
        let (is, expected) = (is.get(key), expected.get(key));
        format!("{} {:#x} is {is:02x?}, not {expected:02x?}\n", key.0, key.1)
    });
    words.collect()
}

/// Where the card keeps what a plan writes.
fn place(write: &TlvWrite) -> (String, u32) {
    match write.key {
        TlvKey::Mnva(key) if key.type_mod == 0 => ("card".to_owned(), key.tlv_type.into()),
        TlvKey::Mnva(key) => (format!("port{}", key.type_mod), key.tlv_type.into()),
        TlvKey::Mnvda(kind) if write.key.is_of_function() => {
            (format!("function{}", write.function.function), kind.0)
        }
        TlvKey::Mnvda(kind) => ("card".to_owned(), kind.0),
    }
}

/// The same without TLVs that were to be deleted and hold the defaults: a card may
/// answer these as well when they are not set, so a lost deletion does not show.
fn without_lost_deletes(plan: &Plan, mut held: Held) -> Held {
    for write in &plan.writes {
        let place = place(write);
        if write.after == Stored::NotSet && held.get(&place) == Some(&write.base) {
            held.remove(&place);
        }
    }
    held
}

/// The same without TLVs of which the error says that a ConnectX-3 could not unset
/// them: they hold their defaults.
fn without_defaults(error: &ApplyError, mut held: Held) -> Held {
    for tlv in &error.state {
        if tlv.holds == Holds::OldAsDefaults {
            assert!(matches!(tlv.write.key, TlvKey::Mnva(_)), "{tlv:?}");
            let found = held.remove(&place(&tlv.write));
            assert_eq!(found.as_ref(), Some(&tlv.write.base), "{tlv:?}");
        }
    }
    held
}

#[test]
fn a_fault_in_a_plan_of_several_settings_of_a_connectx_4() {
    let seen = with_faults("connectx-4-everything", 400);
    assert!(seen.done > 3, "{}", seen.done);
    assert!(seen.rolled_back > 100, "{}", seen.rolled_back);
    assert!(
        seen.deletes_rolled_back > 30,
        "{}",
        seen.deletes_rolled_back
    );
    assert!(seen.broken_off > 50, "{}", seen.broken_off);
}

#[test]
fn a_fault_in_a_plan_of_several_settings_of_a_connectx_3() {
    let seen = with_faults("connectx-3-everything", 300);
    assert!(seen.rolled_back > 100, "{}", seen.rolled_back);
    assert!(seen.broken_off > 50, "{}", seen.broken_off);
}

/// A ConnectX-3 whose ports cannot be forced to an electrical interface has 0 where
/// one would be, which is no value of PHY_TYPE.
#[test]
fn what_a_card_does_not_offer_keeps_nothing_from_being_changed() {
    let hwdb = Hwdb::builtin().unwrap();
    let mut bench = Bench::new(&hwdb, "connectx-3");
    let ports = bench.ports();
    assert!(ports[0].availability("PHY_TYPE") != Availability::Offered);
    let wish = Assignment::set(1, "LINK_TYPE", 1);
    let plan = plan(&ports, &[wish], Reserved::Refuse).unwrap();
    bench.apply(&plan).unwrap();
    assert_eq!(bench.card.tlv(0, 0x12, 1).unwrap(), [0, 0, 0, 1]);
}
