//! One TLV of a card: read, store, delete, on either generation.

use std::fmt;

use crate::command::register::{Mnva, MnvaKey, Mnvda, Mnvdi, TlvHeader, TypeDword, Which};
use crate::command::{CommandError, Session, Status};
use crate::hwdb::{FirmwareInterface, Tlv, TlvClass};

/// The name by which the card knows a TLV.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TlvKey {
    /// ConnectX-3.
    Mnva(MnvaKey),
    /// ConnectX-4.
    Mnvda(TypeDword),
}

impl TlvKey {
    /// The instance of `tlv` that belongs to `port` (0 for the card).
    #[must_use]
    pub fn of(interface: FirmwareInterface, tlv: &Tlv, port: u8) -> Self {
        let id = low_half(tlv.tlv_type);
        match interface {
            FirmwareInterface::ToolsHcr => Self::Mnva(MnvaKey {
                tlv_type: id,
                type_mod: port,
            }),
            FirmwareInterface::Icmd => Self::Mnvda(match tlv.class {
                Some(TlvClass::Port) => TypeDword::port(port, id),
                Some(TlvClass::Host) => TypeDword::host(id),
                Some(TlvClass::Pci) => TypeDword::pci(tlv.tlv_type),
                Some(TlvClass::Global) | None => TypeDword::global(tlv.tlv_type),
            }),
        }
    }
}

impl TlvKey {
    /// Whether it means another instance through every PCI function.
    #[must_use]
    pub fn is_of_function(&self) -> bool {
        match self {
            Self::Mnva(_) => false,
            Self::Mnvda(key) => key.0 >> 24 == TlvClass::Host.code(),
        }
    }
}

impl fmt::Display for TlvKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Mnva(key) => key.fmt(f),
            Self::Mnvda(key) => key.fmt(f),
        }
    }
}

/// What the card holds for a TLV.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stored {
    /// These bytes.
    Set(Vec<u8>),
    /// Nothing: the defaults hold (status 8).
    NotSet,
}

impl fmt::Display for Stored {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Set(data) => data.iter().try_for_each(|byte| write!(f, "{byte:02x}")),
            Self::NotSet => f.write_str("not set"),
        }
    }
}

/// What a card holds, for messages: a secret is hidden.
#[derive(Clone, PartialEq, Eq)]
pub struct Shown {
    stored: Stored,
    secret: bool,
}

impl Shown {
    /// What is held, and whether it may be shown.
    #[must_use]
    pub fn new(stored: Stored, secret: bool) -> Self {
        Self { stored, secret }
    }

    /// What is held.
    #[must_use]
    pub fn stored(&self) -> &Stored {
        &self.stored
    }
}

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.stored {
            Stored::Set(_) if self.secret => f.write_str("(hidden)"),
            stored => stored.fmt(f),
        }
    }
}

impl fmt::Debug for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The longest TLV, in bytes.
const LONGEST: u16 = 256;

/// Reads a TLV.
///
/// `length_bytes` is how much is expected; the answer may be of another length.
pub(super) fn read(
    session: &mut Session<'_>,
    key: TlvKey,
    which: Which,
    length_bytes: u16,
) -> Result<Stored, CommandError> {
    match ask(session, key, which, length_bytes)? {
        // More is there than was asked for: what is put back later has to be whole.
        Some((reported, _)) if reported > length_bytes && reported <= LONGEST => {
            read(session, key, which, reported)
        }
        answer => Ok(stored(answer)),
    }
}

/// Reads the first `length_bytes` of a TLV that nobody puts back.
pub(super) fn read_beginning(
    session: &mut Session<'_>,
    key: TlvKey,
    which: Which,
    length_bytes: u16,
) -> Result<Stored, CommandError> {
    ask(session, key, which, length_bytes).map(stored)
}

fn stored(answer: Option<(u16, Vec<u8>)>) -> Stored {
    answer.map_or(Stored::NotSet, |(_, data)| Stored::Set(data))
}

/// The length that a TLV has and its first `length_bytes`; `None` when it is not set.
fn ask(
    session: &mut Session<'_>,
    key: TlvKey,
    which: Which,
    length_bytes: u16,
) -> Result<Option<(u16, Vec<u8>)>, CommandError> {
    let answer = match key {
        TlvKey::Mnva(key) => session.get(&Mnva::ask(key, length_bytes)).map(|tlv| {
            let reported = tlv.length_bytes();
            (reported, tlv.data().to_vec())
        }),
        TlvKey::Mnvda(key) => session
            .get(&Mnvda::ask(key, which, length_bytes))
            .map(|tlv| (tlv.length_bytes(), tlv.data().to_vec())),
    };
    match answer {
        Ok(answer) => Ok(Some(answer)),
        Err(error) if error.status() == Some(Status::ResourceNotAvailable) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Stores a TLV.
pub(super) fn write(
    session: &mut Session<'_>,
    key: TlvKey,
    data: &[u8],
    header: Option<TlvHeader>,
) -> Result<(), CommandError> {
    match key {
        TlvKey::Mnva(key) => {
            let tlv = Mnva::store(key, data.to_vec());
            session.set(&match header {
                Some(header) => tlv.of_version(header.version),
                None => tlv,
            })
        }
        TlvKey::Mnvda(key) => {
            let header = header.unwrap_or(TlvHeader::OURS);
            session.set(&Mnvda::store_as(key, data.to_vec(), header))
        }
    }
}

/// Whether a single TLV can be deleted again on this generation.
pub(super) fn can_delete(key: TlvKey) -> bool {
    matches!(key, TlvKey::Mnvda(_))
}

/// Deletes a TLV. Only where [`can_delete`].
pub(super) fn delete(session: &mut Session<'_>, key: TlvKey) -> Result<(), CommandError> {
    match key {
        TlvKey::Mnvda(tlv_type) => session.set(&Mnvdi { tlv_type }),
        TlvKey::Mnva(_) => Err(CommandError::NotOnThisGeneration {
            address: session.address(),
            register: "MNVDI",
            interface: FirmwareInterface::ToolsHcr,
        }),
    }
}

fn low_half(number: u32) -> u16 {
    u16::try_from(number & 0xffff).unwrap_or(0)
}
