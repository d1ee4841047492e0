//! flexctl on virtual cards that were written by somebody else from the same
//! facts (`tests/foreign`): what it finds, which bytes it writes, and that it
//! never touches what it has not locked.
//!
//! Needs root, /dev/fuse and python3; two tests need mstconfig too.
#![cfg(feature = "cli")]
#![allow(
    clippy::panic,
    clippy::unwrap_used,
    reason = "what these functions make is part of the test"
)]

mod foreign;
mod ring;

use foreign::{Outcome, among, among_unchecked, python_file};
use ring::{Need, skipped};
use serde_json::Value;

const BOTH: &str = "--card cx3 --card cx4";
const NEEDS: [Need; 3] = [Need::Root, Need::Fuse, Need::Program("python3")];
const NOTHING: [&str; 0] = [];

macro_rules! ring {
    ($($more:expr),*) => {
        if skipped("foreign", &[NEEDS.as_slice(), &[$($more),*]].concat()) {
            return;
        }
    };
}

fn both(options: &str, script: &str) -> Outcome {
    among(&format!("{BOTH} {options}"), script)
}

/// The values of a setting on a port of `show --json`: default, current, next.
fn setting(port: &Value, name: &str) -> [Option<u64>; 3] {
    let settings = port["settings"].as_array().unwrap();
    let found = settings.iter().find(|setting| setting["name"] == name);
    let found = found.unwrap_or_else(|| panic!("no {name} in {port}"));
    ["default", "current", "next"].map(|which| found[which]["number"].as_u64())
}

#[test]
fn list_finds_both_cards_and_changes_nothing() {
    ring!();
    let outcome = both("", "flexctl list --json");
    assert_eq!(outcome.code, 0, "{outcome:?}");
    assert_eq!(outcome.dump.writes(), NOTHING);
    let report = outcome.json();
    let found: Vec<String> = report["cards"]
        .as_array()
        .unwrap()
        .iter()
        .map(|card| {
            let ports: Vec<String> = card["ports"]
                .as_array()
                .unwrap()
                .iter()
                .map(|port| format!("{} {} {}", port["port"], port["function"], port["ip_mode"]))
                .collect();
            format!(
                "{} {} {} {} {}",
                card["selector"],
                card["model"],
                card["firmware"],
                card["psid"],
                ports.join(", ")
            )
            .replace('"', "")
        })
        .collect();
    assert_eq!(
        found,
        [
            "0000:04:00.0 ConnectX-4 12.28.2006 MT_2150110033 \
             1 0000:04:00.0 ipv4, 2 0000:04:00.1 ipv4",
            "0000:05:00.0 ConnectX-3 2.42.5000 MT_1090120019 \
             1 0000:05:00.0 ipv4, 2 0000:05:00.0 ipv4",
        ]
    );
}

#[test]
fn show_reads_default_current_and_next_values() {
    ring!();
    let outcome = both(
        "--seed 2001/2=00000307 --seed 03000195/1=00000300",
        "flexctl show --json",
    );
    assert_eq!(outcome.code, 0, "{outcome:?}");
    assert_eq!(outcome.dump.writes(), NOTHING);
    let report = outcome.json();
    let port = |card: usize, port: usize| &report["cards"][card]["card"]["ports"][port];
    assert_eq!(setting(port(0, 0), "IP_VER"), [Some(0); 3]);
    assert_eq!(setting(port(0, 1), "IP_VER"), [Some(0), Some(3), Some(3)]);
    assert_eq!(setting(port(0, 0), "LEGACY_BOOT_PROTOCOL"), [Some(1); 3]);
    // Factory ports are InfiniBand, the owner's are Ethernet.
    assert_eq!(
        setting(port(0, 1), "LINK_TYPE"),
        [Some(1), Some(2), Some(2)]
    );
    // A ConnectX-3 has no current values, and this one's port 1 stores nothing.
    assert_eq!(setting(port(1, 0), "IP_VER"), [Some(0), None, None]);
    assert_eq!(
        setting(port(1, 0), "BOOT_LINKUP_TIMEOUT"),
        [Some(10), None, None]
    );
    assert_eq!(setting(port(1, 1), "IP_VER"), [Some(0), None, Some(3)]);
    assert_eq!(
        setting(port(1, 1), "BOOT_LINKUP_TIMEOUT"),
        [Some(10), None, Some(7)]
    );
}

