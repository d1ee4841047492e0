//! Carry out a plan: read again, write, read back, and restore on trouble.

use crate::command::register::Mfrl;
use crate::command::{CommandError, Firmware, Session};
use crate::hwdb::Applies;
use crate::pci::Bdf;

use super::change::{Plan, TlvWrite};
use super::tlv_store::{Shown, Stored, TlvKey};
use super::transaction::{carry_out, holds_now, restore};

/// What the card holds for a TLV after a transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Holds {
    /// What was there before.
    Old,
    /// The values of before, written down: the TLV was not set, and a single
    /// TLV cannot be deleted on this generation.
    OldAsDefaults,
    /// What was planned.
    New,
    /// Something else.
    Other(Shown),
    /// It could not be read.
    Unknown,
}

/// A TLV and what the card holds for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlvHolds {
    /// The TLV, as it was planned.
    pub write: TlvWrite,
    /// What the card holds.
    pub holds: Holds,
}

/// A plan that was carried out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Applied {
    /// How many TLVs were written.
    pub written: usize,
    /// Whether the next warm reboot loads them.
    pub warm_reboot: WarmReboot,
}

/// Whether a warm reboot is enough for settings that need a firmware reset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WarmReboot {
    /// Nothing was written that needs a firmware reset.
    NotNeeded,
    /// The firmware was asked to reload its settings at the next warm reboot
    /// (MFRL) and agreed.
    Arranged,
    /// The firmware cannot be asked or did not agree.
    NotOffered,
}

/// Why a plan was not carried out.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ApplyFailure {
    /// The plan speaks of a function that was not opened.
    #[error("{function} is part of the plan but was not opened")]
    NotOpened {
        /// The function.
        function: Bdf,
    },
    /// Somebody else changed the TLV since it was read.
    #[error(
        "{function}: port {port}: {tlv} was changed by another program since it was read: expected {expected}, found {found}"
    )]
    ForeignChange {
        /// The function.
        function: Bdf,
        /// The port.
        port: u8,
        /// The TLV, with the card's name for it.
        tlv: String,
        /// The card's name for it.
        key: TlvKey,
        /// What was read before.
        expected: Shown,
        /// What is there now.
        found: Shown,
    },
    /// A command failed.
    #[error("{step} of {tlv} (port {port}) failed")]
    Command {
        /// What was under way: "write", "read back".
        step: &'static str,
        /// The port.
        port: u8,
        /// The TLV, with the card's name for it.
        tlv: String,
        /// What failed.
        #[source]
        source: Box<CommandError>,
    },
    /// The semaphore could not be taken or given back.
    #[error("the command interface could not be {step}")]
    Session {
        /// "opened" or "closed".
        step: &'static str,
        /// What failed.
        #[source]
        source: Box<CommandError>,
    },
    /// What was read back is not what was written.
    #[error(
        "{function}: port {port}: {tlv} was written but reads back differently: expected {expected}, found {found}"
    )]
    Mismatch {
        /// The function.
        function: Bdf,
        /// The port.
        port: u8,
        /// The TLV, with the card's name for it.
        tlv: String,
        /// What was written.
        expected: Shown,
        /// What was read.
        found: Shown,
    },
    /// Somebody asked to stop.
    #[error("stopped on request")]
    Interrupted,
}

/// A plan that was not carried out, and what the card holds now.
#[derive(Debug, thiserror::Error)]
#[error("the plan was not carried out")]
pub struct ApplyError {
    /// Why.
    #[source]
    pub failure: Box<ApplyFailure>,
    /// What the card holds for every TLV of the plan.
    pub state: Vec<TlvHolds>,
}

impl ApplyError {
    /// Whether the card was left before the first write.
    #[must_use]
    pub fn nothing_written(&self) -> bool {
        let foreign = matches!(*self.failure, ApplyFailure::ForeignChange { .. });
        foreign || self.nothing_changed()
    }

