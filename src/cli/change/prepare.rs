//! Lock a card, read it, plan: everything before the first write.

use crate::device::{Card, CardLock, CardReading, ChangeKind, Journal, OpenCard, Unfinished};
use crate::settings::{CardIdentity, Plan, Wanted};

use super::super::args::WriteArgs;
use super::super::context::Context;
use super::super::error::Failure;
use super::super::failure_hints::{Situation, command_failure, open_failure};
use super::super::report::{
    ChangeReport, ObstacleReport, PendingReport, PortChangeReport, RomReport, SettingChangeReport,
    interfaces,
};
use super::{Job, Planned, unfinished_report};

/// A card that is ready to be changed.
pub(super) struct Prepared<'a> {
    pub(super) card: &'a Card,
    pub(super) kind: ChangeKind,
    pub(super) identity: CardIdentity,
    pub(super) open: OpenCard,
    pub(super) plan: Plan,
    pub(super) journal: Journal,
    pub(super) unfinished: Option<Unfinished>,
    pub(super) settles_everything: bool,
    /// Whether a change is taken back: that is no change of its own.
    pub(super) is_undo: bool,
    _lock: Option<CardLock>,
}

/// Takes the card's lock. A dry run takes none.
pub(in crate::cli) fn lock(
    ctx: &Context,
    card: &Card,
    write: WriteArgs,
) -> Result<Option<CardLock>, Failure> {
    if write.dry_run {
        return Ok(None);
    }
    Ok(Some(CardLock::take(
        &ctx.folders,
        card,
        &ctx.lock_patience(),
    )?))
}

/// Reads the card under its lock, plans, and reports what would be done.
pub(super) fn prepare<'a>(
    ctx: &Context,
    card: &'a Card,
    job: &dyn Job,
    write: WriteArgs,
    lock: Option<CardLock>,
    report: &mut ChangeReport,
) -> Result<Prepared<'a>, Failure> {
    let situation = Situation::of(&ctx.host, card);
    let mut open = OpenCard::open(card, &ctx.hwdb, &ctx.root, &ctx.shelf, &ctx.patience())
        .map_err(|error| open_failure(&error, &situation))?;
    for firmware in &open.firmwares {
        ctx.output.detail(format_args!(
            "{}: way in: {}",
            firmware.address(),
            firmware.gateway().name()
        ));
    }
    let names = job.wanted_names();
    let wanted = names
        .as_ref()
        .map_or_else(|| job.wanted(), |names| Wanted::Holding(names));
    let mut reading = open
        .read(job.detail(), wanted)
        .map_err(|error| command_failure(&error, &situation))?;
    if job.needs_board() || !write.dry_run {
        know_board(ctx, card, &open, &mut reading);
    }
    let journal = Journal::of(&ctx.folders, card);
    let unfinished = journal.unfinished()?;
    report.unfinished = unfinished
        .as_ref()
        .map(|record| unfinished_report(record, &reading.ports));
    let planned = job.plan(ctx, card, &mut open, &reading)?;
    describe(card, &reading, &planned, report);
    Ok(Prepared {
        card,
        kind: job.kind(),
        identity: open.identity(&reading),
        open,
        plan: planned.plan,
        journal,
        unfinished,
        settles_everything: job.settles_everything(),
        is_undo: job.is_undo(),
        _lock: lock,
    })
}

/// Looks up serial and part number. A board that does not say them is worked on
/// all the same.
pub(in crate::cli) fn know_board(
    ctx: &Context,
    card: &Card,
    open: &OpenCard,
    reading: &mut CardReading,
) {
    if let Err(error) = open.read_vpd(reading) {
        ctx.output.detail(format_args!(
            "{}: serial number not known: {error}",
            card.selector()
        ));
    }
}

/// Puts the plan into the report.
fn describe(card: &Card, reading: &CardReading, planned: &Planned, report: &mut ChangeReport) {
    report.rom = RomReport::of(&planned.rom);
    report.notes.extend(planned.notes.iter().cloned());
    let waiting = planned.pending.iter().map(|one| one.restart);
    report.restart = waiting.chain(planned.plan.restart()).max();
    report.pending = planned.pending.iter().map(PendingReport::new).collect();
    report.settings = planned
        .plan
        .changes
        .iter()
        .filter(|change| change.port == 0)
        .map(SettingChangeReport::new)
        .chain(different(planned, 0))
        .collect();
    report.ports = planned
        .ports
        .iter()
        .filter_map(|(number, obstacles)| {
            let port = reading.ports.iter().find(|port| port.port == *number)?;
            let mut report = PortChangeReport::new(
                port.port,
                port.function.to_string(),
                interfaces(card, port),
                &planned.plan.changes,
                obstacles.iter().map(ObstacleReport::new).collect(),
            );
            report.settings.extend(different(planned, *number));
            Some(report)
        })
        .collect();
}

/// What changes of a port where TLVs are put back.
fn different(planned: &Planned, port: u8) -> impl Iterator<Item = SettingChangeReport> {
    planned
        .differences
        .iter()
        .filter(move |(number, _)| *number == port)
        .map(|(_, change)| change.clone())
}
