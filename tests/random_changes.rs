//! A card through random sequences of `settings set`, `settings reset`, `backup`,
//! `restore` and `settings undo`, and a model of it: a map of settings. After every
//! step the card has the values of the model. What undo and restore put back is the
//! same to the bit, where the card can unset what was not set.
//!
//! The seed is printed: FLEXCTL_TEST_SEED takes another one, FLEXCTL_TEST_ROUNDS=10
//! makes ten times as many sequences.

#![cfg(feature = "cli")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test fails by panicking and says what it did"
)]

mod random;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output};

use flexctl::access::Patience;
use flexctl::device::{OpenCard, Selector, select};
use flexctl::hwdb::{Access, FieldValue, FirmwareInterface, Hwdb, Scope};
use flexctl::pci::SysfsRoot;
use flexctl::settings::{Availability, Detail, PortSettings, TlvKey, Wanted};
use flexctl::sim::{Card, Shelf};
use random::Random;
use tempfile::TempDir;

/// How many changes are kept on record.
const ON_RECORD: usize = 32;

/// It says whether NUM_PF_MSIX counts, and changes along with it.
const NOT_IN_THE_MODEL: &str = "NUM_PF_MSIX_VALID";

/// A setting of a port; of port 0 where it belongs to the card.
type Name = (u8, String);
/// What a card holds, by place and type.
type Held = BTreeMap<(String, u32), Vec<u8>>;

/// What the card should be like.
#[derive(Clone, PartialEq, Eq)]
struct Model {
    values: BTreeMap<Name, FieldValue>,
    held: Held,
}

/// A card on disk, and a place for records and backups.
struct Bench {
    hwdb: Hwdb,
    profile: &'static str,
    folder: TempDir,
    shelf: Shelf,
    /// What can be set, and how high.
    settable: Vec<(Name, Option<u32>)>,
    defaults: BTreeMap<Name, FieldValue>,
    secrets: BTreeSet<String>,
    can_delete: bool,
}

impl Bench {
    fn new(profile: &'static str, random: &mut Random) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let shelf = Shelf::open(folder.path().join("sim"));
        let mut bench = Self {
            hwdb: Hwdb::builtin().unwrap(),
            profile,
            folder,
            shelf,
            settable: Vec::new(),
            defaults: BTreeMap::new(),
            secrets: BTreeSet::new(),
            can_delete: false,
        };
        bench.seed(random);
        let ports = bench.ports();
        bench.can_delete = ports[0].interface == FirmwareInterface::Icmd;
        for (name, setting) in settings(&ports) {
            let port = ports.iter().find(|port| name.0 == 0 || port.port == name.0);
            let limit = port.unwrap().limit(&name.1);
            if let Some(default) = setting.values.default.value() {
                bench.defaults.insert(name.clone(), default.clone());
            }
            if setting.field.secret {
                bench.secrets.insert(name.1.clone());
            }
            bench.settable.push((name, limit));
        }
        assert!(bench.settable.len() > 60, "{}", bench.settable.len());
        bench
    }

    /// A third of the TLVs are set: legal values, and random bits where no field is,
    /// also where a bit says whether values count.
    fn seed(&self, random: &mut Random) {
        let card = self.card();
        let device = self.hwdb.device(card.infos()[0].device).unwrap();
        let file = self.hwdb.settings(device);
        for tlv in &file.tlv {
            let ports = if tlv.scope == Scope::Card { 1 } else { 2 };
            for port in 1..=ports {
                if tlv.access == Access::ReadOnly || !random.once_in(3) {
                    continue;
                }
                let mut data: Vec<u8> = (0..tlv.length_bytes).map(|_| random.byte()).collect();
                for field in &tlv.field {
                    field.put(&mut data, &random.value(field, None)).unwrap();
                }
                for valid in tlv.field.iter().filter_map(|field| field.valid.as_ref()) {
                    if random.once_in(4) {
                        data[valid.dword * 4 + 3 - usize::from(valid.bit) / 8] &=
                            !(1 << (valid.bit % 8));
                    }
                }
                let of_port = if tlv.scope == Scope::Port { port } else { 0 };
                let key = TlvKey::of(file.interface, tlv, of_port);
                let (kind, modifier) = match key {
                    TlvKey::Mnva(key) => (u32::from(key.tlv_type), key.type_mod),
                    TlvKey::Mnvda(key) => (key.0, 0),
                };
                let function = if key.is_of_function() { port - 1 } else { 0 };
                // A card need not know all of them.
                let _ = card.seed_tlv(function, kind, modifier, &data);
            }
        }
    }

