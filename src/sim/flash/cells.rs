//! The cells of a flash chip. What is erased costs nothing, copies share what
//! they have in common.

use std::sync::Arc;

/// How many bytes are shared or copied at once.
const PIECE: usize = 0x1000;

type Piece = [u8; PIECE];

/// The bytes of a flash chip; erased ones are FF.
#[derive(Clone, Debug)]
pub(crate) struct Cells {
    /// `None` where a whole piece is erased.
    pieces: Vec<Option<Arc<Piece>>>,
    /// Grows with every change.
    version: u64,
}

/// What a flash held at some moment; cheap to keep.
#[derive(Clone, Debug)]
pub struct FlashSnapshot(pub(crate) Cells);

impl FlashSnapshot {
    /// All bytes.
    #[must_use]
    pub fn to_vec(&self) -> Vec<u8> {
        self.0.to_vec()
    }
}

impl Cells {
    /// A chip of that many bytes, a multiple of 4 KiB, with nothing on it.
    pub(crate) fn erased(bytes: u32) -> Self {
        Self {
            pieces: vec![None; bytes as usize / PIECE],
            version: 0,
        }
    }

    /// A chip that holds these bytes.
    pub(crate) fn of(bytes: &[u8]) -> Self {
        let pieces = bytes.chunks_exact(PIECE).map(|chunk| {
            let whole: &Piece = chunk.first_chunk()?;
            (!is_erased(whole)).then(|| Arc::new(*whole))
        });
        Self {
            pieces: pieces.collect(),
            version: 0,
        }
    }

    /// How many bytes there are.
    pub(crate) fn size(&self) -> u32 {
        u32::try_from(self.pieces.len() * PIECE).unwrap_or(u32::MAX)
    }

    /// Grows with every change; equal means nothing was changed between.
    pub(crate) fn version(&self) -> u64 {
        self.version
    }

    /// Reads from an address on; behind the end comes the beginning.
    pub(crate) fn read(&self, at: u32, data: &mut [u8]) {
        let mut at = at as usize;
        let mut rest = data;
        while !rest.is_empty() {
            at %= (self.pieces.len() * PIECE).max(1);
            let inside = at % PIECE;
            let (now, later) = rest.split_at_mut(rest.len().min(PIECE - inside));
            match self.pieces.get(at / PIECE) {
                Some(Some(piece)) => now.copy_from_slice(&piece[inside..inside + now.len()]),
                _ => now.fill(0xff),
            }
            at += now.len();
            rest = later;
        }
    }

    /// Some bytes; `None` when they do not all exist.
    pub(crate) fn get(&self, at: u32, length: u32) -> Option<Vec<u8>> {
        at.checked_add(length).filter(|end| *end <= self.size())?;
        let mut data = vec![0; length as usize];
        self.read(at, &mut data);
        Some(data)
    }

    /// All bytes.
    pub(crate) fn to_vec(&self) -> Vec<u8> {
        let mut bytes = vec![0xff; self.pieces.len() * PIECE];
        for (chunk, piece) in bytes.chunks_exact_mut(PIECE).zip(&self.pieces) {
            if let Some(piece) = piece {
                chunk.copy_from_slice(&piece[..]);
            }
        }
        bytes
    }

    /// Whether the 4 KiB from an address on are all erased, without looking into
    /// those that are not.
    pub(crate) fn piece_is_erased(&self, at: u32) -> bool {
        matches!(self.pieces.get(at as usize / PIECE), Some(None))
    }

    /// Stores bytes as they are, bits in either direction.
    pub(crate) fn put(&mut self, at: u32, data: &[u8]) {
        self.version += 1;
        let mut at = at as usize;
        let mut rest = data;
        while !rest.is_empty() {
            let inside = at % PIECE;
            let (now, later) = rest.split_at(rest.len().min(PIECE - inside));
            if let Some(piece) = self.pieces.get_mut(at / PIECE) {
                if now.len() == PIECE && now.iter().all(|byte| *byte == 0xff) {
                    *piece = None;
                } else {
                    let piece = piece.get_or_insert_with(|| Arc::new([0xff; PIECE]));
                    Arc::make_mut(piece)[inside..inside + now.len()].copy_from_slice(now);
                }
            }
            at += now.len();
            rest = later;
        }
    }

    /// Takes over what another chip of the same size holds; a change all the same.
    pub(crate) fn replace(&mut self, other: &Self) {
        self.pieces.clone_from(&other.pieces);
        self.version += 1;
    }
}

fn is_erased(piece: &Piece) -> bool {
    piece.iter().all(|byte| *byte == 0xff)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_put_is_read_across_pieces_and_the_end() {
        let mut cells = Cells::erased(0x4000);
        cells.put(0xffe, &[1, 2, 3, 4]);
        cells.put(0x3fff, &[9]);
        let mut data = [0; 6];
        cells.read(0xffd, &mut data);
        assert_eq!(data, [0xff, 1, 2, 3, 4, 0xff]);
        cells.read(0x3fff, &mut data);
        assert_eq!(data, [9, 0xff, 0xff, 0xff, 0xff, 0xff]);
        assert_eq!(Cells::of(&cells.to_vec()).to_vec(), cells.to_vec());
        assert_eq!(cells.get(0x3ffe, 3), None);
    }

    #[test]
    fn a_copy_does_not_change_with_the_original() {
        let mut cells = Cells::erased(0x2000);
        cells.put(0, &[1]);
        let copy = cells.clone();
        cells.put(0, &[2]);
        assert_ne!(cells.version(), copy.version());
        assert_eq!((copy.to_vec()[0], cells.to_vec()[0]), (1, 2));
        cells.put(0, &[0xff; 0x1000]);
        assert!(cells.piece_is_erased(0));
    }
}
