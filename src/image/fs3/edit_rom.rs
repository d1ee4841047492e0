//! Changing the expansion ROM of an FS3 image.
//!
//! The bytes are those that `mstflint brom` and `mstflint drom` make of the same
//! file, old contents between the parts included: the beginning up to the end of
//! the ITOC's sector is written anew, with FF between the parts; behind it only
//! the sections are written. A signature becomes a plain digest. The other slot
//! and the device data are not touched. In slot 1 the same is done relative to
//! that slot, where mstflint writes to slot 0.
//!
//! # Sources
//! mstflint 4.21, mlxfwops/lib/fs3_ops.cpp (`Fs3Operations::Fs3ModifySection`,
//! `Fs3Operations::BurnFs3Image`, `Fs3Operations::FwInsertSHA256`,
//! `Fs3Operations::RomCommonCheck`) and fw_ops.cpp (`FwOperations::FwBurnData`).

use std::ops::Range;

use crate::hwdb::{Chip, ChipFormat, ChipKind};
use crate::image::boot2::BOOT2_OFFSET;
use crate::image::{
    ByteChange, EditError, EditPolicy, Edited, Finding, FindingKind, ImageKind, Parsed, Permission,
    RomEdit, Severity, version_records, worst,
};

use super::check::check_image;
use super::digest::image_digest;
use super::itoc::ITOC_SECTOR_BYTES;
use super::itoc_entry::ENTRY_BYTES;
use super::rom_plan::{Planned, plan};
use super::{Fs3File, Fs3Image, ImageInfo, SectionType, Signature, parse};

/// Where the part that is written anew begins: the magic stays.
const MAGIC_BYTES: usize = 16;

/// Changes the expansion ROM of one image of a file.
///
/// # Errors
/// Everything that `policy` does not allow, a damaged image, no room.
pub fn edit_rom(bytes: &[u8], edit: RomEdit<'_>, policy: &EditPolicy) -> Result<Edited, EditError> {
    let Parsed { tree, findings } = parse(bytes);
    let Some(file) = tree else {
        return Err(refusal(bytes, findings));
    };
    let image = chosen(&file, policy)?;
    let mut notes = Vec::new();
    for stale in sound(bytes, image, findings)? {
        notes.push(format!("it is made anew, but was wrong before: {stale}"));
    }
    let info = adapter_info(image)?;
    if let RomEdit::Insert(rom) | RomEdit::Replace(rom) = edit {
        check_rom(rom, &info, policy)?;
    }
    check_signature(image, &info, policy, &mut notes)?;
    if let Some(version) = info.product_version() {
        notes.push(format!(
            "firmware and ROM were released as one, product version {version}; \
             mstflint asks for --allow_rom_change"
        ));
    }
    let planned = plan(image, edit, bytes.len())?;
    let mut new = bytes.to_vec();
    let mut changes = write(&mut new, bytes, image, &planned);
    write_digest(&mut new, image, &mut changes);
    changes.retain(|change| {
        let from = usize::try_from(change.offset).unwrap_or(usize::MAX);
        let to = from.saturating_add(usize::try_from(change.length).unwrap_or(usize::MAX));
        new.get(from..to) != bytes.get(from..to)
    });
    changes.sort_by_key(|change| change.offset);
    let slot = image.slot;
    verify(&new, slot)?;
    Ok(Edited {
        bytes: new,
        slot,
        changes,
        notes,
    })
}

fn refusal(bytes: &[u8], findings: Vec<Finding>) -> EditError {
    let unsupported = findings
        .iter()
        .find(|finding| finding.kind == FindingKind::Unsupported);
    match unsupported {
        Some(finding) => EditError::Unsupported {
            format: ImageKind::of(bytes)
                .map_or("unknown", ImageKind::name)
                .to_owned(),
            reason: finding.message.clone(),
        },
        None => EditError::Damaged { findings },
    }
}

fn chosen<'f, 'a>(
    file: &'f Fs3File<'a>,
    policy: &EditPolicy,
) -> Result<&'f Fs3Image<'a>, EditError> {
    let present: Vec<usize> = file.slots().collect();
    match (policy.slot, file.images.as_slice()) {
        (Some(slot), _) => file
            .image(slot)
            .ok_or(EditError::NoSuchSlot { slot, present }),
        (None, [only]) => Ok(only),
        (None, _) => Err(EditError::WhichSlot { present }),
    }
}

