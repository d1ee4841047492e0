//! `flexctl burn`

use std::fs;

use flexctl::image::build::build;
use flexctl::sim::Shelf;
use insta::assert_snapshot;

use crate::flexctl::{Place, place};

const FS3: &str = include_str!("../images/fs3-connectx-4.toml");
const FS2: &str = include_str!("../images/fs2-connectx-3.toml");

fn file(place: &Place, name: &str, bytes: &[u8]) -> String {
    let path = place.path(name);
    fs::write(&path, bytes).unwrap();
    path.display().to_string()
}

/// A ROM with a version record, for a BIOS.
fn rom(place: &Place, device: u16) -> String {
    let text = format!(
        "format = 'option-rom'\nvendor_id = 0x15b3\ndevice_id = {device}\n\
         record = [{{ version = '3.4.999' }}]\n\
         [[image]]\ncontents = {{ random = 9, size = 0x1800 }}"
    );
    file(place, "new.rom", &build(&text).unwrap())
}

/// What the card starts with when it is switched on, and the bytes of its flash.
fn boots(place: &Place, card: &str) -> (Option<usize>, Option<Vec<u8>>, Vec<u8>) {
    let card = Shelf::open(place.path("sim")).card(card).unwrap();
    let boot = card.boot();
    let image = boot.image();
    (
        image.map(|image| image.slot),
        image.and_then(|image| image.rom.clone()),
        card.flash(),
    )
}

/// Without what differs from run to run.
fn run(place: &Place, arguments: &str) -> String {
    let text = place.run(arguments).to_string();
    let mut words = String::new();
    for line in text.lines() {
        words.push_str(&stamps_out(line));
        words.push('\n');
    }
    words
}

/// The second in the name of a copy, and its compressed size.
fn stamps_out(line: &str) -> String {
    let mut line = line.to_owned();
    while let Some(at) = line
        .find(".bin.gz")
        .filter(|at| line[..*at].ends_with(char::is_numeric))
    {
        let start = line[..at].rfind('-').unwrap_or(at);
        line.replace_range(start..at + ".bin.gz".len(), "-<time>");
    }
    match (line.find(" ("), line.ends_with(" bytes)")) {
        (Some(at), true) => format!("{} (<size> bytes)", &line[..at]),
        _ => line,
    }
}

