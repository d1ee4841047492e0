//! What Debian's mstconfig 4.21 takes for the whole settings of a card is the
//! same before a change and after flexctl has restored its own backup: types,
//! versions, bytes, and the writer of everything that was put back. (Where
//! mstconfig wrote what was there already, nothing is put back, and mstconfig
//! stays the writer.)
//!
//! The test starts itself again inside a namespace that shows the virtual cards
//! (`inside`). Needs root, /dev/fuse and mstconfig; says SKIPPED where they are
//! missing, and fails there if CI=true.
#![cfg(feature = "cli")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test fails by panicking and says what it did"
)]

mod ring;

use std::collections::BTreeMap;
use std::env;
use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use flexctl::access::Patience;
use flexctl::command::register::{Mnvda, Mnvdi, TlvHeader};
use flexctl::device::{OpenCard, scan};
use flexctl::hwdb::Hwdb;
use flexctl::pci::SysfsRoot;
use flexctl::settings::{
    Backup, Detail, Restore, RestoreOptions, Secrets, Stored, TlvKey, Wanted, plan_restore,
};
use flexctl::sim::Shelf;
use flexctl::sim::fuse::{Guard, RunOptions, run};

const INSIDE: &str = "FLEXCTL_TEST_INSIDE";
const SEED: &str = "FLEXCTL_TEST_SEED";

/// Settings and the highest number that mstconfig takes for them. Some are
/// flexctl's own subject, some it need not know.
const SETTINGS: [(&str, u32); 9] = [
    ("IP_VER", 3),
    ("LEGACY_BOOT_PROTOCOL", 2),
    ("BOOT_VLAN", 4095),
    ("BOOT_VLAN_EN", 1),
    ("BOOT_PKEY", 65535),
    ("UEFI_HII_EN", 1),
    ("KEEP_ETH_LINK_UP_P1", 1),
    ("KEEP_ETH_LINK_UP_P2", 1),
    ("BOOT_LACP_DIS", 1),
];

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

fn agree(profile: &str, seeds: &[(u8, u32, [u8; 4])]) {
    if ring::skipped("mstconfig", &ring::MSTCONFIG) {
        return;
    }
    let card = Shelf::memory().card(profile).unwrap();
    for (function, tlv, data) in seeds {
        card.seed_tlv(*function, *tlv, 0, data).unwrap();
    }
    let command = [
        env::current_exe().unwrap().into_os_string(),
        "--exact".into(),
        "inside".into(),
        "--nocapture".into(),
    ];
    let options = RunOptions {
        guard: Guard::None,
        environment: vec![(INSIDE.into(), "1".into())],
        ..RunOptions::default()
    };
    let before = card.settings();
    let code = run(std::slice::from_ref(&card), &command, &options).unwrap();
    assert_eq!(code, 0, "{profile}: the assertion that failed stands above");
    assert_eq!(card.settings(), before, "{profile}");
    let counters = card.counters();
    assert_eq!((counters.unlocked, counters.overruns), (0, 0), "{profile}");
}

#[test]
fn on_a_connectx_4() {
    agree(
        "connectx-4",
        &[
            (0, 0x0300_0195, [0xfc, 0, 0xfc, 0xff]),
            (1, 0x0300_0222, [0xab, 0xcd, 0, 7]),
        ],
    );
}

#[test]
fn on_a_connectx_4_as_new() {
    agree("connectx-4-factory", &[]);
}

#[test]
fn on_a_connectx_4_lx() {
    agree("connectx-4-lx", &[]);
}

/// Not a test by itself: what runs in the namespace.
#[test]
fn inside() {
    if env::var_os(INSIDE).is_none() {
        return;
    }
    let seed = env::var(SEED).map_or(0x5eed_bac0, |seed| seed.parse().unwrap());
    let mut random = Random(seed);
    let folder = tempfile::tempdir().unwrap();
    let mut card = open();
    let functions: Vec<String> = card
        .firmwares
        .iter()
        .map(|firmware| firmware.address().to_string())
        .collect();
    let mut changed = 0;
    for _ in 0..8 {
        let before = everything(folder.path(), &functions);
        let text = read(&mut card).to_text(None);
        for function in &functions {
            for (name, highest) in SETTINGS {
                if random.below(3) == 0 {
                    let value = random.below(highest + 1);
                    set(function, &format!("{name}={value}"));
                }
            }
        }
        let backup = Backup::parse(&text, Path::new("backup.toml")).unwrap();
        let restore = plan(&mut card, &backup);
        changed += restore.changes.len();
        apply(&mut card, &restore);
        let after = everything(folder.path(), &functions);
        for (function, text) in &after {
            let put_back = |kind: &str| {
                // A TLV of class 3 is one for every function.
                let shared = !kind.starts_with("0x03");
                restore.changes.iter().any(|change| {
                    change.key.to_string() == kind
                        && (shared || change.function.to_string() == *function)
                })
            };
            let told = |text: &str| tlvs(text, put_back);
            assert_eq!(
                told(text),
                told(&before[function]),
                "{function}: {restore:?} ({SEED}={seed})"
            );
        }
    }
    assert!(changed > 0);
    println!("{changed} TLVs were put back ({SEED}={seed})");
}

