//! Read the boot settings of a port.

use crate::command::register::{
    DefParamsGlobal, DefParamsPort, DevCap, Mgir, Mnvgc, Mnvqc, TypeDword, Which,
};
use crate::command::{CommandError, Session, Status};
use crate::hwdb::{
    Access, DefaultAt, DefaultOf, Field, FieldValue, FirmwareInterface, Requirement, Scope,
    SettingsFile, Tlv,
};
use crate::pci::Bdf;

use super::tlv_store::{self, Stored, TlvKey};
use super::{Plan, Value, ValueOf};

/// How much is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Detail {
    /// What a change needs: next values, and defaults of what is not set.
    ForChange,
    /// Default, current and next of everything.
    Everything,
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
    restricted: Vec<(String, Availability)>,
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
        self.settings().find(|setting| {
            setting.field.name == name || setting.field.aliases.iter().any(|alias| alias == name)
        })
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
            let write = plan
                .writes
                .iter()
                .find(|write| write.function == self.function && write.key == reading.key);
            if let Some(write) = write {
                reading.next = Ok(Stored::Set(write.after.clone()));
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
        Some(Ok(Stored::Set(data))) => field.get(data).map_or(Value::NotOffered, Value::Is),
    }
}

/// Reads what the card says of itself (MGIR). An older firmware may not know it.
///
/// # Errors
/// [`CommandError`] when the card cannot be reached.
pub fn read_identity(session: &mut Session<'_>) -> Result<Option<Mgir>, CommandError> {
    answered(session.get(&Mgir::default())).map(Result::ok)
}

/// Reads the boot settings of a port through the function of the session.
///
/// A TLV that the card refuses to read is noted with its status and does not
/// hide the others.
///
/// # Errors
/// [`CommandError`] when the card cannot be reached or breaks off.
pub fn read_port(
    session: &mut Session<'_>,
    file: &SettingsFile,
    port: u8,
    detail: Detail,
) -> Result<PortSettings, CommandError> {
    let mut reader = Reader::new(session, port, detail)?;
    let mut tlvs = Vec::new();
    let mut restricted = Vec::new();
    for tlv in &file.tlv {
        let reading = reader.tlv(tlv)?;
        for field in &tlv.field {
            let availability = reader.availability(&reading, field)?;
            if availability != Availability::Offered {
                restricted.push((field.name.clone(), availability));
            }
        }
        tlvs.push(reading);
    }
    Ok(PortSettings {
        port,
        function: reader.session.address(),
        interface: reader.session.interface(),
        tlvs,
        restricted,
    })
}

/// A card's refusal is an answer; everything else breaks the reading off.
fn answered<T>(outcome: Result<T, CommandError>) -> Result<Result<T, Status>, CommandError> {
    match outcome {
        Ok(value) => Ok(Ok(value)),
        Err(error) => match error.status() {
            Some(status) => Ok(Err(status)),
            None => Err(error),
        },
    }
}

/// Reads the TLVs of one port and remembers what was already asked.
struct Reader<'a, 'b> {
    session: &'a mut Session<'b>,
    port: u8,
    detail: Detail,
    offers: Mnvgc,
    global: Option<Result<DefParamsGlobal, Status>>,
    defaults: Option<Result<DefParamsPort, Status>>,
    device: Option<Result<DevCap, Status>>,
    capabilities: Vec<(u32, Result<Stored, Status>)>,
}

impl<'a, 'b> Reader<'a, 'b> {
    fn new(session: &'a mut Session<'b>, port: u8, detail: Detail) -> Result<Self, CommandError> {
        let offers = match session.interface() {
            FirmwareInterface::Icmd if detail == Detail::Everything => {
                answered(session.get(&Mnvgc::new()))?.unwrap_or_default()
            }
            _ => Mnvgc::new(),
        };
        Ok(Self {
            session,
            port,
            detail,
            offers,
            global: None,
            defaults: None,
            device: None,
            capabilities: Vec::new(),
        })
    }

