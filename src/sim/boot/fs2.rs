//! Booting an FS2 image: ConnectX-3 and -3 Pro.

use super::verdict::{BootCard, BootedImage, dword, mac, text};
use crate::image::boot2::{BOOT2_OFFSET, Boot2};
use crate::image::checksum::{crc16, sum8};
use crate::image::fs2::Stripes;
use crate::sim::flash::Cells;

const HEADER: u32 = 0x38;
const MOST_SECTIONS: usize = 64;
const LAST: u32 = 0xff00_0000;

const ROM: u32 = 5;
const GUID: u32 = 6;
const IMAGE_INFO: u32 = 10;
const SECTION_TYPES: std::ops::RangeInclusive<u32> = 1..=12;

/// The image as it counts its own bytes.
struct View<'a> {
    cells: &'a Cells,
    start: u32,
    stripes: Option<Stripes>,
}

impl View<'_> {
    fn get(&self, from: u32, length: u32) -> Option<Vec<u8>> {
        let Some(stripes) = self.stripes else {
            return self.cells.get(self.start.checked_add(from)?, length);
        };
        let end = from.checked_add(length)?;
        // Nothing of a larger size fits anywhere.
        (length <= self.cells.size()).then_some(())?;
        let mut bytes = Vec::with_capacity(length as usize);
        let chunk = u32::try_from(stripes.chunk()).ok()?;
        let mut at = from;
        while at < end {
            let piece = (at | (chunk - 1)).checked_add(1)?.min(end) - at;
            let physical = u32::try_from(stripes.physical(u64::from(at))).ok()?;
            bytes.extend(self.cells.get(physical, piece)?);
            at += piece;
        }
        Some(bytes)
    }
}

/// Boots the image that starts at this address, or says what is wrong with it.
pub(super) fn boot(cells: &Cells, start: u32, card: BootCard<'_>) -> Result<BootedImage, String> {
    let header = cells
        .get(start, HEADER)
        .ok_or("its header is behind the end of the flash")?;
    let word = |at: usize| dword(&header, at).unwrap_or(0);
    if word(0x24) >> 24 != 0 {
        return Err("its format is not FS2".to_owned());
    }
    let stripes = stripes(&header, start)?;
    let view = View {
        cells,
        start,
        stripes,
    };
    if sum8(&word(0x2c).to_be_bytes()) != 0 {
        return Err("the check byte of the image info pointer is wrong".to_owned());
    }
    whole(&view, &header)?;
    let boot2 = u32::try_from(BOOT2_OFFSET).unwrap_or(0);
    let mut at = boot2 + boot2_bytes(&view, boot2)?;
    let next = view.get(at, 4).and_then(|bytes| dword(&bytes, 0));
    if next.is_some_and(|kind| !SECTION_TYPES.contains(&kind)) {
        at += boot2_bytes(&view, at)?;
    }
    let mut image = BootedImage {
        start,
        slot: usize::from(start != 0),
        firmware: String::new(),
        psid: String::new(),
        macs: Vec::new(),
        rom: None,
    };
    for _ in 0..MOST_SECTIONS {
        let (kind, data, next) = section(&view, at)?;
        match kind {
            ROM => image.rom = Some(data),
            GUID => {
                let macs = [32, 40].map(|at| data.get(at..).and_then(mac));
                let macs = macs.into_iter().flatten().take(card.mac_steps.len());
                image.macs = macs.map(|mac| mac.to_string()).collect();
            }
            IMAGE_INFO => read_info(&data, &mut image, card)?,
            _ => {}
        }
        if next == LAST {
            return Ok(image);
        }
        if next <= at {
            return Err(format!("the section at {at:#x} leads back to {next:#x}"));
        }
        at = next;
    }
    Err("its chain of sections does not end".to_owned())
}

fn stripes(header: &[u8], start: u32) -> Result<Option<Stripes>, String> {
    let word = dword(header, 0x28).unwrap_or(0);
    if sum8(&word.to_be_bytes()) != 0 {
        return Err("the check byte of the failsafe word is wrong".to_owned());
    }
    if word & 8 == 0 {
        return Ok(None);
    }
    let log2_chunk = u8::try_from(word & 7).unwrap_or(0) + 16;
    if start != 0 && start != 1 << log2_chunk {
        return Err(format!(
            "it says that chunks have {:#x} bytes",
            1_u32 << log2_chunk
        ));
    }
    Ok(Stripes::new(log2_chunk, start != 0))
}