/// Refuses an image with errors; those of the other slot do not matter. A digest
/// that is wrong is given back: an edit makes it anew, as mstflint does.
fn sound(
    bytes: &[u8],
    image: &Fs3Image<'_>,
    parsed: Vec<Finding>,
) -> Result<Vec<Finding>, EditError> {
    let mine = image.path("");
    let mut findings = parsed;
    findings.retain(|finding| finding.path.starts_with(&mine));
    findings.extend(check_image(bytes, image));
    let (digests, others): (Vec<_>, Vec<_>) = findings
        .into_iter()
        .partition(|finding| finding.kind == FindingKind::BadDigest);
    if worst(&others) == Some(Severity::Error) {
        return Err(EditError::Damaged { findings: others });
    }
    Ok(digests)
}

/// The same for the outcome.
fn verify(bytes: &[u8], slot: usize) -> Result<(), EditError> {
    let Parsed { tree, findings } = parse(bytes);
    match tree.as_ref().and_then(|file| file.image(slot)) {
        Some(image) => match sound(bytes, image, findings)? {
            stale if stale.is_empty() => Ok(()),
            findings => Err(EditError::Damaged { findings }),
        },
        None => Err(EditError::Damaged { findings }),
    }
}

/// What the image says of itself, if it is for a network card.
fn adapter_info<'a>(image: &Fs3Image<'a>) -> Result<ImageInfo<'a>, EditError> {
    let info = image.info().ok_or_else(|| EditError::Lacks {
        part: "IMAGE_INFO".to_owned(),
        needed_for: "says which device it is for".to_owned(),
    })?;
    let first = info.hardware_ids().first().copied().unwrap_or(0);
    match Chip::of(first) {
        Some(chip) if chip.format != ChipFormat::Fs3 => Err(EditError::Unsupported {
            format: format!("FS3 firmware for {}", chip.name),
            reason: "that chip has firmware of another format".to_owned(),
        }),
        Some(chip) if chip.kind == ChipKind::Adapter => Ok(info),
        Some(chip) => Err(EditError::Unsupported {
            format: format!("FS3 firmware for {}", chip.name),
            reason: "only network cards have an expansion ROM".to_owned(),
        }),
        None => Err(EditError::Unsupported {
            format: format!("FS3 firmware for hardware id {first:#x}"),
            reason: "it is not known what that is".to_owned(),
        }),
    }
}

fn check_rom(rom: &[u8], info: &ImageInfo<'_>, policy: &EditPolicy) -> Result<(), EditError> {
    if rom.is_empty() {
        let empty = Finding::error(FindingKind::Truncated, "ROM", 0, "the ROM is empty");
        return Err(EditError::RomDamaged {
            findings: vec![empty],
        });
    }
    if !rom.len().is_multiple_of(4) {
        return Err(EditError::RomLength { length: rom.len() });
    }
    let records: Vec<_> = version_records(rom).flatten().collect();
    if records.is_empty() && policy.unversioned == Permission::Refused {
        return Err(EditError::Unversioned);
    }
    let mut ids: Vec<u16> = records.iter().filter_map(|r| r.device_id).collect();
    ids.sort_unstable();
    ids.dedup();
    let known = device_ids(info);
    let other = ids.iter().any(|id| !known.contains(id));
    if other && policy.other_device == Permission::Refused {
        return Err(EditError::OtherDevice {
            rom: ids,
            image: known,
        });
    }
    Ok(())
}

/// PCI device ids of the chips that an image is for.
fn device_ids(info: &ImageInfo<'_>) -> Vec<u16> {
    let hardware = info.hardware_ids();
    let chips = hardware.iter().filter_map(|id| Chip::of(*id));
    let mut ids: Vec<u16> = chips.flat_map(|chip| chip.pci_devices.clone()).collect();
    ids.extend(info.pci_device_id());
    ids.sort_unstable();
    ids.dedup();
    ids
}