    fn tlv(&mut self, tlv: &Tlv) -> Result<TlvReading, CommandError> {
        let interface = self.session.interface();
        let port = match tlv.scope {
            Scope::Port => self.port,
            Scope::Card | Scope::Function => 0,
        };
        let key = TlvKey::of(interface, tlv, port);
        let may_change = tlv.access == Access::ReadWrite;
        let everything = self.detail == Detail::Everything;
        let (writable, version) = match key {
            TlvKey::Mnvda(tlv_type) if may_change => self.query_capabilities(tlv_type)?,
            _ => (true, None),
        };
        let next = answered(tlv_store::read(
            self.session,
            key,
            Which::Next,
            tlv.length_bytes,
        ))?;
        let unset = next == Ok(Stored::NotSet);
        let default = match interface {
            FirmwareInterface::ToolsHcr if unset || everything => Some(self.hcr_default(tlv)?),
            // An unset TLV needs its default, whether or not MNVGC promises one.
            FirmwareInterface::Icmd if unset || (everything && self.offers.default_supported()) => {
                Some(answered(tlv_store::read(
                    self.session,
                    key,
                    Which::Default,
                    tlv.length_bytes,
                ))?)
            }
            _ => None,
        };
        let current = if self.offers.current_supported() && everything {
            Some(answered(tlv_store::read(
                self.session,
                key,
                Which::Current,
                tlv.length_bytes,
            ))?)
        } else {
            None
        };
        Ok(TlvReading {
            tlv: tlv.clone(),
            key,
            next,
            default,
            current,
            writable,
            version,
        })
    }

    /// MNVQC: whether the TLV may be written, and its version.
    fn query_capabilities(
        &mut self,
        tlv_type: TypeDword,
    ) -> Result<(bool, Option<u8>), CommandError> {
        match self.session.get(&Mnvqc::ask(tlv_type)) {
            Ok(capabilities) => Ok((capabilities.writable, Some(capabilities.version))),
            // A firmware that does not know the TLV does not let it be written.
            Err(error) => match error.status() {
                Some(status) if is_unknown_to_firmware(status) => Ok((false, None)),
                _ => Err(error),
            },
        }
    }

    /// The default bytes of a ConnectX-3 TLV, put together from QUERY_DEF_PARAMS.
    fn hcr_default(&mut self, tlv: &Tlv) -> Result<Result<Stored, Status>, CommandError> {
        let of_card = tlv.scope == Scope::Card;
        let global = if of_card { Some(self.global()?) } else { None };
        let port = if of_card {
            None
        } else {
            Some(self.port_defaults()?)
        };
        if let Some(Err(status)) = global.as_ref().map(|answer| answer.as_ref().map(drop)) {
            return Ok(Err(*status));
        }
        if let Some(Err(status)) = port.as_ref().map(|answer| answer.as_ref().map(drop)) {
            return Ok(Err(*status));
        }
        let dword = |at: DefaultAt| match at.of {
            DefaultOf::Card => global.as_ref()?.as_ref().ok()?.dword(at.dword),
            DefaultOf::Port => port.as_ref()?.as_ref().ok()?.dword(at.dword),
        };
        let mut data = vec![0; usize::from(tlv.length_bytes)];
        for field in &tlv.field {
            let value = field.default.and_then(|at| Some(at.bits.get(dword(at)?)));
            // A default that the TLV cannot hold is none to build on.
            if value.is_some_and(|value| field.put(&mut data, &FieldValue::Number(value)).is_none())
            {
                return Ok(Ok(Stored::NotSet));
            }
        }
        Ok(Ok(Stored::Set(data)))
    }

    /// Whether the card offers a field: the first requirement that is not met.
    fn availability(
        &mut self,
        reading: &TlvReading,
        field: &Field,
    ) -> Result<Availability, CommandError> {
        for requirement in &field.requires {
            let availability = self.meets(reading, requirement)?;
            if availability != Availability::Offered {
                return Ok(availability);
            }
        }
        Ok(Availability::Offered)
    }

