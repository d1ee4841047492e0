//! Management non-volatile general capabilities (MNVGC), ConnectX-4.
//!
//! | dword | bits | meaning |
//! |---|---|---|
//! | 0 | 0 | MNVDA answers the default value |
//! | 0 | 1 | MNVDA answers the current value |
//!
//! Sixteen bytes, GET only. ConnectX-3 has none: there are defaults
//! (QUERY_DEF_PARAMS) and next values only.
//!
//! # Sources
//! mstflint 4.21 against a virtual card (it shows the columns of `query -e` by it).

use binrw::BinRead;
use bitfield_struct::bitfield;

use super::{Layout, Method, Readable, Register};

/// Dword 0 of MNVGC.
#[bitfield(u32)]
pub struct Mnvgc {
    /// MNVDA can be asked for the default value.
    pub default_supported: bool,
    /// MNVDA can be asked for the current value.
    pub current_supported: bool,
    #[bits(30)]
    __: u32,
}

impl Register for Mnvgc {
    const NAME: &'static str = "MNVGC";
    const TOOLS_HCR: Option<u16> = None;
    const ICMD: Option<u16> = Some(0x9034);

    fn layout(&self, _method: Method) -> Layout {
        Layout {
            written: vec![0; 4],
            declared_dwords: 4,
            wanted: vec![0],
        }
    }
}

impl Readable for Mnvgc {
    fn unpack(bytes: &[u8]) -> Result<Self, binrw::Error> {
        u32::read_be(&mut std::io::Cursor::new(bytes)).map(Self::from_bits)
    }
}
