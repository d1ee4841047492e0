//! Cards on disk: what stays, who may have them, what they are called.

use std::fs;
use std::process::{Command, Stdio};

use flexctl::sim::{Shelf, SimError};

use crate::by_hand::{OK, Way, get4, open, set4, take_hcr};

const IP: u32 = 0x0300_0195;

fn shelf() -> (tempfile::TempDir, Shelf) {
    let directory = tempfile::tempdir().unwrap();
    let shelf = Shelf::open(directory.path().join("sim"));
    (directory, shelf)
}

/// The same directory, as another process sees it.
fn again(shelf: &Shelf) -> Shelf {
    Shelf::open(shelf.directory().unwrap())
}

#[test]
fn a_card_is_as_it_was_left() {
    let (_directory, shelf) = shelf();
    {
        let card = shelf.card("connectx-4").unwrap();
        let mut pci = open(&card, 0);
        assert_eq!(set4(pci.as_mut(), IP, 0x0000_0214), OK);
        pci.write_config32(0xcc, 99).unwrap();
    }
    let card = again(&shelf).card("connectx-4").unwrap();
    assert_eq!(card.tlv(0, IP, 0).unwrap(), [0, 0, 2, 0x14]);
    assert_eq!(card.current_tlv(0, IP, 0).unwrap(), [0, 0, 0, 0x14]);
    assert_eq!(card.held_semaphores().len(), 1);
    assert_eq!(card.counters().tlv_writes, 1);
    card.reboot();
    drop(card);
    let card = again(&shelf).card("connectx-4").unwrap();
    assert_eq!(card.current_tlv(0, IP, 0).unwrap(), [0, 0, 2, 0x14]);
    assert_eq!(card.reboots(), 1);
    assert!(card.held_semaphores().is_empty());
}

#[test]
fn what_was_written_is_on_disk_before_the_answer_is() {
    let (_directory, shelf) = shelf();
    let card = shelf.card("connectx-4").unwrap();
    let mut pci = open(&card, 0);
    assert_eq!(set4(pci.as_mut(), IP, 0x0000_0214), OK);
    let state = fs::read_to_string(shelf.directory().unwrap().join("connectx-4/card.json"));
    assert!(state.unwrap().contains("00000214"));
    pci.write_config32(0xcc, 0x4711).unwrap();
    let live = fs::read_to_string(shelf.directory().unwrap().join("connectx-4/live.json"));
    assert!(live.unwrap().contains(&format!("\"vsec\":[{},0]", 0x4711)));
}

#[test]
fn a_semaphore_and_a_busy_mailbox_outlive_the_process() {
    let (_directory, shelf) = shelf();
    let card = shelf.card("connectx-3").unwrap();
    card.set_faults("stuck-busy".parse().unwrap());
    let mut pci = open(&card, 0);
    take_hcr(pci.as_mut(), Way::Config).unwrap();
    assert_eq!(
        crate::by_hand::hcr(pci.as_mut(), Way::Config, 0x03, 0, [0; 2]).0,
        crate::by_hand::Answer::Busy
    );
    drop((pci, card));
    let card = again(&shelf).card("connectx-3").unwrap();
    let mut pci = open(&card, 0);
    assert_eq!(take_hcr(pci.as_mut(), Way::Config), Err(1));
    let control = crate::by_hand::cr(pci.as_mut(), Way::Config, 0x8_0798, None);
    assert_eq!(control >> 23 & 1, 1);
}

#[test]
fn a_card_that_lost_power_stays_dark_for_the_next_process() {
    let (_directory, shelf) = shelf();
    let card = shelf.card("connectx-4").unwrap();
    card.set_faults("all-ones@1".parse().unwrap());
    assert_eq!(open(&card, 0).read_config32(0).unwrap(), u32::MAX);
    drop(card);
    let card = again(&shelf).card("connectx-4").unwrap();
    assert!(card.is_gone());
    assert_eq!(card.faults().to_string(), "all-ones@1");
}

#[test]
fn one_shelf_gives_the_same_card_and_another_one_waits() {
    let (_directory, shelf) = shelf();
    let first = shelf.card("connectx-4").unwrap();
    let second = shelf.clone().card("connectx-4").unwrap();
    open(&first, 0).write_config32(0xcc, 5).unwrap();
    assert_eq!(second.held_semaphores().len(), 1);
    let error = again(&shelf).card("connectx-4").unwrap_err();
    let own = std::process::id();
    assert!(matches!(error, SimError::InUse { pid: Some(pid), .. } if pid == own));
    drop((first, second));
    assert!(again(&shelf).card("connectx-4").is_ok());
}

#[test]
fn names_do_not_lead_out_of_the_shelf() {
    let (directory, shelf) = shelf();
    for name in ["../escape", "/etc", "a/b", "..", ""] {
        assert!(matches!(
            shelf.card(name).unwrap_err(),
            SimError::BadName { .. }
        ));
        assert!(shelf.create(name, "connectx-4").is_err());
        assert!(shelf.remove(name).is_err());
    }
    assert!(!directory.path().join("escape").exists());
}

