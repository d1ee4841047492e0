//! Operations on the non-volatile settings of a card: read, plan, apply.
//!
//! [`CardReader`] turns a card into values, [`plan`](fn@plan) is pure, [`apply`] acts:
//! it reads again, writes, reads back, and on trouble restores what was there.
//!
//! A TLV that is not set is not zero: the ROM then uses the card's defaults,
//! so they are the base of a change to it.

mod answers;
mod apply;
mod backup;
mod boot_path;
mod card_identity;
mod change;
mod ip_version;
mod name;
mod near_names;
mod pending;
mod plan;
mod plan_error;
mod port_settings;
pub mod profile;
mod read;
mod tlv_store;
mod tlv_text;
mod transaction;
mod value;

pub use apply::{Applied, ApplyError, ApplyFailure, Holds, TlvHolds, WarmReboot, apply};
pub use backup::{
    Backup, BackupCard, BackupError, BackupFileError, BackupProblem, BackupReader, BackupTlv,
    Difference, FoundBy, Omitted, OmittedBecause, Restore, RestoreChange, RestoreError,
    RestoreNote, RestoreOptions, Secrets, Undeletable, plan_restore,
};
pub use boot_path::{BOOT_PATH, Obstacle, RomFacts, obstacles, refuse_reserved};
pub use card_identity::{CardIdentity, Sameness};
pub use change::{Assignment, Base, Change, Goal, Plan, Reserved, TlvWrite};
pub use ip_version::{IpMode, PxeBoot, UnknownIpMode, goal};
pub use name::{NameError, SettingName, near};
pub use near_names::near_names;
pub use pending::{HeldAtBoot, KnownFrom, Pending, pending};
pub use plan::plan;
pub use plan_error::PlanError;
pub use port_settings::{Availability, Detail, PortSettings, SettingValue, TlvReading, Wanted};
pub use read::{CardReader, read_identity};
pub use tlv_store::{Shown, Stored, TlvKey};
pub use tlv_text::ParseTlvError;
pub use value::{Value, ValueOf};
