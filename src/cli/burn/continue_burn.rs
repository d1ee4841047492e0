//! Finish a burn that was interrupted.

use crate::device::Card;
use crate::flash::{BurnGoal, FlashPlan, FlashWish, Unfinished, goal_to_continue};

use super::super::ExitCode;
use super::super::args::WriteArgs;
use super::super::change::lock;
use super::super::context::Context;
use super::super::error::Failure;
use super::super::failure_hints::Situation;
use super::super::output::{GOOD, styled};
use super::super::report::{BurnOutcome, BurnReport, FromTo};
use super::carry_out::{Task, carry_out, records};
use super::failure::{plan_failure, record_failure};
use super::one_card::{asked, burned, close, on_each_card, only_planned, say, show};
use super::opened::Opened;
use super::prepare::{Soundness, describe_flash, survey};

/// Finishes what was interrupted, one card after the other.
pub(in crate::cli) fn continue_one_by_one(
    ctx: &Context,
    way: FlashWish,
    write: WriteArgs,
) -> Result<ExitCode, Failure> {
    on_each_card(ctx, "flexctl.burn/1", |card, report| {
        continue_card(ctx, card, way, write, report)
    })
}

fn continue_card(
    ctx: &Context,
    card: &Card,
    way: FlashWish,
    write: WriteArgs,
    report: &mut BurnReport,
) -> Result<ExitCode, Failure> {
    let situation = Situation::of(&ctx.host, card);
    let mut opened = Opened::open(ctx, card, lock(ctx, card, write)?)?;
    let (about, mut flash) = opened.parts(ctx, way)?;
    report.flash = Some(describe_flash(flash.as_ref()));
    let records = records(ctx, about);
    let loaded = records
        .load()
        .map_err(|error| record_failure(&error, &situation))?;
    let Some(unfinished) = loaded else {
        report.outcome = BurnOutcome::Unchanged;
        say(
            ctx,
            &styled(GOOD, "nothing to do: no burn of this card was interrupted"),
        )?;
        return Ok(ExitCode::Done);
    };
    report.what = format!(
        "what is left of the burn of process {}",
        unfinished.record.process
    );
    let survey = survey(about, flash.as_mut(), &situation)?;
    let soundness = Soundness(about.device.image_format);
    let goal = goal_to_continue(
        &unfinished,
        &about.identity,
        flash.as_mut(),
        survey.bytes(),
        &soundness,
    )
    .map_err(|error| record_failure(&error, &situation))?;
    let plan = goal
        .plan(flash.as_mut())
        .map_err(|error| plan_failure(&error, &situation))?;
    close(ctx, card, flash)?;
    report.start = Some(starts(&goal));
    report.plan = vec![plan.clone()];
    show(ctx, report)?;
    if plan.is_empty() {
        report.outcome = BurnOutcome::Unchanged;
        if !write.dry_run {
            records
                .finish()
                .map_err(|error| record_failure(&error, &situation))?;
        }
        say(
            ctx,
            &styled(GOOD, "nothing to do: the burn had come to its end"),
        )?;
        return Ok(ExitCode::Done);
    }
    if let Some(code) = only_planned(ctx, write, report)? {
        return Ok(code);
    }
    if !asked(ctx, card, write, report)? {
        return Ok(ExitCode::Failed);
    }
    let task = task(&goal, &plan, &unfinished);
    let (about, mut flash) = opened.parts(ctx, way)?;
    carry_out(ctx, about, flash.as_mut(), &task, report)?;
    close(ctx, card, flash)?;
    say(ctx, &burned(report))?;
    Ok(ExitCode::Done)
}

fn starts(goal: &BurnGoal) -> FromTo<Option<u32>> {
    FromTo {
        from: goal.old.map(|old| old.start),
        to: Some(goal.image.place.start),
    }
}

/// The copy that was made before the first write is the one that counts.
fn task<'a>(goal: &'a BurnGoal, plan: &'a FlashPlan, unfinished: &Unfinished) -> Task<'a> {
    Task {
        goal,
        plan,
        copy: None,
        earlier_copy: unfinished.record.backup.clone(),
        firmware: None,
        volatile: Vec::new(),
        doors: unfinished.record.doors.clone(),
        at_once: false,
    }
}
