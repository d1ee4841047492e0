//! `flexctl restore`

use insta::assert_snapshot;

use crate::flexctl::{Place, place};

fn backup(place: &Place, card: &str) -> String {
    let path = place.path("b.toml").display().to_string();
    place.answer(&format!("backup -d sim:{card} -o {path}"));
    path
}

#[test]
fn everything_is_as_it_was() {
    let place = place();
    let file = backup(&place, "connectx-4");
    let before = place.state("connectx-4")["settings"].clone();
    place.answer("settings set -d sim:connectx-4 IP_VER=IPv6 LINK_TYPE_P1=IB NUM_OF_VFS=30");
    place.answer("sim seed connectx-4 0x03000210 0000000a");
    assert_snapshot!(place.run(&format!("restore {file} -d sim:connectx-4")), @"
    exit 0
    --- stdout
    ConnectX-4 at sim:connectx-4
      card                 NUM_OF_VFS           30 -> 8                               after a reset of the firmware
      port 1  enp4s0f0np0  LINK_TYPE            IB(1) -> ETH(2) (the card's default)  after a reset of the firmware
      port 1  enp4s0f0np0  IP_VER               IPv6(1) -> IPv4(0)                    from the next boot on
      port 1  enp4s0f0np0  BOOT_BANNER_TIMEOUT  10 -> 4 (the card's default)          from the next boot on
      port 2  enp4s0f1np1  IP_VER               IPv6(1) -> IPv4(0)                    from the next boot on
      written and read back, takes effect at the next reboot: the firmware was asked to reset then (values of before: <place>/state/backups/sim-connectx-4.json)
    ");
    let after = place.state("connectx-4")["settings"].clone();
    assert_eq!(after, before);
    let again = place.answer(&format!("restore {file} -d sim:connectx-4"));
    assert!(again.contains("nothing to do"), "{again}");
    place.answer("settings undo -d sim:connectx-4");
    assert_eq!(
        place.tlv("connectx-4", "function0", "0x3000195"),
        "00000114"
    );
}

#[test]
fn a_part_of_it_can_be_put_back() {
    let place = place();
    let file = backup(&place, "connectx-4");
    place.answer("settings set -d sim:connectx-4 IP_VER=IPv6 BOOT_VLAN=9 BOOT_RETRY_CNT=2");
    place.answer(&format!(
        "restore {file} -d sim:connectx-4 --only BOOT_VLAN"
    ));
    assert_eq!(
        place.tlv("connectx-4", "function0", "0x3000221"),
        "a2010001"
    );
    assert_eq!(
        place.tlv("connectx-4", "function0", "0x3000195"),
        "00000114"
    );
    let run = place.run(&format!("restore {file} -d sim:connectx-4 --only BOOT_VLN"));
    assert_eq!(run.code, 2, "{run}");
}

#[test]
fn a_connectx3_says_what_stays() {
    let place = place();
    let file = backup(&place, "connectx-3");
    place.answer("settings set -d sim:connectx-3 IP_VER=IPv6 BOOT_PKEY_P1=5 ISCSI_INITIATOR_NAME_P1=iqn.2026-11.org.example:a");
    assert_snapshot!(place.run(&format!("restore {file} -d sim:connectx-3")), @"
    exit 0
    --- stdout
    ConnectX-3 at sim:connectx-3
      port 1  enp5s0    IP_VER  IPv6(1) -> IPv4(0)  from the next boot on
      port 2  enp5s0d1  IP_VER  IPv6(1) -> IPv4(0)  from the next boot on
      note: the firmware does not name what is set: TLVs that flexctl does not know stay as they are
      note: 0000:05:00.0: port 1: INFINIBAND_BOOT_SETTINGS (0x2022/1) was not set and cannot be deleted: it keeps 00000005 (the card's defaults are 00000000)
      note: 0000:05:00.0: port 1: ISCSI_INITIATOR_NAME (0x2107/1) was not set and cannot be deleted: it keeps 69716e2e323032362d31312e6f72672e6578616d706c653a61 and 199 zero bytes (the card's defaults are 224 zero bytes)
      written and read back, takes effect at the next boot (values of before: <place>/state/backups/sim-connectx-3.json)
    ");
    place.answer(&format!(
        "restore {file} -d sim:connectx-3 --write-defaults"
    ));
    assert_eq!(place.tlv("connectx-3", "port1", "0x2022"), "00000000");
}

#[test]
fn another_model_is_refused_and_another_board_is_named() {
    let place = place();
    let file = backup(&place, "connectx-4");
    assert_snapshot!(place.run(&format!("restore {file} -d sim:connectx-4-lx")), @"
    exit 5
    --- stderr
    error: the backup is of connectx-4 (0x1013), PSID MT_2190110032, part number MCX456A-ECAT, serial number MT0000X00014, the card is connectx-4-lx (0x1015), PSID MT_2420110034, part number MCX4121A-ACAT, serial number MT0000X00018
    hint: a backup fits the card model that it was made of; for other cards make a profile: flexctl settings export
    ");
    place.answer("sim new twin connectx-4");
    let run = place.run(&format!("restore {file} -d sim:twin --dry-run"));
    assert_eq!(run.code, 0, "{run}");
}

#[test]
fn a_file_that_was_touched_is_refused() {
    let place = place();
    let file = backup(&place, "connectx-4");
    let text = std::fs::read_to_string(&file).unwrap();
    for (broken, words) in [
        (text.replacen("a0010001", "a0010002", 1), "checksum"),
        (text[..text.len() / 2].to_owned(), "cut"),
        ("# nothing\n".to_owned(), "no backup"),
        (String::new(), "no backup"),
    ] {
        std::fs::write(&file, broken).unwrap();
        let run = place.run(&format!("restore {file} -d sim:connectx-4"));
        assert_eq!(run.code, 6, "{run}");
        assert!(run.stderr.contains(words), "{words}: {run}");
    }
    let run = place.run(&format!(
        "restore {} -d sim:connectx-4",
        place.path("no").display()
    ));
    assert_eq!(run.code, 6, "{run}");
}

#[test]
fn a_burn_is_taken_back_with_the_copy_that_it_made() {
    let place = place();
    let rom = place.path("new.rom");
    let text = include_str!("../../scripts/examples/rom.toml");
    std::fs::write(&rom, flexctl::image::build::build(text).unwrap()).unwrap();
    let flash = || {
        let card = flexctl::sim::Shelf::open(place.path("sim"))
            .card("connectx-3")
            .unwrap();
        (card.flash(), card.boot().image().map(|image| image.slot))
    };
    let before = flash();
    let copy = place.path("copy.bin.gz").display().to_string();
    let rom = rom.display();
    let run = place.run(&format!("burn -d sim:connectx-3 {rom} --backup {copy}"));
    assert_eq!(run.code, 0, "{run}");
    assert_ne!(flash(), before);
    let back = format!("restore -d sim:connectx-3 {copy} --no-backup");
    let dry = place.run(&format!("{back} --dry-run --exit-code"));
    assert_eq!(dry.code, 9, "{dry}");
    let run = place.run(&back);
    assert_eq!(run.code, 0, "{run}");
    assert_eq!(flash(), before);
    let again = place.run(&back);
    assert!(again.stdout.contains("nothing to do"), "{again}");
}

#[test]
fn a_card_without_firmware_gets_its_flash_back() {
    let place = place();
    place.answer("sim new healthy connectx-3");
    let copy = place.path("copy.bin.gz").display().to_string();
    place.answer(&format!("backup --flash -d sim:healthy -o {copy}"));
    let back = format!("restore -d sim:connectx-3-recovery {copy} --no-backup");
    let refused = place.run(&back);
    assert_eq!(
        refused.code, 5,
        "nobody can tell whose copy it is: {refused}"
    );
    assert!(refused.stderr.contains("--allow-other-board"), "{refused}");
    let run = place.run(&format!("{back} --allow-other-board"));
    assert_eq!(run.code, 0, "{run}");
    place.answer("sim reboot connectx-3-recovery");
    assert!(
        place
            .answer("show -d sim:connectx-3-recovery")
            .contains("2.42.5000")
    );
}

#[test]
fn the_copy_of_a_flash_fits_its_card_only() {
    let place = place();
    let copy = place.path("copy.bin.gz").display().to_string();
    place.answer(&format!("backup --flash -d sim:connectx-3 -o {copy}"));
    let run = |arguments: &str| place.run(arguments);
    assert_snapshot!(run(&format!("restore -d sim:connectx-3-pro {copy}")), @"
    exit 5
    --- stderr
    error: the backup is of another model: connectx-3 (0x1003), PSID MT_1090120019, part number MCX354A-FCB_A2-A5, serial number MT0000X00003; this is connectx-3-pro (0x1007), PSID MT_1090111023, part number MCX314A-BCCT, serial number MT0000X00010
    hint: nothing was written; the copy does not fit this card
    ");
    assert_snapshot!(run(&format!("restore -d sim:connectx-3-single-port {copy}")), @"
    exit 5
    --- stderr
    error: the backup is of another model: connectx-3 (0x1003), PSID MT_1090120019, part number MCX354A-FCB_A2-A5, serial number MT0000X00003; this is connectx-3 (0x1003), PSID MT_1170110023, part number MCX311A-XCAT, serial number MT0000X00008
    hint: nothing was written; who knows better goes on with: --allow-other-psid
    ");
    assert_snapshot!(run(&format!("restore -d sim:connectx-3 {copy} --only IP_VER")), @"
    exit 2
    --- stderr
    error: `<place>/copy.bin.gz` is the copy of a flash
    hint: leave out --only, --write-defaults and --allow-reserved: they are for settings
    ");
    let mut damaged = std::fs::read(&copy).unwrap();
    let middle = damaged.len() / 2;
    damaged[middle] ^= 1;
    std::fs::write(place.path("damaged.bin.gz"), damaged).unwrap();
    let damaged = place.path("damaged.bin.gz").display().to_string();
    let run = place.run(&format!("restore -d sim:connectx-3 {damaged}"));
    assert_eq!(run.code, 6, "{run}");
}

#[test]
fn a_protected_flash_is_told_before_anybody_is_asked() {
    let place = place();
    let copy = place.path("copy.bin.gz").display().to_string();
    place.answer(&format!(
        "backup --flash -d sim:connectx-3-protected -o {copy}"
    ));
    let run = place.run(&format!(
        "restore -d sim:connectx-3-protected {copy} --dry-run"
    ));
    assert_eq!(run.code, 5, "{run}");
    assert!(run.stderr.contains("write protected"), "{run}");
}
