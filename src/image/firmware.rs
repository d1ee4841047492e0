//! A file with firmware, whichever of the formats it is in.

use std::borrow::Cow;

use super::fs2::{self, FileShape, Fs2File};
use super::fs3::{self, Fs3File, SectionType};
use super::rom_fits::{rom_fits, rom_obstacles};
use super::{
    EditError, EditPolicy, Edited, Finding, FindingKind, FirmwareFacts, ImageKind, Layout, Parsed,
    RomEdit, firmware_starts,
};

/// A file with firmware of a format that is handled.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Firmware<'a> {
    /// Of a ConnectX-3 or -3 Pro.
    Fs2(Fs2File<'a>),
    /// Of a ConnectX-4 or -4 Lx, and of others of that time.
    Fs3(Fs3File<'a>),
}

impl<'a> Firmware<'a> {
    /// Reads a whole file: an image, or a flash dump with one or two.
    ///
    /// `shape` is for FS2 only, where a dump looks other than an image; without
    /// it that is found out.
    #[must_use]
    pub fn parse(bytes: &'a [u8], shape: Option<FileShape>) -> Parsed<Self> {
        match ImageKind::of(bytes) {
            Some(ImageKind::Fs2) => {
                let parsed = fs2::parse_as(bytes, shape);
                Parsed {
                    tree: parsed.tree.map(Self::Fs2),
                    findings: parsed.findings,
                }
            }
            Some(ImageKind::Fs3) => {
                let parsed = fs3::parse(bytes);
                Parsed {
                    tree: parsed.tree.map(Self::Fs3),
                    findings: parsed.findings,
                }
            }
            other => Parsed {
                tree: None,
                findings: vec![refusal(bytes, other)],
            },
        }
    }

    /// The name of the format.
    #[must_use]
    pub fn format(&self) -> &'static str {
        match self {
            Self::Fs2(_) => ImageKind::Fs2.name(),
            Self::Fs3(_) => ImageKind::Fs3.name(),
        }
    }

    /// Whether the file is a copy of a flash in which images lie in stripes.
    #[must_use]
    pub fn is_striped(&self) -> bool {
        matches!(self, Self::Fs2(file) if file.shape == FileShape::Striped)
    }

    /// The slots that hold an image, in their order.
    #[must_use]
    pub fn slots(&self) -> Vec<usize> {
        match self {
            Self::Fs2(file) => (0..2).filter(|&slot| file.slot(slot).is_some()).collect(),
            Self::Fs3(file) => file.slots().collect(),
        }
    }

    /// What the image in a slot says of itself.
    #[must_use]
    pub fn facts(&self, slot: usize) -> Option<FirmwareFacts> {
        match self {
            Self::Fs2(file) => file.facts(slot),
            Self::Fs3(file) => file.image(slot).map(|_| file.facts(slot)),
        }
    }

    /// The expansion ROM of the image in a slot; put together where the file is
    /// striped.
    #[must_use]
    pub fn rom(&self, slot: usize) -> Option<Cow<'a, [u8]>> {
        match self {
            Self::Fs2(file) => file.rom(slot),
            Self::Fs3(file) => file.rom(slot).map(Cow::Borrowed),
        }
    }

    /// The ini of the image in a slot: a text for people that nothing goes by.
    /// `None` when there is none, the reason when it cannot be unpacked.
    #[must_use]
    pub fn ini(&self, slot: usize) -> Option<Result<String, String>> {
        let unpacked = match self {
            Self::Fs2(file) => file.slot(slot)?.ini()?,
            Self::Fs3(file) => {
                let packed = file.image(slot)?.contents(SectionType::DBG_FW_INI)?;
                fs2::inflate(packed)
            }
        };
        Some(match unpacked {
            Ok(bytes) => Ok(String::from_utf8_lossy(&bytes).into_owned()),
            Err(error) => Err(error.to_string()),
        })
    }

    /// What is wrong with what [`parse`](Self::parse) did not look at: CRCs of
    /// contents, digests, how parts lie to each other.
    ///
    /// Of the expansion ROMs inside it is a warning what keeps them from running:
    /// the firmware does without them.
    #[must_use]
    pub fn check(&self) -> Vec<Finding> {
        let mut findings = match self {
            Self::Fs2(file) => file.check(),
            Self::Fs3(file) => file.check(),
        };
        for slot in self.slots() {
            findings.extend(self.check_rom(slot));
            findings.extend(self.check_fs3_ini(slot));
        }
        findings
    }

    /// An FS3 image's ini; that of FS2 is looked at among its sections.
    fn check_fs3_ini(&self, slot: usize) -> Option<Finding> {
        let Self::Fs3(file) = self else {
            return None;
        };
        let offset = file.image(slot)?.section(SectionType::DBG_FW_INI)?.offset;
        let reason = self.ini(slot)?.err()?;
        Some(Finding::warning(
            FindingKind::BadValue,
            format!("slot{slot}/DBG_FW_INI"),
            offset,
            format!("the ini cannot be unpacked: {reason}"),
        ))
    }

    fn check_rom(&self, slot: usize) -> Vec<Finding> {
        let Some((rom, fact)) = self
            .rom(slot)
            .zip(self.facts(slot).and_then(|facts| facts.rom))
        else {
            return Vec::new();
        };
        let path = format!("slot{slot}/ROM");
        let warning =
            |kind, message: String| Finding::warning(kind, path.clone(), fact.offset, message);
        let reasons = rom_obstacles(&rom, self);
        let mut findings: Vec<Finding> = reasons
            .damages
            .iter()
            .map(|damage| {
                let message = format!("the expansion ROM inside is damaged: {damage}");
                warning(FindingKind::BadValue, message)
            })
            .collect();
        if reasons.other_device {
            let message = "the expansion ROM inside is for another device".to_owned();
            findings.push(warning(FindingKind::Mismatch, message));
        }
        findings
    }

    /// The file, made again from the tree.
    #[must_use]
    pub fn layout(&self) -> Layout<'_> {
        match self {
            Self::Fs2(file) => file.layout(),
            Self::Fs3(file) => file.layout(),
        }
    }
}

