//! What is refused, word by word.

use super::{parse_as, refused};

#[test]
fn syntax_errors_have_a_line_and_repeat_nothing() {
    assert_eq!(
        refused("[settings\nISCSI_CHAP_PWD = \"hush\"\n"),
        "p.toml:2: unclosed table, expected `]`"
    );
    let found = refused("[settings]\nISCSI_CHAP_PWD = \"hush\n");
    assert!(found.starts_with("p.toml:3: "), "{found}");
    assert!(!found.contains("hush"), "{found}");
    assert_eq!(
        parse_as("p.json", "{\n \"schema\": 1,\n}")
            .unwrap_err()
            .to_string(),
        "p.json:3: trailing comma"
    );
}

#[test]
fn the_version_of_the_format_is_asked_for() {
    for (text, expected) in [
        ("", "p.toml:1: `schema = 1` is missing"),
        (
            "\n schema = 2\nx = 1",
            "p.toml:2: schema is 2, only 1 is known",
        ),
        (
            "schema = \"1\"",
            "p.toml:1: schema: expected the integer 1, found a text",
        ),
    ] {
        let found = parse_as("p.toml", text).unwrap_err().to_string();
        assert_eq!(found, expected);
    }
}

#[test]
fn unknown_keys_are_answered_with_near_and_allowed_ones() {
    assert_eq!(
        refused("[setings]\n"),
        "p.toml:2: there is no key `setings` in a profile, did you mean `settings`? \
         allowed are schema, settings, section, $schema"
    );
    assert_eq!(
        refused("[[section]]\nmach = {}\n"),
        "p.toml:3: there is no key `mach` in a section, did you mean `match`? allowed are name, match, settings"
    );
    assert_eq!(
        refused("[[section]]\nmatch = { modle = \"connectx-4\", frob = 1 }\n"),
        "p.toml:3: there is no key `modle` in match, did you mean `model`? \
         allowed are model, device_id, psid, part_number, serial, pci, interface, host, port\n\
         p.toml:3: there is no key `frob` in match; \
         allowed are model, device_id, psid, part_number, serial, pci, interface, host, port"
    );
}

#[test]
fn tables_where_others_are_expected_are_refused() {
    for (text, expected) in [
        (
            "settings = 1",
            "p.toml:2: settings: expected a table, found an integer",
        ),
        (
            "section = {}",
            "p.toml:2: section: expected an array of tables, found a table",
        ),
        (
            "section = [1]",
            "p.toml:2: section: expected a table, found an integer",
        ),
        (
            "[[section]]\nname = 1\nmatch = []",
            "p.toml:3: name: expected a text, found an integer\n\
             p.toml:4: match: expected a table, found an array",
        ),
        (
            "[[section]]\nsettings = true",
            "p.toml:3: settings: expected a table, found a boolean",
        ),
    ] {
        assert_eq!(refused(text), expected, "{text}");
    }
}

#[test]
fn unknown_settings_are_answered_with_near_ones() {
    for (name, expected) in [
        (
            "BOOT_VLANN",
            "there is no setting BOOT_VLANN, did you mean `BOOT_VLAN` or `BOOT_VLAN_EN`?",
        ),
        (
            "BOOT_VLN_P2",
            "there is no setting BOOT_VLN_P2, did you mean `BOOT_VLAN_P2` or `BOOT_VLAN_EN_P2`?",
        ),
        ("FROBNICATE", "there is no setting FROBNICATE"),
        (
            "BOOT_VLAN_P3",
            "there is no setting BOOT_VLAN_P3, did you mean `BOOT_VLAN` or `BOOT_VLAN_EN`?",
        ),
    ] {
        let found = refused(&format!("[settings]\n\n{name} = 1\n"));
        assert_eq!(found, format!("p.toml:4: {expected}"));
    }
}

