//! `flexctl restore`

use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use clap::Args;

use crate::device::{Card, CardReading, ChangeKind, OpenCard};
use crate::flash::{is_flash_backup, read_backup};
use crate::settings::{Backup, Detail, RestoreOptions, Secrets, Undeletable, Wanted, plan_restore};

use super::super::ExitCode;
use super::super::args::WriteArgs;
use super::super::burn::{Copy, RestoreFlashJob, restore_flash};
use super::super::change::{Job, Planned, change_one_by_one};
use super::super::context::Context;
use super::super::error::Failure;
use super::super::failure_hints::backup_failure;
use super::super::progress::Progress;
use super::super::restore_plan::{planned, refuse_reserved, restore_failure};
use super::burn::{CopyArgs, Via, ViaArgs};

/// As much of a gzip file as says whether it is the copy of a flash.
const GZIP_HEAD: u64 = 64;

/// A backup of a thousand TLVs is well below.
const MOST_BYTES: u64 = 4 << 20;

/// Put a backup back on a card: its settings, or its whole flash
///
/// FILE is what `flexctl backup` wrote (settings, text) or the copy of a whole flash
/// that `flexctl burn` and `flexctl backup --flash` make (gzip).
///
/// Settings: shows what differs, asks, keeps a record (`flexctl settings undo` takes
/// it back), writes, reads back, and restores on trouble. TLVs that are set but were
/// not are deleted; a ConnectX-3 cannot do that and says what stays. A backup of
/// another card model is refused; another board of the same model is named.
///
/// Flash: works on a card in flash-recovery mode too. The slots are written one after
/// the other so that something boots at every moment. GUIDs, MACs, VPD and the
/// settings store stay as the card has them, unless they are damaged or
/// --device-data is given.
#[derive(Debug, Args)]
pub(in crate::cli) struct RestoreArgs {
    /// The backup
    #[arg(value_name = "FILE")]
    file: PathBuf,

    /// Only this setting or TLV (can be repeated)
    ///
    /// A setting changes its own bits only, a TLV (as the backup names it) changes
    /// as a whole.
    #[arg(long, value_name = "NAME")]
    only: Vec<String>,

    /// Write the card's defaults into TLVs that were not set and cannot be deleted
    /// (ConnectX-3)
    #[arg(long)]
    write_defaults: bool,

    /// Go on although a setting would hold a value that no source defines
    #[arg(long)]
    allow_reserved: bool,

    #[command(flatten)]
    write: WriteArgs,

    #[command(flatten)]
    flash: FlashArgs,
}

/// What matters for the copy of a flash only.
#[derive(Debug, Args)]
#[command(next_help_heading = "With the copy of a flash")]
struct FlashArgs {
    /// Put GUIDs, MACs, VPD and the settings store back too
    #[arg(long)]
    device_data: bool,

    /// Put back what is the copy of another board, or of a board that nobody can name
    #[arg(long)]
    allow_other_board: bool,

    /// Put back firmware of another PSID
    #[arg(long)]
    allow_other_psid: bool,

    /// Burn although nobody has reported a burn on this model
    #[arg(long)]
    accept_untested: bool,

    #[command(flatten)]
    via: ViaArgs,

    #[command(flatten)]
    copy: CopyArgs,
}

impl FlashArgs {
    /// Whether one of them was given.
    fn any(&self) -> bool {
        self.device_data
            || self.allow_other_board
            || self.allow_other_psid
            || self.accept_untested
            || self.via.via != Via::Auto
            || self.copy.copy() != Copy::Kept
    }
}

struct RestoreJob {
    backup: Backup,
    allow_reserved: bool,
    options: RestoreOptions,
}

pub(in crate::cli) fn restore(args: &RestoreArgs, ctx: &Context) -> Result<ExitCode, Failure> {
    if is_flash_copy(&args.file) {
        return restore_copy(args, ctx);
    }
    if args.flash.any() && args.file.exists() {
        return Err(Failure::message(
            ExitCode::Usage,
            format!("`{}` is no copy of a flash", args.file.display()),
        )
        .hint("leave out the options that are for copies of a flash"));
    }
    let backup = load(&args.file)?;
    one_card(ctx, &backup.card.address.to_string())?;
    let job = RestoreJob {
        backup,
        allow_reserved: args.allow_reserved,
        options: RestoreOptions {
            only: args.only.clone(),
            undeletable: if args.write_defaults {
                Undeletable::WriteDefaults
            } else {
                Undeletable::Leave
            },
        },
    };
    change_one_by_one(ctx, "flexctl.restore/1", &job, args.write)
}

