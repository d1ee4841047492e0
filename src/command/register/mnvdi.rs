//! Management non-volatile data invalidate (MNVDI), ConnectX-4: delete one TLV.
//!
//! | dword | bits | meaning |
//! |---|---|---|
//! | 0 | 31:0 | 0 (the MNVDA header dword) |
//! | 1 | 31:0 | type of the TLV |
//! | 2 | 31:0 | 0 |
//!
//! After it the TLV is not set (status 8). The ConnectX-3 form was never seen in
//! use and is therefore not offered.
//!
//! # Sources
//! mstflint 4.21 against a virtual card.

use super::{Layout, Method, Register, TypeDword};

/// Deletes one TLV.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mnvdi {
    /// Which one.
    pub tlv_type: TypeDword,
}

impl Register for Mnvdi {
    const NAME: &'static str = "MNVDI";
    const TOOLS_HCR: Option<u16> = None;
    const ICMD: Option<u16> = Some(0x9025);

    fn layout(&self, _method: Method) -> Layout {
        Layout {
            written: vec![0, self.tlv_type.0, 0],
            declared_dwords: 3,
            wanted: Vec::new(),
        }
    }
}
