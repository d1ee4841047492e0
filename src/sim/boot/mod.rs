//! What the boot ROM of a card finds in its flash.
//!
//! The model is pessimistic on purpose. At a cold boot it looks at the start
//! addresses in their order for the magic and takes the first one; it looks at
//! nothing else. If what is behind that magic is damaged in any place that a
//! checksum covers, the card has no firmware, whatever there is in the other
//! slot. At a warm reset it goes to the boot address, if one was set and there is
//! a magic, else it does as at a cold boot.
//!
//! # Sources
//! The start addresses: mstflint 4.21, mlxfwops/lib/fw_ops.cpp
//! (`FwOperations::FindMagicPattern`). The order of a fail-safe burn, magic last
//! and the old magic away after it (mlxfwops/lib/fs2_ops.cpp
//! `Fs2FailSafeBurn`), shows that the boot ROM goes by the magic. That it does not
//! go on after a damaged image is an assumption.

mod fs2;
mod fs3;
mod verdict;

pub use verdict::{Boot, BootedImage};

pub(crate) use verdict::{BootCard, cold, warm};
