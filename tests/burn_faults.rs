//! Whatever else goes wrong with a card while it is burned: the burn ends, what it
//! says is what the boot model finds, the old or the new image boots, no semaphore
//! stays held, nothing but the image's own sectors changed, and when the card is
//! well again the burn goes on to the very same flash.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout
)]

mod burn_bench;

use std::collections::BTreeMap;
use std::time::Instant;

use burn_bench::{Bench, Change};
use flexctl::flash::{
    BurnError, BurnFailure, BurnGoal, Burned, CardHolds, FlashError, FlashPlan, FlashWay,
};
use flexctl::image::FIRMWARE_MAGIC;
use flexctl::sim::{BootedImage, FlashSnapshot};

/// How a burn ended.
type End = Result<Result<Burned, BurnFailure>, FlashError>;

/// What a burn without faults does, and what it makes.
struct Case {
    name: String,
    bench: Bench,
    goal: BurnGoal,
    plan: FlashPlan,
    snapshot: FlashSnapshot,
    before: Vec<u8>,
    expected: Vec<u8>,
    old: BootedImage,
    new: BootedImage,
    counts: Counts,
    ends: BTreeMap<String, u32>,
}

/// Of one burn, from the first access to open the flash to the last.
struct Counts {
    accesses: u64,
    commands: u64,
    reads: u64,
    operations: u64,
    erases: u64,
}

impl Counts {
    fn now(bench: &Bench) -> Self {
        let (card, flash) = (bench.card.counters(), bench.card.flash_counters());
        Self {
            accesses: card.config_reads + card.config_writes + card.bar_reads + card.bar_writes,
            commands: card.commands,
            reads: flash.reads,
            operations: flash.operations(),
            erases: flash.erases.values().sum(),
        }
    }

    fn since(self, before: &Self) -> Self {
        Self {
            accesses: self.accesses - before.accesses,
            commands: self.commands - before.commands,
            reads: self.reads - before.reads,
            operations: self.operations - before.operations,
            erases: self.erases - before.erases,
        }
    }
}

impl Case {
    fn new(profile: &str, way: FlashWay, change: Change) -> Self {
        let bench = Bench::new(profile, way);
        let mut goal = bench.goal(change);
        if matches!(change, Change::Image) {
            bench.fill_with_noise(&goal);
        }
        let (snapshot, before) = (bench.card.flash_snapshot(), bench.card.flash());
        let old = bench.card.boot().image().unwrap().clone();
        let plan = bench.plan(&goal);
        goal.image = plan.recorded_image(&goal).unwrap();
        let start = Counts::now(&bench);
        bench.burn(&plan).unwrap();
        let counts = Counts::now(&bench).since(&start);
        let new = bench.card.boot().image().unwrap().clone();
        assert_eq!(new.start, goal.image.place.start);
        Self {
            name: format!("{profile} {way:?} {change:?}"),
            expected: bench.card.flash(),
            bench,
            goal,
            plan,
            snapshot,
            before,
            old,
            new,
            counts,
            ends: BTreeMap::new(),
        }
    }

    /// Burns with a fault, looks at everything, and goes on without it.
    fn strike(&mut self, fault: &str) -> End {
        let card = &self.bench.card;
        card.restore_flash(&self.snapshot);
        self.bench.power_again();
        card.set_faults(fault.parse().unwrap());
        let end = self.bench.try_burn(&self.plan);
        let about = format!("{} {fault}: {end:?}", self.name);
        self.is_true(&end, &about);
        self.only_its_own_changed(&about);
        let gone = card.is_gone();
        let somebody = fault.starts_with("hold-semaphore") || fault.starts_with("flash-lost-lock");
        if !gone && !somebody {
            assert_eq!(card.held_semaphores(), [], "{about}");
        }
        if !fault.starts_with("flash-lost-lock") {
            assert_eq!(card.counters().unlocked, 0, "{about}");
        }
        card.set_faults(String::new().parse().unwrap());
        if gone || somebody || fault.starts_with("stuck-busy") {
            card.reboot();
        }
        self.goes_on(&about);
        *self.ends.entry(kind_of(&end)).or_default() += 1;
        end
    }

