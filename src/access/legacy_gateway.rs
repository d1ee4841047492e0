//! The address/data pair of ConnectX-3 in config space: 0x58 and 0x5c.
//!
//! Write the CR address to 0x58, then read or write the dword at 0x5c; both
//! little-endian. The pair belongs to everybody who can write config space, so
//! one hold of mstflint's lock covers a whole batch: 0x58 is saved, the batch
//! runs, 0x58 is restored.
//!
//! Some cards have a write-only address register: 0x58 reads as 0xbadacce5
//! after it was written. There reads set bit 0 of the address, and writes put
//! the data first.
//!
//! # Sources
//! mstflint 4.21 `mtcr_ul_com.c` against a virtual card; FlexBoot 3.4.812
//! `mlx_pci_gw.c`.

use crate::pci::{Bdf, Function};

use super::gateway::in_order;
use super::mstflint_lock::{MstflintLock, take};
use super::{AccessError, Gateway, Patience, Space, Word};

const ADDRESS: u16 = 0x58;
const DATA: u16 = 0x5c;
const WRITE_ONLY: u32 = 0xbada_cce5;
/// The address that the form of the register is tried with: the hardware id.
const HARMLESS: u32 = 0xf_0014;
/// Accesses under one hold of the lock: some 5 us each over FUSE, 1 us on a bus.
const BATCH: usize = 160;

/// The form of the address register.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    /// What was written can be read back.
    ReadWrite,
    /// It cannot.
    WriteOnly,
}

/// The way through the address/data pair.
#[derive(Debug)]
pub struct LegacyGateway {
    function: Box<dyn Function>,
    lock: Option<MstflintLock>,
    form: Form,
    patience: Patience,
}

impl LegacyGateway {
    /// Finds out which form the address register has.
    ///
    /// # Errors
    /// [`AccessError::Gone`] when config space reads as all-ones, or the lock's
    /// and the host's errors.
    pub fn open(mut function: Box<dyn Function>, patience: Patience) -> Result<Self, AccessError> {
        let address = function.address();
        let lock = MstflintLock::of(function.as_ref())?;
        let held = take(lock.as_ref(), &patience)?;
        let before = function.read_config32(ADDRESS)?;
        if before == u32::MAX && function.read_config32(0)? == u32::MAX {
            return Err(AccessError::Gone {
                address,
                what: "config space",
            });
        }
        function.write_config32(ADDRESS, HARMLESS)?;
        let form = match function.read_config32(ADDRESS)? {
            WRITE_ONLY => Form::WriteOnly,
            _ => Form::ReadWrite,
        };
        if form == Form::ReadWrite {
            function.write_config32(ADDRESS, before)?;
        }
        drop(held);
        Ok(Self {
            function,
            lock,
            form,
            patience,
        })
    }
}

/// Performs one access. The caller holds the lock.
fn perform(function: &mut dyn Function, form: Form, word: &mut Word) -> Result<(), AccessError> {
    match (word, form) {
        (Word::Read { address, value } | Word::Gate { address, value, .. }, Form::ReadWrite) => {
            function.write_config32(ADDRESS, *address)?;
            *value = function.read_config32(DATA)?;
        }
        (Word::Read { address, value } | Word::Gate { address, value, .. }, Form::WriteOnly) => {
            function.write_config32(ADDRESS, *address | 1)?;
            *value = function.read_config32(DATA)?;
        }
        (Word::Write { address, value }, Form::ReadWrite) => {
            function.write_config32(ADDRESS, *address)?;
            function.write_config32(DATA, *value)?;
        }
        (Word::Write { address, value }, Form::WriteOnly) => {
            function.write_config32(DATA, *value)?;
            function.write_config32(ADDRESS, *address)?;
        }
    }
    Ok(())
}

impl Gateway for LegacyGateway {
    fn address(&self) -> Bdf {
        self.function.address()
    }

    fn name(&self) -> &'static str {
        "legacy gateway (config space 0x58/0x5c)"
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
        let function = self.function.as_mut();
        for part in words.chunks_mut(BATCH) {
            let _held = take(self.lock.as_ref(), &self.patience)?;
            let before = match self.form {
                Form::ReadWrite => Some(function.read_config32(ADDRESS)?),
                Form::WriteOnly => None,
            };
            let outcome = in_order(part, |word| perform(function, self.form, word));
            if let Some(before) = before {
                let restored = function.write_config32(ADDRESS, before);
                outcome?;
                restored?;
            } else {
                outcome?;
            }
            if part.iter().any(|word| word.stops()) {
                break;
            }
        }
        Ok(())
    }
}
