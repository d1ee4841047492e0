//! Locks of the flash that a program left behind which was killed.
//!
//! A killed program frees nothing: the next one finds the flash locked. What a
//! look takes is given back; what is held is freed only by who knows that nobody
//! is at work.

use crate::access::{AccessError, Gateway, Space};
use crate::command::{Semaphore, SemaphoreState};
use crate::hwdb::{Device, FlashGatewayLock, FlashPath};

use super::gateway_lock;
use super::spi_command::LOCK;

/// A lock of the flash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FlashLock {
    /// A semaphore.
    Semaphore(Semaphore),
    /// Bit 31 of the gateway's command register, ConnectX-4.
    CommandBit,
}

impl FlashLock {
    /// The locks of a device's flash.
    #[must_use]
    pub fn of(device: &Device) -> Vec<Self> {
        let interface = device.firmware_interface;
        let gateway = match FlashPath::of(interface).map(|path| path.gateway.lock) {
            Some(FlashGatewayLock::Semaphore) => Some(Self::Semaphore(Semaphore::FlashGateway)),
            Some(FlashGatewayLock::CommandBit) => Some(Self::CommandBit),
            None => None,
        };
        let programming = Self::Semaphore(Semaphore::of_flash(interface));
        [Some(programming), gateway].into_iter().flatten().collect()
    }

    /// Name and place, for messages.
    #[must_use]
    pub fn title(self) -> &'static str {
        match self {
            Self::Semaphore(semaphore) => semaphore.title(),
            Self::CommandBit => gateway_lock::COMMAND_BIT,
        }
    }

    /// Looks whether it is held, and leaves it as it was.
    ///
    /// # Errors
    /// [`AccessError`] when the card cannot be reached.
    pub fn look(
        self,
        device: &Device,
        gateway: &mut dyn Gateway,
    ) -> Result<SemaphoreState, AccessError> {
        let register = match self {
            Self::Semaphore(semaphore) => return semaphore.look(gateway),
            Self::CommandBit => command_register(device),
        };
        let Some(register) = register else {
            return Ok(SemaphoreState::Free);
        };
        let value = gateway.read(Space::Cr, register)?;
        if value & LOCK != 0 {
            return Ok(SemaphoreState::Held { value });
        }
        // The look took it; give it back.
        gateway.write(Space::Cr, register, 0)?;
        Ok(SemaphoreState::Free)
    }

    /// Frees it, whoever holds it, and lets the firmware use the flash again. The
    /// caller has made sure that nobody is at work.
    ///
    /// # Errors
    /// [`AccessError`] when the card cannot be reached.
    pub fn clear(self, device: &Device, gateway: &mut dyn Gateway) -> Result<(), AccessError> {
        let path = match self {
            Self::Semaphore(semaphore) => return semaphore.clear(gateway),
            Self::CommandBit => FlashPath::of(device.firmware_interface),
        };
        let Some(path) = path else {
            return Ok(());
        };
        let allowed = gateway_lock::allow_firmware_reads(&path.gateway, gateway);
        let released = gateway_lock::release(&path.gateway, gateway);
        allowed.and(released)
    }
}

fn command_register(device: &Device) -> Option<u32> {
    FlashPath::of(device.firmware_interface).map(|path| path.gateway.command)
}
