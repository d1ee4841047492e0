//! What goes wrong on request.

use flexctl::sim::{Card, FaultPlan};

use crate::by_hand::{Answer, OK, SET, card, get3, get4, open, register4, set3, set4};

const IP: u32 = 0x0300_0195;

fn broken(profile: &str, plan: &str) -> Card {
    let card = card(profile);
    card.set_faults(plan.parse::<FaultPlan>().unwrap());
    card
}

#[test]
fn a_command_that_never_ends_keeps_the_mailbox_busy_until_reboot() {
    let card = broken("connectx-4", "stuck-busy@2");
    let mut pci = open(&card, 0);
    assert_eq!(get4(pci.as_mut(), IP, 0).0, OK);
    assert_eq!(get4(pci.as_mut(), IP, 0).0, Answer::Busy);
    assert_eq!(card.held_semaphores().len(), 1);
    card.reboot();
    assert_eq!(get4(pci.as_mut(), IP, 0).0, OK);
    let card = broken("connectx-3", "stuck-busy");
    assert_eq!(get3(open(&card, 0).as_mut(), 0x2021, 1).0, Answer::Busy);
}

#[test]
fn semaphores_can_be_held_by_somebody_who_died() {
    let held = |profile: &str, plan: &str| {
        let names = broken(profile, plan).held_semaphores();
        let names = names.into_iter().map(|one| one.name);
        names.collect::<Vec<_>>().join(", ")
    };
    insta::assert_snapshot!(held("connectx-4", "hold-semaphore=vsec"), @"vendor capability of function 0, vendor capability of function 1");
    insta::assert_snapshot!(held("connectx-4", "hold-semaphore=icmd"), @"semaphore space 0x0");
    insta::assert_snapshot!(held("connectx-3", "hold-semaphore=hcr"), @"CR 0xf03bc");
    let card = broken("connectx-3", "hold-semaphore=hcr");
    assert_eq!(get3(open(&card, 0).as_mut(), 0x2021, 1).0, Answer::Busy);
}

#[test]
fn one_command_can_answer_a_status() {
    for profile in ["connectx-3", "connectx-4"] {
        let card = broken(profile, "status=0x22@2");
        let mut pci = open(&card, 0);
        let mut get = || match profile {
            "connectx-3" => get3(pci.as_mut(), 0x2021, 1).0,
            _ => get4(pci.as_mut(), IP, 0).0,
        };
        assert_eq!([get(), get(), get()], [OK, Answer::Status(0x22), OK]);
    }
}

#[test]
fn a_card_that_is_gone_answers_all_ones_until_reboot() {
    for plan in ["all-ones@2", "power-cut-access@2"] {
        let card = broken("connectx-4", plan);
        let mut pci = open(&card, 0);
        assert_ne!(pci.read_config32(0).unwrap(), u32::MAX);
        assert_eq!(pci.read_config32(0).unwrap(), u32::MAX);
        assert!(card.is_gone());
        assert!(pci.read_option_rom().is_err());
        card.reboot();
        assert_eq!(pci.read_config32(0).unwrap(), 0x1013_15b3);
    }
}

#[test]
fn a_write_can_be_lost_or_store_something_else() {
    let card = broken("connectx-4", "lost-write@1,corrupt-write@2");
    let mut pci = open(&card, 0);
    let pci = pci.as_mut();
    assert_eq!(set4(pci, IP, 0x0000_0114), OK);
    assert_eq!(get4(pci, IP, 0), (OK, 0x0000_0014));
    assert_eq!(set4(pci, IP, 0x0000_0114), OK);
    assert_eq!(get4(pci, IP, 0), (OK, !0x0000_0114));
    assert_eq!(set4(pci, IP, 0x0000_0114), OK);
    assert_eq!(get4(pci, IP, 0), (OK, 0x0000_0114));
    assert_eq!(card.counters().tlv_writes, 3);
}

#[test]
fn a_deletion_can_be_lost_too() {
    let card = broken("connectx-4", "lost-write@1,corrupt-write@2");
    let mut pci = open(&card, 0);
    for there in [true, true, false] {
        assert_eq!(register4(pci.as_mut(), 0x9025, SET, &mut [0, IP, 0]), OK);
        assert_eq!(card.tlv(0, IP, 0).is_some(), there);
    }
}

#[test]
fn power_can_fail_between_two_writes() {
    let card = broken("connectx-4", "power-cut@1");
    let mut pci = open(&card, 0);
    assert_eq!(set4(pci.as_mut(), IP, 0x0000_0114), Answer::Gone);
    card.reboot();
    assert_eq!(get4(pci.as_mut(), IP, 0), (OK, 0x0000_0114));
    let card = broken("connectx-3", "power-cut@2");
    let mut pci = open(&card, 0);
    assert_eq!(set3(pci.as_mut(), 0x2001, 1, 0x100), OK);
    assert_eq!(set3(pci.as_mut(), 0x2001, 2, 0x100), Answer::Gone);
    card.reboot();
    assert_eq!(get3(pci.as_mut(), 0x2001, 2), (OK, 0x100));
}

#[test]
fn another_program_can_come_in_between() {
    let card = broken("connectx-4-factory", "foreign-change@2");
    let mut pci = open(&card, 0);
    let pci = pci.as_mut();
    assert_eq!(get4(pci, IP, 0).0, Answer::Status(8));
    // From the default, with its lowest bit changed.
    assert_eq!(get4(pci, IP, 0), (OK, 0x0000_0015));
    assert_eq!(get4(pci, IP, 0), (OK, 0x0000_0015));
    assert_eq!(card.counters().tlv_writes, 0);
}

#[test]
fn a_new_plan_counts_from_its_beginning() {
    let card = broken("connectx-4", "status=0x07@1");
    let mut pci = open(&card, 0);
    assert_eq!(get4(pci.as_mut(), IP, 0).0, Answer::Status(7));
    card.set_faults("status=0x08@1".parse().unwrap());
    assert_eq!(get4(pci.as_mut(), IP, 0).0, Answer::Status(8));
    card.set_faults(FaultPlan::default());
    assert_eq!(get4(pci.as_mut(), IP, 0).0, OK);
    assert_eq!(card.faults(), FaultPlan::default());
}
