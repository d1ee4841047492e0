//! The parts of a described image, put together.

use std::io::Write;

use flate2::Compression;
use flate2::write::ZlibEncoder;

use crate::image::FIRMWARE_MAGIC;
use crate::image::boot2::{BOOT2_OFFSET, Boot2};
use crate::image::build::{BuildError, Content};
use crate::image::checksum::crc16;
use crate::image::fs3::{
    Fs3Header, ITOC_SECTOR_BYTES, ItocEntry, ItocHeader, MOST_ENTRIES, SectionType, image_digest,
};

use super::description::{Fs3Signature, SpareItoc, TypeName};
use super::device_data::device_data;
use super::info::{image_info, put, wrong};
use super::{Fs3Description, Fs3Section};

const SIZES: std::ops::RangeInclusive<u32> = 0x20_0000..=0x100_0000;
const SIGNATURE_BYTES: [usize; 2] = [0x140, 0x240];

/// A section before it has a place.
struct Part {
    section_type: SectionType,
    bytes: Vec<u8>,
    param0: u32,
    param1: u32,
    no_crc: bool,
    zipped: bool,
    align: usize,
}

impl Part {
    fn plain(section_type: SectionType, bytes: Vec<u8>) -> Self {
        Self {
            section_type,
            bytes,
            param0: 0,
            param1: 0,
            no_crc: false,
            zipped: false,
            align: ITOC_SECTOR_BYTES,
        }
    }
}

/// The file.
pub(super) fn build(description: &Fs3Description) -> Result<Vec<u8>, BuildError> {
    let size = description.file_size;
    if !SIZES.contains(&size) || !size.is_multiple_of(0x1000) {
        return Err(wrong(
            "file_size",
            "give 0x200000 to 0x1000000, in steps of 4 KiB",
        ));
    }
    let mut file = vec![description.fill; size as usize];
    let header = header(description);
    if description.slots.is_empty() {
        return Err(wrong("slots", "give [0], [1] or [0, 1]"));
    }
    for data in device_data(description)? {
        put(&mut file, (size - data.from_end) as usize, &data.bytes);
    }
    for slot in &description.slots {
        let start = match slot {
            0 => 0,
            1 => usize::try_from(header.chunk_bytes(0)).unwrap_or(usize::MAX),
            _ => return Err(wrong("slots", "give [0], [1] or [0, 1]")),
        };
        put_image(&mut file, start, description, &header)?;
        put_digest(&mut file, start, description);
    }
    Ok(file)
}

fn header(description: &Fs3Description) -> Fs3Header {
    let mut header = Fs3Header {
        magic: FIRMWARE_MAGIC,
        preboot: [0, 0, 0, 0, 0x100],
        generation: 3,
        log2_chunk: description.log2_chunk,
        binary_major: 1,
        binary_minor: 1,
        reserved: [0; 3],
        crc: 0,
    };
    header.crc = header.computed_crc().into();
    header
}

fn put_image(
    file: &mut [u8],
    start: usize,
    description: &Fs3Description,
    header: &Fs3Header,
) -> Result<(), BuildError> {
    let room = file.len() - 0x6_0000;
    let code = match &description.boot2 {
        Some(content) => dwords("boot2", content.bytes("boot2")?)?,
        None => vec![0; 0x100],
    };
    let boot2 = Boot2::build(0x1_0000, &code, 0x1_0000);
    let spare = (BOOT2_OFFSET + boot2.len()).next_multiple_of(ITOC_SECTOR_BYTES);
    let (table, spare) = match description.spare_itoc {
        SpareItoc::None => (spare, None),
        SpareItoc::First => (spare + ITOC_SECTOR_BYTES, Some(spare)),
        SpareItoc::Second => (spare, Some(spare + ITOC_SECTOR_BYTES)),
    };
    let sectors_end = table.max(spare.unwrap_or(table)) + ITOC_SECTOR_BYTES;
    let mut at = sectors_end.max(table + 2 * ITOC_SECTOR_BYTES);
    let mut entries = Vec::new();
    for part in parts(description)? {
        at = at.next_multiple_of(part.align);
        let end = at + part.bytes.len();
        let place = start
            .checked_add(end)
            .filter(|end| *end <= room)
            .and_then(|end| file.get_mut(start + at..end));
        place
            .ok_or_else(|| wrong("section", "the sections do not fit before the device data"))?
            .copy_from_slice(&part.bytes);
        entries.push(
            entry(&part, at, true)
                .with_params(part.param0, part.param1)
                .with_flags(false, part.no_crc, part.zipped)
                .rewritten(),
        );
        at = end;
    }
    let size = file.len();
    for data in device_data(description)? {
        let place = size - data.from_end as usize;
        let part = Part::plain(data.section_type, data.bytes);
        let entry = entry(&part, place, false).with_flags(true, data.no_crc, false);
        entries.push(entry.rewritten());
    }
    if entries.len() > MOST_ENTRIES {
        return Err(wrong("section", "there is no room for so many sections"));
    }
    put(file, start, &header.to_bytes());
    put(file, start + BOOT2_OFFSET, &boot2);
    put(file, start + table, &itoc(&entries, true));
    if let Some(spare) = spare {
        put(file, start + spare, &itoc(&entries, false));
    }
    Ok(())
}