#[test]
fn enable_writes_one_tlv_a_port_and_a_second_run_none() {
    ring!();
    let outcome = both(
        "",
        "flexctl enable-ipv6 --yes && flexctl enable-ipv6 --yes && flexctl list",
    );
    assert_eq!(outcome.code, 0, "{outcome:?}");
    assert_eq!(
        outcome.dump.writes(),
        [
            // The link-up timeout is the card's default of 10.
            "cx3 set 0x2001/1 0000020a",
            "cx3 set 0x2001/2 0000020a",
            "cx4 set 0x03000195/0 00000200",
            "cx4 set 0x03000195/1 00000200",
        ]
    );
    assert_eq!(outcome.said.matches("nothing to do").count(), 2);
    assert_eq!(outcome.said.matches("on (ipv4-ipv6)").count(), 4);
    // The register that resets the card is none of its business.
    assert_eq!(outcome.dump.calls("cx4", "0x9028"), 0);
}

#[test]
fn every_mode_has_its_number_and_disable_goes_back() {
    ring!();
    let outcome = both(
        "--ports 1",
        "for mode in ipv6 ipv4-ipv6 ipv6-ipv4; do flexctl enable-ipv6 --yes --mode $mode; done
         flexctl disable-ipv6 --yes",
    );
    assert_eq!(outcome.code, 0, "{outcome:?}");
    let card = |name: &str, tlv: &str, low: &str| {
        ["01", "02", "03", "00"].map(|mode| format!("{name} set {tlv} 0000{mode}{low}"))
    };
    assert_eq!(
        outcome.dump.writes(),
        [
            card("cx3", "0x2001/1", "0a"),
            card("cx4", "0x03000195/0", "00")
        ]
        .concat()
    );
}

#[test]
fn a_dry_run_writes_nothing_and_tells_the_difference() {
    ring!();
    let outcome = both("", "flexctl enable-ipv6 --dry-run --exit-code");
    assert_eq!(outcome.code, 9, "{outcome:?}");
    assert_eq!(outcome.dump.writes(), NOTHING);
    let outcome = both("", "flexctl enable-ipv6 < /dev/null");
    assert_eq!(outcome.code, 2, "{outcome:?}");
    outcome.mentions(&["--yes"]);
    assert_eq!(outcome.dump.writes(), NOTHING);
}

#[test]
fn bits_that_nobody_asked_for_stay() {
    ring!();
    let outcome = both(
        "--seed 2001/1=fffffcff --seed 2021/1=3801f001 --seed 03000195/1=fc00fcff \
         --seed 03000221/1=f808f123",
        "flexctl enable-ipv6 --yes --allow-reserved --with-pxe --mode ipv6",
    );
    assert_eq!(outcome.code, 0, "{outcome:?}");
    let dump = &outcome.dump;
    assert_eq!(dump.tlv("cx3", "0x2001/1"), Some("fffffdff"));
    assert_eq!(dump.tlv("cx3", "0x2001/2"), Some("0000010a"));
    // The option ROM is switched on, the rest of the boot settings stays.
    assert_eq!(dump.tlv("cx3", "0x2021/1"), Some("b801f001"));
    assert_eq!(dump.tlv("cx3", "0x2021/2"), Some("80010001"));
    assert_eq!(dump.tlv("cx4", "0x03000195/0"), Some("00000100"));
    assert_eq!(dump.tlv("cx4", "0x03000195/1"), Some("fc00fdff"));
    assert_eq!(dump.tlv("cx4", "0x03000221/0"), Some("a0010001"));
    // A boot protocol that no source defines is replaced, and only that.
    assert_eq!(dump.tlv("cx4", "0x03000221/1"), Some("f801f123"));
    assert_eq!(dump.writes().len(), 6);
}

