//! Expansion ROMs that our own code builds: changed, taken apart and put
//! together, and damaged in every way that chance finds.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use flexctl::image::build::OptionRomDescription;
use flexctl::image::option_rom::{RecordPatch, RomPatch, RomSelection, check_option_rom, extract};
use flexctl::image::{
    EditError, Edited, Finding, FindingKind, FlexBootVersion, OptionRom, Permission, RomProduct,
    Severity, worst,
};
use proptest::prelude::*;

const BIOS: &str = "
    [[image]]
    device_list = [0x1013]
    pnp = { manufacturer = 'nobody', product = 'a test', bev = 0x200 }
    undi = {}
    ipxe = { build_id = 1 }
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
const PXE_RECORD: &str = "
    [[record]]
    version = '3.4.812'
";
const UEFI_RECORD: &str = "
    [[record]]
    product = 0x11
    version = '14.11.16'
    cpu = 1
";

fn build(parts: &[&str]) -> Vec<u8> {
    build_for(0x1013, parts)
}

fn build_for(device: u16, parts: &[&str]) -> Vec<u8> {
    let text = format!(
        "format = 'option-rom'\ndevice_id = {device}\n{}",
        parts.concat()
    );
    OptionRomDescription::from_toml(&text)
        .unwrap()
        .build()
        .unwrap()
}

fn tree(bytes: &[u8]) -> OptionRom<'_> {
    OptionRom::parse(bytes).tree.unwrap()
}

/// Every byte that differs is in one of the changes, and none of them is empty.
fn changes_are_told(before: &[u8], edited: &Edited) {
    for (at, (old, new)) in before.iter().zip(&edited.bytes).enumerate() {
        let told = edited
            .changes
            .iter()
            .any(|change| (change.offset..change.offset + change.length).contains(&(at as u64)));
        assert!(old == new || told, "{at:#x}: {:?}", edited.changes);
    }
}

fn versions(bytes: &[u8]) -> Vec<String> {
    tree(bytes)
        .versions()
        .map(|record| {
            format!(
                "{} {} {:x}",
                record.product.name().unwrap(),
                record.numbered().unwrap(),
                record.device_id.unwrap_or(0)
            )
        })
        .collect()
}

fn path_of(findings: &[Finding], kind: FindingKind) -> Vec<&str> {
    findings
        .iter()
        .filter(|finding| finding.kind == kind)
        .map(|finding| finding.path.as_str())
        .collect()
}

#[test]
fn a_new_device_id_goes_everywhere_and_the_sums_hold() {
    let before = build(&[BIOS, EFI, PXE_RECORD, UEFI_RECORD]);
    let patch = RomPatch {
        device_id: Some(0x1015),
        ..RomPatch::default()
    };
    let edited = patch.apply(&before).unwrap();
    changes_are_told(&before, &edited);
    let paths: Vec<&str> = edited.changes.iter().map(|c| c.path.as_str()).collect();
    assert_eq!(
        paths,
        [
            "image0/checksum",
            "image0/PCIR/device-id",
            "image0/device-list",
            "image1/PCIR/device-id",
            "image2/PCIR/device-id",
            "image2/checksum",
            "trailing/version-record",
            "trailing/version-record"
        ]
    );
    let rom = tree(&edited.bytes);
    assert_eq!(rom.device_ids(), [0x1015]);
    assert_eq!(
        versions(&edited.bytes),
        ["PXE 3.4.812 1015", "UEFI 14.11.16 1015"]
    );
    assert!(worst(&check_option_rom(&edited.bytes)) < Some(Severity::Warning));
    // There and back again.
    let patch = RomPatch {
        device_id: Some(0x1013),
        ..RomPatch::default()
    };
    assert_eq!(patch.apply(&edited.bytes).unwrap().bytes, before);
    assert_eq!(RomPatch::default().apply(&before).unwrap().bytes, before);
}