fn entry(part: &Part, address: usize, relative: bool) -> ItocEntry {
    let narrow = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
    ItocEntry::new(
        part.section_type,
        narrow(part.bytes.len()),
        narrow(address),
        relative,
    )
    .with_section_crc(if part.no_crc { 0 } else { crc16(&part.bytes) })
}

fn itoc(entries: &[ItocEntry], counts: bool) -> Vec<u8> {
    let mut header = ItocHeader::new();
    if !counts {
        // Only the first dword is wiped; the CRC is still that of before.
        let [_, second, third, fourth] = header.signature;
        header.signature = [0, second, third, fourth];
    }
    let mut bytes = header.to_bytes();
    for entry in entries {
        bytes.extend(entry.to_bytes());
    }
    bytes.resize(ITOC_SECTOR_BYTES, 0xff);
    bytes
}

/// Sections with addresses within the image, in their order.
fn parts(description: &Fs3Description) -> Result<Vec<Part>, BuildError> {
    let mut parts = Vec::new();
    for section in &description.section {
        parts.push(described(section)?);
    }
    let has = |parts: &[Part], wanted| parts.iter().any(|part| part.section_type == wanted);
    if !has(&parts, SectionType::PCI_CODE) {
        let code = Content {
            random: Some(2),
            size: Some(0x1000),
            ..Content::default()
        };
        parts.insert(
            0,
            Part::plain(SectionType::PCI_CODE, code.bytes("section")?),
        );
    }
    if let Some(rom) = &description.rom {
        let rom = Part::plain(SectionType::ROM_CODE, dwords("rom", rom.bytes("rom")?)?);
        let pci = parts
            .iter()
            .position(|part| part.section_type == SectionType::PCI_CODE);
        parts.insert(pci.unwrap_or(0), rom);
    }
    if !has(&parts, SectionType::IMAGE_INFO) {
        let info = image_info(description)?;
        parts.push(Part::plain(SectionType::IMAGE_INFO, info));
    }
    if let Some(ini) = &description.ini {
        parts.push(Part::plain(SectionType::DBG_FW_INI, compressed(ini)?));
    }
    if description.public_keys {
        let keys = vec![0x5a; 0x900];
        parts.push(Part::plain(SectionType::PUBLIC_KEYS_2048, keys));
    }
    parts.extend(signatures(description.signature));
    Ok(parts)
}

fn described(section: &Fs3Section) -> Result<Part, BuildError> {
    let section_type = match &section.section_type {
        TypeName::Number(number) => SectionType(*number),
        TypeName::Name(name) => SectionType::by_name(name)
            .ok_or_else(|| wrong("section.type", format!("{name:?} is not known")))?,
    };
    if section_type == SectionType::END {
        return Err(wrong("section.type", "the end comes by itself"));
    }
    if !section.align.is_power_of_two() || section.align < 4 {
        return Err(wrong("section.align", "give a power of two from 4 on"));
    }
    Ok(Part {
        section_type,
        bytes: dwords("section", section.content.bytes("section.content")?)?,
        param0: section.param0,
        param1: section.param1,
        no_crc: section.no_crc,
        zipped: section.zipped,
        align: section.align as usize,
    })
}

fn dwords(key: &str, bytes: Vec<u8>) -> Result<Vec<u8>, BuildError> {
    if bytes.len().is_multiple_of(4) {
        Ok(bytes)
    } else {
        Err(wrong(key, "give a whole number of dwords"))
    }
}

fn compressed(text: &str) -> Result<Vec<u8>, BuildError> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
    let mut bytes = encoder
        .write_all(text.as_bytes())
        .and_then(|()| encoder.finish())
        .map_err(|error| wrong("ini", error.to_string()))?;
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    Ok(bytes)
}

