//! Copies of a whole flash, as files.
//!
//! A gzip file (RFC 1952) whose content is the flash as it is wired: `zcat` gives
//! a dump that mstflint reads. What the card is stands in the header.
//!
//! | part of the gzip header | what is in it |
//! |---|---|
//! | extra subfield `FX` | [`BackupFacts`] as JSON |
//! | extra subfield `FC` | CRC-32 of the header, these four bytes as zeros, little-endian |
//! | comment | the same facts for people |

mod error;
mod facts;
mod fits;
mod header;
mod read_file;
mod take;
#[cfg(test)]
mod whole_way;

pub use error::BackupError;
pub use facts::{BackupCardFacts, BackupFacts};
pub use fits::{Misfit, check_backup_fits};
pub(super) use read_file::sha256_of;
pub use read_file::{FlashBackup, is_flash_backup, read_backup};
pub use take::{BackedUp, back_up, read_whole, write_backup};

/// No flash of these cards is larger, nor is any backup.
pub const LARGEST_FLASH_BYTES: u32 = 64 << 20;
