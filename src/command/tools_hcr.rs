//! The tools host command register (tools HCR) of ConnectX-3.
//!
//! Seven dwords at CR 0x80780:
//!
//! | offset | bits | meaning |
//! |---|---|---|
//! | 0x00, 0x04 | | input parameter, high and low dword |
//! | 0x08 | | input modifier |
//! | 0x0c, 0x10 | | output parameter, high and low dword |
//! | 0x14 | 31:16 | token |
//! | 0x18 | 11:0 | opcode |
//! | 0x18 | 15:12 | opcode modifier |
//! | 0x18 | 23 | GO; set to go, the card clears it |
//! | 0x18 | 31:24 | status |
//!
//! The semaphore is CR 0xf03bc: reading 0 takes it, writing 0 frees it.
//! The mailbox has 288 bytes. Where the card shows it in CR space at 0xe0000
//! it is written there, else by quads (opcodes 0x70 and 0x71).
//!
//! # Sources
//! mstflint 4.21 `mtcr_tools_cif.c`; opcodes 0x03, 0x3b, 0x71 and 0x73 also in
//! FlexBoot 3.4.812 `hermon.h` and `romprefix.S`.

use std::ops::Range;

use bitfield_struct::bitfield;

use crate::access::{AccessError, Gateway, GaveUp, Space, Word};
use crate::pci::Bdf;

use super::register::{DefParamsGlobal, DefParamsPort, DevCap};
use super::semaphore::{HARDWARE_ID, check_hardware_id, release};
use super::{CommandError, Semaphore, Status, envelope};

const HCR: u32 = 0x8_0780;
const HCR_CTRL: u32 = HCR + 0x18;
const CR_MAILBOX: u32 = 0xe_0000;
const CR_MAILBOX_PROBE: u32 = 0x0bad_b00f;
const MAILBOX_DWORDS: usize = 288 / 4;

const QUERY_DEV_CAP: u16 = 0x03;
const ACCESS_REGISTER: u16 = 0x3b;
const MAILBOX_WRITE: u16 = 0x70;
const MAILBOX_READ: u16 = 0x71;
const QUERY_DEF_PARAMS: u16 = 0x73;

/// Dword 6 of the HCR.
#[bitfield(u32)]
struct Ctrl {
    #[bits(12)]
    opcode: u16,
    #[bits(4)]
    opcode_modifier: u8,
    #[bits(5)]
    __: u8,
    toggle: bool,
    event: bool,
    go: bool,
    status: u8,
}

/// One HCR command.
#[derive(Clone, Copy, Debug, Default)]
struct Command {
    opcode: u16,
    opcode_modifier: u8,
    input_modifier: u32,
    input_high: u32,
    input_low: u32,
}

/// The command interface of a ConnectX-3 function.
#[derive(Debug)]
pub struct ToolsHcr {
    gateway: Box<dyn Gateway>,
    hardware_id: u16,
}

impl ToolsHcr {
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
        let wrap = |source| CommandError::Access {
            address,
            action: "opening the command interface".to_owned(),
            source,
        };
        let id = self.gateway.read(Space::Cr, HARDWARE_ID).map_err(wrap)?;
        check_hardware_id(address, self.hardware_id, id)?;
        // From the first semaphore on dropping the session gives them back.
        let mut session = Session {
            hcr: self,
            mailbox: Mailbox::Quads,
            shadow: Box::new([None; MAILBOX_DWORDS]),
            held: Vec::new(),
        };
        for semaphore in before.into_iter().chain([Semaphore::ToolsHcr]) {
            let gateway = session.hcr.gateway.as_mut();
            semaphore.take(gateway).map_err(wrap)?;
            session.held.push(semaphore);
        }
        session.wait_for_go_clear().map_err(wrap)?;
        session.probe_cr_mailbox().map_err(wrap)?;
        Ok(session)
    }
}

/// Where the mailbox of a register access lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mailbox {
    /// In CR space.
    Cr,
    /// Behind the quad commands.
    Quads,
}

