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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::samples::{image, rom_line};
    use super::*;
    use crate::image::{FIRMWARE_MAGIC, FS4_MAGIC, Severity, worst};

    fn slots(bytes: &[u8]) -> Vec<usize> {
        parse(bytes)
            .tree
            .map_or_else(Vec::new, |file| file.slots().collect())
    }

    #[test]
    fn images_are_found_in_either_slot() {
        let size = "file_size = 0x1000000\n";
        assert_eq!(slots(&image("")), [0]);
        assert_eq!(slots(&image(&format!("{size}slots = [1]"))), [1]);
        assert_eq!(slots(&image(&format!("{size}slots = [0, 1]"))), [0, 1]);
        let at_8_mib = "log2_chunk = 0x17\nslots = [1]";
        assert_eq!(slots(&image(&format!("{size}{at_8_mib}"))), [1]);
        assert_eq!(
            slots(&image("log2_chunk = 0\nfile_size = 0x400000\nslots = [1]")),
            [1]
        );
    }

    #[test]
    fn a_stray_image_is_shown_and_called_wrong() {
        let good = image("");
        let mut stray = vec![0xff; 0x1_0000];
        stray.extend(&good);
        let parsed = parse(&stray);
        assert_eq!(worst(&parsed.findings), Some(Severity::Error));
        assert_eq!(parsed.tree.unwrap().slots().collect::<Vec<_>>(), [1]);

        let mut inside = good;
        inside[0x10_0000..0x10_0010].copy_from_slice(&FIRMWARE_MAGIC);
        inside[0x10_0024] = 3;
        let parsed = parse(&inside);
        assert_eq!(worst(&parsed.findings), Some(Severity::Note));
    }

    #[test]
    fn other_formats_are_refused_by_name() {
        let refused = |magic: [u8; 16], at: usize, generation: u8| {
            let mut bytes = vec![0; 0x1000];
            bytes[..16].copy_from_slice(&magic);
            bytes[at] = generation;
            let parsed = parse(&bytes);
            assert_eq!(parsed.tree, None);
            assert_eq!(parsed.findings[0].kind, FindingKind::Unsupported);
            parsed.findings[0].message.clone()
        };
        assert!(refused(FS4_MAGIC, 0x10, 1).contains("FS4"));
        assert!(refused(FS4_MAGIC, 0x10, 1).contains("ConnectX-5 or later"));
        assert!(refused(FS4_MAGIC, 0x10, 2).contains("FS5"));
        assert!(refused(FIRMWARE_MAGIC, 0x24, 0).contains("FS2"));
        assert!(refused(FIRMWARE_MAGIC, 0x24, 9).contains("0x09"));
        assert_eq!(parse(&[]).findings[0].kind, FindingKind::BadMagic);
    }

    /// Everything that can be done with a file; it must not panic.
    fn exercise(bytes: &[u8]) {
        let Some(file) = parse(bytes).tree else {
            return;
        };
        assert!(file.layout().to_bytes() == bytes, "the tree lost something");
        let _ = file.check();
        for slot in [0, 1] {
            let _ = (file.facts(slot), file.rom(slot));
        }
    }

    fn sample() -> Vec<u8> {
        image(&format!(
            "{}\nsignature = 'digest'\nspare_itoc = 'first'\nlog2_chunk = 20\nslots = [0, 1]\n\
             [boot2]\nfill = 3\nsize = 0x40\n",
            rom_line(0x400)
        ))
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]

        #[test]
        fn any_change_is_kept_and_survived(
            changes in proptest::collection::vec((0..0x4000_usize, any::<u8>()), 1..24),
            slot in 0..2_usize,
        ) {
            let mut bytes = sample();
            for (at, byte) in changes {
                bytes[slot * 0x10_0000 + at] = byte;
            }
            exercise(&bytes);
        }

        #[test]
        fn any_entry_is_kept_and_survived(
            entry in 0..20_usize,
            dwords in proptest::array::uniform8(any::<u32>()),
        ) {
            let mut bytes = sample();
            let itoc = parse(&bytes).tree.unwrap().images[0].itoc.clone().unwrap();
            let at = itoc.entry_address(entry);
            for (number, dword) in dwords.into_iter().enumerate() {
                bytes[at + number * 4..][..4].copy_from_slice(&dword.to_be_bytes());
            }
            exercise(&bytes);
        }

        #[test]
        fn any_truncation_is_survived(length in 0..0x8000_usize, far in 0..0x20_0000_usize) {
            let bytes = sample();
            exercise(&bytes[..length]);
            exercise(&bytes[..far]);
        }
    }
}
