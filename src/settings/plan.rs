//! Plan a change: pure, from what was read to what would be written.

use crate::command::Status;
use crate::hwdb::{Access, Applies, FieldValue};
use crate::pci::Bdf;

use super::tlv_store::{Stored, TlvKey};
use super::{Availability, PortSettings, TlvReading};

/// A wish: this setting of this port shall have this value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assignment {
    /// The port, counted from 1.
    pub port: u8,
    /// The setting's name.
    pub setting: String,
    /// The value.
    pub value: FieldValue,
}

/// What to do about a reserved value that is stored already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reserved {
    /// Refuse.
    Refuse,
    /// Keep it, or replace it where a wish says so.
    Allow,
}

/// What a changed TLV is built on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Base {
    /// The bytes that the card has stored.
    Stored,
    /// The card's defaults, because the TLV is not set.
    Defaults,
}

/// One setting that changes or stays.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The port, counted from 1.
    pub port: u8,
    /// The function through which it is written.
    pub function: Bdf,
    /// The setting's name.
    pub setting: String,
    /// What the next boot would use now.
    pub from: FieldValue,
    /// The same for people.
    pub from_text: String,
    /// Whether `from` is stored or the card's default.
    pub from_base: Base,
    /// What the next boot shall use.
    pub to: FieldValue,
    /// The same for people.
    pub to_text: String,
    /// When it takes effect.
    pub applies: Applies,
}

impl Change {
    /// Whether anything changes.
    #[must_use]
    pub fn is_change(&self) -> bool {
        self.from != self.to
    }
}

/// One TLV that will be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlvWrite {
    /// The function through which it is written.
    pub function: Bdf,
    /// The port that it belongs to.
    pub port: u8,
    /// Its name in the data files.
    pub name: String,
    /// The card's name for it.
    pub key: TlvKey,
    /// What the card held when it was read.
    pub before: Stored,
    /// What the new bytes are built on.
    pub base: Vec<u8>,
    /// The new bytes.
    pub after: Vec<u8>,
}

/// What will be done. The same value is printed, applied and reported.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// The TLVs to write, in order. Empty when nothing is to be done.
    pub writes: Vec<TlvWrite>,
    /// Every wish, with what it changes.
    pub changes: Vec<Change>,
}

