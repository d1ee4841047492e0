//! A serial NOR flash chip: what its commands do to its cells.
//!
//! | opcode | command |
//! |---|---|
//! | 0x9f | JEDEC id: maker, type, density |
//! | 0x05, 0x35, 0x15 | status registers 1, 2 and 3 |
//! | 0xb5 | Micron: nonvolatile configuration register |
//! | 0x06, 0x04 | write enable, write disable |
//! | 0x01, 0x31, 0x11, 0xb1 | write status registers 1 and 2, 2, 3, the configuration register |
//! | 0x03, 0x0b | read |
//! | by the chip's record, mostly 0x02 | program: only clears bits, wraps inside the page |
//! | by the chip's record, mostly 0x20 and 0xd8 | erase a block to ones |
//!
//! Whatever needs write enable loses it afterwards, keeps the chip busy for some
//! looks at status register 1, and does nothing, silently, where the block is
//! protected. A busy chip takes no other command. Addresses wrap at the size.
//!
//! Time: programs and erases take what the chip's record calls typical, each
//! started page a whole page's time; commands and reads take their bits at
//! [`SPI_CLOCK_HZ`].
//!
//! # Sources
//! Winbond W25Q16BV datasheet, rev. F, section 11 (instructions); Micron
//! N25Q128A datasheet, rev. T (command definitions).

use std::ops::Range;

use serde::{Deserialize, Serialize};

use super::cells::Cells;
use super::counters::FlashCounters;
use super::status_registers::{StatusRegisters, WEL, WIP};
use crate::hwdb::{EraseCommand, FlashChip};
use crate::sim::faults::FaultPlan;
use crate::sim::live::Progress;
use crate::sim::sabotage::FlashFate;

/// How fast the gateway is taken to clock the chip. An assumption: no public
/// source names it.
pub(crate) const SPI_CLOCK_HZ: u64 = 25_000_000;

/// Looks at the status register that find a program or a register write going on.
const PROGRAM_LOOKS: u32 = 1;
/// Looks that find an erase going on.
const ERASE_LOOKS: u32 = 2;

/// What the chip forgets without power.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Latches {
    pub(crate) write_enabled: bool,
    /// How many looks at the status register still find it busy.
    pub(crate) busy_looks: u32,
}

/// The chip and everything that it keeps without power.
#[derive(Clone, Debug)]
pub(crate) struct SpiChip {
    pub(crate) facts: ChipFacts,
    pub(crate) cells: Cells,
    pub(crate) status: StatusRegisters,
}

/// What the model needs to know of a type of chip.
#[derive(Clone, Debug, Default)]
pub(crate) struct ChipFacts {
    pub(crate) jedec: [u8; 3],
    pub(crate) bytes: u32,
    pub(crate) page: u32,
    /// The smallest block first.
    pub(crate) erase: Vec<EraseCommand>,
    pub(crate) program_opcode: u8,
    pub(crate) program_us: u32,
}

impl ChipFacts {
    /// From the chip's record.
    pub(crate) fn of(chip: &FlashChip) -> Self {
        Self {
            jedec: chip.jedec,
            bytes: chip.bytes,
            page: chip.page,
            erase: chip.erase.clone(),
            program_opcode: chip.program.opcode,
            program_us: chip.program.typical_us,
        }
    }

    /// The smallest block that it erases.
    pub(crate) fn sector(&self) -> u32 {
        self.erase.first().map_or(self.bytes, |erase| erase.bytes)
    }

    /// Its command to erase blocks of that many bytes.
    pub(crate) fn erase_of(&self, bytes: u32) -> Option<EraseCommand> {
        self.erase
            .iter()
            .find(|erase| erase.bytes == bytes)
            .copied()
    }
}

/// What is around the chip while it works.
pub(crate) struct Surroundings<'a> {
    pub(crate) latches: &'a mut Latches,
    pub(crate) counters: &'a mut FlashCounters,
    pub(crate) plan: &'a FaultPlan,
    pub(crate) progress: &'a mut Progress,
    /// Somebody else uses the chip at the same time, lock or not.
    pub(crate) disturbed: bool,
}

