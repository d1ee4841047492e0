//! Debian's mstflint 4.21 accepts every FS3 image that flexctl builds or edits,
//! says the same of it, and makes the same bytes when it changes the ROM.
//!
//! mstflint's exit code says little (it is 0 with a wrong CRC), so its output is
//! read. Says SKIPPED where mstflint is missing, and fails there if CI=true.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod ring;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use flexctl::image::build::Fs3Description;
use flexctl::image::checksum::crc16;
use flexctl::image::fs3::{Fs3File, edit_rom, parse};
use flexctl::image::{
    AddressKind, EditError, EditPolicy, FirmwareFacts, Permission, PieceKind, RomEdit, Severity,
    worst,
};
use tempfile::TempDir;

const NEEDS: [ring::Need; 1] = [ring::Need::Program("mstflint")];

fn skipped() -> bool {
    ring::skipped("mstflint", &NEEDS)
}

/// A folder for images and what mstflint makes of them.
struct Bench(TempDir);

impl Bench {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn put(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.0.path().join(name);
        fs::write(&path, bytes).unwrap();
        path
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }
}

/// Runs mstflint; its output and whether it said yes.
fn mstflint(image: &Path, arguments: &[&str]) -> (String, bool) {
    let run = Command::new("mstflint")
        .arg("-i")
        .arg(image)
        .arg("-y")
        .args(arguments)
        .output()
        .unwrap();
    let text = [run.stdout, run.stderr].concat();
    let text = String::from_utf8_lossy(&text).into_owned();
    (text, run.status.success())
}

fn accepted(image: &Path, arguments: &[&str]) -> String {
    let (text, success) = mstflint(image, arguments);
    let complaints = ["wrong CRC", "-E-", "ERROR", "Bad", "bad ", "rror:"];
    let complains = complaints.iter().any(|word| text.contains(word));
    assert!(success && !complains, "mstflint {arguments:?}: {text}");
    text
}

fn build(text: &str) -> Vec<u8> {
    Fs3Description::parse(text).unwrap().build().unwrap()
}

