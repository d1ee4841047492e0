//! Cards one by one: each is planned, asked for and changed before the next.

use std::sync::atomic::Ordering;

use crate::device::{Card, Origin};

use super::super::ExitCode;
use super::super::args::WriteArgs;
use super::super::confirm::{Answer, ask};
use super::super::context::Context;
use super::super::error::Failure;
use super::super::output::{DIM, GOOD, styled};
use super::super::report::{ChangeReport, ChangesReport, Outcome};
use super::Job;
use super::carry_out::{carry_out, leave};
use super::plan_text::plan_text;
use super::prepare::{Prepared, lock, prepare};

/// Changes one card after the other and reports them together.
pub(in crate::cli) fn change_one_by_one(
    ctx: &Context,
    schema: &'static str,
    job: &dyn Job,
    write: WriteArgs,
) -> Result<ExitCode, Failure> {
    on_each_card(ctx, schema, |card, report| {
        change(ctx, card, job, write, report)
    })
}

/// Does the same to one card after the other and reports them together.
pub(super) fn on_each_card(
    ctx: &Context,
    schema: &'static str,
    work: impl Fn(&Card, &mut ChangeReport) -> Result<ExitCode, Failure>,
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
        let mut report = ChangeReport::new(card);
        let code = match work(card, &mut report) {
            Ok(code) => code,
            Err(failure) => {
                failure.print();
                report.outcome = Outcome::Failed;
                report.error = Some(failure.report());
                failure.code
            }
        };
        reports.push(report);
        codes.push(code);
    }
    if ctx.output.json {
        ctx.output
            .document(&ChangesReport {
                schema,
                cards: reports,
            })
            .map_err(|error| Failure::unwritten(&error))?;
    }
    Ok(ExitCode::of_all(&codes))
}

fn change(
    ctx: &Context,
    card: &Card,
    job: &dyn Job,
    write: WriteArgs,
    report: &mut ChangeReport,
) -> Result<ExitCode, Failure> {
    let lock = lock(ctx, card, write)?;
    let mut prepared = prepare(ctx, card, job, write, lock, report)?;
    if !ctx.output.json {
        ctx.output
            .answer(&plan_text(report))
            .map_err(|error| Failure::unwritten(&error))?;
    }
    decide_and_write(ctx, card, &mut prepared, write, report)
}

/// Everything after the plan was shown.
pub(super) fn decide_and_write(
    ctx: &Context,
    card: &Card,
    prepared: &mut Prepared<'_>,
    write: WriteArgs,
    report: &mut ChangeReport,
) -> Result<ExitCode, Failure> {
    if prepared.plan.is_empty() {
        report.outcome = Outcome::Unchanged;
        leave(prepared, write.dry_run)?;
        say(ctx, &nothing_to_do())?;
        return Ok(ExitCode::Done);
    }
    if write.dry_run {
        report.outcome = Outcome::Planned;
        say(ctx, "dry run: nothing was written")?;
        return Ok(if write.exit_code {
            ExitCode::Differs
        } else {
            ExitCode::Done
        });
    }
    let question = format!("Write this to {}?", card.selector());
    if !confirmed(ctx, &[card], &question, write)? {
        report.outcome = Outcome::Declined;
        say(ctx, "nothing was written")?;
        return Ok(ExitCode::Failed);
    }
    carry_out(ctx, prepared, report)?;
    say(ctx, &written(report))?;
    Ok(ExitCode::Done)
}

/// Whether somebody has to be asked before these are written.
pub(in crate::cli) fn asks(cards: &[&Card], write: WriteArgs) -> bool {
    let is_virtual = |card: &&Card| matches!(card.origin, Origin::Simulated(_));
    !write.yes && !cards.iter().all(is_virtual)
}

/// Asks, where a card of the host is among those to be written.
pub(in crate::cli) fn confirmed(
    ctx: &Context,
    cards: &[&Card],
    question: &str,
    write: WriteArgs,
) -> Result<bool, Failure> {
    if !asks(cards, write) {
        return Ok(true);
    }
    let answer =
        ask(question, &ctx.stop).map_err(|error| Failure::new(ExitCode::Failed, &error))?;
    match answer {
        Answer::Yes => Ok(true),
        Answer::No => Ok(false),
        Answer::NobodyThere => Err(Failure::message(
            ExitCode::Usage,
            "nobody can be asked whether to write: stdin or stderr is no terminal",
        )
        .hint("--yes writes without asking, --dry-run only shows the plan")),
    }
}

pub(super) fn nothing_to_do() -> String {
    styled(GOOD, "nothing to do: the card holds this already")
}

/// The last line about a card that was written.
pub(super) fn written(report: &ChangeReport) -> String {
    let mut line = format!(
        "{}, {}",
        styled(GOOD, "written and read back"),
        report.restart_how.as_deref().unwrap_or_default()
    );
    if let Some(backup) = &report.backup {
        let words = format_args!("(values of before: {backup})");
        line.push_str(&format!(" {}", styled(DIM, words)));
    }
    line
}

pub(super) fn say(ctx: &Context, line: &str) -> Result<(), Failure> {
    if ctx.output.json {
        return Ok(());
    }
    ctx.output
        .answer(&format!("  {line}\n"))
        .map_err(|error| Failure::unwritten(&error))
}
