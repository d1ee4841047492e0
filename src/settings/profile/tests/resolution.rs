//! What a card is told to be.

use super::{card, notes, parse, parse_as, resolve, wanted};
use crate::settings::profile::{Desired, SectionLabel};

#[test]
fn settings_are_for_every_port_and_names_have_no_case() {
    let text = "[settings]\nboot_vlan = 7\nboot_vlan_en = true\n";
    let expected = [
        "BOOT_VLAN of 1 is 7, line 3",
        "BOOT_VLAN_EN of 1 is True(1), line 4",
        "BOOT_VLAN of 2 is 7, line 3",
        "BOOT_VLAN_EN of 2 is True(1), line 4",
    ];
    assert_eq!(wanted(text, "connectx-3"), expected);
    assert_eq!(wanted(text, "connectx-4"), expected);
}

#[test]
fn values_are_names_numbers_and_texts() {
    let text = "[settings]\nBOOT_PROTOCOL = \"pxe\"\nBOOT_VLAN = \"0x10\"\nLINK_TYPE = 2\n\
                BOOT_VLAN_EN = \"False\"\nISCSI_NAME = \"\"\n";
    assert_eq!(
        wanted(text, "connectx-4")[..5],
        [
            "BOOT_VLAN of 1 is 16, line 4",
            "BOOT_PROTOCOL of 1 is PXE(1), line 3",
            "BOOT_VLAN_EN of 1 is False(0), line 6",
            "LINK_TYPE of 1 is ETH(2), line 5",
            "ISCSI_NAME of 1 is \"\", line 7",
        ]
    );
}

#[test]
fn settings_of_the_card_come_first_and_once() {
    let text = "[settings]\nBOOT_VLAN_P2 = 9\nSRIOV_EN = true\n";
    assert_eq!(
        wanted(text, "connectx-4"),
        [
            "SRIOV_EN of 0 is True(1), line 4",
            "BOOT_VLAN of 2 is 9, line 3"
        ]
    );
}

#[test]
fn both_syntaxes_mean_the_same() {
    let toml = "[settings]\nBOOT_VLAN = 7\n[[section]]\nname = \"a\"\n\
                match = { port = [2], host = \"node1*\" }\nsettings = { BOOT_VLAN = 8 }\n";
    let json = r#"{"$schema": "x", "schema": 1, "settings": {"BOOT_VLAN": 7}, "section": [
        {"name": "a", "match": {"port": [2], "host": "node1*"}, "settings": {"BOOT_VLAN": 8}}]}"#;
    let without_lines = |mut desired: Desired| {
        for entry in &mut desired.entries {
            entry.line = 0;
        }
        desired
    };
    let json = parse_as("p.json", json).unwrap();
    let json = json.resolve(&card("connectx-4")).unwrap();
    let toml = resolve(toml, "connectx-4").unwrap();
    assert_eq!(toml.entries[1].section, SectionLabel::Named("a".to_owned()));
    assert_eq!(without_lines(toml), without_lines(json));
}

#[test]
fn sections_mean_cards_and_ports_by_what_is_known_of_them() {
    for (keys, ports) in [
        ("", "12"),
        ("model = \"connectx-4\"", "12"),
        ("model = \"CONNECTX-4*\"", "12"),
        ("model = \"ConnectX-4 Lx\"", ""),
        ("model = [\"connectx-3*\", \"connectx-?\"]", "12"),
        ("device_id = 0x1013", "12"),
        ("device_id = \"15B3:1013\"", "12"),
        ("device_id = [\"0x1015\"]", ""),
        ("psid = \"mt_*\"", "12"),
        ("psid = \"DEL*\"", ""),
        ("part_number = [\"MCX3*\", \"MCX416A-CCA?\"]", "12"),
        ("host = \"node17\"", "12"),
        ("host = \"NODE17.example.org\"", "12"),
        ("host = \"*.example.org\"", "12"),
        ("host = [\"node2*\", \"node18\"]", ""),
        ("interface = \"eth5\"", "2"),
        ("interface = \"eth*\"", "12"),
        ("interface = \"ETH5\"", ""),
        ("pci = \"04:00\"", "12"),
        ("pci = \"0000:04:00.1\"", "2"),
        ("pci = \"04:00.*\"", "12"),
        ("pci = \"0000:0?:*.0\"", "1"),
        ("pci = \"0001:04:00\"", ""),
        ("pci = [\"05:00.0\", \"04:00.0\"]", "1"),
        ("port = 2", "2"),
        ("port = [1, 2]", "12"),
        ("port = 2, interface = \"eth4\"", ""),
        (
            "port = 1, pci = \"04:00\", host = \"node*\", psid = \"*\"",
            "1",
        ),
    ] {
        let text = format!("[[section]]\nmatch = {{ {keys} }}\nsettings.BOOT_VLAN_EN = true\n");
        let desired = resolve(&text, "connectx-4").unwrap();
        let found: String = desired
            .entries
            .iter()
            .map(|entry| entry.port.to_string())
            .collect();
        assert_eq!(found, ports, "{keys}");
        assert_eq!(desired.notes, [], "{keys}");
    }
}