/// A hold of the tools HCR semaphore, perhaps of another one with it.
#[derive(Debug)]
pub struct Session<'a> {
    hcr: &'a mut ToolsHcr,
    mailbox: Mailbox,
    /// What the mailbox is known to hold. The interface wants the whole mailbox
    /// written for a register access; what is known need not be written again.
    shadow: Box<[Option<u32>; MAILBOX_DWORDS]>,
    held: Vec<Semaphore>,
}

impl Session<'_> {
    pub(super) fn address(&self) -> Bdf {
        self.hcr.gateway.address()
    }

    pub(super) fn gateway_mut(&mut self) -> &mut dyn Gateway {
        self.hcr.gateway.as_mut()
    }

    pub(super) fn stop_requested(&self) -> bool {
        self.hcr.gateway.patience().stopped()
    }

    pub(super) fn undisturbed(&mut self) {
        let patience = self.hcr.gateway.patience().undisturbed();
        self.hcr.gateway.set_patience(patience);
    }

    fn batch(&mut self, words: &mut [Word]) -> Result<(), AccessError> {
        self.hcr.gateway.batch(Space::Cr, words)
    }

    fn probe_cr_mailbox(&mut self) -> Result<(), AccessError> {
        let mut words = [
            Word::write(CR_MAILBOX, CR_MAILBOX_PROBE),
            Word::read(CR_MAILBOX),
        ];
        self.batch(&mut words)?;
        if words[1].value() == CR_MAILBOX_PROBE {
            self.mailbox = Mailbox::Cr;
            self.shadow[0] = Some(CR_MAILBOX_PROBE);
        }
        Ok(())
    }

    /// Waits for GO to clear. A command that runs is not abandoned on a request
    /// to stop; only time ends this wait.
    fn wait_for_go_clear(&mut self) -> Result<Ctrl, AccessError> {
        let address = self.address();
        let patience = self.hcr.gateway.patience().undisturbed();
        let mut wait = patience.wait();
        loop {
            let ctrl = Ctrl::from_bits(self.hcr.gateway.read(Space::Cr, HCR_CTRL)?);
            if ctrl.into_bits() == u32::MAX {
                return Err(AccessError::Gone {
                    address,
                    what: "the tools HCR",
                });
            }
            if !ctrl.go() {
                return Ok(ctrl);
            }
            if let Err(GaveUp::TimeUp(waited)) = wait.pause() {
                return Err(AccessError::Timeout {
                    address,
                    what: "the firmware's command (tools HCR GO bit)",
                    waited,
                });
            }
        }
    }

    /// Runs a command after the accesses in `before`, and does those in `after`
    /// when it is done: all under one hold of the way where the card answers at
    /// once.
    fn run(
        &mut self,
        command: Command,
        before: Vec<Word>,
        after: Vec<Word>,
    ) -> Result<(Status, Vec<u32>), AccessError> {
        let ctrl = Ctrl::new()
            .with_opcode(command.opcode)
            .with_opcode_modifier(command.opcode_modifier);
        let dwords = [
            command.input_high,
            command.input_low,
            command.input_modifier,
            0,
            0,
            0,
            ctrl.into_bits(),
        ];
        let mut words = before;
        words.extend(
            (HCR..)
                .step_by(4)
                .zip(dwords)
                .map(|(address, value)| Word::write(address, value)),
        );
        words.push(Word::write(HCR_CTRL, ctrl.with_go(true).into_bits()));
        let unfinished = Ctrl::new().with_go(true).with_status(u8::MAX);
        words.push(Word::gate(HCR_CTRL, unfinished.into_bits()));
        let answer = words.len();
        words.extend(after);
        self.batch(&mut words)?;
        let mut answer = words.split_off(answer);
        let mut ctrl = Ctrl::from_bits(words.last().map_or(u32::MAX, |word| word.value()));
        if ctrl.go() {
            ctrl = self.wait_for_go_clear()?;
            self.batch(&mut answer)?;
        }
        let answer: Vec<u32> = answer.into_iter().map(Word::value).collect();
        if answer.contains(&u32::MAX) {
            self.confirm_alive()?;
        }
        Ok((Status::from_tools_hcr(ctrl.status()), answer))
    }

    /// Runs a command and turns its failures into errors.
    fn command(
        &mut self,
        command: Command,
        before: Vec<Word>,
        after: Vec<Word>,
        action: &str,
    ) -> Result<Vec<u32>, CommandError> {
        let address = self.address();
        match self.run(command, before, after) {
            Ok((Status::Ok, answer)) => Ok(answer),
            Ok((status, _)) => Err(CommandError::Refused {
                address,
                action: action.to_owned(),
                status,
            }),
            Err(source) => Err(self.access_error(action, source)),
        }
    }

    fn access_error(&self, action: &str, source: AccessError) -> CommandError {
        CommandError::Access {
            address: self.address(),
            action: action.to_owned(),
            source,
        }
    }

    /// Sends a register access and reads the mailbox dwords in `wanted`: of a
    /// refusal perhaps only the status.
    ///
    /// The card's answer covers the first `answered` dwords of the mailbox. Where
    /// `rest_is_free`, those of them that `mailbox` does not reach may hold
    /// anything.
    pub(super) fn access_register(
        &mut self,
        mailbox: &[u32],
        wanted: &[usize],
        answered: usize,
        rest_is_free: bool,
        action: &str,
    ) -> Result<Vec<u32>, CommandError> {
        let mut whole = [0; MAILBOX_DWORDS];
        whole
            .iter_mut()
            .zip(mailbox)
            .for_each(|(to, from)| *to = *from);
        let mut command = Command {
            opcode: ACCESS_REGISTER,
            ..Command::default()
        };
        let mut before = Vec::new();
        match self.mailbox {
            Mailbox::Cr => {
                command.input_modifier = 1;
                let free = if rest_is_free {
                    mailbox.len()..answered
                } else {
                    0..0
                };
                before = self.cr_mailbox_writes(&whole, &free);
            }
            Mailbox::Quads => self.write_quads(&whole, action)?,
        }
        *self.shadow = whole.map(Some);
        self.shadow
            .iter_mut()
            .take(answered)
            .for_each(|dword| *dword = None);
        match self.mailbox {
            Mailbox::Cr => {
                let after = envelope::reads(wanted, cr_mailbox_at);
                self.command(command, before, after, action)
            }
            Mailbox::Quads => {
                self.command(command, before, Vec::new(), action)?;
                self.read_quads(wanted, action)
            }
        }
    }

    /// The dwords of the mailbox in CR space that are not what they shall be.
    fn cr_mailbox_writes(&self, whole: &[u32; MAILBOX_DWORDS], free: &Range<usize>) -> Vec<Word> {
        whole
            .iter()
            .enumerate()
            .filter(|(at, dword)| {
                !free.contains(at) && self.shadow.get(*at) != Some(&Some(**dword))
            })
            .map(|(at, dword)| Word::write(cr_mailbox_at(at), *dword))
            .collect()
    }

    /// Reads single dwords behind the quads; neighbours share a quad.
    fn read_quads(&mut self, wanted: &[usize], action: &str) -> Result<Vec<u32>, CommandError> {
        let mut last: Option<(usize, [u32; 2])> = None;
        let mut dwords = Vec::with_capacity(wanted.len());
        for at in wanted {
            let first = at / 2 * 2;
            let pair = match last {
                Some((known, pair)) if known == first => pair,
                _ => self.read_quad(first, action)?,
            };
            last = Some((first, pair));
            dwords.push(pair[at % 2]);
        }
        Ok(dwords)
    }

    fn write_quads(
        &mut self,
        whole: &[u32; MAILBOX_DWORDS],
        action: &str,
    ) -> Result<(), CommandError> {
        for (index, pair) in whole.chunks_exact(2).enumerate() {
            let at = index * 2;
            let known = [Some(pair[0]), Some(pair[1])];
            if self.shadow.get(at..at + 2) == Some(&known) {
                continue;
            }
            self.command(
                Command {
                    opcode: MAILBOX_WRITE,
                    input_modifier: quad_index(at),
                    input_low: pair[0],
                    input_high: pair[1],
                    ..Command::default()
                },
                Vec::new(),
                Vec::new(),
                action,
            )?;
            self.shadow[at] = known[0];
            self.shadow[at + 1] = known[1];
        }
        Ok(())
    }

    /// Reads the dwords `at` and `at + 1` of the mailbox behind the quads.
    fn read_quad(&mut self, at: usize, action: &str) -> Result<[u32; 2], CommandError> {
        let command = Command {
            opcode: MAILBOX_READ,
            input_modifier: quad_index(at),
            ..Command::default()
        };
        let after = [HCR + 0x10, HCR + 0x0c].map(Word::read).to_vec();
        let answer = self.command(command, Vec::new(), after, action)?;
        Ok([0, 1].map(|at| answer.get(at).copied().unwrap_or(u32::MAX)))
    }

    /// All-ones may be an answer, or what a card reads as that is gone.
    fn confirm_alive(&mut self) -> Result<(), AccessError> {
        match self.hcr.gateway.read(Space::Cr, HCR_CTRL)? {
            u32::MAX => Err(AccessError::Gone {
                address: self.address(),
                what: "the tools HCR",
            }),
            _ => Ok(()),
        }
    }

    /// Runs a query whose answer lies behind the quads and reads dwords in pairs:
    /// those at the given even indices and the ones after them.
    fn query(
        &mut self,
        opcode: u16,
        opcode_modifier: u8,
        wanted: impl IntoIterator<Item = usize>,
        action: &str,
    ) -> Result<Vec<u32>, CommandError> {
        let command = Command {
            opcode,
            opcode_modifier,
            ..Command::default()
        };
        self.command(command, Vec::new(), Vec::new(), action)?;
        if self.mailbox == Mailbox::Quads {
            *self.shadow = [None; MAILBOX_DWORDS];
        }
        let mut answer = Vec::new();
        for at in wanted {
            answer.extend(self.read_quad(at, action)?);
        }
        Ok(answer)
    }

    pub(super) fn end(mut self) -> Result<(), CommandError> {
        self.release().map_err(|source| {
            self.access_error(
                &format!("releasing the {}", Semaphore::ToolsHcr.title()),
                source,
            )
        })
    }

    pub(super) fn release(&mut self) -> Result<(), AccessError> {
        release(&mut self.held, self.hcr.gateway.as_mut())
    }
}

