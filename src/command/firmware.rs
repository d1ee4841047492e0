//! The firmware of one function, whichever interface it has.

use crate::access::{AccessError, Gateway};
use crate::hwdb::{Device, FirmwareInterface};
use crate::pci::Bdf;

use super::envelope::{self, HEADER_DWORDS, Method};
use super::register::{DefParamsGlobal, DefParamsPort, DevCap, Readable, Register};
use super::{CommandError, Icmd, Semaphore, Status, ToolsHcr, icmd, tools_hcr};

/// The firmware of one PCI function.
#[derive(Debug)]
pub enum Firmware {
    /// ConnectX-4.
    Icmd(Icmd),
    /// ConnectX-3.
    ToolsHcr(ToolsHcr),
}

impl Firmware {
    /// Takes a way into the card as its command interface.
    ///
    /// Nothing is sent yet.
    #[must_use]
    pub fn new(device: &Device, gateway: Box<dyn Gateway>) -> Self {
        match device.firmware_interface {
            FirmwareInterface::Icmd => Self::Icmd(Icmd::new(gateway, device.hardware_id)),
            FirmwareInterface::ToolsHcr => {
                Self::ToolsHcr(ToolsHcr::new(gateway, device.hardware_id))
            }
        }
    }

    /// The function that it belongs to.
    #[must_use]
    pub fn address(&self) -> Bdf {
        self.gateway().address()
    }

    /// The way that it is reached by.
    #[must_use]
    pub fn gateway(&self) -> &dyn Gateway {
        match self {
            Self::Icmd(icmd) => icmd.gateway(),
            Self::ToolsHcr(hcr) => hcr.gateway(),
        }
    }

    /// The same, for accesses.
    pub fn gateway_mut(&mut self) -> &mut dyn Gateway {
        match self {
            Self::Icmd(icmd) => icmd.gateway_mut(),
            Self::ToolsHcr(hcr) => hcr.gateway_mut(),
        }
    }

    /// Which interface it is.
    #[must_use]
    pub fn interface(&self) -> FirmwareInterface {
        match self {
            Self::Icmd(_) => FirmwareInterface::Icmd,
            Self::ToolsHcr(_) => FirmwareInterface::ToolsHcr,
        }
    }

    /// Checks that the card is there and takes the firmware's semaphore.
    ///
    /// # Errors
    /// [`CommandError`] when the card does not answer as its PCI id promises or
    /// somebody else holds the semaphore.
    pub fn session(&mut self) -> Result<Session<'_>, CommandError> {
        self.session_after(None)
    }

    /// The same with the semaphore of those who program the flash, which is taken
    /// first: whoever programs waits for the firmware's in between.
    ///
    /// # Errors
    /// As [`Firmware::session`].
    pub fn flash_session(&mut self) -> Result<Session<'_>, CommandError> {
        let flash = Semaphore::of_flash(self.interface());
        self.session_after(Some(flash))
    }

    fn session_after(&mut self, before: Option<Semaphore>) -> Result<Session<'_>, CommandError> {
        Ok(match self {
            Self::Icmd(icmd) => Session::Icmd(icmd.session(before)?),
            Self::ToolsHcr(hcr) => Session::ToolsHcr(hcr.session(before)?),
        })
    }
}

