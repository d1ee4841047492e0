//! Expansion ROMs made up for tests: no program runs in them, but they are built
//! like those of iPXE's tools.

use super::blocks::tests::{pack, pack_without_crc};
use super::ip_version_default::tests::code_with_default;
use super::uefi_compression::Variant;
use super::uefi_compression::tests::pack as pack_for_uefi;

pub(crate) const IPXE: &[u8] = b"iPXE\x002.0.0+\0netmask\0dhcp\0";
pub(crate) const IPXE_WITH_IPV6: &[u8] = b"iPXE\x002.0.0+\0netmask\0dhcp\0ICMPv6\0\xffdhcpv6\0";
const FLEXBOOT: &[u8] = b"iPXE\x001.0.0+\0FlexBoot v3.4.812\0FlexBoot\0netmask\0dhcp\0ICMPv6\0\
    dhcpv6\0ip_support\0dhcpv4_disabled\0dhcpv6_disabled\0";
const UNIT: usize = 512;

/// FlexBoot for ConnectX-4 with this constant.
pub(crate) fn flexboot_for_connectx4(constant: u8) -> Vec<u8> {
    let mut code = code_with_default(constant);
    code.extend(FLEXBOOT);
    code.extend(b"ConnectX-4\0");
    code
}

/// FlexBoot for ConnectX-3, which has the table of constants too.
pub(crate) fn flexboot_for_connectx3() -> Vec<u8> {
    let mut code = code_with_default(0);
    code.extend(FLEXBOOT);
    code.extend(b"ConnectX-3\0");
    code
}

/// An image around these contents, which begin at 0x60.
pub(super) fn image(code_type: u8, is_last: bool, contents: &[u8]) -> Vec<u8> {
    let mut image = vec![0; 0x60];
    image[..2].copy_from_slice(&[0x55, 0xaa]);
    image[0x18] = 0x1c;
    image[0x1c..0x20].copy_from_slice(b"PCIR");
    image[0x26] = 0x1c;
    image.extend(contents);
    image.resize(image.len().next_multiple_of(UNIT), 0xff);
    let units = u16::try_from(image.len() / UNIT).unwrap().to_le_bytes();
    image[0x2c..0x2e].copy_from_slice(&units);
    image[0x30] = code_type;
    image[0x31] = if is_last { 0x80 } else { 0 };
    image
}

/// Blocks with padding between them.
pub(super) fn blocks(codes: &[&[u8]]) -> Vec<u8> {
    let mut contents = Vec::new();
    for code in codes {
        contents.extend(pack(code));
        contents.resize(contents.len().next_multiple_of(16), 0xff);
    }
    contents
}

/// A `.rom` with this as its main block.
pub(crate) fn rom(code: &[u8]) -> Vec<u8> {
    image(0, true, &blocks(&[b"early", b"late code", b"data16", code]))
}

/// A `.mrom`.
pub(super) fn mrom(code: &[u8], is_last: bool) -> Vec<u8> {
    let mut file = image(0, false, &blocks(&[b"early"]));
    let payload = blocks(&[b"late code", b"data16", code]);
    file.extend(image(0xff, is_last, &payload));
    file
}

/// A `.rom` of 2015.
pub(super) fn rom_without_crcs(code: &[u8]) -> Vec<u8> {
    let mut contents = b"iPXE\0FlexBoot v3.4.719\0(PCI".to_vec();
    for code in [&b"early"[..], b"late code", b"data16", code] {
        contents.resize(contents.len().next_multiple_of(16), 0xff);
        contents.extend(pack_without_crc(code));
    }
    image(0, true, &contents)
}

/// An EFI program with one section.
pub(super) fn program(code: &[u8]) -> Vec<u8> {
    let mut program = vec![0; 0x200];
    program[..2].copy_from_slice(b"MZ");
    program[0x3c] = 0x80;
    program[0x80..0x84].copy_from_slice(b"PE\0\0");
    program[0x86] = 1;
    let section = 0x80 + 24;
    let size = u32::try_from(code.len()).unwrap().to_le_bytes();
    program[section + 16..section + 20].copy_from_slice(&size);
    program[section + 20..section + 24].copy_from_slice(&0x200_u32.to_le_bytes());
    program.extend(code);
    program
}

/// An EFI image, compressed or not, with its checksum filled in.
pub(super) fn efi(code: &[u8], variant: Option<Variant>) -> Vec<u8> {
    let program = program(code);
    let contents = variant.map_or_else(
        || program.clone(),
        |variant| pack_for_uefi(&program, variant),
    );
    let mut image = image(3, true, &contents);
    image[4..8].copy_from_slice(&0x0ef1_u32.to_le_bytes());
    image[0xc] = u8::from(variant.is_some());
    image[0x16] = 0x60;
    fill_in_sum(&mut image);
    image
}

/// Makes an image's bytes add up to 0, at 0x38, where nothing else is.
pub(super) fn fill_in_sum(image: &mut [u8]) {
    image[0x38] = 0;
    let sum = image.iter().fold(0_u8, |sum, byte| sum.wrapping_add(*byte));
    image[0x38] = sum.wrapping_neg();
    if sum == 0 {
        // Filled in has to be seen.
        (image[0x38], image[0x39]) = (1, 0xff);
    }
}
