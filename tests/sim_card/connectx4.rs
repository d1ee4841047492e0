//! The gateway, the mailbox and the settings of ConnectX-4.

use flexctl::sim::Place;

use crate::by_hand::{
    Answer, GET, NOT_SET, OK, SET, card, get4, icmd, open, register4, set4, space_access,
};

const IP: u32 = 0x0300_0195;
const BOOT: u32 = 0x0300_0221;
const ROM_CAPABILITY: u32 = 0x0000_0101;
const DEFAULT: u32 = 1 << 23;
const CURRENT: u32 = 1 << 22;

#[test]
fn the_gateway_says_which_spaces_there_are() {
    let card = card("connectx-4");
    let mut pci = open(&card, 0);
    let mut supported = Vec::new();
    for space in [3_u16, 4, 5, 6, 7, 0xf, 1, 0xa, 2] {
        // Written 16 bits wide and tested in one byte, as FlexBoot does.
        pci.write_config(0xc4, &space.to_le_bytes()).unwrap();
        let mut status = [0];
        pci.read_config(0xc7, &mut status).unwrap();
        if status[0] & 0x20 != 0 {
            supported.push(space);
        }
    }
    assert_eq!(supported, [3, 1, 0xa, 2]);
}

#[test]
fn the_gateway_belongs_to_who_wrote_its_semaphore_first() {
    let card = card("connectx-4");
    let mut pci = open(&card, 0);
    pci.write_config32(0xcc, 7).unwrap();
    pci.write_config32(0xcc, 8).unwrap();
    assert_eq!(pci.read_config32(0xcc).unwrap(), 7);
    assert_eq!(card.held_semaphores().len(), 1);
    pci.write_config32(0xcc, 0).unwrap();
    assert!(card.held_semaphores().is_empty());
    let counters = [0xc8, 0xc8].map(|at| pci.read_config32(at).unwrap());
    assert!(counters[0] != counters[1] && counters[0] != 0);
}

#[test]
fn each_function_has_a_gateway_of_its_own_and_they_share_a_mailbox() {
    let card = card("connectx-4");
    let (mut first, mut second) = (open(&card, 0), open(&card, 1));
    first.write_config32(0xcc, 7).unwrap();
    assert_eq!(second.read_config32(0xcc).unwrap(), 0);
    first.write_config32(0xcc, 0).unwrap();
    space_access(first.as_mut(), 0xa, 0, Some(11));
    space_access(second.as_mut(), 0xa, 0, Some(12));
    assert_eq!(space_access(second.as_mut(), 0xa, 0, None), 11);
}

#[test]
fn the_hardware_id_cannot_be_overwritten() {
    let card = card("connectx-4");
    let mut pci = open(&card, 0);
    space_access(pci.as_mut(), 2, 0xf_0014, Some(0));
    assert_eq!(space_access(pci.as_mut(), 2, 0xf_0014, None), 0x209);
    assert_eq!(space_access(pci.as_mut(), 2, 0xb_0004, None), 0);
}

#[test]
fn an_unknown_opcode_and_an_unknown_register_are_told_apart() {
    let card = card("connectx-4");
    let mut pci = open(&card, 0);
    assert_eq!(icmd(pci.as_mut(), 0x9002, &mut []), Answer::Status(1));
    for register in [0x402d, 0x907f, 0x902c] {
        let answer = register4(pci.as_mut(), register, GET, &mut [0; 18]);
        assert_eq!(answer, Answer::Status(4), "{register:#x}");
    }
}

#[test]
fn a_setting_has_a_default_a_current_and_a_next_value() {
    let card = card("connectx-4");
    let mut pci = open(&card, 0);
    let pci = pci.as_mut();
    assert_eq!(set4(pci, IP, 0x0000_0214), OK);
    assert_eq!(get4(pci, IP, 0), (OK, 0x0000_0214));
    assert_eq!(get4(pci, IP, CURRENT), (OK, 0x0000_0014));
    assert_eq!(get4(pci, IP, DEFAULT), (OK, 0x0000_0014));
    card.reboot();
    assert_eq!(get4(pci, IP, CURRENT), (OK, 0x0000_0214));
    assert_eq!(card.current_tlv(0, IP, 0).unwrap(), [0, 0, 2, 0x14]);
}

#[test]
fn boot_settings_belong_to_the_function_that_wrote_them() {
    let card = card("connectx-4");
    let (mut first, mut second) = (open(&card, 0), open(&card, 1));
    assert_eq!(set4(second.as_mut(), IP, 0x0000_0114), OK);
    assert_eq!(get4(first.as_mut(), IP, 0), (OK, 0x0000_0014));
    assert_eq!(card.tlv(1, IP, 0).unwrap(), [0, 0, 1, 0x14]);
    // Port settings belong to the card.
    assert_eq!(set4(second.as_mut(), 0x0102_0012, 0x4), OK);
    assert_eq!(get4(first.as_mut(), 0x0102_0012, 0), (OK, 0x4));
    let places: Vec<_> = card.settings().into_iter().map(|one| one.place).collect();
    assert!(places.contains(&Place::Card) && places.contains(&Place::Function(1)));
}