#[test]
fn a_factory_card_keeps_its_defaults_below_the_change() {
    ring!();
    for unset in ["status8", "default"] {
        let outcome = both(
            &format!("--factory --unset {unset}"),
            "flexctl enable-ipv6 --yes --with-pxe",
        );
        assert_eq!(outcome.code, 0, "{outcome:?}");
        // Its boot settings default to PXE: they stay unwritten.
        assert_eq!(
            outcome.dump.writes(),
            [
                "cx3 set 0x2001/1 0000020a",
                "cx3 set 0x2001/2 0000020a",
                "cx4 set 0x03000195/0 00000200",
                "cx4 set 0x03000195/1 00000200",
            ],
            "{unset}"
        );
    }
}

#[test]
fn a_reserved_value_is_refused_before_anything_is_written() {
    ring!();
    let outcome = both(
        "--seed 2021/1=80090001 --seed 03000221/1=a0090001",
        "flexctl enable-ipv6 --yes",
    );
    assert_eq!(outcome.code, 5, "{outcome:?}");
    outcome.mentions(&["LEGACY_BOOT_PROTOCOL", "0x2021/1", "0x03000221"]);
    assert_eq!(outcome.dump.writes(), NOTHING);
}

#[test]
fn a_single_port_card_has_no_port_2() {
    ring!();
    let outcome = both("--ports 1", "flexctl enable-ipv6 --yes --port 2");
    assert_eq!(outcome.code, 3, "{outcome:?}");
    assert_eq!(outcome.dump.writes(), NOTHING);
    let outcome = both("--ports 1", "flexctl enable-ipv6 --yes");
    assert_eq!(outcome.code, 0, "{outcome:?}");
    assert_eq!(
        outcome.dump.writes(),
        ["cx3 set 0x2001/1 0000020a", "cx4 set 0x03000195/0 00000200"]
    );
}

#[test]
fn one_port_alone_can_be_changed() {
    ring!();
    let outcome = both("", "flexctl enable-ipv6 --yes --port 2");
    assert_eq!(outcome.code, 0, "{outcome:?}");
    assert_eq!(
        outcome.dump.writes(),
        ["cx3 set 0x2001/2 0000020a", "cx4 set 0x03000195/1 00000200"]
    );
}

#[test]
fn firmware_without_the_setting_is_refused() {
    ring!();
    let outcome = both("--no-ip-ver", "flexctl enable-ipv6 --yes");
    assert_eq!(outcome.code, 5, "{outcome:?}");
    outcome.mentions(&["nv_rom_cap.boot_ip_ver is 0", "QUERY_DEF_PARAMS is 0"]);
    assert_eq!(outcome.dump.writes(), NOTHING);
}

#[test]
fn without_a_mailbox_window_commands_go_through_quads() {
    ring!();
    let outcome = among(
        "--card cx3 --no-cr-mailbox --seed 2001/1=5a5a0c14",
        "flexctl enable-ipv6 --yes && flexctl disable-ipv6 --yes --port 1",
    );
    assert_eq!(outcome.code, 0, "{outcome:?}");
    assert_eq!(
        outcome.dump.writes(),
        [
            "cx3 set 0x2001/1 5a5a0e14",
            "cx3 set 0x2001/2 0000020a",
            "cx3 set 0x2001/1 5a5a0c14",
        ]
    );
}

#[test]
fn a_corrupt_setting_stops_the_change_but_not_the_listing() {
    ring!();
    let corrupt = "--corrupt 2001/2 --corrupt 03000195/1";
    let outcome = both(corrupt, "flexctl enable-ipv6 --yes");
    assert_eq!(outcome.code, 7, "{outcome:?}");
    outcome.mentions(&["configuration corrupt (0x22)", "0x2001/2", "0x03000195"]);
    assert_eq!(outcome.dump.writes(), NOTHING);
    // The healthy ports can still be read, and changed.
    let outcome = both(corrupt, "flexctl list");
    assert_eq!(outcome.code, 0, "{outcome:?}");
    outcome.mentions(&[
        "off",
        "cannot tell: the card answered: configuration corrupt (0x22)",
    ]);
    let outcome = both(corrupt, "flexctl enable-ipv6 --yes --port 1");
    assert_eq!(
        outcome.dump.writes(),
        ["cx3 set 0x2001/1 0000020a", "cx4 set 0x03000195/0 00000200"]
    );
}

