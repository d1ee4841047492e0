//! A small, valid PCI expansion ROM, built from a description.
//!
//! The chain has the shape of FlexBoot's (a prefix image of code type 0 and a
//! payload image of code type 0xff) or of a plain iPXE `.rom` (one image), and
//! optionally a UEFI image. There is no code in it: the entry point returns.
//! Layouts: PCI Firmware Specification 3.x, section 5 (header and PCIR).
//!
//! The version record is the 20 bytes that `mstflint` looks for: `mlxsign:`,
//! then three little-endian dwords: product id << 16 | major, minor << 16 | sub,
//! device id << 16 | port << 12 | cpu << 8 | protocol (mstflint 4.21).

use super::profile::{Flavour, RecordPlace, Rom};
use super::scalar::Version;

/// A built ROM.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct OptionRom {
    /// Everything that lies behind the ROM BAR.
    pub(crate) bytes: Vec<u8>,
    /// How much of it Linux shows: up to the end of the last image.
    pub(crate) shown: usize,
}

const BLOCK: usize = 512;
const PCIR_AT: usize = 0x1c;
const RECORD_BYTES: usize = 20;

const CODE_PC: u8 = 0;
const CODE_EFI: u8 = 3;
/// FlexBoot's and iPXE's payload image: no loader takes it for code.
const CODE_PAYLOAD: u8 = 0xff;

const PRODUCT_PXE: u32 = 0x10;
const PRODUCT_UEFI: u32 = 0x11;

struct Image {
    code: u8,
    blocks: usize,
    text: &'static str,
    record: Option<[u8; RECORD_BYTES]>,
}

impl OptionRom {
    /// A ROM as it lies in the flash. Linux shows it up to the end of the image
    /// that is marked as the last one, or where the chain breaks.
    pub(crate) fn of(bytes: Vec<u8>) -> Self {
        let mut shown = 0;
        loop {
            let image = bytes.get(shown..).unwrap_or_default();
            let byte = |at: usize| image.get(at).copied().unwrap_or(0);
            let pcir = usize::from(u16::from_le_bytes([byte(0x18), byte(0x19)]));
            let is_image = image.starts_with(&[0x55, 0xaa])
                && image
                    .get(pcir..)
                    .is_some_and(|pcir| pcir.starts_with(b"PCIR"));
            let blocks = u16::from_le_bytes([byte(pcir + 0x10), byte(pcir + 0x11)]);
            let length = usize::from(blocks) * BLOCK;
            if !is_image || length == 0 || length > image.len() {
                break;
            }
            shown += length;
            if byte(pcir + 0x15) & 0x80 != 0 {
                break;
            }
        }
        Self { bytes, shown }
    }

    /// Builds the ROM of a card with this PCI device id and class.
    pub(crate) fn build(rom: &Rom, device: u16, class: u32) -> Self {
        let pxe = rom
            .records
            .then(|| record(PRODUCT_PXE, rom.version, device, 0));
        // CPU 1: AMD64.
        let uefi = rom
            .uefi_version
            .filter(|_| rom.records)
            .map(|version| record(PRODUCT_UEFI, version, device, 1));
        let mut images = match rom.flavour {
            Flavour::Flexboot => vec![
                Image {
                    code: CODE_PC,
                    blocks: 2,
                    text: "FlexBoot, a virtual card's: prefix without code",
                    record: None,
                },
                Image {
                    code: CODE_PAYLOAD,
                    blocks: 4,
                    text: "FlexBoot, a virtual card's: payload without code",
                    record: pxe,
                },
            ],
            Flavour::Ipxe => vec![Image {
                code: CODE_PC,
                blocks: 4,
                text: "iPXE, a virtual card's: image without code",
                record: pxe,
            }],
        };
        if rom.uefi_version.is_some() {
            images.push(Image {
                code: CODE_EFI,
                blocks: 2,
                text: "UEFI driver, a virtual card's: image without code",
                record: uefi,
            });
        }
        chain(&images, rom.record, device, class)
    }
}

fn chain(images: &[Image], place: RecordPlace, device: u16, class: u32) -> OptionRom {
    let mut bytes = Vec::new();
    let mut behind = Vec::new();
    for (index, image) in images.iter().enumerate() {
        let last = index + 1 == images.len();
        let start = bytes.len();
        bytes.extend(laid_out(image, last, device, class));
        if let Some(record) = image.record {
            match place {
                // Before the last bytes, so that nobody relies on an alignment.
                RecordPlace::Inside => {
                    let end = bytes.len() - 12;
                    bytes[end - RECORD_BYTES..end].copy_from_slice(&record);
                }
                RecordPlace::Behind => behind.extend(record),
            }
        }
        balance(&mut bytes[start..], image.code);
    }
    let shown = bytes.len();
    bytes.extend(behind);
    OptionRom { bytes, shown }
}

