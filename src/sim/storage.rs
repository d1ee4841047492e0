//! A card's directory: its lock and its state files.
//!
//! | file | what it holds | how it is written |
//! |---|---|---|
//! | `card.json` | what survives a power failure: settings, place, faults | anew, then renamed |
//! | `live.json` | what survives only the process: semaphores, counters | in place, one write |
//! | `flash.bin` | the flash, once it was changed; every bit inverted, so that erased parts are holes | in place |
//! | `option-rom.bin` | the expansion ROM of firmware that was booted from a changed flash | anew, then renamed |
//! | `lock` | the process that has the card open | flock for as long as it has |

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use rustix::fs::{FlockOperation, flock};
use serde::{Deserialize, Serialize};

use super::error::SimError;
use super::faults::FaultPlan;
use super::flash::{Cells, StatusRegisters};
use super::live::Live;
use super::running::Running;
use super::store::Store;

/// How long to wait for a card that another process has.
const PATIENCE: Duration = Duration::from_secs(2);

/// What survives a power failure.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct State {
    /// The profile that the card was made from.
    pub(crate) profile: String,
    /// PCI bus number.
    pub(crate) bus: u8,
    /// How many cards of this profile were on the shelf before; sets addresses apart.
    pub(crate) number: u8,
    pub(crate) reboots: u32,
    pub(crate) faults: FaultPlan,
    pub(crate) store: Store,
    /// What the card booted.
    #[serde(default, skip_serializing_if = "Running::is_as_made")]
    pub(crate) running: Running,
    /// The status registers of the flash chip, once somebody wrote them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) flash_status: Option<StatusRegisters>,
}

/// An open and locked directory of a card.
#[derive(Debug)]
pub(crate) struct Storage {
    directory: PathBuf,
    live: File,
    /// Kept for the next save: saving happens often.
    buffer: Vec<u8>,
    /// The changed flash, once it was opened.
    flash: Option<File>,
    _lock: File,
}

const STATE: &str = "card.json";
const LIVE: &str = "live.json";
const FLASH: &str = "flash.bin";
const OPTION_ROM: &str = "option-rom.bin";
/// How much of the flash is read or written at once.
const FLASH_PIECE: u32 = 0x1_0000;

impl Storage {
    /// Locks the directory, waiting a little for another process to leave.
    pub(crate) fn open(directory: &Path, name: &str) -> Result<Self, SimError> {
        let lock = take_lock(directory, name)?;
        let path = directory.join(LIVE);
        let live = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .map_err(io_error("open", &path))?;
        Ok(Self {
            directory: directory.to_owned(),
            live,
            buffer: Vec::new(),
            flash: None,
            _lock: lock,
        })
    }

    /// What was saved of the volatile state; `None` when the card is new.
    pub(crate) fn load_live(&self) -> Result<Option<Live>, SimError> {
        let path = self.directory.join(LIVE);
        let mut text = Vec::new();
        (&self.live)
            .read_to_end(&mut text)
            .map_err(io_error("read", &path))?;
        if text.is_empty() {
            return Ok(None);
        }
        serde_json::from_slice(&text)
            .map(Some)
            .map_err(|error| SimError::BadState {
                path,
                reason: error.to_string(),
            })
    }

    /// Writes the state anew and renames it into place: whole or not at all.
    pub(crate) fn save_state(&mut self, state: &State) -> io::Result<()> {
        save_state(&self.directory, state)
    }

    /// Writes the volatile state in place. One write of less than a page cannot
    /// be torn by killing the process.
    pub(crate) fn save_live(&mut self, live: &Live) -> io::Result<()> {
        self.buffer.clear();
        serde_json::to_writer(&mut self.buffer, live)?;
        // Blanks cover what a longer text before this one left behind.
        let length = self.buffer.len().max(2047);
        self.buffer.resize(length, b' ');
        self.buffer.push(b'\n');
        self.live.write_all_at(&self.buffer, 0)
    }
}

/// The changed flash and what was booted from it.
impl Storage {
    /// Whether there is a changed flash.
    pub(crate) fn has_flash(&self) -> bool {
        self.directory.join(FLASH).is_file()
    }

    /// What was saved of the flash; `None` when it was never changed.
    pub(crate) fn load_flash(&mut self, bytes: u32) -> io::Result<Option<Cells>> {
        let path = self.directory.join(FLASH);
        let file = match OpenOptions::new().read(true).write(true).open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let mut cells = Cells::erased(bytes);
        let mut piece = vec![0; FLASH_PIECE as usize];
        for at in (0..bytes).step_by(FLASH_PIECE as usize) {
            piece.fill(0);
            read_as_much_as_there_is(&file, &mut piece, u64::from(at))?;
            for (page, chunk) in (at..).step_by(0x1000).zip(piece.chunks_mut(0x1000)) {
                if chunk.iter().any(|byte| *byte != 0) {
                    chunk.iter_mut().for_each(|byte| *byte = !*byte);
                    cells.put(page, chunk);
                }
            }
        }
        self.flash = Some(file);
        Ok(Some(cells))
    }

