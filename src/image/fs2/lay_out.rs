//! A file made of its tree again.

use std::borrow::Cow;
use std::collections::VecDeque;

use super::image::slot_path;
use super::{Contents, Fs2File, Fs2Image, Section, Stretch};
use crate::image::{Layout, Piece};

impl<'a> Fs2File<'a> {
    /// The pieces of the file, in its order. Of a striped file, a part that lies
    /// in several chunks is several pieces of one name.
    #[must_use]
    pub fn layout(&self) -> Layout<'a> {
        let mut halves = self.halves.iter().enumerate().map(|(slot, half)| {
            let mut layout = Layout::new();
            if let Some(image) = &half.image {
                layout.append(&slot_path(slot), image.layout());
            }
            gap(
                &mut layout,
                &format!("{}/unused", slot_path(slot)),
                &half.rest,
            );
            layout
        });
        let chunk = self.halves.iter().find_map(|half| half.stripes);
        match (halves.next(), halves.next(), chunk) {
            (Some(even), Some(odd), Some(stripes)) => interleave(even, odd, stripes.chunk()),
            (Some(only), ..) => only,
            (None, ..) => Layout::new(),
        }
    }
}

impl<'a> Fs2Image<'a> {
    /// The pieces of the image, by its own addresses.
    pub(in crate::image) fn layout(&self) -> Layout<'a> {
        let mut layout = Layout::new();
        layout.field("header", self.header.encode());
        for (block, name) in self.boot2.iter().zip(["BOOT2", "BOOT2[1]"]) {
            block.lay_out(name, &mut layout);
        }
        let mut gaps = self.gaps.iter().peekable();
        for section in self.by_address() {
            if let Some((_, bytes)) = gaps.next_if(|(at, _)| *at < section.address) {
                gap(&mut layout, "gap", bytes);
            }
            section.lay_out(&mut layout);
        }
        layout
    }
}

impl<'a> Section<'a> {
    fn lay_out(&self, layout: &mut Layout<'a>) {
        let path = self.path();
        layout.field(format!("{path}/header"), self.header());
        match &self.contents {
            Contents::Bytes(bytes) => {
                for part in bytes.parts() {
                    layout.section(format!("{path}/data"), *part);
                }
            }
            Contents::Info(info) => {
                for tag in &info.tags {
                    layout.field(format!("{path}/{}", tag.name()), tag.encode());
                }
                layout.gap(format!("{path}/rest"), info.rest.clone());
            }
            Contents::Guids(_) => {
                layout.field(format!("{path}/guids"), self.data().into_owned());
            }
        }
        layout.field(format!("{path}/crc"), self.crc.to_be_bytes().to_vec());
    }
}

fn gap<'a>(layout: &mut Layout<'a>, path: &str, bytes: &Stretch<'a>) {
    for part in bytes.parts() {
        layout.gap(path, *part);
    }
}

/// Takes a chunk of one and a chunk of the other, by turns.
fn interleave<'a>(even: Layout<'a>, odd: Layout<'a>, chunk: usize) -> Layout<'a> {
    let mut halves = [even, odd].map(|half| VecDeque::from(half.into_pieces()));
    let mut layout = Layout::new();
    while halves.iter().any(|half| !half.is_empty()) {
        for half in &mut halves {
            let mut wanted = chunk;
            while wanted > 0
                && let Some(piece) = half.pop_front()
            {
                let (taken, left) = split(piece, wanted);
                wanted -= taken.bytes.len();
                layout.push(taken.path, taken.kind, taken.bytes);
                if let Some(left) = left {
                    half.push_front(left);
                }
            }
        }
    }
    layout
}

/// A piece of at most so many bytes, and what is left of it.
fn split(piece: Piece<'_>, most: usize) -> (Piece<'_>, Option<Piece<'_>>) {
    if piece.bytes.len() <= most {
        return (piece, None);
    }
    let (first, second) = match piece.bytes {
        Cow::Borrowed(bytes) => {
            let (first, second) = bytes.split_at(most);
            (Cow::Borrowed(first), Cow::Borrowed(second))
        }
        Cow::Owned(mut bytes) => {
            let second = bytes.split_off(most);
            (Cow::Owned(bytes), Cow::Owned(second))
        }
    };
    let with = |bytes| Piece {
        path: piece.path.clone(),
        kind: piece.kind,
        bytes,
    };
    (with(first), Some(with(second)))
}
