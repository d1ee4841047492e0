use super::*;
use crate::hwdb::ImageFormat;
use crate::image::build::{Content, Fs2Description, Fs3Description, flash_dump};
use crate::image::{EditError, EditPolicy, FlashSurvey, RomEdit, Severity, SlotState, worst};

const FS2: &str = include_str!("../../../tests/images/fs2-connectx-3.toml");
const FS3: &str = include_str!("../../../tests/images/fs3-connectx-4.toml");
const ROM3: &str = "
    format = 'option-rom'
    vendor_id = 0x15b3
    device_id = 0x1003
    record = [{ version = '3.4.812' }]
    image = [{ contents = { random = 8, size = 9000 } }]
";
const FLASH_FS2: u32 = 0x20_0000;
const FLASH_FS3: u32 = 0x100_0000;

fn rom(device: u16) -> Vec<u8> {
    let text = ROM3.replace("0x1003", &format!("{device:#x}"));
    crate::image::build::build(&text).unwrap()
}

fn fs2() -> Fs2Description {
    let mut description = Fs2Description::from_toml(FS2).unwrap();
    description.chunk = Some(0x8_0000);
    description
}

fn fs2_flash(image: &[u8], slot: usize) -> Vec<u8> {
    let mut slots = [None, None];
    slots[slot] = Some(image);
    flash_dump(slots, Some(19), FLASH_FS2, &[0xff]).unwrap()
}

fn fs3() -> Fs3Description {
    let mut description = Fs3Description::parse(FS3).unwrap();
    description.file_size = FLASH_FS3;
    description
}

fn fs3_flash(slot: usize) -> Vec<u8> {
    let mut description = fs3();
    description.slots = vec![slot];
    description.build().unwrap()
}

fn survey(format: ImageFormat, flash: &[u8]) -> FlashSurvey {
    FlashSurvey::of_bytes(format, flash, None)
}

/// The flash after a whole burn.
fn burned(flash: &[u8], survey: &FlashSurvey, ready: &ReadyImage) -> Vec<u8> {
    let mut flash = flash.to_vec();
    let length = u32::try_from(ready.bytes.len()).unwrap();
    for (at, part) in ready.place.pieces(0..length) {
        let bytes = &ready.bytes[part.start as usize..part.end as usize];
        flash[at as usize..at as usize + bytes.len()].copy_from_slice(bytes);
    }
    let old = survey.active().unwrap().place.start as usize;
    flash[old..old + 4].fill(0);
    flash
}

fn whole(format: ImageFormat, flash: &[u8]) -> crate::image::WholeImage {
    let survey = survey(format, flash);
    match &survey.active().unwrap().state {
        SlotState::Whole(image) => (**image).clone(),
        other => panic!("{other:?}"),
    }
}

fn policy() -> EditPolicy {
    EditPolicy::default()
}

#[test]
fn a_rom_change_is_for_the_other_slot_and_changes_nothing_else() {
    for slot in [0, 1] {
        let flashes = [
            (
                ImageFormat::Fs2,
                fs2_flash(&fs2().image().unwrap(), slot),
                rom(0x1003),
            ),
            (ImageFormat::Fs3, fs3_flash(slot), rom(0x1013)),
        ];
        for (format, flash, rom) in flashes {
            let old = survey(format, &flash);
            // Inserting and replacing mean the same here.
            let prepared = rom_change(&old, RomEdit::Insert(&rom), &policy()).unwrap();
            assert_eq!(
                prepared,
                rom_change(&old, RomEdit::Replace(&rom), &policy()).unwrap()
            );
            assert_eq!(prepared.image.place, old.target().unwrap());
            assert_eq!(prepared.rom.as_deref(), Some(&rom[..]));
            let after = burned(&flash, &old, &prepared.image);
            let new = whole(format, &after);
            assert_eq!(new.rom.as_deref(), Some(&rom[..]));
            assert_eq!(
                new.facts.addresses,
                old.active().unwrap().facts().unwrap().addresses
            );
            for region in old.device_data() {
                let range = region.range.start as usize..region.range.end as usize;
                assert_eq!(after[range.clone()], flash[range]);
            }
            // And back, by way of no ROM.
            let second = survey(format, &after);
            let without = rom_change(&second, RomEdit::Remove, &policy()).unwrap();
            assert_eq!(without.rom, None);
            let third = burned(&after, &second, &without.image);
            let own = old.active().unwrap().whole().unwrap().rom.clone().unwrap();
            let own = rom_change(&survey(format, &third), RomEdit::Replace(&own), &policy());
            let first = &old.active().unwrap().whole().unwrap().bytes;
            match format {
                ImageFormat::Fs2 => assert_eq!(own.unwrap().image.bytes, *first),
                // FS3 leaves what lay there before, as mstflint does.
                ImageFormat::Fs3 => assert!(own.is_ok()),
            }
        }
    }
}