/// What a command leads to outside of the chip.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Outcome {
    /// Cells that were changed.
    pub(crate) changed: Option<Range<u32>>,
    /// A register that is kept without power was changed.
    pub(crate) registers_changed: bool,
    /// Power failed.
    pub(crate) power_failed: bool,
    /// Somebody else has taken the lock.
    pub(crate) lost_lock: bool,
}

impl SpiChip {
    /// A command that sends the chip's answer, from its `skip`-th byte on.
    pub(crate) fn answer(
        &self,
        opcode: u8,
        address: u32,
        skip: u32,
        data: &mut [u8],
        around: &mut Surroundings<'_>,
    ) {
        let address_bytes = u64::from(matches!(opcode, 0x03 | 0x0b)) * 3;
        clocked(around, 1 + address_bytes + data.len() as u64);
        let status = self.effective_status(around);
        match opcode {
            0x05 => {
                let mut first = status.first;
                if around.latches.write_enabled {
                    first |= WEL;
                }
                if around.latches.busy_looks > 0 {
                    first |= WIP;
                    around.latches.busy_looks -= 1;
                }
                data.fill(first);
            }
            _ if around.latches.busy_looks > 0 => {
                around.counters.refused += 1;
                data.fill(0xff);
            }
            0x9f => repeat(&self.facts.jedec, skip, data),
            0x35 => data.fill(status.second),
            0x15 => data.fill(status.third),
            0xb5 => repeat(&status.configuration.to_le_bytes(), skip, data),
            0x03 | 0x0b => {
                self.cells.read(address.wrapping_add(skip), data);
                around.counters.reads += 1;
                around.counters.read_bytes += data.len() as u64;
                if around.plan.flash_read(around.progress)
                    && let Some(byte) = data.get_mut(data.len() / 2)
                {
                    *byte ^= 1;
                }
            }
            // Nobody drives the line.
            _ => data.fill(0xff),
        }
    }

    /// A command that the chip carries out when it is deselected.
    pub(crate) fn execute(
        &mut self,
        opcode: u8,
        address: Option<u32>,
        data: &[u8],
        around: &mut Surroundings<'_>,
    ) -> Outcome {
        let address_bytes = if address.is_some() { 3 } else { 0 };
        clocked(around, 1 + address_bytes + data.len() as u64);
        if around.latches.busy_looks > 0 {
            around.counters.refused += 1;
            return Outcome::default();
        }
        let address = address.unwrap_or(0) % self.cells.size().max(1);
        let erase = self.facts.erase.iter().find(|erase| erase.opcode == opcode);
        match opcode {
            0x06 => around.latches.write_enabled = true,
            0x04 => around.latches.write_enabled = false,
            0x01 | 0x31 | 0x11 | 0xb1 => return self.write_register(opcode, data, around),
            _ if opcode == self.facts.program_opcode => return self.program(address, data, around),
            _ => {
                if let Some(erase) = erase.copied() {
                    return self.erase(address, erase, around);
                }
            }
        }
        Outcome::default()
    }

    /// The registers as faults have them.
    fn effective_status(&self, around: &Surroundings<'_>) -> StatusRegisters {
        let mut status = self.status;
        if around.plan.flash_is_protected() {
            status.protect_everything();
        }
        status
    }

    /// Whether a write is taken; write enable is gone either way.
    fn takes(&self, range: Option<&Range<u32>>, around: &mut Surroundings<'_>) -> bool {
        let enabled = std::mem::take(&mut around.latches.write_enabled);
        let status = self.effective_status(around);
        let free = range.map_or_else(
            || !status.is_locked(),
            |range| {
                let [maker, ..] = self.facts.jedec;
                let protected = status.protected(maker, self.cells.size());
                range.end <= protected.start || protected.end <= range.start
            },
        );
        let takes = enabled && free && !around.disturbed;
        around.counters.refused += u64::from(!takes);
        takes
    }

