//! Errors of the flash become failures: the exit code, and the next step.

use std::path::Path;

use crate::flash::checks::{ExitClass, Objection};
use crate::flash::{
    BackupError, BurnError, BurnFailure, CardHolds, FlashError, Misfit, PlanError, RecordError,
    RestoreError,
};

use crate::access::AccessError;

use super::super::ExitCode;
use super::super::error::Failure;
use super::super::failure_hints::{Situation, access_code, command_failure};
use super::flag;

/// The flash cannot be reached, or refuses.
pub(super) fn flash_failure(error: &FlashError, situation: &Situation<'_>) -> Failure {
    let card = &situation.card;
    match error {
        FlashError::Command { source, action, .. } => {
            let mut failure = command_failure(source, situation);
            // Another tool is at work: nothing was begun.
            if matches!(
                source.access(),
                Some(AccessError::SemaphoreHeld { .. } | AccessError::LockHeld { .. })
            ) {
                failure.code = ExitCode::Refused;
            }
            failure.messages.insert(0, format!("{card}: {action} failed"));
            failure
        }
        FlashError::Access { source, .. } => {
            let failure = Failure::new(access_code(source), error);
            failure.hint(format!(
                "look at the card with: flexctl doctor -d {card}; nothing that was in flash is lost by this"
            ))
        }
        FlashError::UnknownChip { .. } => Failure::new(ExitCode::Refused, error).hint(
            "nothing was written: flexctl knows the chips of hwdb/flash-chips.toml only, and how to write another is a guess; report this id",
        ),
        FlashError::Locked { .. } => Failure::new(ExitCode::Refused, error).hint(format!(
            "another tool is at work on the flash: wait for it; when it is dead, free the lock with: flexctl doctor -d {card} --clear-semaphores"
        )),
        FlashError::Protected { .. } => Failure::new(ExitCode::Refused, error).hint(
            "take the write protection away first (a jumper, or mstflint set Flash0.WriteProtected), then run this again",
        ),
        FlashError::Unsupported { .. } => Failure::new(ExitCode::Refused, error)
            .hint("--via chooses another way to the flash: gateway or registers"),
        _ => Failure::new(ExitCode::CardError, error).hint(format!(
            "look at the card with: flexctl doctor -d {card}, then run this again"
        )),
    }
}

/// Safety checks stand in the way.
pub(super) fn objections_failure(objections: &[Objection]) -> Failure {
    let code = if objections
        .iter()
        .any(|objection| objection.exit() == ExitClass::Refused)
    {
        ExitCode::Refused
    } else {
        ExitCode::InvalidInput
    };
    let mut failure = Failure::message(code, "");
    failure.messages = objections.iter().map(ToString::to_string).collect();
    failure.several = true;
    let closed: Vec<String> = objections
        .iter()
        .filter_map(|objection| objection.door.map(flag))
        .collect();
    if closed.len() == objections.len() {
        failure.hint(format!(
            "nothing was written; who knows better opens what stands in the way: {}",
            closed.join(" ")
        ))
    } else {
        failure.hint("nothing was written; no option lets this pass: mend what the message names, or take another file")
    }
}

/// No plan could be made.
pub(super) fn plan_failure(error: &PlanError, situation: &Situation<'_>) -> Failure {
    match error {
        PlanError::Flash(error) => flash_failure(error, situation),
        other => Failure::new(ExitCode::Refused, other)
            .hint("nothing was written; the image does not fit the flash of this card"),
    }
}

/// No copy could be made: then nothing is burned.
pub(super) fn backup_failure(error: &BackupError, situation: &Situation<'_>) -> Failure {
    match error {
        BackupError::Flash(error) => flash_failure(error, situation),
        BackupError::Stopped => Failure::new(ExitCode::Failed, error)
            .hint("nothing was written to the card; run this again"),
        BackupError::Io { .. } => Failure::new(ExitCode::Failed, error).hint(
            "nothing was written to the card; --backup names another place for the copy, --no-backup goes without",
        ),
        BackupError::Differs { .. } => Failure::new(ExitCode::CardError, error).hint(
            "nothing was written to the card: reading it is not reliable; run this again, or try --via gateway",
        ),
        _ => Failure::new(ExitCode::InvalidInput, error)
            .hint("a copy is put back as it was made, or not at all"),
    }
}

/// The record of the burn cannot be kept or used.
pub(super) fn record_failure(error: &RecordError, situation: &Situation<'_>) -> Failure {
    match error {
        RecordError::Flash(error) => flash_failure(error, situation),
        other => Failure::new(ExitCode::Failed, other)
            .hint("FLEXCTL_STATE_DIR names another folder for records"),
    }
}

/// A burn broke off.
pub(super) fn burn_failure(
    failure: &BurnFailure,
    situation: &Situation<'_>,
    backup: Option<&Path>,
) -> Failure {
    let card = &situation.card;
    let told = broke_off(failure);
    if failure.holds == CardHolds::Untouched {
        return told.hint("nothing is left to be done; run this again");
    }
    let told = told.hint(format!(
        "go on where it ended with: flexctl burn --continue -d {card}"
    ));
    match backup {
        Some(path) => told.hint(format!(
            "or take it back with: flexctl restore -d {card} {}",
            path.display()
        )),
        None => told,
    }
}

/// Putting a copy back broke off: the same again goes on from what is there.
pub(super) fn restore_broke_off(
    failure: &BurnFailure,
    situation: &Situation<'_>,
    copy: &Path,
) -> Failure {
    broke_off(failure).hint(format!(
        "the same again goes on from what the flash holds: flexctl restore -d {} {}",
        situation.card,
        copy.display()
    ))
}

/// What broke off, and what the card holds now.
fn broke_off(failure: &BurnFailure) -> Failure {
    let code = match &failure.error {
        BurnError::Stopped => ExitCode::Failed,
        BurnError::WriteProtected(_)
        | BurnError::OtherChip { .. }
        | BurnError::Changed { .. }
        | BurnError::Protected { .. }
        | BurnError::Flash(FlashError::Locked { .. }) => ExitCode::Refused,
        _ => ExitCode::CardError,
    };
    let mut told = Failure::new(code, failure);
    told.state.push(failure.holds.to_string());
    if let Some(slot) = failure.boots {
        told.state.push(format!("a cold boot starts slot {slot}"));
    }
    told
}

/// A copy of another card.
pub(super) fn misfit_failure(misfits: &[Misfit]) -> Failure {
    let mut failure = Failure::message(ExitCode::Refused, "");
    failure.messages = misfits.iter().map(ToString::to_string).collect();
    failure.several = true;
    let flags: Vec<&str> = misfits
        .iter()
        .filter_map(|misfit| match misfit {
            Misfit::OtherBoard { .. } | Misfit::BoardUnknown { .. } => Some("--allow-other-board"),
            Misfit::OtherModel { backup, card } if backup.device_id == card.device_id => {
                Some("--allow-other-psid")
            }
            _ => None,
        })
        .collect();
    if flags.len() == misfits.len() {
        failure.hint(format!(
            "nothing was written; who knows better goes on with: {}",
            flags.join(" ")
        ))
    } else {
        failure.hint("nothing was written; the copy does not fit this card")
    }
}

/// No plan for putting a copy back.
pub(super) fn restore_failure(error: &RestoreError) -> Failure {
    Failure::new(ExitCode::Refused, error).hint("nothing was written")
}
