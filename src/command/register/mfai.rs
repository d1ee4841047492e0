//! Management firmware activate image (MFAI), ConnectX-4: where the firmware is
//! loaded from at the next reset.
//!
//! | dword | bits | meaning |
//! |---|---|---|
//! | 0 | 31 | the image is named by its id |
//! | 0 | 30 | the image is named by its address |
//! | 0 | 29 | for good, rather than for the next reset |
//! | 0 | 23:0 | address |
//! | 1 | 7:0 | image id |
//!
//! Sixteen bytes. mstflint names the address and sets nothing else. On
//! ConnectX-3 this number is MNVIA.
//!
//! # Sources
//! mstflint 4.21 `cibfw_layouts.c`: `cibfw_register_mfai_pack`; `fs3_ops.cpp`:
//! `Fs3IsfuActivateImage`; against a virtual card.

use bitfield_struct::bitfield;

use super::{Layout, Method, Register};

/// Dword 0 of MFAI.
#[bitfield(u32)]
struct Dword0 {
    #[bits(24)]
    address: u32,
    #[bits(5)]
    __: u8,
    permanent: bool,
    use_address: bool,
    use_image_id: bool,
}

/// Names the image that is loaded at the next reset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mfai {
    address: u32,
}

impl Mfai {
    /// The image that starts at this byte of the flash; `None` when the register
    /// has no room for the address.
    #[must_use]
    pub fn at(address: u32) -> Option<Self> {
        (address < 1 << 24).then_some(Self { address })
    }
}

impl Register for Mfai {
    const NAME: &'static str = "MFAI";
    const TOOLS_HCR: Option<u16> = None;
    const ICMD: Option<u16> = Some(0x9029);

    fn layout(&self, _method: Method) -> Layout {
        let dword0 = Dword0::new()
            .with_address(self.address)
            .with_use_address(true);
        Layout {
            written: vec![dword0.into_bits(), 0, 0, 0],
            declared_dwords: 4,
            wanted: Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_names_the_address_as_mstflint_was_seen_to_do() {
        let written = |at| Mfai::at(at).unwrap().layout(Method::Set).written;
        assert_eq!(written(0x40_0000), [0x4040_0000, 0, 0, 0]);
        assert_eq!(written(0), [0x4000_0000, 0, 0, 0]);
        assert_eq!(Mfai::at(1 << 24), None);
    }
}
