//! The tree of an FS3 file as a row of pieces.
//!
//! Parts that overlap (two images share their device data; in a damaged file
//! anything may) are cut, so that every byte belongs to one piece: fields before
//! sections, sections before spare tables of contents.

use std::borrow::Cow;
use std::ops::Range;

use crate::image::boot2::BOOT2_OFFSET;
use crate::image::{Layout, PieceKind};

use super::itoc::ITOC_SECTOR_BYTES;
use super::mosaic::Mosaic;
use super::{Fs3File, Fs3Image, Itoc};

/// A piece before it is cut.
struct Part<'a> {
    path: String,
    kind: PieceKind,
    bytes: Cow<'a, [u8]>,
}

impl<'a> Fs3File<'a> {
    /// The file as pieces.
    #[must_use]
    pub fn layout(&self) -> Layout<'a> {
        let mut mosaic = Mosaic::new();
        // The first image has the say in what both claim, so it comes last.
        for image in self.images.iter().rev() {
            lay_gaps(image, &mut mosaic, self.bytes);
        }
        for image in self.images.iter().rev() {
            lay_spares(image, &mut mosaic);
        }
        for image in self.images.iter().rev() {
            lay_sections(image, &mut mosaic);
        }
        for image in self.images.iter().rev() {
            lay_fields(image, &mut mosaic);
        }
        let mut layout = Layout::new();
        for visible in mosaic.visible(0..self.bytes.len() as u64) {
            match visible.top {
                Some((start, part)) => {
                    let bytes = cut(&part.bytes, start, &visible.range);
                    layout.push(&part.path, part.kind, bytes);
                }
                None => layout.gap(
                    "unused",
                    self.bytes
                        .get(in_memory(&visible.range))
                        .unwrap_or_default(),
                ),
            }
        }
        layout
    }
}

fn in_memory(range: &Range<u64>) -> Range<usize> {
    let narrow = |at| usize::try_from(at).unwrap_or(usize::MAX);
    narrow(range.start)..narrow(range.end)
}

/// The part of some bytes that start at `start` which is in a range.
fn cut<'a>(bytes: &Cow<'a, [u8]>, start: u64, range: &Range<u64>) -> Cow<'a, [u8]> {
    let inside = in_memory(&(range.start.saturating_sub(start)..range.end.saturating_sub(start)));
    match bytes {
        Cow::Borrowed(bytes) => Cow::Borrowed(bytes.get(inside).unwrap_or_default()),
        Cow::Owned(bytes) => Cow::Owned(bytes.get(inside).unwrap_or_default().to_vec()),
    }
}

fn lay<'a>(
    mosaic: &mut Mosaic<Part<'a>>,
    start: u64,
    path: String,
    kind: PieceKind,
    bytes: impl Into<Cow<'a, [u8]>>,
) {
    let bytes = bytes.into();
    let end = start.saturating_add(bytes.len() as u64);
    mosaic.lay(start..end, Part { path, kind, bytes });
}

/// The image as a whole, and the ends of sectors.
fn lay_gaps<'a>(image: &Fs3Image<'a>, mosaic: &mut Mosaic<Part<'a>>, file: &'a [u8]) {
    let mut gap = |name: &str, from: usize, to: usize| {
        let bytes = file.get(from..to.min(file.len())).unwrap_or_default();
        lay(mosaic, from as u64, image.path(name), PieceKind::Gap, bytes);
    };
    let start = image.start;
    let size = usize::try_from(image.size()).unwrap_or(usize::MAX);
    gap("gap", start, start.saturating_add(size));
    if let (Some(boot2), Some(itoc)) = (&image.boot2, &image.itoc) {
        let boot2_end = start + BOOT2_OFFSET + boot2.length();
        let itoc_at = start + itoc.address;
        gap("BOOT2/padding", boot2_end, itoc_at);
        gap(
            "ITOC/padding",
            itoc_at + itoc.length(),
            itoc_at + ITOC_SECTOR_BYTES,
        );
    }
}

fn lay_spares<'a>(image: &Fs3Image<'a>, mosaic: &mut Mosaic<Part<'a>>) {
    for itoc in &image.spares {
        lay_itoc(image, itoc, "spare ITOC", mosaic);
    }
}

fn lay_sections<'a>(image: &Fs3Image<'a>, mosaic: &mut Mosaic<Part<'a>>) {
    for section in image.sections.iter().rev() {
        lay(
            mosaic,
            section.offset,
            image.path(&section.name),
            PieceKind::Section,
            section.bytes.unwrap_or_default(),
        );
    }
}

fn lay_fields<'a>(image: &Fs3Image<'a>, mosaic: &mut Mosaic<Part<'a>>) {
    if let Some(itoc) = &image.itoc {
        lay_itoc(image, itoc, "ITOC", mosaic);
    }
    if let Some(boot2) = &image.boot2 {
        let mut pieces = Layout::new();
        boot2.lay_out(&image.path("BOOT2"), &mut pieces);
        let mut at = (image.start + BOOT2_OFFSET) as u64;
        for piece in pieces.into_pieces() {
            let length = piece.bytes.len() as u64;
            lay(mosaic, at, piece.path, piece.kind, piece.bytes);
            at += length;
        }
    }
    lay(
        mosaic,
        image.start as u64,
        image.path("header"),
        PieceKind::Field,
        image.header.to_bytes(),
    );
}

fn lay_itoc<'a>(image: &Fs3Image<'a>, itoc: &Itoc, name: &str, mosaic: &mut Mosaic<Part<'a>>) {
    let base = image.start;
    let mut field = |at: usize, path: String, bytes: Vec<u8>| {
        lay(mosaic, (base + at) as u64, path, PieceKind::Field, bytes);
    };
    field(
        itoc.address,
        image.path(&format!("{name}/header")),
        itoc.header.to_bytes(),
    );
    for (number, entry) in itoc.entries.iter().chain(&itoc.end).enumerate() {
        let path = image.path(&format!("{name}/{}", entry.section_type().spelled()));
        field(itoc.entry_address(number), path, entry.to_bytes());
    }
}
