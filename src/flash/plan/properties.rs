//! What holds for every plan, whatever is in the flash and whatever the chip.

use proptest::prelude::*;

use crate::flash::in_memory::{InMemory, chip};
use crate::flash::rig::{Rig, burn_all, image, linear, put, striped, whole_image};
use crate::flash::{PlanError, Quiet, Region, burn};
use crate::image::FIRMWARE_MAGIC;

use super::Step;

const ERASE: [(u32, u32); 2] = [(0x1000, 45_000), (0x4000, 120_000)];

/// Old and new image in slots of some chip.
#[derive(Clone, Debug)]
struct Case {
    rig: Rig,
    target: usize,
    before: InMemory,
    new: Vec<u8>,
}

/// Sectors of the old target that are the new image's already, some with a bit
/// that is still one, some with a byte of ones.
fn case() -> impl Strategy<Value = Case> {
    (
        (any::<bool>(), 0..2_usize, 6..9_u32, 1..400_u32, 1..400_u32),
        (any::<u64>(), 0x100..0xc000_usize, any::<bool>()),
        prop::collection::vec((any::<prop::sample::Index>(), 0..4_u8, any::<u8>()), 0..12),
    )
        .prop_map(
            |((stripes, target, page, small, large), (seed, size, noise), changes)| {
                let erase = [
                    (0x1000, small * 1000),
                    (0x4000, large * 1000),
                    (0x8000, large * 1500),
                ];
                let rig = if stripes { striped } else { linear }(1 << page, &erase);
                let new = image(seed, (size << u32::from(stripes)) & !3);
                let old = image(!seed, 0x2000);
                let mut images = [Some(old.as_slice()), Some(old.as_slice())];
                images[target] = (!noise).then_some(new.as_slice());
                let mut before = rig.flash(seed, images);
                if !noise {
                    let mut there = new.clone();
                    for (at, kind, byte) in changes {
                        let at = at.index(there.len());
                        match kind {
                            0 => there[at] |= byte,
                            1 => there[at] &= byte,
                            2 => there[at] = 0xff,
                            _ => there[at..]
                                .iter_mut()
                                .take(0x600)
                                .for_each(|there| *there = byte),
                        }
                    }
                    put(&mut before.bytes, rig.slots[target], &there);
                }
                Case {
                    rig,
                    target,
                    before,
                    new,
                }
            },
        )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn a_plan_brings_the_image_and_changes_nothing_else(case in case()) {
        let Case { rig, target, before, new } = case;
        let mut after = before.clone();
        let goal = rig.goal(target, &new, true);
        let plan = burn_all(&goal, &mut after);
        let there = whole_image(&after.bytes, rig.slots[target]);
        prop_assert!(there.as_ref() == Some(&new));
        let mut expected = before.bytes.clone();
        put(&mut expected, rig.slots[target], &new);
        expected[rig.slots[1 - target].start as usize..][..4].fill(0);
        prop_assert!(after.bytes == expected);
        prop_assert_eq!(rig.cold_boot(&after.bytes), Some(target));
        // What the plan says is what was done, and once is enough.
        let retired = 4;
        let programmed: usize = after.programs.iter().map(|(_, bytes)| bytes).sum();
        prop_assert_eq!(plan.totals.bytes_to_program, programmed as u64);
        prop_assert_eq!(plan.totals.blocks_to_erase, after.erases.len() as u64);
        prop_assert!(programmed >= retired);
        prop_assert!(goal.plan(&mut after).unwrap().is_empty());
        let mut foreseen = before.bytes.clone();
        plan.apply_to(&mut foreseen);
        prop_assert!(foreseen == after.bytes);
    }

    #[test]
    fn nothing_right_is_erased_unless_that_is_cheaper(case in case()) {
        let Case { rig, target, before, new } = case;
        let plan = rig.goal(target, &new, true).plan(&mut before.clone()).unwrap();
        let mut wanted = before.bytes.clone();
        put(&mut wanted, rig.slots[target], &new);
        let start = rig.slots[target].start;
        let sector = rig.chip.sector();
        // The sector of a magic that has to go before is never right.
        let magic_goes = plan.steps.contains(&Step::Invalidate { at: start });
        let needs_erase = |at: u32| {
            let range = at as usize..(at + sector) as usize;
            let clears = before.bytes[range.clone()]
                .iter()
                .zip(&wanted[range])
                .all(|(before, wanted)| before & wanted == *wanted);
            !clears || (magic_goes && at == start)
        };
        let mut cost = 0;
        for step in &plan.steps {
            match *step {
                Step::Erase { start, bytes } => {
                    let sectors = (start..start + bytes).step_by(sector as usize);
                    let needed = sectors.clone().filter(|at| needs_erase(*at)).count();
                    prop_assert!(needed > 0, "{:?}", step);
                    if bytes == sector {
                        prop_assert_eq!(needed, 1);
                    }
                    let command = rig.chip.erase.iter().find(|erase| erase.bytes == bytes);
                    cost += u64::from(command.unwrap().typical_us);
                }
                Step::Program { at, bytes } => {
                    let pages = (at + bytes).div_ceil(rig.chip.page) - at / rig.chip.page;
                    cost += u64::from(pages * rig.chip.program.typical_us);
                    let range = at as usize..(at + bytes) as usize;
                    prop_assert!(wanted[range].iter().any(|byte| *byte != 0xff));
                }
                _ => {}
            }
        }
        // No plan with the smallest erases alone takes less time.
        let mut small = rig.clone();
        small.chip.erase.truncate(1);
        let mut with_small = before.clone();
        with_small.chip = small.chip.clone();
        let other = small.goal(target, &new, true).plan(&mut with_small).unwrap();
        prop_assert!(plan.totals.estimated_ms <= other.totals.estimated_ms);
        prop_assert!(cost / 1000 <= plan.totals.estimated_ms);
    }

    #[test]
    fn a_cut_somewhere_leaves_a_card_that_boots(case in case(), at in any::<prop::sample::Index>(), torn in any::<bool>()) {
        let Case { rig, target, before, new } = case;
        let goal = rig.goal(target, &new, true);
        let mut uncut = before.clone();
        let plan = burn_all(&goal, &mut uncut);
        if rig.cold_boot(&before.bytes).is_none() {
            return Ok(());
        }
        let mut flash = before.clone();
        flash.trouble.cut_at = Some(u32::try_from(at.index(uncut.changes as usize)).unwrap());
        flash.trouble.torn = torn;
        burn(&mut flash, &plan, &mut Quiet).unwrap_err();
        prop_assert!(rig.cold_boot(&flash.bytes).is_some());
        prop_assert!(rig.warm_boot(&flash).is_some());
        let mut next = goal.clone();
        next.image = plan.recorded_image(&goal).unwrap();
        let mut after = flash.powered_again();
        burn_all(&next, &mut after);
        prop_assert!(after.bytes == uncut.bytes);
    }

    #[test]
    fn a_protected_byte_is_never_touched(case in case(), at in any::<prop::sample::Index>()) {
        let Case { rig, target, mut before, new } = case;
        let at = u32::try_from(at.index(before.bytes.len())).unwrap();
        let mut goal = rig.goal(target, &new, true);
        goal.protected.push(Region::new(at..at + 1, "a byte"));
        before.sacred.push(at..at + 1);
        match goal.plan(&mut before) {
            Ok(plan) => {
                burn(&mut before, &plan, &mut Quiet).unwrap();
            }
            Err(PlanError::Protected { start, end, .. }) => {
                prop_assert!((start..end).contains(&at));
            }
            Err(other) => return Err(TestCaseError::fail(other.to_string())),
        }
    }
}