/// The CRC of the whole image, which covers what nothing else does. Images with
/// blank GUIDs have none.
fn whole(view: &View<'_>, header: &[u8]) -> Result<(), String> {
    let stored = dword(header, 0x20).unwrap_or(0) & 0xffff;
    if stored == 0xffff {
        return Ok(());
    }
    let size = dword(header, 0x30).unwrap_or(0);
    let mut bytes = view
        .get(0, size)
        .ok_or_else(|| format!("its size of {size:#x} bytes is more than there is"))?;
    if let Some(crc) = bytes.get_mut(0x22..0x24) {
        crc.fill(0xff);
    }
    if u32::from(crc16(&bytes)) == stored {
        Ok(())
    } else {
        Err("the CRC of the whole image is wrong".to_owned())
    }
}

fn boot2_bytes(view: &View<'_>, at: u32) -> Result<u32, String> {
    let bad = || format!("the boot code at {at:#x} is cut off or impossible");
    let words = view
        .get(at, 8)
        .and_then(|bytes| dword(&bytes, 4))
        .filter(|words| (4..=0x10_0000).contains(words))
        .ok_or_else(bad)?;
    let length = (words + 4) * 4;
    let bytes = view.get(at, length).ok_or_else(bad)?;
    let boot2 = Boot2::parse(&bytes, "boot2", 0).map_err(|_| bad())?;
    if boot2.crc == u32::from(boot2.computed_crc()) {
        Ok(length)
    } else {
        Err(format!("the CRC of the boot code at {at:#x} is wrong"))
    }
}

/// Type, data and the next one's address.
fn section(view: &View<'_>, at: u32) -> Result<(u32, Vec<u8>, u32), String> {
    let bad = || format!("the section at {at:#x} is cut off or impossible");
    let head = view.get(at, 16).ok_or_else(bad)?;
    let word = |at| dword(&head, at).unwrap_or(0);
    let (kind, next) = (word(0), word(12));
    let length = word(4)
        .checked_mul(4)
        .filter(|length| *length <= 4 << 20 && SECTION_TYPES.contains(&kind))
        .ok_or_else(bad)?;
    let bytes = view.get(at, length + 20).ok_or_else(bad)?;
    let (covered, crc) = bytes
        .split_at_checked(length as usize + 16)
        .ok_or_else(bad)?;
    let stored = dword(crc, 0).unwrap_or(0);
    let data = covered.get(16..).unwrap_or_default().to_vec();
    let blank = kind == GUID && stored == 0xffff && data.starts_with(&[0xff; 8]);
    if stored == u32::from(crc16(covered)) || blank {
        Ok((kind, data, next))
    } else {
        Err(format!(
            "the CRC of the section at {at:#x} (type {kind}) is wrong"
        ))
    }
}

/// Version, PSID and hardware from the image info's tags.
fn read_info(data: &[u8], image: &mut BootedImage, card: BootCard<'_>) -> Result<(), String> {
    let mut at = 0;
    while let Some(tag) = dword(data, at) {
        let length = (tag & 0xff_ffff) as usize;
        let value = data.get(at + 4..at + 4 + length).unwrap_or_default();
        let word = |at| dword(value, at).unwrap_or(0);
        match tag >> 24 {
            1 => {
                let (minor, sub) = (word(4) >> 16, word(4) & 0xffff);
                image.firmware = format!("{}.{minor}.{sub}", word(0) >> 16);
            }
            4 => image.psid = text(value),
            10 => {
                let words = value.as_chunks::<4>().0.iter();
                let ids = words.map(|bytes| u32::from_be_bytes(*bytes));
                let ids: Vec<u32> = ids.take_while(|id| *id != 0).collect();
                card.check_hardware(&ids)?;
            }
            0xff => break,
            _ => {}
        }
        at += 4 + length;
    }
    Ok(())
}
