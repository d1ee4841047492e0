//! The power goes at every program and erase of a burn on virtual cards of both
//! generations, through the drivers: the boot model finds an image every time,
//! cold and warm, and the burn goes on to the very same flash.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout
)]

mod burn_bench;

use burn_bench::{Bench, Change};
use flexctl::flash::{CardHolds, FlashWay};

/// Cuts tried and boots found.
fn cut_everywhere(profile: &str, way: FlashWay, change: Change) -> (u32, u32) {
    let bench = Bench::new(profile, way);
    let goal = bench.goal(change);
    if matches!(change, Change::Image) {
        bench.fill_with_noise(&goal);
    }
    let snapshot = bench.card.flash_snapshot();
    let plan = bench.plan(&goal);
    let mut goal = goal;
    goal.image = plan.recorded_image(&goal).unwrap();
    let before = bench.card.flash_counters().operations();
    let burned = bench.burn(&plan).unwrap();
    let operations = bench.card.flash_counters().operations() - before;
    assert!(burned.rewritten.is_empty(), "{profile}");
    let expected = bench.card.flash();
    bench.power_again();
    assert_eq!(
        bench.card.boot().image().unwrap().start,
        goal.image.place.start
    );

    let (mut cuts, mut boots) = (0, 0);
    for fault in ["flash-power-cut", "flash-torn"] {
        for at in 1..=operations {
            bench.card.restore_flash(&snapshot);
            bench.power_again();
            let plan_faults = format!("{fault}@{at}").parse().unwrap();
            bench.card.set_faults(plan_faults);
            // The last change may be done when the power goes.
            let outcome = match fault {
                "flash-torn" => bench.burn_at_once(&goal),
                _ => bench.burn(&plan),
            };
            if let Err(failure) = outcome {
                assert_ne!(failure.holds, CardHolds::Active, "{failure:?}");
            }
            cuts += 1;
            boots += u32::from(bench.boots());
            bench.power_again();
            assert!(bench.boots(), "{profile} {change:?} {fault}@{at}");
            let next = bench.plan(&goal);
            bench.burn(&next).unwrap();
            assert!(
                bench.card.flash() == expected,
                "{profile} {change:?} {fault}@{at}"
            );
        }
    }
    (cuts, boots)
}

fn all(profiles: &[(&str, FlashWay, Change)]) {
    for &(profile, way, change) in profiles {
        let started = std::time::Instant::now();
        let (cuts, boots) = cut_everywhere(profile, way, change);
        println!(
            "{profile}, {way:?}, {change:?}: cuts tried {cuts}, boots found {boots} ({:.1?})",
            started.elapsed()
        );
        assert_eq!(cuts, boots, "{profile} {way:?} {change:?}");
    }
}

#[test]
fn a_connectx3_boots_wherever_a_burn_is_cut() {
    all(&[
        ("connectx-3", FlashWay::Gateway, Change::Image),
        ("connectx-3-two-images", FlashWay::Gateway, Change::Rom),
        ("connectx-3-16-mib", FlashWay::Registers, Change::Rom),
    ]);
}

#[test]
fn a_connectx4_boots_wherever_a_burn_is_cut() {
    all(&[
        ("connectx-4", FlashWay::Registers, Change::Image),
        ("connectx-4-two-images", FlashWay::Registers, Change::Rom),
        ("connectx-4-lx", FlashWay::Gateway, Change::Rom),
    ]);
}
