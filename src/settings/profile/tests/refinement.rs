//! Which section goes before which, and what is a contradiction.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use super::{card, parse, resolve, wanted};

/// A section that sets BOOT_VLAN.
fn section(keys: &str, vlan: u16) -> String {
    format!("[[section]]\nmatch = {{ {keys} }}\nsettings.BOOT_VLAN = {vlan}\n")
}

/// BOOT_VLAN of both ports, or `!` for a contradiction.
fn vlans(text: &str) -> String {
    match resolve(text, "connectx-4") {
        Ok(desired) => {
            let values = desired.entries.iter();
            let words: Vec<String> = values.map(|entry| entry.value.to_string()).collect();
            words.join(" ")
        }
        Err(_) => "!".to_owned(),
    }
}

#[test]
fn a_later_narrower_section_goes_before_an_earlier_one() {
    for (earlier, later, expected) in [
        // More keys.
        ("", "port = 1", "2 1"),
        (
            "model = \"connectx-4\"",
            "model = \"connectx-4\", port = 2",
            "1 2",
        ),
        (
            "host = \"node1*\"",
            "host = \"node1*\", psid = \"MT*\"",
            "2 2",
        ),
        // Values inside of the earlier ones.
        ("host = \"node1*\"", "host = \"node17\"", "2 2"),
        ("host = \"node*\"", "host = \"node1*\"", "2 2"),
        ("host = \"*.org\"", "host = \"node17.example.org\"", "2 2"),
        (
            "host = [\"node17\", \"node18\"]",
            "host = [\"node17\"]",
            "2 2",
        ),
        ("port = [1, 2]", "port = 2", "1 2"),
        ("model = \"connectx-4*\"", "model = \"ConnectX-4\"", "2 2"),
        ("model = \"connectx-*\"", "model = \"connectx-4*\"", "2 2"),
        (
            "device_id = [0x1013, 0x1015]",
            "device_id = \"15b3:1013\"",
            "2 2",
        ),
        ("pci = \"04:00\"", "pci = \"0000:04:00.1\"", "1 2"),
        ("pci = \"04:*\"", "pci = \"04:00\"", "2 2"),
        ("pci = \"0*:00.?\"", "pci = \"04:00.0\"", "2 1"),
        ("interface = \"eth*\"", "interface = [\"eth5\"]", "1 2"),
    ] {
        let text = section(earlier, 1) + &section(later, 2);
        assert_eq!(vlans(&text), expected, "{earlier} / {later}");
        // The other way round the wider one comes later.
        let text = section(later, 2) + &section(earlier, 1);
        assert_eq!(vlans(&text), "!", "{later} / {earlier}");
    }
}

#[test]
fn sections_that_only_overlap_contradict_each_other() {
    for (earlier, later) in [
        ("", ""),
        ("port = 1", "port = 1"),
        ("host = \"node1*\"", "port = 1"),
        ("host = \"node1*\"", "host = \"*7\""),
        ("host = \"node1*\"", "port = 1, model = \"connectx-4\""),
        ("model = \"connectx-4\"", "model = \"ConnectX-4\""),
        ("model = \"connectx-4\"", "device_id = 0x1013"),
        (
            "host = [\"node17\"]",
            "host = [\"node17\", \"node18\"], port = 1",
        ),
        ("psid = \"MT_2120110027\"", "psid = \"mt_2120110027\""),
        ("pci = \"04:00.0\"", "pci = \"04:00\""),
    ] {
        let text = section(earlier, 1) + &section(later, 2);
        assert_eq!(vlans(&text), "!", "{earlier} / {later}");
        let text = section(earlier, 1) + &section(later, 1);
        assert_ne!(vlans(&text), "!", "the same value: {earlier} / {later}");
    }
}

#[test]
fn sections_for_different_cards_and_ports_do_not_meet() {
    let text = section("port = 1", 1) + &section("port = 2", 2);
    assert_eq!(vlans(&text), "1 2");
    let text = section("host = \"node17\"", 1) + &section("host = \"node18\"", 2);
    assert_eq!(vlans(&text), "1 1");
}

#[test]
fn the_settings_for_all_are_refined_by_every_section() {
    let text = format!("settings.BOOT_VLAN = 9\n{}", section("", 1));
    assert_eq!(vlans(&text), "1 1");
    let text = format!("settings.BOOT_VLAN_P1 = 9\n{}", section("", 1));
    assert_eq!(vlans(&text), "1 1");
    // They come first wherever they stand.
    let text = section("port = 2", 1) + "[settings]\nBOOT_VLAN = 9\n";
    assert_eq!(vlans(&text), "9 1");
}

