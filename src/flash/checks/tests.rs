use std::sync::LazyLock;

use proptest::prelude::*;

use super::*;
use crate::hwdb::{Device, FlashChip, Hwdb, ImageFormat};
use crate::image::build::{Content, Fs2Description, Fs3Description, build, flash_dump};
use crate::image::fs2::{DefaultChange, edit_boot_defaults};
use crate::image::payload::synthetic;
use crate::image::{EditPolicy, FS4_MAGIC, FirmwareVersion, FlashSurvey, RomSource};

const FS2: &str = include_str!("../../../tests/images/fs2-connectx-3.toml");
const FS3: &str = include_str!("../../../tests/images/fs3-connectx-4.toml");
const RICH_ROM: &str = include_str!("../../../tests/images/option_rom-connectx-4.toml");
const PLAIN_ROM: &str = include_str!("../../../tests/images/option_rom-plain.toml");
static HWDB: LazyLock<Hwdb> = LazyLock::new(|| Hwdb::builtin().unwrap());

fn device(name: &str) -> &'static Device {
    HWDB.devices()
        .iter()
        .find(|device| device.name == name)
        .unwrap()
}

fn rom(device: u16) -> Vec<u8> {
    build(&format!(
        "format = 'option-rom'\nvendor_id = 0x15b3\ndevice_id = {device:#x}\n\
         record = [{{ version = '3.4.812' }}]\nimage = [{{ contents = {{ random = 8, size = 9000 }} }}]"
    ))
    .unwrap()
}

/// A ConnectX-4 as it should be.
fn cx4() -> CardFacts<'static> {
    CardFacts {
        device: device("connectx-4"),
        hardware_id: 0x209,
        revision: 0,
        psid: Some("FLX2190000001".to_owned()),
        running_version: Some(FirmwareVersion {
            major: 12,
            minor: 14,
            subminor: 2036,
        }),
        secure: None,
        chip: ChipFacts::Known(FlashChip::of([0x20, 0xba, 0x18]).unwrap()),
        protection: None,
        driver: Some("mlx5_core".to_owned()),
        live: false,
        promises_ipv6: false,
    }
}

fn cx3() -> CardFacts<'static> {
    CardFacts {
        device: device("connectx-3"),
        hardware_id: 0x1f5,
        psid: Some("FLX1090000001".to_owned()),
        running_version: None,
        chip: ChipFacts::Known(FlashChip::of([0xef, 0x40, 0x15]).unwrap()),
        driver: Some("mlx4_core".to_owned()),
        ..cx4()
    }
}

fn fs3() -> Fs3Description {
    let mut description = Fs3Description::parse(FS3).unwrap();
    description.file_size = 0x100_0000;
    description
}

fn cx4_flash(change: impl FnOnce(&mut Fs3Description)) -> FlashSurvey {
    let mut description = fs3();
    change(&mut description);
    FlashSurvey::of_bytes(ImageFormat::Fs3, &description.build().unwrap(), None)
}

fn fs3_file(change: impl FnOnce(&mut Fs3Description)) -> Vec<u8> {
    let mut description = fs3();
    change(&mut description);
    description.build().unwrap()
}

fn fs2_file(change: impl FnOnce(&mut Fs2Description)) -> Vec<u8> {
    let mut description = Fs2Description::from_toml(FS2).unwrap();
    description.chunk = Some(0x8_0000);
    change(&mut description);
    description.image().unwrap()
}

fn cx3_flash(change: impl FnOnce(&mut Fs2Description)) -> FlashSurvey {
    let image = fs2_file(change);
    let flash = flash_dump([Some(&image), None], Some(19), 0x20_0000, &[0xff]).unwrap();
    FlashSurvey::of_bytes(ImageFormat::Fs2, &flash, None)
}

fn file(file: &[u8]) -> NewContents<'_> {
    NewContents::Image {
        file,
        slot: None,
        rom: RomSource::Usual,
    }
}

fn asked(
    card: &CardFacts<'_>,
    survey: &FlashSurvey,
    new: &NewContents<'_>,
    doors: &Doors,
) -> Judgement {
    judge(card, survey, new, doors, &HWDB)
}

fn spelled(objections: &[Objection]) -> String {
    let lines: Vec<String> = objections
        .iter()
        .map(|objection| {
            let door = objection.door.map_or("no door", Door::name);
            format!(
                "{} [{}, {door}]: {objection}",
                objection.kind.word(),
                objection.exit().code()
            )
        })
        .collect();
    lines.join("\n")
}

