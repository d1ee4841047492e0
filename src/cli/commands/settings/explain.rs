//! `flexctl settings explain`

use clap::Args;
use serde::Serialize;

use crate::hwdb::{Access, Applies, Field, Limit, Requirement, Risk, Scope, Tlv};
use crate::settings::SettingName;

use super::super::super::ExitCode;
use super::super::super::context::Context;
use super::super::super::error::Failure;
use super::super::super::failure_hints::name_failure;
use super::super::super::output::{DIM, TITLE, styled, table};

/// Say what settings mean: values, unit, risk, when they take effect, sources
///
/// Without a name all settings are listed in a line each. No card is needed.
#[derive(Debug, Args)]
pub(super) struct ExplainArgs {
    /// Names of settings
    #[arg(value_name = "NAME")]
    names: Vec<String>,
}

#[derive(Debug, Serialize)]
struct ExplainReport<'a> {
    schema: &'static str,
    settings: Vec<Explained<'a>>,
}

/// What is known of a setting of one generation.
#[derive(Debug, Serialize)]
struct Explained<'a> {
    name: &'a str,
    /// Devices that have it.
    devices: Vec<&'a str>,
    aliases: &'a [String],
    /// Whether mlxconfig has no name for it.
    ours: bool,
    meaning: &'a str,
    allowed: String,
    unit: Option<&'a str>,
    scope: Scope,
    writable: bool,
    secret: bool,
    restart: Applies,
    risk: Risk,
    caution: Option<&'a str>,
    needs: Vec<&'a str>,
    limit: Option<&'a str>,
    effective_with: Option<String>,
    tlv: &'a str,
    source: &'a [String],
}

pub(super) fn explain(args: &ExplainArgs, ctx: &Context) -> Result<ExitCode, Failure> {
    let mut all = everything(ctx);
    if !args.names.is_empty() {
        let mut wanted = Vec::new();
        for name in &args.names {
            wanted.push(resolve(ctx, name)?);
        }
        all.retain(|one| wanted.iter().any(|name| name == one.name));
    }
    if ctx.output.json {
        return ctx
            .output
            .document(&ExplainReport {
                schema: "flexctl.settings-explain/1",
                settings: all,
            })
            .map(|()| ExitCode::Done)
            .map_err(|error| Failure::unwritten(&error));
    }
    let text = if args.names.is_empty() {
        overview(&all)
    } else {
        all.iter().map(in_full).collect::<Vec<_>>().join("\n")
    };
    ctx.output
        .answer(&text)
        .map(|()| ExitCode::Done)
        .map_err(|error| Failure::unwritten(&error))
}

/// The name of a setting of any generation.
fn resolve(ctx: &Context, name: &str) -> Result<String, Failure> {
    let parsed = SettingName::parse(name);
    let mut error = None;
    for device in ctx.hwdb.devices() {
        match parsed.resolve(ctx.hwdb.settings(device)) {
            Ok((_, field)) => return Ok(field.name.clone()),
            // The generation with near names has more to say.
            Err(found) => {
                let empty = |error: &crate::settings::NameError| matches!(error, crate::settings::NameError::Unknown { near, .. } if near.is_empty());
                if error.as_ref().is_none_or(empty) {
                    error = Some(found);
                }
            }
        }
    }
    Err(error.map_or_else(
        || Failure::message(ExitCode::Usage, format!("there is no setting {name}")),
        |error| name_failure(&error),
    ))
}

/// All settings of all generations; generations that share a record share it here.
fn everything(ctx: &Context) -> Vec<Explained<'_>> {
    let mut all: Vec<Explained<'_>> = Vec::new();
    for device in ctx.hwdb.devices() {
        for (tlv, field) in ctx.hwdb.settings(device).settings() {
            let mut one = Explained::new(tlv, field);
            let same = |other: &&mut Explained<'_>| {
                other.name == one.name && other.tlv == one.tlv && other.allowed == one.allowed
            };
            match all.iter_mut().find(same) {
                Some(known) => known.devices.push(&device.title),
                None => {
                    one.devices.push(&device.title);
                    all.push(one);
                }
            }
        }
    }
    all.sort_by(|one, other| one.name.cmp(other.name));
    all
}

