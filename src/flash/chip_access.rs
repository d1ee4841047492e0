//! What every way to the flash offers.

use std::fmt;

use crate::hwdb::FlashChip;
use crate::pci::Bdf;

use super::FlashError;

/// A block that one erase command erases.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Block {
    /// Its first byte in the flash, a multiple of its size.
    pub start: u32,
    /// Its size in bytes: one of the chip's erase commands.
    pub bytes: u32,
}

impl Block {
    /// The first byte behind it.
    #[must_use]
    pub fn end(self) -> u32 {
        self.start.saturating_add(self.bytes)
    }
}

/// A flash that is open: its chip is identified, its locks are held.
///
/// Addresses are bytes of the flash as it is wired (physical: FS2 stripes are
/// still in it). Dropping it gives the locks back; [`Flash::close`] also says
/// whether that worked.
pub trait Flash: Send + fmt::Debug {
    /// The PCI function that it is reached through.
    fn address(&self) -> Bdf;

    /// How the way is called in messages, as in "SPI gateway (CR 0xf0400)".
    fn way(&self) -> &'static str;

    /// The chip.
    fn chip(&self) -> &FlashChip;

    /// Reads `data.len()` bytes from `at`.
    ///
    /// # Errors
    /// [`FlashError`]; `data` is undefined then.
    fn read(&mut self, at: u32, data: &mut [u8]) -> Result<(), FlashError>;

    /// Erases a block to ones and waits until that is done.
    ///
    /// # Errors
    /// [`FlashError`]; the block may be partly erased then.
    fn erase(&mut self, block: Block) -> Result<(), FlashError>;

    /// Programs `data` at `at` and waits until that is done: bits are only
    /// cleared. `at` and the length are multiples of four, `data` stays within
    /// one page.
    ///
    /// # Errors
    /// [`FlashError`]; some of the bytes may be programmed then.
    fn program(&mut self, at: u32, data: &[u8]) -> Result<(), FlashError>;

    /// Which parts of the chip are write protected, in words; `None` when none is.
    ///
    /// # Errors
    /// [`FlashError`] when the status cannot be read.
    fn protection(&mut self) -> Result<Option<String>, FlashError>;

    /// Where the card looks for its firmware after a warm reset; `None` where
    /// this way cannot say it.
    ///
    /// # Errors
    /// [`FlashError`] when the card cannot be reached.
    fn boot_address(&mut self) -> Result<Option<u32>, FlashError>;

    /// Says where the card looks for its firmware after a warm reset.
    ///
    /// # Errors
    /// [`FlashError`] when the card refuses; [`FlashError::is_unsupported`] when
    /// it has no such thing, which a cold boot does without.
    fn set_boot_address(&mut self, start: u32) -> Result<(), FlashError>;

    /// Whether somebody asked to stop. The one who burns stops at the next safe
    /// point.
    fn stop_requested(&self) -> bool;

    /// From here on requests to stop are not heard: for restoring what was there.
    fn undisturbed(&mut self);

    /// Gives the locks back.
    ///
    /// # Errors
    /// [`FlashError`] when the card did not take it.
    fn close(self: Box<Self>) -> Result<(), FlashError>;
}
