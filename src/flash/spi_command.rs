//! Commands of the SPI gateway as words of CR space.
//!
//! | register | bits | meaning |
//! |---|---|---|
//! | command | 0 | read: data come from the chip |
//! | command | 2 | send the opcode |
//! | command | 3 | send the address |
//! | command | 4 | move data |
//! | command | 5 | keep the chip selected afterwards |
//! | command | 10:8 | logarithm of the bytes of data, up to 16 bytes |
//! | command | 11 | which chip |
//! | command | 13 | flash enable, 4th generation |
//! | command | 14 | the address has four bytes |
//! | command | 23:16 | opcode |
//! | command | 30 | busy: set to go, the card clears it |
//! | command | 31 | lock, 5th generation |
//! | address | 23:0 | flash address |
//! | data | | four dwords; the first byte is the highest one of the first dword |
//!
//! Where the registers are, and what is set in every command of a generation,
//! is in `hwdb/flash-paths.toml`.
//!
//! # Sources
//! mstflint 4.21 `mflash_pack_layer.h`: `CntxCrConstants`; `mflash_gw.c`:
//! `cntx_exec_cmd`, `cntx_st_spi_block_read_ex`, `cntx_st_spi_block_write_ex`;
//! against virtual cards of both generations.

use bitfield_struct::bitfield;

use crate::access::Word;
use crate::hwdb::FlashGateway;

/// Opcode: write enable.
const WRITE_ENABLE: u8 = 0x06;
/// Opcode: read.
const READ: u8 = 0x03;
/// Busy, in the command register.
pub(super) const BUSY: u32 = 1 << 30;
/// Lock, in the command register of the 5th generation.
pub(super) const LOCK: u32 = 1 << 31;

/// The command register.
#[bitfield(u32)]
struct Command {
    read: bool,
    __: bool,
    send_opcode: bool,
    send_address: bool,
    move_data: bool,
    keep_selected: bool,
    #[bits(2)]
    __: u8,
    #[bits(3)]
    log2_bytes: u8,
    chip: bool,
    __: bool,
    flash_enable: bool,
    four_byte_address: bool,
    __: bool,
    opcode: u8,
    #[bits(6)]
    __: u8,
    busy: bool,
    lock: bool,
}

/// Words that make the gateway talk to the chip.
#[derive(Debug)]
pub(super) struct Commands<'r> {
    registers: &'r FlashGateway,
    words: Vec<Word>,
}

impl<'r> Commands<'r> {
    pub(super) fn new(registers: &'r FlashGateway) -> Self {
        Self {
            registers,
            words: Vec::new(),
        }
    }

    pub(super) fn into_words(self) -> Vec<Word> {
        self.words
    }

    /// Starts a command and waits for its end.
    fn go(&mut self, command: Command) {
        let register = self.registers.command;
        let bits = command.with_busy(true).into_bits() | self.registers.always;
        self.words.push(Word::write(register, bits));
        self.words.push(Word::gate(register, BUSY));
    }

    fn address(&mut self, at: u32) {
        self.words.push(Word::write(self.registers.address, at));
    }

    fn data_registers(&self) -> impl Iterator<Item = u32> + use<> {
        (self.registers.data..).step_by(4)
    }

    /// Reads what a command answers: its first four bytes are the last word.
    pub(super) fn ask(&mut self, opcode: u8) {
        let command = Command::new()
            .with_read(true)
            .with_send_opcode(true)
            .with_move_data(true)
            .with_log2_bytes(2)
            .with_opcode(opcode);
        self.go(command);
        self.words.push(Word::read(self.registers.data));
    }

    /// Reads one block of the data registers' size.
    pub(super) fn read(&mut self, at: u32) {
        let bytes = self.registers.data_bytes;
        self.address(at);
        let command = Command::new()
            .with_read(true)
            .with_send_opcode(true)
            .with_send_address(true)
            .with_move_data(true)
            .with_log2_bytes(log2(bytes))
            .with_opcode(READ);
        self.go(command);
        let data = self.data_registers().take(usize::from(bytes / 4));
        self.words.extend(data.map(Word::read));
    }

