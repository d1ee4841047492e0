//! `flexctl image defaults`

use clap::Args;
use serde::Serialize;

use crate::hwdb::Hwdb;
use crate::image::fs2::{
    BootDefault, BootDefaults, DefaultChange, boot_defaults, edit_boot_defaults,
};
use crate::image::{EditError, EditPolicy, Firmware};
use crate::settings::SettingName;

use super::super::super::ExitCode;
use super::super::super::args::GlobalArgs;
use super::super::super::context::output_of;
use super::super::super::error::Failure;
use super::super::super::input_file::Loading;
use super::super::super::output::{CARE, TITLE, styled, table};
use super::edited::{OptionalTargetArgs, refused};
use super::rom::SlotArgs;
use super::source::{Source, SourceArgs};

/// Show or change the boot defaults in a ConnectX-3 image
///
/// What a card goes by while a setting was never set on it: with IP_VER=IPv4_IPv6
/// in the image, a factory card boots over IPv6. Where these defaults are was
/// inferred from released images and is not documented by the vendor; they are
/// found by the pattern of their masks and nothing is changed unless it is there
/// exactly once for the card and once for each port. A value that was set on the
/// card goes before them. ConnectX-4 images (FS3) have no such place that is known.
#[derive(Debug, Args)]
pub(super) struct DefaultsArgs {
    #[command(flatten)]
    source: SourceArgs,

    /// What to change, as NAME=VALUE; without it the defaults are shown
    #[arg(value_name = "NAME=VALUE", value_parser = assignment)]
    change: Vec<(String, String)>,

    /// Change only this port, counted from 1
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(1..=2), requires = "change")]
    port: Option<u8>,

    #[command(flatten)]
    slot: SlotArgs,

    #[command(flatten)]
    target: OptionalTargetArgs,
}

#[derive(Debug, Serialize)]
struct DefaultsReport<'a> {
    schema: &'static str,
    file: &'a str,
    slot: usize,
    /// How it is known that this is what they are.
    status: &'a str,
    source: &'a [String],
    defaults: Vec<DefaultReport>,
}

#[derive(Debug, Serialize)]
struct DefaultReport {
    name: String,
    port: Option<u8>,
    value: u32,
    text: String,
    /// Whether `image defaults` can change it.
    changeable: bool,
    register: String,
    offset: u64,
    /// Whether a later part of the image sets it again.
    overridden: bool,
}

impl From<&BootDefault> for DefaultReport {
    fn from(default: &BootDefault) -> Self {
        Self {
            name: default.name.clone(),
            port: default.port,
            value: default.value,
            text: default.shown.clone(),
            changeable: default.is_setting,
            register: format!("{:#07x}", default.register),
            offset: default.offset,
            overridden: !default.overridden.is_empty(),
        }
    }
}

fn assignment(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() && !value.is_empty() => {
            Ok((name.to_owned(), value.to_owned()))
        }
        _ => Err("expected NAME=VALUE, as in IP_VER=IPv4_IPv6".to_owned()),
    }
}

pub(super) fn defaults(args: &DefaultsArgs, global: &GlobalArgs) -> Result<ExitCode, Failure> {
    let hwdb = match &global.hwdb {
        Some(folder) => Hwdb::with_folder(folder)?,
        None => Hwdb::builtin()?,
    };
    if args.change.is_empty() {
        return show(args, global, &hwdb);
    }
    let target = args.target.required()?;
    target.check(output_of(global), &args.source.file)?;
    let source = args.source.load(Loading::Read)?;
    understood(&source, args)?;
    let changes: Vec<DefaultChange> = args
        .change
        .iter()
        .map(|(name, value)| change(name, value, args.port))
        .collect::<Result<_, _>>()?;
    let policy = EditPolicy {
        slot: args.slot.slot(),
        ..EditPolicy::default()
    };
    let edited = edit_boot_defaults(&source.bytes, &changes, &policy, &hwdb)
        .map_err(|error| refused(&source, &error))?;
    target.write(
        output_of(global),
        "flexctl.image-defaults-change/1",
        &args.source.file,
        &source,
        &edited,
    )
}

