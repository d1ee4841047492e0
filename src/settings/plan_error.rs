//! Why a change cannot be planned.

use crate::command::Status;
use crate::pci::Bdf;

use super::TlvKey;

/// Why a wish cannot be planned.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PlanError {
    /// The card has no such port.
    #[error("{}the card has no port {port}, only {}", at(.function), list(.ports))]
    NoSuchPort {
        /// A function of the card.
        function: Option<Bdf>,
        /// The port that was asked for.
        port: u8,
        /// The ports that it has.
        ports: Vec<u8>,
    },
    /// No such setting on this generation.
    #[error("there is no setting {setting} on this card")]
    UnknownSetting {
        /// Its name.
        setting: String,
    },
    /// The card does not offer the setting.
    #[error("{function}: the card does not offer {setting}: {missing}")]
    NotOffered {
        /// The function.
        function: Bdf,
        /// The setting.
        setting: String,
        /// What is missing.
        missing: String,
    },
    /// The card refused to say whether it offers the setting.
    #[error(
        "{function}: whether the card offers {setting} cannot be told: reading {what} was answered with: {status}"
    )]
    CapabilityUnreadable {
        /// The function.
        function: Bdf,
        /// The setting.
        setting: String,
        /// What was read.
        what: String,
        /// What the card answered.
        status: Status,
    },
    /// The setting can only be read.
    #[error("{function}: {setting} can only be read: {reason}")]
    ReadOnly {
        /// The function.
        function: Bdf,
        /// The setting.
        setting: String,
        /// Who says so.
        reason: String,
    },
    /// The value is not one that the source defines for this generation.
    #[error("{value} is not a legal value of {setting} on this card: allowed is {allowed}")]
    IllegalValue {
        /// The setting.
        setting: String,
        /// The value.
        value: String,
        /// What is allowed, in words.
        allowed: String,
    },
    /// The number is higher than the card says that it may be.
    #[error("{function}: {setting} can be at most {limit} on this card, not {value}")]
    AboveLimit {
        /// The function.
        function: Bdf,
        /// The setting.
        setting: String,
        /// The value.
        value: u32,
        /// The highest that the card takes.
        limit: u32,
    },
    /// Two wishes for one setting.
    #[error("{setting} of port {port} shall be both {first} and {second}")]
    Contradiction {
        /// The port, 0 for the card.
        port: u8,
        /// The setting.
        setting: String,
        /// The one wish.
        first: String,
        /// The other.
        second: String,
    },
    /// The card refused to read the TLV.
    #[error("{function}: port {port}: reading {tlv} ({key}) was answered with: {status}")]
    Unreadable {
        /// The function.
        function: Bdf,
        /// The port.
        port: u8,
        /// The TLV.
        tlv: String,
        /// The card's name for it.
        key: TlvKey,
        /// What the card answered.
        status: Status,
    },
    /// The TLV is not set and its defaults cannot be read.
    #[error("{function}: port {port}: {tlv} ({key}) is not set and the card does not say its defaults{}", because(.status))]
    NoDefaults {
        /// The function.
        function: Bdf,
        /// The port.
        port: u8,
        /// The TLV.
        tlv: String,
        /// The card's name for it.
        key: TlvKey,
        /// What the card answered when asked for them.
        status: Option<Status>,
    },
    /// The TLV has another length than the data files say.
    #[error("{function}: port {port}: {tlv} ({key}) has {found} bytes, expected {expected}")]
    UnexpectedLength {
        /// The function.
        function: Bdf,
        /// The port.
        port: u8,
        /// The TLV.
        tlv: String,
        /// The card's name for it.
        key: TlvKey,
        /// Length in the data files, bytes.
        expected: u16,
        /// Length on the card, bytes.
        found: usize,
    },
    /// A value is stored that the source does not define.
    #[error(
        "{function}: port {port}: {setting} in {tlv} ({key}) holds {value}, which no source defines"
    )]
    ReservedValue {
        /// The function.
        function: Bdf,
        /// The port.
        port: u8,
        /// The setting.
        setting: String,
        /// The TLV.
        tlv: String,
        /// The card's name for it.
        key: TlvKey,
        /// What is stored.
        value: String,
    },
}

impl PlanError {
    /// The setting that it is about, where it is about one.
    #[must_use]
    pub fn setting(&self) -> Option<&str> {
        match self {
            Self::UnknownSetting { setting }
            | Self::NotOffered { setting, .. }
            | Self::CapabilityUnreadable { setting, .. }
            | Self::ReadOnly { setting, .. }
            | Self::IllegalValue { setting, .. }
            | Self::AboveLimit { setting, .. }
            | Self::Contradiction { setting, .. }
            | Self::ReservedValue { setting, .. } => Some(setting),
            _ => None,
        }
    }
}

fn at(function: &Option<Bdf>) -> String {
    function.map_or_else(String::new, |function| format!("{function}: "))
}

fn list(ports: &[u8]) -> String {
    let words: Vec<String> = ports.iter().map(u8::to_string).collect();
    words.join(" and ")
}

fn because(status: &Option<Status>) -> String {
    status.map_or_else(String::new, |status| format!(" (answered with: {status})"))
}
