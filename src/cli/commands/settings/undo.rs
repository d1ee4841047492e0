//! `flexctl settings undo`

use clap::Args;

use crate::device::{Card, CardReading, ChangeKind, Journal, OpenCard, Record, RecordTlv};
use crate::settings::{
    Backup, BackupTlv, Detail, RestoreOptions, Secrets, Stored, TlvKey, Undeletable, Wanted,
    plan_restore,
};

use super::super::super::ExitCode;
use super::super::super::args::WriteArgs;
use super::super::super::change::{Job, Planned, change_one_by_one};
use super::super::super::context::Context;
use super::super::super::error::Failure;
use super::super::super::failure_hints::backup_failure;
use super::super::super::restore_plan::{planned, restore_failure};

/// Take the last change of a card back
///
/// Every change of settings is on record: what every TLV held before, which card
/// and board it was. Undo puts that back; a second undo takes the change before
/// that back, up to 32. Where a run was broken off (killed, power lost), undo puts
/// back what the card held before that run.
#[derive(Debug, Args)]
pub(super) struct UndoArgs {
    /// Go on although the card holds something else than the change left there
    ///
    /// Somebody changed the same settings since, perhaps with another tool; that
    /// change is lost.
    #[arg(long)]
    allow_overwrite: bool,

    #[command(flatten)]
    write: WriteArgs,
}

struct UndoJob {
    kind: ChangeKind,
    record: Record,
    /// Whether it is a run that was broken off.
    unfinished: bool,
    allow_overwrite: bool,
}

pub(super) fn undo(args: &UndoArgs, ctx: &Context) -> Result<ExitCode, Failure> {
    let cards = ctx.chosen()?;
    let [card] = cards.as_slice() else {
        return Err(Failure::message(
            ExitCode::Usage,
            format!("undo is for one card at a time, {} are chosen", cards.len()),
        )
        .hint("name the card with --device"));
    };
    let journal = Journal::of(&ctx.folders, card);
    let (kind, record, unfinished) = match (journal.unfinished()?, journal.last_change()?) {
        // Its number is of no account: it never got one.
        (Some(record), _) => (ChangeKind::Undo(0), record, true),
        (None, Some((number, record))) => (ChangeKind::Undo(number), record, false),
        (None, None) => {
            return Err(Failure::message(
                ExitCode::Refused,
                format!("no change of {} is on record", card.selector()),
            )
            .hint(format!(
                "changes of settings are kept in {}",
                journal.changes_path().display()
            )));
        }
    };
    let job = UndoJob {
        kind,
        record,
        unfinished,
        allow_overwrite: args.allow_overwrite,
    };
    change_one_by_one(ctx, "flexctl.settings-undo/1", &job, args.write)
}

impl Job for UndoJob {
    fn kind(&self) -> ChangeKind {
        self.kind
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

    fn is_undo(&self) -> bool {
        true
    }

    fn settles_everything(&self) -> bool {
        self.unfinished
    }

    fn plan(
        &self,
        ctx: &Context,
        card: &Card,
        open: &mut OpenCard,
        reading: &CardReading,
    ) -> Result<Planned, Failure> {
        Journal::check_board(&self.record, &open.identity(reading))?;
        let now = open
            .read_backup(reading, &Secrets::Include)
            .map_err(|error| backup_failure(&error, ctx, card))?;
        let mut then = now.clone();
        for tlv in &self.record.tlvs {
            self.take_back(tlv, &now, &mut then)?;
        }
        let options = RestoreOptions {
            only: Vec::new(),
            undeletable: Undeletable::WriteDefaults,
        };
        let mut restore = plan_restore(&then, &now, &open.settings, &reading.ports, &options)
            .map_err(|error| restore_failure(&error))?;
        // Both sides are this card: what they cannot tell of each other is no news.
        restore.notes.clear();
        let mut planned = planned(restore, &then, reading, &open.settings);
        planned.notes.push(format!(
            "takes back: {}, {}{}",
            self.record.kind,
            self.record.age(),
            if self.unfinished {
                ", which was broken off"
            } else {
                ""
            }
        ));
        Ok(planned)
    }
}

impl UndoJob {
    /// Puts what a TLV held before into `then`.
    fn take_back(&self, tlv: &RecordTlv, now: &Backup, then: &mut Backup) -> Result<(), Failure> {
        let malformed = || {
            Failure::message(
                ExitCode::InvalidInput,
                format!("the record of the change makes no sense: {tlv}"),
            )
            .hint("nothing was changed; `flexctl settings list` shows what the card holds")
        };
        let function = tlv.address().ok_or_else(malformed)?.function;
        let key = tlv.tlv_key().ok_or_else(malformed)?;
        let before = tlv.stored_before().ok_or_else(malformed)?;
        let after = tlv.stored_after().ok_or_else(malformed)?;
        let found = now.tlv(function, key);
        let holds = found.map_or(Stored::NotSet, |found| Stored::Set(found.data.clone()));
        let expected = holds == after || holds == before;
        if !expected && !self.unfinished && !self.allow_overwrite {
            return Err(overwritten(tlv, &holds));
        }
        set(then, function, tlv, (key, before));
        Ok(())
    }
}

fn overwritten(tlv: &RecordTlv, holds: &Stored) -> Failure {
    let shown = if tlv.secret {
        "something else".to_owned()
    } else {
        holds.to_string()
    };
    Failure::message(
        ExitCode::Refused,
        format!(
            "{} ({}) was changed since by somebody else: expected {}, found {shown}",
            tlv.tlv,
            tlv.key,
            if tlv.secret { "(hidden)" } else { &tlv.after },
        ),
    )
    .hint("--allow-overwrite takes the change back all the same; --dry-run shows what that does")
}

fn set(then: &mut Backup, function: u8, tlv: &RecordTlv, (key, stored): (TlvKey, Stored)) {
    let same = |other: &BackupTlv| {
        other.key == key && (!key.is_of_function() || other.function == function)
    };
    let known = then.tlvs.iter_mut().find(|other| same(other));
    match (stored, known) {
        (Stored::Set(data), Some(known)) => known.data = data,
        (Stored::Set(data), None) => then.tlvs.push(BackupTlv {
            function,
            port: tlv.port,
            key,
            name: Some(tlv.tlv.clone()),
            data,
            header: None,
            secret: tlv.secret,
        }),
        (Stored::NotSet, _) => then.tlvs.retain(|other| !same(other)),
    }
}
