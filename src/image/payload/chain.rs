//! The chain of expansion ROM images in a file, as far as a proof needs it.
//!
//! | offset | size | content |
//! |---|---|---|
//! | 0 | 2 | 55 AA |
//! | 2 | 1 | BIOS image: size in units of 512 bytes |
//! | 0x18 | 2 | offset of the PCI data structure |
//! | PCIR + 0 | 4 | `PCIR` |
//! | PCIR + 6 | 2 | device id |
//! | PCIR + 0x10 | 2 | length of the image in units of 512 bytes |
//! | PCIR + 0x14 | 1 | code type: 0 BIOS, 3 EFI, 0xff iPXE's payload |
//! | PCIR + 0x15 | 1 | 80 in the last image |
//!
//! All little-endian. A BIOS image of iPXE may have its payload in a following
//! image (`.mrom`), which the system's BIOS does not run and does not copy.
//!
//! No size in it is believed further than the file goes. In a firmware image a
//! chain may begin at any multiple of 4, and there may be several.
//!
//! # Sources
//! PCI Firmware Specification 3.0, section 5.1; iPXE,
//! src/arch/x86/prefix/romprefix.S and mromprefix.S.

const SIGNATURE: [u8; 2] = [0x55, 0xaa];
const PCIR: &[u8; 4] = b"PCIR";
const POINTER: usize = 0x18;
const UNIT_BYTES: usize = 512;
/// Where chains may begin in a firmware image.
const START_STEP_BYTES: usize = 4;
/// More than any real file has.
const MOST_IMAGES: usize = 64;

/// One image of a chain.
#[derive(Clone, Copy, Debug)]
pub(super) struct RomImage<'a> {
    /// Which one it is in the file, counted from 0.
    pub(super) index: usize,
    /// Where it starts in the file.
    pub(super) offset: usize,
    /// Its bytes, as far as the file has them.
    pub(super) bytes: &'a [u8],
    /// What kind of code it is.
    pub(super) code: CodeType,
    /// The file ends before the image does.
    pub(super) is_cut_off: bool,
    /// It follows an image that calls itself the last one: no system gets there.
    pub(super) is_behind_the_last: bool,
}

/// The images of a file.
#[derive(Clone, Debug, Default)]
pub(super) struct Images<'a> {
    pub(super) images: Vec<RomImage<'a>>,
    /// Where an image would have to follow, because the one before does not call
    /// itself the last one, and none does.
    pub(super) missing_at: Option<usize>,
}

/// What kind of code an image holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum CodeType {
    Bios,
    OpenFirmware,
    Efi,
    /// The compressed part of a BIOS image of iPXE.
    Payload,
    Unknown,
}

/// All images of all chains in a file.
pub(super) fn images(bytes: &[u8]) -> Images<'_> {
    let mut found = Images::default();
    let mut from = 0;
    while let Some(start) = start_of_chain(bytes, from) {
        from = found.walk(bytes, start, false);
        if start == 0 {
            // An expansion ROM file. Whatever follows its last image at once may
            // have been meant to belong to it.
            while found.images.len() < MOST_IMAGES && bytes.get(from..).is_some_and(begins_an_image)
            {
                from = found.walk(bytes, from, true);
            }
            break;
        }
        if found.images.len() >= MOST_IMAGES {
            break;
        }
    }
    found
}

fn start_of_chain(bytes: &[u8], from: usize) -> Option<usize> {
    let from = from.next_multiple_of(START_STEP_BYTES);
    if from == 0 && bytes.starts_with(&SIGNATURE) {
        return Some(0);
    }
    (from..bytes.len())
        .step_by(START_STEP_BYTES)
        .find(|&at| bytes.get(at..).is_some_and(begins_an_image))
}

fn begins_an_image(bytes: &[u8]) -> bool {
    bytes.starts_with(&SIGNATURE) && pci_data(bytes).is_some()
}

impl<'a> Images<'a> {
    /// Adds the images of the chain at `start`; returns where it ends.
    fn walk(&mut self, bytes: &'a [u8], start: usize, is_behind_the_last: bool) -> usize {
        let mut at = start;
        while self.images.len() < MOST_IMAGES {
            let Some(rest) = bytes.get(at..).filter(|rest| rest.starts_with(&SIGNATURE)) else {
                self.missing_at.get_or_insert(at);
                break;
            };
            let data = pci_data(rest);
            let claimed = claimed_bytes(rest, data);
            let length = match claimed {
                0 => rest.len(),
                claimed => claimed.min(rest.len()),
            };
            self.images.push(RomImage {
                index: self.images.len(),
                offset: at,
                bytes: rest.get(..length).unwrap_or(rest),
                code: data.map_or(CodeType::Bios, code_type),
                is_cut_off: claimed > rest.len(),
                is_behind_the_last,
            });
            at = at.saturating_add(length);
            let is_last = data
                .and_then(|data| data.get(0x15))
                .is_none_or(|indicator| indicator & 0x80 != 0);
            if is_last {
                break;
            }
        }
        // Never the same place again.
        at.max(start.saturating_add(START_STEP_BYTES))
    }
}

