//! The stages of a restore.

use std::iter::once;
use std::ops::Range;

use serde::Serialize;

use crate::flash::plan::{Draft, pieces_of};
use crate::flash::{FlashError, FlashPlan, PlanTotals, Region};
use crate::hwdb::FlashChip;
use crate::image::{FIRMWARE_MAGIC, SlotPlace, firmware_starts};

use super::map::without;
use super::{Bootable, FlashMap, RestoreError, SlotExtent};

/// What a restore shall bring.
#[derive(Clone, Copy)]
pub struct RestoreGoal<'a> {
    /// The card's chip.
    pub chip: &'a FlashChip,
    /// All that is in the flash now.
    pub now: &'a [u8],
    /// All that shall be in it.
    pub backup: &'a [u8],
    /// Where slots and device data are.
    pub map: &'a FlashMap,
    /// The slot that the card runs from, where that is known. Of two whole images
    /// this one is written second.
    pub runs: Option<usize>,
    /// Who knows whether an image is whole.
    pub bootable: &'a dyn Bootable,
    /// Whether the card's own data are taken from the backup as well, although
    /// they are sound.
    pub device_data: bool,
    /// Whether the backup is of this very board: then its device data replace
    /// what is not sound.
    pub same_board: bool,
}

impl std::fmt::Debug for RestoreGoal<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RestoreGoal")
            .field("chip", &self.chip.name)
            .field("map", self.map)
            .field("runs", &self.runs)
            .finish_non_exhaustive()
    }
}

/// A restore in stages; each leaves a card that boots, if it boots now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RestorePlan {
    /// One plan after the other. None when the flash is as the backup.
    pub stages: Vec<FlashPlan>,
    /// What stays as the card has it: whole sectors.
    pub kept: Vec<Region>,
    /// The card's own data that come from the backup.
    pub restored_data: Vec<Region>,
    /// Magics of the backup that are not restored: no whole image is behind them,
    /// and they would keep the card from booting.
    pub left_out: Vec<Region>,
    /// All stages together.
    pub totals: PlanTotals,
    /// The slot that a cold boot takes afterwards.
    pub boots_after: Option<usize>,
}

