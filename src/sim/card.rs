//! A virtual card as its owner holds it.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::board::Board;
use super::boot::Boot;
use super::counters::Counters;
use super::error::SimError;
use super::faults::FaultPlan;
use super::flash::{Cells, FlashCounters, FlashSnapshot};
use super::function::CardFunction;
use super::profile::{Generation, Scope};
use super::scalar::{Kind, Place};
use super::store::When;
use crate::pci::{Bdf, Function, FunctionInfo};

/// A virtual card. Clones are the same card.
#[derive(Clone)]
pub struct Card {
    name: Arc<str>,
    board: Arc<Mutex<Board>>,
}

/// A setting that is set on a card for the next boot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredSetting {
    /// For what it is set.
    pub place: Place,
    /// Type number; on ConnectX-4 with the class in bits 31:24.
    pub kind: u32,
    /// Its bytes as they go over the wire.
    pub data: Vec<u8>,
}

/// A semaphore that somebody holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeldSemaphore {
    /// Which one, in words.
    pub name: String,
    /// What it reads as.
    pub value: u32,
}

impl fmt::Debug for Card {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Card")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

impl Card {
    pub(crate) fn new(name: &str, board: Arc<Mutex<Board>>) -> Self {
        Self {
            name: name.into(),
            board,
        }
    }

    /// Names the process that makes the accesses from here on.
    #[cfg(feature = "cli")]
    pub(crate) fn called_by(&self, process: u32) {
        let pid = i32::try_from(process)
            .ok()
            .and_then(rustix::process::Pid::from_raw);
        self.board().firmware.caller = pid;
    }

    pub(crate) fn board(&self) -> MutexGuard<'_, Board> {
        self.board.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn shared(&self) -> &Arc<Mutex<Board>> {
        &self.board
    }

    /// The name of the card on its shelf.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The profile that it was made from.
    #[must_use]
    pub fn profile(&self) -> String {
        self.board().firmware.state.profile.clone()
    }

    /// What the card stands for, in one line.
    #[must_use]
    pub fn description(&self) -> String {
        self.board().firmware.profile.description.clone()
    }

    /// What the host lists: physical functions first, then virtual ones.
    #[must_use]
    pub fn infos(&self) -> Vec<FunctionInfo> {
        self.board().instance.infos()
    }

    /// Opens a function of the card.
    ///
    /// # Errors
    /// [`SimError::NoSuchFunction`] when the card has none there.
    pub fn function(&self, address: Bdf) -> Result<Box<dyn Function>, SimError> {
        let infos = self.infos();
        let index = infos
            .iter()
            .position(|info| info.address == address)
            .ok_or_else(|| SimError::NoSuchFunction {
                name: self.name.to_string(),
                address,
            })?;
        let board = Arc::clone(&self.board);
        Ok(Box::new(CardFunction::new(board, address, index)))
    }

    /// Switches the card off and on: settings take effect, semaphores are free.
    pub fn reboot(&self) {
        let mut board = self.board();
        board.reboot(false);
        board.firmware.save_live();
    }

    /// Resets the card with power on: as [`Card::reboot`], but firmware starts
    /// from the boot address if somebody has set one.
    pub fn warm_reset(&self) {
        let mut board = self.board();
        board.reboot(true);
        board.firmware.save_live();
    }

    /// What the card would boot if it were switched off and on; nothing changes.
    #[must_use]
    pub fn boot(&self) -> Boot {
        self.board().firmware.boot(false)
    }

    /// What the card would boot if it were reset with power on; nothing changes.
    #[must_use]
    pub fn boot_warm(&self) -> Boot {
        self.board().firmware.boot(true)
    }

    /// All bytes of the flash as it is wired: FS2 stripes are still in it.
    #[must_use]
    pub fn flash(&self) -> Vec<u8> {
        self.board().firmware.chip().cells.to_vec()
    }

    /// Some bytes of the flash; what is behind its end is left out.
    #[must_use]
    pub fn flash_bytes(&self, at: u32, length: u32) -> Vec<u8> {
        let mut board = self.board();
        let cells = &board.firmware.chip().cells;
        let length = length.min(cells.size().saturating_sub(at));
        cells.get(at, length).unwrap_or_default()
    }

    /// Puts other bytes into the flash, as a programmer at the chip's pins would.
    /// What runs stays until the next boot.
    ///
    /// # Errors
    /// [`SimError::FlashSize`] when it is not as many bytes as the chip has.
    pub fn set_flash(&self, bytes: &[u8]) -> Result<(), SimError> {
        let mut board = self.board();
        let size = board.firmware.chip().cells.size();
        if bytes.len() != size as usize {
            return Err(SimError::FlashSize {
                name: self.name.to_string(),
                size,
                given: bytes.len(),
            });
        }
        board.firmware.replace_flash(&Cells::of(bytes));
        Ok(())
    }

