//! A flash in memory for the tests of this room: programs clear bits, erases set
//! them, pages do not wrap, and the power goes when a test wants it.

use crate::hwdb::{EraseCommand, FlashChip, ProgramCommand, ProtectionBits};
use crate::pci::Bdf;

use super::{Block, Flash, FlashError};

/// What goes wrong, and when.
#[derive(Clone, Debug, Default)]
pub(super) struct Trouble {
    /// The power goes with this change of the flash, counted from 0.
    pub(super) cut_at: Option<u32>,
    /// Whether half of that change is still done.
    pub(super) torn: bool,
    /// A bit that stays: address, mask.
    pub(super) stuck_at_one: Option<(u32, u8)>,
    pub(super) stuck_at_zero: Option<(u32, u8)>,
    /// The erase with this number does half its work and says nothing.
    pub(super) lame_erase: Option<u32>,
    /// The erase with this number fails.
    pub(super) failing_erase: Option<u32>,
    /// The read with this number has a wrong bit.
    pub(super) flipped_read: Option<u32>,
    /// A stop is asked for after so many changes.
    pub(super) stop_after: Option<u32>,
    pub(super) protected: bool,
    pub(super) no_boot_address: bool,
}

#[derive(Clone, Debug)]
pub(super) struct InMemory {
    pub(super) bytes: Vec<u8>,
    pub(super) chip: FlashChip,
    pub(super) boot_address: Option<u32>,
    pub(super) trouble: Trouble,
    pub(super) changes: u32,
    pub(super) erases: Vec<Block>,
    pub(super) programs: Vec<(u32, usize)>,
    pub(super) reads: u32,
    pub(super) undisturbed: bool,
    /// The power is gone: nothing works any more.
    pub(super) dark: bool,
    /// These bytes must never be touched.
    pub(super) sacred: Vec<std::ops::Range<u32>>,
}

/// A chip with these sizes.
pub(super) fn chip(bytes: u32, page: u32, erase: &[(u32, u32)]) -> FlashChip {
    FlashChip {
        name: "in memory".to_owned(),
        vendor: "nobody".to_owned(),
        jedec: [1, 2, 3],
        bytes,
        page,
        erase: erase
            .iter()
            .map(|&(bytes, typical_us)| EraseCommand {
                bytes,
                opcode: 0x20,
                typical_us,
                longest_us: typical_us * 10,
            })
            .collect(),
        program: ProgramCommand {
            opcode: 2,
            typical_us: 700,
            longest_us: 3000,
        },
        protection: ProtectionBits { mask: 0x7c },
        mstflint: false,
        source: Vec::new(),
    }
}

impl InMemory {
    pub(super) fn new(chip: FlashChip, bytes: Vec<u8>) -> Self {
        assert_eq!(bytes.len(), chip.bytes as usize);
        Self {
            bytes,
            chip,
            boot_address: None,
            trouble: Trouble::default(),
            changes: 0,
            erases: Vec::new(),
            programs: Vec::new(),
            reads: 0,
            undisturbed: false,
            dark: false,
            sacred: Vec::new(),
        }
    }

    /// The same flash when the power is back.
    pub(super) fn powered_again(&self) -> Self {
        Self::new(self.chip.clone(), self.bytes.clone())
    }

    fn gone(&self) -> FlashError {
        FlashError::Unsupported {
            address: self.address(),
            action: "anything".to_owned(),
            reason: "the power is gone".to_owned(),
        }
    }

    fn failed(&self, action: &str) -> FlashError {
        FlashError::StillBusy {
            address: self.address(),
            action: action.to_owned(),
            waited: std::time::Duration::from_secs(1),
        }
    }

    /// Counts a change; `Some(torn)` when the power goes with it.
    fn cut(&mut self) -> Option<bool> {
        let now = self.trouble.cut_at == Some(self.changes);
        self.changes += 1;
        self.dark |= now;
        now.then_some(self.trouble.torn)
    }

    fn settle(&mut self) {
        if let Some((at, mask)) = self.trouble.stuck_at_one {
            self.bytes[at as usize] |= mask;
        }
        if let Some((at, mask)) = self.trouble.stuck_at_zero {
            self.bytes[at as usize] &= !mask;
        }
    }

