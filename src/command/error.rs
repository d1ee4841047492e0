//! What can go wrong when talking to a card's firmware.

use crate::access::AccessError;
use crate::hwdb::FirmwareInterface;
use crate::pci::Bdf;

use super::{Method, Status};

/// A failed command.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CommandError {
    /// The way to the card failed.
    #[error("{address}: {action} failed")]
    Access {
        /// The function.
        address: Bdf,
        /// What was under way, as in "GET of MNVDA (0x9024)".
        action: String,
        /// What failed.
        #[source]
        source: AccessError,
    },
    /// The command interface refused the command.
    #[error("{address}: {action} was answered with: {status}")]
    Refused {
        /// The function.
        address: Bdf,
        /// What was asked.
        action: String,
        /// What came back.
        status: Status,
    },
    /// The register access was refused.
    #[error("{address}: {method} of {register} ({id:#06x}) was answered with: {status}")]
    Register {
        /// The function.
        address: Bdf,
        /// The register, as the source spells it.
        register: &'static str,
        /// Its id on this generation.
        id: u16,
        /// What was tried.
        method: Method,
        /// What came back.
        status: Status,
    },
    /// The register does not exist on this generation.
    #[error("{address}: {register} does not exist on the {interface:?} interface")]
    NotOnThisGeneration {
        /// The function.
        address: Bdf,
        /// What was asked for.
        register: &'static str,
        /// The card's interface.
        interface: FirmwareInterface,
    },
    /// An answer that does not have the form that the source describes.
    #[error("{address}: the answer to {what} is malformed: {detail}")]
    Malformed {
        /// The function.
        address: Bdf,
        /// What was asked.
        what: &'static str,
        /// Expected and found.
        detail: String,
    },
    /// The card is another one than its PCI id says, or its firmware is not up.
    #[error("{address}: {what}: expected {expected}, found {found}")]
    WrongCard {
        /// The function.
        address: Bdf,
        /// What was compared.
        what: &'static str,
        /// What the data files say.
        expected: String,
        /// What the card says.
        found: String,
    },
}

impl CommandError {
    /// The status that the card answered, if it answered.
    #[must_use]
    pub fn status(&self) -> Option<Status> {
        match self {
            Self::Refused { status, .. } | Self::Register { status, .. } => Some(*status),
            _ => None,
        }
    }

    /// The failed access behind it, if that is what failed.
    #[must_use]
    pub fn access(&self) -> Option<&AccessError> {
        match self {
            Self::Access { source, .. } => Some(source),
            _ => None,
        }
    }
}