/// A hold of the firmware's semaphore. Dropping it gives the semaphore back;
/// [`Session::end`] also says whether that worked.
#[derive(Debug)]
pub enum Session<'a> {
    /// ConnectX-4.
    Icmd(icmd::Session<'a>),
    /// ConnectX-3.
    ToolsHcr(tools_hcr::Session<'a>),
}

impl<'a> Session<'a> {
    /// The function that it belongs to.
    #[must_use]
    pub fn address(&self) -> Bdf {
        match self {
            Self::Icmd(session) => session.address(),
            Self::ToolsHcr(session) => session.address(),
        }
    }

    /// Which interface it is.
    #[must_use]
    pub fn interface(&self) -> FirmwareInterface {
        match self {
            Self::Icmd(_) => FirmwareInterface::Icmd,
            Self::ToolsHcr(_) => FirmwareInterface::ToolsHcr,
        }
    }

    /// The way that it is reached by, for accesses under its semaphores.
    pub fn gateway_mut(&mut self) -> &mut dyn Gateway {
        match self {
            Self::Icmd(session) => session.gateway_mut(),
            Self::ToolsHcr(session) => session.gateway_mut(),
        }
    }

    /// Whether somebody asked to stop.
    #[must_use]
    pub fn stop_requested(&self) -> bool {
        match self {
            Self::Icmd(session) => session.stop_requested(),
            Self::ToolsHcr(session) => session.stop_requested(),
        }
    }

    /// From here on requests to stop and deadlines are not heard: for restoring
    /// what was there.
    pub fn undisturbed(&mut self) {
        match self {
            Self::Icmd(session) => session.undisturbed(),
            Self::ToolsHcr(session) => session.undisturbed(),
        }
    }

    /// Reads a register. `ask` carries what the card wants to know for the answer.
    ///
    /// # Errors
    /// [`CommandError::Register`] with the status when the card refuses.
    pub fn get<R: Readable>(&mut self, ask: &R) -> Result<R, CommandError> {
        let answer = self.access(Method::Get, ask)?;
        R::unpack(&answer).map_err(|error| CommandError::Malformed {
            address: self.address(),
            what: R::NAME,
            detail: error.to_string(),
        })
    }

    /// Writes a register.
    ///
    /// # Errors
    /// [`CommandError::Register`] with the status when the card refuses.
    pub fn set<R: Register>(&mut self, value: &R) -> Result<(), CommandError> {
        self.access(Method::Set, value).map(drop)
    }

    /// One register access: the answer's first bytes.
    fn access<R: Register>(&mut self, method: Method, value: &R) -> Result<Vec<u8>, CommandError> {
        let address = self.address();
        let interface = self.interface();
        let id = match interface {
            FirmwareInterface::Icmd => R::ICMD,
            FirmwareInterface::ToolsHcr => R::TOOLS_HCR,
        };
        let Some(id) = id else {
            return Err(CommandError::NotOnThisGeneration {
                address,
                register: R::NAME,
                interface,
            });
        };
        let layout = value.layout(method);
        let mailbox = envelope::pack(id, method, &layout.written, layout.declared_dwords);
        let action = format!("{method} of {} ({id:#06x})", R::NAME);
        // Dword 0 carries the status, then the register's wanted dwords.
        let wanted: Vec<usize> = std::iter::once(0)
            .chain(layout.wanted.iter().map(|dword| dword + HEADER_DWORDS))
            .collect();
        let answered = HEADER_DWORDS + usize::from(layout.declared_dwords);
        let answer = match self {
            Self::Icmd(session) => session.access_register(&mailbox, &wanted, &action)?,
            Self::ToolsHcr(session) => {
                let free = R::ANSWER_IS_FREE && method == Method::Get;
                session.access_register(&mailbox, &wanted, answered, free, &action)?
            }
        };
        let status = envelope::status(answer.first().copied().unwrap_or(u32::MAX));
        if status != Status::Ok {
            return Err(CommandError::Register {
                address,
                register: R::NAME,
                id,
                method,
                status,
            });
        }
        let mut dwords = vec![0; layout.wanted.last().map_or(0, |last| last + 1)];
        for (at, dword) in layout.wanted.iter().zip(answer.iter().skip(1)) {
            dwords[*at] = *dword;
        }
        Ok(dwords
            .iter()
            .flat_map(|dword: &u32| dword.to_be_bytes())
            .collect())
    }

    /// QUERY_DEV_CAP: what the device can do. Tools HCR only.
    ///
    /// # Errors
    /// [`CommandError::NotOnThisGeneration`] on ConnectX-4.
    pub fn query_dev_cap(&mut self) -> Result<DevCap, CommandError> {
        self.hcr(DevCap::NAME)?.query_dev_cap()
    }

    /// QUERY_DEF_PARAMS: the card's defaults. Tools HCR only.
    ///
    /// # Errors
    /// [`CommandError::NotOnThisGeneration`] on ConnectX-4.
    pub fn query_def_params_global(&mut self) -> Result<DefParamsGlobal, CommandError> {
        self.hcr(DefParamsGlobal::NAME)?.query_def_params_global()
    }

    /// QUERY_DEF_PARAMS of one port, counted from 1. Tools HCR only.
    ///
    /// # Errors
    /// [`CommandError::NotOnThisGeneration`] on ConnectX-4.
    pub fn query_def_params_port(&mut self, port: u8) -> Result<DefParamsPort, CommandError> {
        self.hcr(DefParamsPort::NAME)?.query_def_params_port(port)
    }

    /// Gives the semaphore back.
    ///
    /// # Errors
    /// [`CommandError::Access`] when the card did not take it.
    pub fn end(self) -> Result<(), CommandError> {
        match self {
            Self::Icmd(session) => session.end(),
            Self::ToolsHcr(session) => session.end(),
        }
    }

    /// Gives the semaphores back where the session itself cannot be given away.
    /// Nothing is to be done in it afterwards.
    ///
    /// # Errors
    /// [`AccessError`] when the card did not take it.
    pub fn release(&mut self) -> Result<(), AccessError> {
        match self {
            Self::Icmd(session) => session.release(),
            Self::ToolsHcr(session) => session.release(),
        }
    }

    fn hcr(&mut self, what: &'static str) -> Result<&mut tools_hcr::Session<'a>, CommandError> {
        let address = self.address();
        match self {
            Self::ToolsHcr(session) => Ok(session),
            Self::Icmd(_) => Err(CommandError::NotOnThisGeneration {
                address,
                register: what,
                interface: FirmwareInterface::Icmd,
            }),
        }
    }
}