    fn is_sacred(&self, start: u32, end: u32) -> bool {
        (self.sacred.iter()).any(|range| range.start < end && start < range.end)
    }
}

impl Flash for InMemory {
    fn address(&self) -> Bdf {
        "0000:04:00.0".parse().unwrap()
    }

    fn way(&self) -> &'static str {
        "memory"
    }

    fn chip(&self) -> &FlashChip {
        &self.chip
    }

    fn read(&mut self, at: u32, data: &mut [u8]) -> Result<(), FlashError> {
        if self.dark {
            return Err(self.failed("reading"));
        }
        let at = at as usize;
        data.copy_from_slice(&self.bytes[at..at + data.len()]);
        if self.trouble.flipped_read == Some(self.reads) {
            let middle = data.len() / 2;
            data[middle] ^= 0x10;
        }
        self.reads += 1;
        Ok(())
    }

    fn erase(&mut self, block: Block) -> Result<(), FlashError> {
        assert!(block.start.is_multiple_of(block.bytes), "{block:?}");
        assert!((self.chip.erase.iter()).any(|erase| erase.bytes == block.bytes));
        assert!(!self.is_sacred(block.start, block.end()), "{block:?}");
        if self.dark {
            return Err(self.failed("erasing"));
        }
        let number = u32::try_from(self.erases.len()).unwrap();
        let range = block.start as usize..block.end() as usize;
        let half = block.start as usize..(block.start + block.bytes / 2) as usize;
        if self.trouble.failing_erase == Some(number) {
            self.trouble.failing_erase = None;
            return Err(self.failed("erasing"));
        }
        if let Some(torn) = self.cut() {
            if torn {
                self.bytes[half].fill(0xff);
            }
            return Err(self.failed("erasing"));
        }
        let lame = self.trouble.lame_erase == Some(number);
        self.erases.push(block);
        self.bytes[if lame { half } else { range }].fill(0xff);
        self.settle();
        Ok(())
    }

    fn program(&mut self, at: u32, data: &[u8]) -> Result<(), FlashError> {
        let end = at + u32::try_from(data.len()).unwrap();
        assert!(at.is_multiple_of(4) && data.len().is_multiple_of(4) && !data.is_empty());
        assert_eq!(at / self.chip.page, (end - 1) / self.chip.page, "page wrap");
        assert!(!self.is_sacred(at, end), "{at:#x}");
        if self.dark {
            return Err(self.failed("programming"));
        }
        let cut = self.cut();
        let bytes = match cut {
            None => data.len(),
            Some(true) => data.len() / 2 - data.len() / 2 % 2 + 1,
            Some(false) => 0,
        };
        for (offset, byte) in data[..bytes.min(data.len())].iter().enumerate() {
            self.bytes[at as usize + offset] &= byte;
        }
        self.settle();
        if cut.is_some() {
            return Err(self.failed("programming"));
        }
        self.programs.push((at, data.len()));
        Ok(())
    }

    fn protection(&mut self) -> Result<Option<String>, FlashError> {
        Ok(self.trouble.protected.then(|| "all blocks".to_owned()))
    }

    fn boot_address(&mut self) -> Result<Option<u32>, FlashError> {
        Ok(self.boot_address)
    }

    fn set_boot_address(&mut self, start: u32) -> Result<(), FlashError> {
        if self.dark {
            return Err(self.failed("setting the boot address"));
        }
        if self.trouble.no_boot_address {
            return Err(self.gone());
        }
        match self.cut() {
            Some(torn) => {
                if torn {
                    self.boot_address = Some(start);
                }
                Err(self.failed("setting the boot address"))
            }
            None => {
                self.boot_address = Some(start);
                Ok(())
            }
        }
    }

    fn stop_requested(&self) -> bool {
        !self.undisturbed && (self.trouble.stop_after).is_some_and(|after| self.changes >= after)
    }

    fn undisturbed(&mut self) {
        self.undisturbed = true;
    }

    fn close(self: Box<Self>) -> Result<(), FlashError> {
        Ok(())
    }
}
