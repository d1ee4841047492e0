//! From TLVs that are put back as they were to a plan and its words.

use crate::device::CardReading;
use crate::hwdb::{Applies, Risk, SettingsFile};
use crate::settings::{Base, Plan, Restore, RestoreChange, RestoreError, RomFacts, TlvWrite};

use super::ExitCode;
use super::change::Planned;
use super::error::Failure;
use super::report::SettingChangeReport;

/// The plan that puts TLVs back, and what changes by it.
pub(super) fn planned(restore: Restore, reading: &CardReading, file: &SettingsFile) -> Planned {
    let mut plan = Plan::default();
    let mut differences = Vec::new();
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
        for difference in &change.differences {
            differences.push((
                port,
                SettingChangeReport {
                    name: difference.what.clone(),
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
        notes: restore.notes.iter().map(ToString::to_string).collect(),
        differences,
        pending: Vec::new(),
    }
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