#[test]
fn what_is_right_is_ready() {
    let file3 = fs3_file(|new| new.version = "12.14.2037".to_owned());
    let file2 = fs2_file(|new| new.firmware = "2.42.5001".to_owned());
    for (card, survey, rom, firmware) in [
        (cx4(), cx4_flash(|_| {}), rom(0x1013), file3),
        (cx3(), cx3_flash(|_| {}), rom(0x1003), file2),
    ] {
        for new in [NewContents::Rom(&rom), file(&firmware)] {
            let judgement = asked(&card, &survey, &new, &Doors::closed());
            assert_eq!(spelled(&judgement.objections), "");
            let prepared = judgement.ready().unwrap();
            assert_eq!(prepared.image.place, survey.target().unwrap());
            let differences = judgement.differences.as_ref().unwrap();
            let changes_rom = matches!(new, NewContents::Rom(_));
            assert_eq!(differences.roms.is_one(), changes_rom);
            assert_eq!(differences.firmware.is_one(), !changes_rom);
            assert!(!differences.psid.is_one());
        }
    }
}

#[test]
fn differences_are_said_in_words() {
    let rom = rom(0x1013);
    let judgement = asked(
        &cx4(),
        &cx4_flash(|_| {}),
        &NewContents::Rom(&rom),
        &Doors::closed(),
    );
    insta::assert_debug_snapshot!(judgement.differences.unwrap());
}

/// Objections that have a door, alone in every case: closed it is in the way,
/// open it is told.
#[test]
fn every_door_is_closed_unless_it_is_opened() {
    let mut said = Vec::new();
    let mut seen = Vec::new();
    let mut case =
        |card: &CardFacts<'_>, survey: &FlashSurvey, new: &NewContents<'_>, door: Door| {
            let closed = asked(card, survey, new, &Doors::closed());
            let message = spelled(&closed.objections);
            assert!(closed.ready().is_none(), "{message}");
            assert!(
                closed
                    .objections
                    .iter()
                    .all(|objection| objection.door == Some(door)),
                "{door:?}: {message}"
            );
            let other = Doors::from_iter(Door::ALL.into_iter().filter(|&any| any != door));
            assert!(asked(card, survey, new, &other).ready().is_none());
            let open = asked(card, survey, new, &Doors::closed().open(door));
            assert_eq!(spelled(&open.objections), "");
            assert_eq!(open.overridden, closed.objections);
            assert!(open.ready().is_some());
            said.push(message);
            seen.push(door);
        };
    let good = rom(0x1013);
    let flash = cx4_flash(|_| {});

    let new = fs3_file(|new| new.psid = "FLX2190000002".to_owned());
    case(&cx4(), &flash, &file(&new), Door::OtherPsid);
    let silent = cx4_flash(|old| old.psid = String::new());
    let card = CardFacts {
        psid: None,
        ..cx4()
    };
    case(&card, &silent, &file(&new), Door::OtherPsid);
    let new = fs2_file(|new| new.settings_area = vec![2, 4, 2]);
    case(&cx3(), &cx3_flash(|_| {}), &file(&new), Door::OtherPsid);

    let new = fs3_file(|new| new.version = "12.14.2000".to_owned());
    case(&cx4(), &flash, &file(&new), Door::Downgrade);
    let new = fs3_file(|new| new.version = "0.0.0".to_owned());
    case(&cx4(), &flash, &file(&new), Door::Downgrade);

    let signed = cx4_flash(|old| old.signature = crate::image::build::Fs3Signature::Vendor);
    case(&cx4(), &signed, &NewContents::Rom(&good), Door::Unsigned);
    let new = fs3_file(|_| {});
    case(&cx4(), &signed, &file(&new), Door::Unsigned);

    let rich = Content {
        option_rom: Some(Box::new(toml::from_str(RICH_ROM).unwrap())),
        ..Content::default()
    };
    let richer = cx4_flash(|old| old.rom = Some(rich));
    case(&cx4(), &richer, &NewContents::Rom(&good), Door::LostImage);
    case(&cx4(), &flash, &NewContents::NoRom, Door::LostImage);

    let product = cx4_flash(|old| old.product_version = "rel-12_14".to_owned());
    case(&cx4(), &product, &NewContents::Rom(&good), Door::RomChange);

    let mut damaged = good.clone();
    damaged[0x800] ^= 1;
    case(
        &cx4(),
        &flash,
        &NewContents::Rom(&damaged),
        Door::DamagedRom,
    );
    let other = rom(0x1003);
    case(
        &cx4(),
        &flash,
        &NewContents::Rom(&other),
        Door::OtherDeviceRom,
    );
    let plain = build(&PLAIN_ROM.replace("0x1003", "0x1013")).unwrap();
    case(
        &cx4(),
        &flash,
        &NewContents::Rom(&plain),
        Door::UnversionedRom,
    );

    let both = fs3_file(|new| new.slots = vec![0, 1]);
    let both = FlashSurvey::of_bytes(ImageFormat::Fs3, &both, Some(0x40_0000));
    case(
        &cx4(),
        &both,
        &NewContents::Rom(&good),
        Door::UnhealthyFlash,
    );
    let mut broken = fs3_file(|_| {});
    broken[0x3000] ^= 1;
    let broken = FlashSurvey::of_bytes(ImageFormat::Fs3, &broken, None);
    let new = fs3_file(|_| {});
    case(&cx4(), &broken, &file(&new), Door::UnhealthyFlash);

    let change = DefaultChange {
        setting: "IP_VER".to_owned(),
        port: None,
        value: "IPv6".to_owned(),
    };
    let altered = edit_boot_defaults(&fs2_file(|_| {}), &[change], &EditPolicy::default(), &HWDB);
    let altered = altered.unwrap().bytes;
    case(
        &cx3(),
        &cx3_flash(|_| {}),
        &file(&altered),
        Door::ChangedDefaults,
    );

    let live = CardFacts {
        live: true,
        ..cx4()
    };
    case(
        &live,
        &flash,
        &NewContents::Rom(&good),
        Door::AcceptUntested,
    );

    for door in Door::ALL {
        assert!(seen.contains(&door), "{door:?}");
        assert_eq!(Door::by_name(door.name()), Some(door));
        assert!(!door.meaning().is_empty());
    }
    insta::assert_snapshot!(said.join("\n"));
}