    fn card(&self) -> Card {
        self.shelf.card(self.profile).unwrap()
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn ports(&self) -> Vec<PortSettings> {
        let root = SysfsRoot::new("/nonexistent");
        let selector = [Selector::Sim(self.profile.to_owned())];
        let chosen = select(&root, &self.hwdb, &self.shelf, &selector).unwrap();
        let patience = Patience::default();
        let mut open =
            OpenCard::open(&chosen[0], &self.hwdb, &root, &self.shelf, &patience).unwrap();
        open.read(Detail::ForReset, Wanted::All).unwrap().ports
    }

    /// What the card is like.
    fn read(&self) -> Model {
        let ports = self.ports();
        let values = settings(&ports)
            .filter_map(|(name, setting)| Some((name, setting.values.effective()?.clone())));
        let stored = self.card().settings().into_iter();
        Model {
            values: values.collect(),
            held: stored
                .map(|stored| ((stored.place.to_string(), stored.kind), stored.data))
                .collect(),
        }
    }

    fn run(&self, job: &[String]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_flexctl"))
            .env_clear()
            .env("FLEXCTL_SIM_DIR", self.path("sim"))
            .env("FLEXCTL_STATE_DIR", self.path("state"))
            .env("FLEXCTL_RUN_DIR", self.path("run"))
            .args(job)
            .args(["-d", &format!("sim:{}", self.profile)])
            .output()
            .unwrap()
    }

    /// A setting's name for the command line; without a port all are meant.
    fn spelled(name: &Name) -> String {
        match name.0 {
            0 => name.1.clone(),
            port => format!("{}_P{port}", name.1),
        }
    }
}

/// Every setting that the card offers and lets be written.
fn settings(
    ports: &[PortSettings],
) -> impl Iterator<Item = (Name, flexctl::settings::SettingValue<'_>)> {
    ports.iter().enumerate().flat_map(|(index, port)| {
        port.settings().filter_map(move |setting| {
            let of_card = setting.reading.tlv.scope == Scope::Card;
            let is_there = port.availability(&setting.field.name) == Availability::Offered
                && setting.reading.tlv.access == Access::ReadWrite
                && setting.reading.writable
                && setting.field.name != NOT_IN_THE_MODEL
                && (index == 0 || !of_card);
            let number = if of_card { 0 } else { port.port };
            is_there.then(|| ((number, setting.field.name.clone()), setting))
        })
    })
}

/// What is done, and what becomes of the model by it.
struct Step {
    job: Vec<String>,
    values: BTreeMap<Name, FieldValue>,
    /// What the card holds afterwards, where that is known to the bit.
    held: Option<Held>,
}

fn job(words: &[&str]) -> Vec<String> {
    words.iter().map(ToString::to_string).collect()
}

/// One sequence of steps.
struct Sequence {
    bench: Bench,
    random: Random,
    model: Model,
    /// What was there before each change on record.
    undo: Vec<Model>,
    backups: Vec<(PathBuf, Model)>,
    done: BTreeMap<&'static str, u32>,
}

impl Sequence {
    fn new(profile: &'static str, seed: u64) -> Self {
        let mut random = Random::of(seed);
        let bench = Bench::new(profile, &mut random);
        let model = bench.read();
        Self {
            bench,
            random,
            model,
            undo: Vec::new(),
            backups: Vec::new(),
            done: BTreeMap::new(),
        }
    }

    fn step(&mut self, about: &str) {
        match self.random.below(20) {
            0..=8 => {
                let step = self.set();
                self.change("set", step, about);
            }
            9..=11 => {
                let step = self.reset();
                self.change("reset", step, about);
            }
            12..=13 => self.back_up(about),
            14..=15 if !self.backups.is_empty() => {
                let step = self.restore();
                self.change("restore", step, about);
            }
            _ => self.take_back(about),
        }
    }

    fn set(&mut self) -> Step {
        let mut step = Step {
            job: job(&["settings", "set", "--yes"]),
            values: self.model.values.clone(),
            held: None,
        };
        let mut named = BTreeSet::new();
        for _ in 0..1 + self.random.below(6) {
            let (name, limit) = {
                let at = self.random.index(self.bench.settable.len());
                self.bench.settable[at].clone()
            };
            let device = self.bench.card().infos()[0].device;
            let file = self
                .bench
                .hwdb
                .settings(self.bench.hwdb.device(device).unwrap());
            let (_, field) = file.setting(&name.1).unwrap();
            let value = self.random.value(field, limit);
            let all_ports = self.random.once_in(5);
            let meant: Vec<Name> = self.meant(&name, all_ports);
            if meant.iter().any(|name| named.contains(name)) {
                continue;
            }
            let written = if all_ports {
                name.1.clone()
            } else {
                Bench::spelled(&name)
            };
            step.job.push(format!("{written}={}", field.spell(&value)));
            for name in meant {
                step.values.insert(name.clone(), value.clone());
                named.insert(name);
            }
        }
        step
    }

    /// A name for one port, or the same for all ports.
    fn meant(&self, name: &Name, all_ports: bool) -> Vec<Name> {
        let settable = self.bench.settable.iter().map(|(name, _)| name);
        settable
            .filter(|other| other.1 == name.1 && (all_ports || other.0 == name.0))
            .cloned()
            .collect()
    }

