//! What is wanted of a card.

use crate::device::{Card, CardReading, ChangeKind, OpenCard};
use crate::settings::{
    Change, Detail, Obstacle, Pending, Plan, PlanError, PortSettings, RomFacts, Wanted,
};

use super::super::context::Context;
use super::super::error::Failure;
use super::super::failure_hints::plan_failure;
use super::super::report::SettingChangeReport;

/// What is wanted of a card: what has to be read, and the plan that follows.
pub(in crate::cli) trait Job: Sync {
    /// What it is called in the record of the change.
    fn kind(&self) -> ChangeKind;

    /// Which settings have to be read.
    fn wanted(&self) -> Wanted<'_>;

    /// The same by name, where they are not known beforehand.
    fn wanted_names(&self) -> Option<Vec<&str>> {
        None
    }

    /// How much of them.
    fn detail(&self) -> Detail {
        Detail::ForChange
    }

    /// Whether the board has to be known to plan: serial and part number. Whoever
    /// writes looks it up all the same.
    fn needs_board(&self) -> bool {
        false
    }

    /// The plan for a card, given what was read. Nothing is written here.
    fn plan(
        &self,
        ctx: &Context,
        card: &Card,
        open: &mut OpenCard,
        reading: &CardReading,
    ) -> Result<Planned, Failure>;

    /// Whether a change is taken back: that is no change of its own.
    fn is_undo(&self) -> bool {
        false
    }

    /// Whether a card that holds what is wanted has nothing left of a run that
    /// was not finished.
    fn settles_everything(&self) -> bool {
        false
    }
}

/// What would be done to a card, and what is to be said about it.
#[derive(Debug)]
pub(in crate::cli) struct Planned {
    /// The plan.
    pub(in crate::cli) plan: Plan,
    /// The ports to report, with what stands between each and a boot over IPv6.
    pub(in crate::cli) ports: Vec<(u8, Vec<Obstacle>)>,
    /// The card's ROM, where somebody looked.
    pub(in crate::cli) rom: RomFacts,
    /// What else there is to say.
    pub(in crate::cli) notes: Vec<String>,
    /// What changes, by port (0 for the card), where TLVs are put back as they
    /// were and not settings changed by name.
    pub(in crate::cli) differences: Vec<(u8, SettingChangeReport)>,
    /// What is as wanted but waits for a restart, where somebody looked.
    pub(in crate::cli) pending: Vec<Pending>,
}

impl Planned {
    /// A plan of which nothing else is to be said.
    pub(in crate::cli) fn new(plan: Plan, reading: &CardReading) -> Self {
        let touched =
            |port: &&PortSettings| plan.changes.iter().any(|change| change.port == port.port);
        Self {
            ports: reading
                .ports
                .iter()
                .filter(touched)
                .map(|port| (port.port, Vec::new()))
                .collect(),
            plan,
            rom: RomFacts::NotRead,
            notes: Vec::new(),
            differences: Vec::new(),
            pending: Vec::new(),
        }
    }

    /// The same without the settings that stay.
    pub(in crate::cli) fn of_changes_only(mut plan: Plan, reading: &CardReading) -> Self {
        plan.changes.retain(Change::is_change);
        Self::new(plan, reading)
    }
}

/// The ports that are meant: one, or all of the card.
pub(in crate::cli) fn chosen_ports(
    reading: &CardReading,
    port: Option<u8>,
) -> Result<Vec<&PortSettings>, Failure> {
    let chosen: Vec<&PortSettings> = reading
        .ports
        .iter()
        .filter(|settings| port.is_none_or(|number| settings.port == number))
        .collect();
    match port {
        Some(port) if chosen.is_empty() => Err(plan_failure(&PlanError::NoSuchPort {
            function: reading.ports.first().map(|settings| settings.function),
            port,
            ports: reading.ports.iter().map(|settings| settings.port).collect(),
        })),
        _ => Ok(chosen),
    }
}