/// Puts an expansion ROM into a firmware image, in place of another, or takes it
/// out, and makes everything fit that depends on it.
///
/// # Errors
/// Whatever [`EditPolicy`] does not permit, and images that are damaged; nothing
/// is half done.
pub fn edit_rom(bytes: &[u8], edit: RomEdit<'_>, policy: &EditPolicy) -> Result<Edited, EditError> {
    edit_rom_as(bytes, None, edit, policy)
}

/// The same where it is known how FS2 images lie in the bytes.
///
/// # Errors
/// See [`edit_rom`].
pub fn edit_rom_as(
    bytes: &[u8],
    shape: Option<FileShape>,
    edit: RomEdit<'_>,
    policy: &EditPolicy,
) -> Result<Edited, EditError> {
    let kind = ImageKind::of(bytes);
    let mut notes = Vec::new();
    if let RomEdit::Insert(rom) | RomEdit::Replace(rom) = edit
        && let Some(firmware) = Firmware::parse(bytes, shape).tree
    {
        notes = rom_fits(rom, &firmware, policy)?;
    }
    let mut edited = match kind {
        Some(ImageKind::Fs2) => fs2::edit_rom_as(bytes, shape, edit, policy),
        Some(ImageKind::Fs3) => fs3::edit_rom(bytes, edit, policy),
        other => Err(EditError::Damaged {
            findings: vec![refusal(bytes, other)],
        }),
    }?;
    for note in notes {
        if !edited.notes.contains(&note) {
            edited.notes.push(note);
        }
    }
    Ok(edited)
}

/// Why a file is no firmware that is handled, by name where it has one.
fn refusal(bytes: &[u8], kind: Option<ImageKind>) -> Finding {
    let start = firmware_starts(bytes).next().unwrap_or(0) as u64;
    match kind {
        Some(kind @ (ImageKind::Fs4 | ImageKind::Fs5)) => Finding::error(
            FindingKind::Unsupported,
            "magic",
            start,
            format!(
                "{} firmware, for a ConnectX-5 or later: flexctl is for ConnectX-3 and -4",
                kind.name()
            ),
        ),
        Some(ImageKind::OptionRom) => Finding::error(
            FindingKind::Unsupported,
            "magic",
            0,
            "an expansion ROM by itself, not a firmware image",
        ),
        Some(ImageKind::UnknownFirmware(generation)) => Finding::error(
            FindingKind::Unsupported,
            "header/format",
            start + 0x24,
            "firmware of an unknown format",
        )
        .expected_found("0 (FS2) or 3 (FS3)", generation),
        _ => Finding::error(
            FindingKind::BadMagic,
            "magic",
            0,
            "no firmware image at any address where one may start",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::{FIRMWARE_MAGIC, FS4_MAGIC};

    fn refused(bytes: &[u8]) -> String {
        let parsed = Firmware::parse(bytes, None);
        assert_eq!(parsed.tree, None);
        parsed.findings[0].to_string()
    }

    #[test]
    fn what_is_not_handled_is_refused_by_name() {
        let mut fs4 = vec![0xff; 0x1000];
        fs4[..16].copy_from_slice(&FS4_MAGIC);
        fs4[0x10] = 1;
        assert!(refused(&fs4).contains("FS4 firmware, for a ConnectX-5"));
        fs4[0x10] = 2;
        assert!(refused(&fs4).contains("FS5"));
        let mut unknown = vec![0; 0x1000];
        unknown[..16].copy_from_slice(&FIRMWARE_MAGIC);
        unknown[0x24] = 9;
        assert!(refused(&unknown).contains("found 9"));
        assert!(refused(&[0x55, 0xaa, 1]).contains("expansion ROM"));
        assert!(refused(b"").contains("no firmware image"));
        let error = edit_rom(&fs4, RomEdit::Remove, &EditPolicy::default()).unwrap_err();
        assert!(error.to_string().contains("FS5"), "{error}");
    }
}
