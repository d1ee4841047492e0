//! Booting an FS3 image: ConnectX-4 and -4 Lx.

use super::verdict::{BootCard, BootedImage, dword, mac, text};
use crate::image::boot2::{BOOT2_OFFSET, Boot2};
use crate::image::checksum::crc16;
use crate::image::fs3::{
    Fs3Header, ITOC_SECTOR_BYTES, ItocEntry, ItocHeader, MOST_ENTRIES, SectionType,
};
use crate::sim::flash::Cells;

const ENTRY: u32 = 32;
/// How far behind boot2 the table of contents is looked for.
const MOST_ITOC_SECTORS: u32 = 16;

/// Boots the image that starts at this address, or says what is wrong with it.
pub(super) fn boot(cells: &Cells, start: u32, card: BootCard<'_>) -> Result<BootedImage, String> {
    let header = cells
        .get(start, 0x38)
        .and_then(|bytes| Fs3Header::parse(&bytes))
        .ok_or("its header is behind the end of the flash")?;
    if header.generation != 3 {
        return Err("its format is not FS3".to_owned());
    }
    if header.crc != 0 && header.crc != u32::from(header.computed_crc()) {
        return Err("the CRC of its header is wrong".to_owned());
    }
    let chunk = header.chunk_bytes(start as usize);
    if start != 0 && u64::from(start) != chunk {
        return Err(format!("it says that slots have {chunk:#x} bytes"));
    }
    let boot2 = start + u32::try_from(BOOT2_OFFSET).unwrap_or(0);
    let behind = boot2 + boot2_bytes(cells, boot2)?;
    let table = find_table(cells, behind)?;
    let mut image = BootedImage {
        start,
        slot: usize::from(start != 0),
        firmware: String::new(),
        psid: String::new(),
        macs: Vec::new(),
        rom: None,
    };
    for number in 1..=MOST_ENTRIES {
        let at = table + ENTRY * u32::try_from(number).unwrap_or(0);
        let entry = cells
            .get(at, ENTRY)
            .and_then(|bytes| ItocEntry::parse(&bytes))
            .ok_or("its table of contents is cut off")?;
        let kind = entry.section_type();
        if kind == SectionType::END {
            return Ok(image);
        }
        if entry.entry_crc() != entry.computed_crc() {
            return Err(format!("the CRC of the entry at {at:#x} is wrong"));
        }
        // Nothing of the card's own data without a CRC counts for booting.
        if entry.no_crc() {
            continue;
        }
        let data = section(cells, start, &entry)?;
        match kind {
            SectionType::ROM_CODE => image.rom = Some(data),
            SectionType::IMAGE_INFO => read_info(&data, &mut image, card)?,
            SectionType::DEV_INFO => read_macs(&data, 0x12, 2, &mut image, card),
            SectionType::MFG_INFO if image.macs.is_empty() => {
                read_macs(&data, 0x1c, 1, &mut image, card);
            }
            _ => {}
        }
    }
    Err("its table of contents does not end".to_owned())
}

fn boot2_bytes(cells: &Cells, at: u32) -> Result<u32, String> {
    let bad = || "its boot code is cut off or impossible".to_owned();
    let words = cells
        .get(at, 8)
        .and_then(|bytes| dword(&bytes, 4))
        .filter(|words| (4..=0x10_0000).contains(words))
        .ok_or_else(bad)?;
    let length = (words + 4) * 4;
    let bytes = cells.get(at, length).ok_or_else(bad)?;
    let boot2 = Boot2::parse(&bytes, "boot2", 0).map_err(|_| bad())?;
    if boot2.crc == u32::from(boot2.computed_crc()) {
        Ok(length)
    } else {
        Err("the CRC of its boot code is wrong".to_owned())
    }
}

/// The address of the table of contents that counts.
fn find_table(cells: &Cells, behind: u32) -> Result<u32, String> {
    let step = u32::try_from(ITOC_SECTOR_BYTES).unwrap_or(0x1000);
    let first = behind.next_multiple_of(step);
    (0..MOST_ITOC_SECTORS)
        .filter_map(|number| first.checked_add(step * number))
        .find(|at| {
            let bytes = cells.get(*at, ENTRY);
            let header = bytes.and_then(|bytes| ItocHeader::parse(&bytes));
            header.is_some_and(|header| header.is_valid() && header.crc == header.computed_crc())
        })
        .ok_or_else(|| "it has no table of contents".to_owned())
}

fn section(cells: &Cells, start: u32, entry: &ItocEntry) -> Result<Vec<u8>, String> {
    let kind = entry.section_type();
    let name = kind.printed_name();
    let base = if entry.relative() { start } else { 0 };
    let data = base
        .checked_add(entry.address())
        .and_then(|at| cells.get(at, entry.size()))
        .ok_or_else(|| format!("section {name} is behind the end of the flash"))?;
    if crc16(&data) == entry.section_crc() {
        Ok(data)
    } else {
        Err(format!(
            "the CRC of section {name} at {:#x} is wrong",
            base + entry.address()
        ))
    }
}

fn read_info(data: &[u8], image: &mut BootedImage, card: BootCard<'_>) -> Result<(), String> {
    let word = |at| dword(data, at).unwrap_or(0);
    image.firmware = format!("{}.{}.{}", word(4) >> 16, word(8) >> 16, word(8) & 0xffff);
    image.psid = text(data.get(0x24..0x34).unwrap_or_default());
    let ids: Vec<u32> = (0..4)
        .map(|number| word(0x118 + number * 4))
        .take_while(|id| *id != 0)
        .collect();
    card.check_hardware(&ids)
}

/// The first MAC: behind one GUID in the newer form, behind two in the older.
fn read_macs(
    data: &[u8],
    version_at: usize,
    newer: u8,
    image: &mut BootedImage,
    card: BootCard<'_>,
) {
    let is_newer = data.get(version_at).is_some_and(|major| *major >= newer);
    let at = if is_newer { 0x30 } else { 0x40 };
    if let Some(base) = data.get(at + 8..).and_then(mac) {
        image.macs = card.macs(base);
    }
}
