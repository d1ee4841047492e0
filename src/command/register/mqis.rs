//! Management query information strings (MQIS), ConnectX-4: name, description.
//!
//! | dword | bits | meaning |
//! |---|---|---|
//! | 0 | 7:0 | which string: 1 device name, 2 description |
//! | 1 | 15:0 | length of the whole string in bytes |
//! | 2 | 31:16 | offset of this piece |
//! | 2 | 15:0 | length of this piece, 8 at most as mstconfig asks |
//! | 4.. | | the piece |
//!
//! # Sources
//! mstflint 4.21 against a virtual card.

use binrw::BinRead;

use super::{Layout, Method, Readable, Register};

/// Bytes of one piece.
const PIECE: u16 = 8;

/// Which string.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MqisInfo {
    /// Device name, the part number.
    DeviceName,
    /// Description.
    Description,
}

/// The bytes that are read back.
#[derive(BinRead, Debug)]
#[br(big)]
struct Answer {
    #[br(pad_before = 4)]
    info_length: u32,
    piece: u32,
    #[br(pad_before = 4)]
    data: [u8; PIECE as usize],
}

/// A piece of a string.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mqis {
    info: MqisInfo,
    offset: u16,
    /// Length of the whole string in bytes.
    pub info_length: u16,
    /// The bytes of this piece.
    pub data: Vec<u8>,
}

impl Mqis {
    /// Asks for the piece at `offset`.
    #[must_use]
    pub fn ask(info: MqisInfo, offset: u16) -> Self {
        Self {
            info,
            offset,
            info_length: 0,
            data: Vec::new(),
        }
    }
}

impl Register for Mqis {
    const NAME: &'static str = "MQIS";
    const TOOLS_HCR: Option<u16> = None;
    const ICMD: Option<u16> = Some(0x9064);

    fn layout(&self, _method: Method) -> Layout {
        let info = match self.info {
            MqisInfo::DeviceName => 1,
            MqisInfo::Description => 2,
        };
        Layout {
            written: vec![info, 0, u32::from(self.offset) << 16 | u32::from(PIECE), 0],
            declared_dwords: 4 + PIECE / 4,
            wanted: vec![1, 2, 4, 5],
        }
    }
}

impl Readable for Mqis {
    fn unpack(bytes: &[u8]) -> Result<Self, binrw::Error> {
        let answer = Answer::read(&mut std::io::Cursor::new(bytes))?;
        let [_, _, total_high, total_low] = answer.info_length.to_be_bytes();
        let [offset_high, offset_low, length_high, length_low] = answer.piece.to_be_bytes();
        let there = usize::from(u16::from_be_bytes([length_high, length_low]).min(PIECE));
        Ok(Self {
            info: MqisInfo::DeviceName,
            offset: u16::from_be_bytes([offset_high, offset_low]),
            info_length: u16::from_be_bytes([total_high, total_low]),
            data: answer.data.iter().take(there).copied().collect(),
        })
    }
}
