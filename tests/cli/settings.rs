//! `flexctl settings`

use insta::assert_snapshot;
use serde_json::json;

use crate::flexctl::{Place, place};

/// Every TLV that a card has set.
fn stored(place: &Place, card: &str) -> serde_json::Value {
    place.state(card)["settings"].clone()
}

#[test]
fn several_settings_are_one_plan() {
    let place = place();
    assert_snapshot!(place.run("settings set -d sim:connectx-4 IP_VER_P2=ipv6 BOOT_VLAN=0x7b BOOT_VLAN_EN=true NUM_OF_VFS=12"), @"
    exit 0
    --- stdout
    ConnectX-4 at sim:connectx-4
      card                 NUM_OF_VFS    8 -> 12              after a reset of the firmware
      port 1  enp4s0f0np0  BOOT_VLAN     1 -> 123             from the next boot on
      port 1  enp4s0f0np0  BOOT_VLAN_EN  False(0) -> True(1)  from the next boot on
      port 2  enp4s0f1np1  IP_VER        IPv4(0) -> IPv6(1)   from the next boot on
      port 2  enp4s0f1np1  BOOT_VLAN     1 -> 123             from the next boot on
      port 2  enp4s0f1np1  BOOT_VLAN_EN  False(0) -> True(1)  from the next boot on
      careful: NUM_OF_VFS: the host must find room for all BARs, or it may not start
      note: BOOT_VLAN: 0 and 4095 are no VLAN: mstconfig takes them, FlexBoot's own menu takes 1 to 4094 only
      note: BOOT_VLAN_EN: the switch port must carry the VLAN BOOT_VLAN, or the host finds no server
      note: IP_VER: a host whose network does not offer the chosen version finds nothing to boot
      written and read back, takes effect at the next reboot: the firmware was asked to reset then (values of before: <place>/state/backups/sim-connectx-4.json)
    ");
    assert_eq!(
        place.tlv("connectx-4", "function1", "0x3000221"),
        "e001007b"
    );
    assert_eq!(
        place.tlv("connectx-4", "function0", "0x3000195"),
        "00000014"
    );
    assert_eq!(
        place.tlv("connectx-4", "function1", "0x3000195"),
        "00000114"
    );
    assert_eq!(
        place.tlv("connectx-4", "card", "0x80"),
        "800000008000000c00000000"
    );
}

#[test]
fn a_second_run_changes_nothing() {
    let place = place();
    let arguments =
        "settings set -d sim:connectx-3 IP_VER=IPv6 BOOT_RETRY_CNT1=3 WOL_MAGIC_EN_P1=0";
    let wol_is_missing = place.run(arguments);
    assert_eq!(wol_is_missing.code, 5, "{wol_is_missing}");
    let arguments = "settings set -d sim:connectx-3 IP_VER=IPv6 BOOT_RETRY_CNT1=3";
    place.answer(arguments);
    let before = stored(&place, "connectx-3");
    assert!(place.answer(arguments).contains("nothing to do"));
    assert_eq!(stored(&place, "connectx-3"), before);
    // The bits that mstconfig would wipe are kept.
    assert_eq!(place.tlv("connectx-3", "port1", "0x2001"), "0000010f");
}

#[test]
fn a_wrong_name_is_answered_with_near_ones() {
    let place = place();
    assert_snapshot!(place.run("settings set -d sim:connectx-4 IPVER=IPv6"), @"
    exit 2
    --- stderr
    error: there is no setting IPVER, did you mean IP_VER?
    hint: `flexctl settings explain` lists all names with their meaning
    ");
    assert_snapshot!(place.run("settings get -d sim:connectx-4 BOOT_VLN"), @"
    exit 2
    --- stderr
    error: there is no setting BOOT_VLN, did you mean BOOT_VLAN or BOOT_VLAN_EN?
    hint: `flexctl settings explain` lists all names with their meaning
    ");
    assert_snapshot!(place.run("settings list -d sim:connectx-4 vlam"), @"
    exit 2
    --- stderr
    error: no setting of this card has vlam in its name
    hint: `flexctl settings explain` lists all names
    ");
}

#[test]
fn a_form_that_does_not_exist_on_the_card_is_explained() {
    let place = place();
    assert_snapshot!(place.run("settings set -d sim:connectx-4 NUM_OF_VFS_P1=4"), @"
    exit 2
    --- stderr
    error: NUM_OF_VFS belongs to the whole card: there is no NUM_OF_VFS_P1
    hint: leave the suffix out: NUM_OF_VFS
    ");
    assert_snapshot!(place.run("settings set -d sim:connectx-4-single IP_VER_P2=IPv6"), @"
    exit 3
    --- stderr
    error: 0000:0b:00.0: the card has no port 2, only 1
    hint: leave --port out to mean every port of the card
    ");
    // The form of a function means all ports of a ConnectX-3, that of a port means
    // a function of a ConnectX-4.
    place.answer("settings set -d sim:connectx-3 IP_VER=IPv6");
    assert_eq!(place.tlv("connectx-3", "port2", "0x2001"), "0000010f");
}

#[test]
fn a_wrong_value_is_answered_with_the_allowed_ones() {
    let place = place();
    for (assignment, words) in [
        (
            "IP_VER=IPv9",
            "IPv4(0), IPv6(1), IPv4_IPv6(2), IPv6_IPv4(3)",
        ),
        ("BOOT_VLAN=4096", "0 to 4095"),
        ("BOOT_VLAN=-1", "0 to 4095"),
        ("BOOT_VLAN_EN=maybe", "False(0), True(1)"),
        ("ISCSI_FIRST_TARGET_IP_ADDR=2001:db8::1", "an IPv4 address"),
        ("ISCSI_INITIATOR_CHAP_PASSWORD=short", "12 to 16 characters"),
        ("IP_VER", "is not NAME=VALUE"),
    ] {
        let run = place.run(&format!(
            "settings set -d sim:connectx-4-everything {assignment}"
        ));
        assert_eq!(run.code, 2, "{run}");
        assert!(run.stderr.contains(words), "{run}");
        assert!(!run.stderr.contains("short"), "{run}");
    }
    let run = place.run("settings set -d sim:connectx-4 NUM_OF_VFS=300");
    assert_eq!(run.code, 5, "{run}");
    assert!(run.stderr.contains("at most 127"), "{run}");
    let run = place.run("settings set -d sim:connectx-4 IP_VER=IPv4 IP_VER_P1=IPv6");
    assert_eq!(run.code, 2, "{run}");
    assert_eq!(place.counter("connectx-4", "unlocked"), 0);
}

#[test]
fn what_the_card_lacks_and_what_is_only_read_is_refused() {
    let place = place();
    let run = place.run("settings set -d sim:connectx-4-no-ip-ver IP_VER=IPv6 BOOT_VLAN=5");
    assert_eq!(run.code, 5, "{run}");
    assert_eq!(
        place.tlv("connectx-4-no-ip-ver", "function0", "0x3000221"),
        "a0010001"
    );
    let run = place.run("settings set -d sim:connectx-4 ROM_CAP_BOOT_IP_VER=1");
    assert_eq!(run.code, 5, "{run}");
    assert!(run.stderr.contains("can only be read"), "{run}");
}

#[test]
fn a_dry_run_writes_nothing_and_says_whether_it_would() {
    let place = place();
    let before = stored(&place, "connectx-4");
    let run = place.run("settings set -d sim:connectx-4 IP_VER=IPv6 --dry-run --exit-code");
    assert_eq!(run.code, 9, "{run}");
    assert_eq!(stored(&place, "connectx-4"), before);
    let run = place.run("settings set -d sim:connectx-4 IP_VER=IPv4 --dry-run --exit-code");
    assert_eq!(run.code, 0, "{run}");
}

#[test]
fn nothing_is_written_to_any_card_unless_all_can_be_changed() {
    let place = place();
    assert_snapshot!(place.run("settings set -d sim:connectx-4 -d sim:connectx-4-no-ip-ver IP_VER=IPv6"), @"
    exit 5
    --- stdout
    ConnectX-4 at sim:connectx-4
      port 1  enp4s0f0np0  IP_VER  IPv4(0) -> IPv6(1)  from the next boot on
      port 2  enp4s0f1np1  IP_VER  IPv4(0) -> IPv6(1)  from the next boot on
      note: IP_VER: a host whose network does not offer the chosen version finds nothing to boot
    --- stderr
    error: 0000:0d:00.0: the card does not offer IP_VER: nv_rom_cap.boot_ip_ver is 0
    hint: the card's firmware is too old for this setting; update it (`flexctl burn` takes firmware images), then try again
    error: nothing was written to any card, because not every card can be changed
    hint: name the cards that can be changed with --device
    ");
    assert_eq!(
        place.tlv("connectx-4", "function0", "0x3000195"),
        "00000014"
    );
}

#[test]
fn a_write_that_fails_takes_the_others_back() {
    for (card, write) in [("connectx-4", 3), ("connectx-3", 3)] {
        let place = place();
        place.answer(&format!("sim fault {card} lost-write@{write}"));
        let before = stored(&place, card);
        let run = place.run(&format!(
            "settings set -d sim:{card} IP_VER=IPv6 BOOT_RETRY_CNT=5 BOOT_VLAN=9"
        ));
        assert_eq!(run.code, 7, "{run}");
        assert_eq!(stored(&place, card), before, "{run}");
        let undo = place.run(&format!("settings undo -d sim:{card}"));
        assert_eq!(undo.code, 5, "{undo}");
    }
}

#[test]
fn secrets_are_told_only_to_who_names_them() {
    let place = place();
    let secret = "open-sesame-42";
    std::fs::write(place.path("chap"), format!("{secret}\n")).unwrap();
    let file = place.path("chap").display().to_string();
    let name = "ISCSI_FIRST_TARGET_CHAP_PASSWORD";
    let card = "-d sim:connectx-4-everything";
    let mut said = Vec::new();
    for arguments in [
        format!("settings set {card} {name}=@{file} -v"),
        format!("settings set {card} {name}=another-pass1 --json -v"),
        format!("settings set {card} {name}=@{file} --dry-run"),
        format!("settings set {card} {name}=@{file}"),
        format!("settings list {card} chap --all"),
        format!("settings list {card} --json"),
        format!("settings export {card}"),
        format!("backup {card}"),
        format!("show {card} --json"),
        format!("settings explain {name}"),
    ] {
        let run = place.run(&arguments);
        assert_eq!(run.code, 0, "{run}");
        said.push(format!("{}{}", run.stdout, run.stderr));
    }
    let hex: String = secret.bytes().map(|byte| format!("{byte:02x}")).collect();
    for said in said {
        assert!(!said.contains(secret) && !said.contains(&hex), "{said}");
        assert!(!said.contains("another-pass1"), "{said}");
    }
    let shown = place.answer(&format!("settings get {card} {name}"));
    assert!(shown.contains(secret), "{shown}");
    let exported = place.answer(&format!("settings export {card} --secret {name}"));
    assert!(exported.contains(secret), "{exported}");
    // Written by somebody else meanwhile: still nothing is told.
    let run = place.run(&format!("settings undo {card}"));
    assert_eq!(run.code, 0, "{run}");
    assert!(!run.stdout.contains(secret), "{run}");
}

#[test]
fn undo_goes_back_step_by_step() {
    for card in ["connectx-4", "connectx-3"] {
        let place = place();
        let mut states = vec![stored(&place, card)];
        for assignment in ["IP_VER=IPv6", "BOOT_VLAN=9", "IP_VER=IPv4_IPv6"] {
            place.answer(&format!("settings set -d sim:{card} {assignment}"));
            states.push(stored(&place, card));
        }
        states.pop();
        while let Some(before) = states.pop() {
            let said = place.answer(&format!("settings undo -d sim:{card}"));
            assert!(said.contains("takes back: set"), "{said}");
            assert_eq!(stored(&place, card), before);
        }
        let run = place.run(&format!("settings undo -d sim:{card}"));
        assert_eq!(run.code, 5, "{run}");
        assert!(run.stderr.contains("no change of"), "{run}");
    }
}

#[test]
fn undo_refuses_to_overwrite_what_somebody_else_changed() {
    let place = place();
    place.answer("settings set -d sim:connectx-4 IP_VER_P1=IPv6");
    place.answer("sim seed connectx-4 0x03000195 00000215");
    let run = place.run("settings undo -d sim:connectx-4");
    assert_eq!(run.code, 5, "{run}");
    assert_eq!(
        place.tlv("connectx-4", "function0", "0x3000195"),
        "00000215"
    );
    place.answer("settings undo -d sim:connectx-4 --allow-overwrite");
    assert_eq!(
        place.tlv("connectx-4", "function0", "0x3000195"),
        "00000014"
    );
}

#[test]
fn reset_goes_back_to_the_defaults() {
    let place = place();
    place.answer("settings set -d sim:connectx-4-factory IP_VER=IPv6 BOOT_VLAN=9 NUM_OF_VFS=3");
    assert_snapshot!(place.run("settings reset -d sim:connectx-4-factory IP_VER BOOT_VLAN_P1"), @"
    exit 0
    --- stdout
    ConnectX-4 at sim:connectx-4-factory
      port 1  enp3s0f0  IP_VER     IPv6(1) -> IPv4(0) (back to the card's default)  from the next boot on
      port 1  enp3s0f0  BOOT_VLAN  9 -> 1 (back to the card's default)              from the next boot on
      port 2  enp3s0f1  IP_VER     IPv6(1) -> IPv4(0) (back to the card's default)  from the next boot on
      note: IP_VER: a host whose network does not offer the chosen version finds nothing to boot
      note: BOOT_VLAN: 0 and 4095 are no VLAN: mstconfig takes them, FlexBoot's own menu takes 1 to 4094 only
      note: BOOT_VLAN: has no effect while BOOT_VLAN_EN is False(0)
      written and read back, takes effect at the next boot (values of before: <place>/state/backups/sim-connectx-4-factory.json)
    ");
    // What is back at its defaults is not set.
    assert_eq!(
        place.tlv("connectx-4-factory", "function0", "0x3000195"),
        "-"
    );
    assert_eq!(
        place.tlv("connectx-4-factory", "function0", "0x3000221"),
        "-"
    );
    assert_ne!(
        place.tlv("connectx-4-factory", "function1", "0x3000221"),
        "-"
    );
    place.answer("settings reset -d sim:connectx-4-factory --all");
    assert_eq!(stored(&place, "connectx-4-factory"), json!([]));
    place.answer("settings undo -d sim:connectx-4-factory");
    assert_ne!(
        place.tlv("connectx-4-factory", "function1", "0x3000221"),
        "-"
    );

    // A ConnectX-3 gets its defaults written down.
    place.answer("settings set -d sim:connectx-3 IP_VER=IPv6 BOOT_LINKUP_TIMEOUT=7");
    place.answer("settings reset -d sim:connectx-3 IP_VER_P1 BOOT_LINKUP_TIMEOUT_P1");
    assert_eq!(place.tlv("connectx-3", "port1", "0x2001"), "00000000");
    assert_eq!(place.tlv("connectx-3", "port2", "0x2001"), "00000107");
}

#[test]
fn lists_what_differs_and_what_waits() {
    let place = place();
    place.answer("settings set -d sim:connectx-4 IP_VER_P1=IPv6 LINK_TYPE_P1=IB");
    assert_snapshot!(place.run("settings list -d sim:connectx-4 --changed"), @"
    exit 0
    --- stdout
    ConnectX-4 at sim:connectx-4

      card
            SETTING   DEFAULT   CURRENT  NEXT
        *   SRIOV_EN  False(0)  True(1)  True(1)

      port 1 (0000:04:00.0, enp4s0f0np0)
            SETTING    DEFAULT  CURRENT  NEXT
        !   IP_VER     IPv4(0)  IPv4(0)  IPv6(1)
        !   LINK_TYPE  ETH(2)   not set  IB(1)

      ! 2 settings wait for a reset of the firmware (power the host off and on)
    ");
    assert_snapshot!(place.run("settings list -d sim:connectx-4 --pending --port 2"), @"
    exit 0
    --- stdout
    ConnectX-4 at sim:connectx-4
      nothing to show

      ! 2 settings wait for a reset of the firmware (power the host off and on)
    ");
    place.answer("sim reboot connectx-4");
    let document = place.document("settings list -d sim:connectx-4");
    assert_eq!(document["cards"][0]["pending"], json!([]));
    assert_eq!(document["cards"][0]["restart"], json!(null));
}

#[test]
fn show_and_list_say_what_waits_on_a_card_that_does_not() {
    let place = place();
    place.answer("settings set -d sim:connectx-3 IP_VER_P1=IPv6");
    place.answer("settings set -d sim:connectx-3 IP_VER_P1=IPv4_IPv6 LINK_TYPE_P2=IB");
    let document = place.document("show -d sim:connectx-3");
    let card = &document["cards"][0];
    assert_eq!(
        card["pending"],
        json!([
            { "port": 1, "name": "IP_VER", "current": "IPv4(0)", "next": "IPv4_IPv6(2)",
              "restart": "boot", "known_from": "record" },
            { "port": 2, "name": "LINK_TYPE", "current": "ETH(2)", "next": "IB(1)",
              "restart": "firmware-reset", "known_from": "record" },
        ])
    );
    assert_eq!(card["restart"], "firmware-reset");
    assert_eq!(card["says_current"], false);
    place.answer("sim reboot connectx-3");
    let document = place.document("show -d sim:connectx-3");
    assert_eq!(document["cards"][0]["pending"], json!([]));
}

#[test]
fn get_is_for_scripts_too() {
    let place = place();
    let document = place.document("settings get -d sim:connectx-4 IP_VER_P2");
    assert_eq!(document["schema"], "flexctl.settings-get/1");
    let ports = document["cards"][0]["ports"].as_array().unwrap();
    let of_second = ports.iter().find(|port| port["port"] == 2).unwrap();
    assert_eq!(of_second["settings"][0]["next"]["value"], "IPv4");
    assert_snapshot!(place.run("settings get -d sim:connectx-3 IP_VER_P2 BOOT_RETRY_CNT1"), @"
    exit 0
    --- stdout
    ConnectX-3 at sim:connectx-3

      port 1 (0000:05:00.0, enp5s0)
            SETTING         DEFAULT  CURRENT  NEXT
            BOOT_RETRY_CNT  0        -        0

      port 2 (0000:05:00.0, enp5s0d1)
            SETTING         DEFAULT  CURRENT  NEXT
            BOOT_RETRY_CNT  0        -        0
            IP_VER          IPv4(0)  -        IPv4(0)
    ");
}

#[test]
fn what_is_exported_makes_another_card_the_same() {
    for (one, other) in [
        ("connectx-4", "connectx-4-factory"),
        ("connectx-3", "connectx-3-factory"),
    ] {
        let place = place();
        place.answer(&format!(
            "settings set -d sim:{one} IP_VER_P2=IPv6 BOOT_RETRY_CNT=2"
        ));
        let profile = place.path("profile.toml").display().to_string();
        place.answer(&format!("settings export -d sim:{one} -o {profile}"));
        assert_eq!(place.run(&format!("check {profile} -d sim:{one}")).code, 0);
        assert_eq!(
            place.run(&format!("check {profile} -d sim:{other}")).code,
            9
        );
        place.answer(&format!("apply {profile} -d sim:{other}"));
        let run = place.run(&format!("check {profile} -d sim:{other}"));
        assert_eq!(run.code, 0, "{run}");
        let again = place.run(&format!("settings export -d sim:{one} -o {profile}"));
        assert_eq!(again.code, 1, "{again}");
    }
}

#[test]
fn explains_without_a_card() {
    let place = place();
    assert_snapshot!(place.run("settings explain BOOT_RETRY_CNT1"), @"
    exit 0
    --- stdout
    BOOT_RETRY_CNT
      meaning       how often the ROM tries again after a failed boot; 7 means without end
      cards         ConnectX-3, ConnectX-3 Pro
      also called   BOOT_RETRY_CNT1
      values        0 to 7
      belongs to    a port
      takes effect  at the next boot
      risk          whether the host boots from the network
      caution       with 7 the host never goes on to its next boot device
      stored in     BOOT_SETTINGS
      source        mstflint 4.21 mstconfig: type, length and bits seen in its MNVA writes to a virtual card
                    FlexBoot 3.4.812 mlx_nvconfig_prm.h, union mlx_nvconfig_nic_boot_conf
                    FlexBoot 3.4.812 hermon.h, hermonprm_query_defparams_port_st: where the defaults are

    BOOT_RETRY_CNT
      meaning       how often the ROM tries again after a failed boot
      cards         ConnectX-4, ConnectX-4 Lx
      also called   BOOT_RETRY_CNT1
      values        NONE(0), _1(1), _2(2), _3(3), _4(4), _5(5), _6(6), UNLIMITED(7)
      belongs to    a PCI function, which is a port
      takes effect  at the next boot
      needs         nv_rom_boot_conf1 version 1
      risk          whether the host boots from the network
      caution       with UNLIMITED the host never goes on to its next boot device
      stored in     nv_rom_boot_conf1
      source        mstflint 4.21 mlxconfig_host.db, nv_rom_boot_conf1; its MNVDA writes to a virtual card
                    FlexBoot 3.4.812 mlx_nvconfig.c: 0x2021 is 0x221 of class host here and needs no firmware reset
    ");
    let overview = place.answer("settings explain");
    for name in [
        "IP_VER",
        "BOOT_LINK_SPEED",
        "ISCSI_INITIATOR_NAME",
        "ROM_CAP_BOOT_IP_VER",
    ] {
        assert!(
            overview.lines().any(|line| line.starts_with(name)),
            "{name}"
        );
    }
    let run = place.run("settings explain IP_VERS");
    assert_eq!(run.code, 2, "{run}");
    let schema = place.document("settings schema");
    assert!(schema.to_string().contains("BOOT_VLAN_EN"));
}
