//! Debian's mstconfig 4.21 among virtual cards: what it says of them and what
//! it writes. The expected values are those that owners of such cards published.
//!
//! Needs root, /dev/fuse and mstconfig; says SKIPPED where they are missing,
//! and fails there if CI=true.
#![cfg(feature = "cli")]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "a test fails by panicking and says on stderr what it skips"
)]

mod ring;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;

use flexctl::hwdb::{Field, FieldValue, Hwdb, Place, Scope, Tlv, TlvClass};
use flexctl::sim::fuse::{Guard, RunOptions, run};
use flexctl::sim::{Card, Shelf};

fn card(name: &str) -> Card {
    Shelf::memory().card(name).unwrap()
}

/// Runs mstconfig on a function of the card; its exit code and output.
fn mstconfig(card: &Card, function: usize, arguments: &str) -> (u8, String) {
    let directory = tempfile::tempdir().unwrap();
    let output = directory.path().join("output");
    let address = card.infos()[function].address;
    let script = format!(
        "mstconfig -d {address} {arguments} > {} 2>&1",
        output.display()
    );
    let command = ["sh", "-c", &script].map(OsString::from);
    let options = RunOptions {
        guard: Guard::None,
        ..RunOptions::default()
    };
    let code = run(std::slice::from_ref(card), &command, &options).unwrap();
    // Whatever mstconfig does, it follows the protocol: so does the model.
    let counters = card.counters();
    assert_eq!((counters.unlocked, counters.overruns), (0, 0));
    assert!(card.held_semaphores().is_empty());
    (code, fs::read_to_string(output).unwrap())
}

/// Parameters and the columns behind them, blanks squeezed.
fn parameters(said: &str) -> BTreeMap<String, String> {
    said.lines()
        .filter_map(|line| {
            let words: Vec<&str> = line
                .split_whitespace()
                .filter(|word| *word != "*")
                .collect();
            let (name, values) = words.split_first()?;
            let is_name = name.bytes().any(|byte| byte == b'_')
                || name.bytes().all(|byte| byte.is_ascii_uppercase());
            (line.starts_with([' ', '*']) && is_name)
                .then(|| ((*name).to_owned(), values.join(" ")))
        })
        .collect()
}

fn expect(said: &str, expected: &[(&str, &str)]) {
    let found = parameters(said);
    for (name, value) in expected {
        assert_eq!(
            found.get(*name).map(String::as_str),
            Some(*value),
            "{name} in {said}"
        );
    }
}

#[test]
fn a_connectx3_reads_as_its_owner_published_it() {
    if ring::skipped("mstconfig", &ring::MSTCONFIG) {
        return;
    }
    let (code, said) = mstconfig(&card("connectx-3"), 0, "query");
    assert_eq!(code, 0, "{said}");
    // All of it, nothing more and nothing less.
    let published = "BOOT_OPTION_ROM_EN_P1=True(1) BOOT_OPTION_ROM_EN_P2=True(1) BOOT_PKEY_P1=0 \
         BOOT_PKEY_P2=0 BOOT_RETRY_CNT_P1=0 BOOT_RETRY_CNT_P2=0 BOOT_VLAN_EN_P1=False(0) \
         BOOT_VLAN_EN_P2=False(0) BOOT_VLAN_P1=1 BOOT_VLAN_P2=1 CQ_TIMESTAMP=True(1) \
         IP_VER_P1=IPv4(0) IP_VER_P2=IPv4(0) LEGACY_BOOT_PROTOCOL_P1=PXE(1) \
         LEGACY_BOOT_PROTOCOL_P2=PXE(1) LINK_TYPE_P1=ETH(2) LINK_TYPE_P2=ETH(2) LOG_BAR_SIZE=3 \
         NUM_OF_VFS=8 SRIOV_EN=True(1)";
    let found: Vec<String> = parameters(&said)
        .into_iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    assert_eq!(found, published.split_whitespace().collect::<Vec<_>>());
}

#[test]
fn a_connectx3_whose_settings_are_corrupt_fails_as_its_owners_reported() {
    if ring::skipped("mstconfig", &ring::MSTCONFIG) {
        return;
    }
    let (code, said) = mstconfig(&card("connectx-3-corrupt"), 0, "query");
    assert_eq!(code, 3);
    assert!(
        said.contains("-E- Failed to query device current configuration"),
        "{said}"
    );
}