    fn write_register(
        &mut self,
        opcode: u8,
        data: &[u8],
        around: &mut Surroundings<'_>,
    ) -> Outcome {
        if !self.takes(None, around) {
            return Outcome::default();
        }
        around.latches.busy_looks = PROGRAM_LOOKS;
        around.counters.status_writes += 1;
        match (opcode, data) {
            (0x01, [first, rest @ ..]) => {
                self.status.first = first & !(WIP | WEL);
                if let [second, ..] = rest {
                    self.status.second = *second;
                }
            }
            (0x31, [second, ..]) => self.status.second = *second,
            (0x11, [third, ..]) => self.status.third = *third,
            (0xb1, [low, high, ..]) => {
                self.status.configuration = u16::from_le_bytes([*low, *high]);
            }
            _ => return Outcome::default(),
        }
        Outcome {
            registers_changed: true,
            ..Outcome::default()
        }
    }

    fn program(&mut self, address: u32, data: &[u8], around: &mut Surroundings<'_>) -> Outcome {
        let page = self.facts.page.max(1);
        let start = address - address % page;
        let range = start..start + page;
        let fate = match self.fate(&range, false, around) {
            Ok(fate) => fate,
            Err(outcome) => return outcome,
        };
        around.latches.busy_looks = PROGRAM_LOOKS;
        around.counters.programs += 1;
        around.counters.programmed_bytes += data.len() as u64;
        around.counters.modelled_ns += u64::from(self.facts.program_us) * 1000;
        let mut cells = vec![0; page as usize];
        self.cells.read(start, &mut cells);
        // In the middle of it only half of the bytes are in, and half of a byte.
        let whole = if fate.torn {
            data.len() / 2
        } else {
            data.len()
        };
        for (index, byte) in data.iter().enumerate().take(whole + 1) {
            let byte = match index.cmp(&whole) {
                std::cmp::Ordering::Less => *byte,
                _ => byte | 0x0f,
            };
            let place = (address % page) as usize + index;
            if let Some(cell) = cells.get_mut(place % page as usize) {
                *cell &= byte;
            }
        }
        for (stuck, bit) in around.plan.stuck_bits() {
            let old = self.cells.get(stuck, 1);
            if let (Some(old), Some(cell)) = (
                old.as_deref().and_then(<[u8]>::first),
                stuck
                    .checked_sub(start)
                    .and_then(|at| cells.get_mut(at as usize)),
            ) {
                *cell |= old & 1 << bit;
            }
        }
        self.cells.put(start, &cells);
        outcome(range, fate)
    }

    fn erase(
        &mut self,
        address: u32,
        command: EraseCommand,
        around: &mut Surroundings<'_>,
    ) -> Outcome {
        let start = address - address % command.bytes.max(1);
        let range = start..start + command.bytes;
        let fate = match self.fate(&range, true, around) {
            Ok(fate) => fate,
            Err(outcome) => return outcome,
        };
        around.latches.busy_looks = ERASE_LOOKS;
        *around.counters.erases.entry(command.bytes).or_default() += 1;
        around.counters.modelled_ns += u64::from(command.typical_us) * 1000;
        let half = command.bytes / 2;
        let length = if fate.torn || fate.half_erased {
            half
        } else {
            command.bytes
        };
        self.cells.put(start, &vec![0xff; length as usize]);
        if fate.torn {
            let mut rest = vec![0; (command.bytes - half) as usize];
            self.cells.read(start + half, &mut rest);
            // Some bits are ones already; which ones, nobody knows.
            let mut state = start ^ 0x9e37_79b9;
            for byte in &mut rest {
                state ^= state << 13;
                state ^= state >> 17;
                state ^= state << 5;
                *byte |= state.to_be_bytes()[0];
            }
            self.cells.put(start + half, &rest);
        }
        outcome(range, fate)
    }

    /// What becomes of a program or an erase; an outcome when it does not happen.
    fn fate(
        &self,
        range: &Range<u32>,
        erase: bool,
        around: &mut Surroundings<'_>,
    ) -> Result<FlashFate, Outcome> {
        if !self.takes(Some(range), around) {
            return Err(Outcome::default());
        }
        let fate = around.plan.flash_operation(erase, around.progress);
        if fate.lost_lock {
            around.counters.refused += 1;
            return Err(Outcome {
                lost_lock: true,
                ..Outcome::default()
            });
        }
        Ok(fate)
    }
}

