//! Where virtual cards are kept.

use std::collections::BTreeMap;
use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use super::board::Board;
use super::card::Card;
use super::catalog;
use super::error::SimError;
use super::name::{check, nearest};
use super::profile::Profile;
use super::running::Running;
use super::storage::{self, State, Storage, io_error};
use super::store::Store;

/// A place for virtual cards: a directory, or memory.
///
/// Clones are the same shelf. A card that is open through a shelf is the same
/// card when it is asked for again; another process waits for it.
#[derive(Clone, Debug)]
pub struct Shelf {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    /// `None`: the cards are in memory only.
    directory: Option<PathBuf>,
    open: Mutex<BTreeMap<String, Entry>>,
}

#[derive(Debug)]
enum Entry {
    /// On disk: open for as long as somebody has it.
    OnDisk(Weak<Mutex<Board>>),
    /// In memory: there for as long as the shelf.
    InMemory(Arc<Mutex<Board>>),
}

impl Shelf {
    /// The shelf in a directory, which is made when the first card is.
    #[must_use]
    pub fn open(directory: impl Into<PathBuf>) -> Self {
        Self::of(Some(directory.into()))
    }

    /// A shelf that is gone when the program ends.
    #[must_use]
    pub fn memory() -> Self {
        Self::of(None)
    }

    fn of(directory: Option<PathBuf>) -> Self {
        Self {
            inner: Arc::new(Inner {
                directory,
                open: Mutex::default(),
            }),
        }
    }

    /// Where cards are kept unless somebody says otherwise: FLEXCTL_SIM_DIR,
    /// else flexctl/sim in XDG_STATE_HOME or in ~/.local/state.
    ///
    /// # Errors
    /// [`SimError::NoDirectory`] when the environment says nothing of the kind.
    pub fn default_directory() -> Result<PathBuf, SimError> {
        let variable = |name: &str| {
            env::var_os(name)
                .filter(|value| !value.is_empty())
                .map(PathBuf::from)
        };
        variable("FLEXCTL_SIM_DIR")
            .or_else(|| variable("XDG_STATE_HOME").map(|state| state.join("flexctl/sim")))
            .or_else(|| variable("HOME").map(|home| home.join(".local/state/flexctl/sim")))
            .ok_or(SimError::NoDirectory)
    }

    /// Where the shelf is on disk; `None` for one in memory.
    #[must_use]
    pub fn directory(&self) -> Option<&Path> {
        self.inner.directory.as_deref()
    }

    /// The card of this name; made from the profile of this name when absent.
    ///
    /// # Errors
    /// [`SimError::NoSuchCard`] when there is neither, [`SimError::InUse`] when
    /// another process has it, and what can go wrong with files.
    pub fn card(&self, name: &str) -> Result<Card, SimError> {
        check(name)?;
        let is_profile = catalog::names().any(|profile| profile == name);
        if let Some(card) = self.find(name)? {
            return Ok(card);
        }
        if is_profile {
            if let Some(card) = self.make(name, name)? {
                return Ok(card);
            }
            if let Some(card) = self.find(name)? {
                return Ok(card);
            }
        }
        let mut available = self.list()?;
        available.extend(catalog::names().map(str::to_owned));
        available.sort();
        available.dedup();
        Err(no_such_card(name, available))
    }

    /// The card if it is there, opened.
    fn find(&self, name: &str) -> Result<Option<Card>, SimError> {
        let mut open = self.lock();
        if let Some(card) = find_open(&open, name) {
            return Ok(Some(card));
        }
        let directory = self.inner.directory.as_ref().map(|shelf| shelf.join(name));
        let Some(directory) = directory.filter(|directory| storage::is_card(directory)) else {
            return Ok(None);
        };
        let card = open_card(Storage::open(&directory, name)?, &directory, name)?;
        open.insert(
            name.to_owned(),
            Entry::OnDisk(Arc::downgrade(card.shared())),
        );
        Ok(Some(card))
    }

    /// Makes a new card from a profile.
    ///
    /// It gets the profile's PCI bus, or a free one when another card has it.
    ///
    /// # Errors
    /// [`SimError::Exists`], [`SimError::NoSuchProfile`], and what can go wrong
    /// with files.
    pub fn create(&self, name: &str, profile: &str) -> Result<Card, SimError> {
        self.make(name, profile)?.ok_or_else(|| SimError::Exists {
            name: name.to_owned(),
        })
    }