/// Refuses to lose a signature, or says what it means.
fn check_signature(
    image: &Fs3Image<'_>,
    info: &ImageInfo<'_>,
    policy: &EditPolicy,
    notes: &mut Vec<String>,
) -> Result<(), EditError> {
    let secure_firmware = info.secure_fw() || info.signed_fw();
    let signed = image.sections.iter().find(|section| {
        let bytes = section.bytes.unwrap_or_default();
        let state = match section.section_type() {
            SectionType::IMAGE_SIGNATURE_256 => Signature::of_256(bytes),
            SectionType::IMAGE_SIGNATURE_512 => Signature::of_512(bytes),
            _ => Signature::Blank,
        };
        state == Signature::Vendor
    });
    let claim = || image.section(SectionType::IMAGE_INFO);
    let Some(section) = signed.or_else(|| claim().filter(|_| secure_firmware)) else {
        return Ok(());
    };
    if policy.unsigned == Permission::Refused {
        return Err(EditError::SignatureLost {
            path: image.path(&section.name),
            offset: section.offset,
            secure_firmware,
        });
    }
    notes.push(if secure_firmware {
        "the signature is lost; a card with secure firmware refuses the image".to_owned()
    } else {
        "the signature is lost; the image now carries a plain digest".to_owned()
    });
    if section.section_type() == SectionType::IMAGE_SIGNATURE_512 {
        notes.push("IMAGE_SIGNATURE_512 stays as it is, and is not valid any more".to_owned());
    }
    Ok(())
}

