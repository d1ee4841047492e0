//! A ROM that is being changed: its bytes, and what was done to them.

use super::super::{ByteChange, EditError};
use super::codec::byte_sum;
use super::image_sum::{correcting_byte, sum, summed};
use super::{CodeType, OptionRom, Part, Pcir, RomImage};

/// A ROM that is being changed.
#[derive(Debug, Default)]
pub(super) struct Draft {
    pub(super) bytes: Vec<u8>,
    pub(super) changes: Vec<ByteChange>,
    /// Of every image, whether its bytes have to add up to 0.
    zero_sums: Vec<bool>,
}

impl Draft {
    /// The same bytes to begin with.
    pub(super) fn of(bytes: &[u8], rom: &OptionRom<'_>) -> Self {
        Self {
            bytes: bytes.to_vec(),
            changes: Vec::new(),
            zero_sums: rom.images.iter().map(needs_zero_sum).collect(),
        }
    }

    /// Adds an image at the end, and marks it as the last one or not.
    pub(super) fn append(&mut self, image: &RomImage<'_>, last: bool) {
        let start = self.bytes.len();
        let path = format!("image{}/PCIR/indicator", self.zero_sums.len());
        self.bytes.extend_from_slice(image.bytes);
        self.zero_sums.push(needs_zero_sum(image));
        let place = image.offset_of(|part| matches!(part, Part::Pcir(_)));
        if let (Some(at), Some(pcir)) = (place, image.pcir()) {
            let at = start + at.saturating_sub(image.offset) + super::pcir::INDICATOR;
            let indicator = pcir.indicator_with(last);
            let what = format!("{:#04x} -> {indicator:#04x}", pcir.indicator());
            self.write(path, at, &[indicator], what);
        }
    }

    /// Overwrites bytes; what is there already is no change.
    pub(super) fn write(&mut self, path: String, at: usize, new: &[u8], what: String) {
        let end = at.saturating_add(new.len());
        let Some(old) = self.bytes.get_mut(at..end).filter(|old| *old != new) else {
            return;
        };
        old.copy_from_slice(new);
        self.changed(path, at, new.len(), what);
    }

    pub(super) fn changed(&mut self, path: String, at: usize, length: usize, what: String) {
        self.changes.push(ByteChange {
            path,
            offset: at as u64,
            length: length as u64,
            what,
        });
    }

    /// Corrects the sums of PnP, UNDI and iPXE headers; the sums of images come
    /// after that.
    pub(super) fn correct_headers(&mut self, rom: &OptionRom<'_>) {
        for (index, image) in rom.images.iter().enumerate() {
            for placed in &image.parts {
                let (length, checksum) = match &placed.part {
                    Part::Pnp(header) => (header.length(), 9),
                    Part::Undi(undi) => (usize::from(undi.length), 5),
                    Part::Ipxe(ipxe) => (usize::from(ipxe.length), 5),
                    _ => continue,
                };
                let path = format!("image{index}/{}/checksum", placed.part.name());
                let end = placed.offset.saturating_add(length);
                if checksum < length && end <= image.end() {
                    self.correct(path, placed.offset, length, checksum);
                }
            }
        }
    }

    /// Corrects the sums of images that need the sum 0. `rom` is this draft as
    /// it was before bytes of it were changed, structure and all.
    pub(super) fn correct_images(&mut self, rom: &OptionRom<'_>) -> Result<(), EditError> {
        for (index, image) in rom.images.iter().enumerate() {
            let needs = self.zero_sums.get(index).copied().unwrap_or(false);
            let length = match image.code_type() {
                CodeType::PcAt => summed(image).len(),
                _ => image.bytes.len(),
            };
            let end = image.offset.saturating_add(length);
            let sum = self.bytes.get(image.offset..end).map_or(0, byte_sum);
            if !needs || sum == 0 {
                continue;
            }
            let byte = correcting_byte(image).ok_or_else(|| EditError::Unsupported {
                format: format!("image{index}"),
                reason: "its bytes must add up to 0, and which byte may be changed for that \
                         cannot be told: neither iPXE's (offset 6) nor padding at the end"
                    .to_owned(),
            })?;
            self.correct(format!("image{index}/checksum"), image.offset, length, byte);
        }
        Ok(())
    }

    /// Makes `length` bytes from `start` on add up to 0 with the byte at
    /// `checksum` of them.
    fn correct(&mut self, path: String, start: usize, length: usize, checksum: usize) {
        let sum = self
            .bytes
            .get(start..start.saturating_add(length))
            .map_or(0, byte_sum);
        let at = start.saturating_add(checksum);
        if let Some(old) = self.bytes.get(at).copied() {
            let new = old.wrapping_sub(sum);
            self.write(path, at, &[new], format!("{old:#04x} -> {new:#04x}"));
        }
    }
}

/// A BIOS demands it; in other images it is kept where it is so.
fn needs_zero_sum(image: &RomImage<'_>) -> bool {
    image.code_type() == CodeType::PcAt
        || sum(image) == 0
            && image.pcir().map(Pcir::code_type) == Some(CodeType::Efi)
            && correcting_byte(image).is_some()
}
