//! Registers that say who the card is: MGIR and MQIS.

use super::firmware::Firmware;
use super::operation::{Method, Status, field, put_bytes};
use super::profile::Profile;

/// General information (MGIR, 0x9020).
pub(crate) const MGIR: u16 = 0x9020;
/// Query information string (MQIS, 0x9064), ConnectX-4.
pub(crate) const MQIS: u16 = 0x9064;

/// Answers MGIR: device, number of ports, firmware version, PSID.
///
/// Layout: mstflint 4.21. The version fields in dword 8 are 8 bits wide, the
/// extended ones from dword 17 on hold the whole numbers.
pub(crate) fn mgir(firmware: &Firmware, method: Method, register: &mut [u32]) -> Status {
    if method != Method::Get {
        return Status::METHOD_UNSUPPORTED;
    }
    let Some(register) = register.get_mut(..40) else {
        return Status::WRONG_LENGTH;
    };
    register.fill(0);
    let profile = &firmware.profile;
    let card = &profile.card;
    let version = firmware.version();
    let low = |number: u16| u32::from(number) & 0xff;
    register[0] = u32::from(card.hw_revision) << 16 | u32::from(card.device);
    register[1] = u32::from(profile.port_count()) << 16;
    register[2] = u32::from(card.hw_id);
    register[8] = low(version.major) << 16 | low(version.minor) << 8 | low(version.sub);
    let psid: Vec<u8> = firmware.psid().bytes().take(16).collect();
    put_bytes(&mut register[12..16], &psid);
    register[17] = u32::from(version.major);
    register[18] = u32::from(version.minor);
    register[19] = u32::from(version.sub);
    Status::OK
}

/// Answers MQIS: up to eight bytes of a string at a time.
pub(crate) fn mqis(profile: &Profile, method: Method, register: &mut [u32]) -> Status {
    if method != Method::Get {
        return Status::METHOD_UNSUPPORTED;
    }
    let Some(register) = register.get_mut(..6) else {
        return Status::WRONG_LENGTH;
    };
    let text = match field(register[0], 0, 8) {
        1 => profile.card.name.as_bytes(),
        2 => profile.card.long_name.as_bytes(),
        _ => return Status::BAD_PARAMETER,
    };
    let offset = usize::try_from(register[2] >> 16).unwrap_or(usize::MAX);
    let wanted = usize::try_from(field(register[2], 0, 16))
        .unwrap_or(0)
        .min(8);
    let chunk: Vec<u8> = text.iter().skip(offset).take(wanted).copied().collect();
    let total = u32::try_from(text.len()).unwrap_or(0);
    let given = u32::try_from(chunk.len()).unwrap_or(0);
    register[1] = total & 0xffff;
    register[2] = register[2] & 0xffff_0000 | given;
    register[4..6].fill(0);
    put_bytes(&mut register[4..6], &chunk);
    Status::OK
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::catalog;

    #[test]
    fn mgir_says_who_the_card_is() {
        let firmware = &Firmware::of_profile("connectx-3");
        let mut register = [0xffff_ffff; 40];
        assert_eq!(mgir(firmware, Method::Get, &mut register), Status::OK);
        assert_eq!(register[1] >> 16, 2);
        assert_eq!(register[12].to_be_bytes(), *b"MT_1");
        assert_eq!(register[19], 5000);
        assert_eq!(mgir(firmware, Method::Get, &mut []), Status::WRONG_LENGTH);
    }

    #[test]
    fn a_string_comes_in_pieces() {
        let profile = catalog::load("connectx-4").unwrap();
        let mut text = Vec::new();
        loop {
            let offset = u32::try_from(text.len()).unwrap();
            let mut register = [1, 0, offset << 16 | 8, 0, 0, 0];
            assert_eq!(mqis(&profile, Method::Get, &mut register), Status::OK);
            let given = usize::try_from(register[2] & 0xffff).unwrap();
            text.extend_from_slice(&crate::sim::operation::to_bytes(&register[4..6])[..given]);
            if given == 0 {
                assert_eq!(usize::try_from(register[1]).unwrap(), text.len());
                break;
            }
        }
        assert_eq!(String::from_utf8(text).unwrap(), profile.card.name);
    }
}
