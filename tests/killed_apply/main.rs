//! `apply` killed at an access to the card, and at every system call by which its
//! journal changes files: `settings undo` brings back what was there before.
//!
//! The profile changes TLVs of both ports and of the card, some of them not set
//! before, one of them a secret. After every kill each TLV is old or new; undo
//! succeeds or says truly that no change is on record, and afterwards every TLV is
//! as before `apply` (where a ConnectX-3 cannot unset one, it holds the defaults);
//! a semaphore that is left over is named, with the way to free it, and that way
//! works; and the next `apply` does the job.
//!
//! The kills at accesses are spread over the run, and closer together where what
//! they leave behind changes. FLEXCTL_TEST_ROUNDS=1000 kills at every access.

#![cfg(feature = "cli")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "../random/mod.rs"]
mod random;
#[path = "../ring/mod.rs"]
mod ring;

use std::collections::{BTreeMap, HashSet};
use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use flexctl::sim::{Card, Shelf};
use serde_json::Value;
use tempfile::TempDir;

const SIGKILL: i32 = 9;
const SECRET: &str = "not-to-be-seen";

/// What `apply` is to do.
const PROFILE: &str = r#"
schema = 1
[settings]
IP_VER = "IPv6"
BOOT_VLAN_EN = true
NUM_OF_VFS = 4
ISCSI_FIRST_TARGET_CHAP_PASSWORD = "not-to-be-seen"
[[section]]
match = { port = 1 }
[section.settings]
BOOT_VLAN = 7
[[section]]
match = { port = 2 }
[section.settings]
BOOT_VLAN = 9
LINK_TYPE = "IB"
"#;

/// System calls that change files; those that an architecture has not are passed by.
const CALLS: &str = "?open,openat,?creat,write,?pwrite64,fsync,fdatasync,?rename,renameat,?renameat2,\
                     ?unlink,unlinkat,?rmdir,?mkdir,mkdirat,?chmod,fchmod,fchmodat,?link,linkat,\
                     ?symlink,symlinkat,?truncate,ftruncate";

/// A TLV: function, type, port of a ConnectX-3.
type Tlv = (u8, u32, u8);
/// What a card holds, by place and type.
type Held = BTreeMap<(String, u32), Vec<u8>>;

/// A card before `apply`.
struct Kind {
    name: &'static str,
    set: &'static [(Tlv, &'static [u8])],
    /// TLVs that were not set and cannot be unset again: their defaults.
    defaults: &'static [((&'static str, u32), &'static [u8])],
    /// The TLVs that the profile changes.
    changed: usize,
}

const CONNECTX_3: Kind = Kind {
    name: "connectx-3-everything",
    set: &[
        ((0, 0x0011, 0), &[0x80, 0, 0, 8]),
        ((0, 0x0012, 2), &[0, 0, 0, 0x12]),
        ((0, 0x2001, 1), &[0, 0, 0, 0x0f]),
        ((0, 0x2021, 1), &[0x80, 1, 0, 1]),
        ((0, 0x2207, 2), b"another-secret\0\0"),
    ],
    defaults: &[
        (("port2", 0x2001), &[0, 0, 0, 20]),
        (("port2", 0x2021), &[0x80, 1, 0, 1]),
        (("port1", 0x2207), &[0; 16]),
    ],
    changed: 8,
};

const CONNECTX_4: Kind = Kind {
    name: "connectx-4-everything",
    set: &[
        ((0, 0x80, 0), &[0x80, 0, 0, 0, 0x80, 0, 0, 8, 0, 0, 0, 0]),
        ((0, 0x0300_0195, 0), &[0xfc, 0, 0, 0x14]),
        ((0, 0x0300_0221, 0), &[0xa0, 1, 0xf0, 1]),
        ((1, 0x0300_0247, 0), b"another-secret\0\0"),
    ],
    defaults: &[],
    changed: 8,
};

/// A card on disk, a profile, and a place for records.
struct Bench {
    kind: &'static Kind,
    folder: TempDir,
    shelf: Shelf,
    old: Held,
    new: Held,
    /// What was looked into already.
    seen: HashSet<Left>,
}

/// What a killed run leaves behind.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Left {
    held: Held,
    semaphores: Vec<String>,
    /// Every file of the journal, without process id and time.
    journal: Vec<(PathBuf, String)>,
}

