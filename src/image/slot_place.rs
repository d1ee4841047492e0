//! Where an image stands in a flash, and an image made ready for such a place.

use std::ops::Range;

use super::fs2::Stripes;

/// A place for an image in a flash: its start, and the stripes where the format
/// cuts the flash into such.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SlotPlace {
    /// Which slot it is: 0 or 1.
    pub slot: usize,
    /// Physical address of the image's first byte.
    pub start: u32,
    /// FS2 only: the chunks that it has. Absent: its bytes lie in one piece.
    pub stripes: Option<Stripes>,
}

impl SlotPlace {
    /// The physical pieces of a range of the image's own bytes, in their order:
    /// where each starts in the flash, and which of the image's bytes it holds.
    #[must_use]
    pub fn pieces(&self, range: Range<u32>) -> Vec<(u32, Range<u32>)> {
        let Some(stripes) = self.stripes else {
            return vec![(self.start.saturating_add(range.start), range)];
        };
        let chunk = u32::try_from(stripes.chunk()).unwrap_or(u32::MAX);
        let mut pieces = Vec::new();
        let mut at = range.start;
        while at < range.end {
            let end = (at | (chunk - 1)).saturating_add(1).min(range.end);
            let physical = u32::try_from(stripes.physical(u64::from(at))).unwrap_or(u32::MAX);
            pieces.push((physical, at..end));
            at = end;
        }
        pieces
    }
}

/// An image as it must stand in one slot of one card's flash: the card's own
/// data are in it already.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReadyImage {
    /// Where it goes.
    pub place: SlotPlace,
    /// Its bytes by its own addresses; the magic is in the first 16.
    pub bytes: Vec<u8>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_striped_image_has_every_second_chunk() {
        let place = |odd| SlotPlace {
            slot: usize::from(odd),
            start: if odd { 0x1_0000 } else { 0 },
            stripes: Stripes::new(16, odd),
        };
        assert_eq!(
            place(false).pieces(0xfff0..0x2_0010),
            [
                (0xfff0, 0xfff0..0x1_0000),
                (0x2_0000, 0x1_0000..0x2_0000),
                (0x4_0000, 0x2_0000..0x2_0010)
            ]
        );
        assert_eq!(
            place(true).pieces(0..0x1_0010),
            [(0x1_0000, 0..0x1_0000), (0x3_0000, 0x1_0000..0x1_0010)]
        );
    }

    #[test]
    fn a_whole_image_lies_behind_its_start() {
        let place = SlotPlace {
            slot: 1,
            start: 0x40_0000,
            stripes: None,
        };
        assert_eq!(place.pieces(0x10..0x20), [(0x40_0010, 0x10..0x20)]);
    }
}
