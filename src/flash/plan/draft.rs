//! From what shall be there to the steps that bring it there.

use std::ops::Range;

use crate::flash::region::first_touched;
use crate::flash::{FlashPlan, PlanTotals, Region};
use crate::hwdb::FlashChip;
use crate::image::FIRMWARE_MAGIC;

use super::erase_choice::{Work, pages};
use super::extents::{Extents, index, len_of};
use super::{MAGIC_BYTES, MAGIC_DWORD, PlanError, Reader, Step};

/// What a stretch of work shall bring.
#[derive(Debug, Default)]
pub(in crate::flash) struct Draft<'a> {
    pub(in crate::flash) title: String,
    /// What shall be where. Bytes that share a sector with them are kept.
    pub(in crate::flash) pieces: Vec<(u32, &'a [u8])>,
    /// Where images start in them: a magic there is written last, and one that is
    /// there now goes first.
    pub(in crate::flash) starts: Vec<u32>,
    /// Where the boot address shall point before anything is written.
    pub(in crate::flash) point_back: Option<u32>,
    /// Where it shall point afterwards.
    pub(in crate::flash) boot_address: Option<u32>,
    /// An image outside of the pieces that must be there and stays untouched.
    pub(in crate::flash) other: Option<u32>,
    /// Whether that image's magic goes last of all.
    pub(in crate::flash) retire: bool,
    /// What must not be touched.
    pub(in crate::flash) protected: Vec<Region>,
}

fn magic_at(start: u32) -> Range<u32> {
    start..start.saturating_add(MAGIC_BYTES)
}

fn dword_at(start: u32) -> Range<u32> {
    start..start.saturating_add(MAGIC_DWORD)
}

impl Draft<'_> {
    /// Reads what is there and finds the steps.
    pub(in crate::flash) fn plan(
        self,
        chip: &FlashChip,
        read: &mut Reader<'_>,
    ) -> Result<FlashPlan, PlanError> {
        let sector = chip.sector();
        let ranges: Vec<_> = self.ranges(chip.bytes)?;
        let present = Extents::read(ranges, sector, chip.bytes, read)?;
        let other = match self.other {
            Some(start) if present.has(magic_at(start)) => {
                return Err(PlanError::OverOldSlot {
                    target: self.starts.first().copied().unwrap_or_default(),
                    old: start,
                });
            }
            Some(start) => {
                let mut magic = [0; FIRMWARE_MAGIC.len()];
                read(start, &mut magic)?;
                Some((start, magic))
            }
            None => None,
        };
        let mut wanted = present.clone();
        for (at, bytes) in &self.pieces {
            let range = *at..at.saturating_add(len_of(bytes));
            if let Some(place) = wanted.get_mut(range) {
                place.copy_from_slice(bytes);
            }
        }
        let has_magic =
            |of: &Extents, start: u32| of.get(magic_at(start)) == Some(FIRMWARE_MAGIC.as_slice());
        let magics: Vec<u32> = (self.starts.iter().copied())
            .filter(|start| has_magic(&wanted, *start))
            .collect();
        let mut main = wanted.clone();
        for start in &magics {
            if let Some(bytes) = main.get_mut(magic_at(*start)) {
                bytes.fill(0xff);
            }
        }
        let mut steps = Vec::new();
        if present != wanted {
            steps.extend(self.point_back.map(|start| Step::PointBack { start }));
            let mut begun = present.clone();
            for at in &self.starts {
                if !has_magic(&present, *at) {
                    continue;
                }
                steps.push(Step::Invalidate { at: *at });
                if let Some(dword) = begun.get_mut(dword_at(*at)) {
                    dword.fill(0);
                }
            }
            let work = Work {
                chip,
                present: &begun,
                wanted: &wanted,
                main: &main,
                magics: &magics.iter().copied().map(magic_at).collect::<Vec<_>>(),
            };
            steps.extend(work.steps());
            steps.extend(magics.iter().map(|at| Step::Magic { at: *at }));
        }
        steps.extend(self.boot_address.map(|start| Step::BootAddress { start }));
        if let (true, Some((at, magic))) = (self.retire, other)
            && looks_like_magic(magic)
        {
            steps.push(Step::Retire { at });
        }
        for step in &steps {
            self.check_step(step)?;
        }
        let totals = totals(&steps, chip, &present);
        Ok(FlashPlan {
            title: self.title,
            steps,
            totals,
            boots_before: None,
            boots_after: None,
            chip: chip.clone(),
            present,
            other: other.map(|(start, magic)| (start, magic.to_vec())),
            main,
            magics,
            protected: self.protected,
        })
    }

    /// The pieces as ranges of the flash: within it, and none over another.
    fn ranges(&self, flash: u32) -> Result<Vec<Range<u32>>, PlanError> {
        let mut ranges = Vec::new();
        for (start, bytes) in &self.pieces {
            let end = u64::from(*start).saturating_add(bytes.len() as u64);
            if end > u64::from(flash) {
                return Err(PlanError::OutsideOfFlash {
                    start: *start,
                    end,
                    flash,
                });
            }
            ranges.push(*start..u32::try_from(end).unwrap_or(flash));
        }
        ranges.sort_by_key(|range| range.start);
        for pair in ranges.windows(2) {
            if let [one, next] = pair
                && one.end > next.start
            {
                return Err(PlanError::Overlap { at: next.start });
            }
        }
        Ok(ranges)
    }

    fn check_step(&self, step: &Step) -> Result<(), PlanError> {
        let Some(range) = step.touches() else {
            return Ok(());
        };
        match first_touched(&self.protected, &range) {
            Some(region) => Err(PlanError::Protected {
                start: range.start,
                end: range.end,
                region: region.clone(),
            }),
            None => Ok(()),
        }
    }
}

/// Whether a magic is there, or was before an interrupted burn began to take its
/// first dword.
fn looks_like_magic(magic: [u8; 16]) -> bool {
    let split = index(MAGIC_DWORD);
    magic.get(split..) == FIRMWARE_MAGIC.get(split..)
        && magic.get(..split) != Some([0; 4].as_slice())
}

fn totals(steps: &[Step], chip: &FlashChip, sectors: &Extents) -> PlanTotals {
    let sector = chip.sector().max(1);
    let mut totals = PlanTotals {
        sectors: sectors.len() / u64::from(sector),
        bytes_to_read: sectors.len(),
        ..PlanTotals::default()
    };
    let mut microseconds = 0;
    let mut touched = std::collections::BTreeSet::new();
    for step in steps {
        let Some(range) = step.touches() else {
            continue;
        };
        if let Step::Erase { bytes, .. } = step {
            totals.blocks_to_erase += 1;
            totals.bytes_to_erase += u64::from(*bytes);
            let command = chip.erase.iter().find(|erase| erase.bytes == *bytes);
            microseconds += command.map_or(0, |erase| u64::from(erase.typical_us));
        } else {
            let pages = pages(&range, chip.page);
            totals.pages_to_program += pages;
            totals.bytes_to_program += u64::from(range.end - range.start);
            microseconds += pages * u64::from(chip.program.typical_us);
        }
        touched.extend(
            (range.start / sector..range.end.div_ceil(sector))
                .filter(|number| sectors.has(number * sector..number * sector + 1)),
        );
    }
    totals.sectors_left_alone = totals.sectors.saturating_sub(touched.len() as u64);
    totals.estimated_ms = microseconds / 1000;
    totals
}
