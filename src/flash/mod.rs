//! The card's flash: reach it, plan a change of it, carry that out so that the
//! card can boot at every moment, keep and bring back copies.
//!
//! [`Flash`] is the seam: what plans and burns does not know how the flash is
//! reached.

mod burn;
mod chip_access;
mod error;
#[cfg(test)]
mod in_memory;
mod plan;
mod region;
#[cfg(test)]
mod rig;

pub use burn::{
    BootAddressOutcome, BurnError, BurnFailure, Burned, CardHolds, Phase, Progress, Quiet, burn,
};
pub use chip_access::{Block, Flash};
pub use error::FlashError;
pub use plan::{BurnGoal, FlashPlan, PlanError, PlanTotals, Reader, Step};
pub use region::Region;
