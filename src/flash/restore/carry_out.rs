//! The stages of a restore, one after the other.

use serde::Serialize;

use crate::flash::{BurnFailure, Burned, Flash, Progress, burn};

use super::RestorePlan;

/// A restore that came to its end.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Restored {
    /// What every stage did.
    pub stages: Vec<Burned>,
}

/// A restore that did not.
#[derive(Debug, thiserror::Error)]
#[error("stage {stage} of {stages} ({title}): {failure}")]
pub struct RestoreFailure {
    /// The stage that failed, counted from 1.
    pub stage: usize,
    /// How many there are.
    pub stages: usize,
    /// What it is for.
    pub title: String,
    /// Why, and what the card holds.
    #[source]
    pub failure: Box<BurnFailure>,
}

/// Carries out a restore. A request to stop is heard until the first stage has
/// written a magic.
///
/// # Errors
/// [`RestoreFailure`]. The same restore, planned again from what is in the flash
/// then, brings it to its end.
pub fn restore(
    flash: &mut dyn Flash,
    plan: &RestorePlan,
    progress: &mut dyn Progress,
) -> Result<Restored, RestoreFailure> {
    let mut restored = Restored::default();
    let stages = plan.stages.len();
    for (number, stage) in plan.stages.iter().enumerate() {
        progress.stage(number + 1, stages, &stage.title);
        let burned = burn(flash, stage, progress).map_err(|failure| RestoreFailure {
            stage: number + 1,
            stages,
            title: stage.title.clone(),
            failure: Box::new(failure),
        })?;
        restored.stages.push(burned);
    }
    Ok(restored)
}
