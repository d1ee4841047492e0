//! flexctl and mstconfig on the same card at the same time.
//!
//! Both keep to the card's semaphores and to mstflint's lock file, so neither
//! disturbs the other: every run succeeds, and what is stored at the end is what
//! the two wrote, bit by bit. Needs root, /dev/fuse and mstconfig; says SKIPPED
//! where they are missing, and fails there if CI=true.
#![cfg(feature = "cli")]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "a test fails by panicking and says on stderr what it skips"
)]

mod ring;

use std::ffi::OsString;

use flexctl::sim::fuse::{Guard, RunOptions, run};
use flexctl::sim::{Card, Shelf};

/// Runs a script beside the card; fails with its exit code.
fn script(card: &Card, text: &str) {
    let home = tempfile::tempdir().unwrap();
    let options = RunOptions {
        guard: Guard::None,
        environment: vec![
            ("FLEXCTL".into(), env!("CARGO_BIN_EXE_flexctl").into()),
            ("FLEXCTL_STATE_DIR".into(), home.path().join("state").into()),
        ],
        ..RunOptions::default()
    };
    let command = ["sh", "-ec", text].map(OsString::from);
    assert_eq!(
        run(std::slice::from_ref(card), &command, &options).unwrap(),
        0,
        "{text}"
    );
    let counters = card.counters();
    assert_eq!(
        (counters.unlocked, counters.overruns),
        (0, 0),
        "somebody passed a semaphore by"
    );
    assert_eq!(card.held_semaphores(), []);
}

#[test]
fn on_the_legacy_gateway_of_a_connectx_3() {
    if ring::skipped("mstconfig", &ring::MSTCONFIG) {
        return;
    }
    let card = Shelf::memory().card("connectx-3").unwrap();
    // mstconfig writes 0x2021 while flexctl writes 0x2001.
    script(
        &card,
        "for vlan in 2 3 4 5 6; do mstconfig -d 05:00.0 -y set BOOT_VLAN_P1=$vlan; done >/dev/null &
         other=$!
         for round in 1 2 3 4 5 6 7 8 9 10; do
             $FLEXCTL enable-ipv6 --yes -q --mode ipv6 >/dev/null
             $FLEXCTL disable-ipv6 --yes -q >/dev/null
         done
         $FLEXCTL enable-ipv6 --yes -q --mode ipv6 >/dev/null
         wait $other",
    );
    let port = |kind| card.tlv(0, kind, 1).unwrap();
    assert_eq!(port(0x2001)[2] & 3, 1, "IP_VER");
    assert_eq!(port(0x2021)[3], 6, "BOOT_VLAN");
}

#[test]
fn on_the_vendor_capability_of_a_connectx_4() {
    if ring::skipped("mstconfig", &ring::MSTCONFIG) {
        return;
    }
    let card = Shelf::memory().card("connectx-4").unwrap();
    script(
        &card,
        "for vlan in 2 3 4 5 6; do mstconfig -d 04:00.0 -y set BOOT_VLAN=$vlan; done >/dev/null &
         other=$!
         for round in 1 2 3 4 5 6 7 8 9 10; do
             $FLEXCTL enable-ipv6 --yes -q --mode ipv6 >/dev/null
             $FLEXCTL disable-ipv6 --yes -q >/dev/null
         done
         $FLEXCTL enable-ipv6 --yes -q --mode ipv6 >/dev/null
         wait $other",
    );
    let function = |kind| card.tlv(0, kind, 0).unwrap();
    assert_eq!(function(0x0300_0195)[2] & 3, 1, "IP_VER");
    assert_eq!(function(0x0300_0221)[3], 6, "BOOT_VLAN");
}

#[test]
fn two_flexctls_wait_for_each_other() {
    if ring::skipped("mstconfig", &ring::MSTCONFIG) {
        return;
    }
    let card = Shelf::memory().card("connectx-4").unwrap();
    script(
        &card,
        "for round in 1 2 3 4 5 6 7 8; do $FLEXCTL enable-ipv6 --yes -q >/dev/null; done &
         first=$!
         for round in 1 2 3 4 5 6 7 8; do $FLEXCTL disable-ipv6 --yes -q >/dev/null; done
         wait $first",
    );
    let versions = [0, 1].map(|function| card.tlv(function, 0x0300_0195, 0).unwrap()[2] & 3);
    assert_eq!(versions[0], versions[1], "a transaction covers both ports");
}