    /// Whether a TLV that was not set holds the card's defaults now.
    #[must_use]
    pub fn defaults_written_down(&self) -> bool {
        self.state
            .iter()
            .any(|tlv| tlv.holds == Holds::OldAsDefaults)
    }

    /// Whether every TLV has the values of before.
    #[must_use]
    pub fn nothing_changed(&self) -> bool {
        self.state
            .iter()
            .all(|tlv| matches!(tlv.holds, Holds::Old | Holds::OldAsDefaults))
    }
}

/// Carries out a plan.
///
/// The semaphores of all functions in the plan are held from the second reading
/// to the last verification.
///
/// # Errors
/// [`ApplyError`] says why and what the card holds now. Everything that was
/// written has been put back by then, unless the card no longer answers.
pub fn apply(firmwares: &mut [&mut Firmware], plan: &Plan) -> Result<Applied, ApplyError> {
    let untouched = |failure| ApplyError {
        failure: Box::new(failure),
        state: plan
            .writes
            .iter()
            .map(|write| TlvHolds {
                write: write.clone(),
                holds: Holds::Old,
            })
            .collect(),
    };
    let mut sessions = open_sessions(firmwares, plan).map_err(untouched)?;
    check_unchanged(&mut sessions, plan).map_err(|failure| {
        let mut error = untouched(failure);
        if let ApplyFailure::ForeignChange {
            key,
            function,
            found,
            ..
        } = error.failure.as_ref()
        {
            let changed =
                |tlv: &&mut TlvHolds| tlv.write.key == *key && tlv.write.function == *function;
            error
                .state
                .iter_mut()
                .filter(changed)
                .for_each(|tlv| tlv.holds = Holds::Other(found.clone()));
        }
        error
    })?;
    let mut tried = 0;
    let outcome = write_all(&mut sessions, plan, &mut tried);
    if let Err(failure) = outcome {
        let state = roll_back(&mut sessions, plan, tried);
        return Err(ApplyError {
            failure: Box::new(failure),
            state,
        });
    }
    let warm_reboot = arrange_warm_reboot(&mut sessions, plan);
    for session in sessions {
        session.end().map_err(|source| ApplyError {
            failure: Box::new(ApplyFailure::Session {
                step: "closed",
                source: Box::new(source),
            }),
            state: plan
                .writes
                .iter()
                .map(|write| TlvHolds {
                    write: write.clone(),
                    holds: Holds::New,
                })
                .collect(),
        })?;
    }
    Ok(Applied {
        written: plan.writes.len(),
        warm_reboot,
    })
}

/// Asks the firmware to reload its settings at the next warm reboot, as mstconfig
/// does. What is written stays written whatever it answers.
fn arrange_warm_reboot(sessions: &mut [Session<'_>], plan: &Plan) -> WarmReboot {
    let waits = |write: &&TlvWrite| write.applies == Applies::FirmwareReset;
    let Some(write) = plan.writes.iter().find(waits) else {
        return WarmReboot::NotNeeded;
    };
    match session_of(sessions, write).map(|session| session.set(&Mfrl)) {
        Ok(Ok(())) => WarmReboot::Arranged,
        Ok(Err(_)) | Err(_) => WarmReboot::NotOffered,
    }
}

fn open_sessions<'a>(
    firmwares: &'a mut [&mut Firmware],
    plan: &Plan,
) -> Result<Vec<Session<'a>>, ApplyFailure> {
    if let Some(write) = plan.writes.iter().find(|write| {
        !firmwares
            .iter()
            .any(|firmware| firmware.address() == write.function)
    }) {
        return Err(ApplyFailure::NotOpened {
            function: write.function,
        });
    }
    firmwares
        .iter_mut()
        .filter(|firmware| {
            let address = firmware.address();
            plan.writes.iter().any(|write| write.function == address)
        })
        .map(|firmware| {
            firmware.session().map_err(|source| ApplyFailure::Session {
                step: "opened",
                source: Box::new(source),
            })
        })
        .collect()
}

