//! Whether images lie in a file in one row or in stripes.
//!
//! # Sources
//! mstflint 4.21, mlxfwops/lib/fs2_ops.cpp (`Fs2Operations::Fs2Verify`: the two
//! cases; mstflint itself has the user say which it is, with `-striped_image`).

use std::cmp::Ordering;
use std::ops::ControlFlow;

use super::read_image::parse_image;
use super::stripes::View;
use super::{Fs2Header, Fs2Image, HEADER_BYTES, Stripes};
use crate::image::{Finding, FindingKind, Severity};

/// How images lie in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FileShape {
    /// One image, in one row.
    Contiguous,
    /// As in a failsafe flash: one or two images, in chunks by turns.
    Striped,
}

/// How images lie in a file, as far as it can be told.
///
/// An image that does not start at 0 has the odd chunks. Where one starts at 0,
/// it is read both ways. If only one of them makes sense, that is it; if both do,
/// they differ behind the first chunk only, and the CRCs of the sections there
/// decide. What is left is told by the length: a flash is a whole number of pairs
/// of chunks.
pub(super) fn detect(bytes: &[u8], starts: &[usize], findings: &mut Vec<Finding>) -> FileShape {
    if starts.first() != Some(&0) {
        return FileShape::Striped;
    }
    let contiguous = View::contiguous(bytes);
    let header = Fs2Header::read(contiguous);
    let Some(even) = header
        .as_ref()
        .and_then(Fs2Header::log2_chunk)
        .and_then(|log2| Stripes::new(log2, false))
    else {
        return FileShape::Contiguous;
    };
    let chunk = even.chunk();
    let by_length = if starts.contains(&chunk) || is_flash(bytes.len(), chunk) {
        FileShape::Striped
    } else {
        FileShape::Contiguous
    };
    let row = Reading::new(contiguous);
    // Another image at the chunk size, which this one does not reach.
    let stripes = Reading::new(View::striped(bytes, even));
    match row.against(&stripes, chunk) {
        ControlFlow::Break(shape) => shape,
        ControlFlow::Continue(()) => {
            if by_length == FileShape::Striped && !starts.contains(&chunk) {
                findings.push(Finding::note(
                    FindingKind::NotChecked,
                    "file",
                    0,
                    "the image ends in its first chunk, so that only the length of the file tells \
                     that it was read from a flash",
                ));
            }
            by_length
        }
    }
}

/// Whether a file is as long as a flash: pairs of chunks, and more than one image.
fn is_flash(length: usize, chunk: usize) -> bool {
    length > 0 && length.is_multiple_of(2 * chunk)
}

/// What one way to read the file gives.
struct Reading<'a> {
    image: Option<Fs2Image<'a>>,
    errors: usize,
}

impl<'a> Reading<'a> {
    fn new(view: View<'a>) -> Self {
        let parsed = parse_image(view, 0);
        let errors = parsed.findings.iter();
        Self {
            errors: errors
                .filter(|finding| finding.severity == Severity::Error)
                .count(),
            image: parsed.tree,
        }
    }

    fn is_sound(&self) -> bool {
        self.errors == 0 && self.image.is_some()
    }

    fn sections(&self) -> usize {
        self.image.as_ref().map_or(0, |image| image.sections.len())
    }

    /// How many of the parts that reach behind the first chunk have the right CRC.
    fn right_behind(&self, chunk: usize) -> usize {
        let Some(image) = &self.image else { return 0 };
        let mut end = HEADER_BYTES;
        let boot2 = image.boot2.iter().filter(|block| {
            end += block.length();
            end > chunk && block.check("", 0).is_none()
        });
        let boot2 = boot2.count();
        let sections = image.sections.iter().filter(|section| {
            section.end() > chunk && section.crc == u32::from(section.computed_crc())
        });
        boot2 + sections.count()
    }

    fn ends_in_first(&self, chunk: usize) -> bool {
        self.image
            .as_ref()
            .is_some_and(|image| image.end() <= chunk)
    }

