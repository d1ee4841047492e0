//! IMAGE_SIGNATURE_256 and IMAGE_SIGNATURE_512.
//!
//! | offset | size | content |
//! |---|---|---|
//! | 0 | 16 | id of the signature |
//! | 0x10 | 16 | id of the pair of keys |
//! | 0x20 | 256 or 512 | signature |
//!
//! An image that nobody signed has its SHA-256 where the signature would be, and
//! zeros around it.
//!
//! # Sources
//! mstflint 4.21, tools_layouts/cx4fw_layouts.c
//! (`cx4fw_image_signature_256_pack`, `cx4fw_image_signature_512_pack`) and
//! mlxfwops/lib/fs3_ops.cpp (`Fs3Operations::FwInsertSHA256`,
//! `Fs3Operations::FwInsertEncSHA`, `Fs3Operations::GetImgSigInfo`).

use super::fields::Fields;

/// Bytes of IMAGE_SIGNATURE_256.
pub(super) const SIGNATURE_256_BYTES: usize = 0x140;
/// Bytes of IMAGE_SIGNATURE_512.
pub(super) const SIGNATURE_512_BYTES: usize = 0x240;
/// Where the digest or the signature starts.
pub(super) const DIGEST_OFFSET: usize = 0x20;
const DIGEST_BYTES: usize = 32;

/// What a signature section holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signature {
    /// Nothing yet.
    Blank,
    /// The SHA-256 of the image: anyone can make it.
    Digest([u8; 32]),
    /// The signature of somebody who has a key.
    Vendor,
}

impl Signature {
    /// Looks at IMAGE_SIGNATURE_256.
    #[must_use]
    pub fn of_256(section: &[u8]) -> Self {
        let fields = Fields(section);
        let behind = DIGEST_OFFSET + DIGEST_BYTES;
        let digest = fields.bytes(DIGEST_OFFSET, behind);
        if fields.is_blank(0, section.len()) {
            Self::Blank
        } else if fields.is_blank(0, DIGEST_OFFSET) && fields.is_blank(behind, section.len()) {
            <[u8; DIGEST_BYTES]>::try_from(digest).map_or(Self::Vendor, Self::Digest)
        } else {
            Self::Vendor
        }
    }

    /// Looks at IMAGE_SIGNATURE_512, which never holds a digest.
    #[must_use]
    pub fn of_512(section: &[u8]) -> Self {
        if Fields(section).is_blank(0, section.len()) {
            Self::Blank
        } else {
            Self::Vendor
        }
    }
}

/// Whether the key is one for development, as mstflint tells it.
pub(super) fn is_development_key(section: &[u8]) -> bool {
    let [first, second, third, fourth] =
        [0x10, 0x14, 0x18, 0x1c].map(|at| Fields(section).dword(at));
    (first, second, third) != (0, 0, 0) && fourth == 0 && third & 0xffff == 0
}

/// A section that holds a digest, cut to `length`.
pub(super) fn digest_section(digest: &[u8], length: usize) -> Vec<u8> {
    let mut section = vec![0; DIGEST_OFFSET];
    section.extend_from_slice(digest);
    section.resize(length, 0);
    section
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_is_no_signature() {
        let section = digest_section(&[7; 32], SIGNATURE_256_BYTES);
        assert_eq!(Signature::of_256(&section), Signature::Digest([7; 32]));
        assert_eq!(Signature::of_256(&[0; 0x140]), Signature::Blank);
        for at in [0, 0x1f, 0x40, 0x13f] {
            let mut signed = section.clone();
            signed[at] = 1;
            assert_eq!(Signature::of_256(&signed), Signature::Vendor, "{at:#x}");
        }
        assert_eq!(Signature::of_512(&[0; 0x240]), Signature::Blank);
        assert_eq!(Signature::of_512(&section), Signature::Vendor);
        assert_eq!(Signature::of_256(&[1]), Signature::Vendor);
    }
}
