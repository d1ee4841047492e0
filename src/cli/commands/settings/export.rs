//! `flexctl settings export`

use std::path::PathBuf;

use clap::Args;

use crate::device::{Card, CardReading, OpenCard};
use crate::hwdb::{Access, Scope};
use crate::settings::profile::{ExportedCard, ExportedSetting, Secrets, to_toml};
use crate::settings::{Availability, PortSettings, SettingName, SettingValue};

use super::super::super::ExitCode;
use super::super::super::change::know_board;
use super::super::super::context::Context;
use super::super::super::error::Failure;
use super::super::super::failure_hints::name_failure;
use super::super::super::new_file::write_answer;
use super::super::super::report::differs;
use super::reading::read_all;

/// Write a profile that makes cards what these are
///
/// `flexctl apply` takes it. One card's settings are written for every card, those
/// of several each for their own. What can only be read and what no source
/// defines is in comments. Secrets (CHAP passwords) are left out unless named.
#[derive(Debug, Args)]
pub(super) struct ExportArgs {
    /// Only what differs from the card's default
    #[arg(long)]
    changed: bool,

    /// Also this secret, by the name of its setting (can be repeated)
    #[arg(long, value_name = "NAME")]
    secret: Vec<String>,

    /// Write to this file, which must not exist, instead of stdout
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

pub(super) fn export(args: &ExportArgs, ctx: &Context) -> Result<ExitCode, Failure> {
    let cards = ctx.chosen()?;
    let mut read: Vec<(&Card, OpenCard, CardReading)> = Vec::new();
    for card in &cards {
        let (open, mut reading) = read_all(ctx, card)?;
        know_board(ctx, card, &open, &mut reading);
        for name in &args.secret {
            SettingName::parse(name)
                .resolve(&open.settings)
                .map_err(|error| name_failure(&error))?;
        }
        read.push((card, open, reading));
    }
    let several = read.len() > 1;
    let exported: Vec<ExportedCard<'_>> = read
        .iter()
        .map(|(card, open, reading)| ExportedCard {
            name: Some(format!("{} at {}", card.model(), card.selector())),
            matching: if several {
                matching(card, open, reading)
            } else {
                Vec::new()
            },
            ports: u8::try_from(reading.ports.len()).unwrap_or(u8::MAX),
            settings: settings(args, reading),
        })
        .collect();
    let header = format!(
        "What {} was, as flexctl {} found it. `flexctl apply` makes cards so again.",
        if several {
            format!("{} cards", read.len())
        } else {
            cards.first().map_or_else(String::new, |card| {
                format!("{} at {}", card.model(), card.selector())
            })
        },
        env!("CARGO_PKG_VERSION")
    );
    let secrets = if args.secret.is_empty() {
        Secrets::LeaveOut
    } else {
        Secrets::Write
    };
    let text = to_toml(&header, &exported, secrets);
    write_answer(
        ctx,
        "flexctl.settings-export/1",
        &text,
        args.output.as_deref(),
    )?;
    Ok(ExitCode::Done)
}

/// How a card is told from the others: by its board where that is known.
fn matching(card: &Card, open: &OpenCard, reading: &CardReading) -> Vec<(&'static str, String)> {
    match open.identity(reading).serial_number {
        Some(serial) => vec![("serial", serial)],
        None => vec![("pci", card.address().to_string())],
    }
}

fn settings<'a>(args: &ExportArgs, reading: &'a CardReading) -> Vec<ExportedSetting<'a>> {
    let mut exported = Vec::new();
    for (index, port) in reading.ports.iter().enumerate() {
        for setting in port.settings() {
            let of_card = setting.reading.tlv.scope == Scope::Card;
            if of_card && index > 0 || !is_meant(args, port, &setting) {
                continue;
            }
            if let Some(value) = setting.values.effective() {
                exported.push(ExportedSetting {
                    port: if of_card { 0 } else { port.port },
                    tlv: &setting.reading.tlv,
                    field: setting.field,
                    value: value.clone(),
                });
            }
        }
    }
    exported
}

fn is_meant(args: &ExportArgs, port: &PortSettings, setting: &SettingValue<'_>) -> bool {
    let field = setting.field;
    let offered = port.availability(&field.name) == Availability::Offered;
    let named = args
        .secret
        .iter()
        .any(|name| field.is_called(&SettingName::parse(name).base));
    // With a named secret the others are left out here; without any, a comment
    // says what is left out.
    let secret_is_fine = !field.secret || named || args.secret.is_empty();
    offered
        && setting.reading.tlv.access == Access::ReadWrite
        && secret_is_fine
        && (!args.changed || differs(setting))
}
