//! From a record to the goal of a burn that goes on.

use crate::flash::{Bootable, BurnGoal, Flash, Step};
use crate::image::{ReadyImage, SlotPlace};
use crate::settings::{CardIdentity, Sameness};

use super::{BurnTask, RecordError, Unfinished};

/// The goal of a burn that was begun. What has to be done for it is planned from
/// what is in the flash now; `contents` is what `bootable` is asked about.
///
/// # Errors
/// [`RecordError`] when it was begun on another board or flash, when it is a
/// restore, or when only the target boots, with another image.
pub fn goal_to_continue(
    unfinished: &Unfinished,
    card: &CardIdentity,
    flash: &mut dyn Flash,
    contents: &[u8],
    bootable: &dyn Bootable,
) -> Result<BurnGoal, RecordError> {
    let record = &unfinished.record;
    let other_model = record.card.is_same_model(card) == Sameness::Other;
    if other_model || record.card.is_same_board(card) == Sameness::Other {
        return Err(RecordError::OtherBoard {
            recorded: Box::new(record.card.clone()),
            found: Box::new(card.clone()),
        });
    }
    let chip = flash.chip();
    if chip.jedec != record.jedec || chip.bytes != record.flash_bytes {
        return Err(RecordError::OtherChip {
            recorded: record.jedec,
            recorded_bytes: record.flash_bytes,
            found: chip.jedec,
            found_bytes: chip.bytes,
        });
    }
    let (target, old, boot_address, protected) = match &record.task {
        BurnTask::Burn {
            target,
            old,
            boot_address,
            protected,
        } => (target, old, *boot_address, protected.clone()),
        BurnTask::Restore { backup, .. } => {
            return Err(RecordError::IsRestore {
                backup: backup.clone(),
            });
        }
    };
    let no_place = || RecordError::UnknownSchema {
        path: record.address.clone().into(),
        found: record.schema.clone(),
    };
    let target = target.place().ok_or_else(no_place)?;
    let old = match old {
        Some(old) => Some(old.place().ok_or_else(no_place)?),
        None => None,
    };
    let goal = BurnGoal {
        image: ReadyImage {
            place: target,
            bytes: unfinished.image.clone(),
        },
        old,
        boot_address,
        boot_address_now: flash.boot_address()?,
        protected,
    };
    let is_whole = |place: SlotPlace| bootable.image_at(contents, place).is_some();
    if is_whole(target) && !old.is_some_and(is_whole) {
        let plan = goal.plan(flash)?;
        let writes = |step: &Step| !matches!(step, Step::Retire { .. }) && step.touches().is_some();
        if plan.steps.iter().any(writes) {
            return Err(RecordError::OnlyBootable { slot: target.slot });
        }
    }
    Ok(goal)
}
