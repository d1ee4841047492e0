//! Profiles against small data files of their own, so that what the real ones
//! hold is no matter.

mod any_text;
mod cards;
mod files;
mod messages;
mod refinement;
mod resolution;
mod round_trip;

use cards::{HWDB, beside, card, notes, parse, parse_as, refused, resolve, wanted};