fn outcome(changed: Range<u32>, fate: FlashFate) -> Outcome {
    Outcome {
        changed: Some(changed),
        power_failed: fate.torn || fate.power_cut,
        ..Outcome::default()
    }
}

fn repeat(bytes: &[u8], skip: u32, data: &mut [u8]) {
    let skip = skip as usize % bytes.len().max(1);
    for (place, byte) in data.iter_mut().zip(bytes.iter().cycle().skip(skip)) {
        *place = *byte;
    }
}

fn clocked(around: &mut Surroundings<'_>, bytes: u64) {
    around.counters.modelled_ns += bytes * 8 * 1_000_000_000 / SPI_CLOCK_HZ;
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A chip with what is around it.
    struct Bench {
        chip: SpiChip,
        latches: Latches,
        counters: FlashCounters,
        plan: FaultPlan,
        progress: Progress,
    }

    impl Bench {
        fn new(plan: &str) -> Self {
            let facts = ChipFacts::of(&FlashChip::of([0xef, 0x40, 0x15]).unwrap());
            Self {
                chip: SpiChip {
                    cells: Cells::erased(facts.bytes),
                    facts,
                    status: StatusRegisters::new(0),
                },
                latches: Latches::default(),
                counters: FlashCounters::default(),
                plan: plan.parse().unwrap(),
                progress: Progress::default(),
            }
        }

        fn split(&mut self) -> (&mut SpiChip, Surroundings<'_>) {
            let around = Surroundings {
                latches: &mut self.latches,
                counters: &mut self.counters,
                plan: &self.plan,
                progress: &mut self.progress,
                disturbed: false,
            };
            (&mut self.chip, around)
        }

        fn execute(&mut self, opcode: u8, address: u32, data: &[u8]) -> Outcome {
            let (chip, mut around) = self.split();
            chip.execute(opcode, Some(address), data, &mut around)
        }

        fn answer(&mut self, opcode: u8, address: u32, length: usize) -> Vec<u8> {
            let (chip, mut around) = self.split();
            let mut data = vec![0; length];
            chip.answer(opcode, address, 0, &mut data, &mut around);
            data
        }

        /// As a driver does it: write enable, the command, wait.
        fn write(&mut self, opcode: u8, address: u32, data: &[u8]) -> Outcome {
            self.execute(0x06, 0, &[]);
            let outcome = self.execute(opcode, address, data);
            while self.answer(0x05, 0, 1)[0] & WIP != 0 {}
            outcome
        }
    }

    #[test]
    fn programming_only_clears_bits_and_wraps_in_the_page() {
        let mut bench = Bench::new("");
        bench.write(0x02, 0x1fe, &[0xf0, 0x0f, 0x55]);
        assert_eq!(bench.answer(0x03, 0x1fe, 3), [0xf0, 0x0f, 0xff]);
        assert_eq!(bench.answer(0x03, 0x100, 2), [0x55, 0xff]);
        bench.write(0x02, 0x1fe, &[0x3c]);
        assert_eq!(bench.answer(0x0b, 0x1fe, 1), [0x30]);
        // The address wraps at the size.
        assert_eq!(bench.answer(0x03, 0x20_01fe, 1), [0x30]);
        assert_eq!(bench.counters.programs, 2);
        assert_eq!(bench.counters.programmed_bytes, 4);
        bench.write(0x20, 0x1abc, &[]);
        assert_eq!(bench.answer(0x03, 0x1fe, 1), [0x30]);
        bench.write(0xd8, 0x1234, &[]);
        assert_eq!(bench.answer(0x03, 0x100, 0x100), [0xff; 0x100]);
        assert_eq!(
            bench.counters.erases,
            [(0x1000, 1), (0x1_0000, 1)].into_iter().collect()
        );
        let chip_ns = 2 * 700_000 + 45_000_000 + 150_000_000;
        let clock_ns = bench.counters.modelled_ns - chip_ns;
        assert!((50_000..200_000).contains(&clock_ns), "{clock_ns}");
    }

    #[test]
    fn a_write_needs_its_latch_and_keeps_the_chip_busy() {
        let mut bench = Bench::new("");
        assert_eq!(bench.execute(0x02, 0, &[0]).changed, None);
        bench.execute(0x06, 0, &[]);
        assert_eq!(bench.answer(0x05, 0, 1), [WEL]);
        bench.execute(0x04, 0, &[]);
        assert_eq!(bench.execute(0x20, 0, &[]).changed, None);
        bench.execute(0x06, 0, &[]);
        assert_eq!(
            bench.execute(0x20, 0x1fff, &[]).changed,
            Some(0x1000..0x2000)
        );
        // Busy: nothing else is taken, reads read nothing.
        assert_eq!(bench.answer(0x9f, 0, 3), [0xff; 3]);
        bench.execute(0x06, 0, &[]);
        assert_eq!(bench.answer(0x05, 0, 1), [WIP]);
        assert_eq!(bench.answer(0x05, 0, 1), [WIP]);
        assert_eq!(bench.answer(0x05, 0, 1), [0]);
        assert_eq!(bench.answer(0x9f, 0, 4), [0xef, 0x40, 0x15, 0xef]);
        assert_eq!(bench.counters.refused, 4);
    }

    #[test]
    fn what_is_protected_stays_silently() {
        let mut bench = Bench::new("");
        assert!(bench.write(0x01, 0, &[0x04, 0x02]).registers_changed);
        assert_eq!(bench.answer(0x05, 0, 1), [0x04]);
        assert_eq!(bench.answer(0x35, 0, 1), [0x02]);
        bench.write(0x02, 0x1f_0000, &[0]);
        bench.write(0x02, 0x1e_ff00, &[0]);
        assert_eq!(bench.answer(0x03, 0x1f_0000, 1), [0xff]);
        assert_eq!(bench.answer(0x03, 0x1e_ff00, 1), [0]);
        let mut bench = Bench::new("flash-protected");
        bench.write(0x02, 0, &[0]);
        assert!(!bench.write(0x01, 0, &[0]).registers_changed);
        assert_eq!(bench.answer(0x03, 0, 1), [0xff]);
        assert_eq!(bench.answer(0x05, 0, 1), [0xdc]);
    }

    #[test]
    fn faults_strike_in_the_middle_and_after() {
        let mut bench = Bench::new("flash-torn@2,flash-power-cut@1,flash-stuck-bit=0x3:1");
        assert!(bench.write(0x02, 0, &[0, 0, 0, 0]).power_failed);
        assert_eq!(bench.answer(0x03, 0, 4), [0, 0, 0, 2]);
        assert!(bench.write(0x02, 8, &[0, 0, 0, 0]).power_failed);
        assert_eq!(bench.answer(0x03, 8, 4), [0, 0, 0x0f, 0xff]);
        assert!(!bench.write(0x02, 16, &[0]).power_failed);

        let mut bench = Bench::new("flash-erase-fail@1,flash-torn@4,flash-read-flip@2");
        for at in [0, 0xfff] {
            bench.write(0x02, at, &[0]);
        }
        bench.write(0x20, 0, &[]);
        assert_eq!(bench.answer(0x03, 0, 1), [0xff]);
        assert_eq!(bench.answer(0x03, 0xfff, 1), [1]);
        assert_eq!(bench.answer(0x03, 0xfff, 1), [0]);
        assert!(bench.write(0x20, 0, &[]).power_failed);
        let rest = bench.answer(0x03, 0x800, 0x800);
        assert!(rest[0x7ff] != 0 && rest[..0x700] == [0xff; 0x700]);

        let mut bench = Bench::new("flash-lost-lock@1");
        assert!(bench.write(0x02, 0, &[0]).lost_lock);
        assert_eq!(bench.answer(0x03, 0, 1), [0xff]);
    }
}
