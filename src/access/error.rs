//! What can go wrong on the way to a word in the card.

use std::time::Duration;

use crate::pci::{Bdf, FunctionError};

/// A failed access to the card.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AccessError {
    /// The host failed or refused.
    #[error(transparent)]
    Function(#[from] FunctionError),
    /// The card answers all-ones: it fell off the bus, is in reset or powered down.
    #[error("{address}: the card answers all-ones to {what}: it is gone, in reset or powered down")]
    Gone {
        /// The function.
        address: Bdf,
        /// What was read.
        what: &'static str,
    },
    /// The function has no vendor capability that offers what is needed.
    #[error("{address}: {reason}")]
    NoGateway {
        /// The function.
        address: Bdf,
        /// What is missing.
        reason: String,
    },
    /// The card does not offer this address space.
    #[error("{address}: the {gateway} does not reach {space:?} space")]
    SpaceUnsupported {
        /// The function.
        address: Bdf,
        /// The way that was used.
        gateway: &'static str,
        /// The space that was asked for.
        space: super::Space,
    },
    /// A semaphore stayed taken.
    #[error(
        "{address}: the {semaphore} is held (value {value:#x}) and was not released within {waited:?}"
    )]
    SemaphoreHeld {
        /// The function.
        address: Bdf,
        /// Which semaphore, with its place.
        semaphore: &'static str,
        /// What it reads as while held.
        value: u32,
        /// How long it was waited for.
        waited: Duration,
    },
    /// The card did not finish within the bound.
    #[error("{address}: {what} did not finish within {waited:?}")]
    Timeout {
        /// The function.
        address: Bdf,
        /// What was waited for.
        what: &'static str,
        /// How long.
        waited: Duration,
    },
    /// Another program holds mstflint's lock file of this function.
    #[error("{address}: another program holds `{path}` and did not release it within {waited:?}")]
    LockHeld {
        /// The function.
        address: Bdf,
        /// The lock file.
        path: String,
        /// How long it was waited for.
        waited: Duration,
    },
    /// mstflint's lock file cannot be opened safely.
    #[error("{address}: the lock file `{path}` cannot be used")]
    LockFile {
        /// The function.
        address: Bdf,
        /// The lock file.
        path: String,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
    /// Somebody asked to stop (SIGINT, SIGTERM, a deadline).
    #[error("{address}: stopped on request while waiting for {what}")]
    Interrupted {
        /// The function.
        address: Bdf,
        /// What was under way.
        what: &'static str,
    },
}