#[test]
fn an_fs2_file_gets_the_guids_macs_and_vsd_of_the_card() {
    let mut description = fs2();
    description.guids = None;
    description.vsd = "release".to_owned();
    description.firmware = "2.42.5001".to_owned();
    let file = description.image().unwrap();
    for slot in [0, 1] {
        let flash = fs2_flash(&fs2().image().unwrap(), slot);
        let old = survey(ImageFormat::Fs2, &flash);
        let prepared = whole_image(&file, None, RomSource::Usual, &old, &policy()).unwrap();
        let was = old.active().unwrap().facts().unwrap();
        assert_eq!(prepared.facts.addresses, was.addresses);
        assert_eq!(prepared.facts.vsd.as_deref(), Some("synthetic"));
        assert_eq!(prepared.facts.version.unwrap().to_string(), "2.42.5001");
        let new = whole(ImageFormat::Fs2, &burned(&flash, &old, &prepared.image));
        assert!(
            worst(&new.findings) < Some(Severity::Warning),
            "{:?}",
            new.findings
        );
        // Only the GUID section, the VSD and CRCs differ from the file.
        let differing = file
            .iter()
            .zip(&prepared.image.bytes)
            .filter(|(old, new)| old != new)
            .count();
        assert_eq!(file.len(), prepared.image.bytes.len());
        assert!(differing <= 48 + 4 + 208 + 4 + 2, "{differing}");
    }
}

#[test]
fn an_fs2_file_without_a_rom_gets_the_card_s() {
    let mut description = fs2();
    description.rom = None;
    let file = description.image().unwrap();
    let flash = fs2_flash(&fs2().image().unwrap(), 0);
    let old = survey(ImageFormat::Fs2, &flash);
    let own = old.active().unwrap().whole().unwrap().rom.clone();
    assert!(own.is_some());
    let rom_of = |source| {
        whole_image(&file, None, source, &old, &policy())
            .unwrap()
            .rom
    };
    assert_eq!(rom_of(RomSource::Usual), own);
    assert_eq!(rom_of(RomSource::Card), own);
    assert_eq!(rom_of(RomSource::File), None);
}

#[test]
fn macs_are_made_of_guids_where_the_card_has_none() {
    let mut description = fs2();
    let mut guids = description.guids.clone().unwrap();
    guids[4] = "ffffffffffff".to_owned();
    guids[5] = "ffffffffffff".to_owned();
    description.guids = Some(guids);
    let flash = fs2_flash(&description.image().unwrap(), 0);
    let file = fs2().image().unwrap();
    let old = survey(ImageFormat::Fs2, &flash);
    let prepared = whole_image(&file, None, RomSource::Usual, &old, &policy()).unwrap();
    let macs: Vec<u64> = prepared.facts.addresses[4..]
        .iter()
        .map(|a| a.first)
        .collect();
    assert_eq!(macs, [0x0002_c9ab_cd01, 0x0002_c9ab_cd02]);
    description.guids = None;
    let flash = fs2_flash(&description.image().unwrap(), 0);
    let error = whole_image(
        &file,
        None,
        RomSource::Usual,
        &survey(ImageFormat::Fs2, &flash),
        &policy(),
    );
    insta::assert_snapshot!(error.unwrap_err(), @"GUIDs and MACs of the card cannot be kept: they were never set");
}