#[test]
fn a_connectx4_lx_reads_as_its_owner_published_it() {
    if ring::skipped("mstconfig", &ring::MSTCONFIG) {
        return;
    }
    let (code, said) = mstconfig(&card("connectx-4-lx"), 0, "query");
    assert_eq!(code, 0, "{said}");
    expect(
        &said,
        &[
            ("IP_VER", "IPv4(0)"),
            ("BOOT_UNDI_NETWORK_WAIT", "0"),
            ("UEFI_HII_EN", "True(1)"),
            ("BOOT_DBG_LOG", "False(0)"),
            ("UEFI_LOGS", "DISABLED(0)"),
            ("BOOT_VLAN", "1"),
            ("LEGACY_BOOT_PROTOCOL", "PXE(1)"),
            ("BOOT_INTERRUPT_DIS", "False(0)"),
            ("BOOT_LACP_DIS", "True(1)"),
            ("BOOT_VLAN_EN", "False(0)"),
            ("BOOT_PKEY", "0"),
            ("KEEP_ETH_LINK_UP_P1", "True(1)"),
            ("KEEP_ETH_LINK_UP_P2", "True(1)"),
            ("KEEP_IB_LINK_UP_P1", "False(0)"),
            ("KEEP_LINK_UP_ON_BOOT_P1", "False(0)"),
            ("KEEP_LINK_UP_ON_STANDBY_P2", "False(0)"),
            ("EXP_ROM_UEFI_x86_ENABLE", "True(1)"),
            ("EXP_ROM_PXE_ENABLE", "True(1)"),
        ],
    );
    assert!(!parameters(&said).contains_key("BOOT_RETRY_CNT"));
}

#[test]
fn a_connectx4_shows_default_current_and_next() {
    if ring::skipped("mstconfig", &ring::MSTCONFIG) {
        return;
    }
    let card = card("connectx-4");
    let set = "-y set IP_VER=IPv6_IPv4 LEGACY_BOOT_PROTOCOL=NONE";
    assert_eq!(mstconfig(&card, 0, set).0, 0);
    assert_eq!(card.tlv(0, 0x0300_0195, 0).unwrap(), [0, 0, 3, 0x14]);
    assert_eq!(card.tlv(0, 0x0300_0221, 0).unwrap(), [0xa0, 0, 0, 1]);
    assert_eq!(card.counters().tlv_writes, 2);
    let query = "-e query IP_VER LEGACY_BOOT_PROTOCOL BOOT_RETRY_CNT BOOT_VLAN";
    let (_, said) = mstconfig(&card, 0, query);
    expect(
        &said,
        &[
            ("IP_VER", "IPv4(0) IPv4(0) IPv6_IPv4(3)"),
            ("LEGACY_BOOT_PROTOCOL", "PXE(1) PXE(1) NONE(0)"),
            ("BOOT_RETRY_CNT", "NONE(0) NONE(0) NONE(0)"),
            ("BOOT_VLAN", "1 1 1"),
        ],
    );
    card.reboot();
    let (_, said) = mstconfig(&card, 0, "-e query IP_VER");
    expect(&said, &[("IP_VER", "IPv4(0) IPv6_IPv4(3) IPv6_IPv4(3)")]);
    let (_, said) = mstconfig(&card, 1, "-e query IP_VER");
    expect(&said, &[("IP_VER", "IPv4(0) IPv4(0) IPv4(0)")]);
}

#[test]
fn a_connectx3_is_set_port_by_port() {
    if ring::skipped("mstconfig", &ring::MSTCONFIG) {
        return;
    }
    let card = card("connectx-3");
    let set = "-y set IP_VER_P1=IPv6 LEGACY_BOOT_PROTOCOL_P2=None";
    let (code, said) = mstconfig(&card, 0, set);
    assert_eq!(code, 0, "{said}");
    // mstconfig does not read this setting first: the link-up timeout is gone.
    assert_eq!(card.tlv(0, 0x2001, 1).unwrap(), [0, 0, 1, 0]);
    assert_eq!(card.tlv(0, 0x2001, 2).unwrap(), [0, 0, 0, 0x0f]);
    assert_eq!(card.tlv(0, 0x2021, 2).unwrap(), [0x80, 0, 0, 1]);
    let (_, said) = mstconfig(&card, 0, "-e query");
    expect(
        &said,
        &[
            ("IP_VER_P1", "IPv4(0) IPv6(1)"),
            ("IP_VER_P2", "IPv4(0) IPv4(0)"),
            ("LINK_TYPE_P1", "VPI(3) ETH(2)"),
            ("LEGACY_BOOT_PROTOCOL_P2", "PXE(1) None(0)"),
            ("BOOT_OPTION_ROM_EN_P2", "True(1) True(1)"),
        ],
    );
}

