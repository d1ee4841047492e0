//! From a flash to a file and back, and files that are not what they were.

use std::fs;
use std::io::Read;
use std::path::Path;

use proptest::prelude::*;

use crate::flash::in_memory::{InMemory, chip};
use crate::flash::rig::image;
use crate::flash::{Progress, Quiet, Region};
use crate::settings::CardIdentity;

use super::{
    BackedUp, BackupCardFacts, BackupError, BackupFacts, Misfit, back_up, check_backup_fits,
    is_flash_backup, read_backup,
};

const BYTES: u32 = 0x4000;

fn flash() -> InMemory {
    let chip = chip(BYTES, 256, &[(0x1000, 1000)]);
    InMemory::new(chip, image(3, BYTES as usize))
}

fn card(serial: &str) -> BackupCardFacts {
    BackupCardFacts {
        card: CardIdentity {
            model: "connectx-4".to_owned(),
            device_id: 0x1013,
            psid: Some("MT_0000000001".to_owned()),
            part_number: None,
            serial_number: Some(serial.to_owned()),
        },
        firmware: Some("12.28.2006".to_owned()),
        created_unix: 1_700_000_000,
    }
}

fn backed_up(flash: &mut InMemory, path: &Path) -> Result<BackedUp, BackupError> {
    let volatile = [Region::new(0x1800..0x1900, "NV_DATA0")];
    back_up(flash, path, &card("S1"), &volatile, &mut Quiet)
}

#[test]
fn a_backup_is_a_gzip_file_of_the_flash() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("flash.gz");
    let mut flash = flash();
    let made = backed_up(&mut flash, &path).unwrap();
    let file = fs::read(&path).unwrap();
    assert_eq!(made.compressed, file.len() as u64);
    assert!(is_flash_backup(&file[..14]));
    let mut decoder = flate2::read::GzDecoder::new(file.as_slice());
    let mut raw = Vec::new();
    decoder.read_to_end(&mut raw).unwrap();
    assert!(raw == flash.bytes);
    let comment = decoder.header().unwrap().comment().unwrap().to_vec();
    let comment = String::from_utf8(comment).unwrap();
    assert!(
        comment.contains("serial number S1") && comment.contains("12.28.2006"),
        "{comment}"
    );
    let back = read_backup(&path, &mut Quiet).unwrap();
    assert_eq!(
        (back.facts, back.contents),
        (made.facts, flash.bytes.clone())
    );
    let again = backed_up(&mut flash, &path).unwrap_err();
    assert!(matches!(
        again,
        BackupError::Io {
            action: "write",
            ..
        }
    ));
    assert_eq!(fs::read(&path).unwrap(), file);
}

#[test]
fn two_reads_that_differ_are_told_with_their_addresses() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("flash.gz");
    // The second read of 0x1000..0x2000 is the sixth; a bit in its middle flips.
    let mut known = flash();
    known.trouble.flipped_read = Some(5);
    let made = backed_up(&mut known, &path).unwrap();
    assert_eq!(
        made.facts.differing,
        [Region::new(0x1800..0x1801, "NV_DATA0")]
    );
    let mut unknown = flash();
    unknown.trouble.flipped_read = Some(6);
    let path = folder.path().join("other.gz");
    match backed_up(&mut unknown, &path).unwrap_err() {
        BackupError::Differs(regions) => {
            assert_eq!((regions[0].start, regions[0].end), (0x2800, 0x2801));
        }
        other => panic!("{other}"),
    }
    assert!(!path.exists());
    let mut stopped = flash();
    stopped.trouble.stop_after = Some(0);
    assert!(matches!(
        backed_up(&mut stopped, &path),
        Err(BackupError::Stopped)
    ));
}

#[test]
fn progress_goes_through_every_phase_to_its_end() {
    #[derive(Default)]
    struct Seen(Vec<(String, u64, u64)>);
    impl Progress for Seen {
        fn at(&mut self, phase: super::super::Phase, done: u64, total: u64) {
            self.0.push((phase.to_string(), done, total));
        }
    }
    let folder = tempfile::tempdir().unwrap();
    let mut seen = Seen::default();
    let path = folder.path().join("flash.gz");
    back_up(&mut flash(), &path, &card("S1"), &[], &mut seen).unwrap();
    let begun = seen.0.iter().filter(|(_, done, _)| *done == 0).count();
    let ended = seen
        .0
        .iter()
        .filter(|(_, done, total)| done == total)
        .count();
    assert_eq!((begun, ended), (4, 4), "{:?}", seen.0);
}

