//! Read the settings of a card, port by port.

use crate::command::register::{DevCap, Mgir, Mnvqc, TypeDword, Which};
use crate::command::{CommandError, Session, Status};
use crate::hwdb::{
    Access, DefaultAt, DefaultOf, Field, FieldValue, FirmwareInterface, Limit, Requirement, Scope,
    SettingsFile, Tlv,
};

use super::answers::{Answer, Answers, answered, is_unknown_to_firmware};
use super::tlv_store::{self, Stored, TlvKey};
use super::{Availability, Detail, PortSettings, TlvReading, Wanted};

/// Reads what the card says of itself (MGIR). An older firmware may not know it.
///
/// # Errors
/// [`CommandError`] when the card cannot be reached.
pub fn read_identity(session: &mut Session<'_>) -> Result<Option<Mgir>, CommandError> {
    answered(session.get(&Mgir::default())).map(Result::ok)
}

/// Reads the ports of one card. What belongs to the whole card and what the card
/// can do is asked for once.
#[derive(Debug)]
pub struct CardReader<'a> {
    file: &'a SettingsFile,
    detail: Detail,
    wanted: Wanted<'a>,
    answers: Answers,
    ports: Vec<PortSettings>,
}

impl<'a> CardReader<'a> {
    /// A reader of a card with these TLVs.
    #[must_use]
    pub fn new(file: &'a SettingsFile, detail: Detail, wanted: Wanted<'a>) -> Self {
        Self {
            file,
            detail,
            wanted,
            answers: Answers::new(file),
            ports: Vec::new(),
        }
    }

    /// Reads a port through the function of the session.
    ///
    /// A TLV that the card refuses to read is noted with its status and does not
    /// hide the others.
    ///
    /// # Errors
    /// [`CommandError`] when the card cannot be reached or breaks off.
    pub fn read_port(&mut self, session: &mut Session<'_>, port: u8) -> Result<(), CommandError> {
        let mut settings = PortSettings {
            port,
            function: session.address(),
            interface: session.interface(),
            tlvs: Vec::new(),
            restricted: Vec::new(),
            limits: Vec::new(),
        };
        for tlv in self.file.tlv.iter().filter(|tlv| self.wanted.includes(tlv)) {
            match self.ports.first().filter(|_| tlv.scope == Scope::Card) {
                Some(first) => settings.copy(first, tlv),
                None => PortReader {
                    session,
                    port,
                    detail: self.detail,
                    answers: &mut self.answers,
                }
                .read(tlv, &mut settings)?,
            }
        }
        self.ports.push(settings);
        Ok(())
    }

    /// The ports that were read.
    #[must_use]
    pub fn finish(self) -> Vec<PortSettings> {
        self.ports
    }
}

impl PortSettings {
    /// Takes over what another port of the same card has of a TLV.
    fn copy(&mut self, other: &Self, tlv: &Tlv) {
        let is_of = |name: &str| tlv.field.iter().any(|field| field.name == name);
        let same = |reading: &&TlvReading| reading.tlv.name == tlv.name;
        self.tlvs.extend(other.tlvs.iter().find(same).cloned());
        let restricted = other.restricted.iter().filter(|(name, _)| is_of(name));
        self.restricted.extend(restricted.cloned());
        let limits = other.limits.iter().filter(|(name, _)| is_of(name));
        self.limits.extend(limits.cloned());
    }
}

/// Reads TLVs of one port.
struct PortReader<'a, 'b> {
    session: &'a mut Session<'b>,
    port: u8,
    detail: Detail,
    answers: &'a mut Answers,
}

impl PortReader<'_, '_> {
    fn read(&mut self, tlv: &Tlv, settings: &mut PortSettings) -> Result<(), CommandError> {
        let reading = self.tlv(tlv)?;
        for field in &tlv.field {
            let availability = self.availability(&reading, field)?;
            if availability != Availability::Offered {
                settings.restricted.push((field.name.clone(), availability));
            } else if let Some(limit) = &field.limit
                && let Some(limit) = self.limit(limit)?
            {
                settings.limits.push((field.name.clone(), limit));
            }
        }
        settings.tlvs.push(reading);
        Ok(())
    }

