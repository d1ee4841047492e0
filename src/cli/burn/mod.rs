//! Work on the flash of cards, from the lock to the report: what `burn`, `restore`
//! with a copy of a flash, and `enable-ipv6 --burn-rom` have in common.
//!
//! [`prepare`](prepare::prepare) looks at the flash, judges and plans; nothing is
//! written before the plan was shown and agreed to; [`carry_out`](carry_out::carry_out)
//! saves a copy, keeps the record and burns.

mod carry_out;
mod continue_burn;
mod copy;
mod doors;
mod failure;
mod job;
mod one_card;
mod opened;
mod plan_text;
mod prepare;
mod restore_flash;
mod whole_flash;

pub(super) use continue_burn::continue_one_by_one;
pub(super) use copy::Copy;
pub(super) use doors::{DoorArgs, flag};
pub(super) use job::{BurnJob, What};
pub(super) use one_card::{burn_now, burn_one_by_one, burned, look};
pub(super) use opened::Opened;
pub(super) use plan_text::plan_text;
pub(super) use prepare::{Ready, rom_in_flash};
pub(super) use restore_flash::{RestoreFlashJob, restore_flash};
pub(super) use whole_flash::{save_flash, survey_of_card};