/// The PCI data structure of the image that `image` begins with.
fn pci_data(image: &[u8]) -> Option<&[u8]> {
    let pointer = usize::from(word(image, POINTER)?);
    image.get(pointer..).filter(|data| data.starts_with(PCIR))
}

fn claimed_bytes(image: &[u8], data: Option<&[u8]>) -> usize {
    let units = match data {
        Some(data) => word(data, 0x10).unwrap_or(0),
        // An image for the ISA bus.
        None => image.get(2).copied().map_or(0, u16::from),
    };
    usize::from(units).saturating_mul(UNIT_BYTES)
}

fn code_type(data: &[u8]) -> CodeType {
    match data.get(0x14) {
        Some(0) => CodeType::Bios,
        Some(1) => CodeType::OpenFirmware,
        Some(3) => CodeType::Efi,
        Some(0xff) => CodeType::Payload,
        _ => CodeType::Unknown,
    }
}

fn word(bytes: &[u8], at: usize) -> Option<u16> {
    let bytes = bytes.get(at..)?.first_chunk().copied()?;
    Some(u16::from_le_bytes(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn image(units: u16, code: u8, indicator: u8) -> Vec<u8> {
        let mut image = vec![0; usize::from(units) * UNIT_BYTES];
        image[..2].copy_from_slice(&SIGNATURE);
        image[0x18] = 0x1c;
        image[0x1c..0x20].copy_from_slice(PCIR);
        image[0x2c..0x2e].copy_from_slice(&units.to_le_bytes());
        image[0x30] = code;
        image[0x31] = indicator;
        image
    }

    #[test]
    fn a_chain_is_walked_to_its_last_image() {
        let file = [
            image(2, 0, 0),
            image(3, 0xff, 0),
            image(1, 3, 0x80),
            vec![0xff; 1024],
        ];
        let file = file.concat();
        let found = images(&file).images;
        let found: Vec<_> = found
            .iter()
            .map(|image| (image.index, image.offset, image.bytes.len(), image.code))
            .collect();
        assert_eq!(
            found,
            [
                (0, 0, 1024, CodeType::Bios),
                (1, 1024, 1536, CodeType::Payload),
                (2, 2560, 512, CodeType::Efi),
            ]
        );
    }

    #[test]
    fn chains_in_a_firmware_image_are_all_found() {
        let mut file = vec![0x11; 0x124];
        file.extend(image(1, 0, 0x80));
        file.extend([0x55, 0xaa, 0, 0]);
        file.extend(vec![0xff; 0x200]);
        file.extend(image(1, 3, 0x80));
        let found = images(&file).images;
        assert_eq!(found.len(), 2);
        assert_eq!(found[0].offset, 0x124);
        assert_eq!((found[1].index, found[1].offset), (1, 0x124 + 0x404));
    }

    #[test]
    fn sizes_that_lie_are_not_believed() {
        let mut cut_off = image(4, 0, 0);
        cut_off.truncate(700);
        let found = images(&cut_off).images;
        assert_eq!((found.len(), found[0].bytes.len()), (1, 700));
        assert!(found[0].is_cut_off);

        let mut endless = image(1, 0, 0);
        endless[0x2c] = 0;
        assert_eq!(images(&endless).images.len(), 1);
        assert!(images(&vec![image(1, 0, 0); 100].concat()).images.len() <= MOST_IMAGES);
        assert_eq!(images(&[]).images.len(), 0);
        assert_eq!(images(&SIGNATURE).images.len(), 1);
    }

    #[test]
    fn chains_that_end_too_early_are_noticed() {
        let file = [image(1, 0, 0x80), image(1, 3, 0x80)].concat();
        let found = images(&file);
        let behind: Vec<bool> = found
            .images
            .iter()
            .map(|image| image.is_behind_the_last)
            .collect();
        assert_eq!((behind, found.missing_at), (vec![false, true], None));

        let mut file = [image(1, 0, 0), image(1, 3, 0x80)].concat();
        file[512] = 0;
        let found = images(&file);
        assert_eq!((found.images.len(), found.missing_at), (1, Some(512)));
    }
}
