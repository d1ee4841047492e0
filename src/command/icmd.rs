//! The internal command interface (ICMD) of ConnectX-4.
//!
//! Space 3 behind the vendor capability:
//!
//! | offset | bits | meaning |
//! |---|---|---|
//! | 0x0 | 0 | busy; set to go, the card clears it |
//! | 0x0 | 1 | external mailbox (DMA); always 0 here |
//! | 0x0 | 15:8 | status |
//! | 0x0 | 31:16 | opcode |
//! | 0x1000 | 31:0 | mailbox size in bytes |
//! | 0x100000 | | mailbox |
//!
//! The semaphore is dword 0 of space 0xa: write a number, read it back, it is
//! yours when it is the same; write 0 to free it. Tools write their process id.
//!
//! # Sources
//! mstflint 4.21 `mtcr_ul_icmd_cif.c`; FlexBoot 3.4.812 `mlx_icmd.c` uses the
//! same numbers.

use bitfield_struct::bitfield;

use crate::access::{AccessError, Gateway, GaveUp, Space, Word};
use crate::pci::Bdf;

use super::semaphore::{HARDWARE_ID, check_hardware_id, release};
use super::{CommandError, Semaphore, Status, envelope};

const CTRL: u32 = 0x0;
const MAILBOX_SIZE: u32 = 0x1000;
const MAILBOX: u32 = 0x10_0000;
/// CR space: bit 31 is set until the static configuration is done.
const STATIC_CFG_NOT_DONE: u32 = 0xb_0004;
const OPCODE_ACCESS_REGISTER: u16 = 0x9001;

/// The control register.
#[bitfield(u32)]
struct Ctrl {
    busy: bool,
    external_mailbox: bool,
    #[bits(6)]
    __: u8,
    status: u8,
    opcode: u16,
}

/// The command interface of a ConnectX-4 function.
#[derive(Debug)]
pub struct Icmd {
    gateway: Box<dyn Gateway>,
    hardware_id: u16,
}

impl Icmd {
    pub(super) fn new(gateway: Box<dyn Gateway>, hardware_id: u16) -> Self {
        Self {
            gateway,
            hardware_id,
        }
    }

    pub(super) fn gateway(&self) -> &dyn Gateway {
        self.gateway.as_ref()
    }

    pub(super) fn gateway_mut(&mut self) -> &mut dyn Gateway {
        self.gateway.as_mut()
    }

    /// Takes the semaphore in `before`, if one is given, and then its own.
    pub(super) fn session(
        &mut self,
        before: Option<Semaphore>,
    ) -> Result<Session<'_>, CommandError> {
        let address = self.gateway.address();
        let action = "opening the command interface";
        let wrap = |source| CommandError::Access {
            address,
            action: action.to_owned(),
            source,
        };
        let mut words = [Word::read(HARDWARE_ID), Word::read(STATIC_CFG_NOT_DONE)];
        self.gateway.batch(Space::Cr, &mut words).map_err(wrap)?;
        check_hardware_id(address, self.hardware_id, words[0].value())?;
        if words[1].value() >> 31 != 0 {
            return Err(CommandError::WrongCard {
                address,
                what: "CR 0xb0004 bit 31 (static configuration not done)",
                expected: "0".to_owned(),
                found: "1: its firmware is not up".to_owned(),
            });
        }
        // From the first semaphore on dropping the session gives them back.
        let mut session = Session {
            icmd: self,
            mailbox_bytes: 0,
            held: Vec::new(),
        };
        for semaphore in before.into_iter().chain([Semaphore::Icmd]) {
            let gateway = session.icmd.gateway.as_mut();
            semaphore.take(gateway).map_err(wrap)?;
            session.held.push(semaphore);
        }
        let mut words = [Word::read(CTRL), Word::read(MAILBOX_SIZE)];
        session
            .icmd
            .gateway
            .batch(Space::Icmd, &mut words)
            .map_err(wrap)?;
        if Ctrl::from_bits(words[0].value()).busy() {
            session.wait_until_idle().map_err(wrap)?;
        }
        session.mailbox_bytes = words[1].value();
        Ok(session)
    }
}

/// A hold of the ICMD semaphore, perhaps of another one with it.
#[derive(Debug)]
pub struct Session<'a> {
    icmd: &'a mut Icmd,
    mailbox_bytes: u32,
    held: Vec<Semaphore>,
}

