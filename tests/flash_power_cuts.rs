//! The power goes at every program and erase of a burn on virtual cards of both
//! generations, through the drivers: the boot model finds an image every time,
//! cold and warm, and the burn goes on to the very same flash.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout
)]

use std::sync::Arc;
use std::time::Duration;

use flexctl::access::{Gateway, LegacyGateway, Patience, Vsec};
use flexctl::command::Firmware;
use flexctl::flash::{
    self, BurnFailure, BurnGoal, Burned, CardHolds, Flash, FlashPlan, FlashWay, FlashWish, Quiet,
    Region, burn,
};
use flexctl::hwdb::{Device, Hwdb};
use flexctl::image::{EditPolicy, FlashSurvey, ReadyImage, RomEdit, rom_change};
use flexctl::sim::{Card, Shelf};

/// What is burned.
#[derive(Clone, Copy, Debug)]
enum Change {
    /// The image that runs without its expansion ROM.
    Rom,
    /// The image that runs, all of it, into a slot of noise.
    Image,
}

struct Bench {
    card: Card,
    device: Device,
    way: FlashWay,
}

impl Bench {
    fn new(profile: &str, way: FlashWay) -> Self {
        let card = Shelf::memory().card(profile).unwrap();
        let hwdb = Hwdb::builtin().unwrap();
        let device = hwdb.device(card.infos()[0].device).unwrap().clone();
        Self { card, device, way }
    }

    /// Opens the flash anew, as the next process would.
    fn with_flash<T>(&self, work: impl FnOnce(&mut dyn Flash) -> T) -> T {
        let function = self.card.function(self.card.infos()[0].address).unwrap();
        let patience = Patience::new(Duration::from_millis(15), Arc::default());
        let gateway: Box<dyn Gateway> = if self.device.name.starts_with("connectx-3") {
            Box::new(LegacyGateway::open(function, patience).unwrap())
        } else {
            Box::new(Vsec::open(function, patience).unwrap())
        };
        let mut firmware = Firmware::new(&self.device, gateway);
        let wish = FlashWish {
            way: self.way,
            ..FlashWish::default()
        };
        let mut flash = flash::open(&self.device, &mut firmware, wish).unwrap();
        work(flash.as_mut())
    }

    fn goal(&self, change: Change) -> BurnGoal {
        let boot_address = self.with_flash(|flash| flash.boot_address().unwrap());
        let format = self.device.image_format;
        let survey = FlashSurvey::of_bytes(format, &self.card.flash(), boot_address);
        let active = survey.active().unwrap();
        let image = match change {
            Change::Rom => {
                rom_change(&survey, RomEdit::Remove, &EditPolicy::default())
                    .unwrap()
                    .image
            }
            Change::Image => ReadyImage {
                place: survey.target().unwrap(),
                bytes: active.whole().unwrap().bytes.clone(),
            },
        };
        let protected = survey.device_data().iter();
        BurnGoal {
            boot_address: Some(image.place.start),
            image,
            old: Some(active.place),
            boot_address_now: boot_address,
            protected: protected
                .map(|region| Region::new(region.range.clone(), region.name.as_str()))
                .collect(),
        }
    }

    fn plan(&self, goal: &BurnGoal) -> FlashPlan {
        self.with_flash(|flash| goal.plan(flash).unwrap())
    }

    fn burn(&self, plan: &FlashPlan) -> Result<Burned, BurnFailure> {
        self.with_flash(|flash| burn(flash, plan, &mut Quiet))
    }

    fn boots(&self) -> bool {
        self.card.boot().image().is_some() && self.card.boot_warm().image().is_some()
    }

    fn power_again(&self) {
        self.card.set_faults(String::new().parse().unwrap());
        self.card.reboot();
    }
}

/// Cuts tried and boots found.
fn cut_everywhere(profile: &str, way: FlashWay, change: Change) -> (u32, u32) {
    let bench = Bench::new(profile, way);
    let goal = bench.goal(change);
    if matches!(change, Change::Image) {
        // What is there has nothing in common with the image: the costly case.
        let mut noise = bench.card.flash();
        let length = u32::try_from(goal.image.bytes.len()).unwrap();
        for (at, range) in goal.image.place.pieces(0..length) {
            let from = at as usize;
            noise[from..from + range.len()].fill(0x5a);
        }
        bench.card.set_flash(&noise).unwrap();
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
            if let Err(failure) = bench.burn(&plan) {
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