    /// What the end of a burn says is what the boot model finds.
    fn is_true(&self, end: &End, about: &str) {
        let card = &self.bench.card;
        let flash = card.flash();
        let cold = card.boot();
        let cold = cold.image().unwrap_or_else(|| panic!("{about}: no image"));
        let warm = card.boot_warm();
        let warm = warm.image().unwrap_or_else(|| panic!("{about}: no image"));
        for image in [cold, warm] {
            assert!(
                *image == self.old || *image == self.new,
                "{about}: {image:?}"
            );
        }
        let has_magic = |start: u32| flash[start as usize..].starts_with(&FIRMWARE_MAGIC);
        let (old, new) = (has_magic(self.old.start), has_magic(self.new.start));
        let claim = match end {
            Err(error) => {
                assert!(!error.to_string().is_empty());
                assert!(flash == self.before, "{about}");
                return;
            }
            Ok(Ok(_)) => {
                assert_eq!(*cold, self.new, "{about}");
                assert!(new && !old, "{about}");
                assert!(self.differs(&flash).is_empty() || about.contains("stuck-bit"));
                return;
            }
            Ok(Err(failure)) => failure,
        };
        assert!(!claim.to_string().is_empty() && !claim.error.to_string().is_empty());
        let is_open = matches!(
            claim.holds,
            CardHolds::PerhapsActive | CardHolds::PerhapsUntouched
        );
        if is_open {
            // Nobody could look.
            assert!(matches!(claim.error, BurnError::Flash(_)), "{about}");
        }
        if !is_open || claim.boots.is_some() {
            assert_eq!(claim.boots, Some(cold.slot), "{about}");
        }
        let is_there = |flash: &[u8]| self.differs(flash).iter().all(|at| self.is_magic(*at));
        match claim.holds {
            CardHolds::Untouched => assert!(flash == self.before, "{about}"),
            CardHolds::InactivePartlyWritten => assert!(old && !new, "{about}"),
            CardHolds::WrittenNotActive => assert!(old && !new && is_there(&flash), "{about}"),
            CardHolds::BothBootable => assert!(old && new && is_there(&flash), "{about}"),
            CardHolds::PerhapsUntouched => assert!(old, "{about}"),
            CardHolds::PerhapsActive => assert!((old || new) && is_there(&flash), "{about}"),
            CardHolds::Active => assert!(new && !old, "{about}"),
        }
    }

    /// Where a flash is not as it shall be in the end.
    fn differs(&self, flash: &[u8]) -> Vec<usize> {
        if flash == self.expected {
            return Vec::new();
        }
        let pairs = flash.iter().zip(&self.expected).enumerate();
        pairs
            .filter(|(_, (found, expected))| found != expected)
            .map(|(at, _)| at)
            .collect()
    }

    fn is_magic(&self, at: usize) -> bool {
        [self.old.start, self.new.start]
            .iter()
            .any(|start| (*start as usize..*start as usize + 16).contains(&at))
    }

    /// Device data, the other image, everything but the sectors of the image and
    /// the old magic.
    fn only_its_own_changed(&self, about: &str) {
        let flash = self.bench.card.flash();
        let mut rest = self.before.clone();
        let old = self.old.start as usize;
        rest[old..old + 4].copy_from_slice(&flash[old..old + 4]);
        let length = u32::try_from(self.goal.image.bytes.len()).unwrap();
        for (at, range) in self.goal.image.place.pieces(0..length) {
            let own = at as usize..at as usize + range.len();
            rest[own.clone()].copy_from_slice(&flash[own]);
        }
        assert!(rest == flash, "{about}: something else changed");
        for region in &self.goal.protected {
            let range = region.start as usize..region.end as usize;
            assert!(
                flash[range.clone()] == self.before[range],
                "{about}: {region}"
            );
        }
    }

    fn goes_on(&self, about: &str) {
        let mut goal = self.goal.clone();
        goal.boot_address_now = self.bench.with_flash(|flash| flash.boot_address().unwrap());
        let plan = self.bench.plan(&goal);
        let burned = self.bench.burn(&plan);
        assert!(burned.is_ok(), "{about}, then {burned:?}");
        let flash = self.bench.card.flash();
        let cold = self.bench.card.boot();
        assert_eq!(cold.image(), Some(&self.new), "{about}");
        let left = self.differs(&flash);
        // A bit of the old magic may have stayed; it is no magic any more.
        let stuck = about.contains("stuck-bit") && left.iter().all(|at| self.is_magic(*at));
        assert!(left.is_empty() || stuck, "{about}: {left:x?}");
        assert_eq!(self.bench.card.held_semaphores(), [], "{about}");
    }

