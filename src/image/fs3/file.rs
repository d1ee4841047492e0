//! A file with FS3 firmware: one image, or a flash dump with one or two.

use crate::image::{Finding, FindingKind, ImageKind, Parsed, firmware_starts};

use super::{Fs3Header, Fs3Image};

const GENERATION: u8 = 3;

/// A file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fs3File<'a> {
    /// All of it.
    pub(super) bytes: &'a [u8],
    /// Its images, slot 0 first.
    pub(super) images: Vec<Fs3Image<'a>>,
}

/// Reads a whole file.
///
/// Contents of sections are not looked at: their CRCs and digests are a matter
/// of [`Fs3File::check`].
#[must_use]
pub fn parse(bytes: &[u8]) -> Parsed<Fs3File<'_>> {
    let mut findings = Vec::new();
    if let Some(finding) = refusal(bytes) {
        return Parsed {
            tree: None,
            findings: vec![finding],
        };
    }
    let mut images: Vec<Fs3Image<'_>> = Vec::new();
    let (chosen, others) = starts(bytes);
    for (slot, start, header) in chosen {
        images.push(Fs3Image::parse(bytes, slot, start, header, &mut findings));
    }
    for start in others {
        findings.push(Finding::note(
            FindingKind::Unknown,
            "magic",
            start as u64,
            "something that looks like an image is where none can start",
        ));
    }
    let tree = (!images.is_empty()).then_some(Fs3File { bytes, images });
    Parsed { tree, findings }
}

/// Slot, start and header of each image, and the starts of what is none.
fn starts(bytes: &[u8]) -> (Vec<(usize, usize, Fs3Header)>, Vec<usize>) {
    let found: Vec<(usize, Fs3Header)> = firmware_starts(bytes)
        .filter_map(|start| Some((start, Fs3Header::parse(bytes.get(start..)?)?)))
        .filter(|(_, header)| header.generation == GENERATION)
        .collect();
    let at_its_place = |&&(start, header): &&(usize, Fs3Header)| {
        start != 0 && start as u64 == header.chunk_bytes(start)
    };
    let first = found.iter().find(|(start, _)| *start == 0);
    let second = found.iter().find(at_its_place);
    let mut chosen: Vec<_> = [(0, first), (1, second)]
        .into_iter()
        .filter_map(|(slot, found)| found.map(|&(start, header)| (slot, start, header)))
        .collect();
    if chosen.is_empty() {
        chosen.extend(found.first().map(|&(start, header)| (1, start, header)));
    }
    let others = found
        .iter()
        .map(|(start, _)| *start)
        .filter(|start| chosen.iter().all(|(_, taken, _)| taken != start))
        .collect();
    (chosen, others)
}

/// Why the file is not for this module.
fn refusal(bytes: &[u8]) -> Option<Finding> {
    let unsupported = |message: &str| {
        let start = firmware_starts(bytes).next().unwrap_or(0);
        Some(Finding::error(
            FindingKind::Unsupported,
            "magic",
            start as u64,
            message,
        ))
    };
    match ImageKind::of(bytes) {
        Some(ImageKind::Fs3) => None,
        Some(kind @ (ImageKind::Fs4 | ImageKind::Fs5)) => unsupported(&format!(
            "{} firmware, for a ConnectX-5 or later; use mstflint or mlxfwmanager for it",
            kind.name()
        )),
        Some(ImageKind::Fs2) => unsupported("FS2 firmware, for a ConnectX-3 or ConnectX-3 Pro"),
        Some(ImageKind::OptionRom) => unsupported("an expansion ROM, not firmware"),
        Some(ImageKind::UnknownFirmware(generation)) => unsupported(&format!(
            "firmware of an unknown generation, {generation:#04x}"
        )),
        None => Some(Finding::error(
            FindingKind::BadMagic,
            "magic",
            0,
            "no firmware image starts anywhere in the file",
        )),
    }
}

impl<'a> Fs3File<'a> {
    /// The slots that hold an image, in their order.
    pub fn slots(&self) -> impl Iterator<Item = usize> + '_ {
        self.images.iter().map(|image| image.slot)
    }

    /// The image in a slot.
    #[must_use]
    pub fn image(&self, slot: usize) -> Option<&Fs3Image<'a>> {
        self.images.iter().find(|image| image.slot == slot)
    }

    /// The expansion ROM of the image in a slot.
    #[must_use]
    pub fn rom(&self, slot: usize) -> Option<&'a [u8]> {
        self.image(slot)?.rom()
    }

    /// What is wrong in what [`parse`] did not look at: contents of sections,
    /// how they lie to each other, digests.
    #[must_use]
    pub fn check(&self) -> Vec<Finding> {
        super::check::check(self)
    }
}