    /// Reads the command register.
    pub(super) fn look(&mut self) {
        self.words.push(Word::read(self.registers.command));
    }

    fn write_enable(&mut self) {
        let command = Command::new()
            .with_send_opcode(true)
            .with_opcode(WRITE_ENABLE);
        self.go(command);
    }

    /// Starts the erasure of a block.
    pub(super) fn erase(&mut self, opcode: u8, at: u32) {
        self.write_enable();
        self.address(at);
        let command = Command::new()
            .with_send_opcode(true)
            .with_send_address(true)
            .with_opcode(opcode);
        self.go(command);
    }

    /// Starts the programming of whole blocks of the data registers' size, all
    /// within a page: the chip stays selected from the first to the last.
    pub(super) fn program(&mut self, opcode: u8, at: u32, data: &[u8]) {
        let block = usize::from(self.registers.data_bytes);
        let last = data.len().div_ceil(block).saturating_sub(1);
        self.write_enable();
        self.address(at);
        for (index, bytes) in data.chunks(block).enumerate() {
            let dwords = bytes.chunks(4).map(|chunk| {
                let mut dword = [0xff; 4];
                dword
                    .iter_mut()
                    .zip(chunk)
                    .for_each(|(to, from)| *to = *from);
                u32::from_be_bytes(dword)
            });
            let writes = self.data_registers().zip(dwords);
            self.words
                .extend(writes.map(|(register, dword)| Word::write(register, dword)));
            let mut command = Command::new()
                .with_move_data(true)
                .with_log2_bytes(log2(self.registers.data_bytes))
                .with_keep_selected(index < last);
            if index == 0 {
                command = command
                    .with_send_opcode(true)
                    .with_send_address(true)
                    .with_opcode(opcode);
            }
            self.go(command);
        }
    }
}

fn log2(bytes: u8) -> u8 {
    u8::try_from(bytes.max(1).ilog2()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hwdb::{FirmwareInterface, FlashPath};

    fn commands(interface: FirmwareInterface, make: impl FnOnce(&mut Commands<'_>)) -> Vec<u32> {
        let registers = FlashPath::of(interface).unwrap().gateway;
        let mut commands = Commands::new(&registers);
        make(&mut commands);
        let is_command = |word: &Word| match word {
            Word::Write { address, value } if *address == registers.command => Some(*value),
            _ => None,
        };
        commands
            .into_words()
            .iter()
            .filter_map(is_command)
            .collect()
    }

    #[test]
    fn commands_are_those_that_mstflint_was_seen_to_send() {
        for (interface, expected) in [
            (
                FirmwareInterface::ToolsHcr,
                [
                    0x409f_2215,
                    0x4005_2215,
                    0x4003_241d,
                    0x4006_2004,
                    0x4020_200c,
                    0x4006_2004,
                    0x4002_243c,
                    0x4000_2430,
                    0x4000_2410,
                ],
            ),
            (
                FirmwareInterface::Icmd,
                [
                    0xc09f_0215,
                    0xc005_0215,
                    0xc003_041d,
                    0xc006_0004,
                    0xc020_000c,
                    0xc006_0004,
                    0xc002_043c,
                    0xc000_0430,
                    0xc000_0410,
                ],
            ),
        ] {
            let seen = commands(interface, |commands| {
                commands.ask(0x9f);
                commands.ask(0x05);
                commands.read(0x1000);
                commands.erase(0x20, 0x1000);
                commands.program(0x02, 0x1000, &[0; 48]);
            });
            assert_eq!(seen, expected, "{interface:?}");
        }
    }

    #[test]
    fn the_first_byte_is_the_highest_of_the_first_dword() {
        let registers = FlashPath::of(FirmwareInterface::Icmd).unwrap().gateway;
        let mut commands = Commands::new(&registers);
        let bytes: Vec<u8> = (0..16).collect();
        commands.program(0x02, 0x40, &bytes);
        let words = commands.into_words();
        assert!(words.contains(&Word::write(0xf_0404, 0x40)));
        assert!(words.contains(&Word::write(0xf_0410, 0x0001_0203)));
        assert!(words.contains(&Word::write(0xf_041c, 0x0c0d_0e0f)));
    }
}
