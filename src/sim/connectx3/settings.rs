//! The registers that ConnectX-3 answers.
//!
//! MNVA (0x9024) has an 8-byte header: dword 0 is 29:18 length in dwords, 15:0
//! type; dword 1 is 31:28 version, 23:16 type modifier: the port, 0 for the
//! card. Its data follows. Source: mstflint 4.21.

use crate::sim::firmware::{Change, Firmware};
use crate::sim::flash::registers;
use crate::sim::identity::{self, MGIR};
use crate::sim::operation::{Method, Operation, Status, field, put_bytes, to_bytes};
use crate::sim::profile::Scope;
use crate::sim::scalar::{Bytes, Kind, Place};
use crate::sim::store::{Stored, When};

const MNVA: u16 = 0x9024;
const MNVDI: u16 = 0x9025;
/// The same number is MFAI, the boot address, on ConnectX-4.
const MNVIA: u16 = 0x9029;

/// Executes a register access; the register is answered in place.
pub(crate) fn access(
    firmware: &mut Firmware,
    operation: Operation,
    register: &mut [u32],
) -> Status {
    match operation.register {
        MGIR => identity::mgir(firmware, operation.method, register),
        MNVA => data_access(firmware, operation.method, register),
        MNVDI => invalidate(firmware, operation.method, register),
        MNVIA => invalidate_all(firmware, operation.method, register),
        _ => {
            registers::access(firmware, operation, register).unwrap_or(Status::REGISTER_UNSUPPORTED)
        }
    }
}

/// A setting that the card knows, with its length.
fn locate(firmware: &Firmware, header: &[u32]) -> Option<(Place, Kind, usize)> {
    let &[first, second, ..] = header else {
        return None;
    };
    let kind = Kind(first & 0xffff);
    let port = u8::try_from(field(second, 16, 8)).ok()?;
    let tlv = firmware.profile.tlv(kind)?;
    let place = match (tlv.scope, port) {
        (Scope::Card, 0) => Place::Card,
        (Scope::Port, 1..) if port <= firmware.profile.port_count() => Place::Port(port),
        _ => return None,
    };
    Some((place, kind, usize::from(tlv.bytes)))
}

/// Data access (MNVA): reads and writes one setting.
fn data_access(firmware: &mut Firmware, method: Method, register: &mut [u32]) -> Status {
    if register.len() < 2 {
        return Status::WRONG_LENGTH;
    }
    let (header, data) = register.split_at_mut(2);
    let Some((place, kind, length)) = locate(firmware, header) else {
        return Status::BAD_PARAMETER;
    };
    firmware.disturb(place, kind);
    if data.len() * 4 < length {
        return Status::WRONG_LENGTH;
    }
    match method {
        Method::Get => {
            let status = firmware.profile.gateway.settings_status;
            if status != 0 {
                return Status(status);
            }
            let Some(stored) = firmware.stored(When::Next, place, kind) else {
                return Status::NOT_AVAILABLE;
            };
            data.fill(0);
            put_bytes(data, &stored.data.0);
            let dwords = u32::try_from(length / 4).unwrap_or(0);
            header[0] = dwords << 18 | kind.0;
            Status::OK
        }
        Method::Set => {
            let given = usize::try_from(field(header[0], 18, 12)).unwrap_or(0) * 4;
            if given != length {
                return Status::WRONG_LENGTH;
            }
            let mut bytes = to_bytes(data);
            bytes.truncate(length);
            let stored = Stored {
                data: Bytes(bytes),
                writer: 0,
            };
            firmware.change(Change::Set(place, kind, stored))
        }
    }
}

/// Invalidate (MNVDI): takes one setting back to its default.
fn invalidate(firmware: &mut Firmware, method: Method, register: &[u32]) -> Status {
    if method != Method::Set {
        return Status::METHOD_UNSUPPORTED;
    }
    let Some((place, kind, _)) = locate(firmware, register) else {
        return Status::BAD_PARAMETER;
    };
    firmware.disturb(place, kind);
    firmware.change(Change::Remove(place, kind))
}

/// Invalidate all (MNVIA): takes every setting back to its default.
fn invalidate_all(firmware: &mut Firmware, method: Method, register: &[u32]) -> Status {
    if method != Method::Set {
        Status::METHOD_UNSUPPORTED
    } else if register.len() < 2 {
        Status::WRONG_LENGTH
    } else {
        firmware.change(Change::Clear)
    }
}
