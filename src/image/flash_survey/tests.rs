use std::cell::RefCell;

use proptest::prelude::*;

use super::*;
use crate::hwdb::ImageFormat;
use crate::image::build::{Fs2Description, Fs3Description, flash_dump};
use crate::image::{FIRMWARE_MAGIC, Severity};

const FS2: &str = include_str!("../../../tests/images/fs2-connectx-3.toml");
const FS3: &str = include_str!("../../../tests/images/fs3-connectx-4.toml");
const CHUNK: u32 = 0x8_0000;

fn fs2_image() -> Vec<u8> {
    let mut description = Fs2Description::from_toml(FS2).unwrap();
    description.chunk = Some(0x8_0000);
    description.image().unwrap()
}

/// A flash of 2 MiB with an image in each of these slots.
fn fs2_flash(slots: [bool; 2]) -> Vec<u8> {
    let image = fs2_image();
    let slots = slots.map(|there| there.then_some(&image[..]));
    flash_dump(slots, Some(19), 0x20_0000, &[0xff]).unwrap()
}

/// A flash of 16 MiB.
fn fs3_flash(slots: &[usize]) -> Vec<u8> {
    let mut description = Fs3Description::parse(FS3).unwrap();
    description.file_size = 0x100_0000;
    description.slots = slots.to_vec();
    description.build().unwrap()
}

fn states(survey: &FlashSurvey) -> Vec<(u32, &'static str)> {
    let slots = survey.slots().iter();
    slots
        .map(|slot| {
            let state = match slot.state {
                SlotState::Empty => "empty",
                SlotState::Damaged(_) => "damaged",
                SlotState::Whole(_) => "whole",
            };
            (slot.place.start, state)
        })
        .collect()
}

#[test]
fn an_fs2_flash_has_even_and_odd_chunks() {
    for (there, active, target) in [([true, false], 0, CHUNK), ([false, true], CHUNK, 0)] {
        let flash = fs2_flash(there);
        let survey = FlashSurvey::of_bytes(ImageFormat::Fs2, &flash, None);
        let [even, odd] = there.map(|there| if there { "whole" } else { "empty" });
        assert_eq!(states(&survey), [(0, even), (CHUNK, odd)]);
        let slot = survey.active().unwrap();
        assert_eq!(slot.place.start, active);
        assert_eq!(survey.target().unwrap().start, target);
        let whole = slot.whole().unwrap();
        assert_eq!(whole.bytes, fs2_image());
        assert_eq!(whole.facts.psid.as_deref(), Some("FLX1090000001"));
        assert_eq!(whole.rom.as_ref().unwrap()[..2], [0x55, 0xaa]);
        // Two sectors of 4 KiB at the end of each half.
        let ends: Vec<_> = survey
            .device_data()
            .iter()
            .map(|r| r.range.clone())
            .collect();
        assert_eq!(ends, [0x17_e000..0x18_0000, 0x1f_e000..0x20_0000]);
    }
}

#[test]
fn an_image_over_several_chunks_is_read_whole() {
    let mut description = Fs2Description::from_toml(FS2).unwrap();
    description.chunk = Some(0x1_0000);
    description.code = Some(vec![crate::image::build::Content {
        random: Some(9),
        size: Some(0x3_0000),
        ..Default::default()
    }]);
    let image = description.image().unwrap();
    for slots in [[Some(&image[..]), None], [None, Some(&image[..])]] {
        let flash = flash_dump(slots, Some(16), 0x100_0000, &[0xff]).unwrap();
        let survey = FlashSurvey::of_bytes(ImageFormat::Fs2, &flash, None);
        assert_eq!(survey.active().unwrap().whole().unwrap().bytes, image);
        assert_eq!(survey.device_data().len(), 2);
    }
}

#[test]
fn an_fs3_flash_has_two_slots_in_a_row() {
    for (slot, start, other) in [(0, 0, 0x40_0000), (1, 0x40_0000, 0)] {
        let flash = fs3_flash(&[slot]);
        let survey = FlashSurvey::of_bytes(ImageFormat::Fs3, &flash, None);
        assert_eq!(survey.active().unwrap().place.start, start);
        assert_eq!(survey.target().unwrap().start, other);
        let whole = survey.active().unwrap().whole().unwrap();
        assert_eq!(whole.facts.version.unwrap().to_string(), "12.14.2036");
        assert!(flash[start as usize..].starts_with(&whole.bytes));
        let names: Vec<&str> = survey.device_data().iter().map(|r| &*r.name).collect();
        assert_eq!(
            names,
            ["NV_DATA", "NV_DATA", "FW_NV_LOG", "DEV_INFO", "MFG_INFO"]
        );
        assert!(survey.device_data_within(&(0xfa_0000..0xfa_0001)).is_some());
        assert!(survey.device_data_within(&(0..0x80_0000)).is_none());
    }
}

