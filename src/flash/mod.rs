//! The card's flash: reach it, plan a change of it, carry that out so that the
//! card can boot at every moment, keep and bring back copies.
//!
//! [`Flash`] is the seam: what plans and burns does not know how the flash is
//! reached. [`open()`] takes one of two ways: the SPI gateway in CR space, or the
//! firmware's registers.

mod backup;
mod boot_address;
mod burn;
mod busy_wait;
pub mod checks;
mod chip_access;
mod error;
mod gateway;
mod gateway_lock;
#[cfg(test)]
mod in_memory;
mod left_locks;
mod link;
mod open;
mod plan;
mod protected_parts;
mod range;
mod record;
mod region;
mod registers;
mod restore;
#[cfg(test)]
mod rig;
mod spi_command;
mod whole_file;

pub use backup::{
    BackedUp, BackupCardFacts, BackupError, BackupFacts, FlashBackup, LARGEST_FLASH_BYTES, Misfit,
    back_up, check_backup_fits, is_flash_backup, read_backup, read_whole, write_backup,
};
pub use burn::{
    BootAddressOutcome, BurnError, BurnFailure, Burned, CardHolds, Phase, Progress, Quiet, burn,
    burn_at_once,
};
pub use chip_access::{Block, Flash};
pub use error::FlashError;
pub use left_locks::FlashLock;
pub use open::{FlashWay, FlashWish, open, open_without_firmware};
pub use plan::{BurnGoal, FlashPlan, PlanError, PlanTotals, Reader, Step};
pub use record::{
    BurnRecord, BurnRecords, BurnTask, PlaceRecord, RecordError, Unfinished, goal_to_continue,
};
pub use region::Region;
pub use restore::{
    Bootable, DeviceData, FlashMap, RestoreError, RestoreFailure, RestoreGoal, RestorePlan,
    Restored, SlotExtent, restore,
};
