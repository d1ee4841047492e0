//! The checksums of firmware images and expansion ROMs.
//!
//! One CRC serves both firmware formats and every place in them: polynomial
//! 0x100B, not reflected, over big-endian dwords, which are the bytes in file
//! order. mstflint computes it with a register of 0xFFFF into whose low end the
//! message is shifted, flushed with 16 zero bits; [`CRC_16_MELLANOX`] is the same
//! in the form that CRC catalogues use. It is stored as a big-endian dword with
//! an empty upper half, or as a big-endian 16-bit field.
//!
//! Images of an expansion ROM end on a plain sum: all bytes add up to 0.
//!
//! # Sources
//! mstflint 4.21, mft_utils/crc16.cpp (`Crc16::add`, `Crc16::finish`); PCI
//! Firmware Specification 3.0, section 5.1 (sum of an expansion ROM image).

use crc::{Algorithm, Crc, Digest, Table};

/// The CRC of FS2 and FS3 images, in the form of the catalogue of parametrised
/// CRC algorithms.
pub const CRC_16_MELLANOX: Algorithm<u16> = Algorithm {
    width: 16,
    poly: 0x100b,
    init: 0xf6aa,
    refin: false,
    refout: false,
    xorout: 0xffff,
    check: 0x9ef2,
    residue: 0xf6aa,
};

/// Sixteen bytes a step: images are large and every byte is checked.
static CRC_16: Crc<u16, Table<16>> = Crc::<u16, Table<16>>::new(&CRC_16_MELLANOX);

/// The CRC of some bytes.
#[must_use]
pub fn crc16(bytes: &[u8]) -> u16 {
    CRC_16.checksum(bytes)
}

/// A CRC over several stretches, one after the other.
#[derive(Clone)]
pub struct Crc16(Digest<'static, u16, Table<16>>);

impl Crc16 {
    /// Over nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self(CRC_16.digest())
    }

    /// Goes on with these bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// The CRC of all that was given.
    #[must_use]
    pub fn finish(self) -> u16 {
        self.0.finalize()
    }
}

impl Default for Crc16 {
    fn default() -> Self {
        Self::new()
    }
}

impl std::fmt::Debug for Crc16 {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Crc16").finish_non_exhaustive()
    }
}

/// The sum of all bytes, modulo 256.
#[must_use]
pub fn sum8(bytes: &[u8]) -> u8 {
    bytes.iter().fold(0, |sum, &byte| sum.wrapping_add(byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_crc_has_the_catalogue_values() {
        assert_eq!(crc16(b"123456789"), CRC_16_MELLANOX.check);
        assert_eq!(crc16(b""), 0x0955);
    }

    /// As mstflint computes it, bit by bit (crc16.cpp).
    fn as_mstflint(bytes: &[u8]) -> u16 {
        let mut register = 0xffff_u32;
        let bits = bytes
            .iter()
            .flat_map(|byte| (0..8).rev().map(move |bit| u32::from(byte >> bit & 1)))
            .chain(std::iter::repeat_n(0, 16));
        for bit in bits {
            let carry = register & 0x8000 != 0;
            register = (register << 1 | bit) & 0xffff;
            if carry {
                register ^= 0x100b;
            }
        }
        u16::try_from(register ^ 0xffff).unwrap()
    }

    #[test]
    fn the_crc_is_the_one_of_mstflint_at_every_length() {
        let bytes: Vec<u8> = (0..300_u32)
            .map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8)
            .collect();
        for length in 0..bytes.len() {
            assert_eq!(crc16(&bytes[..length]), as_mstflint(&bytes[..length]));
        }
    }

    #[test]
    fn stretches_add_up_to_the_whole() {
        let bytes: Vec<u8> = (0..=255).collect();
        for cut in 0..bytes.len() {
            let mut crc = Crc16::new();
            crc.update(&bytes[..cut]);
            crc.update(&bytes[cut..]);
            assert_eq!(crc.finish(), crc16(&bytes));
        }
    }
}
