//! Library errors become failures: the exit code, and the next step.

use crate::access::AccessError;
use crate::command::{CommandError, Status};
use crate::device::{Card, Host, JournalError, LockError, OpenError, SelectError};
use crate::hwdb::{Device, HwdbError, ValueError};
use crate::pci::{FunctionError, Lockdown, ScanError};
use crate::settings::{
    ApplyError, ApplyFailure, BackupError, Holds, NameError, PlanError, SettingName, Shown, Stored,
    TlvHolds,
};
use crate::sim::SimError;

use super::ExitCode;
use super::context::Context;
use super::error::Failure;
use super::semaphore_hints::held_hint;

/// What a hint may depend on.
pub(super) struct Situation<'a> {
    /// The host.
    pub(super) host: &'a Host,
    /// The card, as a selector to type.
    pub(super) card: String,
}

impl<'a> Situation<'a> {
    pub(super) fn of(host: &'a Host, card: &Card) -> Self {
        Self {
            host,
            card: card.selector(),
        }
    }
}

impl From<HwdbError> for Failure {
    fn from(error: HwdbError) -> Self {
        Self::new(ExitCode::InvalidInput, &error)
            .hint("hwdb/README.md of the source tells the rules for data files")
    }
}

impl From<ScanError> for Failure {
    fn from(error: ScanError) -> Self {
        Self::new(ExitCode::NoSuchDevice, &error)
            .hint("is sysfs mounted? --sysfs-root names another place to look")
    }
}

impl From<SimError> for Failure {
    fn from(error: SimError) -> Self {
        let hint = sim_hint(&error);
        let code = match error {
            SimError::NoSuchCard { .. } | SimError::NoSuchProfile { .. } => ExitCode::NoSuchDevice,
            SimError::BadName { .. } => ExitCode::Usage,
            _ => ExitCode::Failed,
        };
        Self::new(code, &error).hint(hint)
    }
}

/// What to do about a virtual card that cannot be had.
fn sim_hint(error: &SimError) -> String {
    match error {
        SimError::Exists { name } => {
            format!("take another name, or throw it away with: flexctl sim remove {name}")
        }
        SimError::InUse { .. } => "wait for it to end, then run this again".to_owned(),
        SimError::NoSuchSetting { name, .. } => {
            format!("flexctl sim state {name} shows the settings that are set, with their data")
        }
        SimError::FlashSize { name, .. } => {
            format!("flexctl sim flash {name} --save FILE writes a file of the right size")
        }
        SimError::NoDirectory | SimError::Io { .. } => {
            "FLEXCTL_SIM_DIR names another folder for virtual cards".to_owned()
        }
        _ => "`flexctl sim list` shows virtual cards and profiles".to_owned(),
    }
}

impl From<SelectError> for Failure {
    fn from(error: SelectError) -> Self {
        match error {
            SelectError::Scan(error) => error.into(),
            SelectError::Sim { source, .. } => Self::from(*source),
            SelectError::NoCards { .. } => Self::new(ExitCode::NoSuchDevice, &error).hint(
                "`flexctl list` shows what was found; sim:connectx-4 is a virtual card to try",
            ),
            SelectError::NotFound { ref available, .. } if available.is_empty() => {
                Self::new(ExitCode::NoSuchDevice, &error).hint(
                    "no Mellanox card was found at all; sim:connectx-4 is a virtual card to try",
                )
            }
            SelectError::NotFound { ref available, .. } => {
                let hint = format!("there are: {}", available.join(", "));
                Self::new(ExitCode::NoSuchDevice, &error).hint(hint)
            }
            SelectError::VirtualFunction { physical, .. } => Self::new(ExitCode::Refused, &error)
                .hint(physical.map_or_else(
                    || {
                        "its settings belong to the physical card, on the host that has it"
                            .to_owned()
                    },
                    |physical| {
                        format!("its settings belong to the physical function: -d {physical}")
                    },
                )),
        }
    }
}

impl From<LockError> for Failure {
    fn from(error: LockError) -> Self {
        match error {
            LockError::File { ref source, .. }
                if source.kind() == std::io::ErrorKind::PermissionDenied =>
            {
                Self::new(ExitCode::NotPermitted, &error).hint("run it as root")
            }
            LockError::File { .. } => Self::new(ExitCode::Failed, &error)
                .hint("FLEXCTL_RUN_DIR names another folder for lock files"),
            LockError::Held { .. } => {
                Self::new(ExitCode::Failed, &error).hint("wait for it to end, then run this again")
            }
            LockError::Interrupted => {
                Self::new(ExitCode::Failed, &error).hint("nothing was changed")
            }
        }
    }
}