#[test]
fn a_sector_that_is_right_is_left_alone_and_ones_are_not_programmed() {
    let rig = linear(0x100, &ERASE);
    let mut new = vec![0xff; 0x6000];
    new[..16].copy_from_slice(&FIRMWARE_MAGIC);
    new[0x1100..0x1108].fill(1);
    new[0x3000..0x3400].fill(2);
    let mut flash = rig.flash(1, [Some(&image(1, 0x1000)), None]);
    flash.bytes[0x1_0000..0x1_6000].fill(0xff);
    // Right already, and one byte too many bits.
    flash.bytes[0x1_3000..0x1_3400].fill(2);
    flash.bytes[0x1_3200] = 0x82;
    let plan = rig.goal(1, &new, true).plan(&mut flash).unwrap();
    assert_eq!(
        plan.steps,
        [
            Step::Program {
                at: 0x1_1100,
                bytes: 8
            },
            Step::Program {
                at: 0x1_3200,
                bytes: 4
            },
            Step::Magic { at: 0x1_0000 },
            Step::BootAddress { start: 0x1_0000 },
            Step::Retire { at: 0 },
        ]
    );
    assert_eq!(
        (plan.totals.sectors, plan.totals.sectors_left_alone),
        (6, 3)
    );
    assert_eq!(plan.totals.estimated_ms, 4 * 700 / 1000);
    assert_eq!(plan.totals.pages_to_program, 4);
}

