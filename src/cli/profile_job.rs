//! A card as a profile wants it.

use crate::device::{Card, CardReading, ChangeKind, OpenCard};
use crate::hwdb::Applies;
use crate::pci::Bdf;
use crate::settings::profile::{CardFacts, Desired, PortFacts, Profile, ProfileError};
use crate::settings::{Assignment, Detail, Pending, Plan, PlanError, Reserved, Wanted, plan};

use super::ExitCode;
use super::change::{Job, Planned};
use super::context::Context;
use super::error::Failure;
use super::failure_hints::plan_failure;
use super::report::interfaces;
use super::waiting::waiting;

/// A card as a profile wants it.
pub(super) struct ProfileJob {
    profile: Profile,
    host: String,
    reserved: Reserved,
    detail: Detail,
}

impl ProfileJob {
    pub(super) fn new(
        profile: Profile,
        host: Option<&str>,
        reserved: Reserved,
        detail: Detail,
    ) -> Self {
        let own_name = || {
            rustix::system::uname()
                .nodename()
                .to_string_lossy()
                .into_owned()
        };
        Self {
            profile,
            host: host.map_or_else(own_name, str::to_owned),
            reserved,
            detail,
        }
    }
}

impl Job for ProfileJob {
    fn kind(&self) -> ChangeKind {
        ChangeKind::Apply
    }

    fn wanted(&self) -> Wanted<'_> {
        Wanted::All
    }

    fn wanted_names(&self) -> Option<Vec<&str>> {
        Some(self.profile.setting_names().collect())
    }

    fn detail(&self) -> Detail {
        self.detail
    }

    fn needs_board(&self) -> bool {
        self.profile.asks_for_the_board()
    }

    fn plan(
        &self,
        ctx: &Context,
        card: &Card,
        open: &mut OpenCard,
        reading: &CardReading,
    ) -> Result<Planned, Failure> {
        let facts = facts(card, open, reading, &self.host);
        let desired = self
            .profile
            .resolve(&facts)
            .map_err(|error| profile_failure(&error))?;
        let wishes: Vec<Assignment> = desired
            .entries
            .iter()
            .map(|entry| Assignment::set(entry.port, &entry.setting, entry.value.clone()))
            .collect();
        let plan = plan(&reading.ports, &wishes, self.reserved)
            .map_err(|error| with_lines(plan_failure(&error), &error, &self.profile, &desired))?;
        let mut notes: Vec<String> = desired.notes.iter().map(ToString::to_string).collect();
        if desired.entries.is_empty() {
            notes.push("the profile says nothing about this card".to_owned());
        }
        let mut pending = Vec::new();
        if self.detail == Detail::Everything {
            pending = waiting(ctx, card, open, reading);
            pending.retain(|one| is_as_wanted(one, &plan));
            notes.extend(pending.iter().map(still));
        }
        let mut planned = Planned::new(plan, reading);
        planned.notes = notes;
        planned.pending = pending;
        Ok(planned)
    }
}

/// What a profile can ask of a card.
fn facts<'a>(card: &Card, open: &'a OpenCard, reading: &CardReading, host: &str) -> CardFacts<'a> {
    let identity = reading.identity.as_ref();
    let board = open.identity(reading);
    CardFacts {
        model_name: open.device.name.clone(),
        model_title: open.device.title.clone(),
        device_id: open.device.pci_device,
        psid: identity
            .map(|identity| identity.psid.clone())
            .filter(|psid| !psid.is_empty()),
        part_number: board.part_number.or_else(|| reading.part_number.clone()),
        serial: board.serial_number,
        addresses: card
            .functions
            .iter()
            .map(|info| info.address)
            .collect::<Vec<Bdf>>(),
        host: host.to_owned(),
        ports: reading
            .ports
            .iter()
            .map(|port| PortFacts {
                port: port.port,
                function: port.function,
                interfaces: interfaces(card, port),
            })
            .collect(),
        settings: &open.settings,
    }
}

/// Whether the profile wants what is stored already.
fn is_as_wanted(pending: &Pending, plan: &Plan) -> bool {
    plan.changes.iter().any(|change| {
        !change.is_change() && change.port == pending.port && change.setting == pending.setting
    })
}

/// What is stored but waits for a restart, in words.
fn still(pending: &Pending) -> String {
    let place = match pending.port {
        0 => String::new(),
        port => format!("port {port}: "),
    };
    let restart = match pending.restart {
        Applies::Boot => "the next boot",
        Applies::FirmwareReset => "a reset of the firmware",
    };
    format!(
        "{place}{} is still {} until {restart}",
        pending.setting, pending.current
    )
}

/// A profile that cannot be used: one message a finding.
pub(super) fn profile_failure(error: &ProfileError) -> Failure {
    let mut failure = Failure::new(ExitCode::InvalidInput, error);
    let findings = error.findings();
    if !findings.is_empty() {
        failure.messages = findings.iter().map(ToString::to_string).collect();
        failure.several = true;
    }
    if findings.is_empty() {
        return failure
            .hint("nothing was changed; a profile is a TOML or JSON file: flexctl plan --help");
    }
    failure.hint("nothing was changed; `flexctl settings explain NAME` says what a setting may be")
}

/// Names the lines of the profile that ask for what cannot be planned.
fn with_lines(
    mut failure: Failure,
    error: &PlanError,
    profile: &Profile,
    desired: &Desired,
) -> Failure {
    let lines: Vec<usize> = desired
        .entries
        .iter()
        .filter(|entry| error.setting() == Some(entry.setting.as_str()))
        .map(|entry| entry.line)
        .collect();
    if let Some(line) = lines.first() {
        failure
            .messages
            .push(format!("{}:{line} asks for it", profile.path().display()));
    }
    failure
}
