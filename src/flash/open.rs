//! Open a card's flash: choose the way, take the locks, know the chip.

use crate::access::Gateway;
use crate::command::Firmware;
use crate::hwdb::{Device, FlashDefaultWay, FlashPath};
use crate::pci::Bdf;

use super::gateway::SpiGateway;
use super::link::Link;
use super::registers::RegisterFlash;
use super::{Flash, FlashError};

/// A way to the flash.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FlashWay {
    /// The one that the generation has by default: the gateway on ConnectX-3,
    /// registers on ConnectX-4.
    #[default]
    Auto,
    /// The SPI gateway in CR space.
    Gateway,
    /// The firmware's registers.
    Registers,
}

/// How a flash is to be opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FlashWish {
    /// The way.
    pub way: FlashWay,
    /// Whether the gateway may be taken where nobody chose it and the firmware
    /// has no registers for the flash.
    pub gateway_fallback: bool,
    /// The size in bytes of a chip that nobody knows: then it can be read.
    pub unknown_chip_bytes: Option<u32>,
}

/// Opens the flash of a card whose firmware runs.
///
/// The semaphore of those who program the flash and that of the firmware are held
/// until the flash is closed: other tools wait or give up.
///
/// # Errors
/// [`FlashError::Locked`] when somebody else is at work, and whatever keeps the
/// chip from being known. Nothing is held then.
pub fn open<'a>(
    device: &Device,
    firmware: &'a mut Firmware,
    wish: FlashWish,
) -> Result<Box<dyn Flash + 'a>, FlashError> {
    let address = firmware.address();
    let path = path_of(device, address)?;
    let patience = firmware.gateway().patience().clone();
    let session = firmware
        .flash_session()
        .map_err(|error| FlashError::of_command(address, "opening the flash", error))?;
    let link = Link::with_firmware(session, patience);
    let size = wish.unknown_chip_bytes;
    let by_gateway = match wish.way {
        FlashWay::Auto => path.default_way == FlashDefaultWay::Gateway,
        FlashWay::Gateway => true,
        FlashWay::Registers => false,
    };
    if by_gateway {
        return Ok(Box::new(SpiGateway::open(link, path, size)?));
    }
    match RegisterFlash::open(link, path.clone(), size) {
        Ok(flash) => Ok(Box::new(flash)),
        Err(refused) => {
            let (link, error) = *refused;
            let falls_back = wish.way == FlashWay::Auto && wish.gateway_fallback;
            if falls_back && error.is_unsupported() {
                return Ok(Box::new(SpiGateway::open(link, path, size)?));
            }
            Err(error)
        }
    }
}

/// Opens the flash of a card without firmware (flash recovery): by the gateway,
/// and no command is sent.
///
/// # Errors
/// As [`open()`]; [`FlashError::Unsupported`] when registers are asked for.
pub fn open_without_firmware<'a>(
    device: &Device,
    gateway: &'a mut dyn Gateway,
    wish: FlashWish,
) -> Result<Box<dyn Flash + 'a>, FlashError> {
    let address = gateway.address();
    let path = path_of(device, address)?;
    if wish.way == FlashWay::Registers {
        return Err(FlashError::Unsupported {
            address,
            action: "opening the flash by registers".to_owned(),
            reason: "the card runs without firmware".to_owned(),
        });
    }
    let link = Link::without_firmware(device, gateway)?;
    let flash = SpiGateway::open(link, path, wish.unknown_chip_bytes)?;
    Ok(Box::new(flash))
}

fn path_of(device: &Device, address: Bdf) -> Result<FlashPath, FlashError> {
    FlashPath::of(device.firmware_interface).ok_or_else(|| FlashError::Unsupported {
        address,
        action: "opening the flash".to_owned(),
        reason: format!("nobody knows how that of a {} is reached", device.title),
    })
}
