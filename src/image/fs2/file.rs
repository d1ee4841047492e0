//! A file with FS2 firmware: one image, or what a whole flash holds.
//!
//! A file made by the vendor's tools holds one image in one row. A file read
//! from a failsafe flash holds one or two, in [stripes](super::Stripes). Nothing
//! in it says which it is: [`parse`] tries both.
//!
//! # Sources
//! mstflint 4.21, mlxfwops/lib/fs2_ops.cpp (`Fs2Operations::Fs2Verify`: the two
//! cases; mstflint itself has the user say which it is, with `-striped_image`).

use std::ops::ControlFlow;

use super::image::{parse_image, slot_path};
use super::stripes::View;
use super::{Fs2Header, Fs2Image, Stretch, Stripes};
use crate::image::{FIRMWARE_MAGIC, Finding, FindingKind, Parsed, Severity, firmware_starts};

/// How images lie in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FileShape {
    /// One image, in one row.
    Contiguous,
    /// As in a failsafe flash: one or two images, in chunks by turns.
    Striped,
}

/// A file with FS2 firmware.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fs2File<'a> {
    /// How the images lie in it.
    pub shape: FileShape,
    /// Bytes of the file.
    pub length: usize,
    /// One half, or both of a striped file.
    pub(super) halves: Vec<Half<'a>>,
}

/// What one image may use of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Half<'a> {
    pub(super) stripes: Option<Stripes>,
    pub(super) image: Option<Fs2Image<'a>>,
    /// All behind the image.
    pub(super) rest: Stretch<'a>,
}

impl<'a> Fs2File<'a> {
    /// The images by slot. A file that is not striped has one, in slot 0.
    #[must_use]
    pub fn slots(&self) -> [Option<&Fs2Image<'a>>; 2] {
        [self.slot(0), self.slot(1)]
    }

    /// The image in a slot.
    #[must_use]
    pub fn slot(&self, slot: usize) -> Option<&Fs2Image<'a>> {
        self.halves.get(slot)?.image.as_ref()
    }

    /// The images that there are.
    pub fn images(&self) -> impl Iterator<Item = &Fs2Image<'a>> {
        self.halves.iter().filter_map(|half| half.image.as_ref())
    }
}

/// Reads a file, and finds out how images lie in it.
#[must_use]
pub fn parse(bytes: &[u8]) -> Parsed<Fs2File<'_>> {
    parse_as(bytes, None)
}

/// Reads a file. The user may know how images lie in it.
#[must_use]
pub fn parse_as(bytes: &[u8], shape: Option<FileShape>) -> Parsed<Fs2File<'_>> {
    let starts: Vec<usize> = firmware_starts(bytes)
        .filter(|&start| generation(bytes, start) == Some(0))
        .collect();
    let Some(&first) = starts.first() else {
        let finding = Finding::error(
            FindingKind::BadMagic,
            "file",
            0,
            "no FS2 image at any of the addresses where one may start",
        );
        return Parsed {
            tree: None,
            findings: vec![finding],
        };
    };
    let mut findings = Vec::new();
    let shape = shape.unwrap_or_else(|| detect(bytes, &starts, &mut findings));
    let log2_chunk = Fs2Header::read(View::contiguous(bytes.get(first..).unwrap_or_default()))
        .and_then(|header| header.log2_chunk());
    let stripes = |odd| log2_chunk.and_then(|log2| Stripes::new(log2, odd));
    let views: Vec<(View<'_>, usize)> = match (shape, stripes(false), stripes(true)) {
        (FileShape::Striped, Some(even), Some(odd)) => vec![
            (View::striped(bytes, even), 0),
            (View::striped(bytes, odd), even.chunk()),
        ],
        (FileShape::Striped, ..) => {
            findings.push(Finding::error(
                FindingKind::Mismatch,
                "file",
                first as u64,
                "a file cannot be striped whose image is not failsafe",
            ));
            vec![(View::contiguous(bytes), 0)]
        }
        (FileShape::Contiguous, ..) => vec![(View::contiguous(bytes), 0)],
    };
    for &start in &starts {
        if !views.iter().any(|&(_, expected)| expected == start) {
            findings.push(stray(start, shape));
        }
    }
    let mut halves = Vec::new();
    for (slot, (view, start)) in views.into_iter().enumerate() {
        let mut half = Half {
            stripes: view.stripes(),
            image: None,
            rest: view.rest(0),
        };
        if starts.contains(&start) {
            let parsed = parse_image(view, slot);
            findings.extend(parsed.findings);
            if let Some(image) = parsed.tree {
                half.rest = view.rest(image.end());
                findings.extend(other_chunk(&image, log2_chunk));
                half.image = Some(image);
            }
        }
        halves.push(half);
    }
    if halves.iter().all(|half| half.image.is_none()) {
        findings.push(Finding::error(
            FindingKind::Missing,
            "file",
            first as u64,
            "there is no image where a file of this shape has one",
        ));
    }
    findings.sort_by_key(|finding| finding.offset);
    Parsed {
        tree: Some(Fs2File {
            shape,
            length: bytes.len(),
            halves,
        }),
        findings,
    }
}

