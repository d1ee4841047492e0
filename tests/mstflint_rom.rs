//! What Debian's mstflint 4.21 says of the expansion ROMs that flexctl builds
//! and changes, by themselves and in a firmware image.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod ring;

use std::fs;
use std::path::Path;
use std::process::Command;

use flexctl::image::build::{self, OptionRomDescription};
use flexctl::image::option_rom::{RecordPatch, RomPatch};
use flexctl::image::{CpuArchitecture, RomProduct};
use ring::Need;

const NEEDS: [Need; 1] = [Need::Program("mstflint")];
const FIRMWARE: &str = "
    format = 'fs3'
    file_size = 0x400000
    psid = 'MT_0000000008'
    version = '12.14.2036'
    date = '2016-05-31'
    hw_ids = [0x209]
    pci_device = 0x1013
    base_guid = 0x7cfe900300112233
    base_mac = 0x7cfe90112233
    ini = \"[image]\\n\"
    [boot2]
    random = 1
    size = 0x100
    [[section]]
    type = 'PCI_CODE'
    content = { random = 2, size = 0x1000 }
";

fn mstflint(file: &Path, arguments: &[&str]) -> String {
    let run = Command::new("mstflint")
        .arg("-i")
        .arg(file)
        .args(arguments)
        .output()
        .unwrap();
    String::from_utf8([run.stdout, run.stderr].concat()).unwrap()
}

fn rom(text: &str) -> Vec<u8> {
    let text = format!("format = 'option-rom'\ndevice_id = 0x1013\n{text}");
    OptionRomDescription::from_toml(&text)
        .unwrap()
        .build()
        .unwrap()
}

const BIOS: &str = "
    [[image]]
    device_list = [0x1013]
    ipxe = {}
    contents = { random = 1, size = 2000 }
";
const EFI: &str = "
    [[image]]
    code_type = 3
    efi = {}
    contents = { random = 2, size = 5000 }
";

/// Without records, with those of a BIOS image, with both.
fn patched() -> Vec<(Vec<u8>, String)> {
    let record = |product, version: &str| {
        Some(RecordPatch {
            product: Some(product),
            version: Some(version.parse().unwrap()),
            ..RecordPatch::default()
        })
    };
    let apply = |bytes: &[u8], record| {
        let patch = RomPatch {
            device_id: Some(0x1013),
            record,
            ..RomPatch::default()
        };
        patch.apply(bytes).unwrap().bytes
    };
    let bios = apply(&rom(BIOS), record(RomProduct::Pxe, "3.4.812"));
    let efi = apply(&rom(EFI), record(RomProduct::Uefi, "14.11.16"));
    let both = RomPatch {
        efi: Some(&efi),
        record: Some(RecordPatch {
            product: Some(RomProduct::Pxe),
            cpu: Some(CpuArchitecture::Amd64),
            version: Some("3.5.900".parse().unwrap()),
            ..RecordPatch::default()
        }),
        ..RomPatch::default()
    };
    let both = both.apply(&bios).unwrap().bytes;
    vec![
        (bios, "type=PXE version=3.4.812".to_owned()),
        (efi, "type=UEFI version=14.11.16 cpu=AMD64".to_owned()),
        (both, "type=PXE version=3.5.900 cpu=AMD64".to_owned()),
    ]
}

#[test]
fn mstflint_names_the_versions_that_were_put_in() {
    if ring::skipped("mstflint-rom", &NEEDS) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("rom.bin");
    for (bytes, said) in patched() {
        fs::write(&path, bytes).unwrap();
        let answer = mstflint(&path, &["qrom"]);
        assert!(answer.contains(&said), "{answer}");
        assert!(
            !answer.contains("-W-") && !answer.contains("-E-"),
            "{answer}"
        );
    }
}

#[test]
fn mstflint_warns_of_the_sum_that_we_call_an_error() {
    if ring::skipped("mstflint-rom", &NEEDS) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("rom.bin");
    let wrong = rom("[[image]]\nwrong_sum = 7\n[[record]]\nversion = '1.2.3'");
    fs::write(&path, wrong).unwrap();
    let answer = mstflint(&path, &["qrom"]);
    assert!(answer.contains("Bad ROM Checksum (0x07)"), "{answer}");
}

#[test]
fn mstflint_burns_them_into_firmware_and_gives_them_back() {
    if ring::skipped("mstflint-rom", &NEEDS) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let (image, rom, back) = (
        folder.path().join("fw.bin"),
        folder.path().join("rom.bin"),
        folder.path().join("back.bin"),
    );
    for (bytes, said) in patched() {
        fs::write(&image, build::build(FIRMWARE).unwrap()).unwrap();
        fs::write(&rom, &bytes).unwrap();
        let burned = mstflint(&image, &["-y", "brom", rom.to_str().unwrap()]);
        assert!(burned.contains("OK"), "{burned}");
        let queried = mstflint(&image, &["q"]);
        assert!(queried.contains(&said), "{queried}");
        mstflint(&image, &["-y", "rrom", back.to_str().unwrap()]);
        assert!(fs::read(&back).unwrap() == bytes, "{said}");
    }
}
