//! A restore is cut at every change of the flash, and the card boots every time
//! if it booted before.

use crate::flash::in_memory::InMemory;
use crate::flash::rig::{Rig, image, linear, striped};
use crate::flash::{DeviceData, FlashMap, Quiet, Region, SlotExtent};

use super::{RestoreError, RestoreGoal, RestorePlan, restore};

const ERASE: [(u32, u32); 2] = [(0x4000, 45_000), (0x8000, 70_000)];
const PAGE: u32 = 0x1000;

fn map(rig: &Rig, sound: bool) -> FlashMap {
    let slots = rig.slots.iter().map(|place| SlotExtent {
        place: *place,
        bytes: rig.slot_bytes,
    });
    let data = rig
        .protected
        .iter()
        .cloned()
        .map(|region| DeviceData { region, sound });
    FlashMap {
        slots: slots.collect(),
        device_data: data.collect(),
    }
}

fn plan(rig: &Rig, now: &InMemory, backup: &[u8], runs: Option<usize>) -> RestorePlan {
    try_plan(rig, now, backup, runs, true).unwrap()
}

fn try_plan(
    rig: &Rig,
    now: &InMemory,
    backup: &[u8],
    runs: Option<usize>,
    sound: bool,
) -> Result<RestorePlan, RestoreError> {
    let goal = RestoreGoal {
        chip: &rig.chip,
        now: &now.bytes,
        backup,
        map: &map(rig, sound),
        runs,
        bootable: rig,
        device_data: false,
        same_board: true,
    };
    goal.plan()
}

/// What the flash holds in the end: the backup, but for what stays.
fn expected(plan: &RestorePlan, now: &InMemory, backup: &[u8]) -> Vec<u8> {
    let mut bytes = backup.to_vec();
    for Region { start, end, .. } in &plan.kept {
        let range = *start as usize..*end as usize;
        bytes[range.clone()].copy_from_slice(&now.bytes[range]);
    }
    for Region { start, end, .. } in &plan.left_out {
        bytes[*start as usize..*end as usize].fill(0);
    }
    bytes
}

fn images(of: [Option<&Vec<u8>>; 2]) -> [Option<&[u8]>; 2] {
    of.map(|image| image.map(Vec::as_slice))
}

/// Answers how many cuts there were.
fn cut_everywhere(rig: &Rig, before: &InMemory, backup: &[u8], runs: Option<usize>) -> u32 {
    let boots_before = rig.cold_boot(&before.bytes).is_some();
    let first = plan(rig, before, backup, runs);
    let wanted = expected(&first, before, backup);
    let mut uncut = before.clone();
    restore(&mut uncut, &first, &mut Quiet).unwrap();
    assert!(uncut.bytes == wanted, "{:#?}", first.stages);
    assert!(rig.cold_boot(&uncut.bytes).is_some());
    assert_eq!(plan(rig, &uncut, backup, None).stages, []);
    for torn in [false, true] {
        for at in 0..uncut.changes {
            let mut flash = before.clone();
            flash.trouble.cut_at = Some(at);
            flash.trouble.torn = torn;
            restore(&mut flash, &first, &mut Quiet).unwrap_err();
            if boots_before {
                assert!(rig.cold_boot(&flash.bytes).is_some(), "cold boot, {at}");
                assert!(rig.warm_boot(&flash).is_some(), "warm reset, {at}");
            }
            let mut again = flash.powered_again();
            let runs = rig.cold_boot(&again.bytes);
            let next = plan(rig, &again, backup, runs);
            restore(&mut again, &next, &mut Quiet).unwrap();
            assert!(again.bytes == wanted, "cut at {at}, torn {torn}");
        }
    }
    2 * uncut.changes
}

