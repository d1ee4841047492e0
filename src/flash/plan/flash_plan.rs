//! A plan: the steps, what they are based on, and what they amount to.

use std::ops::Range;

use serde::{Serialize, Serializer};

use crate::flash::Region;
use crate::hwdb::FlashChip;
use crate::image::{FIRMWARE_MAGIC, ReadyImage};

use super::extents::{Extents, index, len_of};
use super::{BurnGoal, MAGIC_BYTES, MAGIC_DWORD, Step};

/// What has to be done to a flash, made from what was in it. It is only carried
/// out on a flash that still holds that.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FlashPlan {
    /// What it is for, as in "burn into slot 1".
    pub title: String,
    /// What is done, in this order.
    pub steps: Vec<Step>,
    /// What that amounts to.
    pub totals: PlanTotals,
    /// The slot that a cold boot takes before it, where that is known.
    pub boots_before: Option<usize>,
    /// The slot that a cold boot takes after it.
    pub boots_after: Option<usize>,
    /// The chip that it was made for.
    #[serde(serialize_with = "name_of_chip")]
    pub(in crate::flash) chip: FlashChip,
    /// What was there: all sectors that something is wanted in.
    #[serde(skip)]
    pub(in crate::flash) present: Extents,
    /// The first 16 bytes of the image that stays untouched meanwhile.
    #[serde(skip)]
    pub(in crate::flash) other: Option<(u32, Vec<u8>)>,
    /// Its slot: what boots while this plan is carried out.
    #[serde(skip)]
    pub(in crate::flash) other_slot: Option<usize>,
    /// What shall be there, with ones in place of the magics.
    #[serde(skip)]
    pub(in crate::flash) main: Extents,
    /// Where the magics are.
    #[serde(skip)]
    pub(in crate::flash) magics: Vec<u32>,
    /// What must not be touched.
    pub(in crate::flash) protected: Vec<Region>,
}

fn name_of_chip<S: Serializer>(chip: &FlashChip, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&chip.name)
}

/// What a plan amounts to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct PlanTotals {
    /// Bytes that are programmed.
    pub bytes_to_program: u64,
    /// Pages that are programmed, also in part.
    pub pages_to_program: u64,
    /// Erase commands.
    pub blocks_to_erase: u64,
    /// Bytes that these erase.
    pub bytes_to_erase: u64,
    /// Sectors of the target that are neither erased nor programmed.
    pub sectors_left_alone: u64,
    /// Sectors of the target.
    pub sectors: u64,
    /// Bytes that are read before, and again after the writing.
    pub bytes_to_read: u64,
    /// How long the chip is busy by its typical figures, in milliseconds. The way
    /// to it comes on top.
    pub estimated_ms: u64,
}

impl PlanTotals {
    /// Both together.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self {
            bytes_to_program: self.bytes_to_program + other.bytes_to_program,
            pages_to_program: self.pages_to_program + other.pages_to_program,
            blocks_to_erase: self.blocks_to_erase + other.blocks_to_erase,
            bytes_to_erase: self.bytes_to_erase + other.bytes_to_erase,
            sectors_left_alone: self.sectors_left_alone + other.sectors_left_alone,
            sectors: self.sectors + other.sectors,
            bytes_to_read: self.bytes_to_read + other.bytes_to_read,
            estimated_ms: self.estimated_ms + other.estimated_ms,
        }
    }
}

impl FlashPlan {
    /// Whether the flash holds everything already. The boot address may still
    /// have to be set.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.steps.iter().all(|step| step.touches().is_none())
    }

    /// The chip that it was made for.
    #[must_use]
    pub fn chip(&self) -> &FlashChip {
        &self.chip
    }

    /// What shall be in a range, the magics with it.
    pub(in crate::flash) fn wanted(&self, range: Range<u32>) -> Option<Vec<u8>> {
        let mut bytes = self.main.get(range.clone())?.to_vec();
        for magic in &self.magics {
            let from = magic.checked_sub(range.start).map(index);
            let place = from.and_then(|from| bytes.get_mut(from..from + FIRMWARE_MAGIC.len()));
            if let Some(place) = place {
                place.copy_from_slice(&FIRMWARE_MAGIC);
            }
        }
        Some(bytes)
    }

    /// The image of a burn with what shares its last sector: what a record keeps,
    /// so that a burn which was cut between erasing and programming that sector
    /// brings all of it back. `None` when the plan is for another image.
    #[must_use]
    pub fn recorded_image(&self, goal: &BurnGoal) -> Option<ReadyImage> {
        let place = goal.image.place;
        let bytes = len_of(&goal.image.bytes);
        let bytes = bytes.checked_next_multiple_of(self.chip.sector().max(1))?;
        let mut image = Vec::new();
        for (at, range) in place.pieces(0..bytes) {
            image.extend(self.wanted(at..at.checked_add(range.end - range.start)?)?);
        }
        image.starts_with(&goal.image.bytes).then_some(ReadyImage {
            place,
            bytes: image,
        })
    }

    /// What a flash holds after it.
    pub(in crate::flash) fn apply_to(&self, flash: &mut [u8]) {
        for (range, _) in self.main.iter() {
            let place = flash.get_mut(index(range.start)..index(range.end));
            if let (Some(place), Some(bytes)) = (place, self.wanted(range)) {
                place.copy_from_slice(&bytes);
            }
        }
        for step in &self.steps {
            if let Step::Retire { at } = step
                && let Some(dword) = flash.get_mut(index(*at)..index(at + MAGIC_DWORD))
            {
                dword.fill(0);
            }
        }
    }

    /// Whether a step changes a byte of a range.
    pub(in crate::flash) fn touches(&self, range: &Range<u32>) -> bool {
        let mut touched = self.steps.iter().filter_map(Step::touches);
        touched.any(|touched| touched.start < range.end && range.start < touched.end)
    }

    /// Where the magics are, as ranges.
    pub(in crate::flash) fn magic_ranges(&self) -> Vec<Range<u32>> {
        (self.magics.iter())
            .map(|start| *start..start.saturating_add(MAGIC_BYTES))
            .collect()
    }
}
