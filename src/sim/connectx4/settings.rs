//! The registers that read and write settings on ConnectX-4.
//!
//! A setting's type dword: 31:24 class; class 1 has the port in 23:16, class 3
//! the host in 23:18 and the function in 17:10, both 0 for the own ones.
//! MNVDA: dword 0 is 8:0 length in bytes, 15:12 version, 20:16 writer, 22 read
//! current, 23 read default; dword 1 the type; data from dword 3 on.
//! Source: mstflint 4.21.

use crate::sim::firmware::{Change, Firmware};
use crate::sim::operation::{Method, Status, field, put_bytes, to_bytes};
use crate::sim::profile::{Scope, Tlv};
use crate::sim::scalar::{Bytes, Kind, Place};
use crate::sim::store::{Stored, When};

const READ_CURRENT: u32 = 1 << 22;
const READ_DEFAULT: u32 = 1 << 23;
const CLASS_FUNCTION: u32 = 3;

/// What a type dword means on this card.
struct Target {
    place: Place,
    kind: Kind,
    tlv: Tlv,
}

fn locate(firmware: &Firmware, function: usize, dword: u32) -> Option<Target> {
    let profile = &firmware.profile;
    let mut kind = Kind(dword);
    let mut function = u8::try_from(function).ok()?;
    if dword >> 24 == CLASS_FUNCTION {
        kind = Kind(dword & !0x00ff_fc00);
        let (host, named) = (field(dword, 18, 6), field(dword, 10, 8));
        if host != 0 || named >= u32::from(profile.physical_functions()) {
            return None;
        }
        // 0 means the function that is asked (mstconfig never says another).
        function = u8::try_from(named)
            .ok()
            .filter(|named| *named != 0)
            .unwrap_or(function);
    }
    let tlv = profile.tlv(kind)?.clone();
    let place = match tlv.scope {
        Scope::Function => Place::Function(function),
        Scope::Card | Scope::Port => Place::Card,
    };
    Some(Target { place, kind, tlv })
}

/// Query capabilities (MNVQC): which settings there are, and their version.
pub(crate) fn query_capabilities(
    firmware: &Firmware,
    function: usize,
    method: Method,
    register: &mut [u32],
) -> Status {
    if method != Method::Get {
        return Status::METHOD_UNSUPPORTED;
    }
    let Some([kind, answer]) = register.get_mut(..2) else {
        return Status::WRONG_LENGTH;
    };
    *answer = 0;
    // Type 0 is how mstconfig finds out whether there are settings at all.
    if *kind == 0 {
        return Status::OK;
    }
    let Some(Target { tlv, .. }) = locate(firmware, function, *kind) else {
        return Status::BAD_PARAMETER;
    };
    let writable = u32::from(!tlv.capability);
    *answer = 1 | writable << 1 | u32::from(tlv.version & 0xf) << 4;
    Status::OK
}

/// Data access (MNVDA): reads and writes one setting.
pub(crate) fn data_access(
    firmware: &mut Firmware,
    function: usize,
    method: Method,
    register: &mut [u32],
) -> Status {
    if register.len() < 3 {
        return Status::WRONG_LENGTH;
    }
    let (header, data) = register.split_at_mut(3);
    let Some(target) = locate(firmware, function, header[1]) else {
        return Status::BAD_PARAMETER;
    };
    firmware.disturb(target.place, target.kind);
    match method {
        Method::Get => read(firmware, &target, header, data),
        Method::Set => write(firmware, &target, header[0], data),
    }
}

fn read(firmware: &Firmware, target: &Target, header: &mut [u32], data: &mut [u32]) -> Status {
    let gateway = &firmware.profile.gateway;
    if gateway.settings_status != 0 {
        return Status(gateway.settings_status);
    }
    let asks = |bit: u32| header[0] & bit != 0;
    if asks(READ_DEFAULT) && !gateway.reads_default || asks(READ_CURRENT) && !gateway.reads_current
    {
        return Status::BAD_PARAMETER;
    }
    let when = if asks(READ_CURRENT) {
        When::Current
    } else {
        When::Next
    };
    let by_default = target
        .tlv
        .default
        .clone()
        .map(|data| Stored { data, writer: 0 });
    let found = if asks(READ_DEFAULT) || target.tlv.capability {
        by_default
    } else {
        let stored = firmware.stored(when, target.place, target.kind).cloned();
        let fallback = by_default.filter(|_| gateway.unset_reads_default);
        stored.or(fallback)
    };
    let Some(found) = found else {
        return Status::NOT_AVAILABLE;
    };
    answer(&found, target.tlv.version, header, data)
}