#[test]
fn copies_of_a_flash_are_files_too() {
    let card = fs2_flash(&fs2().image().unwrap(), 0);
    let mut description = fs2();
    description.firmware = "2.42.5002".to_owned();
    for slot in [0, 1] {
        let dump = fs2_flash(&description.image().unwrap(), slot);
        let old = survey(ImageFormat::Fs2, &card);
        let prepared = whole_image(&dump, None, RomSource::Usual, &old, &policy()).unwrap();
        assert_eq!(prepared.image.bytes, description.image().unwrap());
        let card = survey(ImageFormat::Fs3, &fs3_flash(0));
        let dump = fs3_flash(slot);
        let prepared = whole_image(&dump, Some(slot), RomSource::Usual, &card, &policy());
        let bytes = prepared.unwrap().image.bytes;
        assert!(dump[slot * 0x40_0000..].starts_with(&bytes));
    }
    let both = flash_dump(
        [
            Some(&fs2().image().unwrap()),
            Some(&description.image().unwrap()),
        ],
        Some(19),
        FLASH_FS2,
        &[0xff],
    );
    let old = survey(ImageFormat::Fs2, &card);
    let both = both.unwrap();
    let pick = |slot| whole_image(&both, slot, RomSource::Usual, &old, &policy());
    assert!(matches!(
        pick(None),
        Err(PrepareError::Edit(EditError::WhichSlot { .. }))
    ));
    assert_eq!(
        pick(Some(1)).unwrap().image.bytes,
        description.image().unwrap()
    );
}

#[test]
fn an_fs3_image_lists_the_device_data_of_the_card() {
    let mut description = fs3();
    description.base_guid = 0x1;
    description.base_mac = 0x2;
    description.version = "12.14.2037".to_owned();
    // A file of 4 MiB keeps device data elsewhere.
    description.file_size = 0x40_0000;
    let file = description.build().unwrap();
    for slot in [0, 1] {
        let flash = fs3_flash(slot);
        let old = survey(ImageFormat::Fs3, &flash);
        let prepared = whole_image(&file, None, RomSource::Usual, &old, &policy()).unwrap();
        let was = old.active().unwrap().facts().unwrap();
        assert_eq!(prepared.facts.addresses, was.addresses);
        let of_card = |facts: &FirmwareFacts| {
            let sections = facts.sections.iter().filter(|section| section.device_data);
            sections.map(|s| (s.type_id, s.offset)).collect::<Vec<_>>()
        };
        assert_eq!(of_card(&prepared.facts), of_card(was));
        let new = whole(ImageFormat::Fs3, &burned(&flash, &old, &prepared.image));
        assert_eq!(new.facts.version.unwrap().to_string(), "12.14.2037");
        let differing: Vec<usize> = file
            .iter()
            .zip(&prepared.image.bytes)
            .enumerate()
            .filter(|(_, (old, new))| old != new)
            .map(|(at, _)| at)
            .collect();
        assert!(
            differing.iter().all(|at| (0x1000..0x2000).contains(at)),
            "only the ITOC"
        );
    }
}