    /// Makes a card; `None` when there is one of that name.
    fn make(&self, name: &str, profile: &str) -> Result<Option<Card>, SimError> {
        check(name)?;
        let data = catalog::load(profile)?;
        let state = self.new_state(profile, &data)?;
        let mut open = self.lock();
        let Some(shelf) = &self.inner.directory else {
            if open.contains_key(name) {
                return Ok(None);
            }
            let board = Arc::new(Mutex::new(Board::new(&data, state, None, None)));
            open.insert(name.to_owned(), Entry::InMemory(Arc::clone(&board)));
            return Ok(Some(Card::new(name, board)));
        };
        let directory = shelf.join(name);
        if storage::is_card(&directory) {
            return Ok(None);
        }
        fs::create_dir_all(&directory).map_err(io_error("create", &directory))?;
        let storage = Storage::open(&directory, name)?;
        // Under the lock: another process may have been faster.
        if storage::is_card(&directory) {
            return Ok(None);
        }
        storage::save_state(&directory, &state).map_err(io_error("write", &directory))?;
        let card = open_card(storage, &directory, name)?;
        open.insert(
            name.to_owned(),
            Entry::OnDisk(Arc::downgrade(card.shared())),
        );
        Ok(Some(card))
    }

    /// The names of the cards on the shelf, in order.
    ///
    /// # Errors
    /// [`SimError::Io`] when the directory is there and cannot be read.
    pub fn list(&self) -> Result<Vec<String>, SimError> {
        let Some(shelf) = &self.inner.directory else {
            return Ok(self.lock().keys().cloned().collect());
        };
        let entries = match fs::read_dir(shelf) {
            Ok(entries) => entries,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(io_error("read", shelf)(error)),
        };
        let mut names = Vec::new();
        for entry in entries {
            let entry = entry.map_err(io_error("read", shelf))?;
            if let Some(name) = entry.file_name().to_str()
                && check(name).is_ok()
                && storage::is_card(&entry.path())
            {
                names.push(name.to_owned());
            }
        }
        names.sort();
        Ok(names)
    }

    /// The profile that a card on the shelf was made from, without opening the
    /// card; `None` when there is none, or it cannot be read.
    #[must_use]
    pub fn profile_of(&self, name: &str) -> Option<String> {
        check(name).ok()?;
        let Some(shelf) = &self.inner.directory else {
            return find_open(&self.lock(), name).map(|card| card.profile());
        };
        let state = storage::load_state(&shelf.join(name)).ok()?;
        Some(state.profile)
    }

    /// Takes a card off the shelf, with everything that is set on it.
    ///
    /// # Errors
    /// [`SimError::NoSuchCard`], [`SimError::InUse`], and what can go wrong
    /// with files.
    pub fn remove(&self, name: &str) -> Result<(), SimError> {
        check(name)?;
        let available = self.list()?;
        if !available.iter().any(|known| known == name) {
            return Err(no_such_card(name, available));
        }
        let mut open = self.lock();
        if let Some(shelf) = &self.inner.directory {
            let directory = shelf.join(name);
            // The lock goes away with the directory that it is in.
            let _held = Storage::open(&directory, name)?;
            fs::remove_dir_all(&directory).map_err(io_error("remove", &directory))?;
        }
        open.remove(name);
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Entry>> {
        self.inner
            .open
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn new_state(&self, name: &str, profile: &Profile) -> Result<State, SimError> {
        let others = self.states()?;
        let taken = |bus: u8| others.iter().any(|state| state.bus == bus);
        let bus = std::iter::once(profile.card.bus)
            .chain(0x40..=0xfe)
            .find(|bus| !taken(*bus))
            .unwrap_or(0xff);
        let number = others.iter().filter(|state| state.profile == name).count();
        Ok(State {
            profile: name.to_owned(),
            bus,
            number: u8::try_from(number).unwrap_or(u8::MAX),
            reboots: 0,
            faults: profile.faults.clone(),
            store: Store::of(profile),
            running: Running::AsMade,
            flash_status: None,
        })
    }

    fn states(&self) -> Result<Vec<State>, SimError> {
        if let Some(shelf) = &self.inner.directory {
            self.list()?
                .iter()
                .map(|name| storage::load_state(&shelf.join(name)))
                .collect()
        } else {
            let open = self.lock();
            Ok(open
                .keys()
                .filter_map(|name| find_open(&open, name))
                .map(|card| card.board().firmware.state.clone())
                .collect())
        }
    }
}

fn find_open(open: &BTreeMap<String, Entry>, name: &str) -> Option<Card> {
    let board = match open.get(name)? {
        Entry::OnDisk(board) => board.upgrade()?,
        Entry::InMemory(board) => Arc::clone(board),
    };
    Some(Card::new(name, board))
}

fn no_such_card(name: &str, available: Vec<String>) -> SimError {
    let near = nearest(name, available.iter().map(String::as_str)).map(str::to_owned);
    SimError::NoSuchCard {
        name: name.to_owned(),
        near,
        available,
    }
}

fn open_card(storage: Storage, directory: &Path, name: &str) -> Result<Card, SimError> {
    let state = storage::load_state(directory)?;
    let live = storage.load_live()?;
    let profile = catalog::load(&state.profile)?;
    let board = Board::new(&profile, state, live, Some(storage));
    Ok(Card::new(name, Arc::new(Mutex::new(board))))
}