    fn tlv(&mut self, tlv: &Tlv) -> Result<TlvReading, CommandError> {
        let interface = self.session.interface();
        let port = match tlv.scope {
            Scope::Port => self.port,
            Scope::Card | Scope::Function => 0,
        };
        let key = TlvKey::of(interface, tlv, port);
        let everything = self.detail == Detail::Everything;
        let defaults = everything || self.detail == Detail::ForReset;
        let (writable, version) = match key {
            TlvKey::Mnvda(tlv_type) if self.needs_capabilities(tlv) => {
                self.query_capabilities(tlv_type)?
            }
            _ => (true, None),
        };
        let next = self.value(key, Which::Next, tlv)?;
        let unset = next == Ok(Stored::NotSet);
        let offers = match interface {
            FirmwareInterface::Icmd if defaults => self.answers.offers(self.session)?,
            _ => crate::command::register::Mnvgc::new(),
        };
        let known = next
            .as_ref()
            .err()
            .is_none_or(|status| !is_unknown_to_firmware(*status));
        let default = match interface {
            FirmwareInterface::ToolsHcr if unset || defaults => Some(self.hcr_default(tlv)?),
            // An unset TLV needs its default, whether or not MNVGC promises one.
            FirmwareInterface::Icmd
                if known && (unset || (defaults && offers.default_supported())) =>
            {
                Some(self.value(key, Which::Default, tlv)?)
            }
            _ => None,
        };
        let current = if known && everything && offers.current_supported() {
            Some(self.value(key, Which::Current, tlv)?)
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

    fn value(
        &mut self,
        key: TlvKey,
        which: Which,
        tlv: &Tlv,
    ) -> Result<Answer<Stored>, CommandError> {
        // Nobody puts back what can only be read.
        if let TlvKey::Mnvda(tlv_type) = key
            && (which, tlv.access) == (Which::Next, Access::ReadOnly)
            && self.answers.has_whole(tlv_type, tlv.length_bytes)
        {
            return self.answers.capability_tlv(self.session, tlv_type.0);
        }
        answered(tlv_store::read(self.session, key, which, tlv.length_bytes))
    }

    /// Whether MNVQC has to say if the TLV may be written, or of which version it is.
    fn needs_capabilities(&self, tlv: &Tlv) -> bool {
        let is_version =
            |requirement: &Requirement| matches!(requirement, Requirement::MnvqcVersion { .. });
        let may_change = tlv.access == Access::ReadWrite && self.detail != Detail::Everything;
        may_change
            || tlv
                .field
                .iter()
                .any(|field| field.requires.iter().any(is_version))
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
    fn hcr_default(&mut self, tlv: &Tlv) -> Result<Answer<Stored>, CommandError> {
        let dword: Box<dyn Fn(DefaultAt) -> Option<u32>> = if tlv.scope == Scope::Card {
            match self.answers.global(self.session)? {
                Ok(global) => Box::new(move |at| global.dword(at.dword)),
                Err(status) => return Ok(Err(status)),
            }
        } else {
            match self.answers.port(self.session, self.port)? {
                Ok(port) => Box::new(move |at| port.dword(at.dword)),
                Err(status) => return Ok(Err(status)),
            }
        };
        let answer = if tlv.scope == Scope::Card {
            DefaultOf::Card
        } else {
            DefaultOf::Port
        };
        let mut data = vec![0; usize::from(tlv.length_bytes)];
        for field in &tlv.field {
            let value = field
                .default
                .filter(|at| at.of == answer)
                .and_then(|at| Some(at.bits.get(dword(at)?)));
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
        Ok(match &reading.next {
            Err(status) if is_unknown_to_firmware(*status) => {
                refused(&format!("{} ({})", reading.tlv.name, reading.key), *status)
            }
            _ => Availability::Offered,
        })
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
            } => match self.answers.capability_tlv(self.session, *tlv_type)? {
                Ok(Stored::Set(data)) => {
                    let word = dword_of(&data, *dword).unwrap_or(0);
                    offered_by(Ok(*bit < 32 && word >> bit & 1 == 1), name)
                }
                Ok(Stored::NotSet) => {
                    Availability::Missing(format!("{name} is not known to the firmware"))
                }
                Err(status) => refused(name, status),
            },
            Requirement::DefParamsGlobal { dword, bit, name } => {
                let global = self.answers.global(self.session)?;
                let bit = global.map(|global| global.bit(*dword, *bit));
                offered_by(bit, &format!("{name} in QUERY_DEF_PARAMS"))
            }
            Requirement::DefParamsPort { dword, bit, name } => {
                let defaults = self.answers.port(self.session, self.port)?;
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
                let device = self.answers.device(self.session)?;
                let bit = device.map(|device| device.bit(DevCap::NV_CONFIG, nth));
                offered_by(bit, &format!("{name} in QUERY_DEV_CAP"))
            }
        })
    }

    /// How high a number may go; `None` where the card does not say.
    fn limit(&mut self, limit: &Limit) -> Result<Option<u32>, CommandError> {
        Ok(match limit {
            Limit::CapabilityTlv {
                tlv_type,
                dword,
                bits,
                valid_bit,
                ..
            } => match self.answers.capability_tlv(self.session, *tlv_type)? {
                Ok(Stored::Set(data)) => {
                    let counts = valid_bit.is_none_or(|bit| {
                        dword_of(&data, 0).is_some_and(|word| word >> bit & 1 == 1)
                    });
                    dword_of(&data, *dword)
                        .map(|word| limit.highest(bits.get(word)))
                        .filter(|_| counts)
                }
                _ => None,
            },
            Limit::DevCap { offset, bits, .. } => self
                .answers
                .device(self.session)?
                .ok()
                .and_then(|device| device.dword(*offset))
                .map(|word| limit.highest(bits.get(word))),
        })
    }
}

/// Whether a bit of an answer offers a setting.
fn offered_by(bit: Answer<bool>, name: &str) -> Availability {
    match bit {
        Ok(true) => Availability::Offered,
        Ok(false) => Availability::Missing(format!("{name} is 0")),
        Err(status) => refused(name, status),
    }
}

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

fn dword_of(data: &[u8], index: usize) -> Option<u32> {
    let bytes = data.get(index * 4..index * 4 + 4)?;
    Some(u32::from_be_bytes(bytes.try_into().ok()?))
}