fn laid_out(image: &Image, last: bool, device: u16, class: u32) -> Vec<u8> {
    let mut bytes = vec![0; image.blocks * BLOCK];
    let blocks = u8::try_from(image.blocks).unwrap_or(u8::MAX);
    bytes[..2].copy_from_slice(&[0x55, 0xaa]);
    if image.code == CODE_EFI {
        bytes[2..4].copy_from_slice(&u16::from(blocks).to_le_bytes());
        bytes[4..8].copy_from_slice(&0x0ef1_u32.to_le_bytes());
        // Subsystem 0x0b (boot service driver), machine x86-64, uncompressed.
        bytes[8..10].copy_from_slice(&0x0b_u16.to_le_bytes());
        bytes[10..12].copy_from_slice(&0x8664_u16.to_le_bytes());
        bytes[0x16..0x18].copy_from_slice(&0x40_u16.to_le_bytes());
    } else {
        bytes[2] = blocks;
        // The entry point: a far return.
        bytes[3] = 0xcb;
    }
    bytes[0x18..0x1a].copy_from_slice(&0x1c_u16.to_le_bytes());
    let [class_low, class_middle, class_high, _] = class.to_le_bytes();
    let pcir = [
        b"PCIR".as_slice(),
        &0x15b3_u16.to_le_bytes(),
        &device.to_le_bytes(),
        &[0, 0],
        &0x1c_u16.to_le_bytes(),
        &[3, class_low, class_middle, class_high],
        &u16::from(blocks).to_le_bytes(),
        &[0, 0, image.code, if last { 0x80 } else { 0 }],
    ]
    .concat();
    bytes[PCIR_AT..PCIR_AT + pcir.len()].copy_from_slice(&pcir);
    let text = image.text.as_bytes();
    bytes[0x40..0x40 + text.len()].copy_from_slice(text);
    bytes
}

/// Makes the bytes of a legacy image sum up to zero, as BIOSes demand.
fn balance(image: &mut [u8], code: u8) {
    if code != CODE_EFI {
        let sum = image.iter().fold(0_u8, |sum, byte| sum.wrapping_add(*byte));
        image[6] = image[6].wrapping_sub(sum);
    }
}

fn record(product: u32, version: Version, device: u16, cpu: u32) -> [u8; RECORD_BYTES] {
    let words = [
        product << 16 | u32::from(version.major),
        u32::from(version.minor) << 16 | u32::from(version.sub),
        // Protocol 0xff: not shown.
        u32::from(device) << 16 | cpu << 8 | 0xff,
    ];
    let mut bytes = [0; RECORD_BYTES];
    bytes[..8].copy_from_slice(b"mlxsign:");
    for (place, word) in bytes[8..].chunks_mut(4).zip(words) {
        place.copy_from_slice(&word.to_le_bytes());
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rom(text: &str) -> Rom {
        toml::from_str(text).unwrap()
    }

    fn record_in(bytes: &[u8]) -> Option<usize> {
        bytes.windows(8).position(|window| window == b"mlxsign:")
    }

    #[test]
    fn the_record_is_the_one_of_a_genuine_rom() {
        // FlexBoot 3.4.752 of a ConnectX-3 Pro ends with these bytes (published image).
        let version = "3.4.752".parse().unwrap();
        let printed = record(PRODUCT_PXE, version, 0x1007, 0);
        assert_eq!(
            printed.map(|byte| format!("{byte:02x}")).concat(),
            "6d6c787369676e3a03001000f0020400ff000710"
        );
    }

    #[test]
    fn every_image_of_the_chain_is_found_and_sums_to_zero() {
        let rom = rom("flavour = 'flexboot'\nversion = '3.6.102'\nuefi_version = '14.21.17'");
        let built = OptionRom::build(&rom, 0x1013, 0x02_0000);
        let mut at = 0;
        let mut codes = Vec::new();
        loop {
            assert_eq!(built.bytes[at..at + 2], [0x55, 0xaa]);
            let pcir = at + usize::from(built.bytes[at + 0x18]);
            assert_eq!(&built.bytes[pcir..pcir + 4], b"PCIR");
            let length = usize::from(built.bytes[pcir + 0x10]) * BLOCK;
            let code = built.bytes[pcir + 0x14];
            if code != CODE_EFI {
                let sum: u32 = built.bytes[at..at + length]
                    .iter()
                    .map(|b| u32::from(*b))
                    .sum();
                assert_eq!(sum % 256, 0);
            }
            codes.push(code);
            at += length;
            if built.bytes[pcir + 0x15] & 0x80 != 0 {
                break;
            }
        }
        assert_eq!(codes, [CODE_PC, CODE_PAYLOAD, CODE_EFI]);
        assert_eq!(built.shown, at);
        assert_eq!(OptionRom::of(built.bytes.clone()), built);
    }

    #[test]
    fn a_record_behind_the_last_image_is_not_shown() {
        let rom = rom("flavour = 'flexboot'\nversion = '3.4.752'\nrecord = 'behind'");
        let built = OptionRom::build(&rom, 0x1003, 0x02_0000);
        assert_eq!(record_in(&built.bytes), Some(built.shown));
        assert_eq!(OptionRom::of(built.bytes.clone()), built);
        assert_eq!(OptionRom::of(vec![0x55, 0xaa]).shown, 0);
    }

    #[test]
    fn plain_ipxe_has_no_record() {
        let plain = rom("flavour = 'ipxe'\nversion = '1.0.0'\nrecords = false");
        let built = OptionRom::build(&plain, 0x1013, 0x02_0000);
        assert_eq!(record_in(&built.bytes), None);
    }
}
