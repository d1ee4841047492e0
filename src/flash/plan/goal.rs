//! An image into the slot that the card does not boot from.

use crate::flash::{Flash, FlashPlan, Region};
use crate::hwdb::FlashChip;
use crate::image::{FIRMWARE_MAGIC, ReadyImage, SlotPlace};

use super::extents::len_of;
use super::{Draft, PlanError, Reader};

/// What a burn shall bring.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BurnGoal {
    /// The image, and the slot that it goes into.
    pub image: ReadyImage,
    /// The slot that the card boots from now; its magic goes last. `None` where
    /// nothing boots.
    pub old: Option<SlotPlace>,
    /// What the boot address becomes; `None` leaves it alone.
    pub boot_address: Option<u32>,
    /// What the boot address is, where the card says it. If it names the target,
    /// it is pointed at the old slot first.
    pub boot_address_now: Option<u32>,
    /// What must stay as it is: the card's own data.
    pub protected: Vec<Region>,
}

impl BurnGoal {
    /// The plan for what is in a flash now.
    ///
    /// # Errors
    /// [`PlanError`] when the flash cannot be read, or when it would take what
    /// must stay.
    pub fn plan(&self, flash: &mut dyn Flash) -> Result<FlashPlan, PlanError> {
        let chip = flash.chip().clone();
        self.plan_from(&chip, &mut |at, data| flash.read(at, data))
    }

    /// The same for bytes that come from elsewhere. Only sectors of the target
    /// and the magic of the old slot are read.
    ///
    /// # Errors
    /// As [`BurnGoal::plan`].
    pub fn plan_from(
        &self,
        chip: &FlashChip,
        read: &mut Reader<'_>,
    ) -> Result<FlashPlan, PlanError> {
        let place = self.image.place;
        if !self.image.bytes.starts_with(&FIRMWARE_MAGIC) {
            return Err(PlanError::NoMagicInImage { slot: place.slot });
        }
        let old = self.old.map(|old| old.start);
        let point_back = old.filter(|_| self.boot_address_now == Some(place.start));
        let draft = Draft {
            title: format!("burn into slot {}", place.slot),
            pieces: pieces_of(place, &self.image.bytes),
            starts: vec![place.start],
            point_back,
            boot_address: self.boot_address,
            other: old,
            retire: old.is_some(),
            protected: self.protected.clone(),
        };
        let mut plan = draft.plan(chip, read)?;
        let old_boots = (plan.other.as_ref()).is_some_and(|(_, magic)| *magic == FIRMWARE_MAGIC);
        plan.boots_before = self.old.map(|old| old.slot).filter(|_| old_boots);
        plan.boots_after = Some(place.slot);
        Ok(plan)
    }
}

/// The pieces of an image in the flash.
pub(in crate::flash) fn pieces_of(place: SlotPlace, bytes: &[u8]) -> Vec<(u32, &[u8])> {
    place
        .pieces(0..len_of(bytes))
        .into_iter()
        .filter_map(|(at, range)| {
            let range = usize::try_from(range.start).ok()?..usize::try_from(range.end).ok()?;
            Some((at, bytes.get(range)?))
        })
        .collect()
}