impl Bench {
    fn new(kind: &'static Kind) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let shelf = Shelf::open(folder.path().join("sim"));
        fs::write(folder.path().join("profile.toml"), PROFILE).unwrap();
        let mut bench = Self {
            kind,
            folder,
            shelf,
            old: Held::new(),
            new: Held::new(),
            seen: HashSet::new(),
        };
        bench.begin();
        bench.old = bench.held();
        bench.apply();
        bench.new = bench.held();
        let changed = bench
            .new
            .iter()
            .filter(|(key, data)| bench.old.get(*key) != Some(*data));
        assert_eq!(changed.count(), kind.changed, "{:?}", bench.new);
        bench
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A new card and no record of anything.
    fn begin(&self) {
        let _ = self.shelf.remove(self.kind.name);
        let _ = fs::remove_dir_all(self.path("state"));
        let card = self.card();
        for ((function, kind, modifier), data) in self.kind.set {
            card.seed_tlv(*function, *kind, *modifier, data).unwrap();
        }
    }

    fn card(&self) -> Card {
        self.shelf.card(self.kind.name).unwrap()
    }

    fn held(&self) -> Held {
        held(&self.card())
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("FLEXCTL_SIM_DIR", self.path("sim"))
            .env("FLEXCTL_STATE_DIR", self.path("state"))
            .env("FLEXCTL_RUN_DIR", self.path("run"));
        command
    }

    fn arguments(&self, job: &[&str]) -> Vec<String> {
        let card = format!("sim:{}", self.kind.name);
        let always = ["-d", &card, "--wait", "0.01"];
        job.iter().chain(&always).map(ToString::to_string).collect()
    }

    fn run(&self, job: &[&str]) -> Output {
        self.command(env!("CARGO_BIN_EXE_flexctl"))
            .args(self.arguments(job))
            .output()
            .unwrap()
    }

    fn apply_job(&self) -> [String; 3] {
        let profile = self.path("profile.toml").display().to_string();
        ["apply".to_owned(), profile, "--yes".to_owned()]
    }

    fn try_apply(&self) -> Output {
        let job = self.apply_job();
        self.run(&job.each_ref().map(String::as_str))
    }

    fn apply(&self) {
        let run = self.try_apply();
        assert!(run.status.success(), "{run:?}");
    }

    fn undo(&self) -> Output {
        self.run(&["settings", "undo", "--yes"])
    }

    /// What a killed run left behind.
    fn left(&self) -> Left {
        let card = self.card();
        card.set_faults("".parse().unwrap());
        let mut journal = Vec::new();
        files(&self.path("state"), &mut journal);
        Left {
            held: held(&card),
            semaphores: card
                .held_semaphores()
                .into_iter()
                .map(|held| held.name)
                .collect(),
            journal,
        }
    }

    /// Everything that has to be true after a kill.
    fn look_into(&mut self, left: &Left, about: &str) {
        for (key, data) in &left.held {
            let known = [self.old.get(key), self.new.get(key)];
            assert!(
                known.contains(&Some(data)),
                "{about}: {key:?} holds {data:02x?}"
            );
        }
        for (key, data) in &self.old {
            assert!(
                left.held.contains_key(key),
                "{about}: {key:?} lost {data:02x?}"
            );
        }
        if !self.seen.insert(left.clone()) {
            return;
        }
        let mut undone = self.undo();
        if !left.semaphores.is_empty() {
            // Without a record undo does not look at the card.
            let stopped = if is_not_on_record(&undone) {
                self.try_apply()
            } else {
                undone
            };
            self.free_semaphores(&stopped, about);
            undone = self.undo();
        }
        self.is_undone(&undone, left, about);
        // There was one change; it is not taken back twice.
        let again = self.undo();
        assert!(is_not_on_record(&again), "{about}: then {again:?}");
        assert!(self.is_as_before(&self.held()), "{about}: undone twice");
        let next = self.try_apply();
        assert!(next.status.success(), "{about}: then {next:?}");
        assert_eq!(self.held(), self.new, "{about}");
        assert_eq!(self.card().held_semaphores(), [], "{about}");
        let undone = self.undo();
        assert!(undone.status.success(), "{about}: at last {undone:?}");
        assert!(self.is_as_before(&self.held()), "{about}: at last");
    }

    fn is_undone(&self, undone: &Output, left: &Left, about: &str) {
        let said = String::from_utf8_lossy(&undone.stdout).into_owned()
            + &String::from_utf8_lossy(&undone.stderr);
        assert!(
            !said.contains(SECRET) && !said.contains("another-secret"),
            "{about}: {said}"
        );
        if is_not_on_record(undone) {
            assert_eq!(left.held, self.old, "{about}: it is not on record: {said}");
        } else {
            assert!(undone.status.success(), "{about}: {said}");
        }
        let now = self.held();
        assert!(self.is_as_before(&now), "{about}: {said}\n{now:02x?}");
        assert_eq!(self.card().held_semaphores(), [], "{about}");
    }

    /// The message names the way to free what the dead run held, and it works.
    fn free_semaphores(&self, stopped: &Output, about: &str) {
        assert_eq!(stopped.status.code(), Some(7), "{about}: {stopped:?}");
        let stderr = String::from_utf8_lossy(&stopped.stderr);
        assert!(stderr.contains("--clear-semaphores"), "{about}: {stderr}");
        // It waits for two seconds; a reboot does the same.
        if self.seen.len() % 16 == 1 {
            let doctor = self.run(&["doctor", "--clear-semaphores", "--yes"]);
            assert_eq!(self.card().held_semaphores(), [], "{about}: {doctor:?}");
        } else {
            self.card().reboot();
        }
    }

    /// Every TLV is as before `apply`, or holds the defaults where it cannot be unset.
    fn is_as_before(&self, now: &Held) -> bool {
        let defaults = self.kind.defaults.iter();
        let written_down = |key: &(String, u32), data: &[u8]| {
            defaults.clone().any(|((place, kind), default)| {
                (place, kind) == (&key.0.as_str(), &key.1) && *default == data
            })
        };
        self.old
            .iter()
            .all(|(key, data)| now.get(key) == Some(data))
            && now
                .iter()
                .all(|(key, data)| self.old.contains_key(key) || written_down(key, data))
    }
}

fn held(card: &Card) -> Held {
    let settings = card.settings().into_iter();
    settings
        .map(|stored| ((stored.place.to_string(), stored.kind), stored.data))
        .collect()
}

fn is_not_on_record(undo: &Output) -> bool {
    let stderr = String::from_utf8_lossy(&undo.stderr);
    !undo.status.success() && stderr.contains("no change of") && stderr.contains("is on record")
}

/// All files below a folder, without what differs from run to run.
fn files(folder: &Path, found: &mut Vec<(PathBuf, String)>) {
    let mut entries: Vec<_> = fs::read_dir(folder)
        .map(|entries| entries.map(|entry| entry.unwrap().path()).collect())
        .unwrap_or_default();
    entries.sort();
    for path in entries {
        if path.is_dir() {
            files(&path, found);
        } else {
            let text = fs::read_to_string(&path).unwrap();
            let mut lines: Vec<&str> = text.lines().collect();
            lines
                .retain(|line| !line.contains("\"process\"") && !line.contains("\"started_unix\""));
            found.push((path, lines.join("\n")));
        }
    }
}

/// Kills at accesses to the card.
fn kill_at_accesses(kind: &'static Kind) {
    let mut bench = Bench::new(kind);
    bench.begin();
    let before = accesses(&bench.card());
    bench.apply();
    let all = accesses(&bench.card()) - before;
    let steps = u64::from(random::rounds(120)).min(all);
    assert!(all > 300, "{all}");
    let mut last = (1, bench.killed_at(1));
    for step in 1..=steps {
        let at = 1 + (all - 1) * step / steps;
        let left = bench.killed_at(at);
        bench.between(&last, (at, &left));
        last = (at, left);
    }
    assert_eq!(
        last.1.held, bench.new,
        "{}: the last access is after the last write",
        kind.name
    );
    // Every TLV on its own, before, and after.
    let states: HashSet<&Held> = bench.seen.iter().map(|left| &left.held).collect();
    assert_eq!(states.len(), kind.changed + 1, "{}", kind.name);
    let held = bench.seen.iter().filter(|left| !left.semaphores.is_empty());
    assert!(held.count() > 5, "{}", kind.name);
}

fn accesses(card: &Card) -> u64 {
    let counters = card.counters();
    counters.config_reads + counters.config_writes + counters.bar_reads + counters.bar_writes
}

impl Bench {
    fn killed_at(&mut self, at: u64) -> Left {
        let about = format!("{} at access {at}", self.kind.name);
        self.begin();
        self.card()
            .set_faults(format!("kill@{at}").parse().unwrap());
        let killed = self.try_apply();
        assert_eq!(killed.status.signal(), Some(SIGKILL), "{about}: {killed:?}");
        let left = self.left();
        self.look_into(&left, &about);
        left
    }

