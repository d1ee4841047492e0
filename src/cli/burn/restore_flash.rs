//! Put the copy of a whole flash back.

use std::ops::Range;
use std::path::PathBuf;

use crate::device::Card;
use crate::flash::checks::{Door, judge_card};
use crate::flash::{
    DeviceData, Flash, FlashBackup, FlashMap, FlashPlan, FlashWish, Misfit, Phase, Region,
    RestoreGoal, RestorePlan, SlotExtent, check_backup_fits, read_whole, restore,
};
use crate::hwdb::ImageFormat;
use crate::image::{FlashSurvey, SlotPlace};
use crate::settings::Sameness;

use super::super::ExitCode;
use super::super::args::WriteArgs;
use super::super::change::lock;
use super::super::context::Context;
use super::super::error::Failure;
use super::super::failure_hints::Situation;
use super::super::output::{GOOD, styled};
use super::super::progress::Progress;
use super::super::report::{BurnOutcome, BurnReport};
use super::Copy;
use super::carry_out::{records, save};
use super::failure::{
    backup_failure, flash_failure, misfit_failure, objections_failure, record_failure,
    restore_broke_off, restore_failure,
};
use super::one_card::{asked, burned, close, on_each_card, only_planned, say, show};
use super::opened::{About, Opened};
use super::prepare::{Soundness, card_facts, describe_flash};

/// What is put back, and how.
#[derive(Debug)]
pub(in crate::cli) struct RestoreFlashJob {
    /// The file.
    pub(in crate::cli) path: PathBuf,
    /// What is in it.
    pub(in crate::cli) backup: FlashBackup,
    /// How the flash is reached.
    pub(in crate::cli) way: FlashWish,
    /// The copy of the whole flash that is made first.
    pub(in crate::cli) copy: Copy,
    /// Whether GUIDs, settings and the like are put back too.
    pub(in crate::cli) device_data: bool,
    /// Whether it may be the copy of another board, or of one that nobody knows.
    pub(in crate::cli) other_board: bool,
    /// Whether the PSID may be another.
    pub(in crate::cli) other_psid: bool,
    /// Whether a model that nobody has burned may be written.
    pub(in crate::cli) untested: bool,
}

/// Puts it back on the chosen card.
pub(in crate::cli) fn restore_flash(
    ctx: &Context,
    job: &RestoreFlashJob,
    write: WriteArgs,
) -> Result<ExitCode, Failure> {
    on_each_card(ctx, "flexctl.restore-flash/1", |card, report| {
        restore_card(ctx, card, job, write, report)
    })
}

fn restore_card(
    ctx: &Context,
    card: &Card,
    job: &RestoreFlashJob,
    write: WriteArgs,
    report: &mut BurnReport,
) -> Result<ExitCode, Failure> {
    report.what = format!("the copy of a flash in {}", job.path.display());
    let situation = Situation::of(&ctx.host, card);
    let mut opened = Opened::open(ctx, card, lock(ctx, card, write)?)?;
    let (about, mut flash) = opened.parts(ctx, job.way)?;
    report.flash = Some(describe_flash(flash.as_ref()));
    let let_pass = misfits(about, flash.as_ref(), job)?;
    if !let_pass.is_empty() && about.device.image_format == ImageFormat::Fs2 {
        // They are in the image itself.
        report.notes.push(
            "GUIDs and MACs come with the copy: two cards with the same ones must not meet in one network".to_owned(),
        );
    }
    report.notes.extend(let_pass);
    let mut progress = Progress::new(ctx.output, &card.selector());
    let now = read_whole(flash.as_mut(), Phase::ReadFlash, &mut progress)
        .map_err(|error| backup_failure(&error, &situation))?;
    drop(progress);
    refuse_card(about, flash.as_mut(), &now, job, &situation)?;
    let plan = plan(about, flash.as_mut(), &now, job, &situation)?;
    close(ctx, card, flash)?;
    describe(&plan, report);
    show(ctx, report)?;
    if plan.stages.iter().all(FlashPlan::is_empty) {
        report.outcome = BurnOutcome::Unchanged;
        if !write.dry_run {
            records(ctx, &opened.about)
                .finish()
                .map_err(|error| record_failure(&error, &situation))?;
        }
        say(
            ctx,
            &styled(GOOD, "nothing to do: the flash holds this already"),
        )?;
        return Ok(ExitCode::Done);
    }
    if let Some(code) = only_planned(ctx, write, report)? {
        return Ok(code);
    }
    if !asked(ctx, card, write, report)? {
        return Ok(ExitCode::Failed);
    }
    let (about, mut flash) = opened.parts(ctx, job.way)?;
    carry_out(ctx, about, flash.as_mut(), &plan, job, report)?;
    close(ctx, card, flash)?;
    say(ctx, &burned(report))?;
    Ok(ExitCode::Done)
}

/// Whether the card may be written at all.
fn refuse_card(
    about: &About<'_>,
    flash: &mut dyn Flash,
    now: &[u8],
    job: &RestoreFlashJob,
    situation: &Situation<'_>,
) -> Result<(), Failure> {
    let protection = flash
        .protection()
        .map_err(|error| flash_failure(&error, situation))?;
    let facts = card_facts(about, flash, protection, false);
    let survey = FlashSurvey::of_bytes(about.device.image_format, now, None);
    let mut objections = judge_card(&facts, &survey);
    objections.retain(|objection| !(job.untested && objection.door == Some(Door::AcceptUntested)));
    if objections.is_empty() {
        Ok(())
    } else {
        Err(objections_failure(&objections))
    }
}

