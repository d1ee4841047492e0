//! What can go wrong with the shelf and its cards (not with the hardware).

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use super::faults::ParseFaultError;
use crate::pci::Bdf;

/// A virtual card that cannot be made, found or opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SimError {
    /// A card's name must be usable as the name of a directory.
    #[error(
        "`{name}` cannot name a card: letters, digits, `-`, `_` and `.`, beginning with a letter or digit, at most 64"
    )]
    BadName {
        /// The name as it was given.
        name: String,
    },
    /// Neither a card nor a profile has this name.
    #[error("no virtual card and no profile is called `{name}`{}", suggestion(.near.as_deref(), .available))]
    NoSuchCard {
        /// The name as it was given.
        name: String,
        /// A name that it may have been meant for.
        near: Option<String>,
        /// The cards and profiles that there are.
        available: Vec<String>,
    },
    /// No profile has this name.
    #[error("no profile is called `{name}`{}", suggestion(.near.as_deref(), .available))]
    NoSuchProfile {
        /// The name as it was given.
        name: String,
        /// A name that it may have been meant for.
        near: Option<String>,
        /// The profiles that there are.
        available: Vec<String>,
    },
    /// A card of that name is there already.
    #[error("a virtual card called `{name}` is there already")]
    Exists {
        /// The name.
        name: String,
    },
    /// Another process has the card open.
    #[error("virtual card `{name}` is in use by {} and was not released within {waited:?}", holder(*.pid))]
    InUse {
        /// The card.
        name: String,
        /// The process that has it, when it left its number.
        pid: Option<u32>,
        /// How long it was waited for.
        waited: Duration,
    },
    /// The card has no such function.
    #[error("virtual card `{name}` has no function {address}")]
    NoSuchFunction {
        /// The card.
        name: String,
        /// The address that was asked for.
        address: Bdf,
    },
    /// The card does not know the setting, or not with that length.
    #[error("virtual card `{name}` has no setting {kind:#010x} of {length} bytes there")]
    NoSuchSetting {
        /// The card.
        name: String,
        /// The type number.
        kind: u32,
        /// The length that was given.
        length: usize,
    },
    /// The bytes for a flash are not as many as it has.
    #[error("the flash of virtual card `{name}` has {size:#x} bytes, not {given:#x}")]
    FlashSize {
        /// The card.
        name: String,
        /// The bytes that it has.
        size: u32,
        /// The bytes that were given.
        given: usize,
    },
    /// A file of the shelf cannot be used.
    #[error("cannot {action} `{path}`")]
    Io {
        /// What was tried.
        action: &'static str,
        /// The file or directory.
        path: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// The state file of a card does not say what it should.
    #[error("`{path}` is not the state of a virtual card: {reason}")]
    BadState {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A built-in profile is wrong; tests make sure that none is.
    #[error("profile `{name}`: {reason}")]
    BadProfile {
        /// The profile.
        name: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A fault plan cannot be read.
    #[error(transparent)]
    Faults(#[from] ParseFaultError),
    /// Neither FLEXCTL_SIM_DIR nor XDG_STATE_HOME nor HOME is set.
    #[error("no place for virtual cards: none of FLEXCTL_SIM_DIR, XDG_STATE_HOME and HOME is set")]
    NoDirectory,
}

fn suggestion(near: Option<&str>, available: &[String]) -> String {
    near.map_or_else(
        || format!(" (there are {})", available.join(", ")),
        |near| format!(", did you mean `{near}`?"),
    )
}

fn holder(pid: Option<u32>) -> String {
    pid.map_or_else(
        || "another process".to_owned(),
        |pid| format!("process {pid}"),
    )
}
