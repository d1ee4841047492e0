//! The flash as a part of a card: made when it is first needed, saved when it is
//! changed; and what its faults do to the card.

use super::cells::Cells;
use super::new_card;
use super::spi_chip::{Outcome, SpiChip, Surroundings};
use super::status_registers::StatusRegisters;
use crate::sim::faults::Semaphore;
use crate::sim::firmware::Firmware;

/// What a card has of its flash so far.
#[derive(Debug, Default)]
pub(crate) struct FlashPart {
    chip: Option<SpiChip>,
    /// Something was ever changed: what is in there is not what the card came with.
    changed: bool,
}

impl Firmware {
    /// The chip, with its content.
    pub(crate) fn chip(&mut self) -> &mut SpiChip {
        let chip = self.flash.chip.take().unwrap_or_else(|| self.make_chip());
        self.flash.chip.insert(chip)
    }

    fn make_chip(&mut self) -> SpiChip {
        let facts = new_card::chip(&self.profile);
        let saved = self.load_flash(facts.bytes);
        self.flash.changed = saved.is_some();
        let status = self.state.flash_status;
        SpiChip {
            cells: saved.unwrap_or_else(|| new_card::cells(&self.profile, &self.state)),
            status: status.unwrap_or_else(|| StatusRegisters::new(self.profile.flash.status)),
            facts,
        }
    }

    /// Whether the flash holds what the card came with.
    pub(crate) fn flash_is_as_made(&mut self) -> bool {
        if self.flash.chip.is_none() {
            return !self.has_saved_flash();
        }
        !self.flash.changed
    }

    /// What the chip answers to a command.
    pub(crate) fn answer_of_flash(&mut self, opcode: u8, address: u32, skip: u32, data: &mut [u8]) {
        self.with_chip(|chip, around| chip.answer(opcode, address, skip, data, around));
    }

    /// A command that the chip carries out.
    pub(crate) fn execute_in_flash(&mut self, opcode: u8, address: Option<u32>, data: &[u8]) {
        let outcome = self.with_chip(|chip, around| chip.execute(opcode, address, data, around));
        self.settle_flash(&outcome);
    }

    /// A program or an erase by the firmware, which enables it and waits itself.
    pub(crate) fn write_flash(&mut self, opcode: u8, address: u32, data: &[u8]) {
        self.live.latches.busy_looks = 0;
        self.execute_in_flash(0x06, None, &[]);
        self.execute_in_flash(opcode, Some(address), data);
        self.live.latches.busy_looks = 0;
    }

    fn with_chip<R>(&mut self, act: impl FnOnce(&mut SpiChip, &mut Surroundings<'_>) -> R) -> R {
        let mut chip = self.flash.chip.take().unwrap_or_else(|| self.make_chip());
        let mut around = Surroundings {
            latches: &mut self.live.latches,
            counters: &mut self.live.flash,
            plan: &self.state.faults,
            progress: &mut self.live.progress,
            disturbed: self.live.flash_taken,
        };
        let result = act(&mut chip, &mut around);
        self.flash.chip = Some(chip);
        result
    }

    fn settle_flash(&mut self, outcome: &Outcome) {
        if let Some(range) = &outcome.changed {
            self.save_cells(range.clone());
        }
        if outcome.registers_changed {
            self.state.flash_status = Some(self.chip().status);
            self.save_state();
        }
        if outcome.lost_lock {
            self.live.flash_taken = true;
            let generation = self.profile.card.generation;
            self.live.hold(Semaphore::Flash, generation);
        }
        self.live.gone |= outcome.power_failed;
        self.touch();
    }

    /// Saves what was just changed; everything when it is the first change.
    fn save_cells(&mut self, range: std::ops::Range<u32>) {
        let first = !std::mem::replace(&mut self.flash.changed, true);
        let Some(chip) = self.flash.chip.take() else {
            return;
        };
        if first {
            self.save_whole_flash(&chip.cells);
        } else if let Some(bytes) = chip
            .cells
            .get(range.start, range.end.saturating_sub(range.start))
        {
            self.save_part_of_flash(range.start, &bytes);
        }
        self.flash.chip = Some(chip);
    }

    /// Puts other content in, as a programmer at the chip's pins would.
    pub(crate) fn replace_flash(&mut self, cells: &Cells) {
        self.chip().cells.replace(cells);
        self.flash.changed = false;
        let size = cells.size();
        self.save_cells(0..size);
    }
}
