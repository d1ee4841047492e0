//! Whatever stands in a profile, it is read or refused.

use proptest::prelude::*;

use super::{card, parse_as};

/// Pieces that profiles are made of, in any order.
fn pieces() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "schema = 1\n",
        "[settings]\n",
        "[[section]]\n",
        "[section.settings]\n",
        "match = ",
        "name = ",
        "{ ",
        " }",
        "[",
        "]",
        "= ",
        ", ",
        "\n",
        "port = 1",
        "host = \"a*\"",
        "model = \"connectx-4\"",
        "BOOT_VLAN = 7\n",
        "BOOT_VLAN_P1 = 8\n",
        "LINK_TYPE = \"IB\"\n",
        "true",
        "-1",
        "0x10",
        "1.5",
        "\"",
        "'",
        "\\u0000",
        "\\",
        "{ file = \"chap.txt\" }",
        "ISCSI_NAME = ",
        "\"schema\": 1",
        ": ",
        "\"settings\": {",
        "\"section\": [",
        "\"match\": {",
        "\"port\": ",
        "\u{feff}",
        "é",
        "null",
        "\r\n",
    ]);
    prop::collection::vec(piece, 0..24).prop_map(|pieces| pieces.concat())
}

fn try_it(text: &str) {
    for name in ["p.toml", "p.json"] {
        match parse_as(name, text) {
            Ok(profile) => {
                let _ = profile.resolve(&card("connectx-4"));
            }
            Err(error) => {
                let lines = text.lines().count().max(1) + 1;
                for finding in error.findings() {
                    assert!(
                        (1..=lines).contains(&finding.at.line),
                        "{error} in {text:?}"
                    );
                }
                assert!(!error.findings().is_empty());
            }
        }
    }
}

proptest! {
    #[test]
    fn any_text_is_read_or_refused(text in "\\PC{0,80}") {
        try_it(&text);
    }

    #[test]
    fn any_pieces_are_read_or_refused(text in pieces()) {
        try_it(&text);
        try_it(&format!("schema = 1\n{text}"));
        try_it(&format!("{{\"schema\": 1, {text}}}"));
    }
}

#[test]
fn deep_nesting_is_refused() {
    for text in [
        "[".repeat(100_000),
        "{\"a\":".repeat(100_000),
        format!("a = {}", "[".repeat(100_000)),
    ] {
        try_it(&text);
    }
}
