//! Management non-volatile query capabilities (MNVQC), ConnectX-4: what may be
//! done with one TLV.
//!
//! | dword | bits | meaning |
//! |---|---|---|
//! | 0 | 31:0 | type of the TLV |
//! | 1 | 0 | may be read |
//! | 1 | 1 | may be written |
//! | 1 | 7:4 | highest version that the firmware knows |
//!
//! Eight bytes, GET only. mstconfig hides a TLV when this fails.
//!
//! # Sources
//! mstflint 4.21 against a virtual card.

use binrw::BinRead;
use bitfield_struct::bitfield;

use super::{Layout, Method, Readable, Register, TypeDword};

/// Dword 1 of MNVQC.
#[bitfield(u32)]
struct Dword1 {
    readable: bool,
    writable: bool,
    #[bits(2)]
    __: u8,
    #[bits(4)]
    version: u8,
    #[bits(24)]
    __: u32,
}

/// What may be done with one TLV.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mnvqc {
    /// Which TLV.
    pub tlv_type: TypeDword,
    /// It may be read.
    pub readable: bool,
    /// It may be written.
    pub writable: bool,
    /// The highest version that the firmware knows.
    pub version: u8,
}

impl Mnvqc {
    /// Asks about a TLV.
    #[must_use]
    pub fn ask(tlv_type: TypeDword) -> Self {
        Self {
            tlv_type,
            readable: false,
            writable: false,
            version: 0,
        }
    }
}

impl Register for Mnvqc {
    const NAME: &'static str = "MNVQC";
    const TOOLS_HCR: Option<u16> = None;
    const ICMD: Option<u16> = Some(0x9030);

    fn layout(&self, _method: Method) -> Layout {
        Layout {
            written: vec![self.tlv_type.0, 0],
            declared_dwords: 2,
            wanted: vec![1],
        }
    }
}

impl Readable for Mnvqc {
    fn unpack(bytes: &[u8]) -> Result<Self, binrw::Error> {
        let (tlv_type, dword1) = <(u32, u32)>::read_be(&mut std::io::Cursor::new(bytes))?;
        let dword1 = Dword1::from_bits(dword1);
        Ok(Self {
            tlv_type: TypeDword(tlv_type),
            readable: dword1.readable(),
            writable: dword1.writable(),
            version: dword1.version(),
        })
    }
}
