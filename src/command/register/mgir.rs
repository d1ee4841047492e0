//! Management general information register (MGIR): what the card is.
//!
//! | offset | bits | meaning |
//! |---|---|---|
//! | 0x00 | 31:16 | hardware revision |
//! | 0x00 | 15:0 | device id |
//! | 0x04 | 23:16 | number of ports |
//! | 0x08 | 15:0 | hardware device id |
//! | 0x20 | 23:16, 15:8, 7:0 | firmware version: major, minor, sub |
//! | 0x30 | | PSID, 16 characters |
//! | 0x44, 0x48, 0x4c | | extended firmware version: major, minor, sub |
//!
//! 0xa0 bytes, GET only. Only the first 0x50 are read back.
//!
//! # Sources
//! mstflint 4.21 against virtual cards of both generations.

use binrw::BinRead;

use super::{Layout, Method, Readable, Register};

const DECLARED_DWORDS: u16 = 0xa0 / 4;

/// The bytes that are read back.
#[derive(BinRead, Debug)]
#[br(big)]
struct Answer {
    hw_rev_and_device_id: u32,
    ports: u32,
    #[br(pad_after = 0x14)]
    hw_dev_id: u32,
    #[br(pad_after = 0xc)]
    fw_version: u32,
    #[br(pad_after = 4)]
    psid: [u8; 16],
    extended_major: u32,
    extended_minor: u32,
    extended_sub: u32,
}

/// What the card says of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mgir {
    /// Device id as the firmware reports it.
    pub device_id: u16,
    /// Hardware revision.
    pub hw_rev: u16,
    /// Number of ports; 0 when the firmware does not say.
    pub num_ports: u8,
    /// Hardware device id.
    pub hw_dev_id: u16,
    /// Firmware version: major, minor, sub. All zeros when the firmware does not say.
    pub fw_version: [u32; 3],
    /// Parameter-set id of the board; empty when the firmware does not say.
    pub psid: String,
}

impl Register for Mgir {
    const NAME: &'static str = "MGIR";
    const TOOLS_HCR: Option<u16> = Some(0x9020);
    const ICMD: Option<u16> = Some(0x9020);

    fn layout(&self, _method: Method) -> Layout {
        Layout {
            written: Vec::new(),
            declared_dwords: DECLARED_DWORDS,
            wanted: vec![0, 1, 2, 8, 12, 13, 14, 15, 17, 18, 19],
        }
    }
}

impl Readable for Mgir {
    fn unpack(bytes: &[u8]) -> Result<Self, binrw::Error> {
        let answer = Answer::read(&mut std::io::Cursor::new(bytes))?;
        let [_, major, minor, sub] = answer.fw_version.to_be_bytes();
        let extended = [
            answer.extended_major,
            answer.extended_minor,
            answer.extended_sub,
        ];
        let short = [u32::from(major), u32::from(minor), u32::from(sub)];
        let [_, num_ports, _, _] = answer.ports.to_be_bytes();
        Ok(Self {
            device_id: low_half(answer.hw_rev_and_device_id),
            hw_rev: low_half(answer.hw_rev_and_device_id >> 16),
            num_ports,
            hw_dev_id: low_half(answer.hw_dev_id),
            fw_version: if extended == [0; 3] { short } else { extended },
            psid: answer
                .psid
                .iter()
                .take_while(|byte| byte.is_ascii_graphic())
                .map(|byte| char::from(*byte))
                .collect(),
        })
    }
}

fn low_half(dword: u32) -> u16 {
    let [_, _, high, low] = dword.to_be_bytes();
    u16::from_be_bytes([high, low])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_extended_version_wins_over_the_bytes_that_cannot_hold_it() {
        let mut answer = vec![0; 0x50];
        answer[0x06] = 0;
        answer[0x05] = 2;
        answer[0x20..0x24].copy_from_slice(&[0, 2, 42, 0x88]);
        answer[0x30..0x3d].copy_from_slice(b"MT_1090120019");
        let short = Mgir::unpack(&answer).unwrap();
        assert_eq!(short.fw_version, [2, 42, 0x88]);
        answer[0x44..0x50].copy_from_slice(&[0, 0, 0, 2, 0, 0, 0, 42, 0, 0, 0x13, 0x88]);
        let long = Mgir::unpack(&answer).unwrap();
        assert_eq!(long.fw_version, [2, 42, 5000]);
        assert_eq!((long.num_ports, long.psid.as_str()), (2, "MT_1090120019"));
    }
}