/// A ConnectX-4 image with these lines added to its description.
fn description(file_size: u32, more: &str) -> String {
    format!(
        r#"
format = "fs3"
file_size = {file_size:#x}
psid = "MT_2190110032"
version = "12.14.2036"
date = "2016-05-31"
hw_ids = [0x209]
pci_device = 0x1013
name = "MCX455A-ECA_Ax"
description = "ConnectX-4 VPI adapter card"
prs_name = "cx4_MCX455A_2036_gen.prs"
base_guid = 0x7cfe900300112233
base_mac = 0x7cfe90112233
ini = "[image_info]\nname = test\n"
{more}
[[section]]
type = "HW_BOOT_CFG"
content = {{ random = 5, size = 0x840 }}
[[section]]
type = "PCI_CODE"
content = {{ random = 3, size = 0x2344 }}
param0 = 0x12345
param1 = 0x54321
[[section]]
type = "MAIN_CODE"
content = {{ random = 4, size = 0x18a3c }}
[[section]]
type = 0x7b
content = {{ text = "what is this" }}
[[section]]
type = "PHY_UC_CODE"
content = {{ random = 9, size = 0x1000 }}
no_crc = true
"#
    )
}

/// A ROM with a version record for a device.
fn rom(length: usize, device: u16, seed: u8) -> Vec<u8> {
    let numbers = (0_u32..).map(|n| n.wrapping_mul(0x9e37_79b9).to_be_bytes());
    let mut rom: Vec<u8> = numbers.map(|[byte, ..]| byte ^ seed).take(length).collect();
    rom[..2].copy_from_slice(&[0x55, 0xaa]);
    let mut record = b"mlxsign:".to_vec();
    // A UEFI driver, whose bytes need not add up to 0.
    record.extend(0x0011_0003_u32.to_le_bytes());
    record.extend(0x0004_02f0_u32.to_le_bytes());
    record.extend((u32::from(device) << 16 | 0x1ff).to_le_bytes());
    let at = length - 20;
    rom[at..].copy_from_slice(&record);
    rom
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn with_rom(file_size: u32, length: usize, more: &str) -> String {
    let rom = format!("rom = {{ hex = '{}' }}\n", hex(&rom(length, 0x1013, 7)));
    description(file_size, &format!("{rom}{more}"))
}

/// The bytes are identical when they go through the tree.
fn identical(bytes: &[u8]) {
    let tree = parse(bytes).tree.unwrap();
    let layout = tree.layout();
    assert_eq!(layout.length(), bytes.len() as u64);
    assert!(layout.to_bytes() == bytes, "the tree lost something");
}

fn sound(bytes: &[u8]) {
    let parsed = parse(bytes);
    let mut findings = parsed.findings;
    findings.extend(parsed.tree.unwrap().check());
    assert!(worst(&findings) < Some(Severity::Error), "{findings:#?}");
}

const MORE: [&str; 8] = [
    "",
    "signature = 'digest'",
    "signature = 'vendor'\npublic_keys = true\nsecurity = ['secure-fw', 'signed-fw', 'mcc']",
    "signature = 'vendor512'\npublic_keys = true\nsecurity = ['signed-fw', 'debug', 'mcc']",
    "spare_itoc = 'first'\nsignature = 'digest'",
    "spare_itoc = 'second'\nfill = 0\nproduct_version = 'pv_1.2'",
    "per_port_step = 1\noriginal_psid = 'MT_0000000001'\nmic_version = '2.0.0'",
    "vsd = 'image vsd'\ndevice_vsd = 'device vsd'\nlog2_chunk = 0",
];

#[test]
fn mstflint_accepts_what_is_built() {
    if skipped() {
        return;
    }
    let bench = Bench::new();
    for (number, more) in MORE.iter().enumerate() {
        for file_size in [0x20_0000, 0x40_0000, 0x80_0000, 0x100_0000] {
            let with = with_rom(file_size, 0x8000 + number * 4, more);
            for (text, has_rom) in [(with, true), (description(file_size, more), false)] {
                let bytes = build(&text);
                identical(&bytes);
                sound(&bytes);
                let image = bench.put("image.bin", &bytes);
                accepted(&image, &["q"]);
                accepted(&image, &["v"]);
                let full = accepted(&image, &["q", "full"]);
                let tree = parse(&bytes).tree.unwrap();
                agree(&tree.facts(0), &full);
                let ini = accepted(&image, &["dc"]);
                assert!(ini.contains("name = test"), "{ini}");
                if has_rom {
                    let read = bench.path("read.rom");
                    let _ = fs::remove_file(&read);
                    accepted(&image, &["rrom", read.to_str().unwrap()]);
                    assert!(fs::read(read).unwrap() == tree.rom(0).unwrap());
                } else {
                    assert_eq!(tree.rom(0), None);
                }
            }
        }
    }
}

/// A line of `q full`, without its title.
fn line<'t>(full: &'t str, title: &str) -> Option<&'t str> {
    full.lines()
        .find_map(|line| line.strip_prefix(title)?.strip_prefix(':'))
        .map(str::trim)
        .filter(|value| *value != "N/A" && !value.is_empty())
}

fn agree(facts: &FirmwareFacts, full: &str) {
    assert_eq!(line(full, "Image type"), Some("FS3"));
    let version = facts.version.map(|version| version.to_string());
    assert_eq!(line(full, "FW Version"), version.as_deref());
    let date = facts
        .release_date
        .map(|date| format!("{}.{}.{}", date.day, date.month, date.year));
    assert_eq!(line(full, "FW Release Date"), date.as_deref());
    let texts = [
        ("PSID", &facts.psid),
        ("Orig PSID", &facts.original_psid),
        ("Part Number", &facts.name),
        ("PRS Name", &facts.prs_name),
        ("MIC Version", &facts.mic_version),
        ("Product Version", &facts.product_version),
    ];
    for (title, ours) in texts {
        assert_eq!(line(full, title), ours.as_deref(), "{title} in {full}");
    }
    // mstflint has two lines with this title: the text, and a heading.
    let described = full.lines().filter(|line| line.starts_with("Description:"));
    let described = described.map(|line| line["Description:".len()..].trim());
    assert!(
        described
            .into_iter()
            .any(|text| Some(text) == facts.description.as_deref())
    );
    let vsd = line(full, "Image VSD").or(line(full, "Device VSD"));
    assert_eq!(vsd, facts.vsd.as_deref());
    let security = line(full, "Security Attributes").unwrap_or_default();
    assert_eq!(security, facts.security.join(", "));
    assert_eq!(line(full, "Rom Info").is_some(), facts.rom.is_some());
    for address in &facts.addresses {
        let kind = match address.kind {
            AddressKind::Guid => "GUID",
            AddressKind::Mac => "MAC",
        };
        let number = address.role.strip_prefix("port").unwrap_or_default();
        let row = line(full, &format!("Base {kind}{number}")).unwrap();
        let columns: Vec<&str> = row.split_whitespace().collect();
        let first = u64::from_str_radix(columns[0], 16).unwrap();
        assert_eq!(first, address.first);
        assert_eq!(columns[1].parse(), Ok(address.count));
        if let Some(step) = columns.get(2) {
            assert_eq!(step.parse(), Ok(address.step));
        }
    }
}

