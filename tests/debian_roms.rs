//! ROMs that nobody here made: those of Debian's packages ipxe-qemu and seabios.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod ring;

use std::fs;
use std::path::PathBuf;

use flexctl::image::option_rom::{
    CodeType, RecordPatch, RomImage, RomPatch, RomSelection, check_option_rom, extract,
};
use flexctl::image::{FlexBootVersion, OptionRom, RomProduct, Severity, worst};
use ring::Need;

const RING: [Need; 2] = [
    Need::File("/usr/lib/ipxe/qemu/pxe-virtio.rom", "ipxe-qemu"),
    Need::File("/usr/share/seabios/vgabios-stdvga.bin", "seabios"),
];

/// Every ROM of a folder whose name begins so, with its name.
fn roms(folder: &str, prefix: &str) -> Vec<(String, Vec<u8>)> {
    let mut paths: Vec<PathBuf> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    paths.sort();
    let named = paths.into_iter().filter_map(|path| {
        let name = path.file_name()?.to_str()?.to_owned();
        let bytes = name.starts_with(prefix).then(|| fs::read(&path).unwrap())?;
        Some((name, bytes))
    });
    named.collect()
}

fn ipxe(prefix: &str) -> Vec<(String, Vec<u8>)> {
    let roms = roms("/usr/lib/ipxe/qemu", prefix);
    assert_eq!(roms.len(), 8, "{prefix}");
    roms
}

#[test]
fn every_rom_is_rebuilt_from_its_tree_and_sound() {
    if ring::skipped("debian-roms", &RING) {
        return;
    }
    let all = [
        ipxe("pxe-"),
        ipxe("efi-"),
        roms("/usr/share/seabios", "vgabios"),
    ]
    .concat();
    for (name, bytes) in &all {
        let rom = OptionRom::parse(bytes).tree.unwrap();
        assert_eq!(rom.layout().to_bytes(), *bytes, "{name}");
        let findings = check_option_rom(bytes);
        assert!(
            worst(&findings) < Some(Severity::Error),
            "{name}: {findings:?}"
        );
        assert!(rom.trailing.is_empty(), "{name}");
    }
}

#[test]
fn the_headers_of_ipxe_are_read() {
    if ring::skipped("debian-roms", &RING) {
        return;
    }
    for (name, bytes) in ipxe("pxe-").iter().chain(&ipxe("efi-")) {
        let rom = OptionRom::parse(bytes).tree.unwrap();
        let codes: Vec<CodeType> = rom.images.iter().map(RomImage::code_type).collect();
        if name.starts_with("pxe-") {
            assert_eq!(codes, [CodeType::PcAt], "{name}");
        } else {
            assert_eq!(codes, [CodeType::PcAt, CodeType::Efi], "{name}");
            let efi = rom.images[1].efi_header().unwrap();
            assert_eq!(efi.machine_name(), Some("x86-64"));
            assert_eq!((efi.subsystem, efi.compression, efi.image), (0xb, 0, 0x38));
        }
        let bios = &rom.images[0];
        let pnp: Vec<_> = bios.pnp().collect();
        assert_eq!(pnp.len(), 1, "{name}");
        let (maker, product) = (
            bios.text_at(pnp[0].manufacturer),
            bios.text_at(pnp[0].product),
        );
        assert_eq!((maker, product), (Some("http://ipxe.org"), Some("iPXE")));
        assert_ne!(pnp[0].bev, 0);
        assert_eq!(bios.undi().unwrap().pxe_version().to_string(), "2.1.0");
        assert_eq!(bios.ipxe().unwrap().length, 12);
        assert_eq!(bios.pcir().unwrap().class(), 0x02_0000);
        assert!(bios.device_list().is_some(), "{name}");
    }
}

#[test]
fn a_device_id_and_a_record_go_in_and_the_sums_hold() {
    if ring::skipped("debian-roms", &RING) {
        return;
    }
    for (name, bytes) in ipxe("pxe-").iter().chain(&ipxe("efi-")) {
        let patch = RomPatch {
            device_id: Some(0x1003),
            record: Some(RecordPatch {
                version: Some(FlexBootVersion::new(3, 4, 812)),
                product: Some(RomProduct::Pxe),
                ..RecordPatch::default()
            }),
            ..RomPatch::default()
        };
        let edited = patch.apply(bytes).unwrap();
        let findings = check_option_rom(&edited.bytes);
        assert!(
            worst(&findings) < Some(Severity::Error),
            "{name}: {findings:?}"
        );
        let rom = OptionRom::parse(&edited.bytes).tree.unwrap();
        for image in &rom.images {
            assert_eq!(image.pcir().unwrap().device_id(), 0x1003);
            // efirom makes the sum 0 as well, and it stays so.
            let sum = image.bytes.iter().fold(0_u8, |sum, b| sum.wrapping_add(*b));
            assert_eq!(sum, 0, "{name}");
        }
    }
}

#[test]
fn bios_and_efi_are_taken_apart_and_put_together() {
    if ring::skipped("debian-roms", &RING) {
        return;
    }
    for ((name, bios), (_, both)) in ipxe("pxe-").iter().zip(&ipxe("efi-")) {
        let efi = extract(both, RomSelection::Efi).unwrap().bytes;
        let own = extract(both, RomSelection::Bios).unwrap().bytes;
        // The same build; only the random build id differs.
        assert_eq!(own.len(), bios.len(), "{name}");
        let patch = RomPatch {
            efi: Some(&efi),
            ..RomPatch::default()
        };
        assert_eq!(patch.apply(&own).unwrap().bytes, *both, "{name}");
    }
}

#[test]
fn a_foreign_rom_keeps_its_sum() {
    if ring::skipped("debian-roms", &RING) {
        return;
    }
    for (name, bytes) in roms("/usr/share/seabios", "vgabios") {
        let patch = RomPatch {
            device_id: Some(0x1234),
            ..RomPatch::default()
        };
        let has_pcir = OptionRom::parse(&bytes).tree.unwrap().images[0]
            .pcir()
            .is_some();
        match patch.apply(&bytes) {
            Ok(edited) => {
                let sum = edited
                    .bytes
                    .iter()
                    .fold(0_u8, |sum, b| sum.wrapping_add(*b));
                assert!(has_pcir && sum == 0, "{name}");
            }
            Err(error) => assert!(!has_pcir, "{name}: {error}"),
        }
    }
}