/// The dwords of mstconfig's backup by type; without the writer in the first
/// one where it does not count.
fn tlvs(text: &str, writer_counts: impl Fn(&str) -> bool) -> BTreeMap<String, Vec<u32>> {
    text.lines()
        .filter(|line| line.starts_with("0x"))
        .map(|line| {
            let words: Vec<&str> = line.split_whitespace().collect();
            let kind = words[1].to_owned();
            let mut dwords: Vec<u32> = words
                .iter()
                .map(|word| u32::from_str_radix(word.trim_start_matches("0x"), 16).unwrap())
                .collect();
            if !writer_counts(&kind) {
                dwords[0] &= !(0x1f << 16);
            }
            (kind, dwords)
        })
        .collect()
}

fn open() -> OpenCard {
    let hwdb = Hwdb::builtin().unwrap();
    let root = SysfsRoot::default();
    let cards = scan(&root, &hwdb).unwrap();
    OpenCard::open(
        &cards[0],
        &hwdb,
        &root,
        &Shelf::memory(),
        &Patience::default(),
    )
    .unwrap()
}

fn read(card: &mut OpenCard) -> Backup {
    let reading = card.read(Detail::ForChange, Wanted::All).unwrap();
    card.read_backup(&reading, &Secrets::Include).unwrap()
}

fn plan(card: &mut OpenCard, backup: &Backup) -> Restore {
    let reading = card.read(Detail::ForChange, Wanted::All).unwrap();
    let now = card.read_backup(&reading, &Secrets::Include).unwrap();
    let options = RestoreOptions::default();
    plan_restore(backup, &now, &card.settings, &reading.ports, &options).unwrap()
}

/// Plain register writes: what is asked here is whether the plan is right.
fn apply(card: &mut OpenCard, restore: &Restore) {
    for change in &restore.changes {
        let mut firmwares = card.firmwares.iter_mut();
        let firmware = firmwares
            .find(|firmware| firmware.address() == change.function)
            .unwrap();
        let mut session = firmware.session().unwrap();
        let TlvKey::Mnvda(kind) = change.key else {
            panic!("{change:?}");
        };
        match &change.after {
            Stored::Set(data) => {
                let header = change.header.unwrap_or(TlvHeader::OURS);
                session.set(&Mnvda::store_as(kind, data.clone(), header))
            }
            Stored::NotSet => session.set(&Mnvdi { tlv_type: kind }),
        }
        .unwrap();
        session.end().unwrap();
    }
}

fn mstconfig(arguments: &[&str]) -> Output {
    Command::new("mstconfig").args(arguments).output().unwrap()
}

fn set(function: &str, assignment: &str) {
    let output = mstconfig(&["-d", function, "-y", "set", assignment]);
    assert!(
        output.status.success(),
        "{function} {assignment}: {output:?}"
    );
}

/// mstconfig's backup of every function; the message where nothing is set.
fn everything(folder: &Path, functions: &[String]) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    for function in functions {
        let file = folder.join("backup.raw");
        let _ = fs::remove_file(&file);
        let name = file.to_str().unwrap();
        let output = mstconfig(&["-d", function, "-y", "-f", name, "backup"]);
        let text = fs::read_to_string(&file).unwrap_or_else(|_| {
            let said = String::from_utf8_lossy(&output.stdout).into_owned();
            let said = said + &String::from_utf8_lossy(&output.stderr);
            assert!(said.contains("nothing to backup"), "{said}");
            "nothing".to_owned()
        });
        found.insert(function.clone(), text);
    }
    found
}