impl Plan {
    /// Whether there is nothing to do.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.writes.is_empty()
    }
}

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
    /// The number is not one that the source defines.
    #[error("{value} is not a legal value of {setting}")]
    IllegalValue {
        /// The setting.
        setting: String,
        /// The value.
        value: String,
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

/// Plans the wishes against what was read.
///
/// All of them are checked before anything is planned; wishes for the same TLV
/// become one write. Bits that no wish names keep their value.
///
/// # Errors
/// The first [`PlanError`]; then nothing is to be written at all.
pub fn plan(
    ports: &[PortSettings],
    wishes: &[Assignment],
    reserved: Reserved,
) -> Result<Plan, PlanError> {
    let mut plan = Plan::default();
    for wish in wishes {
        let port = ports
            .iter()
            .find(|settings| settings.port == wish.port)
            .ok_or_else(|| PlanError::NoSuchPort {
                function: ports.first().map(|settings| settings.function),
                port: wish.port,
                ports: ports.iter().map(|settings| settings.port).collect(),
            })?;
        plan_one(&mut plan, port, wish, reserved)?;
    }
    plan.writes.retain(|write| write.base != write.after);
    Ok(plan)
}

fn plan_one(
    plan: &mut Plan,
    port: &PortSettings,
    wish: &Assignment,
    reserved: Reserved,
) -> Result<(), PlanError> {
    let setting = port
        .setting(&wish.setting)
        .ok_or_else(|| PlanError::UnknownSetting {
            setting: wish.setting.clone(),
        })?;
    let (field, reading) = (setting.field, setting.reading);
    let (function, name) = (port.function, field.name.clone());
    match port.availability(&field.name) {
        Availability::Offered => {}
        Availability::Missing(missing) => {
            return Err(PlanError::NotOffered {
                function,
                setting: name,
                missing,
            });
        }
        Availability::Refused { what, status } => {
            return Err(PlanError::CapabilityUnreadable {
                function,
                setting: name,
                what,
                status,
            });
        }
    }
    if let Some(reason) = read_only(reading) {
        return Err(PlanError::ReadOnly {
            function: port.function,
            setting: field.name.clone(),
            reason: reason.to_owned(),
        });
    }
    let illegal = || PlanError::IllegalValue {
        setting: field.name.clone(),
        value: field.describe(&wish.value),
    };
    if !field.is_legal(&wish.value) {
        return Err(illegal());
    }
    let (base_kind, base) = base(port, reading)?;
    if reserved == Reserved::Refuse {
        refuse_reserved(port, reading, &base)?;
    }
    let at = plan
        .writes
        .iter()
        .position(|write| write.key == reading.key && write.function == port.function);
    let at = at.unwrap_or_else(|| {
        plan.writes.push(TlvWrite {
            function: port.function,
            port: port.port,
            name: reading.tlv.name.clone(),
            key: reading.key,
            before: reading.next.clone().unwrap_or(Stored::NotSet),
            after: base.clone(),
            base,
        });
        plan.writes.len() - 1
    });
    let write = &mut plan.writes[at];
    let from = field.get(&write.base).ok_or_else(illegal)?;
    field
        .put(&mut write.after, &wish.value)
        .ok_or_else(illegal)?;
    plan.changes.push(Change {
        port: port.port,
        function: port.function,
        setting: field.name.clone(),
        from_text: field.describe(&from),
        from,
        from_base: base_kind,
        to: wish.value.clone(),
        to_text: field.describe(&wish.value),
        applies: reading.tlv.applies,
    });
    Ok(())
}

fn read_only(reading: &TlvReading) -> Option<&'static str> {
    if reading.tlv.access == Access::ReadOnly {
        Some("flexctl does not write it")
    } else if !reading.writable {
        Some("the firmware does not let it be written (MNVQC)")
    } else {
        None
    }
}

/// The bytes that a change is built on.
fn base(port: &PortSettings, reading: &TlvReading) -> Result<(Base, Vec<u8>), PlanError> {
    let (function, tlv, key) = (port.function, reading.tlv.name.clone(), reading.key);
    let port = port.port;
    let no_defaults = |status| PlanError::NoDefaults {
        function,
        port,
        tlv: tlv.clone(),
        key,
        status,
    };
    let (kind, data) = match (&reading.next, &reading.default) {
        (Ok(Stored::Set(data)), _) => (Base::Stored, data),
        (Ok(Stored::NotSet), Some(Ok(Stored::Set(data)))) => (Base::Defaults, data),
        (Ok(Stored::NotSet), Some(Err(status))) => return Err(no_defaults(Some(*status))),
        (Ok(Stored::NotSet), _) => return Err(no_defaults(None)),
        (Err(status), _) => {
            return Err(PlanError::Unreadable {
                function,
                port,
                tlv,
                key,
                status: *status,
            });
        }
    };
    if data.len() == usize::from(reading.tlv.length_bytes) {
        Ok((kind, data.clone()))
    } else {
        Err(PlanError::UnexpectedLength {
            function,
            port,
            tlv,
            key,
            expected: reading.tlv.length_bytes,
            found: data.len(),
        })
    }
}

fn refuse_reserved(
    port: &PortSettings,
    reading: &TlvReading,
    data: &[u8],
) -> Result<(), PlanError> {
    for field in &reading.tlv.field {
        match field.get(data) {
            Some(value) if !field.is_legal(&value) => {
                return Err(PlanError::ReservedValue {
                    function: port.function,
                    port: port.port,
                    setting: field.name.clone(),
                    tlv: reading.tlv.name.clone(),
                    key: reading.key,
                    value: field.describe(&value),
                });
            }
            _ => {}
        }
    }
    Ok(())
}
