//! Read a card: what it is, and the boot settings of all its ports.

use crate::command::register::{Mgir, Mqis, MqisInfo};
use crate::command::{CommandError, Session};
use crate::hwdb::Ports;
use crate::pci::Vpd;
use crate::settings::{CardReader, Detail, PortSettings, Wanted, read_identity};

use super::OpenCard;

/// Names are a few dozen bytes; more is not read.
const LONGEST_NAME: u16 = 256;

/// Where the number of ports comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PortCount {
    /// The firmware said so (MGIR).
    Firmware,
    /// One port a PCI function.
    Functions,
    /// The card answered QUERY_DEF_PARAMS for this many.
    Defaults,
}

/// What a card said.
#[derive(Clone, Debug)]
pub struct CardReading {
    /// What it says of itself, where its firmware knows MGIR.
    pub identity: Option<Mgir>,
    /// Its ports, by number.
    pub ports: Vec<PortSettings>,
    /// Where their number comes from.
    pub port_count: PortCount,
    /// Part number, where the firmware says it (MQIS) and it was asked for; else
    /// that of the VPD, once [`OpenCard::read_vpd`] has read it.
    pub part_number: Option<String>,
    /// Description, where the firmware says it (MQIS) and it was asked for.
    pub description: Option<String>,
    /// Serial number, once [`OpenCard::read_vpd`] has read it.
    pub serial_number: Option<String>,
    /// What the board says of itself, likewise.
    pub vpd: Option<Vpd>,
}

impl OpenCard {
    /// Reads the card.
    ///
    /// # Errors
    /// [`CommandError`] when the card cannot be reached or breaks off.
    pub fn read(
        &mut self,
        detail: Detail,
        wanted: Wanted<'_>,
    ) -> Result<CardReading, CommandError> {
        let mut reader = CardReader::new(&self.settings, detail, wanted);
        let several = self.firmwares.len() > 1;
        let mut reading = CardReading {
            identity: None,
            ports: Vec::new(),
            port_count: PortCount::Functions,
            part_number: None,
            description: None,
            serial_number: None,
            vpd: None,
        };
        for (index, firmware) in self.firmwares.iter_mut().enumerate() {
            let mut session = firmware.session()?;
            if index == 0 {
                reading.identity = read_identity(&mut session)?;
                if detail == Detail::Everything {
                    reading.part_number = read_name(&mut session, MqisInfo::DeviceName)?;
                    reading.description = read_name(&mut session, MqisInfo::Description)?;
                }
            }
            let ports = match self.device.ports {
                Ports::FunctionPerPort if several => {
                    let function = session.address().function;
                    function + 1..=function + 1
                }
                // A single function of a dual-port chip still is its first port.
                Ports::FunctionPerPort => 1..=1,
                Ports::OneFunction => {
                    let (count, source) = count_ports(&mut session, reading.identity.as_ref())?;
                    reading.port_count = source;
                    1..=count
                }
            };
            for port in ports {
                reader.read_port(&mut session, port)?;
            }
            session.end()?;
        }
        reading.ports = reader.finish();
        Ok(reading)
    }
}

/// How many ports a function carries. A port that is not there is not asked for:
/// single-port cards answer such questions with errors.
fn count_ports(
    session: &mut Session<'_>,
    identity: Option<&Mgir>,
) -> Result<(u8, PortCount), CommandError> {
    if let Some(count @ 1..=2) = identity.map(|identity| identity.num_ports) {
        return Ok((count, PortCount::Firmware));
    }
    match session.query_def_params_port(2) {
        Ok(_) => Ok((2, PortCount::Defaults)),
        Err(error) if error.status().is_some() => Ok((1, PortCount::Defaults)),
        Err(error) => Err(error),
    }
}

/// Reads a string piece by piece; `None` where the firmware does not know it.
fn read_name(session: &mut Session<'_>, info: MqisInfo) -> Result<Option<String>, CommandError> {
    let mut bytes = Vec::new();
    loop {
        let offset = u16::try_from(bytes.len()).unwrap_or(LONGEST_NAME);
        let piece = match session.get(&Mqis::ask(info, offset)) {
            Ok(piece) => piece,
            Err(CommandError::NotOnThisGeneration { .. }) => return Ok(None),
            Err(error) if error.status().is_some() => return Ok(None),
            Err(error) => return Err(error),
        };
        bytes.extend_from_slice(&piece.data);
        let whole = usize::from(piece.info_length.min(LONGEST_NAME));
        if bytes.len() >= whole || piece.data.is_empty() {
            bytes.truncate(whole);
            break;
        }
    }
    let text: String = String::from_utf8_lossy(&bytes)
        .chars()
        .filter(|letter| !letter.is_control())
        .collect();
    Ok(Some(text.trim().to_owned()).filter(|text| !text.is_empty()))
}
