//! What else can go wrong, and what is said then.

use crate::flash::in_memory::{InMemory, Trouble};
use crate::flash::rig::{Rig, image, linear, whole_image};
use crate::flash::{FlashPlan, Region};

use super::{
    BootAddressOutcome, BurnError, BurnFailure, Burned, CardHolds, Phase, Progress, Quiet, burn,
    burn_at_once,
};

const ERASE: [(u32, u32); 2] = [(0x1000, 45_000), (0x4000, 120_000)];

struct Case {
    rig: Rig,
    flash: InMemory,
    plan: FlashPlan,
    new: Vec<u8>,
}

/// An image from slot 0 into slot 1, or the other way round.
fn case(target: usize) -> Case {
    let rig = linear(0x400, &ERASE);
    let (old, new) = (image(1, 0x4000), image(2, 0x3000));
    let mut flash = rig.flash(3, [Some(&old), Some(&old)]);
    let plan = rig.goal(target, &new, true).plan(&mut flash).unwrap();
    flash.reads = 0;
    Case {
        rig,
        flash,
        plan,
        new,
    }
}

impl Case {
    fn burn(&mut self, trouble: Trouble) -> Result<Burned, BurnFailure> {
        self.flash.trouble = trouble;
        burn(&mut self.flash, &self.plan, &mut Quiet)
    }

    fn assert_new(&self, slot: usize) {
        let found = whole_image(&self.flash.bytes, self.rig.slots[slot]);
        assert!(found.as_ref() == Some(&self.new));
    }
}

#[test]
fn a_request_to_stop_ends_it_where_that_is_safe() {
    let all = {
        let mut case = case(1);
        case.burn(Trouble::default()).unwrap();
        case.flash.changes
    };
    let mut seen = Vec::new();
    for after in 0..=all {
        let mut case = case(1);
        let before = case.flash.bytes.clone();
        let burned = case.burn(Trouble {
            stop_after: Some(after),
            ..Trouble::default()
        });
        match burned {
            Ok(_) => {
                case.assert_new(1);
                assert_eq!(case.rig.cold_boot(&case.flash.bytes), Some(1));
            }
            Err(failure) => {
                assert!(failure.error.is_stop(), "{failure:?}");
                assert_eq!(failure.boots, Some(0));
                assert_eq!(case.rig.cold_boot(&case.flash.bytes), Some(0));
                assert_eq!(
                    failure.holds == CardHolds::Untouched,
                    case.flash.bytes == before
                );
                if seen.last() != Some(&failure.holds) {
                    seen.push(failure.holds);
                }
            }
        }
    }
    assert_eq!(
        seen,
        [CardHolds::Untouched, CardHolds::InactivePartlyWritten,]
    );
}

#[test]
fn a_bit_that_stays_ends_it_and_the_old_slot_boots() {
    for (at, mask) in [(0x1_0801, 0x40), (0x1_2000, 0x01), (0x1_0002, 0x80)] {
        for one in [true, false] {
            let mut case = case(1);
            let byte = case.new[(at - 0x1_0000) as usize];
            let stuck = Some((at, mask));
            let burned = case.burn(Trouble {
                stuck_at_one: stuck.filter(|_| one),
                stuck_at_zero: stuck.filter(|_| !one),
                ..Trouble::default()
            });
            if (byte & mask != 0) == one {
                burned.unwrap();
                continue;
            }
            let failure = burned.unwrap_err();
            match failure.error {
                BurnError::DoesNotVerify {
                    at: found, tries, ..
                } => {
                    assert_eq!((found, tries), (at, 3));
                }
                ref other => panic!("{other}"),
            }
            assert_eq!(failure.boots, Some(0), "{failure:?}");
            assert_eq!(case.rig.cold_boot(&case.flash.bytes), Some(0));
            let expected = match failure.phase {
                Phase::Magic => CardHolds::WrittenNotActive,
                _ => CardHolds::InactivePartlyWritten,
            };
            assert_eq!(failure.holds, expected);
        }
    }
}

#[test]
fn an_erase_that_does_half_its_work_is_done_again() {
    let erases = {
        let mut case = case(1);
        usize::try_from(case.burn(Trouble::default()).unwrap().blocks_erased).unwrap()
    };
    let mut rewritten = 0;
    for number in 0..erases {
        let mut case = case(1);
        let burned = case.burn(Trouble {
            lame_erase: u32::try_from(number).ok(),
            ..Trouble::default()
        });
        rewritten += burned.unwrap().rewritten.len();
        case.assert_new(1);
    }
    assert!(rewritten >= erases);
    let mut case = case(1);
    let failure = case
        .burn(Trouble {
            failing_erase: Some(0),
            ..Trouble::default()
        })
        .unwrap_err();
    assert_eq!(failure.holds, CardHolds::InactivePartlyWritten);
    assert_eq!((failure.phase, failure.boots), (Phase::Write, Some(0)));
}

#[test]
fn one_disturbed_read_does_no_harm() {
    let reads = {
        let mut case = case(0);
        case.burn(Trouble::default()).unwrap();
        case.flash.reads
    };
    for number in 0..reads {
        let mut case = case(0);
        let burned = case.burn(Trouble {
            flipped_read: Some(number),
            ..Trouble::default()
        });
        burned.unwrap();
        case.assert_new(0);
    }
}

#[test]
fn a_read_disturbed_while_planning_does_no_harm_either() {
    let rig = linear(0x400, &ERASE);
    let (old, new) = (image(1, 0x4000), image(2, 0x3000));
    let mut flash = rig.flash(3, [Some(&old), Some(&new)]);
    flash.trouble.flipped_read = Some(0);
    let plan = rig.goal(1, &new, true).plan(&mut flash).unwrap();
    let failure = burn(&mut flash, &plan, &mut Quiet).unwrap_err();
    assert!(matches!(failure.error, BurnError::Changed { .. }));
    assert_eq!(failure.holds, CardHolds::Untouched);
}

