//! The record of a change: what every TLV held before the first write.
//!
//! Written and synced before the card is touched (`transactions/<card>.json`).
//! When the card holds what was planned, it becomes one of the card's changes
//! (`changes/<card>/<number>.json`, the newest 32 are kept), so that each can be
//! undone; when the card holds what it held before, it goes away. One that is
//! found under way at the next start tells what a killed run had in hand.
//!
//! Files are for their owner only: a TLV may hold a password. At every moment,
//! also after a power cut, either the record under way or the finished one is
//! there, whole.

mod error;
mod files;
mod history;
mod record;

pub use error::JournalError;
pub use history::{HistoryEntry, Journal};
pub use record::{ChangeKind, Record, RecordTlv};

/// A change that was begun and not finished.
pub type Unfinished = Record;
/// One TLV of it.
pub type UnfinishedTlv = RecordTlv;