/// Refuses several cards.
fn one_card(ctx: &Context, of: &str) -> Result<(), Failure> {
    let cards = ctx.chosen()?;
    if cards.len() == 1 {
        return Ok(());
    }
    Err(Failure::message(
        ExitCode::Usage,
        format!(
            "a backup is put back on one card, {} are chosen",
            cards.len()
        ),
    )
    .hint(format!(
        "it was made of the card at {of}: name the card with --device"
    )))
}

/// Whether the file begins like the copy of a flash.
fn is_flash_copy(path: &Path) -> bool {
    let mut first = Vec::new();
    fs::metadata(path).is_ok_and(|metadata| metadata.is_file())
        && fs::File::open(path)
            .and_then(|file| file.take(GZIP_HEAD).read_to_end(&mut first))
            .is_ok()
        && is_flash_backup(&first)
}

fn restore_copy(args: &RestoreArgs, ctx: &Context) -> Result<ExitCode, Failure> {
    if !args.only.is_empty() || args.write_defaults || args.allow_reserved {
        return Err(Failure::message(
            ExitCode::Usage,
            format!("`{}` is the copy of a flash", args.file.display()),
        )
        .hint("leave out --only, --write-defaults and --allow-reserved: they are for settings"));
    }
    let mut progress = Progress::new(ctx.output, &args.file.display().to_string());
    let backup = read_backup(&args.file, &mut progress).map_err(|error| {
        Failure::new(ExitCode::InvalidInput, &error)
            .hint("nothing was changed; a copy is put back as it was made, or not at all")
    })?;
    drop(progress);
    one_card(ctx, &backup.facts.address)?;
    let job = RestoreFlashJob {
        path: args.file.clone(),
        backup,
        way: args.flash.via.via.into(),
        copy: args.flash.copy.copy(),
        device_data: args.flash.device_data,
        other_board: args.flash.allow_other_board,
        other_psid: args.flash.allow_other_psid,
        untested: args.flash.accept_untested,
    };
    restore_flash(ctx, &job, args.write)
}

fn read(path: &Path) -> io::Result<String> {
    // A FIFO or device would be waited for.
    if !fs::metadata(path)?.is_file() {
        return Err(io::Error::other("it is no regular file"));
    }
    let mut text = String::new();
    fs::File::open(path)?
        .take(MOST_BYTES)
        .read_to_string(&mut text)?;
    Ok(text)
}

fn load(path: &Path) -> Result<Backup, Failure> {
    let text = read(path).map_err(|error| {
        let mut failure = Failure::message(
            ExitCode::InvalidInput,
            format!("cannot read the backup `{}`", path.display()),
        );
        failure.messages.push(error.to_string());
        failure.hint("`flexctl backup` makes one")
    })?;
    Backup::parse(&text, path).map_err(|error| {
        Failure::new(ExitCode::InvalidInput, &error)
            .hint("nothing was changed; a backup is put back as it was made, or not at all")
    })
}

impl Job for RestoreJob {
    fn kind(&self) -> ChangeKind {
        ChangeKind::Restore
    }

    fn wanted(&self) -> Wanted<'_> {
        Wanted::All
    }

    fn detail(&self) -> Detail {
        Detail::ForReset
    }

    fn needs_board(&self) -> bool {
        true
    }

    fn settles_everything(&self) -> bool {
        self.options.only.is_empty()
    }

    fn plan(
        &self,
        ctx: &Context,
        card: &Card,
        open: &mut OpenCard,
        reading: &CardReading,
    ) -> Result<Planned, Failure> {
        let model = &self.backup.card.identity.model;
        let same_id = self.backup.card.identity.device_id == open.device.pci_device;
        if same_id && *model != open.device.name {
            return Err(Failure::message(
                ExitCode::Refused,
                format!("the backup is of {model}, the card is {}", open.device.name),
            )
            .hint("a backup fits the card model that it was made of"));
        }
        let now = open
            .read_backup(reading, &Secrets::Include)
            .map_err(|error| backup_failure(&error, ctx, card))?;
        let restore = plan_restore(
            &self.backup,
            &now,
            &open.settings,
            &reading.ports,
            &self.options,
        )
        .map_err(|error| restore_failure(&error))?;
        if !self.allow_reserved {
            refuse_reserved(&restore, &open.settings)?;
        }
        Ok(planned(restore, &self.backup, reading, &open.settings))
    }
}
