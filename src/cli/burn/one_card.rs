//! Cards one by one: each is judged, planned, asked for and burned before the next.

use std::sync::atomic::Ordering;

use crate::device::Card;
use crate::flash::Flash;

use super::super::ExitCode;
use super::super::args::WriteArgs;
use super::super::change::{asks, confirmed, lock};
use super::super::context::Context;
use super::super::error::Failure;
use super::super::failure_hints::Situation;
use super::super::output::{DIM, GOOD, styled};
use super::super::report::{BurnOutcome, BurnReport, BurnsReport};
use super::BurnJob;
use super::carry_out::{Task, carry_out, records, way_back};
use super::failure::flash_failure;
use super::opened::{About, Opened};
use super::plan_text::plan_text;
use super::prepare::{Ready, prepare};

/// Does the same to one card after the other and reports them together.
pub(super) fn on_each_card(
    ctx: &Context,
    schema: &'static str,
    mut work: impl FnMut(&Card, &mut BurnReport) -> Result<ExitCode, Failure>,
) -> Result<ExitCode, Failure> {
    let mut reports = Vec::new();
    let mut codes = Vec::new();
    let cards = ctx.chosen()?;
    for (done, card) in cards.iter().enumerate() {
        if ctx.stop.load(Ordering::Relaxed) {
            ctx.output.warning(format_args!(
                "stopped on request, {} of {} cards were not looked at",
                cards.len() - done,
                cards.len()
            ));
            codes.push(ExitCode::Failed);
            break;
        }
        let mut report = BurnReport::new(card);
        let code = match work(card, &mut report) {
            Ok(code) => code,
            Err(failure) => {
                failure.print();
                report.outcome = BurnOutcome::Failed;
                report.error = Some(failure.report());
                failure.code
            }
        };
        reports.push(report);
        codes.push(code);
    }
    if ctx.output.json {
        ctx.output
            .document(&BurnsReport {
                schema,
                cards: reports,
            })
            .map_err(|error| Failure::unwritten(&error))?;
    }
    Ok(ExitCode::of_all(&codes))
}

/// Burns one card after the other.
pub(in crate::cli) fn burn_one_by_one(
    ctx: &Context,
    job: &BurnJob,
    write: WriteArgs,
) -> Result<ExitCode, Failure> {
    on_each_card(ctx, "flexctl.burn/1", |card, report| {
        burn_card(ctx, card, job, write, report)
    })
}

fn burn_card(
    ctx: &Context,
    card: &Card,
    job: &BurnJob,
    write: WriteArgs,
    report: &mut BurnReport,
) -> Result<ExitCode, Failure> {
    report.what = job.what.words();
    let mut opened = Opened::open(ctx, card, lock(ctx, card, write)?)?;
    let (about, mut flash) = opened.parts(ctx, job.way)?;
    let ready = plan(ctx, about, flash.as_mut(), job, report);
    show(ctx, report)?;
    let ready = ready?;
    if ready.is_there {
        report.outcome = BurnOutcome::Unchanged;
        say(
            ctx,
            &styled(GOOD, "nothing to do: the card boots exactly this already"),
        )?;
        return close(ctx, about.card, flash).map(|()| ExitCode::Done);
    }
    if let Some(code) = only_planned(ctx, write, report)? {
        return close(ctx, about.card, flash).map(|()| code);
    }
    if asks(&[card], write) {
        // Nobody shall wait for the locks while somebody thinks about a question.
        close(ctx, about.card, flash)?;
        if !asked(ctx, card, write, report)? {
            return Ok(ExitCode::Failed);
        }
        burn_now(ctx, &mut opened, job, &ready, report)?;
    } else {
        let task = Task {
            at_once: true,
            ..Task::burn(&ready, job, running_firmware(report))
        };
        carry_out(ctx, about, flash.as_mut(), &task, report)?;
        close(ctx, about.card, flash)?;
    }
    say(ctx, &burned(report))?;
    Ok(ExitCode::Done)
}

fn running_firmware(report: &BurnReport) -> Option<String> {
    let change = report.firmware.as_ref()?;
    change.from.clone()
}

