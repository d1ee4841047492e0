//! A card in software, seen through the same seam as a real one.
//!
//! A virtual [`Card`] answers at the level of PCI: config space with its
//! capabilities, gateways with semaphores and flags, mailboxes with busy time,
//! a store of settings that a reboot moves from "next" to "current". It knows
//! nothing of the code that talks to it, so Debian's mstconfig can talk to it
//! as well (see the `fuse` module, feature `cli`).
//!
//! What a card looks like is data: one of the [`profiles`], TOML files in
//! `src/sim/profiles`. Where a card lives is a [`Shelf`]: a directory, or
//! memory. What goes wrong with it is a [`FaultPlan`].
//!
//! Behaviour agrees with what mstflint 4.21 observes and with what FlexBoot's
//! source expects. Nothing was compared with real silicon.

mod board;
mod boot;
mod card;
mod catalog;
mod config_space;
mod connectx3;
mod connectx4;
mod counters;
mod error;
mod faults;
mod firmware;
mod flash;
mod function;
mod identity;
mod instance;
mod live;
mod name;
mod operation;
mod option_rom;
mod profile;
mod running;
mod sabotage;
mod scalar;
mod shelf;
mod storage;
mod store;
mod vpd;

#[cfg(feature = "cli")]
pub mod fuse;

pub use boot::{Boot, BootedImage};
pub use card::{Card, HeldSemaphore, StoredSetting};
pub use catalog::{ProfileSummary, profiles};
pub use counters::Counters;
pub use error::SimError;
pub use faults::{Fault, FaultPlan, ParseFaultError, Semaphore};
pub use flash::{FlashCounters, FlashSnapshot};
pub use function::CardFunction;
pub use scalar::{BadScalar, Place};
pub use shelf::Shelf;