    /// `self` is the file in one row, `stripes` its even chunks.
    fn against(&self, stripes: &Self, chunk: usize) -> ControlFlow<FileShape> {
        match (self.is_sound(), stripes.is_sound()) {
            (true, false) => return ControlFlow::Break(FileShape::Contiguous),
            (false, true) => return ControlFlow::Break(FileShape::Striped),
            (true, true) if self.ends_in_first(chunk) => return ControlFlow::Continue(()),
            (false, false) if self.ends_in_first(chunk) && stripes.ends_in_first(chunk) => {
                // Both see the same, as far as they see anything.
                return match self.sections().cmp(&stripes.sections()) {
                    Ordering::Greater => ControlFlow::Break(FileShape::Contiguous),
                    Ordering::Less => ControlFlow::Break(FileShape::Striped),
                    Ordering::Equal => ControlFlow::Continue(()),
                };
            }
            _ => {}
        }
        let score = |reading: &Self| (reading.right_behind(chunk), reading.sections());
        match score(self).cmp(&score(stripes)) {
            Ordering::Greater => ControlFlow::Break(FileShape::Contiguous),
            Ordering::Less => ControlFlow::Break(FileShape::Striped),
            Ordering::Equal => ControlFlow::Continue(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::file::tests::{GUIDS, build, findings};
    use super::super::parse;
    use super::*;
    use crate::image::build::flash_dump;
    use crate::image::worst;

    fn shape(bytes: &[u8]) -> FileShape {
        parse(bytes).tree.unwrap().shape
    }

    /// An image that ends behind its first chunk, or in it.
    fn of_chunk(log2: u8, size: u32) -> Vec<u8> {
        build(&format!(
            "chunk = {}\n{GUIDS}code = [{{ random = 1, size = {size} }}]\n",
            1_u32 << log2
        ))
    }

    #[test]
    fn images_and_dumps_are_told_apart() {
        for size in [0x1000, 0xf000, 0x5_0004, 0x10_0000] {
            for log2 in [16, 19] {
                let image = of_chunk(log2, size);
                let sound = |bytes: &[u8], expected: FileShape| {
                    assert_eq!(shape(bytes), expected, "{size:#x} {log2}");
                    let found = findings(bytes);
                    assert!(worst(&found) < Some(Severity::Warning), "{found:#?}");
                    let layout = parse(bytes).tree.unwrap().layout();
                    assert!(layout.to_bytes() == bytes);
                };
                sound(&image, FileShape::Contiguous);
                let mut padded = image.clone();
                padded.resize(image.len() + 0x1234, 0xff);
                sound(&padded, FileShape::Contiguous);
                for slots in [[true, false], [false, true], [true, true]] {
                    let slots = slots.map(|is_there| is_there.then_some(&image[..]));
                    for stale in [&[0xff][..], &image] {
                        // Stale magics at other addresses are no images.
                        let stale: Vec<u8> = stale.iter().map(|byte| byte ^ 0x55).collect();
                        let dump = flash_dump(slots, Some(log2), 0x40_0000, &stale).unwrap();
                        sound(&dump, FileShape::Striped);
                        let file = parse(&dump).tree.unwrap();
                        let there = file.slots().map(|slot| slot.is_some());
                        assert_eq!(there, slots.map(|slot| slot.is_some()));
                    }
                }
            }
        }
    }

    #[test]
    fn the_last_section_alone_decides_by_its_crc() {
        // Only the data of the last section reach behind the first chunk: both
        // ways to read the chain are sound.
        let mut state = 1_u32;
        let ini: String = std::iter::repeat_with(|| {
            state = state.wrapping_mul(0x0019_660d).wrapping_add(0x3c6e_f35f);
            char::from(b'#' + u8::try_from(state >> 24).unwrap() % 57)
        })
        .take(110_000)
        .collect();
        let image = build(&format!(
            "chunk = 0x10000\n{GUIDS}code = []\nini = \"{ini}\"\n"
        ));
        let stripes = Stripes::new(16, false).unwrap();
        let both = |bytes: &[u8]| {
            let ways = [View::contiguous(bytes), View::striped(bytes, stripes)];
            assert!(ways.into_iter().all(|view| Reading::new(view).is_sound()));
        };
        let mut padded = image.clone();
        padded.resize(0x20_0000, 0xff);
        both(&padded);
        assert_eq!(shape(&padded), FileShape::Contiguous);
        let dump = flash_dump([Some(&image), None], Some(16), 0x20_0000, &[0xff]).unwrap();
        both(&dump);
        assert_eq!(shape(&dump), FileShape::Striped);
    }

    #[test]
    fn damage_does_not_change_the_shape() {
        let image = of_chunk(16, 0x3_0000);
        let dump = flash_dump([Some(&image), None], Some(16), 0x20_0000, &[0xff]).unwrap();
        for (bytes, expected) in [(image, FileShape::Contiguous), (dump, FileShape::Striped)] {
            for at in (0x40..bytes.len().min(0x4_0000)).step_by(4093) {
                let mut damaged = bytes.clone();
                damaged[at] ^= 0x10;
                assert_eq!(shape(&damaged), expected, "{at:#x}");
            }
        }
    }
}
