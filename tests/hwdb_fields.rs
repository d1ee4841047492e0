//! Every field of every shipped settings file, with random values: what is put
//! comes back, nothing else changes, what is spelled is read, and no secret is
//! told.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use flexctl::hwdb::{
    Field, FieldValue, Hwdb, Limit, Place, Scope, TextFormat, TextPlace, Tlv, TlvClass,
};
use flexctl::sim::Shelf;
use proptest::prelude::*;
use proptest::sample::Index;

/// Every setting of every device.
fn settings(hwdb: &Hwdb) -> Vec<(&Tlv, &Field)> {
    // ConnectX-3 Pro and -4 Lx have the files of their elders.
    [0x1003, 0x1013]
        .into_iter()
        .flat_map(|device| hwdb.settings(hwdb.device(device).unwrap()).settings())
        .collect()
}

/// Random numbers from which a value of any field can be made.
#[derive(Clone, Debug)]
struct Seed {
    number: u32,
    index: Index,
    text: String,
    bytes: Vec<u8>,
}

fn seed() -> impl Strategy<Value = Seed> {
    (
        any::<u32>(),
        any::<Index>(),
        "[ -~]{256}",
        proptest::collection::vec(any::<u8>(), 256),
    )
        .prop_map(|(number, index, text, bytes)| Seed {
            number,
            index,
            text,
            bytes,
        })
}

fn legal_value(field: &Field, seed: &Seed) -> FieldValue {
    match &field.place {
        Place::Number { .. } if !field.values.is_empty() => {
            FieldValue::Number(seed.index.get(&field.values).value)
        }
        Place::Number { bits, .. } => {
            let (min, max) = field
                .range
                .map_or((0, bits.mask()), |range| (range.min, range.max));
            let span = u64::from(max - min) + 1;
            let above = u32::try_from(u64::from(seed.number) % span).unwrap();
            FieldValue::Number(min + above)
        }
        Place::Text(_) if !field.texts.is_empty() => {
            FieldValue::Text(seed.index.get(&field.texts).clone())
        }
        Place::Text(place) => legal_text(place, seed),
    }
}

fn legal_text(place: &TextPlace, seed: &Seed) -> FieldValue {
    let number = u128::from(seed.number);
    let longest = place.longest();
    let text = match place.format {
        TextFormat::Hex => return FieldValue::Bytes(seed.bytes[..place.length].to_vec()),
        TextFormat::Text => {
            let lengths = longest - place.shortest + 1;
            let length = place.shortest + seed.index.index(lengths);
            seed.text[..length].to_owned()
        }
        TextFormat::Ipv4 => Ipv4Addr::from(seed.number).to_string(),
        TextFormat::Ip => {
            let long = IpAddr::from(Ipv6Addr::from(number << 96 | number)).to_string();
            if long.len() <= longest {
                long
            } else {
                "::1".to_owned()
            }
        }
        TextFormat::Port => (seed.number % 65_535 + 1).to_string(),
        TextFormat::Decimal => {
            let digits = (u64::from(seed.number) << 20).to_string();
            digits[..digits.len().min(longest)].to_owned()
        }
    };
    FieldValue::Text(text)
}

/// The bits that a write of the field may change.
fn own_bits(tlv: &Tlv, field: &Field) -> Vec<u8> {
    let mut mask = vec![0; usize::from(tlv.length_bytes)];
    let mut set = |dword: usize, bits: u32| {
        for (byte, own) in mask[dword * 4..][..4].iter_mut().zip(bits.to_be_bytes()) {
            *byte |= own;
        }
    };
    if let Place::Number { dword, bits } = &field.place {
        set(*dword, bits.mask() << bits.1);
    }
    if let Some(valid) = &field.valid {
        set(valid.dword, 1 << valid.bit);
    }
    if let Place::Text(text) = &field.place {
        mask[text.offset..text.offset + text.length].fill(0xff);
    }
    mask
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, ..ProptestConfig::default() })]

    #[test]
    fn a_value_that_is_put_comes_back_and_nothing_else_changes(seed in seed(), noise in seed()) {
        let hwdb = Hwdb::builtin().unwrap();
        for (tlv, field) in settings(&hwdb) {
            let value = legal_value(field, &seed);
            prop_assert!(field.is_legal(&value), "{}: {value:?}", field.name);
            let before = noise.bytes[..usize::from(tlv.length_bytes)].to_vec();
            let mut after = before.clone();
            prop_assert_eq!(field.put(&mut after, &value), Some(()), "{}", field.name);
            prop_assert_eq!(field.get(&after), Some(value), "{}", field.name);
            prop_assert!(field.is_valid(&after), "{}", field.name);
            let masks = own_bits(tlv, field);
            for ((was, is), own) in before.iter().zip(&after).zip(masks) {
                prop_assert_eq!(was & !own, is & !own, "{}", field.name);
            }
        }
    }

    #[test]
    fn what_is_spelled_is_read_and_no_secret_is_told(seed in seed()) {
        let hwdb = Hwdb::builtin().unwrap();
        for (_, field) in settings(&hwdb) {
            let value = legal_value(field, &seed);
            let spelled = field.spell(&value);
            prop_assert_eq!(field.parse(&spelled), Ok(value.clone()), "{}", field.name);
            let said = field.describe(&value);
            if field.secret {
                prop_assert!(!said.contains(&spelled), "{}: {said}", field.name);
            } else {
                // Of many bytes the first ones are shown.
                let whole = value.to_string();
                let start = if said.ends_with(" bytes)") { &whole[..18] } else { &whole };
                prop_assert!(said.contains(start), "{}: {said}", field.name);
            }
        }
    }

    #[test]
    fn whatever_is_stored_is_read_without_harm(seed in seed(), length in 0..=256_usize) {
        let hwdb = Hwdb::builtin().unwrap();
        for (_, field) in settings(&hwdb) {
            let data = &seed.bytes[..length];
            let said = field.get(data).map(|value| field.describe(&value));
            if field.secret {
                let known = [None, Some("(hidden)"), Some("\"\"")];
                prop_assert!(known.contains(&said.as_deref()), "{}: {said:?}", field.name);
            }
        }
    }

    #[test]
    fn a_refused_secret_is_not_repeated(text in "[ -~]{17,40}") {
        let hwdb = Hwdb::builtin().unwrap();
        for (_, field) in settings(&hwdb) {
            if field.secret {
                let refused = field.parse(&text).unwrap_err();
                prop_assert!(!refused.to_string().contains(&text), "{}", field.name);
            }
        }
    }
}

