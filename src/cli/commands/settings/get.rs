//! `flexctl settings get`

use clap::Args;

use crate::device::{CardReading, OpenCard};
use crate::settings::{PortSettings, SettingName, SettingValue};

use super::super::super::ExitCode;
use super::super::super::change::chosen_ports;
use super::super::super::context::Context;
use super::super::super::error::Failure;
use super::super::super::failure_hints::{one_port, unknown_here};
use super::super::super::report::Secrets;
use super::reading::{Filter, show_cards};

/// Show settings by name: default, current and next value
///
/// A secret that is asked for by name is shown.
#[derive(Debug, Args)]
pub(super) struct GetArgs {
    /// Names of settings, with or without _P1 or _P2
    #[arg(required = true, value_name = "NAME")]
    names: Vec<String>,

    /// Only this port, counted from 1
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(1..))]
    port: Option<u8>,
}

pub(super) fn get(args: &GetArgs, ctx: &Context) -> Result<ExitCode, Failure> {
    let names: Vec<SettingName> = args
        .names
        .iter()
        .map(|name| SettingName::parse(name))
        .collect();
    let includes = |setting: &SettingValue<'_>, port: &PortSettings| {
        names.iter().any(|name| {
            setting.field.is_called(&name.base)
                && name.port.is_none_or(|number| number == port.port)
        })
    };
    show_cards(ctx, "flexctl.settings-get/1", |open, reading| {
        for name in &names {
            one_port(name, args.port)?;
        }
        check(ctx, &names, open, reading)?;
        chosen_ports(reading, args.port)?;
        Ok(Filter {
            port: args.port,
            includes: &includes,
            secrets: Secrets::Shown,
            pending_only: false,
        })
    })
}

/// Every name means something on this card.
fn check(
    ctx: &Context,
    names: &[SettingName],
    open: &OpenCard,
    reading: &CardReading,
) -> Result<(), Failure> {
    for name in names {
        name.resolve(&open.settings)
            .map_err(|error| unknown_here(ctx, &open.device, name, &error))?;
        chosen_ports(reading, name.port)?;
    }
    Ok(())
}