/// Writes the new image; returns what was touched.
fn write(
    new: &mut [u8],
    old: &[u8],
    image: &Fs3Image<'_>,
    planned: &[Planned<'_>],
) -> Vec<ByteChange> {
    let mut changes = Vec::new();
    let (Some(boot2), Some(itoc)) = (&image.boot2, &image.itoc) else {
        return changes;
    };
    let start = image.start;
    let boot2_end = start + BOOT2_OFFSET + boot2.length();
    let table = start + itoc.address;
    let head = start + MAGIC_BYTES..(table + ITOC_SECTOR_BYTES).min(new.len());
    if let Some(padding) = new.get_mut(boot2_end..head.end) {
        padding.fill(0xff);
    }
    // It read the first bytes of every sector while it looked for the ITOC.
    for sector in (boot2_end.next_multiple_of(ITOC_SECTOR_BYTES)..table).step_by(ITOC_SECTOR_BYTES)
    {
        keep(new, old, sector..sector + ENTRY_BYTES);
    }
    let mut rows = itoc.header.to_bytes();
    for section in planned {
        rows.extend(section.entry.to_bytes());
    }
    rows.resize(rows.len() + ENTRY_BYTES, 0xff);
    put(new, table, &rows);
    let change = |name: &str, range: Range<usize>, what: String| ByteChange {
        path: image.path(name),
        offset: range.start as u64,
        length: range.len() as u64,
        what,
    };
    changes.push(change(
        "BOOT2/padding",
        boot2_end..table,
        "FF as mstflint writes it".to_owned(),
    ));
    changes.push(change(
        "ITOC",
        table..head.end,
        format!("{} entries -> {}", itoc.entries.len(), planned.len()),
    ));
    // Device data is not written, but must not be lost where it is in the head.
    for section in planned.iter().filter(|s| s.entry.device_data()) {
        let offset = usize::try_from(section.offset(start)).unwrap_or(usize::MAX);
        let end = offset.saturating_add(section.bytes.len());
        keep(new, old, offset.max(head.start)..end.min(head.end));
    }
    for section in planned.iter().filter(|s| !s.entry.device_data()) {
        let offset = usize::try_from(section.offset(start)).unwrap_or(usize::MAX);
        put(new, offset, section.bytes);
        let what = match section.moved {
            0 => format!("{:#x} bytes", section.bytes.len()),
            moved if moved < 0 => format!("moved by -{:#x}", moved.unsigned_abs()),
            moved => format!("moved by {moved:#x}"),
        };
        let end = offset.saturating_add(section.bytes.len());
        changes.push(change(&section.name, offset..end, what));
    }
    changes
}

fn put(new: &mut [u8], at: usize, bytes: &[u8]) {
    let end = at.saturating_add(bytes.len());
    if let Some(place) = new.get_mut(at..end) {
        place.copy_from_slice(bytes);
    }
}

fn keep(new: &mut [u8], old: &[u8], range: Range<usize>) {
    if let Some(bytes) = old.get(range.clone()) {
        put(new, range.start, bytes);
    }
}

/// Brings the signature section up to date, if there is one.
fn write_digest(new: &mut [u8], image: &Fs3Image<'_>, changes: &mut [ByteChange]) {
    let patches = image_digest(new, image.start);
    for (at, bytes) in &patches {
        put(new, *at, bytes);
    }
    let signature = image.path("IMAGE_SIGNATURE_256");
    for change in changes.iter_mut().filter(|c| c.path == signature) {
        change.what = format!("{}, with the digest of the new image", change.what);
    }
}

#[cfg(test)]
mod tests {
    use super::super::samples::{image, rom, rom_line};
    use super::*;

    fn edit(bytes: &[u8], edit: RomEdit<'_>) -> Result<Edited, EditError> {
        edit_rom(bytes, edit, &EditPolicy::default())
    }

    fn allowed(change: impl FnOnce(&mut EditPolicy)) -> EditPolicy {
        let mut policy = EditPolicy::default();
        change(&mut policy);
        policy
    }

    #[test]
    fn a_rom_goes_in_and_comes_out_again() {
        let bytes = image("signature = 'digest'");
        let rom = rom(0x3000, 0x1013);
        let with = edit(&bytes, RomEdit::Insert(&rom)).unwrap();
        assert_eq!(parse(&with.bytes).tree.unwrap().rom(0), Some(&*rom));
        let paths: Vec<&str> = with.changes.iter().map(|change| &*change.path).collect();
        assert_eq!(
            paths,
            [
                "slot0/ITOC",
                "slot0/ROM_CODE",
                "slot0/PCI_CODE",
                "slot0/MAIN_CODE",
                "slot0/IMAGE_INFO",
                "slot0/IMAGE_SIGNATURE_256",
            ]
        );
        let without = edit(&with.bytes, RomEdit::Remove).unwrap();
        let moved = |bytes: &[u8]| {
            let facts = parse(bytes).tree.unwrap().facts(0);
            let sections = facts.sections.into_iter();
            sections.map(|s| (s.name, s.offset)).collect::<Vec<_>>()
        };
        assert_eq!(moved(&without.bytes), moved(&bytes));
    }

    #[test]
    fn what_is_there_already_or_not_is_said() {
        let rom = rom(0x200, 0x1013);
        let without = image("");
        let with = image(&rom_line(0x200));
        let slot = 0;
        let has = edit(&with, RomEdit::Insert(&rom)).unwrap_err();
        assert!(matches!(has, EditError::HasRom { slot: 0, .. }));
        for edit_without in [RomEdit::Replace(&rom), RomEdit::Remove] {
            let error = edit(&without, edit_without).unwrap_err();
            assert_eq!(error, EditError::NoRom { slot });
        }
        let policy = allowed(|policy| policy.slot = Some(1));
        let error = edit_rom(&with, RomEdit::Remove, &policy).unwrap_err();
        let present = vec![0];
        assert_eq!(error, EditError::NoSuchSlot { slot: 1, present });
    }

    #[test]
    fn roms_that_do_not_belong_are_refused_unless_allowed() {
        let bytes = image("");
        let insert =
            |rom: &[u8], policy: &EditPolicy| edit_rom(&bytes, RomEdit::Insert(rom), policy);
        let none = EditPolicy::default();
        assert_eq!(
            insert(&[0; 6], &none).unwrap_err(),
            EditError::RomLength { length: 6 }
        );
        let empty = insert(&[], &none).unwrap_err();
        assert!(matches!(empty, EditError::RomDamaged { .. }));

        assert_eq!(insert(&[0; 8], &none).unwrap_err(), EditError::Unversioned);
        let policy = allowed(|policy| policy.unversioned = Permission::Granted);
        insert(&[0; 8], &policy).unwrap();

        let other = rom(0x200, 0x1015);
        assert_eq!(
            insert(&other, &none).unwrap_err(),
            EditError::OtherDevice {
                rom: vec![0x1015],
                image: vec![0x1013]
            }
        );
        let policy = allowed(|policy| policy.other_device = Permission::Granted);
        insert(&other, &policy).unwrap();
    }

    #[test]
    fn a_vendor_signature_is_not_lost_by_accident() {
        let keep = [
            ("signature = 'vendor'", "slot0/IMAGE_SIGNATURE_256", false),
            (
                "signature = 'vendor512'\nsecurity = ['secure-fw']",
                "slot0/IMAGE_SIGNATURE_256",
                true,
            ),
            (
                "signature = 'digest'\nsecurity = ['signed-fw']",
                "slot0/IMAGE_INFO",
                true,
            ),
        ];
        for (more, where_it_is, secure) in keep {
            let bytes = image(&format!("{more}\n{}", rom_line(0x400)));
            let error = edit(&bytes, RomEdit::Remove).unwrap_err();
            let EditError::SignatureLost {
                path,
                secure_firmware,
                ..
            } = error
            else {
                panic!("{error}");
            };
            assert_eq!((&*path, secure_firmware), (where_it_is, secure));
            let policy = allowed(|policy| policy.unsigned = Permission::Granted);
            let edited = edit_rom(&bytes, RomEdit::Remove, &policy).unwrap();
            assert!(!edited.notes.is_empty());
            let tree = parse(&edited.bytes).tree.unwrap();
            let section = tree.images[0].contents(SectionType::IMAGE_SIGNATURE_256);
            let signature = Signature::of_256(section.unwrap());
            assert!(matches!(signature, Signature::Digest(_)));
        }
    }

    #[test]
    fn there_is_an_end_to_the_room() {
        let mut length = 0x10_0000;
        let bytes = image("signature = 'digest'");
        let mut fits = 0;
        for step in (2..20).rev().map(|bit| 1 << bit) {
            match edit(&bytes, RomEdit::Insert(&rom(length, 0x1013))) {
                Ok(_) => {
                    fits = length;
                    length += step;
                }
                Err(EditError::TooLarge {
                    needed, available, ..
                }) => {
                    assert!(needed > available);
                    assert_eq!(available, 0x1a_0000);
                    length -= step;
                }
                Err(other) => panic!("{other}"),
            }
        }
        // The data ends in the last sector before the device data.
        assert!(fits > 0x18_0000, "{fits:#x}");
    }

    #[test]
    fn images_of_others_and_damaged_ones_are_refused() {
        let mut damaged = image(&rom_line(0x400));
        damaged[0x3000] ^= 1;
        let error = edit(&damaged, RomEdit::Remove).unwrap_err();
        assert!(matches!(error, EditError::Damaged { .. }), "{error}");

        let mut newer = vec![0xff; 0x1000];
        newer[..16].copy_from_slice(&crate::image::FS4_MAGIC);
        newer[0x10] = 1;
        let error = edit(&newer, RomEdit::Remove).unwrap_err();
        assert!(error.to_string().contains("FS4"), "{error}");

        let bytes = image(&rom_line(0x400));
        let offset = parse(&bytes).tree.unwrap().images[0]
            .section(SectionType::IMAGE_INFO)
            .unwrap()
            .offset;
        let at = usize::try_from(offset).unwrap();
        for (id, name) in [(0x249_u32, "Spectrum"), (0x20d, "ConnectX-5")] {
            let mut switch = bytes.clone();
            switch[at + 0x118..at + 0x11c].copy_from_slice(&id.to_be_bytes());
            let switch = with_right_crcs(switch);
            let error = edit(&switch, RomEdit::Remove).unwrap_err();
            assert!(error.to_string().contains(name), "{error}");
        }
    }

    /// The same with the CRC of IMAGE_INFO brought up to date.
    fn with_right_crcs(mut bytes: Vec<u8>) -> Vec<u8> {
        let parsed = parse(&bytes).tree.unwrap();
        let image = &parsed.images[0];
        let itoc = image.itoc.as_ref().unwrap();
        let number = image
            .sections
            .iter()
            .position(|section| section.section_type() == SectionType::IMAGE_INFO)
            .unwrap();
        let section = &image.sections[number];
        let crc = crate::image::checksum::crc16(section.bytes.unwrap());
        let entry = section.entry.with_section_crc(crc).rewritten().to_bytes();
        let at = itoc.entry_address(number);
        bytes[at..at + entry.len()].copy_from_slice(&entry);
        bytes
    }
}