    /// What the flash holds now, to be put back later. Cheap.
    #[must_use]
    pub fn flash_snapshot(&self) -> FlashSnapshot {
        FlashSnapshot(self.board().firmware.chip().cells.clone())
    }

    /// Puts back what the flash of this card, or one with such a chip, held. Cheap.
    pub fn restore_flash(&self, snapshot: &FlashSnapshot) {
        self.board().firmware.replace_flash(&snapshot.0);
    }

    /// What was done to the flash since the card was made.
    #[must_use]
    pub fn flash_counters(&self) -> FlashCounters {
        self.board().firmware.live.flash.clone()
    }

    /// How often the card was rebooted.
    #[must_use]
    pub fn reboots(&self) -> u32 {
        self.board().firmware.state.reboots
    }

    /// A setting for the next boot; `None` when it is not set.
    ///
    /// `function` counts when the setting is one of a function (ConnectX-4
    /// class 3), `modifier` is the port of a ConnectX-3 setting, or 0.
    #[must_use]
    pub fn tlv(&self, function: u8, kind: u32, modifier: u8) -> Option<Vec<u8>> {
        let board = self.board();
        let place = place(&board, function, kind, modifier);
        board
            .firmware
            .stored(When::Next, place, Kind(kind))
            .map(|stored| stored.data.0.clone())
    }

    /// A setting that the card booted with; `None` when it was not set.
    #[must_use]
    pub fn current_tlv(&self, function: u8, kind: u32, modifier: u8) -> Option<Vec<u8>> {
        let board = self.board();
        let place = place(&board, function, kind, modifier);
        board
            .firmware
            .stored(When::Current, place, Kind(kind))
            .map(|stored| stored.data.0.clone())
    }

    /// Everything that is set for the next boot, in a fixed order.
    #[must_use]
    pub fn settings(&self) -> Vec<StoredSetting> {
        let board = self.board();
        let stored = board.firmware.state.store.iter();
        stored
            .map(|(place, kind, stored)| StoredSetting {
                place,
                kind: kind.0,
                data: stored.data.0.clone(),
            })
            .collect()
    }

    /// Puts a setting in as if the card had booted with it.
    ///
    /// # Errors
    /// [`SimError::NoSuchSetting`] when the card knows no such setting of that
    /// length.
    pub fn seed_tlv(
        &self,
        function: u8,
        kind: u32,
        modifier: u8,
        data: &[u8],
    ) -> Result<(), SimError> {
        let mut board = self.board();
        let fits = board
            .firmware
            .profile
            .tlv(Kind(kind))
            .is_some_and(|tlv| usize::from(tlv.bytes) == data.len());
        if !fits {
            return Err(SimError::NoSuchSetting {
                name: self.name.to_string(),
                kind,
                length: data.len(),
            });
        }
        let place = place(&board, function, kind, modifier);
        board.firmware.seed(place, Kind(kind), Some(data.to_vec()));
        Ok(())
    }

    /// Takes a setting out as if the card had booted without it.
    pub fn unset_tlv(&self, function: u8, kind: u32, modifier: u8) {
        let mut board = self.board();
        let place = place(&board, function, kind, modifier);
        board.firmware.seed(place, Kind(kind), None);
    }

    /// What was done to the card since it was made.
    #[must_use]
    pub fn counters(&self) -> Counters {
        self.board().firmware.live.counters
    }

    /// The semaphores that are taken right now.
    #[must_use]
    pub fn held_semaphores(&self) -> Vec<HeldSemaphore> {
        self.board().firmware.live.held()
    }

    /// Whether the card is gone from the bus until it reboots.
    #[must_use]
    pub fn is_gone(&self) -> bool {
        self.board().firmware.live.gone
    }

    /// What goes wrong with the card.
    #[must_use]
    pub fn faults(&self) -> FaultPlan {
        self.board().firmware.state.faults.clone()
    }

    /// Starts a fault plan; its counts begin here.
    pub fn set_faults(&self, plan: FaultPlan) {
        let mut board = self.board();
        board.firmware.set_faults(plan);
        board.firmware.save_live();
    }
}

fn place(board: &Board, function: u8, kind: u32, modifier: u8) -> Place {
    let profile = &board.firmware.profile;
    match (profile.card.generation, profile.tlv(Kind(kind))) {
        (Generation::ConnectX3, _) if modifier > 0 => Place::Port(modifier),
        (Generation::ConnectX4, Some(tlv)) if tlv.scope == Scope::Function => {
            Place::Function(function)
        }
        _ => Place::Card,
    }
}
