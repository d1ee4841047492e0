//! `flexctl settings reset`

use clap::Args;

use crate::device::{Card, CardReading, ChangeKind, OpenCard};
use crate::hwdb::{Access, Scope};
use crate::settings::{Assignment, Availability, Detail, Reserved, SettingName, Wanted, plan};

use super::super::super::ExitCode;
use super::super::super::args::WriteArgs;
use super::super::super::change::{Job, Planned, Purpose, change_together, chosen_ports};
use super::super::super::context::Context;
use super::super::super::error::Failure;
use super::super::super::failure_hints::{name_failure, one_port, plan_failure, unknown_here};

/// Take settings back to the card's defaults
///
/// A TLV of which every setting is back at its default is deleted on ConnectX-4;
/// a ConnectX-3 cannot delete a single TLV and gets its defaults written down.
/// As with `settings set` it is one plan that can be undone.
#[derive(Debug, Args)]
pub(super) struct ResetArgs {
    /// Names of settings, with or without _P1 or _P2
    #[arg(value_name = "NAME", required_unless_present = "all")]
    names: Vec<String>,

    /// All settings that flexctl knows
    #[arg(long, conflicts_with = "names")]
    all: bool,

    /// Only this port, counted from 1
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(1..))]
    port: Option<u8>,

    #[command(flatten)]
    write: WriteArgs,
}

/// Names; none means all.
struct ResetJob {
    names: Vec<SettingName>,
    port: Option<u8>,
}

pub(super) fn reset(args: &ResetArgs, ctx: &Context) -> Result<ExitCode, Failure> {
    let job = ResetJob {
        names: args
            .names
            .iter()
            .map(|name| SettingName::parse(name))
            .collect(),
        port: args.port,
    };
    let cards = ctx.chosen()?;
    for card in &cards {
        if let Some(device) = card.supported() {
            for name in &job.names {
                one_port(name, job.port)?;
                name.resolve(ctx.hwdb.settings(device))
                    .map_err(|error| unknown_here(ctx, device, name, &error))?;
            }
        }
    }
    let jobs = cards.iter().map(|card| (card, &job as &dyn Job)).collect();
    change_together(
        ctx,
        "flexctl.settings-reset/1",
        jobs,
        Purpose::Change(args.write),
    )
}

impl Job for ResetJob {
    fn kind(&self) -> ChangeKind {
        ChangeKind::Reset
    }

    fn wanted(&self) -> Wanted<'_> {
        Wanted::All
    }

    fn wanted_names(&self) -> Option<Vec<&str>> {
        let names = || self.names.iter().map(|name| name.base.as_str()).collect();
        (!self.names.is_empty()).then(names)
    }

    fn detail(&self) -> Detail {
        Detail::ForReset
    }

    fn plan(
        &self,
        _ctx: &Context,
        _card: &Card,
        open: &mut OpenCard,
        reading: &CardReading,
    ) -> Result<Planned, Failure> {
        let mut wishes = Vec::new();
        for name in &self.names {
            let (tlv, field) = name
                .resolve(&open.settings)
                .map_err(|error| name_failure(&error))?;
            if tlv.scope == Scope::Card {
                wishes.push(Assignment::reset(0, &field.name));
                continue;
            }
            for port in chosen_ports(reading, one_port(name, self.port)?)? {
                wishes.push(Assignment::reset(port.port, &field.name));
            }
        }
        if self.names.is_empty() {
            wishes = self.everything(reading)?;
        }
        // What is reset need not have been legal.
        let plan =
            plan(&reading.ports, &wishes, Reserved::Allow).map_err(|error| plan_failure(&error))?;
        Ok(Planned::of_changes_only(plan, reading))
    }
}

impl ResetJob {
    /// Every setting that the card offers and lets be written; those of the whole
    /// card only when no port is named.
    fn everything(&self, reading: &CardReading) -> Result<Vec<Assignment>, Failure> {
        let mut wishes = Vec::new();
        for (index, port) in chosen_ports(reading, self.port)?.iter().enumerate() {
            for setting in port.settings() {
                let tlv = setting.reading;
                let of_card = tlv.tlv.scope == Scope::Card;
                let once = !of_card || (index == 0 && self.port.is_none());
                let can = tlv.tlv.access == Access::ReadWrite && tlv.writable;
                let offered = port.availability(&setting.field.name) == Availability::Offered;
                // What is not set rests on its default already.
                let stored = matches!(tlv.next, Ok(crate::settings::Stored::Set(_)));
                if once && can && offered && stored {
                    wishes.push(Assignment::reset(port.port, &setting.field.name));
                }
            }
        }
        Ok(wishes)
    }
}
