//! The image of a file that is to be burned.

use crate::hwdb::ImageFormat;
use crate::image::{EditError, Finding, Firmware, FlashSurvey, ImageKind, Severity, worst};

use super::PrepareError;
use super::place::format_name;

/// Checks that a file is firmware of the card's format, and says which of its
/// images is meant.
pub(super) fn chosen<'a>(
    file: &'a [u8],
    slot: Option<usize>,
    survey: &FlashSurvey,
) -> Result<(Firmware<'a>, usize), PrepareError> {
    let wanted = match survey.format() {
        ImageFormat::Fs2 => ImageKind::Fs2,
        ImageFormat::Fs3 => ImageKind::Fs3,
    };
    match ImageKind::of(file) {
        Some(kind) if kind == wanted => {}
        Some(kind) => {
            return Err(PrepareError::WrongFormat {
                card: format_name(survey.format()),
                found: match kind {
                    ImageKind::OptionRom => "an expansion ROM",
                    ImageKind::UnknownFirmware(_) => "firmware of an unknown format",
                    ImageKind::Fs2 => "FS2 firmware, for a ConnectX-3",
                    ImageKind::Fs3 => "FS3 firmware, for a ConnectX-4",
                    ImageKind::Fs4 | ImageKind::Fs5 => {
                        "FS4 or FS5 firmware, for a ConnectX-5 or later"
                    }
                },
            });
        }
        None => return Err(PrepareError::NotFirmware),
    }
    let parsed = Firmware::parse(file, None);
    let mut findings = parsed.findings;
    let Some(firmware) = parsed.tree else {
        return Err(PrepareError::Damaged { findings });
    };
    let present = firmware.slots();
    let slot = match (slot, &present[..]) {
        (Some(slot), present) if present.contains(&slot) => slot,
        (Some(slot), _) => return Err(EditError::NoSuchSlot { slot, present }.into()),
        (None, [only]) => *only,
        (None, []) => return Err(PrepareError::Damaged { findings }),
        (None, _) => return Err(EditError::WhichSlot { present }.into()),
    };
    findings.extend(firmware.check());
    findings.retain(|finding| !is_of_other(finding, slot));
    if worst(&findings) == Some(Severity::Error) {
        return Err(PrepareError::Damaged { findings });
    }
    Ok((firmware, slot))
}

/// Whether a finding is about the other image of the file.
fn is_of_other(finding: &Finding, slot: usize) -> bool {
    let first = finding.path.split('/').next().unwrap_or_default();
    first
        .strip_prefix("slot")
        .and_then(|number| number.parse::<usize>().ok())
        .is_some_and(|number| number != slot)
}