#[test]
fn mstconfig_shows_what_flexctl_wrote() {
    ring!(Need::Program("mstconfig"));
    let outcome = both(
        "--factory",
        "flexctl enable-ipv6 --yes --mode ipv6 --port 1 > /dev/null
         flexctl enable-ipv6 --yes --mode ipv6-ipv4 --port 2 > /dev/null
         mstconfig -d 04:00.0 query IP_VER | grep -w IP_VER
         mstconfig -d 04:00.1 query IP_VER | grep -w IP_VER
         mstconfig -d 05:00.0 query IP_VER_P1 IP_VER_P2 BOOT_OPTION_ROM_EN_P1 \
             LEGACY_BOOT_PROTOCOL_P2 | grep '_P[12]'",
    );
    assert_eq!(outcome.code, 0, "{outcome:?}");
    let shown: Vec<String> = outcome
        .said
        .lines()
        .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "))
        .collect();
    assert_eq!(
        shown,
        [
            "IP_VER IPv6(1)",
            "IP_VER IPv6_IPv4(3)",
            "IP_VER_P1 IPv6(1)",
            "IP_VER_P2 IPv6_IPv4(3)",
            "BOOT_OPTION_ROM_EN_P1 True(1)",
            "LEGACY_BOOT_PROTOCOL_P2 PXE(1)",
        ]
    );
}

#[test]
fn flexctl_shows_what_mstconfig_wrote() {
    ring!(Need::Program("mstconfig"));
    let outcome = both(
        "",
        "{ mstconfig -d 04:00.1 -y set IP_VER=2 LEGACY_BOOT_PROTOCOL=2
           mstconfig -d 05:00.0 -y set IP_VER_P1=1 LEGACY_BOOT_PROTOCOL_P2=2; } > /dev/null
         flexctl show --json",
    );
    assert_eq!(outcome.code, 0, "{outcome:?}");
    let report = outcome.json();
    let port = |card: usize, port: usize| &report["cards"][card]["card"]["ports"][port];
    assert_eq!(port(0, 0)["ip_mode"], "ipv4");
    assert_eq!(port(0, 1)["ip_mode"], "ipv4-ipv6");
    assert_eq!(port(1, 0)["ip_mode"], "ipv6");
    for port in [port(0, 1), port(1, 1)] {
        let codes: Vec<&Value> = port["obstacles"]
            .as_array()
            .unwrap()
            .iter()
            .map(|obstacle| &obstacle["code"])
            .collect();
        assert!(
            codes.contains(&&Value::from("boot-protocol-not-pxe")),
            "{port}"
        );
    }
}

/// A script that first takes semaphores and dies.
fn after_a_death(semaphores: &str, script: &str) -> String {
    let hold = python_file("hold_semaphores.py");
    format!(
        "python3 {} {semaphores} || exit 99\n{script}",
        hold.display()
    )
}

#[test]
fn a_held_semaphore_is_named_with_the_way_to_free_it() {
    ring!();
    let script = after_a_death("hcr gateway", "flexctl enable-ipv6 --yes");
    let outcome = among_unchecked(BOTH, &script);
    assert_eq!(outcome.code, 7, "{outcome:?}");
    outcome.mentions(&[
        "0xf03bc",
        "vendor capability",
        "doctor -d 0000:04:00.0 --clear-semaphores",
        "doctor -d 0000:05:00.0 --clear-semaphores",
    ]);
    assert_eq!(outcome.dump.writes(), NOTHING);
}

#[test]
fn doctor_frees_every_semaphore_that_a_dead_program_left() {
    ring!();
    for semaphores in ["hcr", "gateway", "icmd", "hcr gateway icmd"] {
        let script = after_a_death(
            semaphores,
            "flexctl doctor -d all --clear-semaphores --yes >&2 && flexctl enable-ipv6 --yes",
        );
        let outcome = both("", &script);
        assert_eq!(outcome.code, 0, "{semaphores} {outcome:?}");
        assert_eq!(outcome.dump.writes().len(), 4);
    }
}

