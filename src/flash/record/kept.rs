//! Records on disk, and burns that go on from them.

use std::fs;

use crate::flash::in_memory::InMemory;
use crate::flash::rig::{Rig, image, linear, striped};
use crate::flash::{BurnGoal, Quiet, burn};
use crate::settings::CardIdentity;

use super::{BurnRecord, BurnRecords, BurnTask, RecordError, Unfinished, goal_to_continue};

const ERASE: [(u32, u32); 1] = [(0x1000, 45_000)];

fn card(serial: &str) -> CardIdentity {
    CardIdentity {
        model: "connectx-4".to_owned(),
        device_id: 0x1013,
        psid: None,
        part_number: None,
        serial_number: Some(serial.to_owned()),
    }
}

fn record(goal: &BurnGoal, flash: &InMemory) -> BurnRecord {
    let task = BurnTask::Burn {
        target: goal.image.place.into(),
        old: goal.old.map(Into::into),
        boot_address: goal.boot_address,
        protected: goal.protected.clone(),
    };
    let mut record = BurnRecord::new(card("S1"), flash, task, 1_700_000_000);
    record.doors = vec!["downgrade".to_owned()];
    record
}

fn go_on(
    unfinished: &Unfinished,
    serial: &str,
    rig: &Rig,
    flash: &InMemory,
) -> Result<BurnGoal, RecordError> {
    let contents = flash.bytes.clone();
    goal_to_continue(
        unfinished,
        &card(serial),
        &mut flash.clone(),
        &contents,
        rig,
    )
}

#[test]
fn a_burn_goes_on_from_its_record_wherever_it_was_cut() {
    for rig in [linear(0x400, &ERASE), striped(0x400, &ERASE)] {
        let folder = tempfile::tempdir().unwrap();
        let records = BurnRecords::new(&folder.path().join("burns"), "0000:04:00");
        assert_eq!(records.load().unwrap(), None);
        let (old, new) = (image(1, 0x2000), image(2, 0x1804));
        let before = rig.flash(3, [Some(&old), Some(&old)]);
        let goal = rig.goal(1, &new, true);
        let plan = goal.plan(&mut before.clone()).unwrap();
        let kept = plan.recorded_image(&goal).unwrap();
        records.begin(&record(&goal, &before), &kept.bytes).unwrap();
        let mut uncut = before.clone();
        burn(&mut uncut, &plan, &mut Quiet).unwrap();
        for at in 0..uncut.changes {
            let mut flash = before.clone();
            flash.trouble.cut_at = Some(at);
            burn(&mut flash, &plan, &mut Quiet).unwrap_err();
            let mut flash = flash.powered_again();
            let unfinished = records.load().unwrap().unwrap();
            assert_eq!(unfinished.record.doors, ["downgrade"]);
            let goal = go_on(&unfinished, "S1", &rig, &flash).unwrap();
            let next = goal.plan(&mut flash).unwrap();
            burn(&mut flash, &next, &mut Quiet).unwrap();
            assert!(flash.bytes == uncut.bytes, "cut at {at}");
        }
        let unfinished = records.load().unwrap().unwrap();
        // All is done but the removal of the record.
        let goal = go_on(&unfinished, "S1", &rig, &uncut).unwrap();
        assert!(goal.plan(&mut uncut).unwrap().is_empty());
        records.finish().unwrap();
        assert_eq!(records.load().unwrap(), None);
        assert_eq!(
            fs::read_dir(folder.path().join("burns")).unwrap().count(),
            0
        );
    }
}

#[test]
fn a_burn_does_not_go_on_where_it_must_not() {
    let rig = linear(0x400, &ERASE);
    let (old, new) = (image(1, 0x2000), image(2, 0x1800));
    let before = rig.flash(3, [Some(&old), Some(&old)]);
    let goal = rig.goal(1, &new, true);
    let mut unfinished = Unfinished {
        record: record(&goal, &before),
        image: new.clone(),
    };
    let refused = go_on(&unfinished, "S2", &rig, &before).unwrap_err();
    assert!(matches!(refused, RecordError::OtherBoard { .. }));
    // Meanwhile somebody destroyed the old slot: only the target boots.
    let lost = rig.flash(3, [None, Some(&old)]);
    let refused = go_on(&unfinished, "S1", &rig, &lost).unwrap_err();
    assert!(matches!(refused, RecordError::OnlyBootable { slot: 1 }));
    let done = rig.flash(3, [None, Some(&new)]);
    assert!(go_on(&unfinished, "S1", &rig, &done).is_ok());
    unfinished.record.jedec = [9, 9, 9];
    let refused = go_on(&unfinished, "S1", &rig, &before).unwrap_err();
    assert!(matches!(refused, RecordError::OtherChip { .. }));
}

#[test]
fn a_damaged_record_is_told() {
    let rig = linear(0x400, &ERASE);
    let new = image(2, 0x1800);
    let flash = rig.flash(3, [Some(&new), None]);
    let folder = tempfile::tempdir().unwrap();
    let records = BurnRecords::new(folder.path(), "card");
    let goal = rig.goal(1, &new, true);
    records.begin(&record(&goal, &flash), &new).unwrap();
    let image = folder.path().join("card.image.gz");
    let packed = fs::read(&image).unwrap();
    for at in [0, packed.len() / 2, packed.len() - 1] {
        let mut damaged = packed.clone();
        damaged[at] ^= 0xff;
        fs::write(&image, damaged).unwrap();
        let error = records.load().unwrap_err();
        assert!(
            matches!(error, RecordError::ImageDamaged { .. }),
            "{at}: {error}"
        );
    }
    let text = fs::read_to_string(records.path()).unwrap();
    fs::write(records.path(), text.replace("burn/1", "burn/7")).unwrap();
    let error = records.load().unwrap_err();
    assert!(matches!(error, RecordError::UnknownSchema { .. }));
    fs::write(records.path(), &text[..text.len() / 2]).unwrap();
    let error = records.load().unwrap_err();
    assert!(matches!(error, RecordError::Malformed { .. }));
}
