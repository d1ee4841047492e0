//! Save a copy, keep the record, burn.

use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use crate::flash::{
    BackedUp, BackupCardFacts, BackupError, BootAddressOutcome, BurnGoal, BurnRecord, BurnRecords,
    BurnTask, Burned, CardHolds, Flash, FlashPlan, Region, back_up, burn, burn_at_once,
};

use crate::device::Card;

use super::super::context::Context;
use super::super::error::Failure;
use super::super::failure_hints::Situation;
use super::super::progress::Progress;
use super::super::report::{BurnOutcome, BurnReport};
use super::failure::{backup_failure, burn_failure, record_failure};
use super::opened::About;
use super::prepare::Ready;
use super::{BurnJob, Copy};

/// What is to be carried out.
pub(super) struct Task<'a> {
    pub(super) goal: &'a BurnGoal,
    pub(super) plan: &'a FlashPlan,
    /// The copy of the whole flash; `None` where there is one already.
    pub(super) copy: Option<&'a Copy>,
    /// A copy that was made before.
    pub(super) earlier_copy: Option<PathBuf>,
    /// Version of the firmware that the card has now.
    pub(super) firmware: Option<String>,
    /// Regions that the firmware writes by itself.
    pub(super) volatile: Vec<Region>,
    pub(super) doors: Vec<String>,
    /// Whether the flash is the open one that the plan was made of.
    pub(super) at_once: bool,
}

impl<'a> Task<'a> {
    /// A burn from the beginning.
    pub(super) fn burn(ready: &'a Ready, job: &'a BurnJob, firmware: Option<String>) -> Self {
        Self {
            goal: &ready.goal,
            plan: &ready.plan,
            copy: Some(&job.copy),
            earlier_copy: None,
            firmware,
            volatile: ready.goal.protected.clone(),
            doors: job.doors.names(),
            at_once: false,
        }
    }
}

/// The record of unfinished burns of a card.
pub(in crate::cli) fn records(ctx: &Context, about: &About<'_>) -> BurnRecords {
    let stem = about.card.selector().replace(':', "-");
    BurnRecords::new(&ctx.folders.state.join("burns"), &stem)
}

/// What is written down of a goal, so that it can be gone on with.
fn record_of(goal: &BurnGoal) -> BurnTask {
    BurnTask::Burn {
        target: goal.image.place.into(),
        old: goal.old.map(Into::into),
        boot_address: goal.boot_address,
        protected: goal.protected.clone(),
    }
}

fn now_unix() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs())
}

/// Saves a copy, writes the record, burns, takes the record away.
pub(super) fn carry_out(
    ctx: &Context,
    about: &About<'_>,
    flash: &mut dyn Flash,
    task: &Task<'_>,
    report: &mut BurnReport,
) -> Result<(), Failure> {
    let situation = Situation::of(&ctx.host, about.card);
    let mut progress = Progress::new(ctx.output, &about.card.selector());
    let backup = match task.copy {
        Some(copy) => save(
            ctx,
            about,
            flash,
            copy,
            task.firmware.clone(),
            &task.volatile,
            &mut progress,
        )?,
        None => task.earlier_copy.clone(),
    };
    report.backup = backup.as_ref().map(|path| path.display().to_string());
    if let Some((path, way)) = backup.as_ref().zip(report.way_back.first_mut()) {
        *way = restore_command(about.card, &path.display().to_string());
    }
    let records = records(ctx, about);
    let mut record = BurnRecord::new(
        about.identity.clone(),
        flash,
        record_of(task.goal),
        now_unix(),
    );
    record.backup.clone_from(&backup);
    record.doors.clone_from(&task.doors);
    records
        .begin(&record, &task.goal.image.bytes)
        .map_err(|error| record_failure(&error, &situation))?;
    let outcome = if task.at_once {
        burn_at_once(flash, task.plan, &mut progress)
    } else {
        burn(flash, task.plan, &mut progress)
    };
    drop(progress);
    let burned = outcome.map_err(|failure| {
        report.holds = Some(failure.holds.to_string());
        let told = burn_failure(&failure, &situation, backup.as_deref());
        // There is nothing to go on with, unless another run had begun it.
        let is_new = task.copy.is_some();
        if !is_new || failure.holds != CardHolds::Untouched {
            return told;
        }
        match records.finish() {
            Ok(()) => told,
            Err(error) => told.hint(format!("its record could not be taken away: {error}")),
        }
    })?;
    records
        .finish()
        .map_err(|error| record_failure(&error, &situation))?;
    report.outcome = BurnOutcome::Burned;
    tell(ctx, about, &burned);
    Ok(())
}

/// Makes the copy of the whole flash. `volatile`: what the firmware may write
/// meanwhile.
pub(super) fn save(
    ctx: &Context,
    about: &About<'_>,
    flash: &mut dyn Flash,
    copy: &Copy,
    firmware: Option<String>,
    volatile: &[Region],
    progress: &mut Progress,
) -> Result<Option<PathBuf>, Failure> {
    let Some(path) = copy.path(ctx, about.card)? else {
        return Ok(None);
    };
    let situation = Situation::of(&ctx.host, about.card);
    let saved = save_to(about, flash, &path, firmware, volatile, progress)
        .map_err(|error| backup_failure(&error, &situation))?;
    ctx.output.status(format_args!(
        "{}: the whole flash is saved in {} ({} bytes)",
        about.card.selector(),
        path.display(),
        saved.compressed
    ));
    Ok(Some(path))
}

/// Makes a copy of the whole flash in a file that must not exist.
pub(super) fn save_to(
    about: &About<'_>,
    flash: &mut dyn Flash,
    path: &Path,
    firmware: Option<String>,
    volatile: &[Region],
    progress: &mut Progress,
) -> Result<BackedUp, BackupError> {
    let facts = BackupCardFacts {
        card: about.identity.clone(),
        firmware,
        created_unix: now_unix(),
    };
    back_up(flash, path, &facts, volatile, progress)
}

fn restore_command(card: &Card, copy: &str) -> String {
    format!("flexctl restore -d {} {copy}", card.selector())
}

/// How the user gets back to what was, told before anything is written.
pub(super) fn way_back(card: &Card, copy: &Copy) -> Vec<String> {
    let first = match copy {
        Copy::None => {
            "burn the old image again: no copy of the flash is made (--no-backup)".to_owned()
        }
        Copy::To(path) => restore_command(card, &path.display().to_string()),
        Copy::Kept => restore_command(card, "COPY (made first; its name is told then)"),
    };
    let hangs = "if the host hangs at the new ROM: switch the slot's option ROM off in its BIOS setup, start it by UEFI, or put the card into another host, and do that there";
    vec![first, hangs.to_owned()]
}

/// What went by without being an error.
fn tell(ctx: &Context, about: &About<'_>, burned: &Burned) {
    let card = about.card.selector();
    if let BootAddressOutcome::Unsupported(reason) = &burned.boot_address {
        ctx.output.warning(format_args!(
            "{card}: the card has no boot address to set ({reason}): switch the host off and on, a warm restart may start the old image"
        ));
    }
    for sector in &burned.rewritten {
        ctx.output.warning(format_args!(
            "{card}: the sector at {sector:#010x} had to be written again before it read back right"
        ));
    }
    for sector in &burned.read_again {
        ctx.output.warning(format_args!(
            "{card}: the sector at {sector:#010x} read differently at first; the second look was right"
        ));
    }
}
