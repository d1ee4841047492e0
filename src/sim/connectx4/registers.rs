//! Which register is answered by whom, and the ones that hold no settings.

use super::settings;
use crate::sim::firmware::Firmware;
use crate::sim::flash::registers::{self as flash_registers, MFAI};
use crate::sim::identity::{self, MGIR, MQIS};
use crate::sim::operation::{Method, Operation, Status, field};

const MNVDA: u16 = 0x9024;
const MNVDI: u16 = 0x9025;
const MFRL: u16 = 0x9028;
const MNVQC: u16 = 0x9030;
const MNVIA: u16 = 0x9033;
const MNVGC: u16 = 0x9034;
const MNVGN: u16 = 0x9035;

/// Executes a register access; the register is answered in place.
pub(crate) fn access(
    firmware: &mut Firmware,
    function: usize,
    operation: Operation,
    register: &mut [u32],
) -> Status {
    let method = operation.method;
    match operation.register {
        MGIR => identity::mgir(firmware, method, register),
        MQIS => identity::mqis(&firmware.profile, method, register),
        MNVQC => settings::query_capabilities(firmware, function, method, register),
        MNVDA => settings::data_access(firmware, function, method, register),
        MNVDI => settings::invalidate(firmware, function, method, register),
        MNVIA => settings::invalidate_all(firmware, method, register),
        MNVGC => global_capabilities(firmware, method, register),
        MNVGN => settings::get_next(firmware, function, method, register),
        MFRL => reset_level(method, register),
        MFAI => flash_registers::boot_address(firmware, method, register),
        // MLOCK, MCAM and what nobody asks for.
        _ => flash_registers::access(firmware, operation, register)
            .unwrap_or(Status::REGISTER_UNSUPPORTED),
    }
}

/// Non-volatile global capabilities (MNVGC): which columns `-e` can show.
fn global_capabilities(firmware: &Firmware, method: Method, register: &mut [u32]) -> Status {
    if method != Method::Get {
        return Status::METHOD_UNSUPPORTED;
    }
    let Some(register) = register.get_mut(..4) else {
        return Status::WRONG_LENGTH;
    };
    let gateway = &firmware.profile.gateway;
    register.fill(0);
    register[0] = u32::from(gateway.reads_default) | u32::from(gateway.reads_current) << 1;
    Status::OK
}

/// Management firmware reset level (MFRL).
///
/// Only what mstconfig does after a change is accepted: the request for a warm
/// reboot (trigger 0x40, type 0), which resets nothing by itself.
fn reset_level(method: Method, register: &mut [u32]) -> Status {
    let Some(register) = register.get_mut(..2) else {
        return Status::WRONG_LENGTH;
    };
    match method {
        Method::Get => {
            register.fill(0);
            register[1] = 0x40;
            Status::OK
        }
        Method::Set if field(register[1], 0, 16) == 0x40 => Status::OK,
        Method::Set => Status::BAD_PARAMETER,
    }
}