#[test]
fn a_version_record_is_added_behind_all_or_changed_where_it_is() {
    let before = build(&[BIOS]);
    let version = |version: &str, product| RomPatch {
        record: Some(RecordPatch {
            version: Some(version.parse().unwrap()),
            product,
            ..RecordPatch::default()
        }),
        ..RomPatch::default()
    };
    let edited = version("3.4.812", None).apply(&before).unwrap();
    assert_eq!(edited.bytes.len(), before.len() + 20);
    assert!(edited.bytes.starts_with(&before));
    // What FlexBoot's own releases end with, for this device.
    assert_eq!(
        edited.bytes[before.len()..],
        *b"mlxsign:\x03\x00\x10\x00\x2c\x03\x04\x00\xff\x00\x13\x10"
    );
    let again = version("3.4.900", None).apply(&edited.bytes).unwrap();
    changes_are_told(&edited.bytes, &again);
    assert_eq!(versions(&again.bytes), ["PXE 3.4.900 1013"]);
    let uefi = version("14.1.2", Some(RomProduct::Uefi)).apply(&again.bytes);
    assert_eq!(
        versions(&uefi.unwrap().bytes),
        ["PXE 3.4.900 1013", "UEFI 14.1.2 1013"]
    );

    let inside = build(&["
        [[image]]
        ipxe = {}
        [[image.record]]
        version = '3.4.1'
    "]);
    let edited = version("3.4.2", None).apply(&inside).unwrap();
    assert_eq!(edited.bytes.len(), inside.len());
    let paths: Vec<&str> = edited.changes.iter().map(|c| c.path.as_str()).collect();
    assert_eq!(paths, ["image0/checksum", "image0/version-record"]);
    let nothing = RomPatch {
        record: Some(RecordPatch {
            port: Some(1),
            ..RecordPatch::default()
        }),
        ..RomPatch::default()
    };
    assert!(matches!(
        nothing.apply(&before),
        Err(EditError::Lacks { .. })
    ));
}

#[test]
fn bios_and_efi_taken_apart_and_put_together_are_the_same_rom() {
    let whole = build(&[BIOS, EFI, PXE_RECORD, UEFI_RECORD]);
    let bios = extract(&whole, RomSelection::Bios).unwrap().bytes;
    let efi = extract(&whole, RomSelection::Efi).unwrap().bytes;
    assert_eq!(bios, build(&[BIOS, PXE_RECORD]));
    assert_eq!(efi, build(&[EFI, UEFI_RECORD]));
    let with = |efi| RomPatch {
        efi: Some(efi),
        ..RomPatch::default()
    };
    let edited = with(&efi).apply(&bios).unwrap();
    assert_eq!(edited.bytes, whole);
    // Replacing an EFI image by itself changes nothing.
    assert_eq!(with(&efi).apply(&whole).unwrap().bytes, whole);

    let other = build_for(0x1015, &[EFI, UEFI_RECORD]);
    assert!(matches!(
        with(&other).apply(&bios),
        Err(EditError::BadValue { .. })
    ));
    let patch = RomPatch {
        device_id: Some(0x1013),
        ..with(&other)
    };
    assert_eq!(patch.apply(&bios).unwrap().bytes, whole);
    assert!(matches!(
        with(&bios).apply(&whole),
        Err(EditError::Lacks { .. })
    ));
    assert!(matches!(
        with(b"MZ").apply(&whole),
        Err(EditError::RomDamaged { .. })
    ));
    let first = extract(&whole, RomSelection::Image(0)).unwrap().bytes;
    assert_eq!(whole[..first.len()], first);
    assert!(extract(&whole, RomSelection::Image(3)).is_err());
}

#[test]
fn wrong_sums_are_found_and_not_hidden_by_an_edit() {
    let wrong = build(&["
        [[image]]
        ipxe = {}
        wrong_sum = 1
    "]);
    let findings = check_option_rom(&wrong);
    assert_eq!(
        path_of(&findings, FindingKind::BadChecksum),
        ["image0/checksum"]
    );
    assert_eq!(worst(&findings), Some(Severity::Error));
    assert!(matches!(
        RomPatch::default().apply(&wrong),
        Err(EditError::Damaged { .. })
    ));
    let patch = RomPatch {
        correct_sums: Permission::Granted,
        ..RomPatch::default()
    };
    let edited = patch.apply(&wrong).unwrap();
    assert_eq!(edited.changes.len(), 1);
    assert!(worst(&check_option_rom(&edited.bytes)) < Some(Severity::Error));
}

#[test]
fn a_foreign_rom_is_changed_only_where_its_sum_can_be_kept() {
    let id = RomPatch {
        device_id: Some(0x1015),
        ..RomPatch::default()
    };
    // Full of code up to the end, and data behind a jump: nobody knows which byte.
    let mut full = build(&["
        [[image]]
        contents = { random = 5, size = 960 }
    "]);
    full[7..16].fill(0x5a);
    let sum = full.iter().fold(0_u8, |sum, byte| sum.wrapping_add(*byte));
    full[700] = full[700].wrapping_sub(sum);
    assert!(worst(&check_option_rom(&full)) < Some(Severity::Error));
    assert!(matches!(
        id.apply(&full),
        Err(EditError::Unsupported { .. })
    ));
    // With padding at the end, its last byte is taken.
    let mut padded = build(&["
        [[image]]
        contents = { random = 5, size = 900 }
    "]);
    padded[7..16].fill(0x5a);
    let sum = padded
        .iter()
        .fold(0_u8, |sum, byte| sum.wrapping_add(*byte));
    padded[1023] = padded[1023].wrapping_sub(sum);
    let edited = id.apply(&padded).unwrap();
    assert_eq!(edited.changes.last().unwrap().offset, 1023);
    assert!(worst(&check_option_rom(&edited.bytes)) < Some(Severity::Error));
}

#[test]
fn contradictions_are_findings() {
    let rom = build(&[
        BIOS,
        EFI,
        "[[record]]
         version = '3.4.812'
         device_id = 0x1007
         [[record]]
         product = 0x11
         version = '1.2.3'
         cpu = 2
         [trailing]
         hex = '55 aa 00'",
    ]);
    let findings = check_option_rom(&rom);
    assert_eq!(
        path_of(&findings, FindingKind::Mismatch),
        [
            "version-record/device-id",
            "version-record/device-id",
            "version-record/cpu",
            "trailing"
        ]
    );
    assert_eq!(path_of(&findings, FindingKind::BadValue), ["length"]);
    let other = build(&[
        BIOS,
        "[[image]]
         code_type = 0x42
         device_id = 0x9999
         [[image]]
         code_type = 0
         wrong_sum = 3
         size_byte = 9",
    ]);
    let findings = check_option_rom(&other);
    assert_eq!(
        path_of(&findings, FindingKind::Unknown),
        ["image2/PCIR/code-type"]
    );
    assert_eq!(
        path_of(&findings, FindingKind::Mismatch),
        ["image2/PCIR/device-id"]
    );
    assert_eq!(
        path_of(&findings, FindingKind::BadValue),
        ["image3/header/size"]
    );
    assert_eq!(path_of(&findings, FindingKind::Missing), ["version-record"]);
}

#[test]
fn a_chain_that_breaks_off_is_told() {
    let unfinished = build(&["[[image]]\nlast = false"]);
    let findings = OptionRom::parse(&unfinished).findings;
    assert_eq!(path_of(&findings, FindingKind::Missing), ["image1"]);
    let mut junk = unfinished.clone();
    junk.extend([0xff; 600]);
    let findings = OptionRom::parse(&junk).findings;
    assert_eq!(
        path_of(&findings, FindingKind::BadMagic),
        ["image1/header/signature"]
    );
    assert_eq!(tree(&junk).layout().to_bytes(), junk);
    let whole = build(&[BIOS, EFI]);
    let findings = OptionRom::parse(&whole[..whole.len() - 1]).findings;
    assert_eq!(path_of(&findings, FindingKind::Truncated), ["image2"]);
    assert!(OptionRom::parse(b"MZ").tree.is_none());
    assert!(OptionRom::parse(&[]).tree.is_none());
    let endless = unfinished.repeat(300);
    let findings = OptionRom::parse(&endless).findings;
    assert_eq!(path_of(&findings, FindingKind::Unsupported), ["image64"]);
}

/// Whatever the bytes are: nothing panics, and a tree gives the same bytes.
fn survives(bytes: &[u8]) {
    let _ = check_option_rom(bytes);
    if let Some(rom) = OptionRom::parse(bytes).tree {
        assert_eq!(rom.layout().to_bytes(), bytes);
        let mut next = 0;
        for region in rom.layout().regions() {
            assert_eq!(region.offset, next);
            next += region.length;
        }
    }
    let patch = RomPatch {
        device_id: Some(0x1234),
        record: Some(RecordPatch {
            version: Some(FlexBootVersion::new(1, 2, 3)),
            ..RecordPatch::default()
        }),
        efi: None,
        correct_sums: Permission::Granted,
    };
    if let Ok(edited) = patch.apply(bytes) {
        assert!(worst(&OptionRom::parse(&edited.bytes).findings) < Some(Severity::Error));
        changes_are_told(bytes, &edited);
    }
    for selection in [
        RomSelection::Image(1),
        RomSelection::Bios,
        RomSelection::Efi,
    ] {
        let _ = extract(bytes, selection);
    }
}

fn everything() -> Vec<u8> {
    build(&[
        BIOS,
        EFI,
        PXE_RECORD,
        UEFI_RECORD,
        "[[record]]\ntext = '4711 custom'",
    ])
}

#[test]
fn any_truncation_is_survived() {
    let rom = everything();
    for length in 0..rom.len().min(1600) {
        survives(&rom[..length]);
    }
    for cut in 0..100 {
        survives(&rom[..rom.len() - cut]);
    }
}

#[test]
fn every_byte_of_the_headers_may_be_anything() {
    let rom = everything();
    for at in (0..0x140).chain(0x600..0x640) {
        for byte in [0, 1, 0x7f, 0x80, 0xff] {
            let mut wild = rom.clone();
            wild[at] = byte;
            survives(&wild);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn random_damage_is_survived(
        damage in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..12),
        headers in any::<bool>(),
        length in any::<prop::sample::Index>(),
        whole in any::<bool>(),
    ) {
        let mut rom = everything();
        let within = if headers { 0x140 } else { rom.len() };
        for (at, byte) in damage {
            rom[at.index(within)] = byte;
        }
        let length = if whole { rom.len() } else { length.index(rom.len()) };
        survives(&rom[..length]);
    }

    #[test]
    fn random_bytes_behind_a_signature_are_survived(
        bytes in proptest::collection::vec(any::<u8>(), 0..2048),
    ) {
        let mut rom = vec![0x55, 0xaa];
        rom.extend(bytes);
        survives(&rom);
    }
}