#[test]
fn a_rom_is_burned_and_everything_else_stays() {
    let place = place();
    let rom = rom(&place, 0x1003);
    let (slot, _, before) = boots(&place, "connectx-3");
    assert_eq!(slot, Some(0));
    assert_snapshot!(run(&place, &format!("burn -d sim:connectx-3 {rom}")), @"
    exit 0
    --- stdout
    ConnectX-3 at sim:connectx-3
      burn              expansion ROM <place>/new.rom
      firmware          2.42.5000 (stays)
      expansion ROM     PXE 3.4.752 -> PXE 3.4.999
      IPv6 in its code  cannot tell
      goes to           0x00080000 (the image at 0x00000000 starts until all is verified)
      flash             Winbond W25Q16, 2.00 MiB, by SPI gateway (CR 0xf0400)
      writes            90 pages programmed (21.41 KiB); the chip takes about a second
      stays             GUIDs and MACs, settings store
      not covered: a new ROM that hangs the host while it starts: the card boots, the host does not
      the way back: flexctl restore -d sim:connectx-3 COPY (made first; its name is told then)
      the way back: if the host hangs at the new ROM: switch the slot's option ROM off in its BIOS setup, start it by UEFI, or put the card into another host, and do that there
      written, read back and switched over, starts at the next boot of the host (switch it off and on to be sure)
      the flash as it was: <place>/state/flash/sim-connectx-3-<time>
      the way back: flexctl restore -d sim:connectx-3 <place>/state/flash/sim-connectx-3-<time>
    --- stderr
    sim:connectx-3: the whole flash is saved in <place>/state/flash/sim-connectx-3-<time> (<size> bytes)
    ");
    let (slot, burned, after) = boots(&place, "connectx-3");
    assert_eq!(slot, Some(1));
    assert_eq!(burned, Some(fs::read(&rom).unwrap()));
    // The settings store of both halves, byte for byte.
    for store in [0xf_e000..0x10_0000, 0x1f_e000..0x20_0000] {
        assert_eq!(before[store.clone()], after[store]);
    }
    assert_snapshot!(run(&place, &format!("burn -d sim:connectx-3 {rom}")), @"
    exit 0
    --- stdout
    ConnectX-3 at sim:connectx-3
      burn              expansion ROM <place>/new.rom
      firmware          2.42.5000 (stays)
      expansion ROM     PXE 3.4.999 (stays)
      IPv6 in its code  cannot tell
      goes to           0x00000000 (the image at 0x00080000 starts until all is verified)
      flash             Winbond W25Q16, 2.00 MiB, by SPI gateway (CR 0xf0400)
      writes            5 blocks erased (20.00 KiB), 90 pages programmed (21.41 KiB); the chip takes about a second
      stays             GUIDs and MACs, settings store
      the way back: flexctl restore -d sim:connectx-3 COPY (made first; its name is told then)
      the way back: if the host hangs at the new ROM: switch the slot's option ROM off in its BIOS setup, start it by UEFI, or put the card into another host, and do that there
      nothing to do: the card boots exactly this already
    ");
}

#[test]
fn a_dry_run_shows_the_plan_and_writes_nothing() {
    let place = place();
    let rom = rom(&place, 0x1003);
    let before = boots(&place, "connectx-3");
    let said = run(
        &place,
        &format!("burn -d sim:connectx-3 {rom} --dry-run --exit-code -v"),
    );
    assert_snapshot!(said, @"
    exit 9
    --- stdout
    ConnectX-3 at sim:connectx-3
      burn              expansion ROM <place>/new.rom
      firmware          2.42.5000 (stays)
      expansion ROM     PXE 3.4.752 -> PXE 3.4.999
      IPv6 in its code  cannot tell
      goes to           0x00080000 (the image at 0x00000000 starts until all is verified)
      flash             Winbond W25Q16, 2.00 MiB, by SPI gateway (CR 0xf0400)
      writes            90 pages programmed (21.41 KiB); the chip takes about a second
      stays             GUIDs and MACs, settings store
        program 4080 bytes at 0x00080010
        program 3880 bytes at 0x00081000
        program 3864 bytes at 0x000820e8
        program 4096 bytes at 0x00083000
        program 4096 bytes at 0x00084000
        program 1884 bytes at 0x00085000
        write the magic at 0x00080000
        set the boot address to 0x00080000
        make the old slot at 0x00000000 invalid
      not covered: a new ROM that hangs the host while it starts: the card boots, the host does not
      the way back: flexctl restore -d sim:connectx-3 COPY (made first; its name is told then)
      the way back: if the host hangs at the new ROM: switch the slot's option ROM off in its BIOS setup, start it by UEFI, or put the card into another host, and do that there
      dry run: nothing was written
    --- stderr
    18848 bytes of flash were read to know what is in it
    ");
    assert_eq!(boots(&place, "connectx-3"), before);
    assert!(!place.path("state").exists());
}

#[test]
fn a_firmware_image_becomes_the_cards_own() {
    let place = place();
    let text = "format = 'fs2'\npsid = 'MT_1090120019'\nfirmware = '2.42.6000'\n\
                date = '2022-01-31'\ndevice_id = 0x1003\nhardware_ids = [0x101f5]\n\
                chunk = 0x80000\nmic_version = '2.0.0'\n\
                code = [{ random = 31, size = 0x9000 }, { random = 32, size = 0x6c00 }]\n";
    let image = file(&place, "fw.bin", &build(text).unwrap());
    let (_, rom, _) = boots(&place, "connectx-3");
    assert_snapshot!(run(&place, &format!("burn -d sim:connectx-3 {image} --no-backup")), @"
    exit 0
    --- stdout
    ConnectX-3 at sim:connectx-3
      burn              firmware image <place>/fw.bin
      firmware          2.42.5000 -> 2.42.6000
      expansion ROM     PXE 3.4.752 (stays)
      IPv6 in its code  cannot tell
      goes to           0x00080000 (the image at 0x00000000 starts until all is verified)
      flash             Winbond W25Q16, 2.00 MiB, by SPI gateway (CR 0xf0400)
      writes            276 pages programmed (68.27 KiB); the chip takes about a second
      stays             GUIDs and MACs, settings store
      note: the card's expansion ROM is kept
      not covered: new firmware that starts and does not work: nothing goes back to the old image by itself
      not covered: settings stay as they are stored, and another version may understand them in another way
      the way back: burn the old image again: no copy of the flash is made (--no-backup)
      the way back: if the host hangs at the new ROM: switch the slot's option ROM off in its BIOS setup, start it by UEFI, or put the card into another host, and do that there
      written, read back and switched over, starts at the next boot of the host (switch it off and on to be sure)
      the way back: burn the old image again: no copy of the flash is made (--no-backup)
    ");
    let (slot, kept, _) = boots(&place, "connectx-3");
    assert_eq!((slot, kept), (Some(1), rom));
    place.run("sim reboot connectx-3");
    assert!(
        place
            .run("show -d sim:connectx-3")
            .stdout
            .contains("2.42.6000")
    );
}

#[test]
fn what_is_not_for_the_card_is_refused_before_the_first_erase() {
    let place = place();
    let cx4 = rom(&place, 0x1013);
    let said = |arguments: &str| run(&place, arguments);
    assert_snapshot!(said(&format!("burn -d sim:connectx-3 {cx4}")), @"
    exit 5
    --- stdout
    ConnectX-3 at sim:connectx-3
      burn           expansion ROM <place>/new.rom
      firmware       2.42.5000 (stays)
      expansion ROM  PXE 3.4.752 -> PXE 3.4.999
      goes to        0x00080000 (the image at 0x00000000 starts until all is verified)
      flash          Winbond W25Q16, 2.00 MiB, by SPI gateway (CR 0xf0400)
      stays          GUIDs and MACs, settings store
      note: the ROM is for another device than the image
      not covered: a new ROM that hangs the host while it starts: the card boots, the host does not
    --- stderr
    error: the ROM is made for another device (expected 0x1003, 0x1004, 0x1005, 0x1006, 0x1008, 0x1009, 0x100a, 0x100b, 0x100c, 0x100d, 0x100e, 0x100f, 0x1010, found 0x1013)
    hint: nothing was written; who knows better opens what stands in the way: --allow-other-device-rom
    ");
    let fs3 = build(FS3).unwrap();
    let other_board = file(&place, "board.bin", &fs3);
    assert_snapshot!(said(&format!("burn -d sim:connectx-4 {other_board}")), @"
    exit 5
    --- stdout
    ConnectX-4 at sim:connectx-4
      burn           firmware image <place>/board.bin
      firmware       12.28.2006 -> 12.14.2036
      PSID           MT_2190110032 -> FLX2190000001
      expansion ROM  PXE 3.6.102, UEFI 14.21.17 -> PXE 3.4.718
      goes to        0x00400000 (the image at 0x00000000 starts until all is verified)
      flash          Micron N25Q128, 16.00 MiB, by firmware registers (MFBA, MFBE)
      stays          GUIDs and MACs, NV_DATA, FW_NV_LOG, DEV_INFO, MFG_INFO
      not covered: a new ROM that hangs the host while it starts: the card boots, the host does not
      not covered: new firmware that starts and does not work: nothing goes back to the old image by itself
      not covered: settings stay as they are stored, and another version may understand them in another way
    --- stderr
    error: the image is made for another board (expected PSID MT_2190110032, found FLX2190000001)
    error: the image is older than the card's firmware (expected 12.28.2006 or later, found 12.14.2036)
    error: the card could boot no more by UEFI x86, which its ROM has now (expected BIOS, UEFI x86, found BIOS)
    hint: nothing was written; who knows better opens what stands in the way: --allow-other-psid --allow-downgrade --allow-lost-image
    ");
    let other_chip = file(&place, "chip.bin", &build(FS2).unwrap());
    assert_snapshot!(said(&format!("burn -d sim:connectx-4 {other_chip}")), @"
    exit 5
    --- stdout
    ConnectX-4 at sim:connectx-4
      burn   firmware image <place>/chip.bin
      flash  Micron N25Q128, 16.00 MiB, by firmware registers (MFBA, MFBE)
    --- stderr
    error: the file is not for this card (expected FS3 firmware, found FS2 firmware, for a ConnectX-3)
    hint: nothing was written; no option lets this pass: mend what the message names, or take another file
    ");
    let cut = file(&place, "cut.bin", &fs3[..0x4000]);
    assert_snapshot!(said(&format!("burn -d sim:connectx-4 {cut}")), @"
    exit 6
    --- stdout
    ConnectX-4 at sim:connectx-4
      burn   firmware image <place>/cut.bin
      flash  Micron N25Q128, 16.00 MiB, by firmware registers (MFBA, MFBE)
    --- stderr
    error: the image in the file is damaged: slot0/ROM_CODE at 0x00003000: the section is not within the file (expected an end up to 0x4000, found 0x4014)
    hint: nothing was written; no option lets this pass: mend what the message names, or take another file
    ");
    let mut flipped = fs3.clone();
    flipped[0x3100] ^= 1;
    let flipped = file(&place, "flipped.bin", &flipped);
    assert_snapshot!(said(&format!("burn -d sim:connectx-4 {flipped}")), @"
    exit 6
    --- stdout
    ConnectX-4 at sim:connectx-4
      burn   firmware image <place>/flipped.bin
      flash  Micron N25Q128, 16.00 MiB, by firmware registers (MFBA, MFBE)
    --- stderr
    error: the image in the file is damaged: slot0/ROM_CODE/crc at 0x00003000: wrong CRC (expected 0x5bf3, found 0x865b)
    hint: nothing was written; no option lets this pass: mend what the message names, or take another file
    ");
    let mut fs4 = fs3;
    fs4[..16].copy_from_slice(&flexctl::image::FS4_MAGIC);
    fs4[0x10] = 1;
    let fs4 = file(&place, "fs4.bin", &fs4);
    assert_snapshot!(said(&format!("burn -d sim:connectx-4 {fs4}")), @"
    exit 5
    --- stdout
    ConnectX-4 at sim:connectx-4
      burn   firmware image <place>/fs4.bin
      flash  Micron N25Q128, 16.00 MiB, by firmware registers (MFBA, MFBE)
    --- stderr
    error: the file is not for this card (expected FS3 firmware, found FS4 or FS5 firmware, for a ConnectX-5 or later)
    hint: nothing was written; no option lets this pass: mend what the message names, or take another file
    ");
    let text = file(&place, "words.txt", b"no firmware at all");
    assert_snapshot!(said(&format!("burn -d sim:connectx-4 {text}")), @"
    exit 6
    --- stdout
    ConnectX-4 at sim:connectx-4
      burn   firmware image <place>/words.txt
      flash  Micron N25Q128, 16.00 MiB, by firmware registers (MFBA, MFBE)
    --- stderr
    error: the file is no firmware image
    hint: nothing was written; no option lets this pass: mend what the message names, or take another file
    ");
    let unversioned =
        "format = 'option-rom'\nvendor_id = 0x15b3\ndevice_id = 0x1003\nimage = [{}]\n";
    let unversioned = file(&place, "bare.rom", &build(unversioned).unwrap());
    assert_snapshot!(said(&format!("burn -d sim:connectx-3 {unversioned}")), @"
    exit 5
    --- stdout
    ConnectX-3 at sim:connectx-3
      burn           expansion ROM <place>/bare.rom
      firmware       2.42.5000 (stays)
      expansion ROM  PXE 3.4.752 -> 0x200 bytes without a version
      goes to        0x00080000 (the image at 0x00000000 starts until all is verified)
      flash          Winbond W25Q16, 2.00 MiB, by SPI gateway (CR 0xf0400)
      stays          GUIDs and MACs, settings store
      note: the ROM has no version record: no firmware tool can name its version
      not covered: a new ROM that hangs the host while it starts: the card boots, the host does not
    --- stderr
    error: the ROM has no version record, so that no tool can tell its version
    hint: nothing was written; who knows better opens what stands in the way: --allow-unversioned-rom
    ");
    let large = "format = 'option-rom'\nvendor_id = 0x15b3\ndevice_id = 0x1003\n\
                 record = [{ version = '3.4.999' }]\n\
                 [[image]]\ncontents = { random = 9, size = 0x1ff000 }";
    let large = build(large).map(|bytes| file(&place, "large.rom", &bytes));
    if let Ok(large) = large {
        assert_snapshot!(said(&format!("burn -d sim:connectx-3 {large}")), @"");
    }
    for card in ["connectx-3", "connectx-4"] {
        let card = Shelf::open(place.path("sim")).card(card).unwrap();
        assert_eq!(card.flash_counters().operations(), 0);
    }
}

#[test]
fn cards_that_must_not_be_written_are_left_alone() {
    let place = place();
    let rom = rom(&place, 0x1013);
    let doors = "--allow-lost-image";
    let mut said = String::new();
    for card in [
        "connectx-4-protected",
        "connectx-4-secure",
        "connectx-4-unknown-chip",
        "connectx-4-recovery",
    ] {
        said.push_str(&run(
            &place,
            &format!("burn -d sim:{card} {rom} {doors} -q"),
        ));
        let card = Shelf::open(place.path("sim")).card(card).unwrap();
        assert_eq!(card.flash_counters().operations(), 0);
    }
    assert_snapshot!(said, @"
    exit 5
    --- stdout
    ConnectX-4 at sim:connectx-4-protected
      burn           expansion ROM <place>/new.rom
      firmware       12.28.2006 (stays)
      expansion ROM  PXE 3.6.102, UEFI 14.21.17 -> PXE 3.4.999
      goes to        0x00400000 (the image at 0x00000000 starts until all is verified)
      flash          Micron N25Q128, 16.00 MiB, by firmware registers (MFBA, MFBE)
      stays          GUIDs and MACs, NV_DATA, FW_NV_LOG, DEV_INFO, MFG_INFO
      not covered: a new ROM that hangs the host while it starts: the card boots, the host does not
      --allow-lost-image: the card could boot no more by UEFI x86, which its ROM has now (expected BIOS, UEFI x86, found BIOS)
    --- stderr
    error: the flash chip is write protected: 64 blocks of 64 KiB at its top (MFMC) (expected no protection, found 64 blocks of 64 KiB at its top (MFMC))
    hint: nothing was written; no option lets this pass: mend what the message names, or take another file
    exit 5
    --- stdout
    ConnectX-4 at sim:connectx-4-secure
      burn           expansion ROM <place>/new.rom
      firmware       12.28.2006 (stays)
      expansion ROM  PXE 3.6.102, UEFI 14.21.17 -> PXE 3.4.999
      goes to        0x00400000 (the image at 0x00000000 starts until all is verified)
      flash          Micron N25Q128, 16.00 MiB, by firmware registers (MFBA, MFBE)
      stays          GUIDs and MACs, NV_DATA, FW_NV_LOG, DEV_INFO, MFG_INFO
      note: the signature is lost; a card with secure firmware refuses the image
      not covered: a new ROM that hangs the host while it starts: the card boots, the host does not
      --allow-lost-image: the card could boot no more by UEFI x86, which its ROM has now (expected BIOS, UEFI x86, found BIOS)
    --- stderr
    error: the card takes only firmware that its maker signed, and only through the running firmware: the image that runs is marked as secure firmware
    error: the image is signed by its vendor (slot0/IMAGE_SIGNATURE_256 at 0x0000f000), and a changed image is not
    hint: nothing was written; no option lets this pass: mend what the message names, or take another file
    exit 5
    --- stderr
    error: 0000:1c:00.0: unknown flash chip, JEDEC id 5e 77 18
    hint: nothing was written: flexctl knows the chips of hwdb/flash-chips.toml only, and how to write another is a guess; report this id
    exit 5
    --- stdout
    ConnectX-4 in flash-recovery mode at sim:connectx-4-recovery
      burn   expansion ROM <place>/new.rom
      flash  Micron N25Q128, 16.00 MiB, by SPI gateway (CR 0xf0400)
    --- stderr
    error: the image at 0x0, which a boot takes, is damaged: slot0/BOOT2/crc at 0x00000144: wrong CRC (expected 0x7402, found 0xf88f)
    error: no ROM can be changed in the card's image: the image is damaged: slot0/BOOT2/crc at 0x00000144: wrong CRC (expected 0x7402, found 0xf88f)
    hint: nothing was written; no option lets this pass: mend what the message names, or take another file
    ");
}

#[test]
fn a_card_of_the_host_needs_a_word_of_its_own() {
    let place = place();
    let rom = rom(&place, 0x1003);
    let command = format!("burn -d 05:00.0 {rom} --yes");
    let Some(run) = place.among_cards("connectx-3", &command) else {
        return;
    };
    assert_eq!(run.code, 5, "{run}");
    assert!(run.stderr.contains("--accept-untested"), "{run}");
    let command = format!("burn -d 05:00.0 {rom} --accept-untested");
    let run = place.among_cards("connectx-3", &command).unwrap();
    assert_eq!(run.code, 2, "nobody can be asked: {run}");
    let command = format!("burn -d 05:00.0 {rom} --accept-untested --yes --no-backup");
    let run = place.among_cards("connectx-3", &command).unwrap();
    assert_eq!(run.code, 0, "{run}");
    assert_eq!(boots(&place, "connectx-3").0, Some(1));
}

#[test]
fn cards_have_to_be_named() {
    let place = place();
    let rom = rom(&place, 0x1003);
    assert_snapshot!(run(&place, &format!("burn {rom}")), @"
    exit 2
    --- stderr
    error: no card is named to be burned
    hint: name it with --device; `flexctl list` shows cards
    ");
    assert_snapshot!(run(&place, "burn -d sim:connectx-3"), @"
    exit 2
    --- stderr
    error: the following required arguments were not provided:
      <FILE>

    Usage: flexctl burn --device <SEL> <FILE>
    hint: --help after the command tells how it is used
    ");
    assert_snapshot!(run(&place, "burn -d sim:connectx-3 --continue"), @"
    exit 0
    --- stdout
      nothing to do: no burn of this card was interrupted
    ");
}

#[test]
fn a_burn_without_power_goes_on_where_it_ended() {
    let place = place();
    let rom = rom(&place, 0x1003);
    place.run("sim new node connectx-3");
    place.run("sim fault node flash-power-cut@20");
    assert_snapshot!(run(&place, &format!("burn -d sim:node {rom}")), @"
    exit 7
    --- stdout
    ConnectX-3 at sim:node
      burn              expansion ROM <place>/new.rom
      firmware          2.42.5000 (stays)
      expansion ROM     PXE 3.4.752 -> PXE 3.4.999
      IPv6 in its code  cannot tell
      goes to           0x00080000 (the image at 0x00000000 starts until all is verified)
      flash             Winbond W25Q16, 2.00 MiB, by SPI gateway (CR 0xf0400)
      writes            90 pages programmed (21.41 KiB); the chip takes about a second
      stays             GUIDs and MACs, settings store
      not covered: a new ROM that hangs the host while it starts: the card boots, the host does not
      the way back: flexctl restore -d sim:node COPY (made first; its name is told then)
      the way back: if the host hangs at the new ROM: switch the slot's option ROM off in its BIOS setup, start it by UEFI, or put the card into another host, and do that there
    --- stderr
    sim:node: the whole flash is saved in <place>/state/flash/sim-node-<time> (<size> bytes)
    error: writing failed: the inactive slot is partly written
    caused by: 0000:05:00.0: programming 0x100 bytes of flash at 0x00081300 failed
    caused by: 0000:05:00.0: the card answers all-ones to BAR0: it is gone, in reset or powered down
    the card now: the inactive slot is partly written
    the card now: a cold boot starts slot 0
    hint: go on where it ended with: flexctl burn --continue -d sim:node
    hint: or take it back with: flexctl restore -d sim:node <place>/state/flash/sim-node-<time>
    ");
    assert_eq!(boots(&place, "node").0, Some(0));
    place.run("sim fault node --clear");
    place.run("sim reboot node");
    assert_snapshot!(run(&place, "burn -d sim:node --continue --dry-run"), @"
    exit 0
    --- stdout
    ConnectX-3 at sim:node
      burn     what is left of the burn of process <number>
      goes to  0x00080000 (the image at 0x00000000 starts until all is verified)
      flash    Winbond W25Q16, 2.00 MiB, by SPI gateway (CR 0xf0400)
      writes   70 pages programmed (16.42 KiB); the chip takes about a second
      dry run: nothing was written
    ");
    assert_snapshot!(run(&place, "burn -d sim:node --continue"), @"
    exit 0
    --- stdout
    ConnectX-3 at sim:node
      burn     what is left of the burn of process <number>
      goes to  0x00080000 (the image at 0x00000000 starts until all is verified)
      flash    Winbond W25Q16, 2.00 MiB, by SPI gateway (CR 0xf0400)
      writes   70 pages programmed (16.42 KiB); the chip takes about a second
      written, read back and switched over, starts at the next boot of the host (switch it off and on to be sure)
      the flash as it was: <place>/state/flash/sim-node-<time>
    ");
    let (slot, burned, _) = boots(&place, "node");
    assert_eq!((slot, burned), (Some(1), Some(fs::read(&rom).unwrap())));
    assert_snapshot!(run(&place, "burn -d sim:node --continue"), @"
    exit 0
    --- stdout
      nothing to do: no burn of this card was interrupted
    ");
}

#[test]
fn somebody_who_asks_to_stop_is_heard_at_the_next_safe_point() {
    let place = place();
    let rom = rom(&place, 0x1003);
    place.run("sim new node connectx-3");
    // Early: while the copy is made. Late: while the other slot is written.
    for (at, untouched) in [(20_000, true), (600_000, false)] {
        place.run(&format!("sim fault node interrupt@{at}"));
        let copy = if untouched { "" } else { "--no-backup" };
        let said = run(&place, &format!("burn -d sim:node {rom} {copy}"));
        if untouched {
            assert!(said.starts_with("exit 1"), "{said}");
        }
        assert!(boots(&place, "node").0.is_some());
        place.run("sim reboot node");
    }
}

#[test]
fn a_lock_that_somebody_holds_is_waited_for_and_named() {
    let place = place();
    let rom = rom(&place, 0x1003);
    place.run("sim new node connectx-3");
    place.run("sim fault node hold-semaphore=flash");
    assert_snapshot!(run(&place, &format!("burn -d sim:node {rom} --wait 0.1")), @"
    exit 5
    --- stderr
    error: 0000:05:00.0: the flash programming semaphore (CR 0xf03a0) is held (it reads as 0x1), waited 100ms
    hint: another tool is at work on the flash: wait for it; when it is dead, free the lock with: flexctl doctor -d sim:node --clear-semaphores
    ");
}

#[test]
fn programs_get_a_document_and_lines_of_progress() {
    let place = place();
    let rom = rom(&place, 0x1003);
    let run = place.run(&format!("burn -d sim:connectx-3 {rom} --json"));
    let document: serde_json::Value = serde_json::from_str(&run.stdout).unwrap();
    assert_eq!(document["schema"], "flexctl.burn/1");
    let card = &document["cards"][0];
    assert_eq!(card["outcome"], "burned");
    assert_eq!(card["flash"]["jedec"], "ef4015");
    assert_eq!(card["start"]["to"], 0x8_0000);
    assert!(card["plan"][0]["steps"].as_array().unwrap().len() > 3);
    assert!(card["backup"].as_str().unwrap().ends_with(".bin.gz"));
    let phases: Vec<String> = run
        .stderr
        .lines()
        .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok())
        .filter(|event| event["schema"] == "flexctl.progress/1")
        .map(|event| event["phase"].as_str().unwrap().to_owned())
        .collect();
    for phase in ["read-flash", "read-again", "write", "verify", "magic"] {
        assert!(phases.iter().any(|one| one == phase), "{phase}: {phases:?}");
    }
}

#[test]
fn a_pipe_by_name_is_refused_and_not_waited_for() {
    let place = place();
    let pipe = place.path("pipe");
    let made = std::process::Command::new("mkfifo").arg(&pipe).status();
    assert!(made.unwrap().success());
    let run = place.run(&format!("burn -d sim:connectx-3 {}", pipe.display()));
    assert_eq!(run.code, 6, "{run}");
    assert!(run.stderr.contains("from stdin"), "{run}");
}