#[test]
fn a_card_boots_wherever_a_restore_is_cut() {
    let mut cuts = 0;
    for rig in [linear(PAGE, &ERASE), striped(PAGE, &ERASE)] {
        let [a, b, c, d] =
            [1_u16, 2, 3, 4].map(|seed| image(seed.into(), 0x3000 + usize::from(seed) * 0x124));
        let mut broken = image(5, 0x2000);
        broken[0x1000] ^= 1;
        for (now, backup) in [
            // The other slot boots in the backup, this one as well or not.
            ([Some(&a), None], [Some(&b), Some(&c)]),
            ([None, Some(&a)], [Some(&b), Some(&c)]),
            ([Some(&a), Some(&d)], [None, Some(&c)]),
            ([Some(&a), None], [Some(&broken), Some(&c)]),
            ([Some(&broken), Some(&a)], [Some(&c), Some(&broken)]),
            // Only this one boots in the backup.
            ([Some(&a), Some(&b)], [Some(&c), None]),
            ([None, Some(&a)], [None, Some(&c)]),
            ([None, Some(&a)], [Some(&broken), Some(&c)]),
            // Nothing boots now.
            ([None, None], [Some(&a), Some(&b)]),
            ([Some(&broken), None], [None, Some(&b)]),
        ] {
            let before = rig.flash(1, images(now));
            let backup = rig.flash(2, images(backup)).bytes;
            cuts += cut_everywhere(&rig, &before, &backup, None);
            let mut warm = before.clone();
            warm.boot_address = Some(0x1_0000);
            let runs = rig.warm_boot(&warm);
            if runs != rig.cold_boot(&warm.bytes) {
                cuts += cut_everywhere(&rig, &warm, &backup, runs);
            }
        }
    }
    assert!(cuts > 2_000, "{cuts}");
}

#[test]
fn a_slot_that_is_right_already_is_not_written() {
    let rig = linear(PAGE, &ERASE);
    let (a, b) = (image(1, 0x3000), image(2, 0x3000));
    let before = rig.flash(1, [Some(&a), Some(&b)]);
    let mut backup = before.bytes.clone();
    backup[0x1_0000..0x1_4000].fill(0xff);
    let found = plan(&rig, &before, &backup, Some(0));
    let titles: Vec<_> = found
        .stages
        .iter()
        .map(|stage| stage.title.as_str())
        .collect();
    assert_eq!(titles, ["restore slot 1"]);
    cut_everywhere(&rig, &before, &backup, Some(0));
}

#[test]
fn device_data_stay_unless_they_are_damaged() {
    let rig = linear(0x400, &[(0x1000, 45_000)]);
    let image = image(1, 0x3000);
    let mut before = rig.flash(1, [Some(&image), None]);
    let backup = rig.flash(2, [Some(&image), None]).bytes;
    let kept = plan(&rig, &before, &backup, None);
    assert_eq!(kept.kept.len(), 1);
    let damaged = try_plan(&rig, &before, &backup, None, false).unwrap();
    assert_eq!((damaged.kept.len(), damaged.restored_data.len()), (0, 1));
    before.sacred.clear();
    restore(&mut before, &damaged, &mut Quiet).unwrap();
    assert!(before.bytes == backup);
}

#[test]
fn what_would_leave_the_card_dead_is_refused() {
    let rig = linear(PAGE, &ERASE);
    let image = image(1, 0x3000);
    let before = rig.flash(1, [Some(&image), None]);
    let blank = vec![0xff; before.bytes.len()];
    let refused = |backup: &[u8]| try_plan(&rig, &before, backup, None, true).unwrap_err();
    assert!(matches!(refused(&blank), RestoreError::NothingBoots));
    assert!(matches!(
        refused(&blank[1..]),
        RestoreError::OtherSize { .. }
    ));
    let large = striped(PAGE, &ERASE);
    let mut elsewhere = large.flash(1, [Some(&image), None]);
    elsewhere.bytes.copy_within(0..0x4000, 0x2_0000);
    let refused = try_plan(&large, &elsewhere, &elsewhere.bytes, None, true).unwrap_err();
    assert!(matches!(
        refused,
        RestoreError::OtherLayout { at: 0x2_0000, .. }
    ));
}
