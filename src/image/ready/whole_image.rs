//! A firmware file, made one card's own.

use std::borrow::Cow;

use crate::hwdb::ImageFormat;
use crate::image::fs2::{FileShape, parse_as};
use crate::image::{
    EditPolicy, Firmware, FlashSurvey, ReadyImage, RomEdit, Slot, SlotPlace, edit_rom, edit_rom_as,
};

use super::place::{active, active_fs2, active_fs3, fs2_room, fs3_place, fs3_room, other_slot};
use super::source_image::chosen;
use super::trial::trial;
use super::{PrepareError, Prepared, fs2_identity, fs3_table};

/// Whose expansion ROM a new image has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum RomSource {
    /// As with mstflint: FS2 takes the card's where the file has none, FS3 the
    /// file's in any case.
    #[default]
    Usual,
    /// The file's, or none.
    File,
    /// The card's, or none.
    Card,
}

/// Makes the image of a file ready for the slot that is not active. The file may
/// be an image or a copy of a flash; `slot` says which of its images is meant
/// where there are two.
///
/// # Errors
/// A file that is damaged or of another format, no second slot, no room, and what
/// of the card cannot be kept; of the policy only what is about expansion ROMs
/// counts, its slot does not.
pub fn whole_image(
    file: &[u8],
    slot: Option<usize>,
    rom: RomSource,
    survey: &FlashSurvey,
    policy: &EditPolicy,
) -> Result<Prepared, PrepareError> {
    let (firmware, slot) = chosen(file, slot, survey)?;
    let card = active(survey, "the new one could follow")?;
    let edit = rom_edit(rom, survey.format(), &firmware, slot, card);
    match survey.format() {
        ImageFormat::Fs2 => fs2(&firmware, slot, edit, survey, card, policy),
        ImageFormat::Fs3 => fs3(file, slot, edit, survey, card, policy),
    }
}

/// What must be done with the ROM of the file.
fn rom_edit<'s>(
    source: RomSource,
    format: ImageFormat,
    file: &Firmware<'_>,
    slot: usize,
    card: &'s Slot,
) -> Option<RomEdit<'s>> {
    let of_card = card.whole().and_then(|image| image.rom.as_deref());
    let of_file = file.rom(slot);
    let takes_card = match source {
        RomSource::File => return None,
        RomSource::Usual => format == ImageFormat::Fs2 && of_file.is_none() && of_card.is_some(),
        RomSource::Card => true,
    };
    match (takes_card, of_card, of_file) {
        (false, ..) | (true, None, None) => None,
        (true, Some(card), Some(_)) => Some(RomEdit::Replace(card)),
        (true, Some(card), None) => Some(RomEdit::Insert(card)),
        (true, None, Some(_)) => Some(RomEdit::Remove),
    }
}

fn fs2(
    firmware: &Firmware<'_>,
    slot: usize,
    edit: Option<RomEdit<'_>>,
    survey: &FlashSurvey,
    card: &Slot,
    policy: &EditPolicy,
) -> Result<Prepared, PrepareError> {
    let mut bytes = match firmware {
        Firmware::Fs2(file) => file.slot(slot).map(|image| image.layout().to_bytes()),
        Firmware::Fs3(_) => None,
    }
    .ok_or(PrepareError::NotFirmware)?;
    let mut notes = Vec::new();
    if let Some(edit) = edit {
        let policy = EditPolicy {
            slot: None,
            ..*policy
        };
        let edited = edit_rom_as(&bytes, Some(FileShape::Contiguous), edit, &policy)?;
        bytes = edited.bytes;
        notes = edited.notes;
        notes.push("the card's expansion ROM is kept".to_owned());
    }
    let place = other_slot(survey)?;
    let of_card = active_fs2(survey, card)?;
    notes.extend(fs2_identity::make_own(&mut bytes, &of_card)?);
    fs2_identity::full_crc(&mut bytes);
    {
        let parsed = parse_as(&bytes, Some(FileShape::Contiguous));
        let file = parsed.tree;
        let image = file
            .as_ref()
            .and_then(|file| file.slot(0))
            .ok_or(PrepareError::Damaged {
                findings: parsed.findings,
            })?;
        same_chunk(place, image.header.log2_chunk())?;
        fs2_room(survey, &of_card, image)?;
    }
    trial(survey, ReadyImage { place, bytes }, notes)
}

/// The image must be made for the chunks that the flash is divided into.
fn same_chunk(place: SlotPlace, log2_chunk: Option<u8>) -> Result<(), PrepareError> {
    let of_card = place.stripes.map_or(0, crate::image::fs2::Stripes::chunk);
    let of_image = log2_chunk.map(|log2| 1_usize << log2.min(31));
    if of_image == Some(of_card) {
        return Ok(());
    }
    Err(PrepareError::OtherChunk {
        card: u32::try_from(of_card).unwrap_or(u32::MAX),
        image: of_image.map_or_else(
            || "a flash that is not divided (it is not failsafe)".to_owned(),
            |chunk| format!("{chunk:#x}"),
        ),
    })
}

fn fs3(
    file: &[u8],
    slot: usize,
    edit: Option<RomEdit<'_>>,
    survey: &FlashSurvey,
    card: &Slot,
    policy: &EditPolicy,
) -> Result<Prepared, PrepareError> {
    let mut file = Cow::Borrowed(file);
    let mut notes = Vec::new();
    if let Some(edit) = edit {
        let policy = EditPolicy {
            slot: Some(slot),
            ..*policy
        };
        let edited = edit_rom(&file, edit, &policy)?;
        file = Cow::Owned(edited.bytes);
        notes = edited.notes;
        notes.push("the expansion ROM is not that of the file, but of the card".to_owned());
    }
    let parsed = crate::image::fs3::parse(&file);
    let tree = parsed.tree;
    let image = tree
        .as_ref()
        .and_then(|file| file.image(slot))
        .ok_or(PrepareError::Damaged {
            findings: parsed.findings,
        })?;
    let of_card = active_fs3(survey, card)?;
    let place = fs3_place(survey, card, &of_card, image)?;
    fs3_room(&of_card, image)?;
    let (patches, more) = fs3_table::device_data(&of_card, image)?;
    notes.extend(more);
    let end = image
        .start
        .saturating_add(usize::try_from(image.size()).unwrap_or(usize::MAX));
    let mut bytes = file.get(image.start..end).unwrap_or_default().to_vec();
    for (at, entry) in patches {
        if let Some(place) = bytes.get_mut(at..at.saturating_add(entry.len())) {
            place.copy_from_slice(&entry);
        }
    }
    trial(survey, ReadyImage { place, bytes }, notes)
}
