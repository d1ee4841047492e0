//! Sums of images: which bytes must add up to 0, and which byte makes them.
//!
//! Only an image for a BIOS has to have the sum 0. Where the byte is that
//! corrects it is nowhere laid down:
//!
//! | who made the ROM | byte |
//! |---|---|
//! | iPXE, FlexBoot, SeaBIOS | offset 6, behind the jump of the entry point |
//! | QEMU and others | the last byte, in the padding |
//! | iPXE's EFI images | the first byte behind PCIR, before the EFI image |
//!
//! # Sources
//! PCI Firmware Specification 3.0, section 5.2.1.1 (POST checks the sum); iPXE,
//! src/util/Option/ROM.pm (`fix_checksum`) and src/util/efirom.c; SeaBIOS,
//! scripts/buildrom.py; QEMU, scripts/signrom.py.

use super::codec::byte_sum;
use super::rom_header::{CHECKSUM_BYTE, RomHeader};
use super::{CodeType, Part, RomImage};

const JUMP_SHORT: u8 = 0xeb;
const JUMP_NEAR: u8 = 0xe9;
/// Padding that is long enough to be sure that it is some.
const LEAST_PADDING: usize = 16;

/// The bytes that a BIOS adds up: as many as the header says, no more than
/// there are.
pub(super) fn summed<'a>(image: &RomImage<'a>) -> &'a [u8] {
    match image.header().map_or(0, RomHeader::size_bytes) {
        0 => image.bytes,
        size => image.bytes.get(..size).unwrap_or(image.bytes),
    }
}

/// What the image's bytes add up to.
pub(super) fn sum(image: &RomImage<'_>) -> u8 {
    match image.code_type() {
        CodeType::PcAt => byte_sum(summed(image)),
        _ => byte_sum(image.bytes),
    }
}

/// The byte, by its offset in the image, that may be changed to correct the sum;
/// `None` when it cannot be told.
pub(super) fn correcting_byte(image: &RomImage<'_>) -> Option<usize> {
    match image.code_type() {
        CodeType::PcAt => at_six(image).or_else(|| last_of_padding(image)),
        CodeType::Efi => behind_pcir(image),
        _ => None,
    }
}

/// In an iPXE image, or where nothing else is near that byte.
fn at_six(image: &RomImage<'_>) -> Option<usize> {
    let header = image.pc_header()?;
    let jumps_over = matches!(header.entry, [JUMP_SHORT | JUMP_NEAR, ..]);
    let stands_alone = header.reserved7.iter().all(|byte| *byte == 0);
    (image.ipxe().is_some() || jumps_over && stands_alone).then_some(CHECKSUM_BYTE)
}

fn last_of_padding(image: &RomImage<'_>) -> Option<usize> {
    let (_, rest) = summed(image).split_last()?;
    let before = rest.last().filter(|byte| matches!(byte, 0 | 0xff))?;
    let same = rest.iter().rev().take_while(|byte| *byte == before).count();
    (same >= LEAST_PADDING).then_some(rest.len())
}

fn behind_pcir(image: &RomImage<'_>) -> Option<usize> {
    let pcir = image.pcir()?;
    let start = image.offset_of(|part| matches!(part, Part::Pcir(_)))?;
    let byte = start
        .checked_sub(image.offset)?
        .checked_add(usize::from(pcir.length()))?;
    let before_image = byte < usize::from(image.efi_header()?.image);
    (before_image && byte < image.bytes.len()).then_some(byte)
}