#[test]
fn at_once_a_disturbed_read_does_no_harm_wherever_it_is() {
    let rig = linear(0x400, &ERASE);
    let (old, new) = (image(1, 0x4000), image(2, 0x3124));
    let mut number = 0;
    loop {
        let mut flash = rig.flash(3, [Some(&old), Some(&new[..0x2fff])]);
        let before = flash.bytes.clone();
        flash.trouble.flipped_read = Some(number);
        let plan = rig.goal(1, &new, true).plan(&mut flash).unwrap();
        let outcome = burn_at_once(&mut flash, &plan, &mut Quiet);
        let reads = flash.reads;
        match outcome {
            Ok(_) => assert!(flash.bytes[0x1_0000..].starts_with(&new), "read {number}"),
            Err(failure) => {
                assert!(
                    matches!(failure.error, BurnError::Changed { .. }),
                    "{failure}"
                );
                assert!(flash.bytes == before, "read {number}");
            }
        }
        // Bytes beside the image are kept.
        let beside = 0x1_0000 + new.len()..0x1_4000;
        assert!(
            flash.bytes[beside.clone()] == before[beside],
            "read {number}"
        );
        number += 1;
        if number > reads {
            break;
        }
    }
}

#[test]
fn at_once_less_is_read() {
    let rig = linear(0x400, &ERASE);
    let old = image(1, 0x4000);
    let mut new = old.clone();
    new[0x2345] ^= 0xff;
    let reads = |at_once: bool| {
        let mut flash = rig.flash(3, [Some(&old), Some(&old)]);
        let plan = rig.goal(1, &new, true).plan(&mut flash).unwrap();
        let before = flash.reads;
        let burned = match at_once {
            true => burn_at_once(&mut flash, &plan, &mut Quiet),
            false => burn(&mut flash, &plan, &mut Quiet),
        };
        burned.unwrap();
        assert!(flash.bytes[0x1_0000..].starts_with(&new));
        flash.reads - before
    };
    assert!(reads(true) < reads(false));
}

#[test]
fn what_changed_since_the_plan_is_not_written_over() {
    for at in [0x1_0000, 0x1_2fff, 0, 15] {
        let mut case = case(1);
        case.flash.bytes[at] ^= 0x10;
        let before = case.flash.bytes.clone();
        let failure = case.burn(Trouble::default()).unwrap_err();
        assert!(matches!(failure.error, BurnError::Changed { at: found } if found as usize == at));
        assert_eq!(failure.holds, CardHolds::Untouched);
        assert!(case.flash.bytes == before);
    }
    let mut elsewhere = case(1);
    elsewhere.flash.bytes[0x2000] ^= 0x10;
    elsewhere.burn(Trouble::default()).unwrap();
}

#[test]
fn protected_and_other_chips_are_refused_untouched() {
    let mut protected = case(1);
    let failure = protected
        .burn(Trouble {
            protected: true,
            ..Trouble::default()
        })
        .unwrap_err();
    assert!(matches!(failure.error, BurnError::WriteProtected(_)));
    let mut other = case(1);
    other.flash.chip.jedec = [7, 7, 7];
    let second = other.burn(Trouble::default()).unwrap_err();
    assert!(matches!(second.error, BurnError::OtherChip { .. }));
    for failure in [failure, second] {
        assert_eq!(
            (failure.holds, failure.boots),
            (CardHolds::Untouched, Some(0))
        );
    }
    assert!(protected.flash.erases.is_empty() && protected.flash.programs.is_empty());
}

#[test]
fn a_plan_is_not_trusted_with_protected_regions() {
    let mut case = case(1);
    case.plan
        .protected
        .push(Region::new(0x1_1000..0x1_1001, "GUIDs"));
    let failure = case.burn(Trouble::default()).unwrap_err();
    assert!(matches!(failure.error, BurnError::Protected { .. }));
    assert_eq!(failure.boots, Some(0));
}

#[test]
fn without_a_boot_address_the_cold_boot_counts() {
    let mut case = case(1);
    let burned = case.burn(Trouble {
        no_boot_address: true,
        ..Trouble::default()
    });
    let outcome = burned.unwrap().boot_address;
    assert!(matches!(outcome, BootAddressOutcome::Unsupported(_)));
    assert_eq!(case.rig.cold_boot(&case.flash.bytes), Some(1));
}

#[test]
fn every_phase_begins_with_nothing_and_ends_with_all() {
    #[derive(Default)]
    struct Seen(Vec<(Phase, u64, u64)>);
    impl Progress for Seen {
        fn at(&mut self, phase: Phase, done: u64, total: u64) {
            if let Some((last, before, of)) = self.0.last() {
                if *last == phase {
                    assert!(done >= *before && total == *of);
                } else {
                    assert_eq!((done, before), (0, of), "{phase}");
                }
            }
            self.0.push((phase, done, total));
        }
    }
    let mut case = case(1);
    let mut seen = Seen::default();
    burn(&mut case.flash, &case.plan, &mut seen).unwrap();
    let mut phases: Vec<_> = seen.0.iter().map(|(phase, ..)| *phase).collect();
    phases.dedup();
    assert_eq!(
        phases,
        [
            Phase::Check,
            Phase::Invalidate,
            Phase::Write,
            Phase::Verify,
            Phase::Magic,
            Phase::BootAddress,
            Phase::Retire
        ]
    );
    assert!(seen.0.last().is_some_and(|(_, done, total)| done == total));
}