#[test]
fn some_things_have_no_door() {
    let mut said = Vec::new();
    let all = Doors::from_iter(Door::ALL);
    let mut case = |card: &CardFacts<'_>, survey: &FlashSurvey, new: &NewContents<'_>| {
        let judgement = asked(card, survey, new, &all);
        assert!(judgement.ready().is_none());
        assert!(judgement.clone().into_ready().is_none());
        assert!(
            judgement
                .objections
                .iter()
                .all(|objection| objection.door.is_none())
        );
        said.push(spelled(&judgement.objections));
    };
    let good = rom(0x1013);
    let flash = cx4_flash(|_| {});
    let rom_change = NewContents::Rom(&good);

    let mut fs4 = vec![0xff; 0x1000];
    fs4[..16].copy_from_slice(&FS4_MAGIC);
    fs4[0x10] = 1;
    case(&cx4(), &flash, &file(&fs4));
    case(&cx4(), &flash, &file(&fs2_file(|_| {})));
    case(&cx4(), &flash, &file(b"hello"));
    case(&cx4(), &flash, &file(&fs3_file(|_| {})[..0x8000]));
    let mut damaged = fs3_file(|_| {});
    damaged[0x5000] ^= 1;
    case(&cx4(), &flash, &file(&damaged));
    case(
        &cx4(),
        &flash,
        &file(&fs3_file(|new| new.slots = vec![0, 1])),
    );

    case(
        &cx4(),
        &flash,
        &file(&fs3_file(|new| new.hw_ids = vec![0x20b])),
    );
    case(
        &cx4(),
        &flash,
        &file(&fs3_file(|new| new.pci_device = 0x1015)),
    );
    let second = CardFacts {
        revision: 1,
        ..cx4()
    };
    case(&second, &flash, &rom_change);
    let two = fs2_file(|new| new.hardware_ids = Some(vec![0x1f5]));
    case(
        &CardFacts {
            revision: 1,
            ..cx3()
        },
        &cx3_flash(|_| {}),
        &file(&two),
    );
    let three = fs2_file(|new| {
        new.hardware_ids = Some(Vec::new());
        new.device_id = 0x1007;
    });
    case(&cx3(), &cx3_flash(|_| {}), &file(&three));
    case(
        &CardFacts {
            hardware_id: 0x20b,
            ..cx4()
        },
        &flash,
        &rom_change,
    );

    let secure = CardFacts {
        secure: Some("MGIR says so".to_owned()),
        ..cx4()
    };
    case(&secure, &flash, &rom_change);
    let marked = cx4_flash(|old| {
        old.security = vec!["secure-fw".to_owned()];
        old.signature = crate::image::build::Fs3Signature::Vendor;
    });
    case(&cx4(), &marked, &rom_change);
    let new = fs3_file(|new| {
        new.security = vec!["secure-fw".to_owned()];
        new.signature = crate::image::build::Fs3Signature::Vendor;
    });
    case(&cx4(), &flash, &file(&new));

    let unknown = CardFacts {
        chip: ChipFacts::Unknown {
            jedec: [1, 2, 0x18],
        },
        ..cx4()
    };
    case(&unknown, &flash, &rom_change);
    let mut chip = FlashChip::of([0x20, 0xba, 0x18]).unwrap();
    chip.read_only = Some("nobody told how it is erased".to_owned());
    let read_only = CardFacts {
        chip: ChipFacts::Known(chip),
        ..cx4()
    };
    case(&read_only, &flash, &rom_change);
    let other_size = CardFacts {
        chip: cx3().chip,
        ..cx4()
    };
    case(&other_size, &flash, &rom_change);
    let protected = CardFacts {
        protection: Some("top 64 sectors".to_owned()),
        ..cx4()
    };
    case(&protected, &flash, &rom_change);
    let guest = CardFacts {
        driver: Some("vfio-pci".to_owned()),
        ..cx4()
    };
    case(&guest, &flash, &rom_change);

    let promise = CardFacts {
        promises_ipv6: true,
        ..cx4()
    };
    case(&promise, &flash, &rom_change);
    case(&promise, &flash, &NewContents::NoRom);

    let huge = vec![0; 0x100_0000];
    case(&cx4(), &flash, &NewContents::Rom(&huge));
    case(&cx4(), &flash, &NewContents::Rom(&good[..good.len() - 2]));
    let empty = FlashSurvey::of_bytes(ImageFormat::Fs3, &vec![0xff; 0x100_0000], None);
    case(&cx4(), &empty, &rom_change);
    let small = FlashSurvey::of_bytes(
        ImageFormat::Fs2,
        &[
            Fs2Description::from_toml(FS2).unwrap().image().unwrap(),
            vec![0xff; 0x20_0000],
        ]
        .concat()[..0x20_0000],
        None,
    );
    case(&cx3(), &small, &NewContents::Rom(&rom(0x1003)));
    insta::assert_snapshot!(said.join("\n\n"));
}

