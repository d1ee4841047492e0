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
