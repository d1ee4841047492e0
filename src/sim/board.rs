//! The whole card: functions with their config space, a chip, its firmware.

use std::io;
use std::sync::Arc;

use super::config_space::{ConfigSpace, VPD};
use super::connectx3::ConnectX3;
use super::connectx4::ConnectX4;
use super::firmware::Firmware;
use super::instance::{Instance, recovery_device};
use super::live::Live;
use super::option_rom::OptionRom;
use super::profile::{Generation, Profile};
use super::storage::{State, Storage};
use super::vpd::{self, VpdPort};

/// One PCI function of the card.
#[derive(Clone, Debug)]
struct Slot {
    config: ConfigSpace,
    vpd: VpdPort,
    physical: bool,
}

/// What is behind the registers.
#[derive(Debug)]
enum Chip {
    ConnectX3(Box<ConnectX3>),
    ConnectX4(ConnectX4),
}

/// A card, apart from who shares it.
#[derive(Debug)]
pub(crate) struct Board {
    pub(crate) firmware: Firmware,
    pub(crate) instance: Instance,
    pub(crate) rom: Option<OptionRom>,
    pub(crate) vpd: Vec<u8>,
    slots: Vec<Slot>,
    chip: Chip,
}

impl Board {
    /// Puts a card together from what it is and what was saved of it.
    pub(crate) fn new(
        profile: &Arc<Profile>,
        state: State,
        live: Option<Live>,
        storage: Option<Storage>,
    ) -> Self {
        let card = &profile.card;
        let is_new = live.is_none();
        let mut live = live.unwrap_or_default();
        live.vsec
            .resize(usize::from(profile.physical_functions()), 0);
        let instance = Instance::new(Arc::clone(profile), &state);
        let vpd = vpd::build(card);
        let mut firmware = Firmware::new(Arc::clone(profile), state, live, storage);
        if is_new {
            firmware.hold_semaphores();
            firmware.save_live();
        }
        Self {
            slots: slots(&firmware),
            chip: chip(profile),
            rom: firmware.booted_rom(),
            firmware,
            instance,
            vpd,
        }
    }

    /// Switches the card off and on again, or resets it with power on.
    pub(crate) fn reboot(&mut self, warm: bool) {
        self.firmware.reboot(warm);
        let profile = Arc::clone(&self.firmware.profile);
        self.instance = Instance::new(Arc::clone(&profile), &self.firmware.state);
        self.rom = self.firmware.booted_rom();
        self.slots = slots(&self.firmware);
        self.chip = chip(&profile);
    }

    /// How much config space the host shows of a function.
    pub(crate) fn config_size(&self, function: usize) -> u16 {
        self.slots
            .get(function)
            .map_or(0, |slot| slot.config.shown())
    }

    /// One read of config space by the host; the caller checked the bounds.
    pub(crate) fn read_config(
        &mut self,
        function: usize,
        offset: u16,
        data: &mut [u8],
    ) -> io::Result<()> {
        self.firmware.live.counters.config_reads += 1;
        if self.firmware.answers() {
            let mut rest = data;
            let mut at = offset;
            while !rest.is_empty() {
                let inside = usize::from(at % 4);
                let (piece, tail) = rest.split_at_mut(rest.len().min(4 - inside));
                let word = self.config_dword(function, at & !3).to_le_bytes();
                piece.copy_from_slice(&word[inside..inside + piece.len()]);
                at = (at & !3) + 4;
                rest = tail;
            }
        } else {
            data.fill(0xff);
        }
        self.firmware.settle()
    }

    /// One write of config space by the host; the caller checked the bounds.
    pub(crate) fn write_config(
        &mut self,
        function: usize,
        offset: u16,
        data: &[u8],
    ) -> io::Result<()> {
        self.firmware.live.counters.config_writes += 1;
        if self.firmware.answers() {
            let mut rest = data;
            let mut at = offset;
            while !rest.is_empty() {
                let inside = usize::from(at % 4);
                let (piece, tail) = rest.split_at(rest.len().min(4 - inside));
                let mut value = [0; 4];
                let mut lanes = [0; 4];
                value[inside..inside + piece.len()].copy_from_slice(piece);
                lanes[inside..inside + piece.len()].fill(0xff);
                let (value, lanes) = (u32::from_le_bytes(value), u32::from_le_bytes(lanes));
                self.set_config_dword(function, at & !3, value, lanes);
                at = (at & !3) + 4;
                rest = tail;
            }
        }
        self.firmware.settle()
    }

