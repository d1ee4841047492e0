//! Bytes that lie together in an image, and perhaps not in the file.

use std::borrow::Cow;

use crate::image::checksum::Crc16;

/// Borrowed bytes of a file: one slice of it, or several where a striped dump
/// keeps them in several chunks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stretch<'a> {
    parts: Vec<&'a [u8]>,
}

impl<'a> Stretch<'a> {
    /// The slices, in their order; none is empty.
    #[must_use]
    pub fn parts(&self) -> &[&'a [u8]] {
        &self.parts
    }

    /// Number of bytes.
    #[must_use]
    pub fn len(&self) -> usize {
        self.parts.iter().map(|part| part.len()).sum()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.parts.is_empty()
    }

    /// The bytes in one row: copied only where they lie in several chunks.
    #[must_use]
    pub fn to_cow(&self) -> Cow<'a, [u8]> {
        match self.parts[..] {
            [] => Cow::Borrowed(&[]),
            [one] => Cow::Borrowed(one),
            _ => Cow::Owned(self.parts.concat()),
        }
    }

    /// Some of the bytes; `None` where they are not all there.
    #[must_use]
    pub fn slice(&self, from: usize, to: usize) -> Option<Self> {
        let mut slice = Self::default();
        let mut wanted = to.checked_sub(from)?;
        let mut skip = from;
        for part in &self.parts {
            if skip >= part.len() {
                skip -= part.len();
                continue;
            }
            let end = part.len().min(skip.saturating_add(wanted));
            let taken = part.get(skip..end)?;
            wanted -= taken.len();
            slice.push(taken);
            skip = 0;
        }
        (wanted == 0).then_some(slice)
    }

    /// The big-endian dword at an offset.
    #[must_use]
    pub fn dword(&self, at: usize) -> Option<u32> {
        let bytes = self.slice(at, at.checked_add(4)?)?.to_cow();
        Some(u32::from_be_bytes(*bytes.first_chunk()?))
    }

    /// Big-endian dwords; bytes after the last whole one are left out.
    pub fn dwords(&self) -> impl Iterator<Item = u32> + '_ {
        let mut bytes = self.parts.iter().flat_map(|part| part.iter().copied());
        std::iter::from_fn(move || {
            Some(u32::from_be_bytes([
                bytes.next()?,
                bytes.next()?,
                bytes.next()?,
                bytes.next()?,
            ]))
        })
    }

    pub(super) fn push(&mut self, part: &'a [u8]) {
        if !part.is_empty() {
            self.parts.push(part);
        }
    }

    pub(super) fn add_to(&self, crc: &mut Crc16) {
        self.parts.iter().for_each(|part| crc.update(part));
    }
}

impl<'a> From<&'a [u8]> for Stretch<'a> {
    fn from(bytes: &'a [u8]) -> Self {
        let mut stretch = Self::default();
        stretch.push(bytes);
        stretch
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_look_like_one_row() {
        let mut stretch = Stretch::default();
        stretch.push(&[1, 2, 3]);
        stretch.push(&[]);
        stretch.push(&[4, 5]);
        stretch.push(&[6, 7, 8]);
        assert_eq!(*stretch.to_cow(), [1, 2, 3, 4, 5, 6, 7, 8]);
        assert_eq!(
            stretch.dwords().collect::<Vec<_>>(),
            [0x0102_0304, 0x0506_0708]
        );
        assert_eq!(stretch.dword(2), Some(0x0304_0506));
        assert_eq!(stretch.dword(5), None);
        for from in 0..=8 {
            for to in from..=8 {
                let slice = stretch.slice(from, to).unwrap();
                assert_eq!(*slice.to_cow(), stretch.to_cow()[from..to]);
                assert_eq!(slice.len(), to - from);
            }
        }
        assert_eq!(stretch.slice(4, 9), None);
        assert_eq!(stretch.slice(3, 2), None);
    }
}