#[test]
fn a_rom_that_shows_ipv6_keeps_the_promise() {
    let with = synthetic::rom(synthetic::IPXE_WITH_IPV6);
    assert_eq!(rom_checks::ipv6(Some(&with)), None);
    let without = synthetic::rom(synthetic::IPXE);
    assert!(rom_checks::ipv6(Some(&without)).is_some());
    let flexboot = synthetic::rom(&synthetic::flexboot_for_connectx3());
    assert_eq!(rom_checks::ipv6(Some(&flexboot)), None);
}

#[test]
fn the_types_of_a_rom_come_from_headers_and_records() {
    let rich = build(RICH_ROM).unwrap();
    let types: Vec<&str> = RomType::of(&rich).into_iter().map(RomType::title).collect();
    assert_eq!(types, ["BIOS", "UEFI x86"]);
    assert!(RomType::of(b"nothing").is_empty());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn no_doors_let_other_hardware_or_secure_firmware_through(
        open in prop::collection::vec(any::<prop::sample::Index>(), 0..24),
        kind in 0..4,
        live in any::<bool>(),
    ) {
        let doors = Doors::from_iter(open.iter().map(|index| *index.get(&Door::ALL)));
        let mut card = CardFacts { live, ..cx4() };
        let image = fs3_file(|new| {
            match kind {
                0 => new.hw_ids = vec![0x20b],
                1 => new.security = vec!["secure-fw".to_owned()],
                _ => {}
            }
        });
        match kind {
            2 => card.secure = Some("it says so".to_owned()),
            3 => card.revision = 1,
            _ => {}
        }
        let flash = cx4_flash(|_| {});
        let judgement = asked(&card, &flash, &file(&image), &doors);
        prop_assert!(judgement.ready().is_none());
        let kinds = [ObjectionKind::OtherHardware, ObjectionKind::SecureFirmware];
        prop_assert!(judgement.objections.iter().any(|objection| kinds.contains(&objection.kind)));
    }
}