impl Session<'_> {
    pub(super) fn address(&self) -> Bdf {
        self.icmd.gateway.address()
    }

    pub(super) fn gateway_mut(&mut self) -> &mut dyn Gateway {
        self.icmd.gateway.as_mut()
    }

    pub(super) fn stop_requested(&self) -> bool {
        self.icmd.gateway.patience().stopped()
    }

    pub(super) fn undisturbed(&mut self) {
        let patience = self.icmd.gateway.patience().undisturbed();
        self.icmd.gateway.set_patience(patience);
    }

    /// Sends a register access and reads the mailbox dwords in `wanted`: of a
    /// refusal only the status.
    pub(super) fn access_register(
        &mut self,
        mailbox: &[u32],
        wanted: &[usize],
        action: &str,
    ) -> Result<Vec<u32>, CommandError> {
        let address = self.address();
        let last = mailbox
            .len()
            .max(wanted.iter().max().map_or(0, |at| at + 1));
        if last as u64 * 4 > u64::from(self.mailbox_bytes) {
            return Err(CommandError::Malformed {
                address,
                what: "the ICMD mailbox size",
                detail: format!(
                    "{action} needs {} bytes, the card offers {}",
                    last * 4,
                    self.mailbox_bytes
                ),
            });
        }
        let wrap = |source| CommandError::Access {
            address,
            action: action.to_owned(),
            source,
        };
        let (mut ctrl, mut answer) = self.send(mailbox, wanted).map_err(wrap)?;
        if ctrl.busy() {
            ctrl = self.wait_until_idle().map_err(wrap)?;
            answer = envelope::reads(wanted, mailbox_at);
            let gateway = &mut self.icmd.gateway;
            gateway.batch(Space::Icmd, &mut answer).map_err(wrap)?;
        }
        let status = Status::from_icmd(ctrl.status());
        if status != Status::Ok {
            return Err(CommandError::Refused {
                address,
                action: action.to_owned(),
                status,
            });
        }
        let answer: Vec<u32> = answer.into_iter().map(Word::value).collect();
        if answer.contains(&u32::MAX) {
            self.confirm_alive().map_err(wrap)?;
        }
        Ok(answer)
    }

    /// All-ones may be an answer, or what a card reads as that is gone.
    fn confirm_alive(&mut self) -> Result<(), AccessError> {
        match self.icmd.gateway.read(Space::Icmd, CTRL)? {
            u32::MAX => Err(AccessError::Gone {
                address: self.address(),
                what: "the ICMD control register",
            }),
            _ => Ok(()),
        }
    }

    /// Writes the command, sets busy and looks at the control register. Where the
    /// card is done by then without an error, the answer is read under the same
    /// hold of the gateway; else it holds nothing.
    fn send(
        &mut self,
        mailbox: &[u32],
        wanted: &[usize],
    ) -> Result<(Ctrl, Vec<Word>), AccessError> {
        let command = Ctrl::new().with_opcode(OPCODE_ACCESS_REGISTER);
        let unfinished = Ctrl::new().with_busy(true).with_status(u8::MAX);
        let mut words = vec![Word::write(CTRL, command.into_bits())];
        words.extend(
            mailbox
                .iter()
                .enumerate()
                .map(|(at, dword)| Word::write(mailbox_at(at), *dword)),
        );
        words.push(Word::write(CTRL, command.with_busy(true).into_bits()));
        words.push(Word::gate(CTRL, unfinished.into_bits()));
        let answer = words.len();
        words.extend(envelope::reads(wanted, mailbox_at));
        self.icmd.gateway.batch(Space::Icmd, &mut words)?;
        let answer = words.split_off(answer);
        let ctrl = words.last().map_or(u32::MAX, |word| word.value());
        Ok((Ctrl::from_bits(ctrl), answer))
    }

    /// A command that runs is not abandoned on a request to stop: the card
    /// would be left busy with our semaphore. Only time ends this wait.
    fn wait_until_idle(&mut self) -> Result<Ctrl, AccessError> {
        let address = self.address();
        let patience = self.icmd.gateway.patience().undisturbed();
        let mut wait = patience.wait();
        loop {
            let ctrl = Ctrl::from_bits(self.icmd.gateway.read(Space::Icmd, CTRL)?);
            if ctrl.into_bits() == u32::MAX {
                return Err(AccessError::Gone {
                    address,
                    what: "the ICMD control register",
                });
            }
            if !ctrl.busy() {
                return Ok(ctrl);
            }
            if let Err(GaveUp::TimeUp(waited)) = wait.pause() {
                return Err(AccessError::Timeout {
                    address,
                    what: "the firmware's command (ICMD busy bit)",
                    waited,
                });
            }
        }
    }

    pub(super) fn end(mut self) -> Result<(), CommandError> {
        self.release().map_err(|source| CommandError::Access {
            address: self.address(),
            action: format!("releasing the {}", Semaphore::Icmd.title()),
            source,
        })
    }

    pub(super) fn release(&mut self) -> Result<(), AccessError> {
        release(&mut self.held, self.icmd.gateway.as_mut())
    }
}

impl Drop for Session<'_> {
    fn drop(&mut self) {
        // On this way out another error is already on its way to the user.
        let _ = self.release();
    }
}

fn mailbox_at(dword: usize) -> u32 {
    MAILBOX + u32::try_from(dword * 4).unwrap_or(u32::MAX)
}
