//! Operations on the non-volatile settings of a card: read, plan, apply.
//!
//! [`read_port`] turns a card into values, [`plan`](fn@plan) is pure, [`apply`] acts: it
//! reads again, writes, reads back, and on trouble restores what was there.
//!
//! A TLV that is not set is not zero: the ROM then uses the card's defaults,
//! so they are the base of a change to it.

mod apply;
mod backup;
mod boot_path;
mod card_identity;
mod ip_version;
mod plan;
mod read;
mod tlv_store;
mod tlv_text;
mod transaction;
mod value;

pub use apply::{Applied, ApplyError, ApplyFailure, Holds, TlvHolds, apply};
pub use backup::{
    Backup, BackupCard, BackupError, BackupFileError, BackupProblem, BackupReader, BackupTlv,
    Difference, FoundBy, Omitted, OmittedBecause, Restore, RestoreChange, RestoreError,
    RestoreNote, RestoreOptions, Secrets, Undeletable, plan_restore,
};
pub use boot_path::{Obstacle, RomFacts, obstacles, refuse_reserved};
pub use card_identity::{CardIdentity, Sameness};
pub use ip_version::{IpMode, PxeBoot, UnknownIpMode, goal};
pub use plan::{Assignment, Base, Change, Plan, PlanError, Reserved, TlvWrite, plan};
pub use read::{
    Availability, Detail, PortSettings, SettingValue, TlvReading, read_identity, read_port,
};
pub use tlv_store::{Stored, TlvKey};
pub use tlv_text::ParseTlvError;
pub use value::{Value, ValueOf};
