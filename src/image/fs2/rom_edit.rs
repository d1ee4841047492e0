//! Another expansion ROM in a file, or none.
//!
//! A new ROM becomes the second section; one that replaces another takes its
//! place. All that lies behind moves, so that these are written anew: the
//! addresses in `next` of the sections, with their CRCs, and in the header where
//! the image info and the GUIDs are, the size, the full-image CRC; the byte that
//! says whether that is absent becomes 0. Nothing else changes.
//!
//! # Sources
//! mstflint 4.21, mlxfwops/lib/fs2_ops.cpp (`Fs2Operations::UpdateRomInImage`,
//! `UpdateFullImageCRC`), which does this on a card and refuses files.

use super::read_image::parse_image;
use super::rom_fits::{check_image, check_rom};
use super::splice::Splice;
use super::stripes::View;
use super::target::{Target, write};
use super::{FileShape, Fs2Image};
use crate::image::{ByteChange, EditError, EditPolicy, Edited, RomEdit, Severity, worst};

/// Addresses in the header have 24 bits.
const MOST_IMAGE_BYTES: usize = 1 << 24;

/// Puts a ROM into a file, another in its place, or takes it out.
///
/// # Errors
/// See [`EditError`]: a damaged file, a ROM that is none or for another device,
/// no room, or nobody said which of two images.
pub fn edit_rom(bytes: &[u8], edit: RomEdit<'_>, policy: &EditPolicy) -> Result<Edited, EditError> {
    let target = Target::of(bytes, policy)?;
    let image = target.image()?;
    let splice = Splice::new(image, edit)?;
    let mut notes = check_image(image)?;
    if let RomEdit::Insert(rom) | RomEdit::Replace(rom) = edit {
        notes.extend(check_rom(image, rom, policy)?);
    }
    let new_end = splice.moved(image.end());
    room(&target, image, new_end)?;

    let mut changes = splice.change(image);
    let new_image = splice.apply(image, &mut changes);
    let file = rewrite(bytes, &target, image, &new_image, &mut changes, &mut notes)?;
    changes.sort_by_key(|change| change.offset);
    Ok(Edited {
        bytes: sound(file, &target)?,
        slot: target.slot,
        changes,
        notes,
    })
}

/// A new file is read again before it is given away.
fn sound(file: Vec<u8>, target: &Target<'_>) -> Result<Vec<u8>, EditError> {
    let findings = {
        let view = match target
            .file
            .slot(target.slot)
            .and_then(|image| image.stripes)
        {
            Some(stripes) => View::striped(&file, stripes),
            None => View::contiguous(&file),
        };
        let parsed = parse_image(view, target.slot);
        let mut findings = parsed.findings;
        findings.extend(parsed.tree.iter().flat_map(Fs2Image::check));
        findings
    };
    if worst(&findings) == Some(Severity::Error) {
        return Err(EditError::Damaged { findings });
    }
    Ok(file)
}

/// Whether the new image has room.
fn room(target: &Target<'_>, image: &Fs2Image<'_>, new_end: usize) -> Result<(), EditError> {
    let too_large = |available: u64, limit: &str| EditError::TooLarge {
        what: "the image with its ROM".to_owned(),
        needed: new_end as u64,
        available,
        limit: limit.to_owned(),
    };
    if new_end <= image.end() {
        return Ok(());
    }
    if new_end >= MOST_IMAGE_BYTES {
        let most = MOST_IMAGE_BYTES as u64 - 1;
        return Err(too_large(most, "its header holds addresses of 24 bits"));
    }
    match target.file.image_limit(target.slot) {
        Some(limit) if new_end as u64 > limit => Err(too_large(
            limit,
            "the image has half of the flash, less the settings store at its end",
        )),
        _ => Ok(()),
    }
}

/// The file with the new image in place of the old one.
fn rewrite(
    bytes: &[u8],
    target: &Target<'_>,
    image: &Fs2Image<'_>,
    new: &[u8],
    changes: &mut Vec<ByteChange>,
    notes: &mut Vec<String>,
) -> Result<Vec<u8>, EditError> {
    let old_end = image.end();
    let half = target.file.half_length(target.slot);
    if target.file.shape == FileShape::Contiguous && (half == old_end || new.len() > half) {
        if half > old_end {
            notes.push(overwritten(half - old_end));
        }
        return Ok(new.to_vec());
    }
    let behind = target.file.rest_of(target.slot);
    if let Some(grown) = new.len().checked_sub(old_end).filter(|&grown| grown > 0) {
        let over = behind.slice(0, grown).unwrap_or_default();
        if over
            .parts()
            .iter()
            .any(|part| part.iter().any(|&byte| byte != 0xff))
        {
            notes.push(overwritten(grown));
        }
    }
    let mut file = bytes.to_vec();
    let mut fits = write(&mut file, image, 0, new);
    if let Some(freed) = old_end.checked_sub(new.len()).filter(|&freed| freed > 0) {
        fits &= write(&mut file, image, new.len(), &vec![0xff; freed]);
        changes.push(ByteChange {
            path: format!("{}/unused", image.path()),
            offset: image.physical(new.len()),
            length: freed as u64,
            what: format!("{freed:#x} bytes erased that the image no longer has"),
        });
    }
    if fits {
        Ok(file)
    } else {
        Err(EditError::TooLarge {
            what: "the image with its ROM".to_owned(),
            needed: new.len() as u64,
            available: half as u64,
            limit: "its half of the file".to_owned(),
        })
    }
}

