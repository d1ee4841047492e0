//! Every register on the generation that has it, and on the one that has not.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use flexctl::access::{self, Patience};
use flexctl::command::register::{
    Mfrl, Mgir, Mnva, MnvaKey, Mnvda, Mnvdi, Mnvgc, Mnvgn, Mnvia, Mnvqc, Mqis, MqisInfo, TypeDword,
    Which,
};
use flexctl::command::{CommandError, Firmware, Status};
use flexctl::hwdb::Hwdb;
use flexctl::sim::{Card, Shelf};

const IP_VER: TypeDword = TypeDword(0x0300_0195);
const IP_VER_P1: MnvaKey = MnvaKey {
    tlv_type: 0x2001,
    type_mod: 1,
};

fn open(profile: &str) -> (Card, Firmware) {
    let hwdb = Hwdb::builtin().unwrap();
    let card = Shelf::memory().card(profile).unwrap();
    let info = &card.infos()[0];
    let device = hwdb.device(info.device).unwrap();
    let function = card.function(info.address).unwrap();
    let gateway = access::open(device, function, &Patience::default()).unwrap();
    (card.clone(), Firmware::new(device, gateway))
}

#[test]
fn both_generations_say_what_they_are() {
    // Firmware and PSID as the owners of such cards published them.
    for (profile, version, psid) in [
        ("connectx-3", [2, 42, 5000], "MT_1090120019"),
        ("connectx-4", [12, 28, 2006], "MT_2190110032"),
    ] {
        let (_card, mut firmware) = open(profile);
        let identity = firmware.session().unwrap().get(&Mgir::default()).unwrap();
        assert_eq!(identity.fw_version, version, "{profile}");
        assert_eq!(identity.psid, psid, "{profile}");
    }
}

#[test]
fn a_connectx_4_tlv_is_stored_read_and_deleted() {
    let (card, mut firmware) = open("connectx-4-factory");
    let mut session = firmware.session().unwrap();
    let ask = |which| Mnvda::ask(IP_VER, which, 4);
    let unset = session.get(&ask(Which::Next)).unwrap_err();
    assert_eq!(unset.status(), Some(Status::ResourceNotAvailable));
    session
        .set(&Mnvda::store(IP_VER, vec![0, 0, 1, 7]))
        .unwrap();
    assert_eq!(session.get(&ask(Which::Next)).unwrap().data(), [0, 0, 1, 7]);
    assert_eq!(card.tlv(0, IP_VER.0, 0), Some(vec![0, 0, 1, 7]));
    session.set(&Mnvdi { tlv_type: IP_VER }).unwrap();
    assert_eq!(card.tlv(0, IP_VER.0, 0), None);
}

#[test]
fn a_connectx_4_offers_defaults_current_values_and_versions() {
    let (_card, mut firmware) = open("connectx-4");
    let mut session = firmware.session().unwrap();
    let offers = session.get(&Mnvgc::new()).unwrap();
    assert!(offers.default_supported() && offers.current_supported());
    let capabilities = session.get(&Mnvqc::ask(IP_VER)).unwrap();
    assert!(capabilities.readable && capabilities.writable);
    let name = session.get(&Mqis::ask(MqisInfo::DeviceName, 0)).unwrap();
    assert!(name.info_length > 8 && name.data.len() == 8, "{name:?}");
}

#[test]
fn a_walk_meets_everything_that_is_set() {
    let (card, mut firmware) = open("connectx-4");
    let mut session = firmware.session().unwrap();
    session
        .set(&Mnvda::store(IP_VER, vec![0, 0, 1, 7]))
        .unwrap();
    let mut met = Vec::new();
    let mut ask = Mnvgn::first();
    loop {
        let step = session.get(&ask).unwrap();
        if step.is_end() {
            break;
        }
        let whole = session
            .get(&Mnvda::ask(
                step.tlv_type(),
                Which::Next,
                step.length_bytes(),
            ))
            .unwrap();
        assert_eq!(whole.header(), step.header());
        met.push((step.tlv_type().0, step.header().writer_id));
        ask = step.next();
    }
    let own = |setting: &flexctl::sim::StoredSetting| setting.place.to_string() != "function1";
    let set: Vec<u32> = card
        .settings()
        .iter()
        .filter(|setting| own(setting))
        .map(|setting| setting.kind)
        .collect();
    let kinds: Vec<u32> = met.iter().map(|(kind, _)| *kind).collect();
    assert_eq!(kinds, set);
    // What flexctl wrote says so, what the card came with does not.
    assert!(met.contains(&(IP_VER.0, 9)) && met.contains(&(0x0300_0221, 0)));
}

