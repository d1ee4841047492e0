//! `flexctl backup`

use std::path::{Path, PathBuf};

use clap::Args;
use serde::Serialize;

use crate::device::{Card, OpenCard};
use crate::settings::{Backup, Detail, OmittedBecause, Secrets, SettingName, Wanted};

use super::super::ExitCode;
use super::super::burn::save_flash;
use super::super::change::know_board;
use super::super::context::Context;
use super::super::error::{Failure, FailureReport};
use super::super::failure_hints::{
    Situation, backup_failure, command_failure, name_failure, open_failure,
};
use super::super::new_file::write_new;
use super::burn::ViaArgs;

/// Save all non-volatile settings of a card as text, or its whole flash
///
/// Everything that is set, also TLVs that flexctl does not know, with the card's
/// identity and a checksum; comments say what the bytes mean. `flexctl restore`
/// puts it back. Secrets (CHAP passwords) are left out unless named. A ConnectX-3
/// cannot list what is set: there it is the TLVs that flexctl knows.
///
/// With --flash it is a copy of the whole flash, read twice and compared: a gzip file
/// (`zcat` gives the bytes) with the card's identity and a SHA-256.
#[derive(Debug, Args)]
pub(in crate::cli) struct BackupArgs {
    /// Write to this file, which must not exist, instead of stdout
    ///
    /// With several cards a folder: one file a card.
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,

    /// Also this secret, by the name of its setting (can be repeated)
    #[arg(long, value_name = "NAME")]
    secret: Vec<String>,

    /// The whole flash instead of the settings; needs --output
    #[arg(long, requires = "output", conflicts_with = "secret")]
    flash: bool,

    #[command(flatten)]
    via: ViaArgs,
}

#[derive(Debug, Serialize)]
struct BackupsReport {
    schema: &'static str,
    cards: Vec<SavedCard>,
}

/// A card's backup, in a file or in here.
#[derive(Debug, Serialize)]
struct SavedCard {
    card: String,
    model: String,
    path: Option<String>,
    text: Option<String>,
    /// How many TLVs are in it; null for a flash.
    tlvs: Option<usize>,
    /// SHA-256 of the flash.
    #[serde(skip_serializing_if = "Option::is_none")]
    sha256: Option<String>,
    /// Settings whose TLVs are left out.
    omitted: Vec<String>,
    error: Option<FailureReport>,
}

pub(in crate::cli) fn backup(args: &BackupArgs, ctx: &Context) -> Result<ExitCode, Failure> {
    let cards = ctx.chosen()?;
    let several = cards.len() > 1;
    if several && !ctx.output.json && args.output.is_none() {
        return Err(Failure::message(
            ExitCode::Usage,
            format!("{} cards make {} backups", cards.len(), cards.len()),
        )
        .hint("name one card with --device, or a folder with --output"));
    }
    let mut saved = Vec::new();
    let mut codes = Vec::new();
    for card in &cards {
        let path = match &args.output {
            Some(folder) if several || folder.is_dir() => {
                let name = card.selector().replace(':', "-");
                let ending = if args.flash { "bin.gz" } else { "toml" };
                Some(folder.join(format!("{name}.{ending}")))
            }
            path => path.clone(),
        };
        let saved_card = match path {
            Some(path) if args.flash => save_whole_flash(args, ctx, card, &path),
            path => save(args, ctx, card, path),
        };
        match saved_card {
            Ok(one) => {
                codes.push(ExitCode::Done);
                saved.push(one);
            }
            Err(failure) => {
                failure.print();
                codes.push(failure.code);
                saved.push(SavedCard {
                    card: card.selector(),
                    model: card.model(),
                    path: None,
                    text: None,
                    tlvs: None,
                    sha256: None,
                    omitted: Vec::new(),
                    error: Some(failure.report()),
                });
            }
        }
    }
    if ctx.output.json {
        ctx.output
            .document(&BackupsReport {
                schema: "flexctl.backup-report/1",
                cards: saved,
            })
            .map_err(|error| Failure::unwritten(&error))?;
    }
    Ok(ExitCode::of_all(&codes))
}

