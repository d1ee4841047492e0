//! A card's directory: its lock and its two state files.
//!
//! | file | what it holds | how it is written |
//! |---|---|---|
//! | `card.json` | what survives a power failure: settings, place, faults | anew, then renamed |
//! | `live.json` | what survives only the process: semaphores, counters | in place, one write |
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
use super::live::Live;
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
}

/// An open and locked directory of a card.
#[derive(Debug)]
pub(crate) struct Storage {
    directory: PathBuf,
    live: File,
    /// Kept for the next save: saving happens often.
    buffer: Vec<u8>,
    _lock: File,
}

const STATE: &str = "card.json";
const LIVE: &str = "live.json";

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