#[test]
fn both_ports_of_a_card_with_one_function_are_meant_by_its_address() {
    let text = "[[section]]\nmatch.pci = \"04:00.0\"\nsettings.BOOT_VLAN = 1\n";
    assert_eq!(wanted(text, "connectx-3").len(), 2);
}

#[test]
fn a_section_for_an_interface_may_hold_settings_of_its_card() {
    let text = "[[section]]\nmatch.interface = \"eth5\"\nsettings.SRIOV_EN = true\n";
    assert_eq!(
        wanted(text, "connectx-4"),
        ["SRIOV_EN of 0 is True(1), line 4"]
    );
    let text = "[[section]]\nmatch.interface = \"eth6\"\nsettings.SRIOV_EN = true\n";
    assert_eq!(wanted(text, "connectx-4").len(), 0);
}

#[test]
fn names_of_other_generations_are_understood() {
    let text = "[settings]\nBOOT_RETRY_CNT1 = 3\nBOOT_RETRY_CNT1_P2 = 4\n";
    for name in ["connectx-3", "connectx-4"] {
        assert_eq!(
            wanted(text, name),
            [
                "BOOT_RETRY_CNT of 1 is 3, line 3",
                "BOOT_RETRY_CNT of 2 is 4, line 4"
            ]
        );
    }
}

#[test]
fn what_a_generation_does_not_have_is_left_out_with_a_note() {
    let text = "[settings]\nBOOT_LINK_SPEED = 1\n[[section]]\nmatch.host = \"*\"\nsettings.BOOT_LINK_SPEED = 2\n";
    assert_eq!(wanted(text, "connectx-4").len(), 0);
    assert_eq!(
        notes(text, "connectx-4"),
        ["connectx-4 has no BOOT_LINK_SPEED, lines 3, 6"]
    );
    assert_eq!(
        wanted(text, "connectx-3"),
        [
            "BOOT_LINK_SPEED of 1 is 2, line 6",
            "BOOT_LINK_SPEED of 2 is 2, line 6"
        ]
    );
}

#[test]
fn facts_that_are_not_known_match_nothing_and_are_noted() {
    let section =
        |keys: &str| format!("[[section]]\nmatch = {{ {keys} }}\nsettings.BOOT_VLAN = 1\n");
    let text = section("serial = \"*\"");
    assert_eq!(wanted(&text, "connectx-4").len(), 0);
    assert_eq!(
        notes(&text, "connectx-4"),
        ["serial is not known, so the section that asks for it is left out: line 2"]
    );
    // Only where it would have mattered.
    assert_eq!(
        notes(&section("serial = \"*\", host = \"no\""), "connectx-4").len(),
        0
    );
    assert_eq!(
        notes(
            &section("serial = \"*\", model = \"connectx-3\""),
            "connectx-4"
        )
        .len(),
        0
    );
    assert_eq!(
        notes(&section("serial = \"MT*\"").repeat(7), "connectx-4"),
        [
            "serial is not known, so the sections that ask for it are left out: lines 2, 5, 8, 11, 14 and 2 more"
        ]
    );
    let profile = parse(&section("interface = \"eth4\"")).unwrap();
    let mut unnamed = card("connectx-4");
    for port in &mut unnamed.ports {
        port.interfaces.clear();
    }
    let desired = profile.resolve(&unnamed).unwrap();
    assert_eq!(
        desired.notes[0].to_string(),
        "interface is not known, so the section that asks for it is left out: line 2"
    );
}

#[test]
fn a_port_that_is_not_there_is_noted() {
    let profile = parse("settings.BOOT_VLAN_P2 = 1\n").unwrap();
    let mut single = card("connectx-4");
    single.ports.truncate(1);
    let desired = profile.resolve(&single).unwrap();
    assert!(desired.entries.is_empty());
    assert_eq!(desired.notes[0].to_string(), "there is no port 2, line 2");
}

#[test]
fn values_that_are_right_elsewhere_only_are_refused_for_the_card() {
    let text = "[settings]\nBOOT_PROTOCOL = \"Both\"\nBOOT_VLAN = 0\nLINK_TYPE = \"IB\"\n";
    assert!(resolve(text, "connectx-3").is_err());
    assert_eq!(
        resolve(text, "connectx-4-lx").unwrap_err().to_string(),
        "p.toml:3: 0000:04:00.0 (ConnectX-4 Lx): BOOT_PROTOCOL: \"Both\" is not allowed; \
         expected one of None(0), PXE(1), PXE_WO_FAIL(4)\n\
         p.toml:4: 0000:04:00.0 (ConnectX-4 Lx): BOOT_VLAN: 0 is not allowed; expected a number, 1 to 4094"
    );
    assert_eq!(
        resolve(text, "connectx-3").unwrap_err().to_string(),
        "p.toml:5: 0000:04:00.0 (ConnectX-3): LINK_TYPE can only be read"
    );
}