impl<'a> Explained<'a> {
    fn new(tlv: &'a Tlv, field: &'a Field) -> Self {
        Self {
            name: &field.name,
            devices: Vec::new(),
            aliases: &field.aliases,
            ours: field.ours,
            meaning: &field.meaning,
            allowed: field.allowed(),
            unit: field.unit.as_deref(),
            scope: tlv.scope,
            writable: tlv.access == Access::ReadWrite,
            secret: field.secret,
            restart: tlv.applies,
            risk: field.risk,
            caution: field.caution.as_deref(),
            needs: field.requires.iter().map(requirement).collect(),
            limit: field.limit.as_ref().map(|limit| match limit {
                Limit::CapabilityTlv { name, .. } | Limit::DevCap { name, .. } => name.as_str(),
            }),
            effective_with: field
                .effective_with
                .as_ref()
                .map(|with| with.setting.clone()),
            tlv: &tlv.name,
            source: &tlv.source,
        }
    }
}

fn requirement(requirement: &Requirement) -> &str {
    match requirement {
        Requirement::CapabilityTlv { name, .. }
        | Requirement::DefParamsGlobal { name, .. }
        | Requirement::DefParamsPort { name, .. }
        | Requirement::DevCap { name, .. }
        | Requirement::MnvqcVersion { name, .. } => name,
    }
}

fn overview(all: &[Explained<'_>]) -> String {
    let mut rows: Vec<String> = Vec::new();
    for one in all {
        let row = format!("{}\t{}", one.name, one.meaning);
        if rows.last() != Some(&row) {
            rows.push(row);
        }
    }
    table("", &rows)
}

fn in_full(one: &Explained<'_>) -> String {
    let mut rows = Vec::new();
    let mut row = |name: &str, value: String| {
        rows.push(format!("{}\t{value}", styled(DIM, name)));
    };
    row("meaning", one.meaning.to_owned());
    row("cards", one.devices.join(", "));
    if !one.aliases.is_empty() {
        row("also called", one.aliases.join(", "));
    }
    if one.ours {
        row("name", "flexctl's: mlxconfig has none".to_owned());
    }
    row("values", one.allowed.clone());
    row(
        "belongs to",
        match one.scope {
            Scope::Card => "the whole card",
            Scope::Port => "a port",
            Scope::Function => "a PCI function, which is a port",
        }
        .to_owned(),
    );
    let restart = match one.restart {
        Applies::Boot => "at the next boot",
        Applies::FirmwareReset => "after a reset of the firmware",
    };
    row("takes effect", restart.to_owned());
    if !one.writable {
        row("access", "can only be read".to_owned());
    }
    if one.secret {
        row("secret", "shown only when asked for by name".to_owned());
    }
    if !one.needs.is_empty() {
        row("needs", one.needs.join(", "));
    }
    if let Some(limit) = one.limit {
        row("at most", limit.to_owned());
    }
    if let Some(with) = &one.effective_with {
        row("only with", with.clone());
    }
    match one.risk {
        Risk::None => {}
        Risk::Boot => row("risk", "whether the host boots from the network".to_owned()),
        Risk::Host => row(
            "risk",
            "what the operating system sees of the card".to_owned(),
        ),
    }
    if let Some(caution) = one.caution {
        row("caution", caution.to_owned());
    }
    row("stored in", one.tlv.to_owned());
    for (index, source) in one.source.iter().enumerate() {
        row(if index == 0 { "source" } else { "" }, source.clone());
    }
    format!("{}\n{}", styled(TITLE, one.name), table("  ", &rows))
}