/// Whether the copy is of this card: what was let pass, in words.
fn misfits(
    about: &About<'_>,
    flash: &dyn Flash,
    job: &RestoreFlashJob,
) -> Result<Vec<String>, Failure> {
    let found = check_backup_fits(&job.backup.facts, &about.identity, flash.chip());
    let passes = |misfit: &Misfit| match misfit {
        Misfit::OtherBoard { .. } | Misfit::BoardUnknown { .. } => job.other_board,
        Misfit::OtherModel { backup, card } => job.other_psid && backup.device_id == card.device_id,
        _ => false,
    };
    let (let_pass, refused): (Vec<_>, Vec<_>) = found.into_iter().partition(passes);
    if refused.is_empty() {
        Ok(let_pass.iter().map(ToString::to_string).collect())
    } else {
        Err(misfit_failure(&refused))
    }
}

/// What a flash is divided into: as it is now, and where that does not say it, as
/// the copy has it.
fn map(about: &About<'_>, now: &[u8], backup: &[u8]) -> FlashMap {
    let format = about.device.image_format;
    let survey_now = FlashSurvey::of_bytes(format, now, None);
    let survey_then = FlashSurvey::of_bytes(format, backup, None);
    let divided = if survey_then.slots().is_empty() {
        &survey_now
    } else {
        &survey_then
    };
    let slots = divided
        .slots()
        .iter()
        .map(|slot| SlotExtent {
            place: slot.place,
            bytes: slot_bytes(divided, slot.place),
        })
        .collect();
    let sound = |range: &Range<u32>| {
        survey_now
            .device_data()
            .iter()
            .any(|region| region.range == *range)
            && bytes_of(now, range).iter().any(|byte| *byte != 0xff)
    };
    let regions = if survey_then.device_data().is_empty() {
        survey_now.device_data()
    } else {
        survey_then.device_data()
    };
    FlashMap {
        slots,
        device_data: regions
            .iter()
            .map(|region| DeviceData {
                region: Region {
                    start: region.range.start,
                    end: region.range.end,
                    what: region.name.clone(),
                },
                sound: sound(&region.range),
            })
            .collect(),
    }
}

/// How many bytes of its own a slot has.
fn slot_bytes(survey: &FlashSurvey, place: SlotPlace) -> u32 {
    let flash = survey.flash_bytes();
    if let Some(stripes) = place.stripes {
        let flash = usize::try_from(flash).unwrap_or(usize::MAX);
        return u32::try_from(stripes.length(flash)).unwrap_or(u32::MAX);
    }
    let starts = survey.slots().iter().map(|slot| slot.place.start);
    match starts.filter(|start| *start != place.start).max() {
        Some(other) => other.abs_diff(place.start),
        None => flash.saturating_sub(place.start),
    }
}

fn bytes_of<'b>(flash: &'b [u8], range: &Range<u32>) -> &'b [u8] {
    let at = |address: u32| usize::try_from(address).unwrap_or(usize::MAX);
    flash
        .get(at(range.start)..at(range.end))
        .unwrap_or_default()
}

fn plan(
    about: &About<'_>,
    flash: &mut dyn Flash,
    now: &[u8],
    job: &RestoreFlashJob,
    situation: &Situation<'_>,
) -> Result<RestorePlan, Failure> {
    let boot_address = flash
        .boot_address()
        .map_err(|error| flash_failure(&error, situation))?;
    let survey = FlashSurvey::of_bytes(about.device.image_format, now, boot_address);
    let boots_now = survey.active().map(|slot| slot.place.slot);
    let goal = RestoreGoal {
        chip: flash.chip(),
        now,
        backup: &job.backup.contents,
        map: &map(about, now, &job.backup.contents),
        runs: boots_now,
        bootable: &Soundness(about.device.image_format),
        device_data: job.device_data,
        // Who put the copy of a board that nobody can name back knows which it is.
        same_board: match about.identity.is_same_board(&job.backup.facts.card) {
            Sameness::Same => true,
            Sameness::CannotTell => job.other_board,
            Sameness::Other => false,
        },
    };
    goal.plan().map_err(|error| restore_failure(&error))
}

fn describe(plan: &RestorePlan, report: &mut BurnReport) {
    report.plan.clone_from(&plan.stages);
    let kept = plan.kept.iter().map(|region| region.what.clone());
    report.stays = kept.collect();
    report.stays.dedup();
    for region in &plan.restored_data {
        report
            .notes
            .push(format!("{} is put back as the copy has it", region.what));
    }
    for region in &plan.left_out {
        report.notes.push(format!(
            "{}: left out, there is no whole image behind it in the copy",
            region.what
        ));
    }
}

fn carry_out(
    ctx: &Context,
    about: &About<'_>,
    flash: &mut dyn Flash,
    plan: &RestorePlan,
    job: &RestoreFlashJob,
    report: &mut BurnReport,
) -> Result<(), Failure> {
    let situation = Situation::of(&ctx.host, about.card);
    let mut progress = Progress::new(ctx.output, &about.card.selector());
    let volatile: Vec<Region> = plan.kept.clone();
    let backup = save(ctx, about, flash, &job.copy, None, &volatile, &mut progress)?;
    report.backup = backup.as_ref().map(|path| path.display().to_string());
    // Whoever takes a burn back does not want it finished.
    records(ctx, about)
        .finish()
        .map_err(|error| record_failure(&error, &situation))?;
    let outcome = restore(flash, plan, &mut progress);
    drop(progress);
    outcome.map_err(|failure| {
        report.holds = Some(failure.failure.holds.to_string());
        restore_broke_off(&failure.failure, &situation, &job.path)
    })?;
    report.outcome = BurnOutcome::Burned;
    Ok(())
}
