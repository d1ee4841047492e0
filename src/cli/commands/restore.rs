//! `flexctl restore`

use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use clap::Args;

use crate::device::{Card, CardReading, ChangeKind, OpenCard};
use crate::settings::{Backup, Detail, RestoreOptions, Secrets, Undeletable, Wanted, plan_restore};

use super::super::ExitCode;
use super::super::args::WriteArgs;
use super::super::change::{Job, Planned, change_one_by_one};
use super::super::context::Context;
use super::super::error::Failure;
use super::super::failure_hints::backup_failure;
use super::super::restore_plan::{planned, refuse_reserved, restore_failure};

/// A backup of a thousand TLVs is well below.
const MOST_BYTES: u64 = 4 << 20;

/// Put a backup's settings back on a card
///
/// Shows what differs, asks, keeps a record (`flexctl settings undo` takes it
/// back), writes, reads back, and restores on trouble. TLVs that are set but were
/// not are deleted; a ConnectX-3 cannot do that and says what stays. A backup of
/// another card model is refused; another board of the same model is named.
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
}

struct RestoreJob {
    backup: Backup,
    allow_reserved: bool,
    options: RestoreOptions,
}

pub(in crate::cli) fn restore(args: &RestoreArgs, ctx: &Context) -> Result<ExitCode, Failure> {
    let backup = load(&args.file)?;
    let cards = ctx.chosen()?;
    if cards.len() != 1 {
        return Err(Failure::message(
            ExitCode::Usage,
            format!(
                "a backup is put back on one card, {} are chosen",
                cards.len()
            ),
        )
        .hint(format!(
            "it was made of the card at {}: name the card with --device",
            backup.card.address
        )));
    }
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