fn signatures(signature: Fs3Signature) -> Vec<Part> {
    let [short, long] = SIGNATURE_BYTES;
    let part = |section_type, bytes| Part::plain(section_type, bytes);
    let fake = |length: usize| -> Vec<u8> {
        let pattern = (1..=251_u8).cycle();
        pattern.take(length).collect()
    };
    match signature {
        Fs3Signature::None => Vec::new(),
        Fs3Signature::Digest => vec![part(SectionType::IMAGE_SIGNATURE_256, vec![0; short])],
        Fs3Signature::Vendor => vec![part(SectionType::IMAGE_SIGNATURE_256, fake(short))],
        Fs3Signature::Vendor512 => vec![
            part(SectionType::IMAGE_SIGNATURE_256, fake(short)),
            part(SectionType::IMAGE_SIGNATURE_512, fake(long)),
        ],
    }
}

fn put_digest(file: &mut [u8], start: usize, description: &Fs3Description) {
    if description.signature != Fs3Signature::Digest {
        return;
    }
    for (at, bytes) in image_digest(file, start) {
        put(file, at, &bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::fs3::parse;

    fn built(more: &str) -> Result<Vec<u8>, String> {
        let text = format!("format = 'fs3'\nfile_size = 0x200000\nhw_ids = [0x209]\n{more}");
        let description = Fs3Description::parse(&text).map_err(|error| error.to_string())?;
        description.build().map_err(|error| error.to_string())
    }

    #[test]
    fn the_least_is_an_image() {
        let bytes = built("").unwrap();
        let parsed = parse(&bytes);
        assert_eq!(parsed.findings, []);
        let facts = parsed.tree.unwrap().facts(0);
        assert_eq!((facts.hardware_ids, facts.psid), (vec![0x209], None));
    }

    #[test]
    fn everything_that_is_said_is_in_it() {
        let bytes = built(
            "psid = 'A'\nversion = '12.1.2'\ndate = '2020-12-31'\nname = 'N'\nvsd = 'V'\n\
             product_version = 'P'\nbase_mac = 0x112233445566\nmic_version = '1.2.3'\n\
             original_psid = 'B'\nsignature = 'vendor512'\npublic_keys = true\nini = 'x'\n\
             security = ['signed-fw', 'mcc']\nspare_itoc = 'first'\nslots = [0]\nfill = 0\n\
             [rom]\nhex = '55AA0000'\n[[section]]\ntype = 3\ncontent = { text = 'code' }\n\
             align = 4\nparam0 = 1\nparam1 = 2\nzipped = true\nno_crc = true\n",
        )
        .unwrap();
        let file = parse(&bytes).tree.unwrap();
        let facts = file.facts(0);
        assert_eq!(facts.version.unwrap().to_string(), "12.1.0002");
        assert_eq!(facts.release_date.unwrap().to_string(), "2020-12-31");
        assert_eq!(facts.original_psid.as_deref(), Some("B"));
        assert_eq!(facts.security, ["signed-fw"]);
        assert_eq!(file.rom(0), Some(&[0x55, 0xaa, 0, 0][..]));
        let image = file.image(0).unwrap();
        assert_eq!(image.spares.len(), 1);
        let code = image.section(SectionType::MAIN_CODE).unwrap();
        assert_eq!(code.bytes, Some(&b"code"[..]));
        assert_eq!((code.entry.param0(), code.entry.param1), (1, 2));
        assert!(code.entry.zipped() && code.entry.no_crc());
    }

    #[test]
    fn nonsense_is_refused() {
        for more in [
            "file = 3",
            "slots = []",
            "slots = [2]",
            "version = '1.2'",
            "date = '31.12.2020'",
            "psid = 'more than sixteen letters'",
            "base_mac = 0x1000000000000",
            "security = ['strong']",
            "log2_chunk = 24\nslots = [1]",
            "[rom]\nhex = '55'",
            "[[section]]\ntype = 'NONSENSE'\ncontent = { hex = '' }",
            "[[section]]\ntype = 0xff\ncontent = { hex = '' }",
            "[[section]]\ntype = 3\ncontent = { fill = 1, size = 0x200000 }",
            "[[section]]\ntype = 3\nalign = 3\ncontent = { hex = '' }",
        ] {
            assert!(built(more).is_err(), "{more}");
        }
    }
}
