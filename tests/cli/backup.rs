//! `flexctl backup`

use std::os::unix::fs::PermissionsExt;

use crate::flexctl::place;

#[test]
fn everything_that_is_set_is_in_it() {
    let place = place();
    // One that no data file knows.
    place.answer("settings set -d sim:connectx-4 LINK_TYPE=IB");
    let text = place.answer("backup -d sim:connectx-4");
    for words in [
        "schema = \"flexctl.backup/1\"",
        "serial_number = \"MT0000X00014\"",
        "checksum = \"crc32:",
        "key = \"0x01010012\"",
        "data = \"a0010001\"",
        "# IP_VER = IPv4(0)",
    ] {
        assert!(text.contains(words), "{words}: {text}");
    }
    let file: toml::Table = text.parse().unwrap();
    assert_eq!(file["tlv"].as_array().unwrap().len(), 7);
}

#[test]
fn a_file_is_for_its_owner_and_never_overwritten() {
    let place = place();
    let path = place.path("b.toml");
    let arguments = format!("backup -d sim:connectx-4 -o {}", path.display());
    place.answer(&arguments);
    let mode = std::fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let text = std::fs::read(&path).unwrap();
    let run = place.run(&arguments);
    assert_eq!(run.code, 1, "{run}");
    assert!(run.stderr.contains("not overwritten"), "{run}");
    assert_eq!(std::fs::read(&path).unwrap(), text);
}

#[test]
fn several_cards_go_to_a_folder() {
    let place = place();
    let run = place.run("backup -d sim:connectx-4 -d sim:connectx-3");
    assert_eq!(run.code, 2, "{run}");
    let folder = place.path("backups");
    std::fs::create_dir(&folder).unwrap();
    place.answer(&format!(
        "backup -d sim:connectx-4 -d sim:connectx-3 -o {}",
        folder.display()
    ));
    for name in ["sim-connectx-4.toml", "sim-connectx-3.toml"] {
        assert!(folder.join(name).is_file(), "{name}");
    }
    let document = place.document("backup -d sim:connectx-4 -d sim:connectx-3");
    assert_eq!(document["schema"], "flexctl.backup-report/1");
    assert!(document["cards"][1]["text"].is_string());
}

#[test]
fn secrets_are_in_it_when_they_are_named() {
    let place = place();
    let name = "ISCSI_INITIATOR_CHAP_PASSWORD";
    place.answer(&format!(
        "settings set -d sim:connectx-4 {name}=open-sesame-42"
    ));
    let hex = "6f70656e 2d736573 616d652d 34320000";
    let without = place.run("backup -d sim:connectx-4");
    assert!(!without.stdout.contains(hex), "{without}");
    assert!(without.stderr.contains(name), "{without}");
    let with = place.answer(&format!("backup -d sim:connectx-4 --secret {name}"));
    assert!(with.contains(hex), "{with}");
    assert!(!with.contains("open-sesame"), "{with}");
    let run = place.run("backup -d sim:connectx-4 --secret ISCSI_PASWORD");
    assert_eq!(run.code, 2, "{run}");
}

#[test]
fn the_flash_is_copied_into_a_file_that_every_tool_reads() {
    let place = place();
    let copy = place.path("flash.bin.gz");
    let command = format!("backup --flash -d sim:connectx-3 -o {}", copy.display());
    let run = place.run(&command);
    assert_eq!(run.code, 0, "{run}");
    let packed = std::fs::read(&copy).unwrap();
    let mut bytes = Vec::new();
    std::io::copy(&mut flate2::read::GzDecoder::new(&packed[..]), &mut bytes).unwrap();
    let card = flexctl::sim::Shelf::open(place.path("sim"))
        .card("connectx-3")
        .unwrap();
    assert_eq!(bytes, card.flash());
    assert_eq!(card.flash_counters().operations(), 0);
    drop(card);
    let again = place.run(&command);
    assert_ne!(again.code, 0, "it is never overwritten: {again}");
    let nowhere = place.run("backup --flash -d sim:connectx-3");
    assert_eq!(nowhere.code, 2, "{nowhere}");
}
