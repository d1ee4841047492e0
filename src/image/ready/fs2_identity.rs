//! What makes an FS2 image the one card's: GUIDs, MACs, VSD.
//!
//! | GUID section | 8 bytes each |
//! |---|---|
//! | 0 to 3 | GUIDs: node, port 1, port 2, system image |
//! | 4, 5 | MACs of port 1 and 2, in the low 48 bits |
//!
//! A card from before there were MACs has four GUIDs, or all ones for the MACs:
//! a MAC is then the GUID of its port without the middle 16 bits.
//!
//! # Sources
//! mstflint 4.21, mlxfwops/lib/fs2_ops.cpp (`Fs2Operations::preFS2PatchGUIDs`,
//! `patchGUIDsSection`, `PatchInfoSect`, `UpdateFullImageCRC`) and fw_ops.cpp
//! (`FwOperations::CheckMac`).

use crate::image::checksum::crc16;
use crate::image::fs2::{
    Contents, FULL_CRC_OFFSET, FileShape, Fs2Image, InfoTag, InfoValue, SECTION_HEADER_BYTES,
    Section, SectionType, parse_as,
};

use super::PrepareError;

const GUIDS: usize = 4;
const MOST_GUIDS: usize = 6;
const NO_MAC: u64 = 0xffff_ffff_ffff;
const VSD_TAG: u8 = 5;

/// Writes the card's GUIDs, MACs and VSD into an image that lies in a row, and
/// brings its CRCs up to date. Gives what the user should know.
pub(super) fn make_own(bytes: &mut [u8], card: &Fs2Image<'_>) -> Result<Vec<String>, PrepareError> {
    let own = addresses(card)?;
    let vsd = vsd_of(card);
    let (guids, info) = {
        let parsed = parse_as(bytes, Some(FileShape::Contiguous));
        let file = parsed.tree;
        let image = file.as_ref().and_then(|file| file.slot(0));
        let guids = image
            .and_then(|image| image.section(SectionType::Guid))
            .map(|section| (section.data_address(), section.data_length() / 8));
        (guids, image.and_then(vsd_place))
    };
    let Some((at, count)) = guids else {
        return Err(identity("the image has no GUID section"));
    };
    let mut data = Vec::with_capacity(count * 8);
    for number in 0..count {
        let guid = own.get(number).copied().unwrap_or(0);
        data.extend(guid.to_be_bytes());
    }
    put(bytes, at, &data);
    section_crc(bytes, at, data.len());
    let mut notes = Vec::new();
    match (vsd, info) {
        (Some(vsd), Some(place)) => {
            let mut text = vsd;
            text.resize(place.length, 0);
            put(bytes, place.at, &text);
            section_crc(bytes, place.section_data, place.section_length);
        }
        (None, _) => notes.push("the card's image has no VSD, that of the file is used".to_owned()),
        (Some(_), None) => {
            notes.push("the image has no place for the card's VSD, which is lost".to_owned());
        }
    }
    Ok(notes)
}

/// Writes the CRC of the whole image, as it is written with every burn.
///
/// mstflint leaves FFFF there when the file had blank GUIDs, although it sets them
/// and then finds that CRC wrong; here it is the right one.
pub(super) fn full_crc(bytes: &mut [u8]) {
    let crc = {
        let parsed = parse_as(bytes, Some(FileShape::Contiguous));
        let file = parsed.tree;
        let image = file.as_ref().and_then(|file| file.slot(0));
        image
            .filter(|image| !image.has_blank_guids())
            .map(Fs2Image::computed_full_crc)
    };
    if let Some(crc) = crc {
        put(bytes, FULL_CRC_OFFSET, &crc.to_be_bytes());
    }
}

/// The GUIDs and MACs of the card.
fn addresses(card: &Fs2Image<'_>) -> Result<Vec<u64>, PrepareError> {
    let section = card
        .section(SectionType::Guid)
        .ok_or_else(|| identity("its image has no GUID section that can be read"))?;
    if section.is_blank() {
        return Err(identity("they were never set"));
    }
    if section.crc != u32::from(section.computed_crc()) {
        return Err(identity("the CRC of their section is wrong"));
    }
    let Contents::Guids(guids) = &section.contents else {
        return Err(identity("their section has an impossible size"));
    };
    let mut own = guids.clone();
    own.resize(own.len().max(MOST_GUIDS), 0);
    let no_macs = |from: usize| {
        let macs = guids.get(from..).unwrap_or_default();
        macs.len() == 2 && macs.iter().all(|mac| mac & NO_MAC == NO_MAC)
    };
    let derived: Vec<u64> = guids
        .get(1..3)
        .unwrap_or_default()
        .iter()
        .map(|guid| (guid >> 40) << 24 | guid & 0xff_ffff)
        .collect();
    if guids.len() == GUIDS || (guids.len() == MOST_GUIDS && no_macs(GUIDS)) {
        for (mac, derived) in own.iter_mut().skip(GUIDS).zip(derived) {
            *mac = derived;
        }
    }
    for mac in own.iter().skip(GUIDS).take(2) {
        if mac >> 48 != 0 || mac >> 40 & 1 != 0 {
            return Err(identity(&format!("{mac:#x} cannot be a MAC")));
        }
    }
    Ok(own)
}

fn identity(reason: &str) -> PrepareError {
    PrepareError::Identity {
        what: "GUIDs and MACs",
        reason: reason.to_owned(),
    }
}

/// The VSD of an image, up to its first zero.
fn vsd_of(image: &Fs2Image<'_>) -> Option<Vec<u8>> {
    match image.info()?.tag(VSD_TAG)? {
        InfoValue::Text(text) => {
            let text = text.split(|&byte| byte == 0).next().unwrap_or_default();
            Some(text.to_vec())
        }
        _ => None,
    }
}

/// Where a VSD is, and the section around it.
struct VsdPlace {
    at: usize,
    length: usize,
    section_data: usize,
    section_length: usize,
}

fn vsd_place(image: &Fs2Image<'_>) -> Option<VsdPlace> {
    let section = image.sections.iter().find_map(|section: &Section<'_>| {
        let Contents::Info(info) = &section.contents else {
            return None;
        };
        Some((section, info))
    });
    let (section, info) = section?;
    let number = info.tags.iter().rposition(|tag| tag.id == VSD_TAG)?;
    let before: usize = info
        .tags
        .iter()
        .take(number)
        .map(|tag: &InfoTag<'_>| tag.encode().len())
        .sum();
    let length = info.tags.get(number)?.data().len();
    Some(VsdPlace {
        // The tag has a header of one dword.
        at: section.data_address() + before + 4,
        length,
        section_data: section.data_address(),
        section_length: section.data_length(),
    })
}

fn section_crc(bytes: &mut [u8], data_at: usize, length: usize) {
    let start = data_at.saturating_sub(SECTION_HEADER_BYTES);
    let end = data_at.saturating_add(length);
    let crc = bytes.get(start..end).map(crc16);
    if let Some(crc) = crc {
        put(bytes, end, &u32::from(crc).to_be_bytes());
    }
}

fn put(bytes: &mut [u8], at: usize, what: &[u8]) {
    let end = at.saturating_add(what.len());
    if let Some(place) = bytes.get_mut(at..end) {
        place.copy_from_slice(what);
    }
}