#[test]
fn a_reset_leaves_no_setting_behind() {
    if ring::skipped("mstconfig", &ring::MSTCONFIG) {
        return;
    }
    for name in ["connectx-3", "connectx-4"] {
        let card = card(name);
        assert!(!card.settings().is_empty());
        let (code, said) = mstconfig(&card, 0, "-y reset");
        assert_eq!(code, 0, "{said}");
        assert!(card.settings().is_empty(), "{name}");
    }
}

#[test]
fn the_version_of_the_ip_setting_decides_whether_it_is_shown() {
    if ring::skipped("mstconfig", &ring::MSTCONFIG) {
        return;
    }
    let shown = |name: &str| {
        let (_, said) = mstconfig(&card(name), 0, "query");
        parameters(&said)
            .keys()
            .any(|name| name.starts_with("IP_VER"))
    };
    assert!(shown("connectx-4-factory"));
    assert!(shown("connectx-3-factory"));
    assert!(!shown("connectx-4-no-ip-ver"));
    assert!(!shown("connectx-3-old-rom"));
}

#[test]
fn the_slower_ways_into_a_connectx3_work_as_well() {
    if ring::skipped("mstconfig", &ring::MSTCONFIG) {
        return;
    }
    // No mailbox window: everything goes eight bytes at a time.
    let (code, said) = mstconfig(&card("connectx-3-pro"), 0, "query IP_VER_P1 BOOT_VLAN_P2");
    assert_eq!(code, 0, "{said}");
    expect(&said, &[("IP_VER_P1", "IPv4(0)"), ("BOOT_VLAN_P2", "1")]);
}

/// mstconfig's name of a setting of port 1 or the card, and where the card holds it.
fn instance(tlv: &Tlv, field: &Field) -> (String, u32, u8) {
    let of_port = tlv.scope == Scope::Port;
    let name = format!("{}{}", field.name, if of_port { "_P1" } else { "" });
    match tlv.class {
        None => (name, tlv.tlv_type, u8::from(of_port)),
        Some(TlvClass::Global) => (name, tlv.tlv_type, 0),
        Some(TlvClass::Port) => (name, 0x0101_0000 | tlv.tlv_type, 0),
        Some(TlvClass::Host) => (name, 0x0300_0000 | tlv.tlv_type, 0),
        Some(TlvClass::Pci) => (name, 0x0700_0000 | tlv.tlv_type, 0),
    }
}

/// A legal value that is not 0 where another one is legal.
fn some_value(field: &Field) -> u32 {
    match (&field.place, field.values.last()) {
        (_, Some(named)) => named.value,
        // mstconfig knows how high it may go; 2 is never too high.
        (Place::Number { .. }, None) if field.limit.is_some() => 2,
        (Place::Number { bits, .. }, None) => bits.mask() - 1,
        (Place::Text(_), None) => panic!("mstconfig knows no texts"),
    }
}

/// Whatever name mstconfig sets lands in the bits that the data files name, and
/// its valid bit along with it.
#[test]
fn every_setting_lands_where_the_data_files_have_it() {
    if ring::skipped("mstconfig", &ring::MSTCONFIG) {
        return;
    }
    let hwdb = Hwdb::builtin().unwrap();
    for (profile, device, least) in [
        ("connectx-3-everything", 0x1003, 19),
        ("connectx-4-everything", 0x1013, 70),
    ] {
        let card = card(profile);
        let file = hwdb.settings(hwdb.device(device).unwrap());
        let known: Vec<(&Tlv, &Field)> = file
            .settings()
            .filter(|(_, field)| !field.ours && !field.name.starts_with("ROM_"))
            .collect();
        assert!(known.len() >= least, "{profile}: {}", known.len());
        // mstconfig does not know a setting before the one that it depends on is on.
        let conditions: Vec<&str> = known
            .iter()
            .filter_map(|(_, field)| Some(field.effective_with.as_ref()?.setting.as_str()))
            .collect();
        for first in [true, false] {
            let assignments: Vec<String> = known
                .iter()
                .filter(|(_, field)| conditions.contains(&field.name.as_str()) == first)
                .map(|(tlv, field)| format!("{}={}", instance(tlv, field).0, some_value(field)))
                .collect();
            let set = format!("-y set {}", assignments.join(" "));
            let (code, said) = mstconfig(&card, 0, &set);
            assert_eq!(code, 0, "{set}: {said}");
        }
        for (tlv, field) in known {
            let (name, kind, modifier) = instance(tlv, field);
            let stored = card.tlv(0, kind, modifier).unwrap_or_default();
            assert_eq!(stored.len(), usize::from(tlv.length_bytes), "{name}");
            let expected = FieldValue::Number(some_value(field));
            assert_eq!(field.get(&stored), Some(expected), "{name}: {stored:02x?}");
            assert!(field.is_valid(&stored), "{name}: {stored:02x?}");
        }
    }
}