impl From<JournalError> for Failure {
    fn from(error: JournalError) -> Self {
        match error {
            JournalError::Malformed { .. } => Self::new(ExitCode::InvalidInput, &error).hint(
                "nothing was written to the card; look at the file, then remove it and run this again",
            ),
            JournalError::UnknownSchema { .. } => Self::new(ExitCode::InvalidInput, &error).hint(
                "a newer flexctl wrote it: use that one, or remove the file",
            ),
            JournalError::OtherBoard { .. } => Self::new(ExitCode::Refused, &error).hint(
                "the card was replaced since: what is on record is of the other one; \
                 `flexctl settings list` shows what this one holds",
            ),
            _ => Self::new(ExitCode::Failed, &error)
                .hint("FLEXCTL_STATE_DIR names another folder for the records of transactions"),
        }
    }
}

/// A card that cannot be opened.
pub(super) fn open_failure(error: &OpenError, situation: &Situation<'_>) -> Failure {
    match error {
        OpenError::FlashRecovery { .. } => Failure::new(ExitCode::Refused, error)
            .hint("burn firmware with mstflint, or look for a jumper that forces recovery mode"),
        OpenError::VirtualOnly { .. } => Failure::new(ExitCode::Refused, error)
            .hint("run flexctl on the host that has the physical card"),
        OpenError::Unsupported { .. } => Failure::new(ExitCode::NoSuchDevice, error)
            .hint("flexctl works on ConnectX-3, -3 Pro, -4 and -4 Lx; mstconfig knows newer cards"),
        OpenError::Function { source, .. } => function_hint(
            Failure::new(function_code(source), error),
            source,
            situation,
        ),
        OpenError::Access { source, .. } => {
            access_hint(Failure::new(access_code(source), error), source, situation)
        }
        OpenError::Sim { source, .. } => {
            Failure::new(ExitCode::Failed, error).hint(sim_hint(source))
        }
        OpenError::Command(error) => command_failure(error, situation),
    }
}

/// A word of the card that cannot be reached.
pub(super) fn access_failure(error: &AccessError, situation: &Situation<'_>) -> Failure {
    access_hint(Failure::new(access_code(error), error), error, situation)
}

/// An expansion ROM that the host does not show.
pub(super) fn rom_failure(error: &FunctionError, situation: &Situation<'_>) -> Failure {
    let failure = Failure::new(function_code(error), error);
    match error {
        FunctionError::RomUnavailable { .. } => failure.hint(format!(
            "`mstflint -d {} rrom FILE` reads it from the card's flash",
            situation.card
        )),
        _ => function_hint(failure, error, situation),
    }
}

/// A command that failed.
pub(super) fn command_failure(error: &CommandError, situation: &Situation<'_>) -> Failure {
    if let Some(source) = error.access() {
        return access_hint(Failure::new(access_code(source), error), source, situation);
    }
    let failure = Failure::new(ExitCode::CardError, error);
    match error.status() {
        Some(Status::ConfigurationCorrupt) => failure.hint(
            "the card's settings store is damaged (single-port ConnectX-3 cards are known for it); \
             `flexctl show` tells which settings can still be read",
        ),
        Some(Status::BadSystemState) => {
            failure.hint("load the card's driver (mlx4_core), or power the host off and on")
        }
        Some(Status::BadOpcode) => failure
            .hint("the firmware may be older than 2.31.5000, which has no settings; update it"),
        _ => failure.hint(format!(
            "look at the card with: flexctl doctor -d {}",
            situation.card
        )),
    }
}

pub(super) fn access_code(error: &AccessError) -> ExitCode {
    match error {
        AccessError::Function(error) => function_code(error),
        AccessError::LockFile { .. }
        | AccessError::LockHeld { .. }
        | AccessError::Interrupted { .. } => ExitCode::Failed,
        _ => ExitCode::CardError,
    }
}

fn function_code(error: &FunctionError) -> ExitCode {
    match error {
        FunctionError::ConfigTruncated { .. } => ExitCode::NotPermitted,
        error if error.is_permission() => ExitCode::NotPermitted,
        error if error.is_gone() => ExitCode::CardError,
        _ => ExitCode::Failed,
    }
}