#[test]
fn values_of_a_wrong_kind_are_answered_with_what_is_expected() {
    for (text, expected) in [
        (
            "BOOT_VLAN_EN = \"yes\"",
            "BOOT_VLAN_EN: \"yes\" is not allowed; expected true or false",
        ),
        (
            "BOOT_VLAN_EN = 2",
            "BOOT_VLAN_EN: 2 is not allowed; expected true or false",
        ),
        (
            "BOOT_RETRY_CNT = true",
            "BOOT_RETRY_CNT: expected a number, 0 to 7, found a boolean",
        ),
        (
            "BOOT_RETRY_CNT = 3.5",
            "BOOT_RETRY_CNT: expected a number, 0 to 7, found a number with a fraction",
        ),
        (
            "BOOT_RETRY_CNT = [3]",
            "BOOT_RETRY_CNT: expected a number, 0 to 7, found an array",
        ),
        (
            "BOOT_RETRY_CNT = 2026-01-01",
            "BOOT_RETRY_CNT: expected a number, 0 to 7, found a date or time",
        ),
        (
            "BOOT_RETRY_CNT = {}",
            "BOOT_RETRY_CNT: expected a number, 0 to 7, found a table",
        ),
        (
            "LINK_TYPE = true",
            "LINK_TYPE: expected one of IB(1), ETH(2), found a boolean",
        ),
        (
            "ISCSI_NAME = 7",
            "ISCSI_NAME: expected a text: printable ASCII, at most 32 characters, found an integer",
        ),
    ] {
        assert_eq!(
            refused(&format!("[settings]\n{text}\n")),
            format!("p.toml:3: {expected}")
        );
    }
}

#[test]
fn values_out_of_range_are_answered_with_what_is_allowed() {
    for (text, expected) in [
        (
            "BOOT_RETRY_CNT = 8",
            "BOOT_RETRY_CNT: 8 is not allowed; expected a number, 0 to 7",
        ),
        (
            "BOOT_RETRY_CNT = -1",
            "BOOT_RETRY_CNT: -1 is not allowed; expected a number, 0 to 7",
        ),
        (
            "BOOT_RETRY_CNT = 0x1_0000_0000_0000",
            "BOOT_RETRY_CNT: 0x1000000000000 is not allowed; expected a number, 0 to 7",
        ),
        (
            "BOOT_RETRY_CNT1_P1 = \"many\"",
            "BOOT_RETRY_CNT1_P1: \"many\" is not allowed; expected a number, 0 to 7",
        ),
        (
            "BOOT_VLAN = 4096",
            "BOOT_VLAN: 4096 is not allowed; \
             expected a number, 0 to 4095 (on connectx-3); a number, 1 to 4094 (on connectx-4)",
        ),
        (
            "LINK_TYPE = \"USB\"",
            "LINK_TYPE: \"USB\" is not allowed; expected one of IB(1), ETH(2)",
        ),
        (
            "ISCSI_ADDRESS = \"192.0.2.256\"",
            "ISCSI_ADDRESS: \"192.0.2.256\" is not allowed; expected a text: an IPv4 address, or nothing",
        ),
    ] {
        assert_eq!(
            refused(&format!("[settings]\n{text}\n")),
            format!("p.toml:3: {expected}")
        );
    }
}

#[test]
fn all_mistakes_are_told_at_once_in_the_order_of_the_lines() {
    let text = "[[section]]\nmatch = { port = 3 }\nsettings = { BOOT_VLAN = -1 }\n\
                [settings]\nNO_SUCH = 1\nLINK_TYPE = 9\nROM_LEVEL = 2\n";
    assert_eq!(
        refused(text),
        "p.toml:3: match.port: 3 is not allowed; expected 1, 2 or an array of these\n\
         p.toml:4: BOOT_VLAN: -1 is not allowed; expected a number, 0 to 4095 (on connectx-3); \
         a number, 1 to 4094 (on connectx-4)\n\
         p.toml:6: there is no setting NO_SUCH\n\
         p.toml:7: LINK_TYPE: 9 is not allowed; expected one of IB(1), ETH(2)\n\
         p.toml:8: ROM_LEVEL can only be read"
    );
}

#[test]
fn json_has_lines_too() {
    let text = "{\n  \"schema\": 1,\n  \"settings\": {\n    \"BOOT_RETRY_CNT\": 8\n  },\n  \
                \"section\": [\n    {\n      \"match\": {\"port\": null},\n      \
                \"settings\": {\"LINK_TYPE\":\n 1.5}}\n  ]\n}\n";
    assert_eq!(
        parse_as("p.json", text).unwrap_err().to_string(),
        "p.json:4: BOOT_RETRY_CNT: 8 is not allowed; expected a number, 0 to 7\n\
         p.json:8: match.port: expected 1, 2 or an array of these, found null\n\
         p.json:9: LINK_TYPE: expected one of IB(1), ETH(2), found a number with a fraction"
    );
}

