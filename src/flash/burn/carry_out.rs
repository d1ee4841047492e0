//! The steps of a plan, one after the other.
//!
//! | until | the card holds | a request to stop |
//! |---|---|---|
//! | the first write | what it held | ends it |
//! | everything but the magic is read back | a part of the new image in the slot that it does not boot from | ends it between two blocks |
//! | the magic is read back | the image, not active | is not heard any more |
//! | the end | both images, then only the new one | is not heard |

use serde::Serialize;

use crate::flash::plan::Extents;
use crate::flash::{Block, Flash, FlashPlan, Step};
use crate::image::FIRMWARE_MAGIC;

use super::guarded::Guarded;
use super::verify::{Compared, Verified, compare, program_surely, verify_sector};
use super::{BurnError, BurnFailure, CardHolds, Phase, Progress};

/// A burn that came to its end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Burned {
    /// What became of the boot address.
    pub boot_address: BootAddressOutcome,
    /// Sectors that had to be written again.
    pub rewritten: Vec<u32>,
    /// Sectors that had to be read again: the read was disturbed.
    pub read_again: Vec<u32>,
    /// Bytes that were programmed.
    pub bytes_programmed: u64,
    /// Erase commands.
    pub blocks_erased: u64,
}

/// What became of the boot address.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum BootAddressOutcome {
    /// It was not to be changed.
    LeftAlone,
    /// It is set.
    Set(u32),
    /// The card has none that could be set, in these words: a cold boot takes the
    /// new image, a warm reset perhaps not.
    Unsupported(String),
}

/// Carries out a plan. What the plan is based on is read again first, and
/// everything that it wants is read back.
///
/// # Errors
/// [`BurnFailure`], which says what the card holds then.
pub fn burn(
    flash: &mut dyn Flash,
    plan: &FlashPlan,
    progress: &mut dyn Progress,
) -> Result<Burned, BurnFailure> {
    carry_out(flash, plan, progress, Held::No)
}

/// Carries out a plan that was made of this open flash: its locks were held all the
/// time, so what the plan read is still there. Most of that is not read again, and
/// sectors that hold what they shall already are not read back.
///
/// Read again are the first and the last sector of every stretch: there the magic
/// is, and bytes beside the image that are kept. A disturbed read of anything else
/// shows when the sector is read back.
///
/// # Errors
/// As [`burn`].
pub fn burn_at_once(
    flash: &mut dyn Flash,
    plan: &FlashPlan,
    progress: &mut dyn Progress,
) -> Result<Burned, BurnFailure> {
    carry_out(flash, plan, progress, Held::SincePlanned)
}

/// Whether the flash was let go after the plan was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Held {
    No,
    SincePlanned,
}

fn carry_out(
    flash: &mut dyn Flash,
    plan: &FlashPlan,
    progress: &mut dyn Progress,
    held: Held,
) -> Result<Burned, BurnFailure> {
    let dwords = plan.steps.iter().filter_map(|step| match step {
        Step::Retire { at } => Some(*at),
        _ => None,
    });
    let mut work = Work {
        guarded: Guarded::new(flash, &plan.present, dwords.collect(), &plan.protected),
        plan,
        progress,
        held,
        phase: Phase::Check,
        holds: CardHolds::Untouched,
        burned: Burned {
            boot_address: BootAddressOutcome::LeftAlone,
            rewritten: Vec::new(),
            read_again: Vec::new(),
            bytes_programmed: 0,
            blocks_erased: 0,
        },
    };
    match work.run() {
        Ok(()) => Ok(Burned {
            bytes_programmed: work.guarded.bytes_programmed,
            blocks_erased: work.guarded.blocks_erased,
            ..work.burned
        }),
        Err(error) => Err(work.failure(error)),
    }
}

struct Work<'a> {
    guarded: Guarded<'a>,
    plan: &'a FlashPlan,
    progress: &'a mut dyn Progress,
    held: Held,
    phase: Phase,
    holds: CardHolds,
    burned: Burned,
}

