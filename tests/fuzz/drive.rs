//! What every fuzz target does with its bytes: read them in all ways there are,
//! and insist on what must hold for any input. Shared by the targets and by
//! tests/corpus.rs, which runs them over the corpus as an ordinary test.

#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic
)]

use std::sync::OnceLock;

use flexctl::command::register::{Mgir, Mnva, Mnvda, Mnvgc, Mnvgn, Mnvqc, Mqis, Readable};
use flexctl::hwdb::{Hwdb, Tlv};
use flexctl::image::build::build;
use flexctl::image::option_rom::{RecordPatch, RomPatch, RomSelection, extract};
use flexctl::image::payload::{Answer, prove};
use flexctl::image::{
    EditPolicy, Edited, Finding, FindingKind, Firmware, FlexBootVersion, Layout, OptionRom,
    Permission, RomEdit, edit_rom, fs2,
};
use flexctl::pci::Vpd;

/// The least there is: edits of firmware put it in.
const SMALL_ROM: &str = r#"
format = "option-rom"
vendor_id = 0x15b3
device_id = 0x1013
record = [{ version = "3.4.812" }]
image = [{}]
"#;
/// An image whose beginning gives way to the fuzzer's bytes: device data stay.
const FS3_BASE: &str = r#"
format = "fs3"
file_size = 0x200000
hw_ids = [0x209]
"#;
/// As large as the smallest chunk of a failsafe flash.
const CHUNK: usize = 0x1_0000;

/// An expansion ROM: read, made again, checked, taken apart, patched, proven.
pub fn option_rom(bytes: &[u8]) {
    let parsed = OptionRom::parse(bytes);
    let mut findings = parsed.findings;
    if let Some(rom) = &parsed.tree {
        same(bytes, &rom.layout());
        findings.extend(rom.check());
        let _ = rom.device_ids();
        assert!(rom.versions().count() <= bytes.len());
    }
    within(bytes, &findings);
    for selection in [
        RomSelection::Bios,
        RomSelection::Efi,
        RomSelection::Image(1),
    ] {
        readable(extract(bytes, selection).ok());
    }
    let patches = [
        RomPatch {
            device_id: Some(0x1015),
            ..RomPatch::default()
        },
        RomPatch {
            record: Some(RecordPatch {
                version: Some(FlexBootVersion::new(3, 4, 999)),
                ..RecordPatch::default()
            }),
            correct_sums: Permission::Granted,
            ..RomPatch::default()
        },
        RomPatch {
            efi: Some(bytes),
            ..RomPatch::default()
        },
    ];
    for patch in patches {
        readable(patch.apply(bytes).ok());
    }
}

/// What an edit made is read and made again.
fn readable(edited: Option<Edited>) {
    if let Some(edited) = edited {
        let parsed = OptionRom::parse(&edited.bytes);
        let rom = parsed.tree.expect("a patched ROM is a ROM");
        same(&edited.bytes, &rom.layout());
    }
}

/// Whatever may be inside of a ROM: as the file is, and as the compressed contents
/// of a block that is otherwise right, so that the decompressors get it.
pub fn payload(bytes: &[u8]) {
    let _ = prove(bytes);
    let proof = prove(&bios_with_block(bytes));
    if proof.ipv6.answer == Answer::Yes {
        assert!(!proof.ipv6.evidence.is_empty());
    }
    let _ = prove(&efi_with_compressed(bytes));
}

fn bios_with_block(packed: &[u8]) -> Vec<u8> {
    let mut rom = vec![0; 0x200];
    rom[..2].copy_from_slice(&[0x55, 0xaa]);
    rom[0x18] = 0x20;
    let length = u32::try_from(packed.len() + 4).unwrap();
    rom.extend(length.to_le_bytes());
    rom.extend_from_slice(packed);
    rom.extend((!crc32fast::hash(packed)).to_le_bytes());
    finish(rom, 0)
}

fn efi_with_compressed(packed: &[u8]) -> Vec<u8> {
    let mut rom = vec![0; 0x40];
    rom[..2].copy_from_slice(&[0x55, 0xaa]);
    rom[4..8].copy_from_slice(&0x0ef1_u32.to_le_bytes());
    rom[8..10].copy_from_slice(&0xb_u16.to_le_bytes());
    rom[10..12].copy_from_slice(&0x8664_u16.to_le_bytes());
    rom[12..14].copy_from_slice(&1_u16.to_le_bytes());
    rom[0x16..0x18].copy_from_slice(&0x40_u16.to_le_bytes());
    rom[0x18] = 0x20;
    rom.extend(u32::try_from(packed.len()).unwrap().to_le_bytes());
    rom.extend_from_slice(packed);
    finish(rom, 3)
}

/// PCIR at 0x20, whole blocks, last image.
fn finish(mut rom: Vec<u8>, code_type: u8) -> Vec<u8> {
    rom.resize(rom.len().next_multiple_of(512), 0);
    let blocks = u16::try_from(rom.len() / 512).unwrap();
    rom[2..4].copy_from_slice(&blocks.to_le_bytes());
    rom[0x20..0x24].copy_from_slice(b"PCIR");
    rom[0x24..0x28].copy_from_slice(&0x1013_15b3_u32.to_le_bytes());
    rom[0x2a] = 0x18;
    rom[0x30..0x32].copy_from_slice(&blocks.to_le_bytes());
    rom[0x34] = code_type;
    rom[0x35] = 0x80;
    rom
}

