//! Reading a flash as far as it must be known.

use std::ops::Range;

use super::sparse_flash::SparseFlash;

/// A read of fewer bytes costs as much: both the SPI gateway and the registers
/// take at least this many at a time.
const STEP: u32 = 16;

/// A flash, and how its bytes are read.
pub(super) struct Reader<F> {
    pub(super) flash: SparseFlash,
    read: F,
}

impl<F> Reader<F> {
    pub(super) fn new(length: u32, read: F) -> Self {
        Self {
            flash: SparseFlash::new(length),
            read,
        }
    }

    /// Reads what is not known of a range. Says whether there was something.
    pub(super) fn know<E>(&mut self, range: &Range<u32>) -> Result<bool, E>
    where
        F: FnMut(u32, &mut [u8]) -> Result<(), E>,
    {
        let mut any = false;
        for missing in self.flash.missing(range) {
            // Round outwards, but not over what is known already.
            let start = missing.start / STEP * STEP;
            let end = missing.end.checked_next_multiple_of(STEP);
            let wide = start..end.unwrap_or(missing.end);
            for part in self.flash.missing(&wide) {
                if let Some(bytes) = self.flash.learn(part.clone()) {
                    (self.read)(part.start, bytes)?;
                    any = true;
                }
            }
        }
        Ok(any)
    }
}
