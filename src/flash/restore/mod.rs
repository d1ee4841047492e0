//! A whole backup onto a card, so that the card can boot at every moment if it can
//! boot now.
//!
//! Let `s` be the slot that boots now and `o` the other one.
//!
//! | in the backup | stages |
//! |---|---|
//! | `o` boots | `o`, from then on it boots; then `s` |
//! | only `s` boots, and `s` holds that already | `o` |
//! | only `s` boots | its image into `o`, from then on that boots; then `s`, from then on that boots; then `o` |
//! | nothing boots | refused |
//!
//! What is in no slot comes last. On a card that does not boot everything is
//! written in one stage, the magics last.

mod carry_out;
mod error;
mod map;
mod plan;
#[cfg(test)]
mod power_cuts;

pub use carry_out::{RestoreFailure, Restored, restore};
pub use error::RestoreError;
pub use map::{Bootable, DeviceData, FlashMap, SlotExtent};
pub use plan::{RestoreGoal, RestorePlan};
