//! What every way into the card offers: dwords of an address space.

use std::fmt;

use super::{AccessError, Patience};
use crate::pci::Bdf;

/// An address space of the card behind the gateway.
///
/// Source: mstflint 4.21, `mtcr_ul`; the numbers are those of the vendor
/// capability's control register.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Space {
    /// The command interface mailbox of ConnectX-4 (space 3).
    Icmd,
    /// Configuration registers, CR space (space 2). ConnectX-3 has only this one.
    Cr,
    /// Hardware semaphores of ConnectX-4 (space 0xa).
    Semaphore,
}

/// One access of a batch: a dword at a byte address, read or written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Word {
    /// Read the dword; the value is filled in.
    Read {
        /// Byte address, a multiple of four.
        address: u32,
        /// What was read.
        value: u32,
    },
    /// Read the dword, at most `looks` times while one of the bits in `stop_if` is
    /// set; when it stays set, the batch ends here and what comes after it is not
    /// done.
    Gate {
        /// Byte address, a multiple of four.
        address: u32,
        /// Bits that end the batch.
        stop_if: u32,
        /// How often it is looked at.
        looks: u8,
        /// What was read.
        value: u32,
    },
    /// Write the dword.
    Write {
        /// Byte address, a multiple of four.
        address: u32,
        /// What to write.
        value: u32,
    },
}

impl Word {
    /// Looks at a gate: a card that answers at once needs no second hold of its
    /// gateway, and others do not wait long for one that does not.
    const GATE_LOOKS: u8 = 4;

    /// A read whose value is still to come.
    #[must_use]
    pub fn read(address: u32) -> Self {
        Self::Read { address, value: 0 }
    }

    /// A read that ends the batch when one of the bits stays set.
    #[must_use]
    pub fn gate(address: u32, stop_if: u32) -> Self {
        Self::Gate {
            address,
            stop_if,
            looks: Self::GATE_LOOKS,
            value: 0,
        }
    }

    /// A read that ends the batch when one of the bits is set, for what another
    /// look would not change.
    #[must_use]
    pub fn check(address: u32, stop_if: u32) -> Self {
        Self::Gate {
            address,
            stop_if,
            looks: 1,
            value: 0,
        }
    }

    /// Whether this word, now that it was read, ends its batch.
    #[must_use]
    pub fn stops(self) -> bool {
        matches!(self, Self::Gate { stop_if, value, .. } if value & stop_if != 0)
    }

    /// How often it is looked at before it ends its batch.
    fn looks(self) -> u8 {
        match self {
            Self::Gate { looks, .. } => looks,
            Self::Read { .. } | Self::Write { .. } => 1,
        }
    }

    /// A write.
    #[must_use]
    pub fn write(address: u32, value: u32) -> Self {
        Self::Write { address, value }
    }

    /// The value read or to be written.
    #[must_use]
    pub fn value(self) -> u32 {
        match self {
            Self::Read { value, .. } | Self::Gate { value, .. } | Self::Write { value, .. } => {
                value
            }
        }
    }
}

/// Performs accesses in their order with `perform`, up to a gate that ends them.
pub(super) fn in_order(
    words: &mut [Word],
    mut perform: impl FnMut(&mut Word) -> Result<(), AccessError>,
) -> Result<(), AccessError> {
    for word in words {
        perform(word)?;
        for _ in 1..word.looks() {
            if word.stops() {
                perform(word)?;
            }
        }
        if word.stops() {
            break;
        }
    }
    Ok(())
}

/// A way into the card.
///
/// Values are the 32-bit numbers that the card means, whatever byte order the
/// way uses.
pub trait Gateway: Send + fmt::Debug {
    /// The PCI function that it goes through.
    fn address(&self) -> Bdf;

    /// How the way is called in messages, as in "vendor capability".
    fn name(&self) -> &'static str;

    /// How long waits may take and whether somebody asked to stop.
    fn patience(&self) -> &Patience;

    /// Changes how long waits may take.
    fn set_patience(&mut self, patience: Patience);

    /// What the way's own semaphore in the card reads as (0 is free), where it has one.
    ///
    /// # Errors
    /// [`AccessError`] when the card cannot be reached.
    fn gateway_semaphore(&mut self) -> Result<Option<u32>, AccessError> {
        Ok(None)
    }

    /// Frees the way's own semaphore, whoever holds it.
    ///
    /// # Errors
    /// [`AccessError`] when the card cannot be reached.
    fn clear_gateway_semaphore(&mut self) -> Result<(), AccessError> {
        Ok(())
    }

    /// Performs the accesses in order under one hold of the way's own lock.
    ///
    /// A batch should stay short (a mailbox, not a flash): others wait.
    ///
    /// # Errors
    /// [`AccessError`]; what came after the failed access was not done.
    fn batch(&mut self, space: Space, words: &mut [Word]) -> Result<(), AccessError>;

    /// Reads one dword.
    ///
    /// # Errors
    /// As [`Gateway::batch`].
    fn read(&mut self, space: Space, address: u32) -> Result<u32, AccessError> {
        let mut words = [Word::read(address)];
        self.batch(space, &mut words)?;
        Ok(words[0].value())
    }

    /// Writes one dword.
    ///
    /// # Errors
    /// As [`Gateway::batch`].
    fn write(&mut self, space: Space, address: u32, value: u32) -> Result<(), AccessError> {
        self.batch(space, &mut [Word::write(address, value)])
    }
}
