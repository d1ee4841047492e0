//! What may be asked of a flash at all.

use crate::hwdb::{EraseCommand, FlashChip};
use crate::pci::Bdf;

use super::{Block, FlashError};

/// Checks what callers ask for against the chip.
#[derive(Debug)]
pub(super) struct Limits<'a> {
    pub(super) address: Bdf,
    pub(super) chip: &'a FlashChip,
}

impl Limits<'_> {
    fn refused(&self, action: &str, reason: String) -> FlashError {
        FlashError::Unsupported {
            address: self.address,
            action: action.to_owned(),
            reason,
        }
    }

    /// A range of the flash.
    pub(super) fn range(&self, action: &str, at: u32, length: usize) -> Result<(), FlashError> {
        let end = u64::from(at).saturating_add(length as u64);
        if end <= u64::from(self.chip.bytes) {
            return Ok(());
        }
        let bytes = self.chip.bytes;
        Err(self.refused(
            action,
            format!("the flash has {bytes:#x} bytes, {end:#x} would be its end"),
        ))
    }

    /// Bytes to program: dwords within one page.
    pub(super) fn page(&self, action: &str, at: u32, length: usize) -> Result<(), FlashError> {
        self.range(action, at, length)?;
        let page = self.chip.page.max(1);
        let offset = u64::from(at % page);
        if !at.is_multiple_of(4) || !length.is_multiple_of(4) {
            return Err(self.refused(action, "it is not made of dwords".to_owned()));
        }
        if offset + length as u64 > u64::from(page) {
            return Err(self.refused(action, format!("it leaves a page of {page} bytes")));
        }
        Ok(())
    }

    /// The command that erases a block.
    pub(super) fn erase(&self, action: &str, block: Block) -> Result<EraseCommand, FlashError> {
        self.range(action, block.start, block.bytes as usize)?;
        let command = self.chip.erase.iter().find(|erase| {
            erase.bytes == block.bytes && block.start.is_multiple_of(erase.bytes.max(1))
        });
        command.copied().ok_or_else(|| {
            let sizes: Vec<String> = self
                .chip
                .erase
                .iter()
                .map(|erase| format!("{:#x}", erase.bytes))
                .collect();
            self.refused(
                action,
                format!("blocks of {} bytes are erased this way", sizes.join(", ")),
            )
        })
    }

    /// Whether the chip may be written at all.
    pub(super) fn writable(&self, action: &str) -> Result<(), FlashError> {
        match &self.chip.read_only {
            None => Ok(()),
            Some(reason) => Err(self.refused(action, format!("{}: {reason}", self.chip.name))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_leaves_the_chip_or_a_page_is_refused() {
        let chip = FlashChip::of([0xef, 0x40, 0x15]).unwrap();
        let limits = Limits {
            address: "0000:05:00.0".parse().unwrap(),
            chip: &chip,
        };
        assert!(limits.range("reading", 0x1f_fff0, 16).is_ok());
        assert!(limits.range("reading", 0x1f_fff1, 16).is_err());
        assert!(limits.range("reading", u32::MAX, usize::MAX).is_err());
        assert!(limits.page("programming", 0x1f0, 16).is_ok());
        assert!(limits.page("programming", 0x1f4, 16).is_err());
        assert!(limits.page("programming", 0x1f2, 4).is_err());
        let block = |start, bytes| Block { start, bytes };
        assert_eq!(
            limits.erase("", block(0x1000, 0x1000)).unwrap().opcode,
            0x20
        );
        assert!(limits.erase("", block(0x1000, 0x1_0000)).is_err());
        assert!(limits.erase("", block(0, 0x8000)).is_err());
        let unknown = FlashChip::unknown([1, 2, 3], 0x10_0000);
        let limits = Limits {
            chip: &unknown,
            ..limits
        };
        assert!(limits.writable("erasing").is_err());
    }
}
