//! The card's flash: reach it, plan a change of it, carry that out so that the
//! card can boot at every moment, keep and bring back copies.
//!
//! [`Flash`] is the seam: what plans and burns does not know how the flash is
//! reached.

pub mod checks;
mod chip_access;
mod error;

pub use chip_access::{Block, Flash};
pub use error::FlashError;