    fn reset(&mut self) -> Step {
        let mut step = Step {
            job: job(&["settings", "reset", "--yes"]),
            values: self.model.values.clone(),
            held: None,
        };
        if self.random.once_in(6) {
            step.job.push("--all".to_owned());
            step.values.extend(self.bench.defaults.clone());
            return step;
        }
        let mut names: Vec<Name> = self.bench.defaults.keys().cloned().collect();
        for _ in 0..1 + self.random.below(4) {
            let name = names.remove(self.random.index(names.len()));
            step.job.push(Bench::spelled(&name));
            step.values
                .insert(name.clone(), self.bench.defaults[&name].clone());
        }
        step
    }

    fn back_up(&mut self, about: &str) {
        let path = self.bench.path(&format!("{}.toml", self.backups.len()));
        let mut words = job(&["backup", "--output", path.to_str().unwrap()]);
        for secret in &self.bench.secrets {
            words.extend(job(&["--secret", secret]));
        }
        let run = self.bench.run(&words);
        assert!(run.status.success(), "{about}: {words:?}: {run:?}");
        self.backups.push((path, self.model.clone()));
        *self.done.entry("backup").or_default() += 1;
        self.compare(about, "backup");
    }

    fn restore(&mut self) -> Step {
        let (path, then) = self.backups[self.random.index(self.backups.len())].clone();
        let mut step = Step {
            job: job(&["restore", path.to_str().unwrap(), "--yes"]),
            values: then.values.clone(),
            held: self.bench.can_delete.then_some(then.held),
        };
        if !self.bench.can_delete {
            step.job.push("--write-defaults".to_owned());
        }
        if self.random.once_in(3) {
            let at = self.random.index(self.bench.settable.len());
            let name = self.bench.settable[at].0.clone();
            step.job.extend(job(&["--only", &name.1]));
            step.values = self.model.values.clone();
            step.held = None;
            for name in self.meant(&name, true) {
                if let Some(value) = then.values.get(&name) {
                    step.values.insert(name, value.clone());
                }
            }
        }
        step
    }

    /// Does a step that can be undone.
    fn change(&mut self, what: &'static str, step: Step, about: &str) {
        let about = format!("{about}: {:?}", step.job);
        let run = self.bench.run(&step.job);
        assert!(run.status.success(), "{about}: {run:?}");
        let before = std::mem::replace(
            &mut self.model,
            Model {
                values: step.values,
                held: Held::new(),
            },
        );
        self.compare(&about, &String::from_utf8_lossy(&run.stdout));
        if let Some(held) = step.held {
            assert_eq!(different(&self.model.held, &held), "", "{about}");
        }
        // What changed nothing is not on record.
        if self.model.held != before.held {
            self.undo.push(before);
            *self.done.entry(what).or_default() += 1;
        }
        if self.undo.len() > ON_RECORD {
            self.undo.remove(0);
        }
    }

    fn take_back(&mut self, about: &str) {
        let run = self.bench.run(&job(&["settings", "undo", "--yes"]));
        let about = format!("{about}: undo of one of {}: {run:?}", self.undo.len());
        let Some(before) = self.undo.pop() else {
            assert!(!run.status.success(), "{about}");
            assert!(
                String::from_utf8_lossy(&run.stderr).contains("is on record"),
                "{about}"
            );
            return;
        };
        assert!(run.status.success(), "{about}");
        self.model.values.clone_from(&before.values);
        self.compare(&about, "undo");
        if self.bench.can_delete {
            assert_eq!(different(&self.model.held, &before.held), "", "{about}");
        }
        *self.done.entry("undo").or_default() += 1;
    }

    /// The card has the values of the model. What it holds is taken over from it.
    fn compare(&mut self, about: &str, said: &str) {
        let found = self.bench.read();
        let names: BTreeSet<&Name> = found
            .values
            .keys()
            .chain(self.model.values.keys())
            .collect();
        for name in names {
            let (is, expected) = (found.values.get(name), self.model.values.get(name));
            assert_eq!(is, expected, "{about}: {name:?}\n{said}");
        }
        self.model.held = found.held;
        let unfinished = fs::read_dir(self.bench.path("state/transactions"));
        let unfinished = unfinished.map_or(0, Iterator::count);
        assert_eq!(unfinished, 0, "{about}");
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

fn sequences(profile: &'static str) {
    let mut seeds = Random::new(0x5eed_c0de);
    let mut done: BTreeMap<&str, u32> = BTreeMap::new();
    for _ in 0..random::rounds(5) {
        let seed = u64::from(seeds.below(u32::MAX));
        let mut sequence = Sequence::new(profile, seed);
        for step in 0..60 {
            sequence.step(&format!("{profile}, sequence {seed}, step {step}"));
        }
        for (what, times) in sequence.done {
            *done.entry(what).or_default() += times;
        }
    }
    println!("{profile}: {done:?}");
    for what in ["set", "reset", "restore", "undo", "backup"] {
        let times = done.get(what).copied().unwrap_or_default();
        assert!(times > 10, "{what}: {times}");
    }
}

#[test]
fn a_connectx_3_follows_the_model() {
    sequences("connectx-3-everything");
}

#[test]
fn a_connectx_4_follows_the_model() {
    sequences("connectx-4-everything");
}
