//! Which card it is: firmware and Vital Product Data together, and the same as
//! Debian's lspci shows.
#![cfg(feature = "cli")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod ring;

use std::fs;

use flexctl::access::Patience;
use flexctl::device::{CardIdentity, CardReading, OpenCard, Sameness, Selector, select};
use flexctl::hwdb::Hwdb;
use flexctl::pci::{SysfsRoot, Vpd};
use flexctl::settings::{Detail, Wanted};
use flexctl::sim::fuse::{Guard, RunOptions, run};
use flexctl::sim::{Card, Shelf};

fn open(shelf: &Shelf, name: &str) -> OpenCard {
    let hwdb = Hwdb::builtin().unwrap();
    // Nothing of this host matters for a virtual card.
    let root = SysfsRoot::new("/nonexistent");
    let cards = select(&root, &hwdb, shelf, &[Selector::Sim(name.to_owned())]).unwrap();
    OpenCard::open(&cards[0], &hwdb, &root, shelf, &Patience::default()).unwrap()
}

fn identify(name: &str) -> (CardIdentity, CardReading) {
    let shelf = Shelf::memory();
    let mut card = open(&shelf, name);
    let mut reading = card
        .read(Detail::ForChange, Wanted::Holding(&["IP_VER"]))
        .unwrap();
    assert_eq!(reading.serial_number, None, "nobody asked for it");
    card.read_vpd(&mut reading).unwrap();
    (card.identity(&reading), reading)
}

#[test]
fn a_card_says_model_psid_part_and_serial_number() {
    let (identity, reading) = identify("connectx-4");
    assert_eq!(
        identity.to_string(),
        "connectx-4 (0x1013), PSID MT_2190110032, part number MCX456A-ECAT, \
         serial number MT0000X00014"
    );
    // Without MQIS, which only a full reading asks.
    assert_eq!(reading.part_number.as_deref(), Some("MCX456A-ECAT"));
    let (identity, _) = identify("connectx-3");
    assert_eq!(identity.model, "connectx-3");
    assert_eq!(identity.psid.as_deref(), Some("MT_1090120019"));
    assert!(identity.serial_number.is_some());
}

#[test]
fn two_boards_of_one_model_are_told_apart() {
    let (one, _) = identify("connectx-4");
    let (other, _) = identify("connectx-4-factory");
    assert_eq!(one.is_same_model(&other), Sameness::Same);
    assert_eq!(one.is_same_board(&other), Sameness::Other);
    assert_eq!(one.is_same_board(&one), Sameness::Same);
    let (lx, _) = identify("connectx-4-lx");
    assert_eq!(one.is_same_model(&lx), Sameness::Other);
}

#[test]
fn what_mqis_says_stays_the_part_number_that_is_shown() {
    let shelf = Shelf::memory();
    let mut card = open(&shelf, "connectx-4");
    let mut reading = card
        .read(Detail::Everything, Wanted::Holding(&["IP_VER"]))
        .unwrap();
    let said = reading.part_number.clone();
    assert!(said.is_some());
    card.read_vpd(&mut reading).unwrap();
    assert_eq!(reading.part_number, said);
    assert_eq!(
        card.identity(&reading).part_number.as_deref(),
        Some("MCX456A-ECAT")
    );
}

#[test]
fn lspci_shows_the_same_numbers() {
    let needs = [
        ring::Need::Root,
        ring::Need::Fuse,
        ring::Need::Program("lspci"),
    ];
    if ring::skipped("fuse", &needs) {
        return;
    }
    for name in ["connectx-3", "connectx-4", "connectx-4-lx"] {
        let card: Card = Shelf::memory().card(name).unwrap();
        let address = card.infos()[0].address;
        let vpd = card.function(address).unwrap().read_vpd().unwrap();
        let vpd = Vpd::parse(&vpd).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let output = folder.path().join("said");
        let script = format!("lspci -vv -s {address} > {}", output.display());
        let options = RunOptions {
            guard: Guard::None,
            ..RunOptions::default()
        };
        let command = ["sh", "-c", &script].map(Into::into);
        assert_eq!(run(&[card], &command, &options).unwrap(), 0);
        let said = fs::read_to_string(output).unwrap();
        for expected in [
            format!("Product Name: {}", vpd.identifier),
            format!("[PN] Part number: {}", vpd.part_number.unwrap()),
            format!("[SN] Serial number: {}", vpd.serial_number.unwrap()),
            "[RV] Reserved: checksum good".to_owned(),
        ] {
            assert!(said.contains(&expected), "{expected} is not in {said}");
        }
    }
}
