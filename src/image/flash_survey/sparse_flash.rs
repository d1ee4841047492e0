//! A flash of which some bytes are known.

use std::ops::Range;

/// As large as a flash; what was not read is FF, as if it were erased.
#[derive(Clone, Debug)]
pub(in crate::image) struct SparseFlash {
    bytes: Vec<u8>,
    /// What was read: in order, apart from each other.
    known: Vec<Range<u32>>,
}

impl SparseFlash {
    pub(super) fn new(length: u32) -> Self {
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        Self {
            bytes: vec![0xff; length],
            known: Vec::new(),
        }
    }

    /// One that is all known.
    pub(super) fn of(bytes: Vec<u8>) -> Self {
        let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        Self {
            bytes,
            known: std::iter::once(0..length).collect(),
        }
    }

    /// All of it, FF where it is not known.
    pub(in crate::image) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    pub(super) fn length(&self) -> u32 {
        u32::try_from(self.bytes.len()).unwrap_or(u32::MAX)
    }

    /// How many bytes are known.
    pub(super) fn known_bytes(&self) -> u64 {
        self.known
            .iter()
            .map(|range| u64::from(range.end - range.start))
            .sum()
    }

    /// The bytes of a range; `None` unless all of them are known.
    pub(super) fn get(&self, range: Range<u32>) -> Option<&[u8]> {
        let inside = |known: &&Range<u32>| known.start <= range.start && range.end <= known.end;
        (range.is_empty() || self.known.iter().any(|known| inside(&known)))
            .then(|| self.bytes.get(in_memory(&range)))
            .flatten()
    }

    /// What is not known of a range, as far as the flash goes.
    pub(super) fn missing(&self, range: &Range<u32>) -> Vec<Range<u32>> {
        let end = range.end.min(self.length());
        let mut at = range.start;
        let mut missing = Vec::new();
        for known in &self.known {
            if known.end <= at {
                continue;
            }
            if known.start >= end {
                break;
            }
            if at < known.start {
                missing.push(at..known.start);
            }
            at = known.end;
        }
        if at < end {
            missing.push(at..end);
        }
        missing
    }

    /// The bytes of a range, to be filled; afterwards they are known.
    pub(super) fn learn(&mut self, range: Range<u32>) -> Option<&mut [u8]> {
        if range.is_empty() || range.end > self.length() {
            return None;
        }
        let mut merged = range.clone();
        self.known.retain(|known| {
            let touches = known.start <= merged.end && merged.start <= known.end;
            if touches {
                merged = known.start.min(merged.start)..known.end.max(merged.end);
            }
            !touches
        });
        let place = self
            .known
            .partition_point(|known| known.start < merged.start);
        self.known.insert(place, merged);
        self.bytes.get_mut(in_memory(&range))
    }
}

pub(super) fn in_memory(range: &Range<u32>) -> Range<usize> {
    let narrow = |at: u32| usize::try_from(at).unwrap_or(usize::MAX);
    narrow(range.start)..narrow(range.end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_read_is_known_once_and_in_order() {
        let mut flash = SparseFlash::new(0x100);
        for range in [0x40..0x50, 0x10..0x20, 0x50..0x60, 0x18..0x44] {
            flash.learn(range.clone()).unwrap().fill(1);
            assert_eq!(flash.missing(&range), []);
        }
        assert_eq!(flash.known.len(), 1);
        assert_eq!(flash.known[0], 0x10..0x60);
        assert_eq!(flash.known_bytes(), 0x50);
        assert_eq!(flash.missing(&(0..0x80)), [0..0x10, 0x60..0x80]);
        assert_eq!(flash.missing(&(0xf0..0x200)).first(), Some(&(0xf0..0x100)));
        assert_eq!(flash.missing(&(0x200..0x300)), []);
        assert_eq!(flash.get(0x10..0x12), Some(&[1, 1][..]));
        assert_eq!(flash.get(0xf..0x12), None);
        assert!(flash.learn(0xf0..0x101).is_none());
    }
}
