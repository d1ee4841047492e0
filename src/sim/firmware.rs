//! What executes commands: the settings, the faults, the state that is saved.

use std::io;
use std::sync::Arc;

use rustix::process::{Pid, Signal, getpid, kill_process};

use super::boot::Boot;
use super::faults::{Fault, FaultPlan};
use super::flash::{Cells, FlashPart};
use super::live::Live;
use super::operation::Status;
use super::profile::Profile;
use super::running::Running;
use super::sabotage::CommandFate;
use super::scalar::{Bytes, Kind, Place};
use super::storage::{State, Storage};
use super::store::{Store, Stored, When};

/// The part of a card that both generations share.
#[derive(Debug)]
pub(crate) struct Firmware {
    pub(crate) profile: Arc<Profile>,
    pub(crate) state: State,
    pub(crate) live: Live,
    pub(crate) flash: FlashPart,
    /// The verdict on a flash of this version.
    pub(crate) verdict: Option<(u64, Boot)>,
    storage: Option<Storage>,
    /// The expansion ROM that was booted from a changed flash.
    pub(crate) rom: Option<Vec<u8>>,
    /// The volatile state differs from what was saved.
    dirty: bool,
    /// Saving failed; reported with the access that caused it.
    trouble: Option<io::Error>,
    /// The process that makes the accesses, when it is not this one.
    pub(crate) caller: Option<Pid>,
}

/// A change of the stored settings.
#[derive(Debug)]
pub(crate) enum Change {
    Set(Place, Kind, Stored),
    Remove(Place, Kind),
    Clear,
}

impl Firmware {
    pub(crate) fn new(
        profile: Arc<Profile>,
        state: State,
        live: Live,
        storage: Option<Storage>,
    ) -> Self {
        let mut trouble = None;
        let rom = match &storage {
            Some(storage) if !state.running.is_as_made() => {
                storage.load_rom().unwrap_or_else(|error| {
                    trouble = Some(error);
                    None
                })
            }
            _ => None,
        };
        Self {
            rom,
            profile,
            state,
            live,
            flash: FlashPart::default(),
            verdict: None,
            storage,
            dirty: false,
            trouble,
            caller: None,
        }
    }

    fn store(&self) -> &Store {
        &self.state.store
    }

    /// Marks the volatile state as worth saving.
    pub(crate) fn touch(&mut self) {
        self.dirty = true;
    }

    /// Counts an access; whether the card answers it.
    pub(crate) fn answers(&mut self) -> bool {
        if self.state.faults.access(&mut self.live.progress) {
            self.live.gone = true;
            self.dirty = true;
        }
        if let Some(signal) = self.state.faults.signal(&self.live.progress) {
            self.save_live();
            // A caller that is gone already needs no signal.
            let _ = kill_process(self.caller.unwrap_or_else(getpid), signal);
            if signal == Signal::KILL {
                return false;
            }
        }
        !self.live.gone
    }

    /// Counts a command and says what becomes of it.
    pub(crate) fn begin_command(&mut self) -> CommandFate {
        self.live.counters.commands += 1;
        self.dirty = true;
        let fate = self.state.faults.command(&mut self.live.progress);
        self.live.stuck |= fate.stuck;
        fate
    }

    /// Lets another program change the setting first, if the plan says so now.
    pub(crate) fn disturb(&mut self, place: Place, kind: Kind) {
        if !std::mem::take(&mut self.live.progress.change_due) {
            return;
        }
        let Some(tlv) = self.profile.tlv(kind) else {
            return;
        };
        let mut data = self
            .store()
            .get(When::Next, place, kind)
            .map(|stored| stored.data.0.clone())
            .or_else(|| tlv.default.as_ref().map(|data| data.0.clone()))
            .unwrap_or_else(|| vec![0; usize::from(tlv.bytes)]);
        // The lowest bit of the last dword: it exists in every setting.
        if let Some(byte) = data.last_mut() {
            *byte ^= 1;
        }
        // 0: mlxconfig's writer ids are others, so that the stranger shows.
        let stored = Stored {
            data: Bytes(data),
            writer: 0,
        };
        self.state.store.set(place, kind, stored);
        self.save_state();
    }

    /// The stored value of a setting.
    pub(crate) fn stored(&self, when: When, place: Place, kind: Kind) -> Option<&Stored> {
        self.store().get(when, place, kind)
    }

    /// Changes the stored settings; durable when this returns.
    pub(crate) fn change(&mut self, change: Change) -> Status {
        self.live.counters.tlv_writes += 1;
        self.dirty = true;
        let fate = self.state.faults.write(&mut self.live.progress);
        if !fate.lost {
            match change {
                Change::Set(place, kind, mut stored) => {
                    if fate.corrupt {
                        stored.data.0.iter_mut().for_each(|byte| *byte = !*byte);
                    }
                    self.state.store.set(place, kind, stored);
                }
                // A deletion that goes wrong leaves what was there.
                _ if fate.corrupt => {}
                Change::Remove(place, kind) => self.state.store.remove(place, kind),
                Change::Clear => self.state.store.clear(),
            }
            self.save_state();
        }
        self.live.gone |= fate.power_cut;
        Status::OK
    }

