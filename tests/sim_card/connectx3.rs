//! The gateway, the HCR and the settings of ConnectX-3.

use crate::by_hand::{
    Answer, GET, NOT_SET, OK, SET, Way, card, cr, get3, hcr, open, query3, register3, set3,
    take_hcr,
};

const IP: u32 = 0x2001;
const BOOT: u32 = 0x2021;

#[test]
fn config_space_and_bar_lead_to_the_same_registers() {
    let card = card("connectx-3");
    let mut pci = open(&card, 0);
    pci.map_bar(0).unwrap();
    let pci = pci.as_mut();
    for way in [Way::Config, Way::Bar] {
        assert_eq!(cr(pci, way, 0xf_0014, None), 0x0001_01f5);
        assert_eq!(cr(pci, way, 0x1_0000, None), 0);
    }
    cr(pci, Way::Bar, 0xe_0000, Some(0x0bad_b00f));
    assert_eq!(cr(pci, Way::Config, 0xe_0000, None), 0x0bad_b00f);
    assert_eq!(cr(pci, Way::Config, 0x10_0000, None), 0xbada_cce5);
}

#[test]
fn a_semaphore_is_taken_by_reading_it() {
    let card = card("connectx-3");
    let mut pci = open(&card, 0);
    assert_eq!(take_hcr(pci.as_mut(), Way::Config), Ok(()));
    assert_eq!(take_hcr(pci.as_mut(), Way::Config), Err(1));
    let held = card.held_semaphores();
    assert_eq!(held.len(), 1);
    assert_eq!(held[0].name, "CR 0xf03bc");
    cr(pci.as_mut(), Way::Config, 0xf_03bc, Some(0));
    assert_eq!(take_hcr(pci.as_mut(), Way::Config), Ok(()));
    card.reboot();
    assert!(card.held_semaphores().is_empty());
}

#[test]
fn the_mailbox_moves_eight_bytes_at_a_time() {
    let card = card("connectx-3");
    let mut pci = open(&card, 0);
    let pci = pci.as_mut();
    assert_eq!(hcr(pci, Way::Config, 0x70, 70, [2, 1]).0, OK);
    assert_eq!(hcr(pci, Way::Config, 0x71, 70, [0, 0]), (OK, [2, 1]));
    assert_eq!(hcr(pci, Way::Config, 0x70, 72, [2, 1]).0, Answer::Status(3));
    assert_eq!(
        hcr(pci, Way::Config, 0x70, u32::MAX, [2, 1]).0,
        Answer::Status(3)
    );
    assert_eq!(hcr(pci, Way::Config, 0x99, 0, [0, 0]).0, Answer::Status(2));
    assert_eq!(card.counters().commands, 1);
}

#[test]
fn settings_are_reached_by_every_way_and_mailbox() {
    let card = card("connectx-3");
    let mut pci = open(&card, 0);
    pci.map_bar(0).unwrap();
    for way in [Way::Config, Way::Bar] {
        for window in [true, false] {
            let mut data = [1 << 18 | BOOT, 2 << 16, 0];
            let answer = register3(pci.as_mut(), way, window, (0x9024, GET), &mut data);
            assert_eq!((answer, data[2]), (OK, 0x8001_0001), "{way:?} {window}");
        }
    }
}

#[test]
fn each_port_has_its_settings() {
    let card = card("connectx-3");
    let mut pci = open(&card, 0);
    let pci = pci.as_mut();
    assert_eq!(set3(pci, IP, 1, 0x0000_010f), OK);
    assert_eq!(get3(pci, IP, 1), (OK, 0x0000_010f));
    assert_eq!(get3(pci, IP, 2), (OK, 0x0000_000f));
    assert_eq!(card.tlv(0, IP, 1).unwrap(), [0, 0, 1, 0x0f]);
    assert_eq!(card.current_tlv(0, IP, 1).unwrap(), [0, 0, 0, 0x0f]);
    card.reboot();
    assert_eq!(card.current_tlv(0, IP, 1).unwrap(), [0, 0, 1, 0x0f]);
}

#[test]
fn what_is_not_set_is_not_there() {
    let card = card("connectx-3-factory");
    let mut pci = open(&card, 0);
    assert_eq!(get3(pci.as_mut(), BOOT, 1).0, NOT_SET);
    assert!(card.settings().is_empty());
}

#[test]
fn the_firmware_refuses_what_it_cannot_store() {
    let card = card("connectx-3");
    let mut pci = open(&card, 0);
    let pci = pci.as_mut();
    let before = card.settings();
    for (kind, port) in [(0x2fff, 1), (BOOT, 0), (BOOT, 3), (0x0011, 1)] {
        assert_eq!(
            set3(pci, kind, port, 0),
            Answer::Status(7),
            "{kind:#x}/{port}"
        );
        assert_eq!(
            get3(pci, kind, port).0,
            Answer::Status(7),
            "{kind:#x}/{port}"
        );
    }
    let mut long = [2 << 18 | BOOT, 1 << 16, 0, 0];
    let answer = register3(pci, Way::Config, true, (0x9024, SET), &mut long);
    assert_eq!(answer, Answer::Status(0x24));
    assert_eq!(card.settings(), before);
    assert!(!card.counters().wrote_settings());
}

#[test]
fn a_setting_can_be_taken_back_alone_or_with_all_others() {
    let card = card("connectx-3");
    let mut pci = open(&card, 0);
    let pci = pci.as_mut();
    let one = &mut [1 << 18 | BOOT, 1 << 16];
    assert_eq!(register3(pci, Way::Config, true, (0x9025, SET), one), OK);
    assert_eq!(get3(pci, BOOT, 1).0, NOT_SET);
    assert_eq!(get3(pci, BOOT, 2).0, OK);
    assert_eq!(
        register3(pci, Way::Config, true, (0x9029, SET), &mut [0; 2]),
        OK
    );
    assert!(card.settings().is_empty());
}

#[test]
fn corrupt_settings_answer_every_read_with_their_status() {
    let card = card("connectx-3-corrupt");
    let mut pci = open(&card, 0);
    assert_eq!(get3(pci.as_mut(), BOOT, 1).0, Answer::Status(0x22));
}

#[test]
fn the_defaults_of_the_firmware_are_the_genuine_ones() {
    let card = card("connectx-3-pro");
    let mut pci = open(&card, 0);
    let pci = pci.as_mut();
    // Register values of the genuine image 2.42.5000 in the masks that it
    // defines: 0x1f57c, 0x1f580, 0x1f584.
    let (answer, global) = query3(pci, Way::Config, 0x73, 5);
    assert_eq!((answer, global[1] & 0x003f_ff00), (OK, 0x0024_9300));
    let (answer, port) = query3(pci, Way::Config, 0x73 | 2 << 12, 7);
    assert_eq!((answer, port[1] & 0x30ff_0fff), (OK, 0x2001_0001));
    assert_eq!(port[2] & 0xe3ff_ffff, 0xc000_0000);
    let (answer, _) = query3(pci, Way::Config, 0x73 | 3 << 12, 2);
    assert_eq!(answer, Answer::Status(3));
    let (answer, capabilities) = query3(pci, Way::Config, 0x03, 72);
    assert_eq!((answer, capabilities[0xc0 / 4]), (OK, 0x21));
}
