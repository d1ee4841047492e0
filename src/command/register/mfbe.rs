//! Management flash block erase (MFBE).
//!
//! | dword | bits | meaning |
//! |---|---|---|
//! | 0 | 30 | a block of 32 KiB |
//! | 0 | 29 | a block of 64 KiB |
//! | 0 | 8 | parallel flash; 0 here |
//! | 0 | 5:4 | flash chip |
//! | 2 | 31:0 | address of its first byte |
//!
//! Twelve bytes, SET only. Without one of the two size bits it is a sector.
//!
//! # Sources
//! mstflint 4.21 `register_access_open_layouts.c`: `register_access_mfbe_pack`;
//! `mflash_pack_layer.c`: `common_erase_sector`; against virtual cards of both
//! generations.

use bitfield_struct::bitfield;

use super::{Layout, Method, Register};

/// Dword 0 of MFBE.
#[bitfield(u32)]
struct Dword0 {
    #[bits(4)]
    __: u8,
    #[bits(2)]
    bank: u8,
    #[bits(23)]
    __: u32,
    bulk_64kb_erase: bool,
    bulk_32kb_erase: bool,
    __: bool,
}

/// Erases a block of the flash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mfbe {
    bank: u8,
    address: u32,
    bulk_64kb: bool,
}

impl Mfbe {
    /// A sector.
    #[must_use]
    pub fn sector(bank: u8, address: u32) -> Self {
        Self {
            bank,
            address,
            bulk_64kb: false,
        }
    }

    /// A block of 64 KiB.
    #[must_use]
    pub fn block_64kb(bank: u8, address: u32) -> Self {
        Self {
            bank,
            address,
            bulk_64kb: true,
        }
    }
}

impl Register for Mfbe {
    const NAME: &'static str = "MFBE";
    const TOOLS_HCR: Option<u16> = Some(0x9012);
    const ICMD: Option<u16> = Some(0x9012);

    fn layout(&self, _method: Method) -> Layout {
        let dword0 = Dword0::new()
            .with_bank(self.bank & 3)
            .with_bulk_64kb_erase(self.bulk_64kb);
        Layout {
            written: vec![dword0.into_bits(), 0, self.address],
            declared_dwords: 3,
            wanted: Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_size_is_a_bit() {
        let written = |mfbe: Mfbe| mfbe.layout(Method::Set).written;
        assert_eq!(written(Mfbe::sector(0, 0x1000)), [0, 0, 0x1000]);
        let block = written(Mfbe::block_64kb(1, 0x1_0000));
        assert_eq!(block, [0x2000_0010, 0, 0x1_0000]);
    }
}
