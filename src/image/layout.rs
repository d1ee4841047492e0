//! An image as a row of pieces: how a tree becomes bytes again.
//!
//! Every byte of a file belongs to a field, to a section or to a named gap; the
//! pieces lie one behind the other, so that there is no room for a byte that
//! nobody claims. Fields are encoded anew from the tree's values, which is what
//! makes a byte-identical result say something.

use std::borrow::Cow;
use std::io;

/// What the bytes of a piece are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PieceKind {
    /// Encoded from values of the tree.
    Field,
    /// Contents that the format carries and does not look into.
    Section,
    /// Between the parts of the format: padding, unused flash, old contents.
    Gap,
}

/// One piece.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Piece<'a> {
    /// Where in the structure, spelled as in [`Finding::path`](super::Finding::path).
    pub path: String,
    /// What it is.
    pub kind: PieceKind,
    /// Its bytes.
    pub bytes: Cow<'a, [u8]>,
}

/// Where a piece lies in the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Region {
    /// Its path.
    pub path: String,
    /// What it is.
    pub kind: PieceKind,
    /// First byte in the file.
    pub offset: u64,
    /// Number of bytes.
    pub length: u64,
}

/// The pieces of a file, in its order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Layout<'a> {
    pieces: Vec<Piece<'a>>,
}

impl<'a> Layout<'a> {
    /// Nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds bytes that were encoded from the tree.
    pub fn field(&mut self, path: impl Into<String>, bytes: Vec<u8>) {
        self.push(path, PieceKind::Field, bytes);
    }

    /// Adds the contents of a section.
    pub fn section(&mut self, path: impl Into<String>, bytes: impl Into<Cow<'a, [u8]>>) {
        self.push(path, PieceKind::Section, bytes);
    }

    /// Adds what lies between two parts.
    pub fn gap(&mut self, path: impl Into<String>, bytes: impl Into<Cow<'a, [u8]>>) {
        self.push(path, PieceKind::Gap, bytes);
    }

    /// Adds a piece; one without bytes is left out.
    pub fn push(
        &mut self,
        path: impl Into<String>,
        kind: PieceKind,
        bytes: impl Into<Cow<'a, [u8]>>,
    ) {
        let bytes = bytes.into();
        if !bytes.is_empty() {
            self.pieces.push(Piece {
                path: path.into(),
                kind,
                bytes,
            });
        }
    }

    /// Adds all pieces of another layout, below `path`.
    pub fn append(&mut self, path: &str, inner: Layout<'a>) {
        self.pieces
            .extend(inner.pieces.into_iter().map(|piece| Piece {
                path: format!("{path}/{}", piece.path),
                ..piece
            }));
    }

    /// The pieces, in file order.
    #[must_use]
    pub fn pieces(&self) -> &[Piece<'a>] {
        &self.pieces
    }

    /// The pieces themselves.
    #[must_use]
    pub fn into_pieces(self) -> Vec<Piece<'a>> {
        self.pieces
    }

    /// Bytes of the whole file.
    #[must_use]
    pub fn length(&self) -> u64 {
        self.pieces
            .iter()
            .map(|piece| piece.bytes.len() as u64)
            .sum()
    }

    /// Where every piece lies.
    #[must_use]
    pub fn regions(&self) -> Vec<Region> {
        let mut offset = 0;
        self.pieces
            .iter()
            .map(|piece| {
                let length = piece.bytes.len() as u64;
                let region = Region {
                    path: piece.path.clone(),
                    kind: piece.kind,
                    offset,
                    length,
                };
                offset += length;
                region
            })
            .collect()
    }

    /// The file.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let length = self.pieces.iter().map(|piece| piece.bytes.len()).sum();
        let mut bytes = Vec::with_capacity(length);
        for piece in &self.pieces {
            bytes.extend_from_slice(&piece.bytes);
        }
        bytes
    }

    /// Writes the file without putting it together in memory.
    ///
    /// # Errors
    /// What the writer says.
    pub fn write_to(&self, to: &mut impl io::Write) -> io::Result<()> {
        self.pieces
            .iter()
            .try_for_each(|piece| to.write_all(&piece.bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_tile_the_file() {
        let mut inner = Layout::new();
        inner.field("header", vec![1, 2]);
        inner.gap("nothing", &[][..]);
        let mut layout = Layout::new();
        layout.gap("before", &[0xff; 3][..]);
        layout.append("slot0", inner);
        layout.section("data", &[7; 4][..]);

        assert_eq!(layout.to_bytes(), [0xff, 0xff, 0xff, 1, 2, 7, 7, 7, 7]);
        assert_eq!(layout.length(), 9);
        let places: Vec<_> = layout
            .regions()
            .into_iter()
            .map(|region| (region.path, region.offset, region.length))
            .collect();
        assert_eq!(
            places,
            [
                ("before".to_owned(), 0, 3),
                ("slot0/header".to_owned(), 3, 2),
                ("data".to_owned(), 5, 4)
            ]
        );
        let mut written = Vec::new();
        layout.write_to(&mut written).unwrap();
        assert_eq!(written, layout.to_bytes());
    }
}