/// The session of a write's function. [`open_sessions`] has opened it.
fn session_of<'a, 'b>(
    sessions: &'a mut [Session<'b>],
    write: &TlvWrite,
) -> Result<&'a mut Session<'b>, ApplyFailure> {
    sessions
        .iter_mut()
        .find(|session| session.address() == write.function)
        .ok_or(ApplyFailure::NotOpened {
            function: write.function,
        })
}

fn title(write: &TlvWrite) -> String {
    format!("{} ({})", write.name, write.key)
}

fn shown(write: &TlvWrite, stored: Stored) -> Shown {
    Shown::new(stored, write.secret)
}

fn failed(step: &'static str, write: &TlvWrite) -> impl FnOnce(CommandError) -> ApplyFailure {
    let (port, tlv) = (write.port, title(write));
    move |source| ApplyFailure::Command {
        step,
        port,
        tlv,
        source: Box::new(source),
    }
}

fn check_unchanged(sessions: &mut [Session<'_>], plan: &Plan) -> Result<(), ApplyFailure> {
    for write in &plan.writes {
        let session = session_of(sessions, write)?;
        let found = holds_now(session, write).map_err(failed("second reading", write))?;
        if found != write.before {
            return Err(ApplyFailure::ForeignChange {
                function: write.function,
                port: write.port,
                tlv: title(write),
                key: write.key,
                expected: shown(write, write.before.clone()),
                found: shown(write, found),
            });
        }
    }
    Ok(())
}

/// Writes and verifies one TLV after the other. `tried` counts the writes that
/// were begun.
fn write_all(
    sessions: &mut [Session<'_>],
    plan: &Plan,
    tried: &mut usize,
) -> Result<(), ApplyFailure> {
    for write in &plan.writes {
        let session = session_of(sessions, write)?;
        if session.stop_requested() {
            return Err(ApplyFailure::Interrupted);
        }
        *tried += 1;
        carry_out(session, write).map_err(failed("write", write))?;
        let found = holds_now(session, write).map_err(failed("read back", write))?;
        if !write.is_done(&found) {
            return Err(ApplyFailure::Mismatch {
                function: write.function,
                port: write.port,
                tlv: title(write),
                expected: shown(write, write.after.clone()),
                found: shown(write, found),
            });
        }
    }
    Ok(())
}

/// Puts back the first `tried` TLVs, the last one first, and says what the card
/// holds for every one.
fn roll_back(sessions: &mut [Session<'_>], plan: &Plan, tried: usize) -> Vec<TlvHolds> {
    sessions.iter_mut().for_each(Session::undisturbed);
    let mut state: Vec<TlvHolds> = Vec::with_capacity(plan.writes.len());
    for (index, write) in plan.writes.iter().enumerate().rev() {
        let holds = match session_of(sessions, write) {
            _ if index >= tried => Holds::Old,
            Ok(session) => put_back(session, write),
            Err(_) => Holds::Unknown,
        };
        state.push(TlvHolds {
            write: write.clone(),
            holds,
        });
    }
    state.reverse();
    state
}

fn put_back(session: &mut Session<'_>, write: &TlvWrite) -> Holds {
    // A write that the card refused has changed nothing: then nothing is written again.
    if let Ok(found) = holds_now(session, write)
        && found == write.before
    {
        return Holds::Old;
    }
    // Whether this works shows in what the card holds afterwards.
    let _ = restore(session, write);
    match holds_now(session, write) {
        Ok(found) if found == write.before => Holds::Old,
        Ok(Stored::Set(data)) if write.before == Stored::NotSet && data == write.base => {
            Holds::OldAsDefaults
        }
        Ok(found) if write.is_done(&found) => Holds::New,
        Ok(found) => Holds::Other(shown(write, found)),
        Err(_) => Holds::Unknown,
    }
}