#[test]
fn matches_that_mean_nothing_are_refused() {
    for (text, expected) in [
        (
            "model = \"conectx-4\"",
            "match.model: \"conectx-4\" means no known model; \
             known are connectx-3, connectx-3-pro, connectx-4, connectx-4-lx",
        ),
        (
            "device_id = 0x1017",
            "match.device_id: 0x1017 means no known model; known are 0x1003 (ConnectX-3), \
             0x1007 (ConnectX-3 Pro), 0x1013 (ConnectX-4), 0x1015 (ConnectX-4 Lx)",
        ),
        (
            "device_id = [\"8086:1013\"]",
            "match.device_id: \"8086:1013\" is not allowed; \
             expected a PCI device id: \"15b3:1013\", \"0x1013\" or an integer",
        ),
        (
            "device_id = true",
            "match.device_id: expected a PCI device id: \"15b3:1013\", \"0x1013\" or an integer, found a boolean",
        ),
        (
            "model = \"connectx-4\", device_id = 0x1015",
            "match: no model has both this model and this device_id",
        ),
        (
            "pci = \"4\"",
            "match.pci: \"4\" is not allowed; expected [DDDD:]BB:DD[.F] in hexadecimal, with * and ?",
        ),
        (
            "pci = \"node*\"",
            "match.pci: \"node*\" is not allowed; expected [DDDD:]BB:DD[.F] in hexadecimal, with * and ?",
        ),
        (
            "port = []",
            "match.port: an empty array is not allowed; expected 1, 2 or an array of these",
        ),
        (
            "port = \"1\"",
            "match.port: expected 1, 2 or an array of these, found a text",
        ),
        (
            "host = \"\"",
            "match.host: an empty text is not allowed; expected a text or an array of texts",
        ),
        (
            "serial = [\"a\", 7]",
            "match.serial: expected a text or an array of texts, found an integer",
        ),
    ] {
        assert_eq!(
            refused(&format!("[[section]]\nmatch = {{ {text} }}\n")),
            format!("p.toml:3: {expected}")
        );
    }
}

#[test]
fn settings_that_the_models_of_a_section_do_not_have_are_refused() {
    for keys in [
        "model = \"ConnectX-4*\"",
        "device_id = [0x1013, \"15b3:1015\"]",
    ] {
        let text = format!("[[section]]\nmatch = {{ {keys} }}\nsettings.BOOT_LINK_SPEED = 1\n");
        assert_eq!(
            refused(&text),
            "p.toml:4: there is no setting BOOT_LINK_SPEED on ConnectX-4 or ConnectX-4 Lx, \
             which is all that this section is for"
        );
    }
    let text =
        "[[section]]\nmatch.model = \"connectx-3\"\nsettings.BOOT_PROTOCOL = \"PXE_WO_FAIL\"\n";
    assert_eq!(
        refused(text),
        "p.toml:4: BOOT_PROTOCOL: \"PXE_WO_FAIL\" is not allowed; expected one of None(0), PXE(1), Both(3)"
    );
    let text = "[[section]]\nmatch.model = \"connectx-3\"\nsettings.LINK_TYPE = \"IB\"\n";
    assert_eq!(refused(text), "p.toml:4: LINK_TYPE can only be read");
}

#[test]
fn settings_of_the_card_have_no_port() {
    let expected = "SRIOV_EN belongs to the whole card, not to a port";
    let text = "[[section]]\nmatch.port = 1\nsettings.SRIOV_EN = true\n";
    assert_eq!(refused(text), format!("p.toml:4: {expected}"));
    assert_eq!(
        refused("settings.SRIOV_EN_P2 = true\n"),
        "p.toml:2: SRIOV_EN_P2 belongs to the whole card, not to a port"
    );
    let text = "[[section]]\nmatch.port = 1\nsettings.BOOT_VLAN_P2 = 1\n";
    assert_eq!(
        refused(text),
        "p.toml:4: BOOT_VLAN_P2 is for port 2, this section is for port 1"
    );
}

#[test]
fn one_table_does_not_say_two_things() {
    let text = "[settings]\nBOOT_RETRY_CNT = 1\nboot_retry_cnt1 = 2\n";
    assert_eq!(
        refused(text),
        "p.toml:4: boot_retry_cnt1 and BOOT_RETRY_CNT on line 3 are the same setting"
    );
    let text = "[settings]\nBOOT_VLAN_P1 = 1\nboot_vlan_P1 = 2\n";
    assert_eq!(
        refused(text),
        "p.toml:4: boot_vlan_P1 and BOOT_VLAN_P1 on line 3 are the same setting"
    );
    assert!(super::parse("[settings]\nBOOT_RETRY_CNT = 1\nBOOT_RETRY_CNT1 = \"0x1\"\n").is_ok());
}