#[test]
fn a_walk_over_nothing_is_answered_with_a_status() {
    let (_card, mut firmware) = open("connectx-4-factory");
    let nothing = firmware.session().unwrap().get(&Mnvgn::first());
    assert_eq!(
        nothing.unwrap_err().status(),
        Some(Status::ResourceNotAvailable)
    );
}

#[test]
fn erasing_everything_works_by_its_own_number_on_each_generation() {
    let (card, mut firmware) = open("connectx-3");
    assert_ne!(card.settings(), []);
    firmware.session().unwrap().set(&Mnvia).unwrap();
    assert_eq!(card.settings(), []);
    let (card, mut firmware) = open("connectx-4");
    assert_ne!(card.settings(), []);
    firmware.session().unwrap().set(&Mnvia).unwrap();
    assert_eq!(card.settings(), []);
}

#[test]
fn the_reset_register_takes_the_one_harmless_value() {
    let (_card, mut firmware) = open("connectx-4");
    // The card refuses every trigger but the warm reboot of type 0.
    firmware.session().unwrap().set(&Mfrl).unwrap();
}

#[test]
fn what_a_generation_lacks_is_never_sent() {
    let (card, mut firmware) = open("connectx-3");
    let mut session = firmware.session().unwrap();
    let commands = card.counters().commands;
    for refused in [
        session.set(&Mfrl).unwrap_err(),
        session.set(&Mnvdi { tlv_type: IP_VER }).unwrap_err(),
        session.get(&Mnvgc::new()).unwrap_err(),
        session.get(&Mnvgn::first()).unwrap_err(),
        session.get(&Mnvqc::ask(IP_VER)).unwrap_err(),
    ] {
        assert!(
            matches!(refused, CommandError::NotOnThisGeneration { .. }),
            "{refused}"
        );
    }
    assert_eq!(card.counters().commands, commands);

    let (card, mut firmware) = open("connectx-4");
    let mut session = firmware.session().unwrap();
    let commands = card.counters().commands;
    for refused in [
        session.get(&Mnva::ask(IP_VER_P1, 4)).unwrap_err(),
        session.query_dev_cap().unwrap_err(),
        session.query_def_params_global().unwrap_err(),
    ] {
        assert!(
            matches!(refused, CommandError::NotOnThisGeneration { .. }),
            "{refused}"
        );
    }
    assert_eq!(card.counters().commands, commands);
}

#[test]
fn a_connectx_3_says_its_defaults_and_what_it_can_do() {
    let (_card, mut firmware) = open("connectx-3-factory");
    let mut session = firmware.session().unwrap();
    assert!(
        session.query_def_params_global().unwrap().bit(1, 21),
        "boot_ip_ver"
    );
    let port = session.query_def_params_port(1).unwrap();
    // Option ROM on (bit 29), boot protocol PXE (19:16).
    let dword = port.dword(1).unwrap();
    assert_eq!((dword >> 29 & 1, dword >> 16 & 0xf), (1, 1));
    let capabilities = session.query_dev_cap().unwrap();
    assert!(capabilities.bit(0xc0, 0), "SR-IOV");
    // 126 virtual functions and the physical one.
    assert_eq!(capabilities.dword(0x38).unwrap() & 0xff, 127);
    let unset = session.get(&Mnva::ask(IP_VER_P1, 4)).unwrap_err();
    assert_eq!(unset.status(), Some(Status::ResourceNotAvailable));
}