fn access_hint(failure: Failure, error: &AccessError, situation: &Situation<'_>) -> Failure {
    let card = &situation.card;
    match error {
        AccessError::Function(error) => function_hint(failure, error, situation),
        AccessError::Gone { .. } => failure.hint(
            "power the host off and on; if it stays so, the card may be broken or not seated well",
        ),
        AccessError::SemaphoreHeld {
            semaphore, value, ..
        } => {
            let failure = failure.hint(held_hint(semaphore, *value));
            failure.hint(format!(
                "when nothing else is at work on the card, free it with: flexctl doctor -d {card} --clear-semaphores"
            ))
        }
        AccessError::Timeout { .. } => failure.hint(format!(
            "the firmware hangs: power the host off and on; `flexctl doctor -d {card}` shows what is held"
        )),
        AccessError::LockHeld { .. } => {
            failure.hint("another tool (mstflint, mstconfig) is at work; wait for it to end")
        }
        AccessError::LockFile { path, .. } => failure.hint(format!(
            "if `{path}` or its folder is a link or not a plain file, remove it"
        )),
        AccessError::Interrupted { .. } => failure.hint("nothing was changed"),
        _ => failure.hint("the card may be in flash-recovery mode, or too old"),
    }
}

fn function_hint(failure: Failure, error: &FunctionError, situation: &Situation<'_>) -> Failure {
    let rights = error.is_permission() || matches!(error, FunctionError::ConfigTruncated { .. });
    if !rights {
        return failure.hint(format!(
            "look at the host with: flexctl doctor -d {}",
            situation.card
        ));
    }
    let failure = if situation.host.is_root {
        failure
    } else {
        failure.hint("run it as root: the card's config space can be written by root only")
    };
    match &situation.host.lockdown {
        Lockdown::Integrity | Lockdown::Confidentiality => failure.hint(
            "kernel lockdown denies access to PCI cards, to root too: switch Secure Boot off \
             (or boot with lockdown=none), change the card, switch it on again",
        ),
        _ if situation.host.is_root => failure.hint(
            "root was refused: a container or a security module may be in between; \
             `flexctl doctor` shows what the kernel says",
        ),
        _ => failure,
    }
}

/// A name that means nothing.
pub(super) fn name_failure(error: &NameError) -> Failure {
    let failure = Failure::new(ExitCode::Usage, error);
    match error {
        NameError::NotOfAPort { setting, .. } => {
            failure.hint(format!("leave the suffix out: {setting}"))
        }
        _ => failure.hint("`flexctl settings explain` lists all names with their meaning"),
    }
}

/// A name that means nothing on cards of this generation, perhaps on others.
pub(super) fn unknown_here(
    ctx: &Context,
    device: &Device,
    name: &SettingName,
    error: &NameError,
) -> Failure {
    let has = |other: &&Device| ctx.hwdb.settings(other).setting(&name.base).is_some();
    let others: Vec<&str> = ctx
        .hwdb
        .devices()
        .iter()
        .filter(has)
        .map(|other| other.title.as_str())
        .collect();
    if others.is_empty() || !matches!(error, NameError::Unknown { .. }) {
        return name_failure(error);
    }
    Failure::message(
        ExitCode::Refused,
        format!(
            "{} has no {name}: it is a setting of {}",
            device.title,
            others.join(", ")
        ),
    )
    .hint("name the cards that have it with --device, or write a profile: flexctl plan --help")
}

/// The port that is meant by a suffix or by --port, which must not contradict each
/// other.
pub(super) fn one_port(name: &SettingName, port: Option<u8>) -> Result<Option<u8>, Failure> {
    match (name.port, port) {
        (Some(suffix), Some(port)) if suffix != port => Err(Failure::message(
            ExitCode::Usage,
            format!("{name} contradicts --port {port}"),
        )
        .hint("leave the suffix or --port out")),
        (suffix, port) => Ok(suffix.or(port)),
    }
}

/// A value that is none.
pub(super) fn value_failure(error: &ValueError, may_be_file: bool) -> Failure {
    let failure = Failure::new(ExitCode::Usage, error);
    if may_be_file {
        failure.hint(format!(
            "`flexctl settings explain {}` says more; {}=@FILE takes the value from a file",
            error.setting, error.setting
        ))
    } else {
        failure.hint(format!(
            "`flexctl settings explain {}` says more",
            error.setting
        ))
    }
}

/// Settings that cannot be told completely.
pub(super) fn backup_failure(error: &BackupError, ctx: &Context, card: &Card) -> Failure {
    match error {
        BackupError::Command(error) => command_failure(error, &Situation::of(&ctx.host, card)),
        _ => Failure::new(ExitCode::CardError, error)
            .hint("nothing was changed; `flexctl settings list` shows what can be read by name"),
    }
}

