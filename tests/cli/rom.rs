//! `flexctl rom`

use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::process::Stdio;

use flexctl::image::build::OptionRomDescription;
use insta::assert_snapshot;

use crate::flexctl::{Place, place};

const BIOS: &str = "
    [[image]]
    device_list = [0x1013]
    pnp = { manufacturer = 'nobody', product = 'a test', bev = 0x200 }
    undi = {}
    ipxe = { build_id = 0x12345678, shrunk_blocks = 1 }
    contents = { random = 1, size = 700 }
    [[image]]
    code_type = 0xff
    contents = { random = 2, size = 3000 }
";
const EFI: &str = "
    [[image]]
    code_type = 3
    efi = {}
    contents = { random = 3, size = 2000 }
";

fn rom(place: &Place, name: &str, device: u16, parts: &[&str]) -> String {
    let text = format!(
        "format = 'option-rom'\ndevice_id = {device}\n{}",
        parts.concat()
    );
    let bytes = OptionRomDescription::from_toml(&text)
        .unwrap()
        .build()
        .unwrap();
    let path = place.path(name);
    fs::write(&path, bytes).unwrap();
    path.display().to_string()
}

#[test]
fn info_shows_images_versions_and_what_the_code_shows() {
    let place = place();
    let both = rom(
        &place,
        "both.rom",
        0x1013,
        &[BIOS, EFI, "[[record]]\nversion = '3.4.812'\ncpu = 1"],
    );
    assert_snapshot!(place.run(&format!("rom info {both}")), @"
    exit 0
    --- stdout
    <place>/both.rom, 6676 bytes
      image 0: BIOS (PC-AT)  at 0x0, 1024 bytes
        device  15b3:1013
        PnP     nobody, a test; boots from the network (BEV 0x0200)
        UNDI    PXE 2.1.0
        iPXE    build id 0x12345678, shrinks to 512 bytes
      image 1: iPXE payload  at 0x400, 3072 bytes
        device  15b3:1013
        iPXE    what the BIOS image unpacks (.mrom)
      image 2: EFI  at 0x1000, 2560 bytes
        device  15b3:1013
        EFI     x86-64, boot service driver, not compressed
      version record  PXE 3.4.812 for device 0x1013 AMD64 (behind the last image, at 0x1a00)
      program                    cannot tell
      IPv6 code inside           cannot tell
                                 image 0 (bios), cannot tell: the image is neither iPXE nor FlexBoot, and nothing is known of others
                                 image 2 (efi), cannot tell: what the image holds is no EFI program (PE), or not all of one
      obeys the setting IP_VER   cannot tell
                                 image 0 (bios), cannot tell: whether IPv6 is inside cannot be told either
                                 image 2 (efi), cannot tell: whether IPv6 is inside cannot be told either
      IPv6 without that setting  cannot tell
                                 image 0 (bios), cannot tell: it cannot be told whether it obeys the setting
                                 image 2 (efi), cannot tell: it cannot be told whether it obeys the setting
    ");
    let document = place.document(&format!("rom info {both}"));
    assert_eq!(document["schema"], "flexctl.rom-info/1");
    let rom = &document["roms"][0]["rom"];
    assert_eq!(rom["mrom"], true);
    assert_eq!(rom["ids"][0], "15b3:1013");
    assert_eq!(rom["images"][2]["efi"]["machine_name"], "x86-64");
    assert_eq!(rom["version_records"][0]["version"], "3.4.812");
    assert_eq!(
        document["roms"][0]["proof"]["ipv6"]["answer"],
        "cannot tell"
    );
}

#[test]
fn info_of_a_card_says_what_a_host_does_not_show() {
    let place = place();
    let run = place.run("rom info -d sim:connectx-4");
    assert_eq!(run.code, 0, "{run}");
    assert!(run.stdout.contains("version record  PXE 3."), "{run}");
    assert!(run.stdout.contains("up to its last image"), "{run}");
    // This one has its record where releases have it.
    let run = place.run("rom check -d sim:connectx-3 --strict");
    assert_eq!(run.code, 0, "{run}");
    let document = place.document("rom info -d sim:connectx-3");
    assert_eq!(document["roms"][0]["trailing_seen"], false);
}

#[test]
fn check_prints_everything_and_its_exit_code_follows() {
    let place = place();
    let wrong = rom(
        &place,
        "wrong.rom",
        0x1013,
        &["[[image]]\nipxe = {}\nwrong_sum = 1"],
    );
    assert_snapshot!(place.run(&format!("rom check {wrong}")), @"
    exit 6
    --- stdout
    error: image0/checksum at 0x00000000: the 512 bytes of the image do not add up to 0: a BIOS does not run it (expected 0x00, found 0x01)
    warning: version-record at 0x00000200: there is no version record, so firmware tools cannot tell a version
    <place>/wrong.rom: damaged, 1 error, 1 warning
      program                    neither FlexBoot nor iPXE
      IPv6 code inside           cannot tell
                                 the image is neither iPXE nor FlexBoot, and nothing is known of others
      obeys the setting IP_VER   cannot tell
                                 whether IPv6 is inside cannot be told either
      IPv6 without that setting  cannot tell
                                 it cannot be told whether it obeys the setting
    --- stderr
    hint: get the file again; if it was changed on purpose, `flexctl rom patch --fix-checksums` corrects its sums
    ");
    let unversioned = rom(&place, "plain.rom", 0x1013, &[BIOS]);
    let check = format!("rom check {unversioned}");
    assert_eq!(place.run(&check).code, 0);
    assert_eq!(place.run(&format!("{check} --strict")).code, 6);
    let document = place.document(&check);
    assert_eq!(document["schema"], "flexctl.rom-check/1");
    let rom = &document["roms"][0];
    assert_eq!(rom["passed"], true);
    assert_eq!(rom["counts"]["warnings"], 1);
    assert_eq!(rom["findings"][0]["path"], "version-record");
}

#[test]
fn what_is_no_rom_is_refused_by_what_it_is() {
    let place = place();
    for (name, contents, words) in [
        ("efi", &b"MZ"[..], "efirom"),
        ("text", b"hello", "55 AA"),
        ("empty", b"", "55 AA"),
        (
            "firmware",
            b"MTFW\x8c\xdf\xd0\x00\xde\xad\x92\x70\x41\x54\xbe\xef\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x03",
            "flexctl image rom extract",
        ),
    ] {
        let path = place.path(name);
        fs::write(&path, contents).unwrap();
        let output = place.path("out").display().to_string();
        let path = path.display();
        for arguments in [
            format!("rom info {path}"),
            format!("rom check {path}"),
            format!("rom extract {path} --output {output}"),
            format!("rom patch {path} --device-id 1013 --output {output}"),
        ] {
            let run = place.run(&arguments);
            assert_eq!(run.code, 6, "{run}");
            assert!(run.stderr.contains(words), "{run}");
        }
    }
    assert!(!place.path("out").exists());
    let missing = place.run("rom info /nonexistent");
    assert_eq!(missing.code, 1, "{missing}");
    for arguments in ["rom info", "rom info x -d sim:connectx-4", "rom patch x"] {
        assert_eq!(place.run(arguments).code, 2, "{arguments}");
    }
}

#[test]
fn extract_and_patch_take_apart_and_put_together() {
    let place = place();
    let both = rom(
        &place,
        "both.rom",
        0x1013,
        &[BIOS, EFI, "[[record]]\nversion = '3.4.812'"],
    );
    let path = |name: &str| place.path(name).display().to_string();
    for (selector, name) in [
        ("", "whole"),
        ("--image 1", "payload"),
        ("--bios", "bios"),
        ("--efi", "efi"),
    ] {
        place.answer(&format!("rom extract {both} {selector} -o {}", path(name)));
    }
    let bytes = |name: &str| fs::read(place.path(name)).unwrap();
    assert_eq!(bytes("whole"), bytes("both.rom"));
    let patch = format!(
        "rom patch {} --with-efi {} -o {}",
        path("bios"),
        path("efi"),
        path("again")
    );
    place.answer(&patch);
    assert_eq!(bytes("again"), bytes("both.rom"));
    // It is there now.
    assert_snapshot!(place.run(&patch), @"
    exit 5
    --- stderr
    error: cannot write `<place>/again`
    caused by: it exists already
    hint: choose another name, or add --overwrite
    ");
    place.answer(&format!("{patch} --overwrite"));
    let swapped = format!(
        "rom patch {} --with-efi {} --dry-run",
        path("efi"),
        path("bios")
    );
    assert_snapshot!(place.run(&swapped), @"
    exit 6
    --- stderr
    error: <place>/bios: there is no EFI image in it
    hint: --with-efi takes a ROM with an EFI image, such as iPXE's .efirom
    ");
    let none = place.run(&format!("rom extract {both} --image 7 -o {}", path("x")));
    assert_eq!(none.code, 6, "{none}");
    place.answer(&format!(
        "rom extract -d sim:connectx-4 -o {}",
        path("card")
    ));
    assert!(bytes("card").starts_with(&[0x55, 0xaa]));
}

#[test]
fn patch_shows_its_changes_and_writes_only_what_it_should() {
    let place = place();
    let file = rom(&place, "bios.rom", 0x1013, &[BIOS]);
    let before = fs::read(&file).unwrap();
    let changes = "--device-id 0x1015 --version 3.4.812 --port 1 --protocol eth --cpu amd64";
    assert_snapshot!(place.run(&format!("rom patch {file} {changes} --dry-run")), @"
    exit 0
    --- stdout
    <place>/bios.rom
      0x6     image0/checksum          0x45 -> 0x41
      0x22    image0/PCIR/device-id    0x1013 -> 0x1015
      0x40    image0/device-list       0x1013 -> 0x1015
      0x422   image1/PCIR/device-id    0x1013 -> 0x1015
      0x1000  trailing/version-record  added: PXE 3.4.812 for 0x1015 port 1 AMD64 ETH
      length: 4116 bytes, 4096 before
    --- stderr
    note: the version record lies behind the last image: firmware tools find it there, but a host does not show it
    ");
    assert_eq!(fs::read(&file).unwrap(), before);

    fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).unwrap();
    place.answer(&format!("rom patch {file} {changes} --in-place"));
    assert_ne!(fs::read(&file).unwrap(), before);
    let mode = fs::metadata(&file).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o640);
    let again = place.answer(&format!("rom patch {file} {changes} --in-place"));
    assert!(again.contains("like that already"), "{again}");

    let document = place.document(&format!("rom patch {file} --version 3.4.900 --dry-run"));
    assert_eq!(document["schema"], "flexctl.rom-patch/1");
    assert_eq!(document["path"], serde_json::Value::Null);
    assert_eq!(document["changes"][0]["path"], "trailing/version-record");
    for (wrong, code) in [
        ("--dry-run", 2),
        ("--version 3.4 --dry-run", 2),
        ("--device-id 12345 --dry-run", 2),
        ("--product text --version 1.2.3 --dry-run", 2),
        ("--product uefi --port 1 --dry-run", 2),
        ("--version 3.4.5 --dry-run -d sim:connectx-4", 2),
        ("--version 3.4.5 --in-place --output x", 2),
    ] {
        let run = place.run(&format!("rom patch {file} {wrong}"));
        assert_eq!(run.code, code, "{wrong}: {run}");
    }
}

#[test]
fn patch_does_not_hide_damage_or_mix_cards() {
    let place = place();
    let wrong = rom(
        &place,
        "wrong.rom",
        0x1013,
        &["[[image]]\nipxe = {}\nwrong_sum = 1"],
    );
    assert_snapshot!(place.run(&format!("rom patch {wrong} --version 1.2.3 --dry-run")), @"
    exit 6
    --- stderr
    error: <place>/wrong.rom: the image is damaged: image0/checksum at 0x00000000: the 512 bytes of the image do not add up to 0: a BIOS does not run it (expected 0x00, found 0x01)
    hint: get the file again; if it was changed on purpose, `flexctl rom patch --fix-checksums` corrects its sums
    ");
    place.answer(&format!("rom patch {wrong} --fix-checksums --in-place"));
    place.answer(&format!("rom check {wrong}"));
    let bios = rom(&place, "bios.rom", 0x1013, &[BIOS]);
    let efi = rom(&place, "efi.rom", 0x1015, &[EFI]);
    assert_snapshot!(place.run(&format!("rom patch {bios} --with-efi {efi} --dry-run")), @"
    exit 5
    --- stderr
    error: <place>/bios.rom: the device id of the EFI image cannot be 0x1015: the other images are for 0x1013
    hint: take the EFI ROM of this card, or set the id of all images with --device-id
    ");
}

#[test]
fn a_rom_goes_through_a_pipe() {
    let place = place();
    let file = rom(&place, "bios.rom", 0x1013, &[BIOS]);
    let bytes = fs::read(&file).unwrap();
    let mut command = place.command("rom patch - --device-id 1015 --output -");
    command.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.stderr(Stdio::null()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(&bytes).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    assert_eq!(output.stdout.len(), bytes.len());
    assert!(
        output
            .stdout
            .windows(4)
            .any(|id| id == [0xb3, 0x15, 0x15, 0x10])
    );
    let in_place = place.run("rom patch - --device-id 1015 --in-place");
    assert_eq!(in_place.code, 2, "{in_place}");
}
