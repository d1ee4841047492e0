//! Which image of a file an edit is about, and the file that comes of it.

use super::image::slot_path;
use super::{Fs2File, Fs2Image, parse};
use crate::image::checksum::crc16;
use crate::image::{EditError, EditPolicy, Finding, Severity, worst};

/// The sound image that an edit is about.
pub(super) struct Target<'a> {
    pub(super) file: Fs2File<'a>,
    pub(super) slot: usize,
}

impl<'a> Target<'a> {
    /// Reads a file and picks the image.
    pub(super) fn of(bytes: &'a [u8], policy: &EditPolicy) -> Result<Self, EditError> {
        let parsed = parse(bytes);
        let Some(file) = parsed.tree else {
            return Err(EditError::Damaged {
                findings: parsed.findings,
            });
        };
        let slot = pick(&file, policy.slot, &parsed.findings)?;
        let mut findings = parsed.findings;
        // The other image may be as it is: it stays so.
        let other = slot_path(1 - slot);
        findings.retain(|finding| !is_within(&finding.path, &other));
        findings.extend(file.slot(slot).map(Fs2Image::check).unwrap_or_default());
        if worst(&findings) == Some(Severity::Error) {
            return Err(EditError::Damaged { findings });
        }
        Ok(Self { file, slot })
    }

    pub(super) fn image(&self) -> Result<&Fs2Image<'a>, EditError> {
        self.file
            .slot(self.slot)
            .ok_or_else(|| no_slot(&self.file, self.slot))
    }
}

/// The slot of an image: the one that was asked for, or the only one.
pub(super) fn pick(
    file: &Fs2File<'_>,
    wanted: Option<usize>,
    findings: &[Finding],
) -> Result<usize, EditError> {
    let present: Vec<usize> = file.images().map(|image| image.slot).collect();
    match (wanted, &present[..]) {
        (_, []) => Err(EditError::Damaged {
            findings: findings.to_vec(),
        }),
        (Some(slot), present) if present.contains(&slot) => Ok(slot),
        (Some(slot), _) => Err(no_slot(file, slot)),
        (None, [only]) => Ok(*only),
        (None, _) => Err(EditError::WhichSlot { present }),
    }
}

fn no_slot(file: &Fs2File<'_>, slot: usize) -> EditError {
    EditError::NoSuchSlot {
        slot,
        present: file.images().map(|image| image.slot).collect(),
    }
}

fn is_within(path: &str, parent: &str) -> bool {
    path.strip_prefix(parent)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Writes bytes at an address of an image into its file.
pub(super) fn write(file: &mut [u8], image: &Fs2Image<'_>, address: usize, bytes: &[u8]) -> bool {
    let chunk = image
        .stripes
        .map_or(usize::MAX, super::stripes::Stripes::chunk);
    let mut address = address;
    let mut left = bytes;
    while !left.is_empty() {
        let (part, rest) = left.split_at(left.len().min(chunk - address % chunk));
        let place = usize::try_from(image.physical(address))
            .ok()
            .and_then(|start| file.get_mut(start..start.checked_add(part.len())?));
        let Some(place) = place else { return false };
        place.copy_from_slice(part);
        address += part.len();
        left = rest;
    }
    true
}

/// Replaces bytes of an image that lies in one row.
pub(super) fn put(image: &mut [u8], at: usize, bytes: &[u8]) {
    let place = at
        .checked_add(bytes.len())
        .and_then(|end| image.get_mut(at..end));
    if let Some(place) = place {
        place.copy_from_slice(bytes);
    }
}

/// The stored form of the CRC over some bytes.
pub(super) fn crc_dword(bytes: &[u8]) -> [u8; 4] {
    u32::from(crc16(bytes)).to_be_bytes()
}