fn answer(found: &Stored, version: u8, header: &mut [u32], data: &mut [u32]) -> Status {
    let bytes = &found.data.0;
    if bytes.len() > data.len() * 4 {
        return Status::WRONG_LENGTH;
    }
    data.fill(0);
    put_bytes(data, bytes);
    let length = u32::try_from(bytes.len()).unwrap_or(0);
    header[0] = header[0] & (READ_CURRENT | READ_DEFAULT)
        | length & 0x1ff
        | u32::from(version & 0xf) << 12
        | u32::from(found.writer & 0x1f) << 16;
    header[2] = 0;
    Status::OK
}

fn write(firmware: &mut Firmware, target: &Target, header: u32, data: &[u32]) -> Status {
    if target.tlv.capability {
        return Status::BAD_PARAMETER;
    }
    let length = usize::from(target.tlv.bytes);
    let given = usize::try_from(field(header, 0, 9)).unwrap_or(0);
    if given != length || data.len() * 4 < length {
        return Status::WRONG_LENGTH;
    }
    let mut bytes = to_bytes(data);
    bytes.truncate(length);
    let stored = Stored {
        data: Bytes(bytes),
        writer: u8::try_from(field(header, 16, 5)).unwrap_or(0),
    };
    firmware.change(Change::Set(target.place, target.kind, stored))
}

/// Invalidate (MNVDI): takes one setting back to its default.
pub(crate) fn invalidate(
    firmware: &mut Firmware,
    function: usize,
    method: Method,
    register: &[u32],
) -> Status {
    if method != Method::Set {
        return Status::METHOD_UNSUPPORTED;
    }
    let Some(dword) = register.get(1).filter(|_| register.len() >= 3) else {
        return Status::WRONG_LENGTH;
    };
    match locate(firmware, function, *dword) {
        Some(target) if !target.tlv.capability => {
            firmware.disturb(target.place, target.kind);
            firmware.change(Change::Remove(target.place, target.kind))
        }
        _ => Status::BAD_PARAMETER,
    }
}

/// Invalidate all (MNVIA): takes every setting back to its default.
pub(crate) fn invalidate_all(firmware: &mut Firmware, method: Method, register: &[u32]) -> Status {
    if method != Method::Set {
        Status::METHOD_UNSUPPORTED
    } else if register.len() < 2 {
        Status::WRONG_LENGTH
    } else {
        firmware.change(Change::Clear)
    }
}

/// Get next (MNVGN): walks over what is set; `mstconfig backup` uses it.
///
/// Dword 0 is the place in the walk, in and out; 0 comes back at the end. The
/// header of the setting follows at byte 16, its data at byte 28.
pub(crate) fn get_next(
    firmware: &Firmware,
    function: usize,
    method: Method,
    register: &mut [u32],
) -> Status {
    if method != Method::Get {
        return Status::METHOD_UNSUPPORTED;
    }
    if register.len() < 7 {
        return Status::WRONG_LENGTH;
    }
    let position = usize::try_from(register[0]).unwrap_or(usize::MAX);
    let found = firmware
        .state
        .store
        .iter()
        .filter(|(place, _, _)| match place {
            Place::Function(index) => usize::from(*index) == function,
            _ => true,
        })
        .nth(position)
        .map(|(_, kind, stored)| (kind, stored.clone()));
    let Some((kind, stored)) = found else {
        register[0] = 0;
        // An empty store is an error to mstconfig, the end of one is not.
        return if position == 0 {
            Status::NOT_AVAILABLE
        } else {
            Status::OK
        };
    };
    let version = firmware.profile.tlv(kind).map_or(0, |tlv| tlv.version);
    register.fill(0);
    register[0] = u32::try_from(position + 1).unwrap_or(0);
    let (header, data) = register[4..].split_at_mut(3);
    header[1] = kind.0;
    answer(&stored, version, header, data)
}
