//! Management flash parameters (MFPA): which flash the card has.
//!
//! | dword | bits | meaning |
//! |---|---|---|
//! | 0 | 8 | parallel flash; 0 here |
//! | 0 | 5:4 | flash chip |
//! | 1 | 31:0 | boot address |
//! | 4 | 31 | a write is in progress |
//! | 4 | 30 | blocks of 32 KiB can be erased |
//! | 4 | 29 | blocks of 64 KiB can be erased |
//! | 4 | 17 | sectors can be protected |
//! | 4 | 16 | subsectors can be protected |
//! | 4 | 3:0 | number of flash chips |
//! | 5 | 23:0 | JEDEC id, the maker in the lowest byte |
//! | 6 | 9:0 | logarithm of the sector size |
//! | 7 | 17 | quad mode is supported |
//! | 7 | 16 | write protection is supported |
//!
//! 32 bytes; only read here. "Bad parameter" means that the chip asked about is
//! not there.
//!
//! # Sources
//! mstflint 4.21 `tools_open_layouts.c`: `tools_open_mfpa_pack`;
//! `mflash_pack_layer.c`: `run_mfpa_command`; against virtual cards of both
//! generations.

use binrw::BinRead;
use bitfield_struct::bitfield;

use super::{Layout, Method, Readable, Register};

/// Dword 4 of MFPA.
#[bitfield(u32)]
struct Dword4 {
    #[bits(4)]
    flash_num: u8,
    #[bits(12)]
    __: u16,
    sub_sector_wrp_en: bool,
    sector_wrp_en: bool,
    #[bits(11)]
    __: u16,
    bulk_64kb_erase_en: bool,
    bulk_32kb_erase_en: bool,
    wip: bool,
}

/// The bytes that are read back.
#[derive(BinRead, Debug)]
#[br(big)]
struct Answer {
    dword0: u32,
    #[br(pad_after = 8)]
    boot_address: u32,
    dword4: u32,
    jedec_id: u32,
    sector_size: u32,
    capability_mask: u32,
}

/// Which flash the card has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Mfpa {
    bank: u8,
    /// Boot address, as the firmware says it.
    pub boot_address: u32,
    /// Number of flash chips.
    pub flash_num: u8,
    /// Blocks of 64 KiB can be erased.
    pub bulk_64kb_erase_en: bool,
    /// A part of the flash can be write protected, and [`super::Mfmc`] says
    /// whether it is.
    pub write_protection: bool,
    /// JEDEC id: maker, type, density.
    pub jedec: [u8; 3],
    /// Logarithm (to base 2) of the sector size; 0 when the firmware does not say.
    pub log2_sector_size: u16,
}

impl Mfpa {
    /// Asks about a chip.
    #[must_use]
    pub fn ask(bank: u8) -> Self {
        Self {
            bank,
            ..Self::default()
        }
    }
}

impl Register for Mfpa {
    const NAME: &'static str = "MFPA";
    const TOOLS_HCR: Option<u16> = Some(0x9010);
    const ICMD: Option<u16> = Some(0x9010);

    fn layout(&self, _method: Method) -> Layout {
        let mut written = vec![0; 8];
        written[0] = u32::from(self.bank & 3) << 4;
        Layout {
            written,
            declared_dwords: 8,
            wanted: vec![0, 1, 4, 5, 6, 7],
        }
    }
}

impl Readable for Mfpa {
    fn unpack(bytes: &[u8]) -> Result<Self, binrw::Error> {
        let answer = Answer::read(&mut std::io::Cursor::new(bytes))?;
        let dword4 = Dword4::from_bits(answer.dword4);
        let [_, _, _, low] = answer.dword0.to_be_bytes();
        let [_, density, kind, maker] = answer.jedec_id.to_be_bytes();
        let [_, _, high, sector] = (answer.sector_size & 0x3ff).to_be_bytes();
        let supported = answer.capability_mask >> 16 & 1 != 0;
        Ok(Self {
            bank: low >> 4 & 3,
            boot_address: answer.boot_address,
            flash_num: dword4.flash_num(),
            bulk_64kb_erase_en: dword4.bulk_64kb_erase_en(),
            write_protection: supported && (dword4.sector_wrp_en() || dword4.sub_sector_wrp_en()),
            jedec: [maker, kind, density],
            log2_sector_size: u16::from_be_bytes([high, sector]),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_maker_is_the_lowest_byte_of_the_id() {
        let mut answer = [0; 32];
        answer[4..8].copy_from_slice(&0x40_0000_u32.to_be_bytes());
        answer[16..20].copy_from_slice(&0x2003_0001_u32.to_be_bytes());
        answer[20..24].copy_from_slice(&0x0018_ba20_u32.to_be_bytes());
        answer[24..28].copy_from_slice(&12_u32.to_be_bytes());
        answer[28..32].copy_from_slice(&0x0003_0000_u32.to_be_bytes());
        let mfpa = Mfpa::unpack(&answer).unwrap();
        assert_eq!(mfpa.jedec, [0x20, 0xba, 0x18]);
        assert_eq!((mfpa.flash_num, mfpa.log2_sector_size), (1, 12));
        assert!(mfpa.bulk_64kb_erase_en && mfpa.write_protection);
        assert_eq!(mfpa.boot_address, 0x40_0000);
    }
}