const POLICY: EditPolicy = EditPolicy {
    slot: None,
    unsigned: Permission::Granted,
    other_device: Permission::Refused,
    damaged_rom: Permission::Refused,
    unversioned: Permission::Refused,
};

/// What mstflint makes of an image; `None` when it refuses.
fn by_mstflint(bench: &Bench, bytes: &[u8], edit: RomEdit<'_>) -> Result<Vec<u8>, String> {
    let image = bench.put("theirs.bin", bytes);
    let (text, success) = match edit {
        RomEdit::Insert(rom) | RomEdit::Replace(rom) => {
            let rom = bench.put("new.rom", rom);
            let rom = rom.to_str().unwrap();
            mstflint(&image, &["--allow_rom_change", "brom", rom])
        }
        RomEdit::Remove => mstflint(&image, &["--allow_rom_change", "drom"]),
    };
    let after = fs::read(&image).unwrap();
    if success { Ok(after) } else { Err(text) }
}

fn same_edit(bench: &Bench, bytes: &[u8], edit: RomEdit<'_>, what: &str) -> Option<Vec<u8>> {
    let theirs = by_mstflint(bench, bytes, edit);
    let ours = edit_rom(bytes, edit, &POLICY);
    match (theirs, ours) {
        (Ok(theirs), Ok(ours)) => {
            let differs = theirs.iter().zip(&ours.bytes).position(|(a, b)| a != b);
            assert_eq!(differs, None, "{what}: first difference");
            assert_eq!(theirs.len(), ours.bytes.len(), "{what}");
            identical(&ours.bytes);
            sound(&ours.bytes);
            let image = bench.put("ours.bin", &ours.bytes);
            accepted(&image, &["v"]);
            let full = accepted(&image, &["q", "full"]);
            agree(&parse(&ours.bytes).tree.unwrap().facts(0), &full);
            Some(ours.bytes)
        }
        (Err(_), Err(_)) => None,
        (theirs, ours) => panic!(
            "{what}: mstflint {:?}, flexctl {:?}",
            theirs.map(|bytes| bytes.len()),
            ours.map(|edited| edited.changes)
        ),
    }
}

/// Lengths of ROMs around one of 0x8000 bytes: three for each image.
const LENGTHS: [[usize; 3]; 4] = [
    [0x18, 0x8004, 0x1_3a98],
    [0x4000, 0x9000, 0xfffc],
    [0x7ffc, 0x9004, 0x2_0000],
    [0x8000, 0x1000, 0x8ffc],
];

#[test]
fn roms_are_inserted_as_mstflint_does() {
    if skipped() {
        return;
    }
    let bench = Bench::new();
    for (number, more) in MORE.iter().enumerate() {
        let file_size = [0x20_0000, 0x40_0000, 0x80_0000, 0x100_0000][number % 4];
        let bytes = build(&description(file_size, more));
        for length in LENGTHS[(number + number / 4) % 4] {
            let rom = rom(length, 0x1013, 1);
            let what = format!("insert {length:#x} with {more}");
            let new = same_edit(&bench, &bytes, RomEdit::Insert(&rom), &what);
            let new = new.expect(&what);
            let back = same_edit(&bench, &new, RomEdit::Remove, &what).expect(&what);
            assert_eq!(back.len(), bytes.len());
        }
    }
}

