//! The settings of a port as they were read.

use crate::command::Status;
use crate::hwdb::{Field, FirmwareInterface, Scope, Tlv};
use crate::pci::Bdf;

use super::tlv_store::{Stored, TlvKey};
use super::{Plan, Value, ValueOf};

/// How much of a TLV is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Detail {
    /// What a change needs: next values, and defaults of what is not set.
    ForChange,
    /// What a reset needs: next values and defaults.
    ForReset,
    /// Default, current and next of everything.
    Everything,
}

/// Which TLVs are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted<'a> {
    /// All that the data files know.
    All,
    /// Those that hold these settings.
    Holding(&'a [&'a str]),
}

impl Wanted<'_> {
    /// Whether a TLV is one of them.
    #[must_use]
    pub fn includes(self, tlv: &Tlv) -> bool {
        match self {
            Self::All => true,
            Self::Holding(names) => tlv
                .field
                .iter()
                .any(|field| names.iter().any(|name| field.is_called(name))),
        }
    }
}

/// One TLV of a port as the card answered it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlvReading {
    /// What it is.
    pub tlv: Tlv,
    /// The card's name for this instance.
    pub key: TlvKey,
    /// Next value, or the status with which the card refused.
    pub next: Result<Stored, Status>,
    /// The default, as the TLV's bytes; `None` when it was not asked for.
    pub default: Option<Result<Stored, Status>>,
    /// The current value; `None` when the card does not offer it.
    pub current: Option<Result<Stored, Status>>,
    /// Whether the firmware lets it be written (MNVQC); true where nobody says.
    pub writable: bool,
    /// The version that the firmware knows (MNVQC); `None` where nobody says.
    pub version: Option<u8>,
}

/// Whether the card offers a setting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Availability {
    /// It does.
    Offered,
    /// It does not: this is missing.
    Missing(String),
    /// The card refused to say.
    Refused {
        /// What it was asked for.
        what: String,
        /// What it answered.
        status: Status,
    },
}

/// The boot settings of one port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PortSettings {
    /// The port, counted from 1.
    pub port: u8,
    /// The PCI function through which it is reached.
    pub function: Bdf,
    /// The card's firmware interface.
    pub interface: FirmwareInterface,
    /// Its TLVs.
    pub tlvs: Vec<TlvReading>,
    /// Settings that are not simply offered.
    pub(super) restricted: Vec<(String, Availability)>,
    /// How high numbers may go, where the card says it.
    pub(super) limits: Vec<(String, u32)>,
}

/// A setting of a port with its field and values.
#[derive(Clone, Debug)]
pub struct SettingValue<'a> {
    /// The TLV that holds it.
    pub reading: &'a TlvReading,
    /// The field.
    pub field: &'a Field,
    /// Its values.
    pub values: ValueOf,
}

impl PortSettings {
    /// The setting of this name (or alias), whether or not the card offers it.
    #[must_use]
    pub fn setting(&self, name: &str) -> Option<SettingValue<'_>> {
        self.settings()
            .find(|setting| setting.field.is_called(name))
    }

    /// All settings that the data files know for this port.
    pub fn settings(&self) -> impl Iterator<Item = SettingValue<'_>> {
        self.tlvs.iter().flat_map(|reading| {
            reading.tlv.field.iter().map(move |field| SettingValue {
                reading,
                field,
                values: ValueOf {
                    default: value_in(field, reading.default.as_ref()),
                    current: value_in(field, reading.current.as_ref()),
                    next: value_in(field, Some(&reading.next)),
                },
            })
        })
    }

    /// How high this number may go, where the card says it.
    #[must_use]
    pub fn limit(&self, name: &str) -> Option<u32> {
        let (_, limit) = self.limits.iter().find(|(setting, _)| setting == name)?;
        Some(*limit)
    }

    /// Whether the card offers this setting.
    #[must_use]
    pub fn availability(&self, name: &str) -> Availability {
        self.restricted
            .iter()
            .find(|(setting, _)| setting == name)
            .map_or(Availability::Offered, |(_, availability)| {
                availability.clone()
            })
    }

    /// The same port as it will be when the plan is carried out.
    #[must_use]
    pub fn after(&self, plan: &Plan) -> Self {
        let mut after = self.clone();
        for reading in &mut after.tlvs {
            // What belongs to the card is written through one of its functions.
            let of_card = reading.tlv.scope == Scope::Card;
            let write = plan.writes.iter().find(|write| {
                write.key == reading.key && (of_card || write.function == self.function)
            });
            if let Some(write) = write {
                reading.next = Ok(write.after.clone());
            }
        }
        after
    }

    /// The number that the next boot will use for a setting.
    #[must_use]
    pub fn effective(&self, name: &str) -> Option<u32> {
        self.setting(name)?.values.effective()?.number()
    }
}

fn value_in(field: &Field, stored: Option<&Result<Stored, Status>>) -> Value {
    match stored {
        None => Value::NotOffered,
        Some(Err(status)) => Value::Refused(*status),
        Some(Ok(Stored::NotSet)) => Value::NotSet,
        // A value that does not count is like none.
        Some(Ok(Stored::Set(data))) if !field.is_valid(data) => Value::NotSet,
        Some(Ok(Stored::Set(data))) => field.get(data).map_or(Value::NotOffered, Value::Is),
    }
}