#[test]
fn a_name_that_is_nobody_gets_the_near_one() {
    let (_directory, shelf) = shelf();
    shelf.create("node7", "connectx-3").unwrap();
    let said = |name: &str| shelf.card(name).unwrap_err().to_string();
    insta::assert_snapshot!(said("node8"), @"no virtual card and no profile is called `node8`, did you mean `node7`?");
    insta::assert_snapshot!(said("conectx-4"), @"no virtual card and no profile is called `conectx-4`, did you mean `connectx-4`?");
    assert!(said("zebra").contains("connectx-4-lx, connectx-4-no-ip-ver"));
    let error = shelf.create("x", "connectx-9").unwrap_err();
    assert!(matches!(error, SimError::NoSuchProfile { .. }));
    assert!(shelf.remove("connectx-4").is_err());
}

#[test]
fn cards_of_one_profile_have_places_and_addresses_apart() {
    let (_directory, shelf) = shelf();
    let cards = ["a", "b", "c"].map(|name| shelf.create(name, "connectx-4").unwrap());
    let shown: Vec<String> = cards
        .iter()
        .map(|card| {
            let info = &card.infos()[1];
            let net = &info.net[0];
            format!(
                "{} {} {}",
                info.address,
                net.name,
                net.mac.as_ref().unwrap()
            )
        })
        .collect();
    insta::assert_snapshot!(shown.join("\n"), @r"
    0000:04:00.1 enp4s0f1np1 02:00:5e:04:04:02
    0000:40:00.1 enp64s0f1np1 02:00:5e:04:05:02
    0000:41:00.1 enp65s0f1np1 02:00:5e:04:06:02
    ");
    assert_eq!(shelf.list().unwrap(), ["a", "b", "c"]);
    assert!(matches!(
        shelf.create("a", "connectx-3").unwrap_err(),
        SimError::Exists { .. }
    ));
}

#[test]
fn a_removed_card_begins_anew() {
    for shelf in [shelf().1, Shelf::memory()] {
        let card = shelf.card("connectx-4").unwrap();
        card.seed_tlv(0, IP, 0, &[0, 0, 3, 0]).unwrap();
        assert_eq!(get4(open(&card, 0).as_mut(), IP, 0), (OK, 0x300));
        drop(card);
        shelf.remove("connectx-4").unwrap();
        assert!(shelf.list().unwrap().is_empty());
        let card = shelf.card("connectx-4").unwrap();
        assert_eq!(card.tlv(0, IP, 0).unwrap(), [0, 0, 0, 0x14]);
    }
}

#[test]
fn seeds_are_checked() {
    let card = Shelf::memory().card("connectx-3").unwrap();
    assert!(card.seed_tlv(0, 0x2021, 1, &[0; 8]).is_err());
    assert!(card.seed_tlv(0, 0x2fff, 1, &[0; 4]).is_err());
    card.seed_tlv(0, 0x2021, 2, &[1, 2, 3, 4]).unwrap();
    assert_eq!(card.current_tlv(0, 0x2021, 2).unwrap(), [1, 2, 3, 4]);
    card.unset_tlv(0, 0x2021, 2);
    assert_eq!(card.tlv(0, 0x2021, 2), None);
}

#[test]
fn a_broken_state_file_is_named() {
    let (_directory, shelf) = shelf();
    drop(shelf.card("connectx-4").unwrap());
    let path = shelf.directory().unwrap().join("connectx-4/card.json");
    fs::write(&path, "{}").unwrap();
    let said = again(&shelf).card("connectx-4").unwrap_err().to_string();
    assert!(said.contains("card.json"), "{said}");
}

#[test]
fn a_card_survives_the_kill_of_its_process() {
    let (_directory, shelf) = shelf();
    let directory = shelf.directory().unwrap();
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "shelf::to_be_killed", "--ignored", "--nocapture"])
        .env("FLEXCTL_SIM_DIR", directory)
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let live = directory.join("connectx-4/live.json");
    let taken = (0..5000).any(|_| {
        std::thread::sleep(std::time::Duration::from_millis(1));
        fs::read_to_string(&live).is_ok_and(|text| text.contains("\"vsec\":[77,0]"))
    });
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(taken);
    let card = shelf.card("connectx-4").unwrap();
    assert_eq!(card.tlv(0, IP, 0).unwrap(), [0, 0, 1, 0]);
    assert_eq!(card.held_semaphores()[0].value, 77);
}

/// The process that [`a_card_survives_the_kill_of_its_process`] kills.
#[test]
#[ignore = "runs only as the child of another test"]
fn to_be_killed() {
    let shelf = Shelf::open(std::env::var_os("FLEXCTL_SIM_DIR").unwrap());
    let card = shelf.card("connectx-4").unwrap();
    let mut pci = open(&card, 0);
    assert_eq!(set4(pci.as_mut(), IP, 0x100), OK);
    pci.write_config32(0xcc, 77).unwrap();
    std::thread::sleep(std::time::Duration::from_secs(30));
}
