//! Where the bytes of an image lie in a flash that holds two.
//!
//! A failsafe flash is cut into chunks of one size. One image has the even
//! chunks, the other the odd ones, so that each starts at an address where the
//! hardware looks for it: 0 and the chunk size.
//!
//! | bits of the physical address | of the image's own address |
//! |---|---|
//! | below log2 of the chunk size | the same |
//! | log2 of the chunk size | 0 in the even image, 1 in the odd one |
//! | above | the bits from log2 on, shifted up by one |
//!
//! # Sources
//! mstflint 4.21, mlxfwops/lib/flint_io.cpp (`FBase::cont2phys`) and fs2_ops.cpp
//! (`Fs2Operations::CntxGetFsData`, `packStripedImageData`).

use super::Stretch;

/// Which chunks of a flash an image has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Stripes {
    log2_chunk: u8,
    odd: bool,
}

/// Chunk sizes that a header can name, as powers of two.
const LOG2_CHUNKS: std::ops::RangeInclusive<u8> = 16..=23;

impl Stripes {
    /// The even or odd chunks of this size; `None` for a size that no header
    /// can name.
    #[must_use]
    pub fn new(log2_chunk: u8, odd: bool) -> Option<Self> {
        LOG2_CHUNKS
            .contains(&log2_chunk)
            .then_some(Self { log2_chunk, odd })
    }

    /// Bytes of a chunk.
    #[must_use]
    pub fn chunk(self) -> usize {
        1 << self.log2_chunk
    }

    /// Where a byte of the image lies in the flash.
    #[must_use]
    pub fn physical(self, address: u64) -> u64 {
        let low = address & ((1 << self.log2_chunk) - 1);
        let rest = address - low;
        low | u64::from(self.odd) << self.log2_chunk | rest.saturating_mul(2)
    }

    /// How many bytes of a file these chunks are.
    #[must_use]
    pub fn length(self, file: usize) -> usize {
        let both = self.chunk() * 2;
        let rest = file % both;
        let in_rest = if self.odd {
            rest.saturating_sub(self.chunk())
        } else {
            rest.min(self.chunk())
        };
        file / both * self.chunk() + in_rest
    }
}

/// A file as an image in it sees it: its own addresses, counted from its start.
#[derive(Clone, Copy, Debug)]
pub(super) struct View<'a> {
    file: &'a [u8],
    stripes: Option<Stripes>,
}

impl<'a> View<'a> {
    pub(super) fn contiguous(file: &'a [u8]) -> Self {
        Self {
            file,
            stripes: None,
        }
    }

    pub(super) fn striped(file: &'a [u8], stripes: Stripes) -> Self {
        Self {
            file,
            stripes: Some(stripes),
        }
    }

    pub(super) fn stripes(self) -> Option<Stripes> {
        self.stripes
    }

    pub(super) fn length(self) -> usize {
        self.stripes
            .map_or(self.file.len(), |stripes| stripes.length(self.file.len()))
    }

    pub(super) fn physical(self, address: usize) -> u64 {
        physical(self.stripes, address)
    }

    /// The bytes from one address up to another; `None` where they are not all
    /// there.
    pub(super) fn get(self, from: usize, to: usize) -> Option<Stretch<'a>> {
        let Some(stripes) = self.stripes else {
            return self.file.get(from..to).map(Stretch::from);
        };
        if from > to || to > self.length() {
            return None;
        }
        let mut stretch = Stretch::default();
        let mut at = from;
        while at < to {
            let chunk_end = (at | (stripes.chunk() - 1)) + 1;
            let end = chunk_end.min(to);
            let start = usize::try_from(stripes.physical(at as u64)).ok()?;
            stretch.push(self.file.get(start..start.checked_add(end - at)?)?);
            at = end;
        }
        Some(stretch)
    }

    /// All from an address on.
    pub(super) fn rest(self, from: usize) -> Stretch<'a> {
        self.get(from, self.length()).unwrap_or_default()
    }

    pub(super) fn dword(self, at: usize) -> Option<u32> {
        self.get(at, at.checked_add(4)?)?.dword(0)
    }
}

pub(super) fn physical(stripes: Option<Stripes>, address: usize) -> u64 {
    let address = address as u64;
    stripes.map_or(address, |stripes| stripes.physical(address))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn even_and_odd_chunks_tile_any_file() {
        let chunk = 1 << 16;
        for length in [0, 1, chunk - 1, chunk, chunk + 1, 2 * chunk, 7 * chunk + 5] {
            let file: Vec<u8> = (0..length)
                .map(|n| u8::try_from(n / 251 % 256).unwrap())
                .collect();
            let halves =
                [false, true].map(|odd| View::striped(&file, Stripes::new(16, odd).unwrap()));
            assert_eq!(halves[0].length() + halves[1].length(), length);
            let mut seen = vec![false; length];
            for view in halves {
                let bytes = view.rest(0).to_cow().into_owned();
                for (address, byte) in bytes.into_iter().enumerate() {
                    let at = usize::try_from(view.physical(address)).unwrap();
                    assert_eq!(file[at], byte);
                    assert!(!std::mem::replace(&mut seen[at], true));
                }
                assert_eq!(view.get(0, view.length() + 1), None);
            }
            assert!(seen.into_iter().all(|seen| seen));
        }
    }

    #[test]
    fn addresses_move_as_in_mstflint() {
        let odd = Stripes::new(19, true).unwrap();
        assert_eq!(odd.physical(0), 0x8_0000);
        assert_eq!(odd.physical(0x8_1234), 0x18_1234);
        let even = Stripes::new(19, false).unwrap();
        assert_eq!(even.physical(0x8_1234), 0x10_1234);
        assert_eq!(Stripes::new(15, false), None);
        assert_eq!(Stripes::new(24, false), None);
    }
}
