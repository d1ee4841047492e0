//! `flexctl settings list`

use clap::Args;

use crate::hwdb::{Access, Field};
use crate::settings::{Availability, PortSettings, SettingValue, near};

use super::super::super::ExitCode;
use super::super::super::context::Context;
use super::super::super::error::Failure;
use super::super::super::report::{Secrets, differs};
use super::reading::{Filter, show_cards};

/// List settings: default, current and next value
///
/// The default holds while nothing is stored, the current value is what the
/// firmware uses now, the next one is what it will use after a restart.
/// ConnectX-3 has no current values. A `*` marks what differs from the default,
/// a `!` what waits for a restart. Secrets (CHAP passwords) are not shown.
#[derive(Debug, Args)]
pub(super) struct ListArgs {
    /// Only settings whose name contains one of these (case does not matter)
    #[arg(value_name = "PART")]
    parts: Vec<String>,

    /// Only what differs from the card's default
    #[arg(long)]
    changed: bool,

    /// Only what waits for a restart
    #[arg(long)]
    pending: bool,

    /// Also what can only be read, and what this card does not offer, with the reason
    #[arg(short, long)]
    all: bool,

    /// Only this port, counted from 1; settings of the whole card are listed too
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(1..))]
    port: Option<u8>,
}

pub(super) fn list(args: &ListArgs, ctx: &Context) -> Result<ExitCode, Failure> {
    let includes = |setting: &SettingValue<'_>, port: &PortSettings| {
        let offered = port.availability(&setting.field.name) == Availability::Offered;
        let can_be_set = setting.reading.tlv.access == Access::ReadWrite;
        let named = !args.parts.is_empty();
        (args.all || offered && (can_be_set || named))
            && (!args.changed || offered && differs(setting))
            && (args.parts.is_empty() || args.parts.iter().any(|part| has(setting.field, part)))
    };
    show_cards(ctx, "flexctl.settings-list/1", |open, reading| {
        let known = |part: &&String| open.settings.settings().any(|(_, field)| has(field, part));
        if let Some(unknown) = args.parts.iter().find(|part| !known(part)) {
            let near = near(unknown, open.settings.settings().map(|(_, field)| field));
            let failure = Failure::message(
                ExitCode::Usage,
                format!("no setting of this card has {unknown} in its name"),
            );
            return Err(if near.is_empty() {
                failure.hint("`flexctl settings explain` lists all names")
            } else {
                failure.hint(format!("did you mean {}?", near.join(" or ")))
            });
        }
        super::super::super::change::chosen_ports(reading, args.port)?;
        Ok(Filter {
            port: args.port,
            includes: &includes,
            secrets: Secrets::Hidden,
            pending_only: args.pending,
        })
    })
}

fn has(field: &Field, part: &str) -> bool {
    let part = part.to_ascii_uppercase();
    std::iter::once(&field.name)
        .chain(&field.aliases)
        .any(|name| name.to_ascii_uppercase().contains(&part))
}