#[test]
fn what_does_not_fit_the_flash_is_refused() {
    let mut messages = Vec::new();
    let mut refused = |file: &[u8], survey: &FlashSurvey| {
        let error = whole_image(file, None, RomSource::Usual, survey, &policy()).unwrap_err();
        messages.push(error.to_string());
    };
    let flash = fs2_flash(&fs2().image().unwrap(), 0);
    let card = survey(ImageFormat::Fs2, &flash);
    let mut other = fs2();
    other.chunk = Some(0x4_0000);
    refused(&other.image().unwrap(), &card);
    other.chunk = None;
    refused(&other.image().unwrap(), &card);
    let mut large = fs2();
    large.code = Some(vec![Content {
        random: Some(1),
        size: Some(0xf_f000),
        ..Content::default()
    }]);
    refused(&large.image().unwrap(), &card);
    refused(&fs3().build().unwrap(), &card);
    refused(&rom(0x1003), &card);
    refused(b"nonsense", &card);
    let image = fs2().image().unwrap();
    refused(&image[..image.len() - 8], &card);
    let mut damaged = image.clone();
    damaged[0x500] ^= 1;
    refused(&damaged, &card);
    let whole_flash = {
        let mut flash = Fs2Description::from_toml(FS2).unwrap().image().unwrap();
        flash.resize(0x20_0000, 0xff);
        flash
    };
    refused(&image, &survey(ImageFormat::Fs2, &whole_flash));
    refused(&image, &survey(ImageFormat::Fs2, &[0xff; 0x1_0000]));
    let file = fs3().build().unwrap();
    refused(&file, &survey(ImageFormat::Fs3, &fs3_flash(0)[..0x40_0000]));
    let mut old = fs3();
    old.file_size = 0x20_0000;
    old.log2_chunk = 0x14;
    refused(&file, &survey(ImageFormat::Fs3, &old.build().unwrap()));
    let mut eight = fs3();
    eight.log2_chunk = 0x17;
    refused(&file, &survey(ImageFormat::Fs3, &eight.build().unwrap()));
    insta::assert_snapshot!(messages.join("\n"));
}

#[test]
fn an_image_of_eight_mib_goes_behind_one_of_four() {
    let mut eight = fs3();
    eight.log2_chunk = 0x17;
    let file = eight.build().unwrap();
    for slot in [0, 1] {
        let card = survey(ImageFormat::Fs3, &fs3_flash(slot));
        let prepared = whole_image(&file, None, RomSource::Usual, &card, &policy()).unwrap();
        assert_eq!(prepared.image.place.start, 0x80_0000);
    }
    eight.slots = vec![1];
    let card = survey(ImageFormat::Fs3, &eight.build().unwrap());
    assert_eq!(card.active().unwrap().place.start, 0x80_0000);
    let prepared = whole_image(&file, None, RomSource::Usual, &card, &policy()).unwrap();
    assert_eq!(prepared.image.place.start, 0);
}

#[test]
fn device_data_that_is_marked_in_another_way_is_refused() {
    let card = survey(ImageFormat::Fs3, &fs3_flash(0));
    let file = fs3().build().unwrap();
    // NV_DATA0, NV_DATA2, FW_NV_LOG have no CRC, DEV_INFO has one.
    let table = crate::image::fs3::parse(&file).tree.unwrap();
    let image = table.image(0).unwrap();
    let itoc = image.itoc.as_ref().unwrap();
    let number = itoc
        .entries
        .iter()
        .position(|entry| entry.section_type() == crate::image::fs3::SectionType::DEV_INFO)
        .unwrap();
    let at = itoc.entry_address(number);
    let changed = itoc.entries[number]
        .with_flags(true, true, false)
        .rewritten();
    let mut file = file.clone();
    file[at..at + 0x20].copy_from_slice(&changed.to_bytes());
    let error = whole_image(&file, None, RomSource::Usual, &card, &policy()).unwrap_err();
    insta::assert_snapshot!(error, @"DEV_INFO in the image is not as on the card: no_crc is false on the card and true in the image");
}

#[test]
fn a_damaged_image_gets_no_other_rom() {
    let mut flash = fs3_flash(0);
    flash[0x3000] ^= 1;
    let card = survey(ImageFormat::Fs3, &flash);
    let error = rom_change(&card, RomEdit::Remove, &policy()).unwrap_err();
    assert!(matches!(
        error,
        PrepareError::Edit(EditError::Damaged { .. })
    ));
    // A whole image may follow it: what is the card's own can still be read.
    let file = fs3().build().unwrap();
    let prepared = whole_image(&file, None, RomSource::Usual, &card, &policy()).unwrap();
    assert_eq!(prepared.image.place.start, 0x40_0000);
}