#[test]
fn a_backup_of_another_board_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let facts = backed_up(&mut flash(), &folder.path().join("flash.gz"))
        .unwrap()
        .facts;
    let chip = flash().chip;
    let mut card = card("S1").card;
    assert_eq!(check_backup_fits(&facts, &card, &chip), []);
    card.serial_number = Some("S2".to_owned());
    let found = check_backup_fits(&facts, &card, &chip);
    assert!(matches!(found[..], [Misfit::OtherBoard { .. }]));
    card.serial_number = None;
    let found = check_backup_fits(&facts, &card, &chip);
    assert!(matches!(found[..], [Misfit::BoardUnknown { .. }]));
    card.device_id = 0x1015;
    let other = super::super::in_memory::chip(0x2000, 256, &[(0x1000, 1)]);
    let found = check_backup_fits(&facts, &card, &other);
    assert!(matches!(
        found[..],
        [Misfit::ChipSize { .. }, Misfit::OtherModel { .. }]
    ));
}

#[test]
fn every_changed_byte_of_the_header_is_noticed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("flash.gz");
    let made = backed_up(&mut flash(), &path).unwrap();
    let file = fs::read(&path).unwrap();
    let header = super::header::read(&file).unwrap();
    let _: BackupFacts = serde_json::from_slice(&header.facts).unwrap();
    for at in 0..header.bytes {
        let mut damaged = file.clone();
        damaged[at] ^= 0x04;
        fs::write(&path, &damaged).unwrap();
        assert!(read_backup(&path, &mut Quiet).is_err(), "byte {at}");
    }
    for length in [0, 9, header.bytes - 1, header.bytes, file.len() - 1] {
        fs::write(&path, &file[..length]).unwrap();
        assert!(read_backup(&path, &mut Quiet).is_err(), "{length} bytes");
    }
    let mut longer = file.clone();
    longer.push(0);
    fs::write(&path, &longer).unwrap();
    let error = read_backup(&path, &mut Quiet).unwrap_err().to_string();
    assert!(error.ends_with("something is behind its end"), "{error}");
    assert_eq!(made.facts.bytes, BYTES);
}

#[test]
fn a_file_that_unpacks_without_end_is_given_up() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("flash.gz");
    let mut facts = backed_up(&mut flash(), &path).unwrap().facts;
    let pack = |facts: &BackupFacts, bytes: usize| {
        use std::io::Write;
        let mut encoder = super::header::start(facts, Vec::new()).unwrap();
        encoder.write_all(&vec![0; bytes]).unwrap();
        encoder.finish().unwrap()
    };
    fs::write(&path, pack(&facts, 0x10_0000)).unwrap();
    let error = read_backup(&path, &mut Quiet).unwrap_err().to_string();
    assert!(error.contains("more than 16384 bytes"), "{error}");
    facts.bytes = u32::MAX;
    fs::write(&path, pack(&facts, 0x1000)).unwrap();
    let error = read_backup(&path, &mut Quiet).unwrap_err();
    assert!(matches!(error, BackupError::TooLarge { .. }));
    facts.schema = "flexctl.flash-backup/9".to_owned();
    fs::write(&path, pack(&facts, 0x1000)).unwrap();
    let error = read_backup(&path, &mut Quiet).unwrap_err();
    assert!(matches!(error, BackupError::UnknownSchema { .. }));
    fs::write(&path, b"\x1f\x8b\x08\0 something else").unwrap();
    let error = read_backup(&path, &mut Quiet).unwrap_err();
    assert!(matches!(error, BackupError::NotABackup { .. }));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn a_damaged_backup_never_passes_for_another_flash(at in any::<prop::sample::Index>(), bit in 0..8) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("flash.gz");
        let mut flash = flash();
        backed_up(&mut flash, &path).unwrap();
        let mut file = fs::read(&path).unwrap();
        let at = at.index(file.len());
        file[at] ^= 1_u8 << bit;
        fs::write(&path, &file).unwrap();
        // A few bits of padding in the compressed stream mean nothing.
        if let Ok(back) = read_backup(&path, &mut Quiet) {
            prop_assert!(back.contents == flash.bytes);
        }
    }
}