    /// Puts a setting in as if the card had booted with it; no command, no fault.
    pub(crate) fn seed(&mut self, place: Place, kind: Kind, data: Option<Vec<u8>>) {
        let store = &mut self.state.store;
        match data {
            Some(data) => {
                let stored = Stored {
                    data: Bytes(data),
                    writer: 9,
                };
                let current = store.current.entry(place).or_default();
                current.insert(kind, stored.clone());
                store.set(place, kind, stored);
            }
            None => {
                store.remove(place, kind);
                if let Some(settings) = store.current.get_mut(&place) {
                    settings.remove(&kind);
                }
            }
        }
        self.save_state();
    }

    /// Starts a fault plan; semaphores that it holds are taken at once.
    pub(crate) fn set_faults(&mut self, plan: FaultPlan) {
        self.live.progress = super::live::Progress::default();
        self.state.faults = plan;
        self.hold_semaphores();
        self.dirty = true;
        self.save_state();
    }

    /// Takes the semaphores that the plan says somebody died holding.
    pub(crate) fn hold_semaphores(&mut self) {
        for fault in &self.state.faults.faults {
            if let Fault::HoldSemaphore(semaphore) = fault {
                self.live.hold(*semaphore, self.profile.card.generation);
                self.dirty = true;
            }
        }
    }

    /// Starts anew: what is in the flash from here on runs, settings for the next
    /// boot are in effect. A warm reset goes to the boot address.
    pub(crate) fn reboot(&mut self, warm: bool) {
        if self.boots_anew(warm) {
            let boot = self.boot(warm);
            self.state.running = Running::of(&boot);
            let rom = boot.image().and_then(|image| image.rom.as_deref());
            self.save_rom(rom);
        }
        self.state.store.reboot();
        self.state.reboots += 1;
        self.live = self.live.after_reboot();
        self.dirty = true;
        self.save_state();
    }

    /// Keeps the expansion ROM that was booted.
    fn save_rom(&mut self, rom: Option<&[u8]>) {
        self.rom = rom.map(<[u8]>::to_vec);
        let saved = self.storage.as_ref().map(|storage| storage.save_rom(rom));
        self.keep_trouble(saved);
    }

    /// Whether a changed flash was saved.
    pub(crate) fn has_saved_flash(&self) -> bool {
        self.storage.as_ref().is_some_and(Storage::has_flash)
    }

    /// What was saved of the flash; `None` when it was never changed.
    pub(crate) fn load_flash(&mut self, bytes: u32) -> Option<Cells> {
        match self.storage.as_mut()?.load_flash(bytes) {
            Ok(cells) => cells,
            Err(error) => {
                self.trouble = Some(error);
                None
            }
        }
    }

    pub(crate) fn save_whole_flash(&mut self, cells: &Cells) {
        let saved = self
            .storage
            .as_mut()
            .map(|storage| storage.save_flash(cells));
        self.keep_trouble(saved);
    }

    pub(crate) fn save_part_of_flash(&mut self, at: u32, bytes: &[u8]) {
        let saved = self
            .storage
            .as_mut()
            .map(|storage| storage.save_part_of_flash(at, bytes));
        self.keep_trouble(saved);
    }

    fn keep_trouble(&mut self, saved: Option<io::Result<()>>) {
        if let Some(Err(error)) = saved {
            self.trouble = Some(error);
        }
    }

    pub(crate) fn save_state(&mut self) {
        if let Some(storage) = &mut self.storage
            && let Err(error) = storage.save_state(&self.state)
        {
            self.trouble = Some(error);
        }
    }

    /// Saves what changed during an access.
    ///
    /// # Errors
    /// What went wrong with saving, once.
    pub(crate) fn settle(&mut self) -> io::Result<()> {
        if std::mem::take(&mut self.dirty) {
            self.save_live();
        }
        self.trouble.take().map_or(Ok(()), Err)
    }

    /// Saves the volatile state, counters included.
    pub(crate) fn save_live(&mut self) {
        if let Some(storage) = &mut self.storage
            && let Err(error) = storage.save_live(&self.live)
        {
            self.trouble = Some(error);
        }
    }
}

#[cfg(test)]
impl Firmware {
    /// The firmware of a new card in memory.
    pub(crate) fn of_profile(name: &str) -> Self {
        Self::of_changed_profile(name, |_| ())
    }

    /// The same of a card that differs from its profile.
    pub(crate) fn of_changed_profile(name: &str, change: impl FnOnce(&mut Profile)) -> Self {
        let mut profile = Profile::clone(&super::catalog::load(name).unwrap());
        change(&mut profile);
        let state = State {
            profile: name.into(),
            bus: 5,
            number: 0,
            reboots: 0,
            faults: profile.faults.clone(),
            store: Store::of(&profile),
            running: Running::AsMade,
            flash_status: None,
        };
        Self::new(Arc::new(profile), state, Live::default(), None)
    }
}
