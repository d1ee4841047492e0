//! A ROM for the cards whose own is too old, and then a change of settings: one
//! plan, one question.

use crate::device::{Card, rom_facts};
use crate::settings::RomFacts;

use super::super::ExitCode;
use super::super::args::WriteArgs;
use super::super::burn::{
    BurnJob, Opened, Ready, burn_now, burned, look, plan_text as burn_plan_text, rom_in_flash,
};
use super::super::context::Context;
use super::super::error::Failure;
use super::super::ipv6_job::Ipv6Job;
use super::super::report::{BurnOutcome, BurnReport, ChangeReport, Outcome};
use super::carry_out::{carry_out, leave};
use super::one_card::{confirmed, nothing_to_do, on_each_card, say, written};
use super::plan_text::plan_text;
use super::prepare::{Prepared, lock, prepare};

/// Burns a ROM onto the cards that need one, then switches IPv6 on.
pub(in crate::cli) fn burn_then_enable(
    ctx: &Context,
    schema: &'static str,
    burn: &BurnJob,
    job: &Ipv6Job,
    write: WriteArgs,
) -> Result<ExitCode, Failure> {
    on_each_card(ctx, schema, |card, report| {
        one_card(ctx, card, burn, job, write, report)
    })
}

/// A ROM that is going to be burned.
struct Coming<'c> {
    opened: Opened<'c>,
    ready: Ready,
    report: Box<BurnReport>,
}

fn one_card(
    ctx: &Context,
    card: &Card,
    burn: &BurnJob,
    job: &Ipv6Job,
    write: WriteArgs,
    report: &mut ChangeReport,
) -> Result<ExitCode, Failure> {
    let lock = lock(ctx, card, write)?;
    let (coming, rom) = rom(ctx, card, burn, report)?;
    let job = Ipv6Job {
        rom: Some(rom),
        ..job.clone()
    };
    let mut prepared = prepare(ctx, card, &job, write, lock, report)?;
    if !ctx.output.json {
        let mut text = String::new();
        if let Some(coming) = &coming {
            text.push_str(&burn_plan_text(&coming.report, ctx.output.verbose));
        }
        text.push_str(&plan_text(report));
        ctx.output
            .answer(&text)
            .map_err(|error| Failure::unwritten(&error))?;
    }
    let Some(mut coming) = coming else {
        return settings_only(ctx, card, &mut prepared, write, report);
    };
    if write.dry_run {
        report.outcome = Outcome::Planned;
        coming.report.outcome = BurnOutcome::Planned;
        report.burn = Some(coming.report);
        say(ctx, "dry run: nothing was written")?;
        return Ok(if write.exit_code {
            ExitCode::Differs
        } else {
            ExitCode::Done
        });
    }
    let question = format!(
        "Write this to the flash and the settings of {}?",
        card.selector()
    );
    if !confirmed(ctx, &[card], &question, write)? {
        report.outcome = Outcome::Declined;
        coming.report.outcome = BurnOutcome::Declined;
        report.burn = Some(coming.report);
        say(ctx, "nothing was written")?;
        return Ok(ExitCode::Failed);
    }
    let outcome = burn_now(
        ctx,
        &mut coming.opened,
        burn,
        &coming.ready,
        &mut coming.report,
    );
    let words = burned(&coming.report);
    report.burn = Some(coming.report);
    outcome.map_err(|failure| failure.hint("the settings were not touched"))?;
    say(ctx, &words)?;
    finish(ctx, &mut prepared, report)
}

/// What the card's ROM is or will be, and the burn where one is needed.
fn rom<'c>(
    ctx: &Context,
    card: &'c Card,
    burn: &BurnJob,
    report: &mut ChangeReport,
) -> Result<(Option<Coming<'c>>, RomFacts), Failure> {
    let mut opened = Opened::open(ctx, card, None)?;
    let now = rom_in_flash(ctx, &mut opened, burn)?;
    if let Some(bytes) = now.filter(|bytes| knows_ipv6(bytes)) {
        report
            .notes
            .push("the ROM in flash knows IPv6 already: --burn-rom has nothing to do".to_owned());
        return Ok((None, rom_facts(&bytes)));
    }
    let mut burn_report = Box::new(BurnReport::new(card));
    burn_report.what = burn.what.words();
    let ready = match look(ctx, &mut opened, burn, &mut burn_report) {
        Ok(ready) => ready,
        Err(failure) => {
            burn_report.error = Some(failure.report());
            if !ctx.output.json {
                ctx.output
                    .answer(&burn_plan_text(&burn_report, ctx.output.verbose))
                    .map_err(|error| Failure::unwritten(&error))?;
            }
            report.burn = Some(burn_report);
            return Err(failure);
        }
    };
    let facts = ready.rom.as_deref().map_or(RomFacts::NotRead, rom_facts);
    let coming = Coming {
        opened,
        ready,
        report: burn_report,
    };
    Ok((Some(coming), facts))
}

/// Whether a ROM needs no other to boot over IPv6.
fn knows_ipv6(bytes: &[u8]) -> bool {
    match rom_facts(bytes) {
        RomFacts::FlexBoot(version) => version.has_ipv6(),
        RomFacts::Proven(_) => true,
        _ => false,
    }
}

fn settings_only(
    ctx: &Context,
    card: &Card,
    prepared: &mut Prepared<'_>,
    write: WriteArgs,
    report: &mut ChangeReport,
) -> Result<ExitCode, Failure> {
    super::one_card::decide_and_write(ctx, card, prepared, write, report)
}

/// Writes the settings of a card that has its ROM.
fn finish(
    ctx: &Context,
    prepared: &mut Prepared<'_>,
    report: &mut ChangeReport,
) -> Result<ExitCode, Failure> {
    report.outcome = Outcome::Changed;
    if prepared.plan.is_empty() {
        leave(prepared, false)?;
        say(ctx, &nothing_to_do())?;
        return Ok(ExitCode::Done);
    }
    carry_out(ctx, prepared, report)?;
    say(ctx, &written(report))?;
    Ok(ExitCode::Done)
}