    /// Kills in between as long as there is something else to be found.
    fn between(&mut self, first: &(u64, Left), (at, left): (u64, &Left)) {
        let same = first.1.held == left.held && first.1.journal == left.journal;
        if same || at - first.0 < 2 {
            return;
        }
        let middle = (first.0 + at) / 2;
        let found = self.killed_at(middle);
        self.between(first, (middle, &found));
        self.between(&(middle, found), (at, left));
    }
}

#[test]
fn a_connectx_3_after_a_kill_at_an_access() {
    kill_at_accesses(&CONNECTX_3);
}

#[test]
fn a_connectx_4_after_a_kill_at_an_access() {
    kill_at_accesses(&CONNECTX_4);
}

/// The calls that change files of the journal: their names, and the how many-eth of
/// that name each is.
fn calls_of_the_journal(bench: &Bench) -> Vec<(String, usize)> {
    bench.begin();
    let log = bench.path("strace.log");
    let traced = strace(
        bench,
        &[
            "-y",
            "-o",
            log.to_str().unwrap(),
            "-e",
            &format!("trace={CALLS}"),
        ],
    );
    assert!(traced.status.success(), "{traced:?}");
    let state = bench.path("state").display().to_string();
    let mut counts: BTreeMap<(String, String), usize> = BTreeMap::new();
    let mut found = Vec::new();
    for line in fs::read_to_string(&log).unwrap().lines() {
        let Some((process, call)) = line.split_once(char::is_whitespace) else {
            continue;
        };
        let Some((name, arguments)) = call.trim_start().split_once('(') else {
            continue;
        };
        // Counted by thread, as strace counts.
        let count = counts
            .entry((process.to_owned(), name.to_owned()))
            .or_default();
        *count += 1;
        let only_reads = name.starts_with("open")
            && !arguments.contains("O_WRONLY")
            && !arguments.contains("O_RDWR");
        if arguments.contains(&state) && !only_reads {
            found.push((name.to_owned(), *count));
        }
    }
    found
}

fn strace(bench: &Bench, arguments: &[&str]) -> Output {
    bench
        .command("strace")
        .args(["-f", "-qq", "-s", "0"])
        .args(arguments)
        .arg(env!("CARGO_BIN_EXE_flexctl"))
        .args(bench.arguments(&bench.apply_job().each_ref().map(String::as_str)))
        .output()
        .unwrap()
}

/// Kills at every system call by which the journal changes files.
fn kill_at_calls(kind: &'static Kind) {
    if ring::skipped("killed", &[ring::Need::Strace]) {
        return;
    }
    let mut bench = Bench::new(kind);
    let calls = calls_of_the_journal(&bench);
    let names: HashSet<&str> = calls.iter().map(|(name, _)| name.as_str()).collect();
    for kind in ["open", "write", "fsync", "rename", "mkdir"] {
        assert!(
            names.iter().any(|name| name.starts_with(kind)),
            "{kind}: {calls:?}"
        );
    }
    let mut killed = 0;
    for (name, at) in &calls {
        let about = format!("{} at {name} {at}", kind.name);
        bench.begin();
        let run = strace(
            &bench,
            &[
                "-o",
                "/dev/null",
                "-e",
                &format!("trace={name}"),
                "-e",
                &format!("inject={name}:signal=KILL:when={at}"),
            ],
        );
        assert_eq!(run.status.signal(), Some(SIGKILL), "{about}: {run:?}");
        killed += 1;
        let left = bench.left();
        bench.look_into(&left, &about);
    }
    assert!(killed > 15, "{}: {calls:?}", kind.name);
    // Before, in the middle of the record, and after.
    assert!(bench.seen.len() > 6, "{}: {}", kind.name, bench.seen.len());
    let records = bench.seen.iter().flat_map(|left| &left.journal);
    let torn = records.filter(|(_, text)| serde_json::from_str::<Value>(text).is_err());
    assert!(torn.count() > 1, "{}: no record was cut short", kind.name);
}

#[test]
fn a_connectx_3_after_a_kill_at_a_system_call_of_the_journal() {
    kill_at_calls(&CONNECTX_3);
}

#[test]
fn a_connectx_4_after_a_kill_at_a_system_call_of_the_journal() {
    kill_at_calls(&CONNECTX_4);
}