#[test]
fn what_is_not_set_is_not_there_unless_the_firmware_answers_defaults() {
    let factory = card("connectx-4-factory");
    let mut pci = open(&factory, 0);
    assert_eq!(get4(pci.as_mut(), BOOT, 0).0, NOT_SET);
    assert_eq!(get4(pci.as_mut(), BOOT, CURRENT).0, NOT_SET);
    assert_eq!(get4(pci.as_mut(), BOOT, DEFAULT), (OK, 0xa001_0001));
    let lx = card("connectx-4-lx");
    assert_eq!(get4(open(&lx, 0).as_mut(), BOOT, 0), (OK, 0xa001_0001));
}

#[test]
fn the_firmware_refuses_what_it_cannot_store() {
    let card = card("connectx-4");
    let mut pci = open(&card, 0);
    let pci = pci.as_mut();
    let before = card.settings();
    assert_eq!(set4(pci, ROM_CAPABILITY, 0), Answer::Status(7));
    assert_eq!(set4(pci, 0x0300_0fff, 0), Answer::Status(7));
    let two_dwords = &mut [0x0209_0008, IP, 0, 0, 0];
    assert_eq!(
        register4(pci, 0x9024, SET, two_dwords),
        Answer::Status(0x24)
    );
    let no_data = &mut [0x0209_0004, IP, 0];
    assert_eq!(register4(pci, 0x9024, SET, no_data), Answer::Status(0x24));
    let other_host = &mut [0x0209_0004, IP | 1 << 18, 0, 0];
    assert_eq!(register4(pci, 0x9024, SET, other_host), Answer::Status(7));
    assert_eq!(card.settings(), before);
    assert!(!card.counters().wrote_settings());
}

#[test]
fn a_setting_can_be_taken_back_alone_or_with_all_others() {
    let card = card("connectx-4");
    let mut pci = open(&card, 0);
    let pci = pci.as_mut();
    assert_eq!(register4(pci, 0x9025, SET, &mut [0, IP, 0]), OK);
    assert_eq!(get4(pci, IP, 0).0, NOT_SET);
    assert_eq!(get4(pci, IP, CURRENT).0, OK);
    assert!(card.tlv(0, BOOT, 0).is_some());
    assert_eq!(register4(pci, 0x9033, SET, &mut [0; 2]), OK);
    assert!(card.settings().is_empty());
}

#[test]
fn capabilities_say_what_can_be_written_and_which_version_it_has() {
    let query = |profile: &str, kind: u32| {
        let card = card(profile);
        let mut data = [kind, 0xffff_ffff];
        let answer = register4(open(&card, 0).as_mut(), 0x9030, GET, &mut data);
        (answer, data[1])
    };
    assert_eq!(query("connectx-4", 0), (OK, 0));
    assert_eq!(query("connectx-4", IP), (OK, 0x23));
    assert_eq!(query("connectx-4", BOOT), (OK, 0x13));
    assert_eq!(query("connectx-4-lx", BOOT), (OK, 0x03));
    assert_eq!(query("connectx-4", ROM_CAPABILITY), (OK, 0x01));
    assert_eq!(query("connectx-4-single", 0x0102_0190).0, Answer::Status(7));
}

#[test]
fn the_walk_over_what_is_set_ends() {
    let card = card("connectx-4");
    let mut pci = open(&card, 1);
    let mut kinds = Vec::new();
    let mut position = 0;
    loop {
        let mut data = [0; 39];
        data[0] = position;
        assert_eq!(register4(pci.as_mut(), 0x9035, GET, &mut data), OK);
        position = data[0];
        if position == 0 {
            break;
        }
        kinds.push(data[5]);
    }
    assert_eq!(kinds, [0x80, IP, BOOT]);
    let empty = crate::by_hand::card("connectx-4-factory");
    let answer = register4(open(&empty, 0).as_mut(), 0x9035, GET, &mut [0; 39]);
    assert_eq!(answer, NOT_SET);
}

#[test]
fn only_the_harmless_reset_level_is_accepted() {
    let card = card("connectx-4");
    let mut pci = open(&card, 0);
    let mut level = |word| register4(pci.as_mut(), 0x9028, SET, &mut [0, word]);
    assert_eq!(level(0x40), OK);
    assert_eq!(level(0x80), Answer::Status(7));
    assert_eq!(level(0x140), Answer::Status(7));
    assert_eq!(card.reboots(), 0);
}

#[test]
fn protocol_mistakes_are_counted() {
    let card = card("connectx-4");
    let mut pci = open(&card, 0);
    register4(pci.as_mut(), 0x9030, GET, &mut [0; 2]);
    assert_eq!((card.counters().unlocked, card.counters().commands), (0, 1));
    // No gateway semaphore, no mailbox semaphore, a second go while busy.
    pci.write_config32(0xc4, 3).unwrap();
    pci.write_config32(0xd4, 0x9001_0001).unwrap();
    pci.write_config32(0xd0, 1 << 31).unwrap();
    pci.write_config32(0xd0, 1 << 31).unwrap();
    assert_eq!(card.counters().overruns, 1);
    assert_eq!(card.counters().unlocked, 4);
}