    /// Strikes at about as many of the occurrences, the first and the last ones
    /// among them.
    fn strike_at(&mut self, fault: &str, all: u64, wanted: u64) {
        assert!(all > 0 || fault.starts_with("flash-erase"), "{fault}");
        let step = (all / wanted.max(1)).max(1);
        let mut at = 1;
        while at <= all {
            let _ = self.strike(&format!("{fault}@{at}"));
            at += if all - at < 8 { 1 } else { step.min(all - at) };
        }
    }

    /// Addresses of the image in which a bit that stays set does harm.
    fn zeros(&self, wanted: usize) -> Vec<(u32, u8)> {
        let changed = (0..self.before.len()).filter(|at| self.before[*at] != self.expected[*at]);
        let changed: Vec<usize> = changed.filter(|at| self.expected[*at] != 0xff).collect();
        let step = (changed.len() / wanted).max(1);
        let magic = (self.new.start as usize..).take(16);
        let old = (self.old.start as usize..).take(4);
        let picked = changed
            .iter()
            .copied()
            .step_by(step)
            .chain(magic)
            .chain(old);
        picked
            .filter_map(|at| {
                let bit = (0..8).find(|bit| self.expected[at] & 1 << bit == 0)?;
                Some((u32::try_from(at).unwrap(), bit))
            })
            .collect()
    }

    fn everything(&mut self, density: u64) {
        let started = Instant::now();
        let registers = self
            .bench
            .with_flash(|flash| flash.way().contains("registers"));
        for at in [1, 2, 3] {
            // Faults that last.
            let fault = ["flash-protected", "hold-semaphore=flash", "stuck-busy"][at - 1];
            let end = self.strike(fault);
            let refused = match (fault, &end) {
                ("flash-protected", Ok(Err(failure))) => failure.holds == CardHolds::Untouched,
                // The gateway needs no firmware.
                ("stuck-busy", Ok(Ok(_))) => !registers,
                ("hold-semaphore=flash", Err(FlashError::Locked { .. }))
                | ("stuck-busy", Err(_)) => true,
                _ => false,
            };
            assert!(refused, "{} {fault}: {end:?}", self.name);
        }
        self.strike_at("flash-erase-fail", self.counts.erases, density);
        self.strike_at("flash-read-flip", self.counts.reads, 2 * density);
        self.strike_at("flash-lost-lock", self.counts.operations, 2 * density);
        for (address, bit) in self.zeros(usize::try_from(density / 2).unwrap()) {
            let _ = self.strike(&format!("flash-stuck-bit={address:#x}:{bit}"));
        }
        self.strike_at("all-ones", self.counts.accesses, 4 * density);
        // The end is where most is at stake.
        let all = self.counts.accesses;
        for at in (all.saturating_sub(900)..all).step_by(usize::try_from(900 / density).unwrap()) {
            let _ = self.strike(&format!("all-ones@{}", at.max(1)));
        }
        if self.counts.commands > 0 {
            self.strike_at("status=0x01", self.counts.commands, density);
            self.strike_at("status=0x0c", self.counts.commands, density);
            self.strike_at("stuck-busy", self.counts.commands, density / 4);
        }
        println!(
            "{}: {} faults ({:.1?})",
            self.name,
            self.ends.values().sum::<u32>(),
            started.elapsed()
        );
        for (end, number) in &self.ends {
            println!("    {number:4} {end}");
        }
    }
}

fn kind_of(end: &End) -> String {
    match end {
        Err(_) => "not opened".to_owned(),
        Ok(Ok(burned)) => format!(
            "burned, rewritten {}, read again {}",
            burned.rewritten.len().min(1),
            burned.read_again.len().min(1)
        ),
        Ok(Err(failure)) => failure.to_string(),
    }
}

#[test]
fn a_connectx3_boots_after_every_fault_of_its_gateway() {
    Case::new("connectx-3-two-images", FlashWay::Gateway, Change::Rom).everything(30);
    Case::new("connectx-3", FlashWay::Gateway, Change::Image).everything(12);
}

#[test]
fn a_connectx3_boots_after_every_fault_of_its_registers() {
    Case::new("connectx-3-16-mib", FlashWay::Registers, Change::Rom).everything(20);
}

#[test]
fn a_connectx4_boots_after_every_fault_of_its_registers() {
    Case::new("connectx-4-two-images", FlashWay::Registers, Change::Rom).everything(20);
    Case::new("connectx-4", FlashWay::Registers, Change::Image).everything(8);
}

#[test]
fn a_connectx4_boots_after_every_fault_of_its_gateway() {
    Case::new("connectx-4-lx", FlashWay::Gateway, Change::Rom).everything(20);
}