impl Work<'_> {
    fn run(&mut self) -> Result<(), BurnError> {
        self.check_chip()?;
        self.listen()?;
        self.check_basis()?;
        self.listen()?;
        self.invalidate()?;
        self.write()?;
        self.verify()?;
        self.magic()?;
        self.boot_address()?;
        self.retire()
    }

    fn enter(&mut self, phase: Phase, total: u64) {
        self.phase = phase;
        self.progress.at(phase, 0, total);
    }

    /// Ends here if somebody asked to stop.
    fn listen(&self) -> Result<(), BurnError> {
        if self.guarded.flash.stop_requested() {
            return Err(BurnError::Stopped);
        }
        Ok(())
    }

    fn check_chip(&mut self) -> Result<(), BurnError> {
        let found = self.guarded.flash.chip();
        if *found != self.plan.chip {
            return Err(BurnError::OtherChip {
                planned: self.plan.chip.name.clone(),
                found: found.name.clone(),
            });
        }
        if self.plan.is_empty() {
            return Ok(());
        }
        match self.guarded.flash.protection()? {
            Some(protected) => Err(BurnError::WriteProtected(protected)),
            None => Ok(()),
        }
    }

    /// What the plan was made from is still there.
    fn check_basis(&mut self) -> Result<(), BurnError> {
        let plan = self.plan;
        let total = plan.present.len();
        self.enter(Phase::Check, total);
        if let Some((start, magic)) = &plan.other {
            self.is_still(*start, magic)?;
        }
        let sector = plan.chip.sector();
        let is_edge = |at: u32| {
            let mut extents = plan.present.iter();
            extents.any(|(range, _)| at == range.start || at.saturating_add(sector) == range.end)
        };
        let mut done = 0;
        for (at, bytes) in sectors(&plan.present, sector) {
            self.listen()?;
            if self.held == Held::No || is_edge(at) {
                self.is_still(at, bytes)?;
            }
            done += bytes.len() as u64;
            self.progress.at(Phase::Check, done, total);
        }
        Ok(())
    }

    fn is_still(&mut self, at: u32, bytes: &[u8]) -> Result<(), BurnError> {
        match compare(self.guarded.flash, at, bytes, &[])? {
            Compared::Right => Ok(()),
            Compared::RightAfterAll => {
                self.burned.read_again.push(at);
                Ok(())
            }
            Compared::Wrong { at, .. } => Err(BurnError::Changed { at }),
        }
    }

    fn invalidate(&mut self) -> Result<(), BurnError> {
        for step in &self.plan.steps {
            match *step {
                Step::PointBack { start } => match self.guarded.flash.set_boot_address(start) {
                    Err(error) if !error.is_unsupported() => return Err(error.into()),
                    _ => {}
                },
                Step::Invalidate { at } => {
                    self.enter(Phase::Invalidate, 4);
                    self.holds = CardHolds::InactivePartlyWritten;
                    self.zero(at)?;
                    self.progress.at(Phase::Invalidate, 4, 4);
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Zeroes the first dword of a magic. Bits that stay do no harm as long as it
    /// is no magic any more.
    fn zero(&mut self, at: u32) -> Result<(), BurnError> {
        let zeroed = program_surely(&mut self.guarded, at, &[0; 4]);
        if matches!(zeroed, Err(BurnError::DoesNotVerify { .. })) && !self.is_magic(at, 4)? {
            return Ok(());
        }
        zeroed
    }

    /// Whether the first bytes at an address are those of the magic.
    fn is_magic(&mut self, at: u32, bytes: usize) -> Result<bool, BurnError> {
        let mut read = vec![0; bytes];
        self.guarded.flash.read(at, &mut read)?;
        Ok(FIRMWARE_MAGIC.starts_with(&read))
    }

    fn write(&mut self) -> Result<(), BurnError> {
        let plan = self.plan;
        let size = |step: &Step| match step {
            Step::Erase { bytes, .. } | Step::Program { bytes, .. } => u64::from(*bytes),
            _ => 0,
        };
        let total = plan.steps.iter().map(size).sum();
        if total == 0 {
            return Ok(());
        }
        self.enter(Phase::Write, total);
        let (mut done, mut erased) = (0, 0..0);
        for step in &plan.steps {
            match *step {
                Step::Erase { start, bytes } => {
                    self.listen()?;
                    self.holds = CardHolds::InactivePartlyWritten;
                    let block = Block { start, bytes };
                    self.guarded.erase(block)?;
                    erased = start..block.end();
                }
                Step::Program { at, bytes } => {
                    // What was erased gets its bytes back before anybody stops.
                    if !erased.contains(&at) {
                        self.listen()?;
                    }
                    self.holds = CardHolds::InactivePartlyWritten;
                    if let Some(data) = plan.main.get(at..at.saturating_add(bytes)) {
                        let (progress, mut so_far) = (&mut *self.progress, done);
                        self.guarded.program(at, data, |bytes| {
                            so_far += bytes;
                            progress.at(Phase::Write, so_far, total);
                        })?;
                    }
                }
                _ => continue,
            }
            done += size(step);
            self.progress.at(Phase::Write, done, total);
        }
        Ok(())
    }

    fn verify(&mut self) -> Result<(), BurnError> {
        let plan = self.plan;
        if plan.is_empty() {
            return Ok(());
        }
        let total = plan.main.len();
        self.enter(Phase::Verify, total);
        let mut done = 0;
        for (at, bytes) in sectors(&plan.main, plan.chip.sector()) {
            self.listen()?;
            let sector = at..at.saturating_add(plan.chip.sector());
            done += bytes.len() as u64;
            if self.held == Held::SincePlanned && !plan.touches(&sector) {
                continue;
            }
            match verify_sector(&mut self.guarded, plan, sector)? {
                Verified::Right => {}
                Verified::ReadAgain => self.burned.read_again.push(at),
                Verified::Rewritten => self.burned.rewritten.push(at),
            }
            self.progress.at(Phase::Verify, done, total);
        }
        self.progress.at(Phase::Verify, total, total);
        if self.holds == CardHolds::InactivePartlyWritten {
            self.holds = CardHolds::WrittenNotActive;
        }
        self.listen()
    }

    fn magic(&mut self) -> Result<(), BurnError> {
        // From here on the card is nearer to the end than to the beginning.
        self.guarded.flash.undisturbed();
        for step in &self.plan.steps {
            let Step::Magic { at } = *step else {
                continue;
            };
            let bytes = FIRMWARE_MAGIC.len() as u64;
            self.enter(Phase::Magic, bytes);
            self.holds = CardHolds::WrittenNotActive;
            self.program_magic(at)?;
            self.progress.at(Phase::Magic, bytes, bytes);
            self.holds = self.with_the_magic();
        }
        Ok(())
    }

    fn program_magic(&mut self, at: u32) -> Result<(), BurnError> {
        program_surely(&mut self.guarded, at, &FIRMWARE_MAGIC)
    }

    /// What the card holds when the new magic is there.
    fn with_the_magic(&self) -> CardHolds {
        match &self.plan.other {
            Some((_, magic)) if *magic == FIRMWARE_MAGIC => CardHolds::BothBootable,
            _ => CardHolds::Active,
        }
    }

    fn boot_address(&mut self) -> Result<(), BurnError> {
        for step in &self.plan.steps {
            let Step::BootAddress { start } = *step else {
                continue;
            };
            self.enter(Phase::BootAddress, 4);
            self.burned.boot_address = match self.guarded.flash.set_boot_address(start) {
                Ok(()) => BootAddressOutcome::Set(start),
                Err(error) if error.is_unsupported() => {
                    BootAddressOutcome::Unsupported(error.to_string())
                }
                Err(error) => return Err(error.into()),
            };
            self.progress.at(Phase::BootAddress, 4, 4);
        }
        Ok(())
    }

    fn retire(&mut self) -> Result<(), BurnError> {
        for step in &self.plan.steps {
            let Step::Retire { at } = *step else {
                continue;
            };
            self.enter(Phase::Retire, 4);
            self.zero(at)?;
            self.holds = CardHolds::Active;
            self.progress.at(Phase::Retire, 4, 4);
        }
        Ok(())
    }

    /// What the card holds after something went wrong; it is asked where that is
    /// in doubt.
    fn failure(&mut self, error: BurnError) -> BurnFailure {
        self.guarded.flash.undisturbed();
        let phase = self.phase;
        match phase {
            Phase::Invalidate | Phase::Write => match self.is_untouched() {
                Some(true) => self.holds = CardHolds::Untouched,
                Some(false) => {}
                None => self.holds = CardHolds::PerhapsUntouched,
            },
            Phase::Magic => match self.are_the_magics_there() {
                Some(true) => self.holds = self.with_the_magic(),
                Some(false) => {}
                None => self.holds = CardHolds::PerhapsActive,
            },
            Phase::Retire => {
                let other = self.plan.other.as_ref().map(|(start, _)| *start);
                let is_there = other.map(|at| self.is_magic(at, FIRMWARE_MAGIC.len()));
                match is_there {
                    Some(Ok(false)) => self.holds = CardHolds::Active,
                    Some(Err(_)) => self.holds = CardHolds::PerhapsActive,
                    Some(Ok(true)) | None => {}
                }
            }
            _ => {}
        }
        BurnFailure {
            holds: self.holds,
            boots: self.boots(),
            phase: self.phase,
            error,
        }
    }

    /// Whether all magics of the plan are there; `None` when that cannot be read.
    fn are_the_magics_there(&mut self) -> Option<bool> {
        let magics = self.plan.magics.clone();
        let mut all = Some(true);
        for at in magics {
            match self.is_magic(at, FIRMWARE_MAGIC.len()) {
                Ok(true) => {}
                Ok(false) => return Some(false),
                Err(_) => all = None,
            }
        }
        all
    }

    /// Whether the first write failed before it changed anything; `None` when that
    /// cannot be read.
    fn is_untouched(&mut self) -> Option<bool> {
        if self.guarded.blocks_erased > 0 || self.guarded.bytes_programmed > 0 {
            return Some(false);
        }
        let first = self.plan.steps.iter().find_map(Step::touches);
        let Some(range) = first.filter(|range| self.plan.present.has(range.clone())) else {
            return Some(false);
        };
        let before = self.plan.present.get(range.clone())?;
        match compare(self.guarded.flash, range.start, before, &[]) {
            Ok(Compared::Right | Compared::RightAfterAll) => Some(true),
            Ok(Compared::Wrong { .. }) => Some(false),
            Err(_) => None,
        }
    }

    /// The slot that a cold boot takes.
    fn boots(&self) -> Option<usize> {
        match self.holds {
            CardHolds::Untouched => self.plan.boots_before,
            CardHolds::PerhapsUntouched => {
                let slot = self.plan.boots_before;
                slot.filter(|_| slot == self.plan.other_slot)
            }
            CardHolds::InactivePartlyWritten | CardHolds::WrittenNotActive => self.plan.other_slot,
            CardHolds::BothBootable => self.boots_of_both(),
            CardHolds::PerhapsActive => {
                let otherwise = match self.phase {
                    Phase::Magic => self.plan.other_slot,
                    _ => self.plan.boots_after,
                };
                self.boots_of_both().filter(|slot| Some(*slot) == otherwise)
            }
            CardHolds::Active => self.plan.boots_after,
        }
    }

    /// The slot that a cold boot takes while both have a magic: the lower one.
    fn boots_of_both(&self) -> Option<usize> {
        let new = self.plan.magics.iter().min();
        match (&self.plan.other, new) {
            (Some((old, magic)), Some(new)) if *magic == FIRMWARE_MAGIC && old < new => {
                self.plan.other_slot
            }
            _ => self.plan.boots_after,
        }
    }
}

/// The sectors of a part of the flash.
fn sectors(extents: &Extents, sector: u32) -> impl Iterator<Item = (u32, &[u8])> {
    let step = usize::try_from(sector).unwrap_or(usize::MAX).max(1);
    extents.iter().flat_map(move |(range, bytes)| {
        bytes.chunks(step).scan(range.start, move |at, part| {
            let start = *at;
            *at = at.saturating_add(sector);
            Some((start, part))
        })
    })
}
