//! What has to be done to a flash so that it holds an image, as a value.
//!
//! The order of the steps keeps a card that boots at every moment: the target's
//! magic goes first, its sectors follow, its new magic comes when everything else
//! was read back, then the boot address, and last the other slot's magic.
//!
//! # Sources
//! mstflint 4.21, mlxfwops/lib/fs3_ops.cpp (`Fs3Operations::FwBurnAdvanced`,
//! `DoAfterBurnJobs`) and fs2_ops.cpp (`Fs2Operations::Fs2FailSafeBurn`): the same
//! order.

mod draft;
mod erase_choice;
mod error;
mod extents;
mod flash_plan;
mod goal;
#[cfg(test)]
mod properties;
mod step;

pub(super) use draft::Draft;
pub(super) use erase_choice::{programs_after_erase, programs_over, sector_needs_erase};
pub use error::PlanError;
pub(super) use extents::Extents;
pub use flash_plan::{FlashPlan, PlanTotals};
pub use goal::BurnGoal;
pub(super) use goal::pieces_of;
pub use step::Step;

use super::FlashError;

/// Reads bytes of a flash, or of what stands for one.
pub type Reader<'a> = dyn FnMut(u32, &mut [u8]) -> Result<(), FlashError> + 'a;

/// Bytes of a magic.
pub(super) const MAGIC_BYTES: u32 = 16;
/// The part of it that is zeroed to make a slot invalid.
pub(super) const MAGIC_DWORD: u32 = 4;