impl RestoreGoal<'_> {
    /// Finds the stages.
    ///
    /// # Errors
    /// [`RestoreError`], where the card would not boot at some moment, or the
    /// backup is not of such a flash.
    pub fn plan(&self) -> Result<RestorePlan, RestoreError> {
        for bytes in [self.now, self.backup] {
            if u32::try_from(bytes.len()).ok() != Some(self.chip.bytes) {
                return Err(RestoreError::OtherSize {
                    backup: bytes.len(),
                    flash: self.chip.bytes,
                });
            }
        }
        let boots_now = self.boots(self.now);
        if boots_now.is_some() {
            self.same_layout("the flash", self.now)?;
            self.same_layout("the backup", self.backup)?;
        }
        let (wanted, left_out) = self.wanted();
        let (kept, restored_data) = self.device_data();
        let mut stages = Stages {
            goal: self,
            flash: self.now.to_vec(),
            wanted,
            kept,
            always_boots: boots_now.is_some(),
            plans: Vec::new(),
        };
        let boots_after = self.cold_boot(&stages.wanted);
        match boots_now {
            Some(now) => stages.one_after_the_other(now, boots_after)?,
            None => stages.everything(boots_after)?,
        }
        let Stages { plans, kept, .. } = stages;
        let stages = if plans.iter().all(FlashPlan::is_empty) {
            Vec::new()
        } else {
            plans
        };
        let totals =
            (stages.iter()).fold(PlanTotals::default(), |sum, stage| sum.plus(stage.totals));
        Ok(RestorePlan {
            stages,
            kept,
            restored_data,
            left_out,
            totals,
            boots_after,
        })
    }

    fn slot(&self, number: usize) -> Option<SlotExtent> {
        let mut slots = self.map.slots.iter();
        slots.find(|slot| slot.place.slot == number).copied()
    }

    fn is_whole(&self, flash: &[u8], place: SlotPlace) -> bool {
        self.bootable.image_at(flash, place).is_some()
    }

    /// The slot that boots: the one that the card runs from, the one of a cold
    /// boot, or any.
    fn boots(&self, flash: &[u8]) -> Option<SlotExtent> {
        let runs = self.runs.and_then(|slot| self.slot(slot));
        let cold = self.cold_boot(flash).and_then(|slot| self.slot(slot));
        (runs.into_iter().chain(cold))
            .chain(self.map.slots.iter().copied())
            .find(|slot| self.is_whole(flash, slot.place))
    }

    /// The slot that a cold boot takes: the first magic decides.
    fn cold_boot(&self, flash: &[u8]) -> Option<usize> {
        let start = firmware_starts(flash).next()?;
        let mut slots = self.map.slots.iter();
        let slot = slots.find(|slot| usize::try_from(slot.place.start) == Ok(start))?;
        self.is_whole(flash, slot.place).then_some(slot.place.slot)
    }

    fn same_layout(&self, what: &'static str, flash: &[u8]) -> Result<(), RestoreError> {
        for start in firmware_starts(flash) {
            let at = u32::try_from(start).unwrap_or(u32::MAX);
            if !self.map.slots.iter().any(|slot| slot.place.start == at) {
                return Err(RestoreError::OtherLayout { what, at });
            }
        }
        Ok(())
    }

    /// The backup without magics that lead nowhere, if something else boots.
    fn wanted(&self) -> (Vec<u8>, Vec<Region>) {
        let mut wanted = self.backup.to_vec();
        let mut left_out = Vec::new();
        let whole = |slot: &SlotExtent| self.is_whole(self.backup, slot.place);
        if !self.map.slots.iter().any(whole) {
            return (wanted, left_out);
        }
        for slot in self.map.slots.iter().filter(|slot| !whole(slot)) {
            let start = slot.place.start;
            let magic = start..start.saturating_add(4);
            let Some(place) = memory(&magic).and_then(|range| wanted.get_mut(range)) else {
                continue;
            };
            if FIRMWARE_MAGIC.starts_with(place) {
                place.fill(0);
                left_out.push(Region::new(magic, "magic without a whole image"));
            }
        }
        (wanted, left_out)
    }

    /// Device data that stay, in whole sectors, and those that are restored.
    fn device_data(&self) -> (Vec<Region>, Vec<Region>) {
        let sector = self.chip.sector().max(1);
        let mut kept = Vec::new();
        let mut restored = Vec::new();
        for data in &self.map.device_data {
            let comes_back = self.device_data || (!data.sound && self.same_board);
            if comes_back {
                restored.push(data.region.clone());
                continue;
            }
            let mut region = data.region.clone();
            region.start -= region.start % sector;
            region.end = region
                .end
                .checked_next_multiple_of(sector)
                .map_or(self.chip.bytes, |end| end.min(self.chip.bytes));
            kept.push(region);
        }
        (kept, restored)
    }
}

fn memory(range: &Range<u32>) -> Option<Range<usize>> {
    Some(usize::try_from(range.start).ok()?..usize::try_from(range.end).ok()?)
}

/// The stages so far, and what the flash holds after them.
struct Stages<'a> {
    goal: &'a RestoreGoal<'a>,
    flash: Vec<u8>,
    wanted: Vec<u8>,
    kept: Vec<Region>,
    always_boots: bool,
    plans: Vec<FlashPlan>,
}

