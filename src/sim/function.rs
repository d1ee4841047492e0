//! A virtual card's function behind the seam.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::board::Board;
use crate::pci::{Bdf, Function, FunctionError};

/// One PCI function of a virtual card.
#[derive(Debug)]
pub struct CardFunction {
    board: Arc<Mutex<Board>>,
    address: Bdf,
    index: usize,
    /// Whether BAR0 was mapped through this handle.
    mapped: bool,
}

impl CardFunction {
    pub(crate) fn new(board: Arc<Mutex<Board>>, address: Bdf, index: usize) -> Self {
        Self {
            board,
            address,
            index,
            mapped: false,
        }
    }

    fn board(&self) -> MutexGuard<'_, Board> {
        self.board.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn io(&self, action: &str, offset: u64) -> impl FnOnce(io::Error) -> FunctionError {
        let (address, action) = (self.address, format!("{action} at {offset:#x}"));
        move |source| FunctionError::Io {
            address,
            action,
            source,
        }
    }

    fn check_config(&self, board: &Board, offset: u16, length: usize) -> Result<(), FunctionError> {
        let found = board.config_size(self.index);
        if usize::from(offset) + length <= usize::from(found) {
            Ok(())
        } else {
            Err(FunctionError::ConfigTruncated {
                address: self.address,
                offset,
                found,
            })
        }
    }

    fn check_bar(&self, board: &Board, bar: u8, offset: u64) -> Result<u32, FunctionError> {
        let unavailable = |reason: &str| FunctionError::BarUnavailable {
            address: self.address,
            bar,
            reason: reason.to_owned(),
        };
        let length = board.map_bar(self.index, bar).map_err(unavailable)?;
        if !self.mapped {
            return Err(unavailable("it is not mapped"));
        }
        u32::try_from(offset)
            .ok()
            .filter(|offset| offset % 4 == 0 && u64::from(*offset) + 4 <= length)
            .ok_or(FunctionError::OutOfRange {
                address: self.address,
                bar,
                offset,
                length,
            })
    }
}

impl Function for CardFunction {
    fn address(&self) -> Bdf {
        self.address
    }

    fn is_shared(&self) -> bool {
        false
    }

    fn read_config(&mut self, offset: u16, data: &mut [u8]) -> Result<(), FunctionError> {
        let mut board = self.board();
        self.check_config(&board, offset, data.len())?;
        board
            .read_config(self.index, offset, data)
            .map_err(|source| self.io("read config space", offset.into())(source))
    }

    fn write_config(&mut self, offset: u16, data: &[u8]) -> Result<(), FunctionError> {
        let mut board = self.board();
        self.check_config(&board, offset, data.len())?;
        board
            .write_config(self.index, offset, data)
            .map_err(|source| self.io("write config space", offset.into())(source))
    }

    fn map_bar(&mut self, bar: u8) -> Result<u64, FunctionError> {
        let length = self.board().map_bar(self.index, bar);
        let length = length.map_err(|reason| FunctionError::BarUnavailable {
            address: self.address,
            bar,
            reason: reason.to_owned(),
        })?;
        self.mapped = true;
        Ok(length)
    }

    fn read_bar32(&mut self, bar: u8, offset: u64) -> Result<u32, FunctionError> {
        let mut board = self.board();
        let at = self.check_bar(&board, bar, offset)?;
        board
            .read_bar(self.index, at)
            .map_err(|source| self.io("read BAR0", offset)(source))
    }

    fn write_bar32(&mut self, bar: u8, offset: u64, value: u32) -> Result<(), FunctionError> {
        let mut board = self.board();
        let at = self.check_bar(&board, bar, offset)?;
        board
            .write_bar(self.index, at, value)
            .map_err(|source| self.io("write BAR0", offset)(source))
    }

    fn read_option_rom(&mut self) -> Result<Vec<u8>, FunctionError> {
        let mut board = self.board();
        board.firmware.live.counters.rom_reads += 1;
        let unavailable = |reason: &str| FunctionError::RomUnavailable {
            address: self.address,
            reason: reason.to_owned(),
        };
        if !board.firmware.answers() {
            return Err(unavailable("the card does not answer"));
        }
        board
            .rom
            .as_ref()
            .map(|rom| rom.bytes[..rom.shown].to_vec())
            .ok_or_else(|| unavailable("the host shows none"))
    }

    fn read_vpd(&mut self) -> Result<Vec<u8>, FunctionError> {
        let unavailable = |reason: &str| FunctionError::VpdUnavailable {
            address: self.address,
            reason: reason.to_owned(),
        };
        let mut board = self.board();
        if !board.firmware.answers() {
            return Err(unavailable("the card does not answer"));
        }
        if !board.firmware.runs() {
            Err(unavailable("no firmware runs on the card"))
        } else if board.is_physical(self.index) {
            Ok(board.vpd.clone())
        } else {
            Err(unavailable("the host shows none"))
        }
    }
}