    /// Saves the whole flash: anew, then renamed.
    pub(crate) fn save_flash(&mut self, cells: &Cells) -> io::Result<()> {
        let temporary = self.directory.join("flash.bin.new");
        let file = File::create(&temporary)?;
        file.set_len(u64::from(cells.size()))?;
        for at in (0..cells.size()).step_by(0x1000) {
            if !cells.piece_is_erased(at) {
                let mut piece = vec![0; 0x1000];
                cells.read(at, &mut piece);
                write_inverted(&file, at, &mut piece)?;
            }
        }
        fs::rename(&temporary, self.directory.join(FLASH))?;
        self.flash = Some(file);
        Ok(())
    }

    /// Saves a part of the flash in place.
    pub(crate) fn save_part_of_flash(&mut self, at: u32, bytes: &[u8]) -> io::Result<()> {
        match &self.flash {
            Some(file) => write_inverted(file, at, &mut bytes.to_vec()),
            None => Err(io::ErrorKind::NotFound.into()),
        }
    }

    /// The expansion ROM that was booted last; `None` when there was none.
    pub(crate) fn load_rom(&self) -> io::Result<Option<Vec<u8>>> {
        match fs::read(self.directory.join(OPTION_ROM)) {
            Ok(rom) => Ok(Some(rom)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Saves the expansion ROM that was booted, or that there was none.
    pub(crate) fn save_rom(&self, rom: Option<&[u8]>) -> io::Result<()> {
        let path = self.directory.join(OPTION_ROM);
        let Some(rom) = rom else {
            return match fs::remove_file(path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
                _ => Ok(()),
            };
        };
        let temporary = self.directory.join("option-rom.bin.new");
        fs::write(&temporary, rom)?;
        fs::rename(&temporary, path)
    }
}

fn write_inverted(file: &File, at: u32, bytes: &mut [u8]) -> io::Result<()> {
    bytes.iter_mut().for_each(|byte| *byte = !*byte);
    file.write_all_at(bytes, u64::from(at))
}

fn read_as_much_as_there_is(file: &File, data: &mut [u8], at: u64) -> io::Result<()> {
    let mut done = 0;
    while let Some(rest) = data.get_mut(done..).filter(|rest| !rest.is_empty()) {
        match file.read_at(rest, at + done as u64)? {
            0 => break,
            read => done += read,
        }
    }
    Ok(())
}

/// Reads what a card on disk is, without opening it.
pub(crate) fn load_state(directory: &Path) -> Result<State, SimError> {
    let path = directory.join(STATE);
    let text = fs::read(&path).map_err(io_error("read", &path))?;
    serde_json::from_slice(&text).map_err(|error| SimError::BadState {
        path,
        reason: error.to_string(),
    })
}

/// Whether there is a card in the directory.
pub(crate) fn is_card(directory: &Path) -> bool {
    directory.join(STATE).is_file()
}

/// Writes a card's state without holding the card: for a new one.
pub(crate) fn save_state(directory: &Path, state: &State) -> io::Result<()> {
    let text = serde_json::to_vec_pretty(state)?;
    let temporary = directory.join("card.json.new");
    let mut file = File::create(&temporary)?;
    file.write_all(&text)?;
    file.write_all(b"\n")?;
    fs::rename(&temporary, directory.join(STATE))
}

fn take_lock(directory: &Path, name: &str) -> Result<File, SimError> {
    let path = directory.join("lock");
    let mut file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(&path)
        .map_err(io_error("open", &path))?;
    let since = Instant::now();
    while let Err(errno) = flock(&file, FlockOperation::NonBlockingLockExclusive) {
        if errno != rustix::io::Errno::WOULDBLOCK && errno != rustix::io::Errno::INTR {
            return Err(io_error("lock", &path)(errno.into()));
        }
        if since.elapsed() >= PATIENCE {
            let mut holder = String::new();
            let pid = file
                .read_to_string(&mut holder)
                .ok()
                .and_then(|_| holder.trim().parse().ok());
            return Err(SimError::InUse {
                name: name.to_owned(),
                pid,
                waited: PATIENCE,
            });
        }
        thread::sleep(Duration::from_millis(20));
    }
    let pid = format!("{}\n", std::process::id());
    file.set_len(0)
        .and_then(|()| file.write_all_at(pid.as_bytes(), 0))
        .map_err(io_error("write", &path))?;
    Ok(file)
}

/// Wraps an I/O error of a file.
pub(crate) fn io_error(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> SimError {
    let path = path.to_owned();
    move |source| SimError::Io {
        action,
        path,
        source,
    }
}
