//! Management flash memory configuration (MFMC): how much of the flash is
//! write protected.
//!
//! | dword | bits | meaning |
//! |---|---|---|
//! | 0 | 5:4 | flash chip |
//! | 1 | 31 | a part is protected |
//! | 1 | 17:16 | unit: 0 sectors of 4 KiB, 1 blocks of 64 KiB |
//! | 1 | 7:0 | logarithm of how many, from the top |
//! | 4 | 24 | quad mode |
//! | 6 | 3:0 | dummy clock cycles |
//!
//! 28 bytes; only read here.
//!
//! # Sources
//! mstflint 4.21 `tools_open_layouts.c`: `tools_open_mfmc_pack`;
//! `mflash_access_layer.c`: `sx_get_write_protect`, `sx_set_write_protect`
//! (refuses a protected bottom).

use binrw::BinRead;
use bitfield_struct::bitfield;

use super::{Layout, Method, Readable, Register};

/// Dword 1 of MFMC.
#[bitfield(u32)]
struct Dword1 {
    wrp_block_count: u8,
    __: u8,
    #[bits(2)]
    block_size: u8,
    #[bits(13)]
    __: u16,
    wrp_en: bool,
}

/// How much of the flash is write protected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mfmc {
    bank: u8,
    /// A part is protected.
    pub protected: bool,
    /// The unit: 0 sectors of 4 KiB, 1 blocks of 64 KiB.
    pub block_size: u8,
    /// Logarithm (to base 2) of how many of them.
    pub log2_count: u8,
}

impl Mfmc {
    /// Asks about a chip.
    #[must_use]
    pub fn ask(bank: u8) -> Self {
        Self {
            bank,
            protected: false,
            block_size: 0,
            log2_count: 0,
        }
    }
}

impl Register for Mfmc {
    const NAME: &'static str = "MFMC";
    const TOOLS_HCR: Option<u16> = Some(0x9013);
    const ICMD: Option<u16> = Some(0x9013);

    fn layout(&self, _method: Method) -> Layout {
        let mut written = vec![0; 7];
        written[0] = u32::from(self.bank & 3) << 4;
        Layout {
            written,
            declared_dwords: 7,
            wanted: vec![0, 1],
        }
    }
}

impl Readable for Mfmc {
    fn unpack(bytes: &[u8]) -> Result<Self, binrw::Error> {
        let (dword0, dword1) = <(u32, u32)>::read_be(&mut std::io::Cursor::new(bytes))?;
        let [_, _, _, low] = dword0.to_be_bytes();
        let dword1 = Dword1::from_bits(dword1);
        Ok(Self {
            bank: low >> 4 & 3,
            protected: dword1.wrp_en(),
            block_size: dword1.block_size(),
            log2_count: dword1.wrp_block_count(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn four_protected_blocks_are_read() {
        let answer = [0, 0, 0, 0, 0x80, 1, 0, 2];
        let mfmc = Mfmc::unpack(&answer).unwrap();
        assert!(mfmc.protected);
        assert_eq!((mfmc.block_size, mfmc.log2_count), (1, 2));
        assert!(!Mfmc::unpack(&[0; 8]).unwrap().protected);
    }
}
