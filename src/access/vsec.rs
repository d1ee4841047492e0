//! The vendor-specific capability (VSEC) of ConnectX-4: config space gateway.
//!
//! Little-endian dwords from the capability's offset V:
//!
//! | offset | bits | meaning |
//! |---|---|---|
//! | V+0x0 | 7:0 | capability id 9 |
//! | V+0x0 | 31:24 | type: 0 functional, 2 recovery |
//! | V+0x4 | 15:0 | address space |
//! | V+0x4 | 31:29 | status: not 0 when the space is supported |
//! | V+0x8 | | counter: a new number at every read |
//! | V+0xc | | semaphore: 0 is free; write the counter, read it back, it is yours |
//! | V+0x10 | 29:0 | address |
//! | V+0x10 | 31 | flag: written 0 to read, 1 to write; the card flips it when done |
//! | V+0x14 | | data |
//!
//! # Sources
//! mstflint 4.21 `mtcr_ul_com.c` against a virtual card; FlexBoot 3.4.812
//! `mlx_pci_gw.c`; the type byte from newer mstflint.

use bitfield_struct::bitfield;

use crate::pci::{Bdf, Function};

use super::gateway::in_order;
use super::{AccessError, Gateway, GaveUp, Patience, Space, Word};

const CAPABILITY_POINTER: u16 = 0x34;
const VENDOR_SPECIFIC: u8 = 9;
/// A list longer than config space has room for is a loop.
const MOST_CAPABILITIES: usize = 48;

const CTRL: u16 = 0x4;
const COUNTER: u16 = 0x8;
const SEMAPHORE: u16 = 0xc;
const ADDRESS: u16 = 0x10;
const DATA: u16 = 0x14;
const FLAG: u32 = 1 << 31;
const GATEWAY: &str = "vendor capability";
const SEMAPHORE_TITLE: &str = "vendor capability's semaphore (config space)";

/// The control register.
#[bitfield(u32)]
struct Ctrl {
    space: u16,
    #[bits(13)]
    __: u16,
    #[bits(3)]
    status: u8,
}

/// The way through the vendor capability.
#[derive(Debug)]
pub struct Vsec {
    function: Box<dyn Function>,
    base: u16,
    patience: Patience,
}

impl Vsec {
    /// Finds the capability. Nothing is written yet.
    ///
    /// # Errors
    /// [`AccessError::NoGateway`] when the function has none,
    /// [`AccessError::Gone`] when config space reads as all-ones.
    pub fn open(mut function: Box<dyn Function>, patience: Patience) -> Result<Self, AccessError> {
        let address = function.address();
        let base = find(function.as_mut())?.ok_or_else(|| AccessError::NoGateway {
            address,
            reason: "config space shows no vendor-specific capability (id 9)".to_owned(),
        })?;
        let header = function.read_config32(base)?;
        if header >> 24 != 0 {
            return Err(AccessError::NoGateway {
                address,
                reason: format!(
                    "its vendor-specific capability is of type {}, not the functional one (0): the card may be in recovery mode",
                    header >> 24
                ),
            });
        }
        Ok(Self {
            function,
            base,
            patience,
        })
    }

    /// What the semaphore of the capability reads as; 0 is free.
    ///
    /// # Errors
    /// [`AccessError`] when config space cannot be read.
    pub fn semaphore(&mut self) -> Result<u32, AccessError> {
        self.get(SEMAPHORE)
    }

    /// Frees the semaphore of the capability, whoever holds it.
    ///
    /// # Errors
    /// [`AccessError`] when config space cannot be written.
    pub fn clear_semaphore(&mut self) -> Result<(), AccessError> {
        self.put(SEMAPHORE, 0)
    }

    fn get(&mut self, register: u16) -> Result<u32, AccessError> {
        Ok(self.function.read_config32(self.base + register)?)
    }

    fn put(&mut self, register: u16, value: u32) -> Result<(), AccessError> {
        Ok(self.function.write_config32(self.base + register, value)?)
    }

    fn gone(&self, what: &'static str) -> AccessError {
        AccessError::Gone {
            address: self.function.address(),
            what,
        }
    }

