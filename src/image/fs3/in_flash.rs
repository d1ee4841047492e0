//! One image in a flash, of which it is known where it must be.

use super::check::check_image;
use super::{Fs3Header, Fs3Image};
use crate::image::{Finding, FindingKind, Parsed};

/// Format in the header.
const GENERATION: u8 = 3;

/// Reads the image that starts at `start`, whatever its magic says.
pub(in crate::image) fn image_in_flash(
    flash: &[u8],
    slot: usize,
    start: usize,
) -> Parsed<Fs3Image<'_>> {
    let mut findings = Vec::new();
    let header = flash.get(start..).and_then(Fs3Header::parse);
    let Some(header) = header else {
        findings.push(Finding::error(
            FindingKind::Truncated,
            format!("slot{slot}/header"),
            start as u64,
            "the flash ends inside of the header",
        ));
        return Parsed {
            tree: None,
            findings,
        };
    };
    if header.generation != GENERATION {
        findings.push(
            Finding::error(
                FindingKind::BadValue,
                format!("slot{slot}/header/format"),
                start as u64 + 0x24,
                "the format is not that of the card's firmware",
            )
            .expected_found("3 (FS3)", header.generation),
        );
    }
    let image = Fs3Image::parse(flash, slot, start, header, &mut findings);
    Parsed {
        tree: Some(image),
        findings,
    }
}

/// What is wrong inside of it.
pub(in crate::image) fn check_in_flash(flash: &[u8], image: &Fs3Image<'_>) -> Vec<Finding> {
    check_image(flash, image)
}
