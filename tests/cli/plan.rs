//! `flexctl plan`

use insta::assert_snapshot;

use crate::flexctl::{Place, place};

const PROFILE: &str = r#"schema = 1
[settings]
IP_VER = "IPv4_IPv6"
BOOT_RETRY_CNT1 = 3

[[section]]
match = { model = "connectx-4*", port = 2 }
[section.settings]
BOOT_VLAN_EN = true
BOOT_VLAN = 7
"#;

/// A profile in a file of the place.
pub(crate) fn profile(place: &Place, text: &str) -> String {
    let path = place.path("p.toml");
    std::fs::write(&path, text).unwrap();
    path.display().to_string()
}

#[test]
fn shows_what_would_change_and_writes_nothing() {
    let place = place();
    let file = profile(&place, PROFILE);
    let before = place.state("connectx-4")["settings"].clone();
    assert_snapshot!(place.run(&format!("plan {file} -d sim:connectx-4 -d sim:connectx-3")), @"
    exit 0
    --- stdout
    ConnectX-4 at sim:connectx-4
      port 1  enp4s0f0np0  BOOT_RETRY_CNT  NONE(0) -> _3(3)         from the next boot on
      port 1  enp4s0f0np0  IP_VER          IPv4(0) -> IPv4_IPv6(2)  from the next boot on
      port 2  enp4s0f1np1  BOOT_VLAN       1 -> 7                   from the next boot on
      port 2  enp4s0f1np1  BOOT_RETRY_CNT  NONE(0) -> _3(3)         from the next boot on
      port 2  enp4s0f1np1  BOOT_VLAN_EN    False(0) -> True(1)      from the next boot on
      port 2  enp4s0f1np1  IP_VER          IPv4(0) -> IPv4_IPv6(2)  from the next boot on
      note: BOOT_RETRY_CNT: with UNLIMITED the host never goes on to its next boot device
      note: IP_VER: a host whose network does not offer the chosen version finds nothing to boot
      note: BOOT_VLAN: 0 and 4095 are no VLAN: mstconfig takes them, FlexBoot's own menu takes 1 to 4094 only
      note: BOOT_VLAN_EN: the switch port must carry the VLAN BOOT_VLAN, or the host finds no server
    ConnectX-3 at sim:connectx-3
      port 1  enp5s0    BOOT_RETRY_CNT  0 -> 3                   from the next boot on
      port 1  enp5s0    IP_VER          IPv4(0) -> IPv4_IPv6(2)  from the next boot on
      port 2  enp5s0d1  BOOT_RETRY_CNT  0 -> 3                   from the next boot on
      port 2  enp5s0d1  IP_VER          IPv4(0) -> IPv4_IPv6(2)  from the next boot on
      note: BOOT_RETRY_CNT: with 7 the host never goes on to its next boot device
      note: IP_VER: a host whose network does not offer the chosen version finds nothing to boot
    ");
    assert_eq!(place.state("connectx-4")["settings"], before);
    let run = place.run(&format!("plan {file} -d sim:connectx-4 --exit-code"));
    assert_eq!(run.code, 9, "{run}");
    let document = place.document(&format!("plan {file} -d sim:connectx-4"));
    assert_eq!(document["schema"], "flexctl.plan/1");
    assert_eq!(document["cards"][0]["outcome"], "planned");
    assert_eq!(document["cards"][0]["restart"], "boot");
}

#[test]
fn everything_that_is_wrong_is_told_with_its_line() {
    let place = place();
    let file = profile(
        &place,
        "schema = 1\n[settings]\nIPVER = 1\nIP_VER = \"IPv9\"\nBOOT_VLAN = true\n\n[[section]]\nmatch = { modell = \"x\", port = 3 }\n[section.settings]\nNUM_OF_VFS_P1 = 3\n",
    );
    assert_snapshot!(place.run(&format!("plan {file} -d sim:connectx-4")), @r#"
    exit 6
    --- stderr
    error: <place>/p.toml:3: there is no setting IPVER, did you mean `IP_VER`?
    error: <place>/p.toml:4: IP_VER: "IPv9" is not allowed; expected one of IPv4(0), IPv6(1), IPv4_IPv6(2), IPv6_IPv4(3)
    error: <place>/p.toml:5: BOOT_VLAN: expected a number, 0 to 4095, found a boolean
    error: <place>/p.toml:8: there is no key `modell` in match, did you mean `model`? allowed are model, device_id, psid, part_number, serial, pci, interface, host, port
    error: <place>/p.toml:8: match.port: 3 is not allowed; expected 1, 2 or an array of these
    error: <place>/p.toml:10: NUM_OF_VFS_P1 belongs to the whole card, not to a port
    hint: nothing was changed; `flexctl settings explain NAME` says what a setting may be
    "#);
}

#[test]
fn sections_that_contradict_each_other_are_named_by_their_lines() {
    let place = place();
    let file = profile(
        &place,
        "schema = 1\n[[section]]\nmatch = { model = \"connectx-4\" }\nsettings = { IP_VER = \"IPv6\" }\n[[section]]\nmatch = { port = 1 }\nsettings = { IP_VER = \"IPv4\" }\n",
    );
    assert_snapshot!(place.run(&format!("plan {file} -d sim:connectx-4")), @"
    exit 6
    --- stderr
    error: <place>/p.toml:7: 0000:04:00.0 (ConnectX-4): IP_VER of port 1 is IPv4(0) in section 2 but IPv6(1) in section 1 (<place>/p.toml:4); to go before section 1, the match of section 2 has to name all of its keys, and one more or fewer values
    hint: nothing was changed; `flexctl settings explain NAME` says what a setting may be
    ");
    // No port of this one is meant by both.
    let run = place.run(&format!("plan {file} -d sim:connectx-3"));
    assert_eq!(run.code, 0, "{run}");
}

#[test]
fn a_value_that_this_card_cannot_have_names_card_and_line() {
    let place = place();
    let file = profile(&place, "schema = 1\n[settings]\nNUM_OF_VFS = 200\n");
    assert_snapshot!(place.run(&format!("plan {file} -d sim:connectx-4")), @"
    exit 5
    --- stderr
    error: 0000:04:00.0: NUM_OF_VFS can be at most 127 on this card, not 200
    caused by: <place>/p.toml:3 asks for it
    hint: `flexctl settings explain NUM_OF_VFS` says more
    ");
}

#[test]
fn json_is_read_as_well() {
    let place = place();
    let path = place.path("p.json");
    std::fs::write(
        &path,
        "{\"schema\": 1,\n \"settings\": {\"IP_VER\": \"IPv6\"}}",
    )
    .unwrap();
    let run = place.run(&format!(
        "plan {} -d sim:connectx-4 --exit-code",
        path.display()
    ));
    assert_eq!(run.code, 9, "{run}");
    std::fs::write(
        &path,
        "{\"schema\": 1,\n \"settings\": {\"IP_VERS\": \"IPv6\"}}",
    )
    .unwrap();
    let run = place.run(&format!("plan {} -d sim:connectx-4", path.display()));
    assert_eq!(run.code, 6, "{run}");
    assert!(run.stderr.contains("p.json:2: "), "{run}");
}

#[test]
fn a_profile_that_cannot_be_read_is_no_profile() {
    let place = place();
    for (file, words) in [("nowhere.toml", "cannot read"), (".", "cannot read")] {
        let run = place.run(&format!(
            "plan {} -d sim:connectx-4",
            place.path(file).display()
        ));
        assert_eq!(run.code, 6, "{run}");
        assert!(run.stderr.contains(words), "{run}");
    }
}