    fn take_semaphore(&mut self) -> Result<Held<'_>, AccessError> {
        let patience = self.patience.clone();
        let mut wait = patience.wait();
        loop {
            let mut value = self.get(SEMAPHORE)?;
            if value == u32::MAX {
                return Err(self.gone("the vendor capability"));
            }
            if value == 0 {
                let ticket = self.get(COUNTER)?;
                value = self.claim(ticket)?;
                // A counter of 0 would look like a hold of nobody.
                if value == ticket && ticket != 0 {
                    return Ok(Held {
                        vsec: self,
                        state: Hold::Owned,
                    });
                }
            }
            wait.pause().map_err(|end| match end {
                GaveUp::TimeUp(waited) => AccessError::SemaphoreHeld {
                    address: self.function.address(),
                    semaphore: SEMAPHORE_TITLE,
                    value,
                    waited,
                },
                GaveUp::Stopped => AccessError::Interrupted {
                    address: self.function.address(),
                    what: SEMAPHORE_TITLE,
                },
            })?;
        }
    }

    /// Writes the ticket and reads back whose the semaphore is.
    fn claim(&mut self, ticket: u32) -> Result<u32, AccessError> {
        let mut claim = Held {
            vsec: self,
            state: Hold::Claimed { ticket },
        };
        claim.vsec.put(SEMAPHORE, ticket)?;
        let owner = claim.vsec.get(SEMAPHORE)?;
        claim.state = Hold::Over;
        Ok(owner)
    }

    fn select(&mut self, space: Space) -> Result<(), AccessError> {
        let number = match space {
            Space::Cr => 2,
            Space::Icmd => 3,
            Space::Semaphore => 0xa,
        };
        // Only the space is ours to change.
        let ctrl = Ctrl::from_bits(self.get(CTRL)?).with_space(number);
        self.put(CTRL, ctrl.into_bits())?;
        let ctrl = self.get(CTRL)?;
        if ctrl == u32::MAX {
            return Err(self.gone("the vendor capability"));
        }
        if Ctrl::from_bits(ctrl).status() == 0 {
            return Err(AccessError::SpaceUnsupported {
                address: self.function.address(),
                gateway: GATEWAY,
                space,
            });
        }
        Ok(())
    }

    fn perform(&mut self, word: &mut Word) -> Result<(), AccessError> {
        match word {
            Word::Read { address, value } | Word::Gate { address, value, .. } => {
                self.put(ADDRESS, *address & !FLAG)?;
                self.wait_for_flag(FLAG)?;
                *value = self.get(DATA)?;
            }
            Word::Write { address, value } => {
                self.put(DATA, *value)?;
                self.put(ADDRESS, *address | FLAG)?;
                self.wait_for_flag(0)?;
            }
        }
        Ok(())
    }

    /// The card answers within microseconds; a request to stop can wait for it.
    fn wait_for_flag(&mut self, expected: u32) -> Result<(), AccessError> {
        let patience = self.patience.undisturbed();
        let mut wait = patience.wait();
        loop {
            let dword = self.get(ADDRESS)?;
            if dword == u32::MAX {
                return Err(self.gone("the vendor capability"));
            }
            if dword & FLAG == expected {
                return Ok(());
            }
            if let Err(GaveUp::TimeUp(waited)) = wait.pause() {
                return Err(AccessError::Timeout {
                    address: self.function.address(),
                    what: "an access through the vendor capability (flag bit)",
                    waited,
                });
            }
        }
    }
}

/// How far a hold of the semaphore has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Hold {
    /// The ticket may have been written; whose the semaphore is was not read yet.
    Claimed { ticket: u32 },
    /// It is ours.
    Owned,
    /// It is given back, or was never ours.
    Over,
}

/// A hold of the capability's semaphore, given back on every way out.
#[derive(Debug)]
struct Held<'a> {
    vsec: &'a mut Vsec,
    state: Hold,
}

impl Held<'_> {
    fn run(&mut self, space: Space, words: &mut [Word]) -> Result<(), AccessError> {
        self.vsec.select(space)?;
        in_order(words, |word| self.vsec.perform(word))
    }

    fn release(mut self) -> Result<(), AccessError> {
        self.vsec.put(SEMAPHORE, 0)?;
        self.state = Hold::Over;
        Ok(())
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        let ours = match self.state {
            Hold::Owned => true,
            // Freeing somebody else's hold would be worse than keeping ours.
            Hold::Claimed { ticket } => self.vsec.get(SEMAPHORE).is_ok_and(|owner| owner == ticket),
            Hold::Over => false,
        };
        if ours {
            // A card that does not take this write does not answer reads
            // either, and the next access says so.
            let _ = self.vsec.put(SEMAPHORE, 0);
        }
    }
}

impl Gateway for Vsec {
    fn address(&self) -> Bdf {
        self.function.address()
    }

    fn name(&self) -> &'static str {
        GATEWAY
    }

    fn patience(&self) -> &Patience {
        &self.patience
    }

    fn set_patience(&mut self, patience: Patience) {
        self.patience = patience;
    }

    fn batch(&mut self, space: Space, words: &mut [Word]) -> Result<(), AccessError> {
        let mut held = self.take_semaphore()?;
        let outcome = held.run(space, words);
        let released = held.release();
        outcome.and(released)
    }

    fn gateway_semaphore(&mut self) -> Result<Option<u32>, AccessError> {
        self.semaphore().map(Some)
    }

    fn clear_gateway_semaphore(&mut self) -> Result<(), AccessError> {
        self.clear_semaphore()
    }
}

/// Offset of the vendor-specific capability.
fn find(function: &mut dyn Function) -> Result<Option<u16>, AccessError> {
    let mut pointer = [0];
    function.read_config(CAPABILITY_POINTER, &mut pointer)?;
    let mut offset = pointer[0];
    for _ in 0..MOST_CAPABILITIES {
        // The two low bits are reserved (PCI Local Bus 3.0, 6.7).
        let at = u16::from(offset & !3);
        if at < 0x40 {
            return Ok(None);
        }
        let mut header = [0; 2];
        function.read_config(at, &mut header)?;
        match header {
            [0xff, 0xff] => {
                return Err(AccessError::Gone {
                    address: function.address(),
                    what: "its capability list",
                });
            }
            [VENDOR_SPECIFIC, _] => return Ok(Some(at)),
            [_, next] => offset = next,
        }
    }
    Ok(None)
}