#[test]
fn a_dead_program_that_nobody_buried_holds_nothing() {
    ring!();
    let script = format!(
        "python3 {} icmd -- flexctl doctor -d 04:00.0 --clear-semaphores --yes",
        python_file("hold_semaphores.py").display()
    );
    let outcome = both("", &script);
    assert_eq!(outcome.code, 0, "{outcome:?}");
    outcome.mentions(&["freed the ICMD semaphore"]);
}

#[test]
fn a_value_that_is_no_process_number_is_not_taken_for_one() {
    ring!();
    // Held, the tools semaphore reads as 1, and the gateway's is a ticket.
    for semaphore in ["hcr", "gateway"] {
        let script = after_a_death(semaphore, "flexctl enable-ipv6 --yes");
        let outcome = among_unchecked(BOTH, &script);
        assert_eq!(outcome.code, 8, "{outcome:?}");
        outcome.mentions(&["is held (value"]);
        assert!(!outcome.complained.contains("process"), "{outcome:#?}");
    }
}

#[test]
fn killed_at_any_moment_it_leaves_old_or_new_and_can_be_run_again() {
    ring!();
    // Two seconds are what doctor looks at a semaphore that is held.
    let outcome = both(
        "",
        "for delay in 0.02 0.04 0.06 0.08 0.10; do
             timeout --foreground -s KILL $delay flexctl enable-ipv6 --yes > /dev/null
             flexctl doctor -d all --clear-semaphores --yes > /dev/null
             timeout --foreground -s KILL $delay flexctl disable-ipv6 --yes > /dev/null
             flexctl doctor -d all --clear-semaphores --yes > /dev/null
             flexctl list --json > /dev/null || exit 1
         done 2> /dev/null
         flexctl enable-ipv6 --yes && flexctl doctor -d all",
    );
    assert_eq!(outcome.code, 0, "{outcome:?}");
    let possible = ["0000020a", "0000000a", "00000200", "00000000"];
    for write in outcome.dump.writes() {
        assert!(
            possible.iter().any(|data| write.ends_with(data)),
            "{write} was never wanted"
        );
    }
    assert_eq!(outcome.dump.tlv("cx3", "0x2001/1"), Some("0000020a"));
    assert_eq!(outcome.dump.tlv("cx3", "0x2001/2"), Some("0000020a"));
    assert_eq!(outcome.dump.tlv("cx4", "0x03000195/0"), Some("00000200"));
    assert_eq!(outcome.dump.tlv("cx4", "0x03000195/1"), Some("00000200"));
}

#[test]
fn it_needs_a_fraction_of_mstconfigs_operations() {
    ring!(Need::Program("mstconfig"));
    for (options, set, at_most) in [
        ("--card cx4 --ports 1", "-d 04:00.0 -y set IP_VER=2", 5),
        (
            "--card cx3",
            "-d 05:00.0 -y set IP_VER_P1=2 IP_VER_P2=2",
            30,
        ),
    ] {
        let card = &options[7..10];
        let theirs = among(options, &format!("mstconfig {set}"));
        let ours = among(options, "flexctl enable-ipv6 --yes");
        assert_eq!((theirs.code, ours.code), (0, 0), "{theirs:?} {ours:?}");
        let (theirs, ours) = (theirs.dump.operations(card), ours.dump.operations(card));
        assert!(
            ours * at_most <= theirs,
            "{card}: {ours} operations, mstconfig {theirs}"
        );
    }
}

#[test]
fn it_reads_all_settings_with_a_fifth_of_mstconfigs_operations() {
    ring!(Need::Program("mstconfig"));
    let options = "--card cx4 --ports 1";
    // mstconfig reads the next values here, flexctl default and current ones as well.
    let theirs = among(options, "mstconfig -d 04:00.0 query");
    let ours = among(options, "flexctl settings list");
    assert_eq!((theirs.code, ours.code), (0, 0), "{theirs:?} {ours:?}");
    assert_eq!(ours.dump.writes(), NOTHING);
    let (theirs, ours) = (theirs.dump.operations("cx4"), ours.dump.operations("cx4"));
    assert!(ours * 5 <= theirs, "{ours} operations, mstconfig {theirs}");
}