#[test]
fn no_field_is_outside_of_its_tlv() {
    let hwdb = Hwdb::builtin().unwrap();
    for (tlv, field) in settings(&hwdb) {
        let end = match &field.place {
            Place::Number { dword, bits } => {
                assert!(bits.0 < 32 && bits.1 <= bits.0, "{}", field.name);
                dword * 4 + 4
            }
            Place::Text(text) => text.offset + text.length,
        };
        assert!(end <= usize::from(tlv.length_bytes), "{}", field.name);
    }
}

fn named<'a>(hwdb: &'a Hwdb, device: u16, name: &str) -> &'a Field {
    let file = hwdb.settings(hwdb.device(device).unwrap());
    file.setting(name).unwrap().1
}

#[test]
fn passwords_are_secrets() {
    let hwdb = Hwdb::builtin().unwrap();
    let mut found = 0;
    for (_, field) in settings(&hwdb) {
        let is_password = field.name.ends_with("PASSWORD");
        assert_eq!(field.secret, is_password, "{}", field.name);
        found += usize::from(is_password);
    }
    assert_eq!(found, 5);
}

#[test]
fn texts_are_taken_as_people_write_them() {
    let hwdb = Hwdb::builtin().unwrap();
    let text = |text: &str| Ok(FieldValue::Text(text.to_owned()));
    let connect = named(&hwdb, 0x1013, "ISCSI_FIRST_TARGET_CONNECT");
    assert_eq!(connect.parse("enabled"), text("Enabled"));
    assert_eq!(connect.parse(""), text(""));
    let refused = connect.parse("yes").unwrap_err().to_string();
    assert!(refused.contains("Enabled, Disabled"), "{refused}");

    let port = named(&hwdb, 0x1013, "ISCSI_FIRST_TARGET_PORT");
    assert_eq!(port.parse("3260"), text("3260"));
    assert!(port.parse("0").is_err());
    assert!(port.parse("65536").is_err());

    let lun = named(&hwdb, 0x1013, "ISCSI_FIRST_TARGET_LUN");
    assert_eq!(lun.parse("0"), text("0"));
    assert!(lun.parse("+1").is_err());
    assert!(lun.parse("18446744073709551616").is_err());
    // FlexBoot of ConnectX-3 has room for four bytes, one of them a zero.
    let lun = named(&hwdb, 0x1003, "ISCSI_FIRST_TARGET_LUN");
    assert_eq!(lun.parse("255"), text("255"));
    assert!(lun.parse("1000").is_err());

    let address = named(&hwdb, 0x1013, "ISCSI_INITIATOR_IP_ADDR");
    assert_eq!(address.parse("192.0.2.1"), text("192.0.2.1"));
    assert!(address.parse("2001:db8::1").is_err());

    let secret = named(&hwdb, 0x1003, "ISCSI_FIRST_TARGET_CHAP_PASSWORD");
    assert_eq!(secret.parse("twelve chars"), text("twelve chars"));
    assert!(secret.parse("too short").is_err());
    let name = named(&hwdb, 0x1013, "ISCSI_INITIATOR_NAME");
    assert!(name.parse(&"n".repeat(223)).is_ok());
    assert!(name.parse(&"n".repeat(224)).is_err());
}

#[test]
fn the_number_of_functions_counts_the_physical_one() {
    let hwdb = Hwdb::builtin().unwrap();
    let limit = named(&hwdb, 0x1003, "NUM_OF_VFS").limit.clone().unwrap();
    assert!(matches!(limit, Limit::DevCap { .. }));
    // mstflint 4.21: 0 stands for all 128 functions.
    assert_eq!([0, 1, 64].map(|said| limit.highest(said)), [127, 0, 63]);
    let limit = named(&hwdb, 0x1013, "NUM_OF_VFS").limit.clone().unwrap();
    assert_eq!(limit.highest(64), 64);
}

#[test]
fn the_virtual_cards_know_every_setting() {
    let hwdb = Hwdb::builtin().unwrap();
    for (device, profile) in [
        (0x1003, "connectx-3-everything"),
        (0x1013, "connectx-4-everything"),
    ] {
        let card = Shelf::memory().card(profile).unwrap();
        for tlv in &hwdb.settings(hwdb.device(device).unwrap()).tlv {
            let class = match tlv.class {
                None | Some(TlvClass::Global) => 0,
                Some(TlvClass::Port) => 0x0101_0000,
                Some(TlvClass::Host) => 0x0300_0000,
                Some(TlvClass::Pci) => 0x0700_0000,
            };
            let of_port = tlv.class.is_none() && tlv.scope == Scope::Port;
            let data = vec![0; usize::from(tlv.length_bytes)];
            card.seed_tlv(0, class | tlv.tlv_type, u8::from(of_port), &data)
                .unwrap();
        }
    }
}
