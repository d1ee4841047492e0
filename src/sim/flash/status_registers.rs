//! The status registers of a serial flash chip, and what they protect.
//!
//! | register | bits | meaning |
//! |---|---|---|
//! | 1 (0x05) | 0 | WIP: a write is in progress |
//! | 1 | 1 | WEL: the next write is taken |
//! | 1 | 4:2 | BP2..BP0: how much is protected |
//! | 1 | 5 | TB: from the bottom, else from the top |
//! | 1 | 6 | Winbond SEC: sectors of 4 KiB instead of blocks of 64 KiB; Micron BP3 |
//! | 1 | 7 | SRP0, SRWD: the register itself is locked by the write protect pin |
//!
//! BP = 0 protects nothing, BP = n protects 2^(n-1) blocks or sectors (at most
//! 32 KiB of sectors), or everything where that is more than there is.
//!
//! # Sources
//! Winbond W25Q16BV datasheet, rev. F, 10.1.11 (status register memory
//! protection); Micron N25Q128A datasheet, rev. T (status register, protected
//! area sizes). Other chips are taken to follow Winbond's.

use serde::{Deserialize, Serialize};

/// Write in progress.
pub(crate) const WIP: u8 = 1;
/// Write enable latch.
pub(crate) const WEL: u8 = 2;
/// The bits with which the whole of any chip here is protected.
pub(crate) const PROTECT_ALL: u8 = 0x5c;

const TB: u8 = 1 << 5;
const BIT_6: u8 = 1 << 6;
const LOCKED: u8 = 1 << 7;
const MICRON: u8 = 0x20;

/// What a chip keeps without power; register 1 without WIP and WEL.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct StatusRegisters {
    pub(crate) first: u8,
    pub(crate) second: u8,
    pub(crate) third: u8,
    /// Micron's nonvolatile configuration register.
    pub(crate) configuration: u16,
}

impl StatusRegisters {
    pub(crate) fn new(first: u8) -> Self {
        Self {
            first: first & !(WIP | WEL),
            second: 0,
            third: 0,
            configuration: 0xffff,
        }
    }

    /// Whether the register refuses to be written. The pin that this needs is
    /// taken to be wired so.
    pub(crate) fn is_locked(self) -> bool {
        self.first & LOCKED != 0
    }

    /// Makes everything protected, and the register locked.
    pub(crate) fn protect_everything(&mut self) {
        self.first |= PROTECT_ALL | LOCKED;
    }

    /// The protected part of a chip of that many bytes, from the maker with this id.
    pub(crate) fn protected(self, maker: u8, bytes: u32) -> std::ops::Range<u32> {
        let low = u32::from(self.first >> 2 & 7);
        let bit_6 = self.first & BIT_6 != 0;
        let (blocks, unit, most) = if maker == MICRON {
            (low | u32::from(bit_6) << 3, 0x1_0000, bytes)
        } else if bit_6 && low < 6 {
            (low, 0x1000, 0x8000)
        } else {
            // 6 and 7 are all there is on the chip whose datasheet this follows.
            (if low >= 6 { 32 } else { low }, 0x1_0000, bytes)
        };
        let length = match blocks.checked_sub(1) {
            None => 0,
            Some(power) => 1_u32
                .checked_shl(power)
                .and_then(|count| count.checked_mul(unit))
                .unwrap_or(bytes)
                .min(most),
        };
        if self.first & TB == 0 {
            bytes.saturating_sub(length)..bytes
        } else {
            0..length.min(bytes)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn protected(first: u8, maker: u8, bytes: u32) -> std::ops::Range<u32> {
        StatusRegisters::new(first).protected(maker, bytes)
    }

    #[test]
    fn blocks_are_protected_as_the_datasheets_have_it() {
        const WINBOND: u8 = 0xef;
        assert!(protected(0, WINBOND, 0x20_0000).is_empty());
        assert_eq!(protected(0x04, WINBOND, 0x20_0000), 0x1f_0000..0x20_0000);
        assert_eq!(protected(0x34, WINBOND, 0x20_0000), 0..0x10_0000);
        assert_eq!(protected(0x1c, WINBOND, 0x20_0000), 0..0x20_0000);
        assert_eq!(protected(0x64, WINBOND, 0x20_0000), 0..0x1000);
        assert_eq!(protected(0x54, WINBOND, 0x20_0000), 0x1f_8000..0x20_0000);
        assert!(protected(0, MICRON, 0x100_0000).is_empty());
        assert_eq!(protected(0x04, MICRON, 0x100_0000), 0xff_0000..0x100_0000);
        assert_eq!(protected(0x1c, MICRON, 0x100_0000), 0xc0_0000..0x100_0000);
        assert_eq!(protected(0x60, MICRON, 0x100_0000), 0..0x80_0000);
        assert_eq!(protected(0x5c, MICRON, 0x100_0000), 0..0x100_0000);
    }
}