#[test]
fn only_what_must_be_known_is_read() {
    for (format, flash, most) in [
        (
            ImageFormat::Fs2,
            fs2_flash([true, false]),
            fs2_image().len() as u64 + 0x400,
        ),
        (ImageFormat::Fs3, fs3_flash(&[0]), 0x1_4000),
    ] {
        let reads = RefCell::new(vec![false; flash.len()]);
        let survey = FlashSurvey::read(
            format,
            u32::try_from(flash.len()).unwrap(),
            None,
            |at, data| {
                let at = at as usize;
                for seen in &mut reads.borrow_mut()[at..at + data.len()] {
                    assert!(!*seen, "a byte is read once");
                    *seen = true;
                }
                data.copy_from_slice(&flash[at..at + data.len()]);
                Ok::<(), ()>(())
            },
        )
        .unwrap();
        assert!(survey.active().unwrap().whole().is_some());
        assert!(survey.read_bytes() <= most, "{:#x}", survey.read_bytes());
    }
}

#[test]
fn a_cold_boot_takes_the_first_magic_and_a_warm_reset_follows_the_address() {
    let survey = |flash: &[u8], address| FlashSurvey::of_bytes(ImageFormat::Fs3, flash, address);
    let both = fs3_flash(&[0, 1]);
    assert_eq!(survey(&both, Some(0x40_0000)).cold_boot(), Some(0));
    assert_eq!(survey(&both, Some(0x40_0000)).warm_boot(), Some(0x40_0000));
    assert_eq!(survey(&both, Some(0x40_0000)).target().unwrap().start, 0);
    assert_eq!(survey(&both, None).target().unwrap().start, 0x40_0000);
    let second = fs3_flash(&[1]);
    assert_eq!(survey(&second, Some(0)).warm_boot(), Some(0x40_0000));
}

#[test]
fn damage_is_told_with_what_is_left() {
    let mut fs2 = fs2_flash([true, false]);
    fs2[0x300] ^= 1;
    let mut fs3 = fs3_flash(&[0]);
    fs3[0x3010] ^= 1;
    for (format, flash) in [(ImageFormat::Fs2, fs2), (ImageFormat::Fs3, fs3)] {
        let survey = FlashSurvey::of_bytes(format, &flash, None);
        let SlotState::Damaged(damage) = &survey.active().unwrap().state else {
            panic!("{:?}", states(&survey));
        };
        assert!(damage.facts.as_ref().unwrap().psid.is_some());
        assert!(
            damage
                .findings
                .iter()
                .any(|f| f.severity == Severity::Error)
        );
    }
}

#[test]
fn what_the_card_does_not_run_is_no_image() {
    let survey = FlashSurvey::of_bytes(ImageFormat::Fs3, &fs2_flash([true, false]), None);
    assert_eq!((survey.magics(), survey.slots()), (&[0][..], &[][..]));
    assert!(survey.active().is_none() && survey.target().is_none());
}

#[test]
fn a_digest_of_all_bytes_is_found_right_with_what_lies_between() {
    let mut description = Fs3Description::parse(FS3).unwrap();
    description.file_size = 0x100_0000;
    description.fill = 0;
    let flash = description.build().unwrap();
    let survey = FlashSurvey::of_bytes(ImageFormat::Fs3, &flash, None);
    assert!(survey.active().unwrap().whole().is_some(), "{survey:#?}");
}

#[test]
fn a_flash_that_is_not_divided_has_one_slot() {
    let mut flash = Fs2Description::from_toml(FS2).unwrap().image().unwrap();
    flash.resize(0x20_0000, 0xff);
    let survey = FlashSurvey::of_bytes(ImageFormat::Fs2, &flash, None);
    assert_eq!(states(&survey), [(0, "whole")]);
    assert_eq!(survey.target(), None);
    // Twice, one behind the other.
    assert_eq!(survey.device_data()[0].range, 0x1f_c000..0x20_0000);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_bytes_make_a_survey_panic(
        fs3 in any::<bool>(),
        damage in prop::collection::vec((0_usize..0x1_8000, any::<u8>()), 0..40),
        noise in prop::collection::vec(any::<u8>(), 0..0x400),
        size in 0_usize..0x20_0000,
        address in any::<Option<u32>>(),
    ) {
        let (format, mut flash) = if fs3 {
            (ImageFormat::Fs3, fs3_flash(&[0, 1]))
        } else {
            (ImageFormat::Fs2, fs2_flash([true, true]))
        };
        for (at, byte) in damage {
            flash[at] = byte;
        }
        let survey = FlashSurvey::of_bytes(format, &flash, address);
        prop_assert!(survey.read_bytes() <= flash.len() as u64);
        flash.truncate(size);
        let cut = FlashSurvey::of_bytes(format, &flash, address);
        prop_assert!(cut.read_bytes() <= flash.len() as u64);
        let bytes = [&FIRMWARE_MAGIC[..], &noise].concat();
        let _ = FlashSurvey::of_bytes(format, &bytes, address);
        let _ = FlashSurvey::of_bytes(format, &noise, address);
    }
}
