//! What is where in a flash.

use std::ops::Range;

use crate::flash::Region;
use crate::image::SlotPlace;

/// Who knows whether an image is whole.
pub trait Bootable {
    /// The whole image at a place of a flash, by its own addresses, its magic in
    /// the first 16 bytes; `None` where there is none that boots.
    fn image_at(&self, flash: &[u8], place: SlotPlace) -> Option<Vec<u8>>;
}

/// A slot and its size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SlotExtent {
    /// Where it is.
    pub place: SlotPlace,
    /// How many bytes it has, by its own addresses. Device data may lie in it.
    pub bytes: u32,
}

/// Data of the one card: GUIDs and MACs, VPD, settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceData {
    /// Where, and what.
    pub region: Region,
    /// Whether the card has it and it is sound. What is not is taken from a
    /// backup of the same board.
    pub sound: bool,
}

/// Where a card's flash has its slots and its own data.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FlashMap {
    /// The slots: two, or one.
    pub slots: Vec<SlotExtent>,
    /// The card's own data.
    pub device_data: Vec<DeviceData>,
}

impl SlotExtent {
    /// Its bytes in the flash.
    pub(super) fn ranges(self) -> Vec<Range<u32>> {
        let own = self.place.pieces(0..self.bytes).into_iter();
        own.map(|(at, range)| at..at.saturating_add(range.end - range.start))
            .collect()
    }
}

/// A part of some ranges, without what is in others.
pub(super) fn without(
    ranges: impl IntoIterator<Item = Range<u32>>,
    others: &[Range<u32>],
) -> Vec<Range<u32>> {
    let mut left: Vec<_> = ranges.into_iter().collect();
    for other in others {
        left = left
            .into_iter()
            .flat_map(|range| {
                let before = range.start..range.end.min(other.start);
                let behind = range.start.max(other.end)..range.end;
                if other.is_empty() {
                    [range, 0..0]
                } else {
                    [before, behind]
                }
            })
            .filter(|range| !range.is_empty())
            .collect();
    }
    left
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[allow(clippy::single_range_in_vec_init)]
    fn a_part_can_be_taken_out_of_ranges() {
        assert_eq!(without([0..10], &[3..5]), [0..3, 5..10]);
        assert_eq!(without([0..10, 20..30], &[8..22]), [0..8, 22..30]);
        assert_eq!(without([0..10], &[0..10]), []);
        assert_eq!(without([5..10], &[0..2, 20..30, 7..7]), [5..10]);
    }
}
