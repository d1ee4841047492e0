//! A burn that was begun, on record until it is finished.
//!
//! Two files: `STEM.json`, a [`BurnRecord`], and beside it `STEM.image.gz`, the
//! image that was wanted. The image is written first and removed last, so a
//! record that is there has its image.

mod error;
mod files;
mod going_on;
#[cfg(test)]
mod kept;
mod unfinished;

pub use error::RecordError;
pub use files::BurnRecords;
pub use going_on::goal_to_continue;
pub use unfinished::{BurnRecord, BurnTask, PlaceRecord, Unfinished};
