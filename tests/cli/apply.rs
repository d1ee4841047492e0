//! `flexctl apply`

use std::process::Stdio;

use insta::assert_snapshot;

use crate::flexctl::place;
use crate::plan::profile;

const PROFILE: &str = r#"schema = 1
[settings]
IP_VER = "IPv4_IPv6"

[[section]]
match = { serial = "MT0000X00014", port = 2 }
[section.settings]
IP_VER = "IPv6"
"#;

#[test]
fn makes_cards_what_the_profile_says_once() {
    let place = place();
    let file = profile(&place, PROFILE);
    let arguments = format!("apply {file} -d sim:connectx-4 -d sim:connectx-3");
    assert_snapshot!(place.run(&arguments), @"
    exit 0
    --- stdout
    ConnectX-4 at sim:connectx-4
      port 1  enp4s0f0np0  IP_VER  IPv4(0) -> IPv4_IPv6(2)  from the next boot on
      port 2  enp4s0f1np1  IP_VER  IPv4(0) -> IPv6(1)       from the next boot on
      note: IP_VER: a host whose network does not offer the chosen version finds nothing to boot
    ConnectX-3 at sim:connectx-3
      port 1  enp5s0    IP_VER  IPv4(0) -> IPv4_IPv6(2)  from the next boot on
      port 2  enp5s0d1  IP_VER  IPv4(0) -> IPv4_IPv6(2)  from the next boot on
      note: IP_VER: a host whose network does not offer the chosen version finds nothing to boot
      sim:connectx-4: written and read back, takes effect at the next boot (values of before: <place>/state/backups/sim-connectx-4.json)
      sim:connectx-3: written and read back, takes effect at the next boot (values of before: <place>/state/backups/sim-connectx-3.json)
    ");
    assert_eq!(
        place.tlv("connectx-4", "function1", "0x3000195"),
        "00000114"
    );
    assert_eq!(place.tlv("connectx-3", "port2", "0x2001"), "0000020f");
    let again = place.document(&arguments);
    assert_eq!(again["cards"][0]["outcome"], "unchanged");
    assert_eq!(again["cards"][1]["outcome"], "unchanged");
    place.answer("settings undo -d sim:connectx-4");
    assert_eq!(
        place.tlv("connectx-4", "function1", "0x3000195"),
        "00000014"
    );
    assert_eq!(place.tlv("connectx-3", "port2", "0x2001"), "0000020f");
}

#[test]
fn a_card_that_cannot_be_changed_keeps_all_from_being_written() {
    let place = place();
    let file = profile(&place, "schema = 1\n[settings]\nIP_VER = \"IPv6\"\n");
    assert_snapshot!(place.run(&format!("apply {file} -d sim:connectx-4 -d sim:connectx-4-no-ip-ver")), @"
    exit 5
    --- stdout
    ConnectX-4 at sim:connectx-4
      port 1  enp4s0f0np0  IP_VER  IPv4(0) -> IPv6(1)  from the next boot on
      port 2  enp4s0f1np1  IP_VER  IPv4(0) -> IPv6(1)  from the next boot on
      note: IP_VER: a host whose network does not offer the chosen version finds nothing to boot
    --- stderr
    error: 0000:0d:00.0: the card does not offer IP_VER: nv_rom_cap.boot_ip_ver is 0
    caused by: <place>/p.toml:3 asks for it
    hint: the card's firmware is too old for this setting; update it (`flexctl burn` takes firmware images), then try again
    error: nothing was written to any card, because not every card can be changed
    hint: name the cards that can be changed with --device
    ");
    assert_eq!(
        place.tlv("connectx-4", "function1", "0x3000195"),
        "00000014"
    );
}

#[test]
fn one_of_two_cards_that_fails_is_told_by_the_exit_code() {
    let place = place();
    let file = profile(&place, "schema = 1\n[settings]\nIP_VER = \"IPv6\"\n");
    place.answer("sim fault connectx-3 corrupt-write@1");
    let run = place.run(&format!("apply {file} -d sim:connectx-4 -d sim:connectx-3"));
    assert_eq!(run.code, 8, "{run}");
    assert_eq!(
        place.tlv("connectx-4", "function1", "0x3000195"),
        "00000114"
    );
    assert_eq!(place.tlv("connectx-3", "port1", "0x2001"), "0000000f");
}

#[test]
fn a_card_of_the_host_is_not_written_without_asking() {
    let place = place();
    let file = profile(&place, "schema = 1\n[settings]\nIP_VER = \"IPv6\"\n");
    let Some(run) = place.among_cards("connectx-4", &format!("apply {file}")) else {
        return;
    };
    assert_eq!(run.code, 2, "{run}");
    assert!(run.stderr.contains("--yes"), "{run}");
    let run = place
        .among_cards("connectx-4", &format!("apply {file} --yes"))
        .unwrap();
    assert_eq!(run.code, 0, "{run}");
}

#[test]
fn sections_for_the_host_go_by_its_name() {
    let place = place();
    let file = profile(
        &place,
        "schema = 1\n[[section]]\nmatch = { host = \"rack7-*\" }\nsettings = { IP_VER = \"IPv6\" }\n",
    );
    let elsewhere = place.run(&format!("apply {file} -d sim:connectx-4 --host rack8-1"));
    assert!(
        elsewhere.stdout.contains("says nothing about this card"),
        "{elsewhere}"
    );
    place.answer(&format!(
        "apply {file} -d sim:connectx-4 --host rack7-1.example.org"
    ));
    assert_eq!(
        place.tlv("connectx-4", "function0", "0x3000195"),
        "00000114"
    );
}

#[test]
fn two_processes_that_want_the_same_cards_queue() {
    let place = place();
    let file = profile(&place, PROFILE);
    let cards = [
        "connectx-4",
        "connectx-3",
        "connectx-4-lx",
        "connectx-4-factory",
    ];
    let arguments = |order: &[&str]| {
        let devices: Vec<String> = order.iter().map(|card| format!("-d sim:{card}")).collect();
        format!("apply {file} {}", devices.join(" "))
    };
    let mut backwards = cards;
    backwards.reverse();
    for round in 0..5 {
        let one = place
            .command(&arguments(&cards))
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let other = place
            .command(&arguments(&backwards))
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        for child in [one, other] {
            let output = child.wait_with_output().unwrap();
            assert!(output.status.success(), "{round}: {output:?}");
        }
        for card in cards {
            place.answer(&format!("settings undo -d sim:{card}"));
        }
    }
}

#[test]
fn the_process_that_is_waited_for_is_named() {
    let place = place();
    let file = profile(&place, PROFILE);
    std::fs::create_dir_all(place.path("run")).unwrap();
    let path = place.path("run").join("sim-connectx-4.lock");
    std::fs::write(&path, "4711\n").unwrap();
    let held = std::fs::File::open(&path).unwrap();
    held.lock().unwrap();
    let run = place.run(&format!("apply {file} -d sim:connectx-4 -d sim:connectx-3"));
    assert_eq!(run.code, 8, "{run}");
    assert!(
        run.stderr.contains("process 4711") || run.stderr.contains("process"),
        "{run}"
    );
    assert_eq!(place.tlv("connectx-3", "port1", "0x2001"), "0000000f");
}
