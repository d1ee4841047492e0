//! CR space of ConnectX-3 in BAR0: 1 MiB of big-endian dwords.
//!
//! Before a read that follows a write, the write is flushed as mstflint does
//! it: write 0 to CR 0xf0380 and read it until it is 0. That goes wrong when two
//! programs do it at the same time (mstflint would wait without end), so it is
//! done under mstflint's lock, as mstflint does.
//!
//! # Sources
//! mstflint 4.21 `mtcr_ul_com.c`: mapping, byte order, `mtcr_connectx_flush`.

use crate::pci::{Bdf, Function, FunctionError};

use super::gateway::in_order;
use super::mstflint_lock::{MstflintLock, take};
use super::{AccessError, Gateway, GaveUp, Patience, Space, Word};

const BAR: u8 = 0;
const CR_SPACE_BYTES: u64 = 0x10_0000;
const HARDWARE_ID: u32 = 0xf_0014;
const FLUSH: u32 = 0xf_0380;
/// What CR space reads as while memory access is denied.
const NO_ACCESS: u32 = 0xbada_cce5;

/// The way through BAR0.
#[derive(Debug)]
pub struct BarWindow {
    function: Box<dyn Function>,
    lock: Option<MstflintLock>,
    unflushed: bool,
    patience: Patience,
}

impl BarWindow {
    /// Maps BAR0 and looks whether CR space answers there with this hardware id.
    ///
    /// # Errors
    /// The function is given back with the reason, for the next way.
    pub fn open(
        mut function: Box<dyn Function>,
        hardware_id: u16,
        patience: Patience,
    ) -> Result<Self, (Box<dyn Function>, AccessError)> {
        let lock = try_map(function.as_mut(), hardware_id)
            .and_then(|()| MstflintLock::of(function.as_ref()));
        match lock {
            Ok(lock) => Ok(Self {
                function,
                lock,
                unflushed: false,
                patience,
            }),
            Err(error) => Err((function, error)),
        }
    }

    fn perform(&mut self, word: &mut Word) -> Result<(), AccessError> {
        match word {
            Word::Read { address, value } | Word::Gate { address, value, .. } => {
                if self.unflushed {
                    self.flush()?;
                }
                *value = load(self.function.as_mut(), *address)?;
            }
            Word::Write { address, value } => {
                store(self.function.as_mut(), *address, *value)?;
                self.unflushed = true;
            }
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<(), AccessError> {
        let _held = take(self.lock.as_ref(), &self.patience)?;
        store(self.function.as_mut(), FLUSH, 0)?;
        let patience = self.patience.undisturbed();
        let mut wait = patience.wait();
        loop {
            match load(self.function.as_mut(), FLUSH)? {
                0 => break,
                u32::MAX => {
                    return Err(AccessError::Gone {
                        address: self.function.address(),
                        what: "BAR0",
                    });
                }
                _ => {}
            }
            if let Err(GaveUp::TimeUp(waited)) = wait.pause() {
                return Err(AccessError::Timeout {
                    address: self.function.address(),
                    what: "flushing writes to BAR0 (CR 0xf0380)",
                    waited,
                });
            }
        }
        self.unflushed = false;
        Ok(())
    }
}

fn try_map(function: &mut dyn Function, hardware_id: u16) -> Result<(), AccessError> {
    let address = function.address();
    let unavailable = |reason: String| FunctionError::BarUnavailable {
        address,
        bar: BAR,
        reason,
    };
    let length = function.map_bar(BAR)?;
    if length < CR_SPACE_BYTES {
        return Err(
            unavailable(format!("it has {length:#x} bytes, CR space needs 0x100000")).into(),
        );
    }
    match load(function, HARDWARE_ID)? {
        u32::MAX => Err(unavailable(
            "it reads as all-ones (memory decoding is off, or the card is gone)".to_owned(),
        )
        .into()),
        NO_ACCESS => {
            Err(unavailable("the card denies memory access to CR space".to_owned()).into())
        }
        // Where memory decoding is off, some hosts answer with zeros.
        id if id & 0xffff != u32::from(hardware_id) => Err(unavailable(format!(
            "it does not show CR space: hardware id {:#06x}, expected {hardware_id:#06x}",
            id & 0xffff
        ))
        .into()),
        _ => Ok(()),
    }
}

fn load(function: &mut dyn Function, address: u32) -> Result<u32, FunctionError> {
    function
        .read_bar32(BAR, u64::from(address))
        .map(u32::swap_bytes)
}

fn store(function: &mut dyn Function, address: u32, value: u32) -> Result<(), FunctionError> {
    function.write_bar32(BAR, u64::from(address), value.swap_bytes())
}

impl Gateway for BarWindow {
    fn address(&self) -> Bdf {
        self.function.address()
    }

    fn name(&self) -> &'static str {
        "BAR0"
    }

    fn patience(&self) -> &Patience {
        &self.patience
    }

    fn set_patience(&mut self, patience: Patience) {
        self.patience = patience;
    }

    fn batch(&mut self, space: Space, words: &mut [Word]) -> Result<(), AccessError> {
        if space != Space::Cr {
            return Err(AccessError::SpaceUnsupported {
                address: self.address(),
                gateway: self.name(),
                space,
            });
        }
        in_order(words, |word| self.perform(word))
    }
}
