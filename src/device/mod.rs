//! One handle on a card: find it, open it, lock it, know what it is.

mod backup;
mod card;
mod card_lock;
mod flash_card;
mod host;
mod inventory;
mod journal;
mod open;
mod reading;
mod regular_file;
mod rom;
mod selector;
mod vital_product_data;

pub use card::{Card, CardKind, Origin};
pub use card_lock::{CardLock, LockError};
pub use flash_card::FlashCard;
pub use host::{Host, StateFolders, read_boot_id};
pub use inventory::{SelectError, scan, select};
pub use journal::{
    ChangeKind, HistoryEntry, Journal, JournalError, Record, RecordTlv, Unfinished, UnfinishedTlv,
};
pub use open::{OpenCard, OpenError};
pub use reading::{CardReading, PortCount};
pub use rom::read_rom_facts;
pub use selector::{ParseSelectorError, Selector};
pub use vital_product_data::VpdUnreadable;

// An identity is part of a backup of settings, and known from there.
pub use crate::settings::{CardIdentity, Sameness};
