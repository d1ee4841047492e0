//! The header that iPXE puts into the BIOS images it builds, FlexBoot included.
//!
//! | offset | size | content |
//! |---|---|---|
//! | 0 | 2 | 55 AA, start of an expansion ROM image |
//! | 0x10 | 2 | offset of the iPXE header in the image, little-endian |
//! | header + 0 | 4 | `iPXE` |
//! | header + 4 | 1 | length of the header |
//! | header + 5 | 1 | makes the sum of the header 0 |
//! | header + 6 | 1 | length of the image when shrunk, in units of 512 bytes |
//! | header + 8 | 4 | build id, little-endian |
//!
//! An EFI image has no such header. Some are compressed, and then nothing in
//! them says iPXE in plain.
//!
//! # Sources
//! iPXE, src/arch/x86/prefix/romprefix.S (`ipxeheader`); FlexBoot 3.4.812,
//! src/arch/i386/prefix/romprefix.S; iPXE, src/util/fixrom.pl and
//! src/util/Option/ROM.pm (the sum goes over the header only).

use binrw::{BinRead, BinWrite};

use super::codec::{decode, encode};

const SIGNATURE: [u8; 2] = [0x55, 0xaa];
const HEADER_POINTER: usize = 0x10;
const MAGIC: &[u8; 4] = b"iPXE";
const BUILD_ID: usize = 8;
/// Expansion ROM images start on multiples of 512 bytes (PCI Firmware
/// Specification 3.0, section 5.1).
const IMAGE_STEP_BYTES: usize = 512;

/// What an image's iPXE header says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IpxeHeader {
    /// Where the image starts in the file, in bytes.
    pub image_offset: usize,
    /// Where the header is in the file, in bytes.
    pub offset: usize,
    /// The build's own id; `None` when the header is too short to have one.
    pub build_id: Option<u32>,
}

/// The header as it is stored.
#[derive(BinRead, BinWrite, Clone, Copy, Debug, PartialEq, Eq)]
#[brw(little, magic = b"iPXE")]
pub struct IpxeStructure {
    /// Length of the header.
    pub length: u8,
    /// Makes its sum 0.
    pub checksum: u8,
    /// Length of the image after initialization, in units of 512 bytes.
    pub shrunk_blocks: u8,
    /// Reserved.
    pub reserved: u8,
    /// The build's own id.
    pub build_id: u32,
}

impl IpxeStructure {
    pub(super) fn parse(image: &[u8], at: usize) -> Option<Self> {
        decode(image, at)
    }

    /// Its bytes.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        encode(self)
    }
}

/// The iPXE header of the first image that has one.
///
/// Together with no [`version_records`](super::version_records) it means: this
/// is iPXE, but nobody can tell which version.
#[must_use]
pub fn ipxe_header(bytes: &[u8]) -> Option<IpxeHeader> {
    bytes
        .chunks(IMAGE_STEP_BYTES)
        .enumerate()
        .filter(|(_, block)| block.starts_with(&SIGNATURE))
        .find_map(|(number, _)| header_of_image(bytes, number * IMAGE_STEP_BYTES))
}

/// Whether `iPXE` stands anywhere in plain text: weaker than [`ipxe_header`],
/// but it also holds for uncompressed EFI images, which print it.
#[must_use]
pub fn mentions_ipxe(bytes: &[u8]) -> bool {
    bytes.windows(MAGIC.len()).any(|found| found == MAGIC)
}

fn header_of_image(bytes: &[u8], image_offset: usize) -> Option<IpxeHeader> {
    let image = bytes.get(image_offset..)?;
    let pointer: [u8; 2] = image.get(HEADER_POINTER..)?.first_chunk().copied()?;
    let pointer = usize::from(u16::from_le_bytes(pointer));
    let header = image.get(pointer..)?;
    let (magic, rest) = header.split_first_chunk::<4>()?;
    if magic != MAGIC {
        return None;
    }
    let length = usize::from(*rest.first()?);
    let build_id = header
        .get(BUILD_ID..length.min(header.len()))
        .and_then(|bytes| bytes.first_chunk().copied())
        .map(u32::from_le_bytes);
    Some(IpxeHeader {
        image_offset,
        offset: image_offset + pointer,
        build_id,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn image() -> Vec<u8> {
        let mut image = vec![0; 1024];
        image[..2].copy_from_slice(&SIGNATURE);
        image[0x10] = 0x60;
        image[0x60..0x6c].copy_from_slice(b"iPXE\x0c\x00\x02\x00\x78\x56\x34\x12");
        image
    }

    #[test]
    fn finds_the_header_and_its_build_id() {
        let header = ipxe_header(&image()).unwrap();
        assert_eq!(header.offset, 0x60);
        assert_eq!(header.build_id, Some(0x1234_5678));
    }

    #[test]
    fn finds_it_in_a_later_image() {
        let mut file = vec![0xff; 512];
        file[..2].copy_from_slice(&SIGNATURE);
        file.extend(image());
        let header = ipxe_header(&file).unwrap();
        assert_eq!((header.image_offset, header.offset), (512, 512 + 0x60));
    }

    #[test]
    fn the_word_alone_makes_no_header() {
        let banner = b"iPXE -- Open Source Network Boot Firmware";
        assert_eq!(ipxe_header(banner), None);
        assert!(mentions_ipxe(banner));
        let mut image = image();
        image[0x10] = 0x61;
        assert_eq!(ipxe_header(&image), None);
    }

    #[test]
    fn any_truncation_is_survived() {
        let image = image();
        for length in 0..image.len() {
            let header = ipxe_header(&image[..length]);
            assert_eq!(header.is_some(), length > 0x64, "{length}");
        }
        let mut wild = image;
        wild[0x10..0x12].copy_from_slice(&[0xff, 0xff]);
        assert_eq!(ipxe_header(&wild), None);
    }
}
