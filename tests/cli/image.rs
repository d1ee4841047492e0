//! `flexctl image`

use std::fs;

use flexctl::image::build::build;
use insta::assert_snapshot;

use crate::flexctl::{Place, place};

const FS3: &str = include_str!("../images/fs3-connectx-4.toml");
const FS3_DUMP: &str = include_str!("../images/fs3-dump.toml");
const FS2: &str = include_str!("../images/fs2-connectx-3.toml");
const FS2_DUMP: &str = include_str!("../images/fs2-dump.toml");

fn file(place: &Place, name: &str, bytes: &[u8]) -> String {
    let path = place.path(name);
    fs::write(&path, bytes).unwrap();
    path.display().to_string()
}

fn image(place: &Place, name: &str, description: &str) -> String {
    file(place, name, &build(description).unwrap())
}

fn rom(place: &Place, name: &str, device: u16, size: usize) -> String {
    let text = format!(
        "format = 'option-rom'\nvendor_id = 0x15b3\ndevice_id = {device}\n\
         record = [{{ version = '3.4.999' }}]\n\
         [[image]]\ncontents = {{ random = 9, size = {size} }}"
    );
    file(place, name, &build(&text).unwrap())
}

#[test]
fn info_says_what_an_image_is() {
    let place = place();
    let fs3 = image(&place, "cx4.bin", FS3);
    assert_snapshot!(place.run(&format!("image info {fs3}")), @"
    exit 0
    --- stdout
    <place>/cx4.bin: FS3 firmware, 2097152 bytes

    image of 78144 bytes at 0x00000000
      version        12.14.2036, released 2016-05-30
      board (PSID)   FLX2190000001
      product        FLX-CX4
      description    synthetic ConnectX-4 image of flexctl
      for            ConnectX-4 (hardware id 0x0209 rev 0)
      PCI id         15b3:1013
      expansion ROM  PXE 3.4.718 for 0x1013, 4116 bytes at 0x00003000
      base GUID      e41d2d0300abcd00 and 7 more
      base MAC       e41d2dabcd00 and 7 more
      made from      synthetic.prs
      security       carries sha-256-digest
    ");
    let fs2 = image(&place, "cx3.bin", FS2);
    assert_snapshot!(place.run(&format!("image info {fs2} --sections")), @"
    exit 0
    --- stdout
    <place>/cx3.bin: FS2 firmware, 19896 bytes

    image of 19896 bytes at 0x00000000
      version         2.42.5000, released 2017-09-25
      board (PSID)    FLX1090000001
      for             ConnectX-3 (hardware id 0x01f5 rev 0)
      PCI id          15b3:1003
      expansion ROM   PXE 3.4.752 for 0x1003, 4116 bytes at 0x000006e8
      node GUID       0002c90300abcd00
      port1 GUID      0002c90300abcd01
      port2 GUID      0002c90300abcd02
      sysimage GUID   0002c90300abcd03
      port1 MAC       0002c9abcd00
      port2 MAC       0002c9abcd01
      VSD             synthetic
      made from       synthetic.prs
      least mstflint  2.0.0
      security        none

      part              type  offset      bytes  CRC
      Configuration     0x02  0x00000668  108    0xe11e
      ROM               0x05  0x000006e8  4116   0xf243
      GUID              0x06  0x00001710  48     0xd0fe  of the one card
      Image Info        0x0a  0x00001754  436    0xf314
      DDR               0x01  0x0000191c  4096   0xfcb7
      DDR               0x01  0x00002930  8192   0x49db
      DDR               0x01  0x00004944  1024   0x1219
      Configuration     0x02  0x00004d58  0      0x3619
      Jump addresses    0x03  0x00004d6c  16     0x29bd
      FW Configuration  0x09  0x00004d90  36     0x7eec
    ");
    let document = place.document(&format!("image info {fs3}"));
    assert_eq!(document["schema"], "flexctl.image-info/1");
    assert_eq!(document["format"], "FS3");
    let facts = &document["images"][0];
    assert_eq!(facts["psid"], "FLX2190000001");
    assert_eq!(facts["hardware_ids"][0]["chip"], "ConnectX-4");
    assert_eq!(facts["rom"]["version_records"][0]["version"], "3.4.718");
    assert_eq!(facts["sections"].as_array().unwrap().len(), 12);
}

#[test]
fn both_images_of_a_flash_copy_are_shown() {
    let place = place();
    for (name, description) in [("cx4.bin", FS3_DUMP), ("cx3.bin", FS2_DUMP)] {
        let dump = image(&place, name, description);
        let document = place.document(&format!("image info {dump}"));
        assert_eq!(document["images"].as_array().unwrap().len(), 2);
        assert_eq!(document["images"][1]["slot"], 1);
        let run = place.run(&format!("image rom remove {dump} -o {dump}.new"));
        assert_eq!(run.code, 2, "{run}");
        assert!(run.stderr.contains("--slot"), "{run}");
    }
}

#[test]
fn check_names_every_damage_and_its_exit_code_follows() {
    let place = place();
    let mut bytes = build(FS3).unwrap();
    let sound = file(&place, "sound.bin", &bytes);
    assert_snapshot!(place.run(&format!("image check --round-trip {sound}")), @"
    exit 0
    --- stdout
    <place>/sound.bin: sound
    ");
    // In the ROM, in MAIN_CODE, and in the header of the table of contents.
    for at in [0x3010, 0x8100] {
        bytes[at] ^= 0x40;
    }
    let damaged = file(&place, "damaged.bin", &bytes);
    assert_snapshot!(place.run(&format!("image check {damaged}")), @"
    exit 6
    --- stdout
    error: slot0/ROM_CODE/crc at 0x00003000: wrong CRC (expected 0xa92b, found 0x865b)
    warning: slot0/ROM at 0x00003000: the expansion ROM inside is damaged: image0/checksum at 0x00000000: the 4096 bytes of the image do not add up to 0: a BIOS does not run it (expected 0x00, found 0x40)
    error: slot0/MAIN_CODE/crc at 0x00008000: wrong CRC (expected 0xf07f, found 0x1d80)
    <place>/damaged.bin: damaged, 2 errors, 1 warning
    --- stderr
    hint: get the image again from where it comes from; do not burn this one
    ");
    let document = place.document(&format!("image check {damaged}"));
    assert_eq!(document["schema"], "flexctl.image-check/1");
    assert_eq!(document["errors"], 2);
    assert_eq!(document["worst"], "error");
    assert_eq!(document["findings"][0]["kind"], "bad-checksum");
}

#[test]
fn a_wrong_crc_of_a_whole_fs2_image_is_an_error_where_it_counts() {
    let place = place();
    let mut bytes = build(FS2).unwrap();
    bytes[0x22] ^= 1;
    let damaged = file(&place, "counts.bin", &bytes);
    let run = place.run(&format!("image check {damaged}"));
    assert_eq!(run.code, 6, "{run}");
    assert!(run.stdout.contains("header/crc at 0x00000022"), "{run}");

    let mut bytes = build(&FS2.replace("mic_version = \"2.0.0\"\n", "")).unwrap();
    bytes[0x22] ^= 1;
    let old = file(&place, "old.bin", &bytes);
    let run = place.run(&format!("image check {old}"));
    assert_eq!(run.code, 0, "{run}");
    assert!(run.stdout.contains("note: "), "{run}");
}

#[test]
fn what_is_no_image_of_these_cards_is_refused_by_name() {
    let place = place();
    let mut fs4 = vec![0xff; 0x1000];
    fs4[..16].copy_from_slice(&flexctl::image::FS4_MAGIC);
    fs4[0x10] = 1;
    let fs4 = file(&place, "fs4.bin", &fs4);
    assert_snapshot!(place.run(&format!("image info {fs4}")), @"
    exit 6
    --- stderr
    error: <place>/fs4.bin: no firmware image of a ConnectX-3 or -4
    caused by: magic at 0x00000000: FS4 firmware, for a ConnectX-5 or later: flexctl is for ConnectX-3 and -4
    hint: newer cards are maintained by mstflint
    ");
    let rom = rom(&place, "x.rom", 0x1013, 100);
    assert_snapshot!(place.run(&format!("image check {rom}")), @"
    exit 6
    --- stderr
    error: <place>/x.rom: no firmware image of a ConnectX-3 or -4
    caused by: magic at 0x00000000: an expansion ROM by itself, not a firmware image
    hint: this is an expansion ROM: `flexctl rom info` shows what is inside
    ");
    let empty = file(&place, "empty.bin", b"");
    let text = file(&place, "text.bin", b"this is no image\n");
    for bad in [
        &empty,
        &text,
        &"/nonexistent".to_owned(),
        &"/dev/zero".to_owned(),
        &"/".to_owned(),
    ] {
        for command in ["info", "check", "defaults", "rom extract -o out"] {
            let run = place.run(&format!("image {command} {bad}"));
            assert!([1, 6].contains(&run.code), "{run}");
            assert!(run.stderr.contains("hint:"), "{run}");
        }
    }
    let run = place.run(&format!("image info {rom} -d sim:connectx-4"));
    assert_eq!(run.code, 2, "{run}");
}

#[test]
fn a_rom_goes_out_and_in_and_the_image_is_what_it_was() {
    let place = place();
    for (name, description, device) in [("cx4.bin", FS3, 0x1013), ("cx3.bin", FS2, 0x1003)] {
        let old = image(&place, name, description);
        let out = place.path("own.rom").display().to_string();
        let new = place.path("new.bin").display().to_string();
        place.answer(&format!("image rom extract {old} -o {out} --overwrite"));
        place.answer(&format!(
            "image rom replace {old} {out} -o {new} --overwrite"
        ));
        assert_eq!(fs::read(&old).unwrap(), fs::read(&new).unwrap(), "{name}");

        let larger = rom(&place, "larger.rom", device, 30_000);
        let run = place.run(&format!(
            "image rom insert {old} {larger} -o {new} --overwrite"
        ));
        assert_eq!(run.code, 5, "{run}");
        assert!(run.stderr.contains("has an expansion ROM already"), "{run}");
        place.answer(&format!(
            "image rom replace {old} {larger} -o {new} --overwrite"
        ));
        assert_eq!(
            place.run(&format!("image check --round-trip {new}")).code,
            0
        );
        place.answer(&format!("image rom extract {new} -o {out} --overwrite"));
        assert_eq!(fs::read(&larger).unwrap(), fs::read(&out).unwrap());

        let document = place.document(&format!("image rom remove {new} --in-place"));
        assert_eq!(document["schema"], "flexctl.image-rom-remove/1");
        let run = place.run(&format!("image rom extract {new} -o {out} --overwrite"));
        assert_eq!(run.code, 5, "{run}");
        place.answer(&format!("image rom insert {new} {larger} --in-place"));
        assert_eq!(place.run(&format!("image check {new}")).code, 0);
    }
}

#[test]
fn what_could_hurt_has_a_door_of_its_own() {
    let place = place();
    let fs3 = image(&place, "cx4.bin", FS3);
    let other = rom(&place, "other.rom", 0x1003, 100);
    let new = place.path("new.bin").display().to_string();
    assert_snapshot!(place.run(&format!("image rom replace {fs3} {other} -o {new}")), @"
    exit 5
    --- stderr
    error: <place>/cx4.bin: the ROM is for device 0x1003, the image for 0x1013
    hint: `flexctl rom patch --device-id` makes a ROM for another card of the same driver; --allow-other-device takes it as it is
    ");
    let mut bytes = fs::read(rom(&place, "fits.rom", 0x1013, 1000)).unwrap();
    bytes[100] ^= 1;
    let broken = file(&place, "broken.rom", &bytes);
    assert_snapshot!(place.run(&format!("image rom replace {fs3} {broken} -o {new}")), @"
    exit 6
    --- stderr
    error: <place>/cx4.bin: the ROM is damaged: image0/checksum at 0x00000000: the 1536 bytes of the image do not add up to 0: a BIOS does not run it (expected 0x00, found 0xff)
    hint: `flexctl rom check` says all that is wrong with the ROM; --allow-damaged-rom takes it as it is
    ");
    let fits = rom(&place, "fits.rom", 0x1013, 1000);
    let signed = image(
        &place,
        "signed.bin",
        &FS3.replace("\"digest\"", "\"vendor\""),
    );
    assert_snapshot!(place.run(&format!("image rom replace {signed} {fits} -o {new}")), @"
    exit 5
    --- stderr
    error: <place>/signed.bin: the image is signed by its vendor (slot0/IMAGE_SIGNATURE_256 at 0x00013000), and a changed image is not
    caused by: a card with secure firmware refuses an unsigned image; one without does not look at the signature
    hint: --allow-unsigned changes it all the same; `mstflint -d CARD q full` says whether a card has secure firmware
    ");
    assert!(!place.path("new.bin").exists());
    place.answer(&format!(
        "image rom replace {signed} {fits} -o {new} --allow-unsigned"
    ));
    let run = place.run(&format!("image rom replace {fs3} {fits} -o {new}"));
    assert_eq!(run.code, 5, "{run}");
    assert!(run.stderr.contains("--overwrite"), "{run}");
    // By whatever name: never in place unless it was said so.
    let again = place.path("./cx4.bin").display().to_string();
    let run = place.run(&format!(
        "image rom replace {fs3} {fits} -o {again} --overwrite"
    ));
    assert_eq!(run.code, 2, "{run}");
    assert!(run.stderr.contains("--in-place"), "{run}");
    let run = place.run(&format!("image rom replace {fs3} {fits}"));
    assert_eq!(run.code, 2, "{run}");
    let before = fs::read(&fs3).unwrap();
    place.answer(&format!(
        "image rom replace {fs3} {fits} --in-place --dry-run"
    ));
    assert_eq!(before, fs::read(&fs3).unwrap());
}

#[test]
fn boot_defaults_are_shown_changed_and_changed_back() {
    let place = place();
    let old = image(&place, "cx3.bin", FS2);
    let shown = place.answer(&format!("image defaults {old}"));
    assert!(shown.contains("inferred, not documented"), "{shown}");
    assert!(shown.contains("IP_VER"), "{shown}");
    let (new, back) = (place.path("new.bin"), place.path("back.bin"));
    assert_snapshot!(place.run(&format!("image defaults {old} IP_VER=IPv4_IPv6 -o {}", new.display())), @"
    exit 0
    --- stderr
    slot0/header/crc at 0x00000022: 0x520 -> 0x7c0b
    slot0/CNF/IP_VER[1] at 0x0000069c: IPv4 -> IPv4_IPv6
    slot0/CNF/IP_VER[2] at 0x000006c0: IPv4 -> IPv4_IPv6
    slot0/CNF/crc at 0x000006d4: 0xe11e -> 0xa28d
    warning: what these registers are is inferred, not documented; a value that is set on the card goes before them
    written to <place>/new.bin
    ");
    let changed = fs::read(&new).unwrap();
    let before = fs::read(&old).unwrap();
    let differing = before.iter().zip(&changed).filter(|(a, b)| a != b).count();
    assert!((3..=6).contains(&differing), "{differing}");
    let document = place.document(&format!("image defaults {}", new.display()));
    let ports: Vec<_> = document["defaults"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|default| default["name"] == "IP_VER")
        .map(|default| default["value"].as_u64().unwrap())
        .collect();
    assert_eq!(ports, [2, 2]);
    place.answer(&format!(
        "image defaults {} IP_VER=IPv4 -o {}",
        new.display(),
        back.display()
    ));
    assert_eq!(before, fs::read(&back).unwrap());

    for (arguments, code) in [
        ("IP_VER=7 --dry-run", 2),
        ("NO_SUCH=1 --dry-run", 2),
        ("IP_VER=IPv6", 2),
        ("IP_VER", 2),
        ("IP_VER_P1=IPv6 --port 2 --dry-run", 2),
    ] {
        let run = place.run(&format!("image defaults {old} {arguments}"));
        assert_eq!(run.code, code, "{run}");
        assert!(run.stderr.contains("hint:"), "{run}");
    }
    let fs3 = image(&place, "cx4.bin", FS3);
    assert_eq!(place.run(&format!("image defaults {fs3}")).code, 5);
    let without = image(&place, "none.bin", &format!("boot_defaults = false\n{FS2}"));
    assert_snapshot!(place.run(&format!("image defaults {without}")), @"
    exit 5
    --- stderr
    error: <place>/none.bin: the pattern of a port's boot defaults was found 0 times, and 2 are expected
    hint: this image is not of the kind whose boot defaults are known; use `flexctl settings set` on the card instead
    ");
}

#[test]
fn build_makes_images_and_says_what_is_wrong_with_a_description() {
    let place = place();
    let description = file(&place, "cx4.toml", FS3.as_bytes());
    let new = place.path("new.bin").display().to_string();
    let document = place.document(&format!("image build {description} -o {new}"));
    assert_eq!(document["format"], "FS3");
    assert_eq!(document["length"], 0x20_0000);
    let wrong = file(
        &place,
        "wrong.toml",
        b"format = 'fs3'\nfile_size = 0x200000\nhw_ids = [1]\nwhat = 2\n",
    );
    assert_snapshot!(place.run(&format!("image build {wrong} -o {new} --overwrite")), @"
    exit 6
    --- stderr
    error: <place>/wrong.toml: no description of an image
    caused by: TOML parse error at line 4, column 1
      |
    4 | what = 2
      | ^^^^
    unknown field `what`, expected one of `format`, `file_size`, `log2_chunk`, `slots`, `fill`, `psid`, `original_psid`, `version`, `date`, `mic_version`, `hw_ids`, `pci_device`, `name`, `description`, `prs_name`, `product_version`, `vsd`, `device_vsd`, `security`, `base_guid`, `base_mac`, `address_count`, `per_port_step`, `boot2`, `spare_itoc`, `section`, `rom`, `ini`, `signature`, `public_keys`
    hint: descriptions to start from are in tests/images of flexctl's source
    ");
    let nothing = file(&place, "nothing.toml", b"");
    assert_eq!(
        place
            .run(&format!("image build {nothing} -o {new} --overwrite"))
            .code,
        6
    );
}

#[test]
fn the_images_in_the_flash_of_a_card_are_looked_at() {
    let place = place();
    for (card, version) in [("connectx-3", "2.42.5000"), ("connectx-4", "12.28.2006")] {
        let info = place.answer(&format!("image info -d sim:{card}"));
        assert!(info.contains(version), "{info}");
        let check = place.run(&format!("image check -d sim:{card}"));
        assert_eq!(check.code, 0, "{check}");
    }
    let check = place.run("image check -d sim:connectx-4-recovery");
    assert_eq!(check.code, 6, "{check}");
    assert!(check.stdout.contains("BOOT2/crc"), "{check}");
    assert_eq!(place.run("image info -d sim:connectx-3 file.bin").code, 2);
    assert_eq!(place.run("image info").code, 2);
}