    fn meets(
        &mut self,
        reading: &TlvReading,
        requirement: &Requirement,
    ) -> Result<Availability, CommandError> {
        Ok(match requirement {
            Requirement::MnvqcVersion { at_least, name } => match reading.version {
                Some(version) if version >= *at_least => Availability::Offered,
                Some(version) => Availability::Missing(format!(
                    "{name} is needed, the firmware knows version {version}"
                )),
                None => Availability::Missing(format!("{name} is not known to the firmware")),
            },
            Requirement::CapabilityTlv {
                tlv_type,
                dword,
                bit,
                name,
            } => match self.capability_tlv(*tlv_type)? {
                Ok(Stored::Set(data)) if bit_of(&data, *dword, *bit) => Availability::Offered,
                Ok(Stored::Set(_)) => Availability::Missing(format!("{name} is 0")),
                Ok(Stored::NotSet) => {
                    Availability::Missing(format!("{name} is not known to the firmware"))
                }
                Err(status) => refused(name, status),
            },
            Requirement::DefParamsGlobal { dword, bit, name } => {
                let global = self.global()?;
                let bit = global.map(|global| global.bit(*dword, *bit));
                offered_by(bit, &format!("{name} in QUERY_DEF_PARAMS"))
            }
            Requirement::DefParamsPort { dword, bit, name } => {
                let defaults = self.port_defaults()?;
                let bit = defaults.map(|defaults| defaults.bit(*dword, *bit));
                offered_by(bit, &format!("{name} in QUERY_DEF_PARAMS of the port"))
            }
            Requirement::DevCap {
                bit,
                per_port,
                name,
            } => {
                let nth = if *per_port {
                    bit + self.port.saturating_sub(1)
                } else {
                    *bit
                };
                let capabilities = self.device_capabilities()?;
                let bit = capabilities.map(|capabilities| capabilities.bit(DevCap::NV_CONFIG, nth));
                offered_by(bit, &format!("{name} in QUERY_DEV_CAP"))
            }
        })
    }

    fn global(&mut self) -> Result<Result<DefParamsGlobal, Status>, CommandError> {
        if let Some(known) = &self.global {
            return Ok(known.clone());
        }
        let answer = answered(self.session.query_def_params_global())?;
        Ok(self.global.insert(answer).clone())
    }

    fn port_defaults(&mut self) -> Result<Result<DefParamsPort, Status>, CommandError> {
        if let Some(known) = &self.defaults {
            return Ok(known.clone());
        }
        let answer = answered(self.session.query_def_params_port(self.port))?;
        Ok(self.defaults.insert(answer).clone())
    }

    fn device_capabilities(&mut self) -> Result<Result<DevCap, Status>, CommandError> {
        if let Some(known) = &self.device {
            return Ok(known.clone());
        }
        let answer = answered(self.session.query_dev_cap())?;
        Ok(self.device.insert(answer).clone())
    }

    /// What the card answers for a capability TLV.
    fn capability_tlv(&mut self, tlv_type: u32) -> Result<Result<Stored, Status>, CommandError> {
        if let Some((_, known)) = self.capabilities.iter().find(|(key, _)| *key == tlv_type) {
            return Ok(known.clone());
        }
        let key = TlvKey::Mnvda(TypeDword(tlv_type));
        let answer = answered(tlv_store::read(self.session, key, Which::Next, 4))?;
        self.capabilities.push((tlv_type, answer.clone()));
        Ok(answer)
    }
}

/// Whether a bit of an answer offers a setting.
fn offered_by(bit: Result<bool, Status>, name: &str) -> Availability {
    match bit {
        Ok(true) => Availability::Offered,
        Ok(false) => Availability::Missing(format!("{name} is 0")),
        Err(status) => refused(name, status),
    }
}

/// A status by which a firmware says that it does not know what it was asked for
/// is an answer; every other one leaves the question open.
fn refused(name: &str, status: Status) -> Availability {
    if is_unknown_to_firmware(status) {
        Availability::Missing(format!("{name} is not known to the firmware ({status})"))
    } else {
        Availability::Refused {
            what: name.to_owned(),
            status,
        }
    }
}

fn is_unknown_to_firmware(status: Status) -> bool {
    matches!(
        status,
        Status::BadOpcode
            | Status::UnknownTlv
            | Status::RegisterNotSupported
            | Status::ClassNotSupported
            | Status::MethodNotSupported
            | Status::VersionNotSupported
            | Status::ResourceNotAvailable
            | Status::BadParameter
    )
}

fn bit_of(data: &[u8], dword: usize, bit: u8) -> bool {
    data.get(dword * 4..dword * 4 + 4)
        .and_then(|bytes| Some(u32::from_be_bytes(bytes.try_into().ok()?)))
        .is_some_and(|word| bit < 32 && word >> bit & 1 == 1)
}
