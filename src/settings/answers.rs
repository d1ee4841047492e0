//! What a card was asked once and need not be asked again.

use crate::command::register::{DefParamsGlobal, DefParamsPort, DevCap, Mnvgc, TypeDword, Which};
use crate::command::{CommandError, Session, Status};
use crate::hwdb::{Limit, Requirement, SettingsFile, TlvClass};
use crate::pci::Bdf;

use super::tlv_store::{self, Stored, TlvKey};

/// What the card answered, or the status with which it refused.
pub(super) type Answer<T> = Result<T, Status>;

/// Capabilities and defaults of a card, each asked for once.
#[derive(Debug)]
pub(super) struct Answers {
    offers: Option<Mnvgc>,
    global: Option<Answer<DefParamsGlobal>>,
    device: Option<Answer<DevCap>>,
    ports: Vec<(u8, Answer<DefParamsPort>)>,
    capabilities: Vec<(Bdf, u32, Answer<Stored>)>,
    /// How much of a capability TLV matters, in bytes.
    lengths: Vec<(u32, u16)>,
}

impl Answers {
    pub(super) fn new(file: &SettingsFile) -> Self {
        Self {
            offers: None,
            global: None,
            device: None,
            ports: Vec::new(),
            capabilities: Vec::new(),
            lengths: capability_lengths(file),
        }
    }

    /// MNVGC: which values can be asked for.
    pub(super) fn offers(&mut self, session: &mut Session<'_>) -> Result<Mnvgc, CommandError> {
        if let Some(known) = self.offers {
            return Ok(known);
        }
        let answer = answered(session.get(&Mnvgc::new()))?.unwrap_or_default();
        Ok(*self.offers.insert(answer))
    }

    /// QUERY_DEF_PARAMS of the card.
    pub(super) fn global(
        &mut self,
        session: &mut Session<'_>,
    ) -> Result<Answer<DefParamsGlobal>, CommandError> {
        if let Some(known) = &self.global {
            return Ok(known.clone());
        }
        let answer = answered(session.query_def_params_global())?;
        Ok(self.global.insert(answer).clone())
    }

    /// QUERY_DEF_PARAMS of a port.
    pub(super) fn port(
        &mut self,
        session: &mut Session<'_>,
        port: u8,
    ) -> Result<Answer<DefParamsPort>, CommandError> {
        if let Some((_, known)) = self.ports.iter().find(|(number, _)| *number == port) {
            return Ok(known.clone());
        }
        let answer = answered(session.query_def_params_port(port))?;
        self.ports.push((port, answer.clone()));
        Ok(answer)
    }

    /// QUERY_DEV_CAP.
    pub(super) fn device(
        &mut self,
        session: &mut Session<'_>,
    ) -> Result<Answer<DevCap>, CommandError> {
        if let Some(known) = &self.device {
            return Ok(known.clone());
        }
        let answer = answered(session.query_dev_cap())?;
        Ok(self.device.insert(answer).clone())
    }

    /// Whether [`Answers::capability_tlv`] knows all of a TLV: then it need not be
    /// asked for another time.
    pub(super) fn has_whole(&self, tlv_type: TypeDword, length_bytes: u16) -> bool {
        self.lengths.contains(&(tlv_type.0, length_bytes))
    }

    /// A capability TLV, as much of it as requirements and limits look at. Those of class host are asked for through every function.
    pub(super) fn capability_tlv(
        &mut self,
        session: &mut Session<'_>,
        tlv_type: u32,
    ) -> Result<Answer<Stored>, CommandError> {
        let of_function = tlv_type >> 24 == TlvClass::Host.code();
        let function = session.address();
        let known = self
            .capabilities
            .iter()
            .find(|(asked, known, _)| *known == tlv_type && (!of_function || *asked == function));
        if let Some((_, _, known)) = known {
            return Ok(known.clone());
        }
        let key = TlvKey::Mnvda(TypeDword(tlv_type));
        let length = self
            .lengths
            .iter()
            .find(|(known, _)| *known == tlv_type)
            .map_or(4, |(_, length)| *length);
        let answer = answered(tlv_store::read_beginning(session, key, Which::Next, length))?;
        self.capabilities.push((function, tlv_type, answer.clone()));
        Ok(answer)
    }
}

/// A card's refusal is an answer; everything else breaks the reading off.
pub(super) fn answered<T>(outcome: Result<T, CommandError>) -> Result<Answer<T>, CommandError> {
    match outcome {
        Ok(value) => Ok(Ok(value)),
        Err(error) => match error.status() {
            Some(status) => Ok(Err(status)),
            None => Err(error),
        },
    }
}

/// Whether a firmware says by this status that it does not know what it was
/// asked for; every other one leaves the question open.
pub(super) fn is_unknown_to_firmware(status: Status) -> bool {
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

fn capability_lengths(file: &SettingsFile) -> Vec<(u32, u16)> {
    let mut lengths: Vec<(u32, u16)> = Vec::new();
    let mut note = |tlv_type: u32, dword: usize| {
        let length = u16::try_from((dword + 1) * 4).unwrap_or(u16::MAX);
        match lengths.iter_mut().find(|(known, _)| *known == tlv_type) {
            Some((_, known)) => *known = length.max(*known),
            None => lengths.push((tlv_type, length)),
        }
    };
    for (_, field) in file.settings() {
        for requirement in &field.requires {
            if let Requirement::CapabilityTlv {
                tlv_type, dword, ..
            } = requirement
            {
                note(*tlv_type, *dword);
            }
        }
        if let Some(Limit::CapabilityTlv {
            tlv_type, dword, ..
        }) = &field.limit
        {
            note(*tlv_type, *dword);
        }
    }
    lengths
}
