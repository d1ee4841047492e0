//! Open the first way into a card that works.

use crate::hwdb::{AccessWay, Device};
use crate::pci::Function;

use super::{AccessError, BarWindow, Gateway, LegacyGateway, Patience, Vsec};

/// Opens the ways that the device has, in the order of the data file, until one
/// works. `/dev/mem` is never one of them.
///
/// # Errors
/// The error of the last way.
pub fn open(
    device: &Device,
    mut function: Box<dyn Function>,
    patience: &Patience,
) -> Result<Box<dyn Gateway>, AccessError> {
    let address = function.address();
    let mut passed_over = AccessError::NoGateway {
        address,
        reason: format!("{} has no way in", device.title),
    };
    for way in &device.access {
        match way {
            AccessWay::Vsec => return Ok(Box::new(Vsec::open(function, patience.clone())?)),
            AccessWay::LegacyGateway => {
                return Ok(Box::new(LegacyGateway::open(function, patience.clone())?));
            }
            AccessWay::Bar0 => {
                match BarWindow::open(function, device.hardware_id, patience.clone()) {
                    Ok(window) => return Ok(Box::new(window)),
                    Err((back, error)) => {
                        function = back;
                        passed_over = error;
                    }
                }
            }
        }
    }
    Err(passed_over)
}