#[test]
fn one_large_erase_is_taken_where_it_is_cheaper() {
    let large = |erase: &[(u32, u32)], dirty: usize| {
        let rig = linear(0x100, erase);
        let new = {
            let mut new = vec![0xff; 0x4000];
            new[..16].copy_from_slice(&FIRMWARE_MAGIC);
            new[0x3f00..].fill(1);
            new
        };
        let mut flash = rig.flash(1, [None, None]);
        flash.bytes[0x1_0000..0x1_4000].fill(0xff);
        flash.bytes[0x1_3f00..0x1_4000].fill(1);
        for sector in 0..dirty {
            flash.bytes[0x1_0000 + sector * 0x1000 + 0x20] = 0;
        }
        let plan = rig.goal(1, &new, false).plan(&mut flash).unwrap();
        let erases = plan.steps.iter().filter_map(|step| match step {
            Step::Erase { bytes, .. } => Some(*bytes),
            _ => None,
        });
        erases.collect::<Vec<_>>()
    };
    assert_eq!(large(&ERASE, 3), [0x4000]);
    assert_eq!(large(&ERASE, 2), [0x1000; 2]);
    // The page that was right has to be programmed again: that is too much.
    assert_eq!(
        large(&[(0x1000, 45_000), (0x4000, 134_500)], 3),
        [0x1000; 3]
    );
}

#[test]
fn what_shares_the_last_sector_stays() {
    let rig = linear(0x100, &ERASE);
    let new = image(2, 0x1804);
    let mut flash = rig.flash(1, [Some(&image(1, 0x1000)), None]);
    let behind = flash.bytes[0x1_1804..0x1_2000].to_vec();
    burn_all(&rig.goal(1, &new, true), &mut flash);
    assert!(flash.bytes[0x1_1804..0x1_2000] == behind);
}

#[test]
fn what_cannot_be_planned_is_refused() {
    let rig = linear(0x100, &ERASE);
    let old = image(1, 0x1000);
    let mut flash = rig.flash(1, [Some(&old), Some(&old)]);
    let mut refused =
        |slot: usize, image: &[u8]| rig.goal(slot, image, true).plan(&mut flash).unwrap_err();
    assert!(matches!(
        refused(1, &[0; 64]),
        PlanError::NoMagicInImage { slot: 1 }
    ));
    assert!(matches!(
        refused(0, &image(2, 0x1_1000)),
        PlanError::OverOldSlot { .. }
    ));
    assert!(matches!(
        refused(1, &image(2, 0xf000)),
        PlanError::Protected { .. }
    ));
    assert!(matches!(
        refused(1, &image(2, 0x1_0004)),
        PlanError::OutsideOfFlash { .. }
    ));
    let tiny = chip(0x2_0000, 0x100, &ERASE);
    assert_eq!(tiny.sector(), 0x1000);
}

#[test]
fn a_plan_is_told_to_programs() {
    let rig = linear(0x100, &ERASE);
    let mut flash = rig.flash(1, [Some(&image(1, 0x1000)), None]);
    let mut goal = rig.goal(1, &image(2, 0x200), true);
    goal.boot_address_now = Some(0x1_0000);
    let plan = goal.plan(&mut flash).unwrap();
    let json = serde_json::to_value(&plan).unwrap();
    assert_eq!(json["title"], "burn into slot 1");
    assert_eq!(json["chip"], "in memory");
    assert_eq!(json["steps"][0]["step"], "point-back");
    assert_eq!(json["totals"]["sectors"], 1);
    assert_eq!(
        (&json["boots_before"], &json["boots_after"]),
        (&0.into(), &1.into())
    );
    let words: Vec<_> = plan.steps.iter().map(ToString::to_string).collect();
    assert_eq!(words[0], "point the boot address back to 0x00000000");
    assert!(
        words.contains(&"erase 4 KiB at 0x00010000".to_owned()),
        "{words:?}"
    );
}
