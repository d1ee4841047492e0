//! Keep the record and write.

use crate::device::{ChangeKind, Record, RecordTlv};
use crate::hwdb::Applies;
use crate::settings::{WarmReboot, apply};

use super::super::boot_id::boot_id;
use super::super::context::Context;
use super::super::error::Failure;
use super::super::failure_hints::{Situation, apply_failure};
use super::super::report::{ChangeReport, Outcome};
use super::prepare::Prepared;

/// What a failed plan left behind, for the record of the transaction.
enum After {
    /// The card holds what it held before.
    NothingWritten,
    /// The values of before, but TLVs that were not set hold them as their own.
    DefaultsWrittenDown,
    /// Old and new, or nobody knows.
    Unsettled,
}

/// A card that holds what is wanted: what an earlier run left is settled.
pub(super) fn leave(prepared: &Prepared<'_>, dry_run: bool) -> Result<(), Failure> {
    if dry_run {
        return Ok(());
    }
    if prepared.unfinished.is_some() && prepared.settles_everything {
        prepared.journal.discard(None)?;
    } else if let ChangeKind::Undo(number) = prepared.kind {
        prepared.journal.forget(number)?;
    }
    Ok(())
}

/// Writes the plan of one card, with a record of what was there before.
pub(super) fn carry_out(
    ctx: &Context,
    prepared: &mut Prepared<'_>,
    report: &mut ChangeReport,
) -> Result<(), Failure> {
    let (plan, journal) = (&prepared.plan, &prepared.journal);
    // A wish for some settings settles nothing for the others.
    let left_over = prepared
        .unfinished
        .as_ref()
        .filter(|_| !prepared.settles_everything)
        .and_then(|record| record.without(plan));
    let record = Record::new(
        prepared.card,
        Some(prepared.identity.clone()),
        prepared.kind,
        boot_id(ctx, prepared.card),
        plan.writes.iter().map(RecordTlv::of).collect(),
    );
    journal.begin_change(record, prepared.unfinished.as_ref())?;
    let mut firmwares: Vec<_> = prepared.open.firmwares.iter_mut().collect();
    let outcome = apply(&mut firmwares, plan).map_err(|error| {
        let after = if !error.nothing_written() {
            After::Unsettled
        } else if error.defaults_written_down() {
            After::DefaultsWrittenDown
        } else {
            After::NothingWritten
        };
        let situation = Situation::of(&ctx.host, prepared.card);
        (apply_failure(&error, &situation), after)
    });
    match &outcome {
        // What is undone is on record no longer; whoever is killed in between can
        // undo once more, and finds it done.
        Ok(_) if prepared.is_undo => {
            journal.discard(left_over.as_ref())?;
            if let ChangeKind::Undo(number) = prepared.kind {
                journal.forget(number)?;
            }
        }
        Ok(_) | Err((_, After::DefaultsWrittenDown)) => journal.finish(left_over.as_ref())?,
        Err((_, After::NothingWritten)) => journal.discard(prepared.unfinished.as_ref())?,
        Err((_, After::Unsettled)) => {}
    }
    let applied = outcome.map_err(|(failure, after)| match after {
        After::NothingWritten => failure,
        After::DefaultsWrittenDown => failure.hint(format!(
            "what was set before is in {}",
            journal.backup_path().display()
        )),
        After::Unsettled => failure.hint(format!(
            "the values of before are in {}",
            journal.path().display()
        )),
    })?;
    report.outcome = Outcome::Changed;
    report.restart_how = plan
        .restart()
        .map(|restart| restart_words(restart, applied.warm_reboot).to_owned());
    if !prepared.is_undo {
        report.backup = Some(journal.backup_path().display().to_string());
    }
    Ok(())
}

/// Which restart is enough, in words.
fn restart_words(restart: Applies, warm_reboot: WarmReboot) -> &'static str {
    match (restart, warm_reboot) {
        (Applies::Boot, _) => "takes effect at the next boot",
        (Applies::FirmwareReset, WarmReboot::Arranged) => {
            "takes effect at the next reboot: the firmware was asked to reset then"
        }
        (Applies::FirmwareReset, _) => {
            "takes effect when the firmware is reset: power the host off and on"
        }
    }
}
