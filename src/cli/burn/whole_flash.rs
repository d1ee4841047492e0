//! Look at the flash of a card, or save all of it, and nothing else.

use std::path::Path;

use crate::device::{Card, CardLock};
use crate::flash::{BackedUp, FlashWish};
use crate::image::FlashSurvey;

use super::super::context::Context;
use super::super::error::Failure;
use super::super::failure_hints::Situation;
use super::super::progress::Progress;
use super::carry_out::save_to;
use super::failure::backup_failure;
use super::one_card::close;
use super::opened::Opened;
use super::prepare::{active_version, protected, survey};

/// Saves the flash of a card in a file that must not exist.
pub(in crate::cli) fn save_flash(
    ctx: &Context,
    card: &Card,
    way: FlashWish,
    path: &Path,
) -> Result<BackedUp, Failure> {
    let situation = Situation::of(&ctx.host, card);
    let lock = CardLock::take(&ctx.folders, card, &ctx.lock_patience())?;
    let mut opened = Opened::open(ctx, card, Some(lock))?;
    let (about, mut flash) = opened.parts(ctx, way)?;
    let survey = survey(about, flash.as_mut(), &situation)?;
    let mut progress = Progress::new(ctx.output, &card.selector());
    let saved = save_to(
        about,
        flash.as_mut(),
        path,
        active_version(&survey),
        &protected(&survey),
        &mut progress,
    )
    .map_err(|error| backup_failure(&error, &situation))?;
    drop(progress);
    close(ctx, card, flash)?;
    Ok(saved)
}

/// Looks at the flash of a card; only what is needed to know the images is read.
pub(in crate::cli) fn survey_of_card(
    ctx: &Context,
    card: &Card,
    way: FlashWish,
) -> Result<FlashSurvey, Failure> {
    let situation = Situation::of(&ctx.host, card);
    let mut opened = Opened::open(ctx, card, None)?;
    let (about, mut flash) = opened.parts(ctx, way)?;
    let survey = survey(about, flash.as_mut(), &situation)?;
    close(ctx, card, flash)?;
    Ok(survey)
}