impl Session<'_> {
    pub(super) fn query_dev_cap(&mut self) -> Result<DevCap, CommandError> {
        let pairs = DevCap::PAIRS;
        let answer = self.query(QUERY_DEV_CAP, 0, pairs, DevCap::NAME)?;
        Ok(DevCap::from_pairs(&answer))
    }

    pub(super) fn query_def_params_global(&mut self) -> Result<DefParamsGlobal, CommandError> {
        let name = DefParamsGlobal::NAME;
        let answer = self.query(
            QUERY_DEF_PARAMS,
            0,
            (0..DefParamsGlobal::DWORDS).step_by(2),
            name,
        )?;
        Ok(DefParamsGlobal::from_dwords(&answer))
    }

    pub(super) fn query_def_params_port(
        &mut self,
        port: u8,
    ) -> Result<DefParamsPort, CommandError> {
        let name = DefParamsPort::NAME;
        let answer = self.query(
            QUERY_DEF_PARAMS,
            port,
            (0..DefParamsPort::DWORDS).step_by(2),
            name,
        )?;
        Ok(DefParamsPort::from_dwords(&answer))
    }
}

impl Drop for Session<'_> {
    fn drop(&mut self) {
        // On this way out another error is already on its way to the user.
        let _ = self.release();
    }
}

fn cr_mailbox_at(dword: usize) -> u32 {
    CR_MAILBOX + quad_index(dword) * 4
}

fn quad_index(dword: usize) -> u32 {
    u32::try_from(dword).unwrap_or(u32::MAX)
}
