//! Carrying out a plan, and what the card holds when that ends early.

mod carry_out;
mod failure;
mod guarded;
#[cfg(test)]
mod power_cuts;
mod progress;
#[cfg(test)]
mod trouble;
mod verify;

pub use carry_out::{BootAddressOutcome, Burned, burn, burn_at_once};
pub use failure::{BurnError, BurnFailure, CardHolds};
pub use progress::{Phase, Progress, Quiet};
