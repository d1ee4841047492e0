//! flexctl switches Mellanox ConnectX-3 and ConnectX-4 network cards to IPv6
//! network boot from the running operating system.
//!
//! The rooms of this house, from the cable to the keyboard. A room uses only
//! the rooms above it; `tests/layering.rs` guards the one-way street.
//!
//! | room | what it holds |
//! |---|---|
//! | [`pci`] | what the host shows of a card: address, sysfs, config space, BAR, option ROM |
//! | [`hwdb`] | facts about hardware as typed, validated data |
//! | [`image`] | bytes to structure and back, pure: expansion ROMs, firmware images, checks, edits |
//! | [`access`] | reach a word in the card: vendor capability, legacy gateway, BAR window |
//! | [`command`] | talk to the card's firmware: ICMD, tools HCR, registers |
//! | [`settings`] | read, plan and apply non-volatile settings |
//! | [`flash`] | reach the flash, plan, burn, verify, keep copies |
//! | [`sim`] | a card in software, seen through the same seam as a real one |
//! | [`device`] | one handle: selector, inventory, opening, locks |
//! | `cli` | the command line (feature `cli`) |
//!
//! Nothing here was compared with real silicon. What is claimed agrees with
//! Debian's mstflint/mstconfig 4.21; the README says what is verified how.

pub mod access;
pub mod command;
pub mod device;
pub mod flash;
pub mod hwdb;
pub mod image;
pub mod pci;
pub mod settings;
pub mod sim;

#[cfg(feature = "cli")]
pub mod cli;