fn save_whole_flash(
    args: &BackupArgs,
    ctx: &Context,
    card: &Card,
    path: &Path,
) -> Result<SavedCard, Failure> {
    let kept = save_flash(ctx, card, args.via.via.into(), path)?;
    ctx.output.status(format_args!(
        "{}: {} bytes of flash written to {} (SHA-256 {})",
        card.selector(),
        kept.facts.bytes,
        path.display(),
        kept.facts.sha256
    ));
    Ok(SavedCard {
        card: card.selector(),
        model: card.model(),
        path: Some(path.display().to_string()),
        text: None,
        tlvs: None,
        sha256: Some(kept.facts.sha256),
        omitted: Vec::new(),
        error: None,
    })
}

fn save(
    args: &BackupArgs,
    ctx: &Context,
    card: &Card,
    path: Option<PathBuf>,
) -> Result<SavedCard, Failure> {
    let (backup, text) = read(args, ctx, card)?;
    let omitted = omitted(ctx, card, &backup);
    match &path {
        Some(path) => {
            write_new(path, &text)?;
            ctx.output.status(format_args!(
                "{}: {} TLVs written to {}",
                card.selector(),
                backup.tlvs.len(),
                path.display()
            ));
        }
        None if !ctx.output.json => ctx
            .output
            .answer(&text)
            .map_err(|error| Failure::unwritten(&error))?,
        None => {}
    }
    Ok(SavedCard {
        card: card.selector(),
        model: card.model(),
        tlvs: Some(backup.tlvs.len()),
        sha256: None,
        text: path.is_none().then_some(text),
        path: path.map(|path| path.display().to_string()),
        omitted,
        error: None,
    })
}

fn read(args: &BackupArgs, ctx: &Context, card: &Card) -> Result<(Backup, String), Failure> {
    let situation = Situation::of(&ctx.host, card);
    let mut open = OpenCard::open(card, &ctx.hwdb, &ctx.root, &ctx.shelf, &ctx.patience())
        .map_err(|error| open_failure(&error, &situation))?;
    for name in &args.secret {
        SettingName::parse(name)
            .resolve(&open.settings)
            .map_err(|error| name_failure(&error))?;
    }
    let mut reading = open
        .read(Detail::ForChange, Wanted::Holding(&[]))
        .map_err(|error| command_failure(&error, &situation))?;
    know_board(ctx, card, &open, &mut reading);
    let secrets = if args.secret.is_empty() {
        Secrets::LeaveOut
    } else {
        let base = |name: &String| SettingName::parse(name).base;
        Secrets::Named(args.secret.iter().map(base).collect())
    };
    let backup = open
        .read_backup(&reading, &secrets)
        .map_err(|error| backup_failure(&error, ctx, card))?;
    let text = backup.to_text(Some(&open.settings));
    Ok((backup, text))
}

/// Says what is left out, each setting once.
fn omitted(ctx: &Context, card: &Card, backup: &Backup) -> Vec<String> {
    let mut secrets: Vec<String> = Vec::new();
    let mut names: Vec<String> = Vec::new();
    for one in &backup.omitted {
        let name = if one.settings.is_empty() {
            one.key.to_string()
        } else {
            one.settings.join(", ")
        };
        match &one.because {
            OmittedBecause::Secret if !secrets.contains(&name) => secrets.push(name.clone()),
            OmittedBecause::Secret => {}
            OmittedBecause::Unreadable(words) => ctx.output.warning(format_args!(
                "{}: {name} is left out: {words}",
                card.selector()
            )),
        }
        if !names.contains(&name) {
            names.push(name);
        }
    }
    if !secrets.is_empty() {
        ctx.output.status(format_args!(
            "{}: secrets are left out, --secret NAME takes them in: {}",
            card.selector(),
            secrets.join(", ")
        ));
    }
    names
}