fn generation(bytes: &[u8], start: usize) -> Option<u8> {
    bytes.get(start..)?.get(0x24).copied()
}

fn stray(start: usize, shape: FileShape) -> Finding {
    let message = match shape {
        FileShape::Contiguous => "another image starts inside of a file of one image",
        FileShape::Striped => "an image starts neither at 0 nor at the chunk size",
    };
    Finding::error(FindingKind::BadValue, "file", start as u64, message)
}

/// A slot whose image was made for another chunk size.
fn other_chunk(image: &Fs2Image<'_>, log2_chunk: Option<u8>) -> Option<Finding> {
    (image.stripes.is_some() && image.header.log2_chunk() != log2_chunk).then(|| {
        let size = |log2: Option<u8>| {
            log2.map_or("none".to_owned(), |log2| format!("{:#x}", 1_u32 << log2))
        };
        Finding::error(
            FindingKind::Mismatch,
            format!("{}/header/failsafe", slot_path(image.slot)),
            image.physical(0x28),
            "the two images name different chunk sizes",
        )
        .expected_found(size(log2_chunk), size(image.header.log2_chunk()))
    })
}

/// How images lie in a file, as far as it can be told.
///
/// An image that does not start at 0 has the odd chunks. Where one starts at 0,
/// it is read both ways. If only one of them makes sense, that is it; if both do,
/// they differ behind the first chunk only, and the CRCs of the sections there
/// decide. What is left is told by the length: a flash is a whole number of pairs
/// of chunks.
fn detect(bytes: &[u8], starts: &[usize], findings: &mut Vec<Finding>) -> FileShape {
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
    let row = Reading::new(contiguous, chunk);
    // Another image at the chunk size, which this one does not reach.
    let stripes = Reading::new(View::striped(bytes, even), chunk);
    let decision = row.against(&stripes, chunk);
    match decision {
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
    length > 0 && length % (2 * chunk) == 0
}

/// What one way to read the file gives.
struct Reading<'a> {
    image: Option<Fs2Image<'a>>,
    errors: usize,
}

impl<'a> Reading<'a> {
    fn new(view: View<'a>, _chunk: usize) -> Self {
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
        let mut end = super::HEADER_BYTES;
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
                    std::cmp::Ordering::Greater => ControlFlow::Break(FileShape::Contiguous),
                    std::cmp::Ordering::Less => ControlFlow::Break(FileShape::Striped),
                    std::cmp::Ordering::Equal => ControlFlow::Continue(()),
                };
            }
            _ => {}
        }
        let score = |reading: &Self| (reading.right_behind(chunk), reading.sections());
        match score(self).cmp(&score(stripes)) {
            std::cmp::Ordering::Greater => ControlFlow::Break(FileShape::Contiguous),
            std::cmp::Ordering::Less => ControlFlow::Break(FileShape::Striped),
            std::cmp::Ordering::Equal => ControlFlow::Continue(()),
        }
    }
}

/// Whether a file starts with an FS2 image.
#[must_use]
pub fn is_fs2(bytes: &[u8]) -> bool {
    bytes.starts_with(&FIRMWARE_MAGIC) && generation(bytes, 0) == Some(0)
}
