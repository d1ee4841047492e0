//! From TLVs that are put back as they were to a plan and its words.

use crate::device::CardReading;
use crate::hwdb::{Applies, Risk, SettingsFile};
use crate::settings::{
    Backup, Base, Plan, Restore, RestoreChange, RestoreError, RomFacts, Stored, TlvWrite,
};

use super::ExitCode;
use super::change::Planned;
use super::error::Failure;
use super::report::SettingChangeReport;

/// The plan that puts TLVs back, and what changes by it.
pub(super) fn planned(
    restore: Restore,
    wanted: &Backup,
    reading: &CardReading,
    file: &SettingsFile,
) -> Planned {
    let mut plan = Plan::default();
    let mut differences = Vec::new();
    let mut notes: Vec<String> = restore.notes.iter().map(ToString::to_string).collect();
    for change in restore.changes {
        let applies = applies(&change, file);
        // On ConnectX-4 a port's settings belong to its function.
        let port = match change.port {
            0 if change.key.is_of_function() => reading
                .ports
                .iter()
                .find(|port| port.function == change.function)
                .map_or(0, |port| port.port),
            port => port,
        };
        let was_not_set = wanted.tlv(change.function.function, change.key).is_none();
        if was_not_set && matches!(change.after, Stored::Set(_)) {
            notes.push(format!(
                "{} ({}) was not set and cannot be deleted: the card's defaults are written down",
                change.name, change.key
            ));
        }
        for difference in &change.differences {
            differences.push((
                port,
                SettingChangeReport {
                    name: what(&change, &difference.what),
                    from: difference.from.clone(),
                    // The words say already where a default is meant.
                    from_base: Base::Stored,
                    to: difference.to.clone(),
                    changes: true,
                    applies,
                    to_default: false,
                    risk: Risk::None,
                    caution: None,
                    without_effect: None,
                },
            ));
        }
        plan.writes.push(TlvWrite {
            function: change.function,
            port,
            name: change.name,
            key: change.key,
            before: change.before,
            base: change.base,
            after: change.after,
            header: change.header,
            secret: change.secret,
            applies,
        });
    }
    let ports = reading
        .ports
        .iter()
        .filter(|port| differences.iter().any(|(number, _)| *number == port.port))
        .map(|port| (port.port, Vec::new()))
        .collect();
    Planned {
        plan,
        ports,
        rom: RomFacts::NotRead,
        notes,
        differences,
        pending: Vec::new(),
    }
}

/// What changes: a setting by its name, bytes with the TLV that they belong to.
fn what(change: &RestoreChange, what: &str) -> String {
    if what.contains(' ') || what == "data" {
        format!("{} ({}): {what}", change.name, change.key)
    } else {
        what.to_owned()
    }
}

/// Refuses values that no source defines where the card has others now.
pub(super) fn refuse_reserved(restore: &Restore, file: &SettingsFile) -> Result<(), Failure> {
    for change in &restore.changes {
        let Some(tlv) = file.tlv.iter().find(|tlv| tlv.name == change.name) else {
            continue;
        };
        let Stored::Set(after) = &change.after else {
            continue;
        };
        let now = match &change.before {
            Stored::Set(data) => data,
            Stored::NotSet => &change.base,
        };
        for field in &tlv.field {
            if let Some(value) = field.get(after).filter(|value| !field.is_legal(value))
                && field.get(now).as_ref() != Some(&value)
            {
                let words = format!(
                    "{} would become {}, which no source defines",
                    field.name,
                    field.describe(&value)
                );
                return Err(Failure::message(ExitCode::Refused, words).hint(
                    "--allow-reserved puts it back all the same, --only NAME leaves it out",
                ));
            }
        }
    }
    Ok(())
}

/// A TLV that nobody knows may need a reset of the firmware.
fn applies(change: &RestoreChange, file: &SettingsFile) -> Applies {
    file.tlv
        .iter()
        .find(|tlv| tlv.name == change.name)
        .map_or(Applies::FirmwareReset, |tlv| tlv.applies)
}

/// What cannot be put back.
pub(super) fn restore_failure(error: &RestoreError) -> Failure {
    match error {
        RestoreError::OtherModel { .. } | RestoreError::OtherGeneration { .. } => {
            Failure::new(ExitCode::Refused, error).hint(
                "a backup fits the card model that it was made of; for other cards make a profile: \
                 flexctl settings export",
            )
        }
        RestoreError::UnknownName { .. } => Failure::new(ExitCode::Usage, error)
            .hint("--only takes names of settings and TLVs, as the backup's comments say them"),
        RestoreError::LeftOut { .. } => Failure::new(ExitCode::Refused, error)
            .hint("secrets are in a backup only when they are named: flexctl backup --secret NAME"),
        _ => Failure::new(ExitCode::Refused, error).hint("nothing was changed"),
    }
}
