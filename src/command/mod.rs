//! Talk to the firmware of a card: commands, mailboxes, registers.
//!
//! ConnectX-4 takes commands through the internal command interface
//! ([`Icmd`]), ConnectX-3 through the tools HCR ([`ToolsHcr`]). A [`Session`]
//! on either holds the firmware's semaphore from its start to its end, so a
//! read-modify-write inside one session cannot be interleaved with another
//! program that keeps to the rules.

mod envelope;
mod error;
mod firmware;
mod icmd;
pub mod register;
mod semaphore;
mod status;
mod tools_hcr;

pub use envelope::Method;
pub use error::CommandError;
pub use firmware::{Firmware, Session};
pub use icmd::Icmd;
pub use semaphore::{Semaphore, SemaphoreState};
pub use status::{Layer, Status};
pub use tools_hcr::ToolsHcr;
