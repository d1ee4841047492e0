//! What is exported reads back.

use proptest::prelude::*;

use super::{HWDB, beside, card, parse_as};
use crate::hwdb::{Access, Field, FieldValue, Place, Scope, SettingsFile, TextFormat};
use crate::settings::profile::{
    CardFacts, ExportedCard, ExportedSetting, Profile, ProfileText, Secrets, Syntax, to_toml,
};

fn exported<'a>(
    settings: &'a SettingsFile,
    name: &str,
    port: u8,
    value: impl Into<FieldValue>,
) -> ExportedSetting<'a> {
    let (tlv, field) = settings.setting(name).unwrap();
    ExportedSetting {
        port,
        tlv,
        field,
        value: value.into(),
    }
}

fn text(text: &str) -> FieldValue {
    FieldValue::Text(text.to_owned())
}

#[test]
fn an_export_is_a_profile_that_people_can_read() {
    let settings = card("connectx-4").settings;
    let values = vec![
        exported(settings, "SRIOV_EN", 0, 1),
        exported(settings, "BOOT_PROTOCOL", 1, 1),
        exported(settings, "BOOT_VLAN", 1, 7),
        exported(settings, "ROM_LEVEL", 1, 3),
        exported(settings, "LINK_TYPE", 1, 3),
        exported(settings, "ISCSI_NAME", 1, text("a \"b\"\\")),
        exported(settings, "ISCSI_CHAP_PWD", 1, text("hush")),
        exported(settings, "BOOT_PROTOCOL", 2, 1),
        exported(settings, "BOOT_VLAN", 2, 8),
    ];
    let whole = ExportedCard {
        name: None,
        matching: Vec::new(),
        ports: 2,
        settings: values,
    };
    let expected = r#"# a card
#
# of today
schema = 1

[settings]
# of the card
SRIOV_EN = true
# names
BOOT_PROTOCOL = "PXE"
# a number
BOOT_VLAN_P1 = 7
BOOT_VLAN_P2 = 8
# read everywhere
# ROM_LEVEL_P1 = 3 (only read)
# names
# LINK_TYPE_P1 = 3 (which no source defines)
# a text
ISCSI_NAME_P1 = 'a "b"\'
# a secret
# ISCSI_CHAP_PWD_P1 is a secret and left out
"#;
    let header = "a card\n\nof today";
    let cards = [whole];
    assert_eq!(to_toml(header, &cards, Secrets::LeaveOut), expected);
    let with_secrets = to_toml(header, &cards, Secrets::Write);
    assert!(
        with_secrets.contains("\nISCSI_CHAP_PWD_P1 = \"hush\"\n"),
        "{with_secrets}"
    );
    let part = ExportedCard {
        name: Some("the \"first\"".to_owned()),
        matching: vec![("serial", "MT1".to_owned()), ("pci", "04:00".to_owned())],
        ports: 1,
        settings: vec![exported(settings, "BOOT_VLAN", 1, 7)],
    };
    assert_eq!(
        to_toml("", &[part], Secrets::LeaveOut),
        "schema = 1\n\n[[section]]\nname = 'the \"first\"'\n\
         match = { serial = \"MT1\", pci = \"04:00\" }\n[section.settings]\n# a number\nBOOT_VLAN = 7\n"
    );
}

/// A legal value, made of random numbers and letters.
fn legal(field: &Field, number: u32, letters: &str) -> FieldValue {
    let value = match &field.place {
        Place::Number { .. } if !field.values.is_empty() => {
            let at = number as usize % field.values.len();
            FieldValue::Number(field.values[at].value)
        }
        Place::Number { bits, .. } => {
            let (min, max) = field
                .range
                .map_or((0, bits.mask()), |range| (range.min, range.max));
            let count = u64::from(max - min) + 1;
            FieldValue::Number(min + u32::try_from(u64::from(number) % count).unwrap())
        }
        Place::Text(_) if !field.texts.is_empty() => {
            text(&field.texts[number as usize % field.texts.len()])
        }
        Place::Text(place) => match place.format {
            TextFormat::Text => {
                let filled = format!("{letters:x<width$}", width = place.shortest);
                text(&filled[..filled.len().min(place.longest())])
            }
            TextFormat::Ipv4 | TextFormat::Ip => {
                text(&std::net::Ipv4Addr::from(number).to_string())
            }
            TextFormat::Decimal => text(&(number % 100).to_string()),
            TextFormat::Port => text(&(number % 65535 + 1).to_string()),
            TextFormat::Hex => {
                let bytes = letters.bytes().take(place.length);
                FieldValue::Bytes(bytes.collect())
            }
        },
    };
    assert!(field.is_legal(&value), "{} {value:?}", field.name);
    value
}

fn reads_back(card: &CardFacts<'_>, hwdb: &crate::hwdb::Hwdb, random: &[(u32, String)]) {
    let mut values = Vec::new();
    let mut random = random.iter().cycle();
    let mut wanted = Vec::new();
    for port in 0..=2 {
        for (tlv, field) in card.settings.settings() {
            let is_here = (tlv.scope == Scope::Card) == (port == 0);
            let (number, letters) = random.next().unwrap();
            // Some are the same on both ports.
            let is_left_out = number % 5 == 0;
            if tlv.access == Access::ReadOnly || !is_here || is_left_out {
                continue;
            }
            let value = legal(field, number % 3, letters);
            wanted.push((port, field.name.clone(), value.clone()));
            values.push(ExportedSetting {
                port,
                tlv,
                field,
                value,
            });
        }
    }
    let exported = ExportedCard {
        name: Some("\u{e9}\t\"'\\\n".to_owned()),
        matching: vec![("host", card.host.clone())],
        ports: 2,
        settings: values,
    };
    let text = to_toml("header\n\u{7}\r\n", &[exported], Secrets::Write);
    let source = ProfileText {
        path: "p.toml".as_ref(),
        syntax: Syntax::Toml,
        text: &text,
    };
    let profile = Profile::parse(&source, hwdb, &beside);
    let profile = profile.unwrap_or_else(|error| panic!("{error}\n{text}"));
    let desired = profile.resolve(card).unwrap();
    assert_eq!(desired.notes, []);
    let found: Vec<_> = desired
        .entries
        .into_iter()
        .map(|entry| (entry.port, entry.setting, entry.value))
        .collect();
    assert_eq!(found, wanted, "{text}");
}

proptest! {
    #[test]
    fn what_is_exported_reads_back(
        random in prop::collection::vec((any::<u32>(), "[ -~]{0,40}"), 1..40),
    ) {
        let builtin = crate::hwdb::Hwdb::builtin().unwrap();
        for name in ["connectx-3", "connectx-4"] {
            reads_back(&card(name), &HWDB, &random);
            let device = builtin.devices().iter().find(|device| device.name == name);
            let card = CardFacts { settings: builtin.settings(device.unwrap()), ..card(name) };
            reads_back(&card, &builtin, &random);
        }
    }
}

#[test]
fn an_export_of_nothing_is_a_profile() {
    let text = to_toml("nothing", &[ExportedCard::default()], Secrets::LeaveOut);
    let profile = parse_as("p.toml", &text).unwrap();
    let desired = profile.resolve(&card("connectx-3")).unwrap();
    assert!(desired.entries.is_empty());
}