#[test]
fn roms_are_replaced_and_removed_as_mstflint_does() {
    if skipped() {
        return;
    }
    let bench = Bench::new();
    for (number, more) in MORE.iter().enumerate() {
        let file_size = [0x100_0000, 0x80_0000, 0x40_0000, 0x20_0000][number % 4];
        let bytes = build(&with_rom(file_size, 0x8000, more));
        let removed = same_edit(&bench, &bytes, RomEdit::Remove, more).expect(more);
        assert_eq!(parse(&removed).tree.unwrap().rom(0), None);
        for length in LENGTHS[(number + number / 4) % 4] {
            let rom = rom(length, 0x1013, 2);
            let what = format!("replace by {length:#x} with {more}");
            let new = same_edit(&bench, &bytes, RomEdit::Replace(&rom), &what);
            assert!(parse(&new.expect(&what)).tree.unwrap().rom(0) == Some(&rom));
            // Stale bytes of the old ROM are behind the sections now.
            let what = format!("insert {length:#x} after a removal with {more}");
            same_edit(&bench, &removed, RomEdit::Insert(&rom), &what).expect(&what);
        }
    }
}

#[test]
fn what_does_not_fit_is_refused_by_both() {
    if skipped() {
        return;
    }
    let bench = Bench::new();
    let bytes = build(&description(0x20_0000, "signature = 'digest'"));
    let rom = rom(0x18_0000, 0x1013, 2);
    let refused = same_edit(&bench, &bytes, RomEdit::Insert(&rom), "too large");
    assert!(refused.is_none());
    let error = edit_rom(&bytes, RomEdit::Insert(&rom), &POLICY).unwrap_err();
    assert!(matches!(error, EditError::TooLarge { .. }), "{error}");
}

/// The image in slot 1 of a dump, at the same place in a file of its own.
fn moved_to_slot_0(dump: &[u8]) -> Vec<u8> {
    let mut file = dump.to_vec();
    let (first, second) = file.split_at_mut(0x40_0000);
    first.copy_from_slice(&second[..0x40_0000]);
    second[..0x10].fill(0xff);
    file
}

#[test]
fn an_image_in_slot_1_is_changed_as_one_in_slot_0() {
    if skipped() {
        return;
    }
    let bench = Bench::new();
    for more in ["", "signature = 'digest'", "spare_itoc = 'first'\nfill = 0"] {
        let text = with_rom(0x100_0000, 0x8000, &format!("slots = [1]\n{more}"));
        let dump = build(&text);
        identical(&dump);
        sound(&dump);
        let rom = rom(0xabcc, 0x1013, 3);
        for edit in [RomEdit::Replace(&rom), RomEdit::Remove] {
            let ours = edit_rom(&dump, edit, &POLICY).unwrap();
            assert_eq!(ours.slot, 1);
            identical(&ours.bytes);
            sound(&ours.bytes);
            let image = bench.put("dump.bin", &ours.bytes);
            accepted(&image, &["v"]);
            let full = accepted(&image, &["q", "full"]);
            agree(&parse(&ours.bytes).tree.unwrap().facts(1), &full);
            assert!(ours.bytes[..0x40_0000] == dump[..0x40_0000]);
            assert!(ours.bytes[0x80_0000..] == dump[0x80_0000..]);

            let in_slot_0 = by_mstflint(&bench, &moved_to_slot_0(&dump), edit).unwrap();
            let same = ours.bytes[0x40_0000..0x80_0000] == in_slot_0[..0x40_0000];
            assert!(same, "slot 1 differs from slot 0 with {more}");
        }
    }
}

#[test]
fn either_image_of_a_dump_is_changed_alone() {
    if skipped() {
        return;
    }
    let bench = Bench::new();
    let dump = build(&with_rom(
        0x100_0000,
        0x8000,
        "slots = [0, 1]\nsignature = 'digest'",
    ));
    identical(&dump);
    sound(&dump);
    let error = edit_rom(&dump, RomEdit::Remove, &POLICY).unwrap_err();
    let present = vec![0, 1];
    assert_eq!(error, EditError::WhichSlot { present });
    let rom = rom(0x1_0000, 0x1013, 4);
    for slot in [0, 1] {
        let policy = EditPolicy {
            slot: Some(slot),
            ..POLICY
        };
        let ours = edit_rom(&dump, RomEdit::Replace(&rom), &policy).unwrap();
        identical(&ours.bytes);
        sound(&ours.bytes);
        if slot == 0 {
            // mstflint takes the first image that it finds.
            let theirs = by_mstflint(&bench, &dump, RomEdit::Replace(&rom)).unwrap();
            assert!(ours.bytes == theirs, "slot 0 of a dump differs");
        }
        let other = (1 - slot) * 0x40_0000;
        let other = other..other + 0x40_0000;
        assert!(ours.bytes[other.clone()] == dump[other]);
        let tree = parse(&ours.bytes).tree.unwrap();
        assert!(tree.rom(slot) == Some(&rom));
        accepted(&bench.put("dump.bin", &ours.bytes), &["v"]);
    }
}

