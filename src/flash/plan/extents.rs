//! Bytes of a flash in pieces.

use std::ops::Range;

use super::{PlanError, Reader};

/// How much is read at once.
const READ_BYTES: usize = 0x1_0000;

/// Some of a flash's bytes: pieces in ascending order that do not touch each
/// other. Each is whole sectors.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::flash) struct Extents {
    pieces: Vec<Extent>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Extent {
    start: u32,
    bytes: Vec<u8>,
}

impl Extent {
    fn end(&self) -> u32 {
        self.start.saturating_add(len_of(&self.bytes))
    }
}

/// A length as the flash counts; no flash is larger than that.
pub(in crate::flash) fn len_of(bytes: &[u8]) -> u32 {
    u32::try_from(bytes.len()).unwrap_or(u32::MAX)
}

/// An address or a length as memory counts.
pub(in crate::flash) fn index(value: u32) -> usize {
    usize::try_from(value).unwrap_or(usize::MAX)
}

impl Extents {
    /// Reads the sectors that have a byte of these ranges.
    pub(in crate::flash) fn read(
        ranges: impl IntoIterator<Item = Range<u32>>,
        sector: u32,
        flash_bytes: u32,
        read: &mut Reader<'_>,
    ) -> Result<Self, PlanError> {
        let mut wide = Vec::new();
        for range in ranges.into_iter().filter(|range| !range.is_empty()) {
            let end = u64::from(range.end).next_multiple_of(u64::from(sector.max(1)));
            if end > u64::from(flash_bytes) {
                return Err(PlanError::OutsideOfFlash {
                    start: range.start,
                    end: range.end.into(),
                    flash: flash_bytes,
                });
            }
            let start = range.start - range.start % sector.max(1);
            wide.push(start..u32::try_from(end).unwrap_or(flash_bytes));
        }
        wide.sort_by_key(|range| range.start);
        let mut merged: Vec<Range<u32>> = Vec::new();
        for range in wide {
            match merged.last_mut() {
                Some(last) if range.start <= last.end => last.end = last.end.max(range.end),
                _ => merged.push(range),
            }
        }
        let mut pieces = Vec::new();
        for range in merged {
            let mut bytes = vec![0; index(range.end - range.start)];
            let mut at = range.start;
            for part in bytes.chunks_mut(READ_BYTES) {
                read(at, part)?;
                at = at.saturating_add(len_of(part));
            }
            pieces.push(Extent {
                start: range.start,
                bytes,
            });
        }
        Ok(Self { pieces })
    }

    /// The bytes of a range; `None` where they are not all in here.
    pub(in crate::flash) fn get(&self, range: Range<u32>) -> Option<&[u8]> {
        let piece = self.piece(range.start)?;
        let from = index(range.start.checked_sub(piece.start)?);
        piece
            .bytes
            .get(from..from.checked_add(index(range.end.checked_sub(range.start)?))?)
    }

    /// The same, to change them.
    pub(in crate::flash) fn get_mut(&mut self, range: Range<u32>) -> Option<&mut [u8]> {
        let after = self
            .pieces
            .partition_point(|piece| piece.start <= range.start);
        let piece = self.pieces.get_mut(after.checked_sub(1)?)?;
        let from = index(range.start.checked_sub(piece.start)?);
        piece
            .bytes
            .get_mut(from..from.checked_add(index(range.end.checked_sub(range.start)?))?)
    }

    fn piece(&self, at: u32) -> Option<&Extent> {
        let after = self.pieces.partition_point(|piece| piece.start <= at);
        self.pieces.get(after.checked_sub(1)?)
    }

    /// Whether all bytes of a range are in here.
    pub(in crate::flash) fn has(&self, range: Range<u32>) -> bool {
        self.get(range).is_some()
    }

    /// The pieces.
    pub(in crate::flash) fn iter(&self) -> impl Iterator<Item = (Range<u32>, &[u8])> {
        self.pieces
            .iter()
            .map(|piece| (piece.start..piece.end(), piece.bytes.as_slice()))
    }

    /// How many bytes are in here.
    pub(in crate::flash) fn len(&self) -> u64 {
        self.pieces
            .iter()
            .map(|piece| piece.bytes.len() as u64)
            .sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_become_whole_sectors_and_neighbours_become_one() {
        let mut asked = Vec::new();
        let extents = Extents::read(
            [0x2010..0x2020, 0x10..0x1001, 0x5000..0x6000, 0x7..0x7],
            0x1000,
            0x8000,
            &mut |at, data| {
                asked.push((at, data.len()));
                data.fill(0xab);
                Ok(())
            },
        )
        .unwrap();
        assert_eq!(asked, [(0, 0x3000), (0x5000, 0x1000)]);
        assert_eq!(extents.len(), 0x4000);
        assert!(extents.has(0x2ff0..0x3000) && !extents.has(0x2ff0..0x3001));
        assert!(!extents.has(0x4000..0x4001) && extents.has(0x5fff..0x6000));
    }

    #[test]
    fn what_is_behind_the_chip_is_refused() {
        let ranges = std::iter::once(0x7fff..0x8001);
        let found = Extents::read(ranges, 0x1000, 0x8000, &mut |_, _| Ok(()));
        assert!(matches!(
            found,
            Err(PlanError::OutsideOfFlash { end: 0x8001, .. })
        ));
    }
}