fn overwritten(bytes: usize) -> String {
    format!("{bytes:#x} bytes behind the image, which were not erased, are overwritten")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::file::tests::{GUIDS, ROM, build, findings};
    use super::super::header::CRC_FLAG_OFFSET;
    use super::super::{SectionType, parse};
    use super::*;
    use crate::image::Permission;

    const RECORD: &[u8] = b"mlxsign:\x03\x00\x10\x00\xf0\x02\x04\x00\xff\x00\x03\x10";

    fn rom(length: usize) -> Vec<u8> {
        let mut rom = vec![0x55, 0xaa, 2, 0];
        rom.extend(RECORD);
        rom.resize(length, 0x77);
        rom
    }

    fn edit(bytes: &[u8], edit: RomEdit<'_>) -> Result<Edited, EditError> {
        edit_rom(bytes, edit, &EditPolicy::default())
    }

    #[test]
    fn out_and_in_again_is_the_same_file() {
        for head in ["", GUIDS, "chunk = 0x80000\nsingle_boot2 = true\n"] {
            let original = build(&format!("{head}{ROM}"));
            let file = parse(&original).tree.unwrap();
            let own = file.rom(0).unwrap();
            let without = edit(&original, RomEdit::Remove).unwrap();
            assert_eq!(findings(&without.bytes), findings(&build(head)));
            assert!(without.bytes == build(head));
            let again = edit(&without.bytes, RomEdit::Insert(&own)).unwrap();
            assert!(again.bytes == original);
            let same = edit(&original, RomEdit::Replace(&own)).unwrap();
            assert!(same.bytes == original && same.changes.is_empty());
        }
    }

    #[test]
    fn what_is_refused_changes_nothing_and_says_why() {
        let with = build(&format!("{GUIDS}{ROM}"));
        let without = build(GUIDS);
        let new = rom(64);
        let refused = |bytes: &[u8], change: RomEdit<'_>| edit(bytes, change).unwrap_err();
        assert!(matches!(
            refused(&with, RomEdit::Insert(&new)),
            EditError::HasRom { slot: 0, .. }
        ));
        assert!(matches!(
            refused(&without, RomEdit::Remove),
            EditError::NoRom { slot: 0 }
        ));
        assert!(matches!(
            refused(&without, RomEdit::Insert(&new[..63])),
            EditError::RomLength { length: 63 }
        ));
        assert!(matches!(
            refused(&without, RomEdit::Insert(&[])),
            EditError::RomDamaged { .. }
        ));
        assert!(matches!(
            refused(&without, RomEdit::Insert(&new[4..])),
            EditError::RomDamaged { .. }
        ));
        assert!(matches!(
            refused(&without, RomEdit::Insert(&[0x55, 0xaa, 1, 0])),
            EditError::Unversioned
        ));
        let mut damaged = with.clone();
        damaged[0x400] ^= 1;
        assert!(matches!(
            refused(&damaged, RomEdit::Remove),
            EditError::Damaged { .. }
        ));
        let pro = build("device_id = 0x1007\n");
        assert_eq!(
            refused(&pro, RomEdit::Insert(&new)),
            EditError::OtherDevice {
                rom: vec![0x1003],
                image: vec![0x1007]
            }
        );
        let by_hardware = build("device_id = 0\nhardware_ids = [0x1f7]\n");
        assert!(matches!(
            refused(&by_hardware, RomEdit::Insert(&new)),
            EditError::OtherDevice { .. }
        ));
        assert!(matches!(
            refused(&build("firmware = \"2.6.1400\"\n"), RomEdit::Insert(&new)),
            EditError::Unsupported { .. }
        ));
    }

    #[test]
    fn what_was_asked_for_is_done_with_a_note() {
        let policy = EditPolicy {
            other_device: Permission::Granted,
            unversioned: Permission::Granted,
            ..EditPolicy::default()
        };
        let image = build("device_id = 0x1007\nproduct_version = \"rel-1\"\n");
        let done = edit_rom(&image, RomEdit::Insert(&rom(64)), &policy).unwrap();
        assert_eq!(done.notes.len(), 2, "{:?}", done.notes);
        let done = edit_rom(&image, RomEdit::Insert(&[0x55, 0xaa, 1, 0]), &policy).unwrap();
        assert_eq!(done.notes.len(), 2, "{:?}", done.notes);
    }

    #[test]
    fn a_dump_of_two_images_needs_a_slot() {
        let text = |slots: &str| {
            build(&format!(
                "chunk = 0x10000\n{GUIDS}flash = {{ size = 0x80000, slots = {slots} }}\n"
            ))
        };
        let new = rom(64);
        let both = text("[0, 1]");
        assert_eq!(
            edit(&both, RomEdit::Insert(&new)),
            Err(EditError::WhichSlot {
                present: vec![0, 1]
            })
        );
        let second = text("[1]");
        assert_eq!(edit(&second, RomEdit::Insert(&new)).unwrap().slot, 1);
        let policy = EditPolicy {
            slot: Some(0),
            ..EditPolicy::default()
        };
        assert_eq!(
            edit_rom(&second, RomEdit::Insert(&new), &policy),
            Err(EditError::NoSuchSlot {
                slot: 0,
                present: vec![1]
            })
        );
        // Half of it, less two sectors of 4 KiB.
        let size = parse(&second).tree.unwrap().slot(1).unwrap().end();
        let most = 0x4_0000 - 0x2000 - size - 20;
        assert!(edit(&second, RomEdit::Insert(&rom(most))).is_ok());
        let error = edit(&second, RomEdit::Insert(&rom(most + 4))).unwrap_err();
        assert!(
            matches!(
                error,
                EditError::TooLarge {
                    available: 0x3_e000,
                    needed: 0x3_e004,
                    ..
                }
            ),
            "{error}"
        );
        // The other image may be damaged, and stays as it is.
        let mut damaged = both;
        damaged[0x1_0100] ^= 1;
        assert!(edit_rom(&damaged, RomEdit::Insert(&new), &policy).is_ok());
    }

    #[test]
    fn the_flag_of_an_absent_crc_is_cleared() {
        let mut image = build("");
        image[CRC_FLAG_OFFSET] = 0xff;
        let done = edit(&image, RomEdit::Insert(&rom(64))).unwrap();
        assert_eq!(done.bytes[CRC_FLAG_OFFSET], 0);
    }

    #[test]
    fn what_the_changes_do_not_name_moves_or_stays() {
        let original = build(GUIDS);
        let done = edit(&original, RomEdit::Insert(&rom(0x100))).unwrap();
        assert!(done.changes.is_sorted_by_key(|change| change.offset));
        let names: Vec<&str> = done
            .changes
            .iter()
            .filter_map(|change| change.path.strip_prefix("slot0/"))
            .collect();
        assert_eq!(
            names,
            [
                "header/crc",
                "header/info_pointer",
                "header/size",
                "header/guid_pointer",
                "ROM",
                "GUID/next"
            ]
        );
        let (old, new) = (
            parse(&original).tree.unwrap(),
            parse(&done.bytes).tree.unwrap(),
        );
        let (old, new) = (old.slot(0).unwrap(), new.slot(0).unwrap());
        let kept = new
            .sections
            .iter()
            .filter(|section| section.kind != SectionType::Rom);
        for (old, new) in old.sections.iter().zip(kept) {
            assert_eq!(
                (old.contents.clone(), old.param),
                (new.contents.clone(), new.param)
            );
        }
        assert_eq!(old.boot2, new.boot2);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]

        #[test]
        fn any_row_of_edits_leads_back(
            lengths in prop::collection::vec(1..0x3000_usize, 1..5),
            log2 in 16..20_u8,
            slots in prop::sample::select(vec!["", "[0]", "[1]", "[0, 1]"]),
            code in 0..0x2_8000_u32,
        ) {
            let flash = match slots {
                "" => String::new(),
                slots => format!("flash = {{ size = 0x200000, slots = {slots} }}\n"),
            };
            let original = build(&format!(
                "chunk = {}\n{GUIDS}code = [{{ random = 1, size = {} }}]\n{flash}",
                1_u32 << log2, code / 4 * 4,
            ));
            let slot = usize::from(slots == "[1]");
            let policy = EditPolicy { slot: Some(slot), ..EditPolicy::default() };
            let mut bytes = original.clone();
            for (index, length) in lengths.into_iter().enumerate() {
                let rom = rom(RECORD.len() + length * 4);
                let change = if index == 0 { RomEdit::Insert(&rom) } else { RomEdit::Replace(&rom) };
                bytes = edit_rom(&bytes, change, &policy).unwrap().bytes;
                prop_assert!(worst(&findings(&bytes)) < Some(Severity::Warning));
                let file = parse(&bytes).tree.unwrap();
                prop_assert!(file.rom(slot).as_deref() == Some(&rom[..]));
            }
            bytes = edit_rom(&bytes, RomEdit::Remove, &policy).unwrap().bytes;
            prop_assert!(bytes == original);
        }
    }
}