/// An FS2 file: as it is, and in both halves of a flash.
pub fn fs2(bytes: &[u8]) {
    firmware(bytes);
    if bytes.len() <= CHUNK {
        let mut flash = bytes.to_vec();
        flash.resize(CHUNK, 0xff);
        flash.extend_from_slice(bytes);
        flash.resize(4 * CHUNK, 0xff);
        firmware(&flash);
    }
    let file = fs2::parse(bytes).tree;
    if let Some(file) = file {
        let _ = fs2::boot_defaults(&file, None, hwdb());
    }
}

/// An FS3 file: as it is, and with the device data of a card behind it.
pub fn fs3(bytes: &[u8]) {
    static BASE: OnceLock<Vec<u8>> = OnceLock::new();
    firmware(bytes);
    let mut image = BASE.get_or_init(|| build(FS3_BASE).unwrap()).clone();
    let length = bytes.len().min(CHUNK);
    image[..length].copy_from_slice(&bytes[..length]);
    firmware(&image);
}

fn firmware(bytes: &[u8]) {
    static ROM: OnceLock<Vec<u8>> = OnceLock::new();
    let parsed = Firmware::parse(bytes, None);
    let mut findings = parsed.findings;
    let Some(firmware) = parsed.tree else {
        within(bytes, &findings);
        return;
    };
    same(bytes, &firmware.layout());
    findings.extend(firmware.check());
    within(bytes, &findings);
    for slot in firmware.slots() {
        let _ = firmware.facts(slot);
        let _ = firmware.rom(slot);
    }
    let rom = ROM.get_or_init(|| build(SMALL_ROM).unwrap());
    for slot in [None, Some(0), Some(1)] {
        let policy = EditPolicy {
            slot,
            unsigned: Permission::Granted,
            other_device: Permission::Granted,
            damaged_rom: Permission::Granted,
            unversioned: Permission::Granted,
        };
        for edit in [RomEdit::Insert(rom), RomEdit::Replace(rom), RomEdit::Remove] {
            if let Ok(edited) = edit_rom(bytes, edit, &policy) {
                let again = Firmware::parse(&edited.bytes, None);
                let again = again.tree.expect("an edited image is an image");
                same(&edited.bytes, &again.layout());
                let rom_now = again.rom(edited.slot);
                assert_eq!(rom_now.is_some(), edit != RomEdit::Remove);
            }
        }
    }
}

/// What is made again of the tree is what was read.
fn same(bytes: &[u8], layout: &Layout<'_>) {
    assert!(layout.to_bytes() == bytes, "the layout is not the file");
}

/// A finding points into the file, or to its end; unless one says that a part is
/// outside, as then others may be about that part.
fn within(bytes: &[u8], findings: &[Finding]) {
    let parts_are_outside = findings.iter().any(|finding| {
        matches!(
            finding.kind,
            FindingKind::OutOfImage | FindingKind::Truncated
        )
    });
    for finding in findings {
        assert!(
            parts_are_outside || finding.offset <= bytes.len() as u64,
            "{finding} is outside of {} bytes",
            bytes.len()
        );
        assert!(!finding.path.is_empty());
    }
}

/// TLVs of non-volatile settings and the registers that carry them: the first
/// byte chooses the TLV, the rest is its contents.
pub fn tlv(bytes: &[u8]) {
    registers(bytes);
    let _ = Vpd::parse(bytes);
    let Some((choice, contents)) = bytes.split_first() else {
        return;
    };
    let tlvs = all_tlvs();
    let tlv = &tlvs[usize::from(*choice) % tlvs.len()];
    for field in &tlv.field {
        let before = field.get(contents);
        let _ = field.is_valid(contents);
        let Some(value) = before else {
            continue;
        };
        let mut again = contents.to_vec();
        if field.put_bits(&mut again, &value).is_some() {
            assert_eq!(
                field.get(&again),
                Some(value),
                "{}: put and get differ",
                field.name
            );
            assert_eq!(again.len(), contents.len());
        }
    }
}

fn registers(bytes: &[u8]) {
    let _ = Mnva::unpack(bytes);
    let _ = Mnvda::unpack(bytes);
    let _ = Mnvgc::unpack(bytes);
    let _ = Mnvgn::unpack(bytes);
    let _ = Mnvqc::unpack(bytes);
    let _ = Mqis::unpack(bytes);
    let _ = Mgir::unpack(bytes);
}

fn all_tlvs() -> &'static [Tlv] {
    static TLVS: OnceLock<Vec<Tlv>> = OnceLock::new();
    TLVS.get_or_init(|| {
        hwdb()
            .devices()
            .iter()
            .flat_map(|device| hwdb().settings(device).tlv.clone())
            .collect()
    })
}

fn hwdb() -> &'static Hwdb {
    static HWDB: OnceLock<Hwdb> = OnceLock::new();
    HWDB.get_or_init(|| Hwdb::builtin().unwrap())
}