#[test]
fn a_name_with_a_port_refines_the_one_without_it() {
    let text = "[settings]\nBOOT_VLAN_P2 = 8\nBOOT_VLAN = 7\n";
    assert_eq!(vlans(text), "7 8");
    let text =
        "[[section]]\nmatch.port = [1, 2]\n[section.settings]\nBOOT_VLAN = 7\nBOOT_VLAN_P1 = 8\n";
    assert_eq!(vlans(text), "8 7");
    let text = "[[section]]\nmatch.port = 1\n[section.settings]\nBOOT_VLAN = 7\nBOOT_VLAN_P1 = 8\n";
    assert_eq!(vlans(text), "8");
    // Also across sections, where it is a key more.
    let text = section("host = \"node*\"", 1)
        + "[[section]]\nmatch.host = \"node*\"\nsettings.BOOT_VLAN_P2 = 2\n";
    assert_eq!(vlans(&text), "1 2");
    let text = "[[section]]\nmatch.host = \"node*\"\nsettings.BOOT_VLAN_P2 = 2\n".to_owned()
        + &section("host = \"node17\"", 1);
    assert_eq!(vlans(&text), "!");
}

#[test]
fn a_third_section_has_to_go_before_all_that_still_hold() {
    let wide = section("host = \"node*\"", 1);
    let model = section("host = \"node*\", model = \"connectx-4\"", 2);
    let port = section("host = \"node*\", port = 1", 3);
    let both = section("host = \"node*\", model = \"connectx-4\", port = 1", 3);
    assert_eq!(vlans(&(wide.clone() + &model + &both)), "3 2");
    // Narrower than the first, but not than the second.
    assert_eq!(vlans(&(wide.clone() + &model + &port)), "!");
    // What says the same as the wide one still stands in the way.
    let same = section("host = \"node*\", model = \"connectx-4\"", 1);
    assert_eq!(vlans(&(wide.clone() + &same + &port)), "!");
    assert_eq!(vlans(&(wide + &same + &both)), "3 1");
}

#[test]
fn a_contradiction_names_both_lines_and_what_to_do() {
    let text = "[[section]]\nname = \"rack 7\"\nmatch.host = \"node1*\"\nsettings.LINK_TYPE = \"IB\"\n\
                [[section]]\nmatch.port = 1\nsettings.LINK_TYPE = \"ETH\"\n";
    assert_eq!(
        resolve(text, "connectx-4").unwrap_err().to_string(),
        "p.toml:8: 0000:04:00.0 (ConnectX-4): LINK_TYPE of port 1 is ETH(2) in section 2 \
         but IB(1) in section `rack 7` (p.toml:5); to go before section `rack 7`, the match of section 2 \
         has to name all of its keys, and one more or fewer values"
    );
    let text = "[[section]]\nmatch.pci = \"04:00.0\"\nsettings.SRIOV_EN = true\n\
                [[section]]\nmatch.pci = \"04:00.1\"\nsettings.SRIOV_EN = false\n";
    let found = resolve(text, "connectx-4").unwrap_err().to_string();
    assert!(
        found.starts_with(
            "p.toml:7: 0000:04:00.0 (ConnectX-4): SRIOV_EN of the card is False(0) in section 2 \
             but True(1) in section 1 (p.toml:4); "
        ),
        "{found}"
    );
    let text = section("port = 1", 1) + &section("", 2);
    assert_eq!(
        resolve(&text, "connectx-4").unwrap_err().to_string(),
        "p.toml:7: 0000:04:00.0 (ConnectX-4): BOOT_VLAN of port 1 is 2 in section 2 \
         but 1 in section 1 (p.toml:4); section 1 is the narrower one: put it after section 2"
    );
    let three = section("", 1) + &section("", 2) + &section("", 3);
    let error = resolve(&three, "connectx-4").unwrap_err();
    assert_eq!(
        error.findings().len(),
        4,
        "two ports, two contradictions each: {error}"
    );
}

#[test]
fn an_entry_names_the_line_that_decides() {
    let text = section("", 1) + &section("port = 2", 2) + &section("host = \"*\"", 1);
    let found = resolve(&text, "connectx-4");
    assert!(found.is_err());
    let text = section("", 1) + &section("port = 2", 2);
    assert_eq!(
        wanted(&text, "connectx-4"),
        ["BOOT_VLAN of 1 is 1, line 4", "BOOT_VLAN of 2 is 2, line 7"]
    );
}

#[test]
fn ten_thousand_sections_are_resolved_while_one_waits() {
    let mut text = "settings.BOOT_VLAN = 1\n".to_owned();
    for number in 0..10_000 {
        let vlan = 2 + number % 7;
        writeln!(
            text,
            "[[section]]\nname = \"n{number}\"\n\
             match = {{ host = [\"node{number}\", \"n{number}-*\"], model = \"connectx-4*\" }}\n\
             settings = {{ BOOT_VLAN = {vlan}, BOOT_VLAN_EN = true }}"
        )
        .unwrap();
    }
    let same = "[[section]]\nmatch.host = \"node1*\"\nsettings.BOOT_RETRY_CNT = 1\n".repeat(10_000);
    text.push_str(&same);
    let begun = Instant::now();
    let profile = parse(&text).unwrap();
    let parsed = begun.elapsed();
    let card = card("connectx-4");
    let desired = profile.resolve(&card).unwrap();
    let resolved = begun.elapsed() - parsed;
    assert_eq!(desired.entries.len(), 6);
    assert!(parsed < Duration::from_secs(5), "parsed in {parsed:?}");
    assert!(
        resolved < Duration::from_millis(500),
        "resolved in {resolved:?}"
    );
}