    fn config_dword(&mut self, function: usize, at: u16) -> u32 {
        let Some(slot) = self.slots.get(function) else {
            return u32::MAX;
        };
        if slot.physical {
            let gateway = match &mut self.chip {
                Chip::ConnectX3(chip) => chip.read_gateway(&mut self.firmware, at),
                Chip::ConnectX4(chip) => chip.read_vsec(&mut self.firmware, function, at),
            };
            if let Some(word) = gateway {
                return word;
            }
            if at == VPD {
                return slot.config.dword(at) & 0xffff | u32::from(slot.vpd.address()) << 16;
            }
            if at == VPD + 4 {
                return slot.vpd.data();
            }
        }
        slot.config.dword(at)
    }

    fn set_config_dword(&mut self, function: usize, at: u16, value: u32, lanes: u32) {
        let Some(slot) = self.slots.get_mut(function) else {
            return;
        };
        if slot.physical {
            let taken = match &mut self.chip {
                Chip::ConnectX3(chip) => chip.write_gateway(&mut self.firmware, at, value, lanes),
                Chip::ConnectX4(chip) => {
                    chip.write_vsec(&mut self.firmware, function, at, value, lanes)
                }
            };
            if taken {
                return;
            }
            if at == VPD && lanes >> 16 == 0xffff {
                slot.vpd.set_address((value >> 16) as u16, &self.vpd);
                return;
            }
            if at == VPD + 4 {
                slot.vpd.set_data(slot.vpd.data() & !lanes | value & lanes);
                return;
            }
        }
        slot.config.write(at, value, lanes);
    }

    /// Whether a function is a physical one.
    pub(crate) fn is_physical(&self, function: usize) -> bool {
        self.slots.get(function).is_some_and(|slot| slot.physical)
    }

    /// The length of a BAR, or why the host does not map it.
    pub(crate) fn map_bar(&self, function: usize, bar: u8) -> Result<u64, &'static str> {
        if bar != 0 || !self.is_physical(function) {
            Err("the card has no registers there")
        } else if !self.firmware.profile.gateway.bar0 {
            Err("the host does not allow to map it")
        } else {
            Ok(match self.chip {
                Chip::ConnectX3(_) => 1 << 20,
                Chip::ConnectX4(_) => 32 << 20,
            })
        }
    }

    /// One load from BAR0 by the processor; the caller checked the bounds.
    pub(crate) fn read_bar(&mut self, function: usize, offset: u32) -> io::Result<u32> {
        self.firmware.live.counters.bar_reads += 1;
        let decodes = self.firmware.answers() && self.decodes(function);
        let word = match &mut self.chip {
            _ if !decodes => u32::MAX,
            // Registers are big-endian in the BAR, the processor is not.
            Chip::ConnectX3(chip) => chip.read(&mut self.firmware, offset).swap_bytes(),
            Chip::ConnectX4(chip) => chip.initial_segment(&self.firmware, offset).swap_bytes(),
        };
        self.firmware.settle()?;
        Ok(word)
    }

    /// One store to BAR0 by the processor; the caller checked the bounds.
    pub(crate) fn write_bar(&mut self, function: usize, offset: u32, value: u32) -> io::Result<()> {
        self.firmware.live.counters.bar_writes += 1;
        if self.firmware.answers()
            && self.decodes(function)
            && let Chip::ConnectX3(chip) = &mut self.chip
        {
            chip.write(&mut self.firmware, offset, value.swap_bytes());
        }
        self.firmware.settle()
    }

    fn decodes(&self, function: usize) -> bool {
        self.slots
            .get(function)
            .is_some_and(|slot| slot.config.decodes_memory())
    }
}

impl Drop for Board {
    fn drop(&mut self) {
        // Counters are saved with the next event only; this is the last one.
        self.firmware.save_live();
    }
}

fn slots(firmware: &Firmware) -> Vec<Slot> {
    let profile = &firmware.profile;
    let decoding = profile.gateway.memory_decoding;
    if !firmware.runs() {
        let mut card = profile.card.clone();
        card.device = recovery_device(&card);
        return vec![Slot {
            config: ConfigSpace::physical(&card, decoding, 0),
            vpd: VpdPort::default(),
            physical: true,
        }];
    }
    let physical = profile.physical_functions();
    let virtual_count = usize::from(physical) * usize::from(profile.card.virtual_functions);
    let mut slots: Vec<Slot> = (0..physical)
        .map(|index| Slot {
            config: ConfigSpace::physical(&profile.card, decoding, index),
            vpd: VpdPort::default(),
            physical: true,
        })
        .collect();
    slots.extend((0..virtual_count).map(|_| Slot {
        config: ConfigSpace::virtual_function(&profile.card),
        vpd: VpdPort::default(),
        physical: false,
    }));
    if physical > 1 {
        slots
            .iter_mut()
            .for_each(|slot| slot.config.mark_multifunction());
    }
    slots
}

fn chip(profile: &Profile) -> Chip {
    match profile.card.generation {
        Generation::ConnectX3 => Chip::ConnectX3(Box::new(ConnectX3::new())),
        Generation::ConnectX4 => Chip::ConnectX4(ConnectX4::new(profile)),
    }
}