impl Stages<'_> {
    fn one_after_the_other(
        &mut self,
        now: SlotExtent,
        after: Option<usize>,
    ) -> Result<(), RestoreError> {
        let goal = self.goal;
        let Some(after) = after.and_then(|slot| goal.slot(slot)) else {
            return Err(RestoreError::NothingBoots);
        };
        let last = Some(after.place.start);
        let mut slots = goal.map.slots.iter().copied();
        let other = slots.find(|slot| slot.place.slot != now.place.slot);
        let start = |slot: SlotExtent| Some(slot.place.start);
        match other {
            None if self.is_there(now) => {}
            None => return Err(RestoreError::NoSafeWay { stage: 1 }),
            Some(other) if goal.is_whole(&self.wanted, other.place) => {
                self.slot(other, Some(now), start(other))?;
                self.slot(now, Some(other), last)?;
            }
            Some(other) if self.is_there(now) => self.slot(other, Some(now), last)?,
            Some(other) => {
                self.hop(now, other)?;
                self.slot(now, Some(other), start(now))?;
                self.slot(other, Some(now), last)?;
            }
        }
        self.elsewhere(after)
    }

    /// Everything at once: nothing that boots can be lost.
    fn everything(&mut self, after: Option<usize>) -> Result<(), RestoreError> {
        let starts = self.goal.map.slots.iter().map(|slot| slot.place.start);
        let starts = starts.collect();
        let ranges = without(once(0..self.goal.chip.bytes), &self.kept_ranges());
        let boots = after.and_then(|slot| self.goal.slot(slot));
        let boot_address = boots.map(|slot| slot.place.start);
        self.stage(
            "restore the whole flash",
            &ranges,
            starts,
            None,
            boot_address,
        )
    }

    /// A slot as the backup has it.
    fn slot(
        &mut self,
        slot: SlotExtent,
        other: Option<SlotExtent>,
        boot_address: Option<u32>,
    ) -> Result<(), RestoreError> {
        let ranges = without(slot.ranges(), &self.kept_ranges());
        let title = format!("restore slot {}", slot.place.slot);
        self.stage(&title, &ranges, vec![slot.place.start], other, boot_address)
    }

    /// The backup's image of one slot in the other one, for as long as it takes.
    fn hop(&mut self, from: SlotExtent, to: SlotExtent) -> Result<(), RestoreError> {
        let image = self.goal.bootable.image_at(&self.wanted, from.place);
        let image = image.ok_or(RestoreError::NothingBoots)?;
        let draft = Draft {
            title: format!(
                "put the image of slot {} into slot {} meanwhile",
                from.place.slot, to.place.slot
            ),
            pieces: pieces_of(to.place, &image),
            starts: vec![to.place.start],
            boot_address: Some(to.place.start),
            other: Some(from.place.start),
            protected: self.kept.clone(),
            ..Draft::default()
        };
        self.add(draft, Some(from))
    }

    /// What is in no slot.
    fn elsewhere(&mut self, boots: SlotExtent) -> Result<(), RestoreError> {
        let slots = self.goal.map.slots.iter();
        let mut taken: Vec<_> = slots.flat_map(|slot| slot.ranges()).collect();
        taken.extend(self.kept_ranges());
        let ranges = without(once(0..self.goal.chip.bytes), &taken);
        if ranges.is_empty() {
            return Ok(());
        }
        self.stage(
            "restore what is in no slot",
            &ranges,
            Vec::new(),
            Some(boots),
            None,
        )
    }

    fn stage(
        &mut self,
        title: &str,
        ranges: &[Range<u32>],
        starts: Vec<u32>,
        other: Option<SlotExtent>,
        boot_address: Option<u32>,
    ) -> Result<(), RestoreError> {
        let wanted = std::mem::take(&mut self.wanted);
        let bytes = |range: &Range<u32>| Some((range.start, wanted.get(memory(range)?)?));
        let draft = Draft {
            title: title.to_owned(),
            pieces: ranges.iter().filter_map(bytes).collect(),
            starts,
            boot_address,
            other: other.map(|slot| slot.place.start),
            protected: self.kept.clone(),
            ..Draft::default()
        };
        let added = self.add(draft, other);
        self.wanted = wanted;
        added
    }

    fn add(&mut self, draft: Draft<'_>, other: Option<SlotExtent>) -> Result<(), RestoreError> {
        let flash = &self.flash;
        let mut read = |at: u32, data: &mut [u8]| -> Result<(), FlashError> {
            let from = usize::try_from(at).unwrap_or(usize::MAX);
            let bytes = flash.get(from..).and_then(|rest| rest.get(..data.len()));
            if let Some(bytes) = bytes {
                data.copy_from_slice(bytes);
            }
            Ok(())
        };
        let mut plan = draft.plan(self.goal.chip, &mut read)?;
        plan.boots_before = self.goal.cold_boot(&self.flash);
        plan.other_slot = other.map(|slot| slot.place.slot);
        plan.apply_to(&mut self.flash);
        plan.boots_after = self.goal.cold_boot(&self.flash);
        let stage = self.plans.len() + 1;
        if self.always_boots && plan.boots_after.is_none() {
            return Err(RestoreError::NoSafeWay { stage });
        }
        self.plans.push(plan);
        Ok(())
    }

    fn is_there(&self, slot: SlotExtent) -> bool {
        let ranges = without(slot.ranges(), &self.kept_ranges());
        ranges.iter().all(|range| {
            memory(range)
                .is_some_and(|range| self.flash.get(range.clone()) == self.wanted.get(range))
        })
    }

    fn kept_ranges(&self) -> Vec<Range<u32>> {
        self.kept.iter().map(|kept| kept.start..kept.end).collect()
    }
}