/// A change, its port named by --port or by the suffix of the name.
fn change(name: &str, value: &str, port: Option<u8>) -> Result<DefaultChange, Failure> {
    let parsed = SettingName::parse(name);
    if let (Some(by_name), Some(by_option)) = (parsed.port, port)
        && by_name != by_option
    {
        return Err(Failure::message(
            ExitCode::Usage,
            format!("{name} is of port {by_name}, and --port says {by_option}"),
        )
        .hint("leave one of the two out"));
    }
    Ok(DefaultChange {
        setting: parsed.base,
        port: parsed.port.or(port),
        value: value.to_owned(),
    })
}

/// The file is an FS2 one.
fn understood(source: &Source, args: &DefaultsArgs) -> Result<(), Failure> {
    let parsed = Firmware::parse(&source.bytes, args.source.shape());
    match parsed.tree {
        Some(Firmware::Fs2(_)) => Ok(()),
        Some(other) => Err(elsewhere(source, &other)),
        None => Err(source.no_firmware(&parsed.findings)),
    }
}

fn elsewhere(source: &Source, firmware: &Firmware<'_>) -> Failure {
    let error = EditError::Unsupported {
        format: format!("{} firmware", firmware.format()),
        reason: "where such images hold boot defaults is not known".to_owned(),
    };
    Failure::message(ExitCode::Refused, format!("{}: {error}", source.name)).hint(
        "set the value on the card: `flexctl settings set`, or `flexctl enable-ipv6` for IPv6",
    )
}

fn show(args: &DefaultsArgs, global: &GlobalArgs, hwdb: &Hwdb) -> Result<ExitCode, Failure> {
    let output = output_of(global);
    let source = args.source.load(Loading::Glanced)?;
    let parsed = Firmware::parse(&source.bytes, args.source.shape());
    let file = match parsed.tree {
        Some(Firmware::Fs2(file)) => file,
        Some(other) => return Err(elsewhere(&source, &other)),
        None => return Err(source.no_firmware(&parsed.findings)),
    };
    let defaults =
        boot_defaults(&file, args.slot.slot(), hwdb).map_err(|error| refused(&source, &error))?;
    let answer = if output.json {
        output.document(&DefaultsReport {
            schema: "flexctl.image-defaults/1",
            file: &source.name,
            slot: defaults.slot,
            status: &defaults.status,
            source: &defaults.source,
            defaults: defaults.values.iter().map(DefaultReport::from).collect(),
        })
    } else {
        output.answer(&text(&source.name, &defaults))
    };
    answer.map_err(|error| Failure::unwritten(&error))?;
    Ok(ExitCode::Done)
}

fn text(name: &str, defaults: &BootDefaults) -> String {
    let mut text = format!(
        "{name}: boot defaults ({})\n",
        styled(CARE, &defaults.status)
    );
    let mut ports: Vec<Option<u8>> = defaults.values.iter().map(|value| value.port).collect();
    ports.dedup();
    for port in ports {
        let title = port.map_or_else(|| "card".to_owned(), |port| format!("port {port}"));
        text.push_str(&format!("\n{}\n", styled(TITLE, title)));
        let rows: Vec<String> = defaults
            .values
            .iter()
            .filter(|value| value.port == port)
            .map(|value| {
                let mut note = value.meaning.clone();
                if !value.overridden.is_empty() {
                    note = "a later part of the image sets it again".to_owned();
                } else if !value.is_setting {
                    note = format!("{note} (not changeable)");
                }
                format!("{}\t{}\t{note}", value.name, value.shown)
            })
            .collect();
        text.push_str(&table("  ", &rows));
    }
    text
}