fn plan(
    ctx: &Context,
    about: &About<'_>,
    flash: &mut dyn Flash,
    job: &BurnJob,
    report: &mut BurnReport,
) -> Result<Ready, Failure> {
    if let Ok(Some(unfinished)) = records(ctx, about).load() {
        report.notes.push(format!(
            "an earlier burn (process {}) was not finished: `flexctl burn --continue` would finish it, this one takes its place",
            unfinished.record.process
        ));
    }
    let ready = prepare(ctx, about, flash, job, report)?;
    report.plan = vec![ready.plan.clone()];
    report.way_back = way_back(about.card, &job.copy);
    Ok(ready)
}

/// Looks, judges and plans. The locks of the flash are free again afterwards:
/// nobody shall wait for them while somebody thinks about a question.
pub(in crate::cli) fn look(
    ctx: &Context,
    opened: &mut Opened<'_>,
    job: &BurnJob,
    report: &mut BurnReport,
) -> Result<Ready, Failure> {
    let (about, mut flash) = opened.parts(ctx, job.way)?;
    let ready = plan(ctx, about, flash.as_mut(), job, report)?;
    close(ctx, about.card, flash)?;
    Ok(ready)
}

/// Burns what was planned; that refuses a flash that has changed since.
pub(in crate::cli) fn burn_now(
    ctx: &Context,
    opened: &mut Opened<'_>,
    job: &BurnJob,
    ready: &Ready,
    report: &mut BurnReport,
) -> Result<(), Failure> {
    let task = Task::burn(ready, job, running_firmware(report));
    let (about, mut flash) = opened.parts(ctx, job.way)?;
    carry_out(ctx, about, flash.as_mut(), &task, report)?;
    close(ctx, about.card, flash)
}

/// Gives the flash's locks back.
pub(super) fn close(ctx: &Context, card: &Card, flash: Box<dyn Flash + '_>) -> Result<(), Failure> {
    let situation = Situation::of(&ctx.host, card);
    flash
        .close()
        .map_err(|error| flash_failure(&error, &situation))
}

/// Ends a dry run.
pub(super) fn only_planned(
    ctx: &Context,
    write: WriteArgs,
    report: &mut BurnReport,
) -> Result<Option<ExitCode>, Failure> {
    if !write.dry_run {
        return Ok(None);
    }
    report.outcome = BurnOutcome::Planned;
    say(ctx, "dry run: nothing was written")?;
    Ok(Some(if write.exit_code {
        ExitCode::Differs
    } else {
        ExitCode::Done
    }))
}

/// Asks whether to burn.
pub(super) fn asked(
    ctx: &Context,
    card: &Card,
    write: WriteArgs,
    report: &mut BurnReport,
) -> Result<bool, Failure> {
    let question = format!("Write this to the flash of {}?", card.selector());
    if confirmed(ctx, &[card], &question, write)? {
        return Ok(true);
    }
    report.outcome = BurnOutcome::Declined;
    say(ctx, "nothing was written")?;
    Ok(false)
}

/// Shows the plan to people.
pub(super) fn show(ctx: &Context, report: &BurnReport) -> Result<(), Failure> {
    if ctx.output.json {
        return Ok(());
    }
    ctx.output
        .answer(&plan_text(report, ctx.output.verbose))
        .map_err(|error| Failure::unwritten(&error))
}

/// The last lines about a card that was burned.
pub(in crate::cli) fn burned(report: &BurnReport) -> String {
    let mut lines = vec![format!(
        "{}, starts at the next boot of the host (switch it off and on to be sure)",
        styled(GOOD, "written, read back and switched over")
    )];
    if let Some(backup) = &report.backup {
        lines.push(format!("the flash as it was: {}", styled(DIM, backup)));
    }
    if let Some(way) = report.way_back.first() {
        lines.push(format!("the way back: {}", styled(DIM, way)));
    }
    lines.join("\n  ")
}

pub(super) fn say(ctx: &Context, line: &str) -> Result<(), Failure> {
    if ctx.output.json {
        return Ok(());
    }
    ctx.output
        .answer(&format!("  {line}\n"))
        .map_err(|error| Failure::unwritten(&error))
}