/// A plan that cannot be made.
pub(super) fn plan_failure(error: &PlanError) -> Failure {
    match error {
        PlanError::NoSuchPort { .. } => Failure::new(ExitCode::NoSuchDevice, error)
            .hint("leave --port out to mean every port of the card"),
        PlanError::NotOffered { setting, .. } if setting == "IP_VER" => {
            Failure::new(ExitCode::Refused, error).hint(
                "the card's firmware is too old for this setting; update it (`flexctl burn` takes firmware images), then try again",
            )
        }
        PlanError::NotOffered { .. } => Failure::new(ExitCode::Refused, error).hint(
            "not every model and firmware has every setting; `flexctl settings list --all` says what \
             this card lacks",
        ),
        PlanError::Unreadable { status, .. } | PlanError::CapabilityUnreadable { status, .. } => {
            let failure = Failure::new(ExitCode::CardError, error);
            match status {
                Status::ConfigurationCorrupt => failure.hint(
                    "the card's settings store is damaged; owners of single-port ConnectX-3 cards report that \
                     resetting and burning do not mend it. Nothing was changed",
                ),
                _ => failure.hint("`flexctl show` tells what else can be read"),
            }
        }
        PlanError::UnknownSetting { .. } | PlanError::Contradiction { .. } => {
            Failure::new(ExitCode::Usage, error).hint("nothing was changed")
        }
        PlanError::IllegalValue { setting, .. } | PlanError::AboveLimit { setting, .. } => {
            Failure::new(ExitCode::Refused, error)
                .hint(format!("`flexctl settings explain {setting}` says more"))
        }
        PlanError::ReadOnly { setting, .. } => Failure::new(ExitCode::Refused, error)
            .hint(format!("`flexctl settings explain {setting}` says where it comes from")),
        PlanError::NoDefaults { .. } => Failure::new(ExitCode::Refused, error).hint(
            "writing it without knowing the defaults could switch the option ROM off; set any boot setting \
             once in the Ctrl-B menu at boot, then try again",
        ),
        PlanError::ReservedValue { setting, .. } if setting == "LEGACY_BOOT_PROTOCOL" => {
            Failure::new(ExitCode::Refused, error).hint(
                "nothing was changed; --allow-reserved goes on all the same, and with --with-pxe it replaces the value",
            )
        }
        PlanError::ReservedValue { setting, .. } => Failure::new(ExitCode::Refused, error).hint(
            format!("nothing was changed; set {setting} as well, or go on with --allow-reserved"),
        ),
        _ => Failure::new(ExitCode::Refused, error).hint("nothing was changed"),
    }
}

/// A plan that was not carried out.
pub(super) fn apply_failure(error: &ApplyError, situation: &Situation<'_>) -> Failure {
    let mut failure = match error.failure.as_ref() {
        // What the others made of the card is not what it held before.
        ApplyFailure::ForeignChange { .. } => {
            return Failure::new(ExitCode::Refused, &error.failure)
                .hint("flexctl wrote nothing; run this again when the other program is done");
        }
        ApplyFailure::Command { source, .. } | ApplyFailure::Session { source, .. } => {
            let inner = command_failure(source, situation);
            Failure {
                hints: inner.hints,
                ..Failure::new(inner.code, &error.failure)
            }
        }
        ApplyFailure::Mismatch { .. } => Failure::new(ExitCode::CardError, &error.failure).hint(
            "the card did not keep what was written; its settings store may be full or damaged",
        ),
        ApplyFailure::Interrupted | ApplyFailure::NotOpened { .. } => {
            Failure::new(ExitCode::Failed, &error.failure)
        }
    };
    if error.state.iter().any(|tlv| tlv.holds != Holds::Old) {
        failure.code = ExitCode::CardError;
    }
    failure.state = error.state.iter().map(holds_text).collect();
    if error.defaults_written_down() && error.nothing_changed() {
        failure.hint(
            "the values are those of before, but a TLV that was not set now holds the card's defaults, \
             written down: ConnectX-3 cannot delete a single TLV (mstconfig reset deletes all of them)",
        )
    } else if error.nothing_changed() {
        failure.hint("the card holds what it held before")
    } else {
        let card = &situation.card;
        failure.hint(format!(
            "run `flexctl show -d {card}` when the card answers again: it tells what the card holds"
        ))
    }
}

/// What the card holds for a TLV, in words.
fn holds_text(tlv: &TlvHolds) -> String {
    let write = &tlv.write;
    let shown = |stored: &Stored| Shown::new(stored.clone(), write.secret);
    let (before, after) = (shown(&write.before), shown(&write.after));
    let what = match &tlv.holds {
        Holds::Old => format!("as before ({before})"),
        Holds::OldAsDefaults => format!(
            "as before, its defaults written down ({})",
            shown(&Stored::Set(write.base.clone()))
        ),
        Holds::New => format!("the new value ({after})"),
        Holds::Other(found) => format!("something else: {found}"),
        Holds::Unknown => format!(
            "unknown, the card does not answer; before it was {before}, the new value is {after}"
        ),
    };
    let place = match write.port {
        0 => "card".to_owned(),
        port => format!("port {port}"),
    };
    format!("{place} {} ({}): {what}", write.name, write.key)
}
