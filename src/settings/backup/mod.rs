//! All non-volatile settings of a card: read, kept as text, put back.
//!
//! [`BackupReader`] walks over what a card has stored, [`Backup::to_text`] and
//! [`Backup::parse`] are the file, [`plan_restore`] is pure: from a backup and
//! what the card holds now to a list of TLVs to write or delete.
//!
//! A TLV that flexctl does not know is kept by its bytes. Secrets are left out
//! unless they are asked for by name.

mod contents;
mod difference;
mod parse;
mod reader;
mod restore;
mod restore_plan;
mod text;

pub use contents::{Backup, BackupCard, BackupTlv, FoundBy, Omitted, OmittedBecause};
pub use difference::Difference;
pub use parse::{BackupFileError, BackupProblem};
pub use reader::{BackupError, BackupReader, Secrets};
pub use restore::{Restore, RestoreChange, RestoreError, RestoreNote, RestoreOptions, Undeletable};
pub use restore_plan::plan_restore;
