//! What a backup holds.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::command::register::TlvHeader;
use crate::hwdb::{FirmwareInterface, SettingsFile, Tlv};
use crate::pci::Bdf;
use crate::settings::{CardIdentity, TlvKey};

/// Class of a ConnectX-4 TLV that belongs to the function it is read through.
const CLASS_HOST: u32 = 3;
/// Class of a ConnectX-4 TLV that belongs to a port.
const CLASS_PORT: u32 = 1;
/// Host and function in the type of a TLV of class 3.
const HOST_AND_FUNCTION: u32 = 0x00ff_fc00;

/// All settings that a card has stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Backup {
    /// When it was made, seconds since 1970.
    pub created_unix: u64,
    /// By what: `flexctl 0.1.0`.
    pub created_by: String,
    /// How the TLVs were found.
    pub found_by: FoundBy,
    /// Whose settings they are.
    pub card: BackupCard,
    /// What is set.
    pub tlvs: Vec<BackupTlv>,
    /// What is set, or may be, and is not in here.
    pub omitted: Vec<Omitted>,
}

/// How the TLVs of a backup were found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FoundBy {
    /// The card named everything that is set (MNVGN).
    Walk,
    /// Those that flexctl knows were asked for: there may be more.
    Asking,
}

/// Whose settings a backup holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BackupCard {
    /// Model and board.
    pub identity: CardIdentity,
    /// Firmware version, where the card says it.
    pub firmware: Option<String>,
    /// Address of its first function.
    pub address: Bdf,
    /// The functions that were read, by number.
    pub functions: Vec<u8>,
}

/// One TLV that is set.
#[derive(Clone, PartialEq, Eq)]
pub struct BackupTlv {
    /// The PCI function through which it was read.
    pub function: u8,
    /// The port that it belongs to, counted from 1; 0 for the card or function.
    pub port: u8,
    /// The card's name for it.
    pub key: TlvKey,
    /// Its name in the data files, where they know it.
    pub name: Option<String>,
    /// Its bytes.
    pub data: Vec<u8>,
    /// Who wrote it, where the card says so.
    pub header: Option<TlvHeader>,
    /// Whether it must not be shown.
    pub secret: bool,
}

impl fmt::Debug for BackupTlv {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("BackupTlv");
        debug
            .field("function", &self.function)
            .field("port", &self.port)
            .field("key", &self.key.to_string())
            .field("name", &self.name);
        if self.secret {
            debug.field("data", &"(hidden)");
        } else {
            debug.field("data", &self.data);
        }
        debug.field("header", &self.header).finish()
    }
}

/// A TLV that is left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Omitted {
    /// The PCI function.
    pub function: u8,
    /// The port, 0 for the card or function.
    pub port: u8,
    /// The card's name for it.
    pub key: TlvKey,
    /// Its name in the data files, where they know it.
    pub name: Option<String>,
    /// The settings that are in it.
    pub settings: Vec<String>,
    /// Why.
    pub because: OmittedBecause,
}

/// Why a TLV is left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OmittedBecause {
    /// It holds a secret that nobody asked for.
    Secret,
    /// The card refused to read it, in these words.
    Unreadable(String),
}

/// What tells one TLV of a card from all others.
pub(super) type Place = (Option<u8>, TlvKey);

impl BackupTlv {
    pub(super) fn place(&self) -> Place {
        place(self.function, self.key)
    }
}

impl Omitted {
    pub(super) fn place(&self) -> Place {
        place(self.function, self.key)
    }
}

/// A TLV of class 3 is one for every function; others are the same through all.
pub(super) fn place(function: u8, key: TlvKey) -> Place {
    (is_per_function(key).then_some(function), key)
}

pub(super) fn is_per_function(key: TlvKey) -> bool {
    matches!(key, TlvKey::Mnvda(kind) if kind.0 >> 24 == CLASS_HOST)
}

/// The port that is part of a key; 0 where there is none.
pub(super) fn port_in(key: TlvKey) -> u8 {
    match key {
        TlvKey::Mnva(key) => key.type_mod,
        TlvKey::Mnvda(kind) if kind.0 >> 24 == CLASS_PORT => {
            kind.0.to_be_bytes().get(1).copied().unwrap_or_default()
        }
        TlvKey::Mnvda(_) => 0,
    }
}

pub(super) fn interface_of(key: TlvKey) -> FirmwareInterface {
    match key {
        TlvKey::Mnva(_) => FirmwareInterface::ToolsHcr,
        TlvKey::Mnvda(_) => FirmwareInterface::Icmd,
    }
}

/// The record that describes a TLV, where there is one.
pub(super) fn record_of(file: &SettingsFile, key: TlvKey) -> Option<&Tlv> {
    let port = port_in(key);
    let plain = match key {
        TlvKey::Mnvda(mut kind) if is_per_function(key) => {
            kind.0 &= !HOST_AND_FUNCTION;
            TlvKey::Mnvda(kind)
        }
        _ => key,
    };
    if file.interface != interface_of(key) {
        return None;
    }
    file.tlv
        .iter()
        .find(|tlv| TlvKey::of(file.interface, tlv, port) == plain)
}

/// A version as the card says it; nothing where it says zeros.
pub(super) fn version_text(version: [u32; 3]) -> Option<String> {
    let [major, minor, sub] = version;
    (version != [0; 3]).then(|| format!("{major}.{minor}.{sub}"))
}

impl BackupCard {
    /// What a card says of itself, for its backup.
    #[must_use]
    pub fn new(identity: CardIdentity, firmware: [u32; 3], address: Bdf) -> Self {
        Self {
            identity,
            firmware: version_text(firmware),
            address,
            functions: Vec::new(),
        }
    }
}