/// mstflint prints this of a section whose CRC it does not compare.
const IGNORED: &str = "CRC IGNORED";

#[test]
fn damage_is_seen_by_both() {
    if skipped() {
        return;
    }
    let bench = Bench::new();
    let good = build(&with_rom(0x20_0000, 0x1000, "spare_itoc = 'first'"));
    let regions = parse(&good).tree.unwrap().layout().regions();
    for region in regions {
        if region.path.ends_with("gap") || region.path.contains("padding") {
            continue;
        }
        for at in [0, region.length / 2, region.length - 1] {
            let mut bad = good.clone();
            bad[usize::try_from(region.offset + at).unwrap()] ^= 0x10;
            let image = bench.put("bad.bin", &bad);
            let (text, success) = mstflint(&image, &["v"]);
            let theirs = !success || text.contains("wrong CRC") || !text.contains(IGNORED);
            let parsed = parse(&bad);
            let mut findings = parsed.findings;
            findings.extend(parsed.tree.iter().flat_map(Fs3File::check));
            let ours = worst(&findings) == Some(Severity::Error);
            let what = format!("{} + {at:#x}: {text} {findings:#?}", region.path);
            // What mstflint takes and flexctl does not: only reserved bytes and
            // the end, never the other way round.
            assert!(ours || !theirs, "{what}");
            if ours != theirs {
                let known = ["slot0/header", "slot0/ITOC/END"].contains(&&*region.path);
                assert!(known, "{what}");
            }
        }
    }
}

#[test]
fn stale_bytes_and_reserved_bits_come_out_as_mstflint_leaves_them() {
    if skipped() {
        return;
    }
    let bench = Bench::new();
    let rom = rom(0x9abc, 0x1013, 5);
    for more in ["", "signature = 'digest'", "spare_itoc = 'second'"] {
        let mut bytes = build(&with_rom(0x40_0000, 0x8000, more));
        let tree = parse(&bytes).tree.unwrap();
        let regions = tree.layout().regions();
        let itoc = tree.image(0).unwrap().itoc.clone().unwrap();
        for region in regions {
            if region.kind == PieceKind::Gap {
                let from = usize::try_from(region.offset).unwrap();
                let to = from + usize::try_from(region.length).unwrap();
                #[allow(clippy::needless_range_loop)]
                for at in from..to {
                    let [byte, ..] = (region.offset ^ at as u64)
                        .wrapping_mul(0x9e37)
                        .to_le_bytes();
                    bytes[at] = byte | 1;
                }
            }
        }
        for (number, entry) in itoc.entries.iter().enumerate() {
            if !entry.device_data() {
                let at = itoc.entry_address(number);
                bytes[at + 3] |= 3;
                bytes[at + 0xc..at + 0x14].fill(0xa5);
                bytes[at + 0x18] = 0xf0;
                let crc = crc16(&bytes[at..at + 0x1c]);
                bytes[at + 0x1e..at + 0x20].copy_from_slice(&crc.to_be_bytes());
            }
        }
        identical(&bytes);
        accepted(&bench.put("stale.bin", &bytes), &["v"]);
        for edit in [RomEdit::Replace(&rom), RomEdit::Remove] {
            let what = format!("stale bytes with {more}");
            same_edit(&bench, &bytes, edit, &what).expect(&what);
        }
    }
}

#[test]
fn other_devices_of_the_time_are_known() {
    if skipped() {
        return;
    }
    let bench = Bench::new();
    for (id, adapter) in [(0x20b, true), (0x1ff, true), (0x249, false), (0x247, false)] {
        let text = with_rom(0x40_0000, 0x1000, "").replace("[0x209]", &format!("[{id:#x}]"));
        let bytes = build(&text);
        identical(&bytes);
        sound(&bytes);
        let image = bench.put("image.bin", &bytes);
        accepted(&image, &["v"]);
        agree(
            &parse(&bytes).tree.unwrap().facts(0),
            &accepted(&image, &["q", "full"]),
        );
        let theirs = by_mstflint(&bench, &bytes, RomEdit::Remove);
        let ours = edit_rom(&bytes, RomEdit::Remove, &POLICY);
        assert_eq!(
            (theirs.is_ok(), ours.is_ok()),
            (adapter, adapter),
            "{id:#x}"
        );
    }
}
