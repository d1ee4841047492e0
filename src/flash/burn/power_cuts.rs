//! The power goes at every change of the flash, one after the other, and the
//! card boots every time.

use crate::flash::in_memory::InMemory;
use crate::flash::rig::{Rig, burn_all, image, linear, striped, whole_image};
use crate::flash::{BurnGoal, FlashPlan};

use super::{CardHolds, Quiet, burn};

const ERASE: [(u32, u32); 2] = [(0x1000, 45_000), (0x4000, 120_000)];

/// A cut at every step of one burn, and at every step of the burn that goes on
/// after it where `again`. Answers how many cuts there were.
fn cut_everywhere(rig: &Rig, goal: &BurnGoal, before: &InMemory, again: bool) -> u32 {
    let mut uncut = before.clone();
    let plan = burn_all(goal, &mut uncut);
    let goal = to_continue(goal, &plan);
    let mut cuts = 0;
    for torn in [false, true] {
        for at in 0..uncut.changes {
            let cut = cut_once(rig, &plan, before, at, torn);
            cuts += 1;
            let next = goal.plan(&mut cut.powered_again()).unwrap();
            let mut after = cut.powered_again();
            burn(&mut after, &next, &mut Quiet).unwrap();
            assert_eq!(after.bytes, uncut.bytes, "cut at {at}, torn {torn}");
            assert_boots(rig, &after, at);
            if again {
                for at in 0..after.changes {
                    let twice = cut_once(rig, &next, &cut.powered_again(), at, !torn);
                    cuts += 1;
                    let mut last = twice.powered_again();
                    burn_all(&goal, &mut last);
                    assert_eq!(last.bytes, uncut.bytes, "cut again at {at}");
                }
            }
        }
    }
    cuts
}

/// What a record of the burn keeps.
fn to_continue(goal: &BurnGoal, plan: &FlashPlan) -> BurnGoal {
    let mut goal = goal.clone();
    goal.image = plan.recorded_image(&goal).unwrap();
    goal
}

fn cut_once(rig: &Rig, plan: &FlashPlan, before: &InMemory, at: u32, torn: bool) -> InMemory {
    let mut flash = before.clone();
    flash.changes = 0;
    flash.trouble.cut_at = Some(at);
    flash.trouble.torn = torn;
    let failure = burn(&mut flash, plan, &mut Quiet).unwrap_err();
    assert_ne!(failure.holds, CardHolds::Active, "cut at {at}: {failure:?}");
    assert_boots(rig, &flash, at);
    flash
}

fn assert_boots(rig: &Rig, flash: &InMemory, at: u32) {
    assert!(rig.cold_boot(&flash.bytes).is_some(), "cold boot, {at}");
    assert!(rig.warm_boot(flash).is_some(), "warm reset, {at}");
}

#[test]
fn a_card_boots_wherever_a_burn_is_cut() {
    let mut cuts = 0;
    for (rig, sizes) in [
        (linear(0x400, &ERASE), [0x2f04, 0x8000]),
        (striped(0x400, &ERASE), [0x2f04, 0x1_2344]),
    ] {
        for (round, size) in sizes.into_iter().enumerate() {
            let old = image(7, 0x5000);
            let new = image(round as u64, size);
            for target in [0, 1] {
                let mut images = [Some(old.as_slice()), Some(old.as_slice())];
                for other in [None, Some(old.as_slice()), Some(new.as_slice())] {
                    images[target] = other;
                    let mut before = rig.flash(round as u64, images);
                    for boot_address in [None, Some(0), Some(0x1_0000)] {
                        before.boot_address = boot_address;
                        if rig.cold_boot(&before.bytes).is_none() {
                            continue;
                        }
                        let mut goal = rig.goal(target, &new, true);
                        goal.boot_address_now = boot_address;
                        cuts += cut_everywhere(&rig, &goal, &before, false);
                    }
                }
            }
        }
    }
    assert!(cuts > 2_000, "{cuts}");
}

#[test]
fn a_card_boots_wherever_the_second_try_is_cut_as_well() {
    for rig in [linear(0x400, &ERASE), striped(0x400, &ERASE)] {
        let (old, new) = (image(1, 0x2000), image(2, 0x1800));
        for target in [0, 1] {
            let before = rig.flash(3, [Some(&old), Some(&old)]);
            let goal = rig.goal(target, &new, true);
            assert!(cut_everywhere(&rig, &goal, &before, true) > 100);
        }
    }
}

#[test]
fn without_a_card_that_boots_the_burn_ends_all_the_same() {
    let rig = linear(0x400, &ERASE);
    let new = image(2, 0x3000);
    let before = rig.flash(3, [None, None]);
    let goal = rig.goal(0, &new, false);
    let mut after = before.clone();
    let plan = burn_all(&goal, &mut after);
    assert_eq!(whole_image(&after.bytes, rig.slots[0]), Some(new));
    let changes = after.changes;
    for at in 0..changes {
        let mut flash = before.clone();
        flash.trouble.cut_at = Some(at);
        let failure = burn(&mut flash, &plan, &mut Quiet).unwrap_err();
        assert!(failure.boots.is_none() || at + 1 == changes, "{failure:?}");
        let mut again = flash.powered_again();
        burn_all(&to_continue(&goal, &plan), &mut again);
        assert_eq!(again.bytes, after.bytes);
    }
}
