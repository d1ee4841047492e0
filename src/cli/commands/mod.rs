//! The commands, one file each.

mod apply;
mod backup;
mod burn;
mod check;
mod completions;
mod disable_ipv6;
mod doctor;
mod enable_ipv6;
mod image;
mod list;
mod man;
mod plan;
mod restore;
mod rom;
mod settings;
mod show;
mod sim;

pub(super) use apply::{ApplyArgs, apply};
pub(super) use backup::{BackupArgs, backup};
pub(super) use burn::{BurnArgs, burn};
pub(super) use check::{CheckArgs, check};
pub(super) use completions::{CompletionsArgs, completions};
pub(super) use disable_ipv6::{DisableArgs, disable_ipv6};
pub(super) use doctor::{DoctorArgs, doctor};
pub(super) use enable_ipv6::{EnableArgs, enable_ipv6};
pub(super) use image::{ImageArgs, image};
pub(super) use list::{ListArgs, list};
pub(super) use man::{ManArgs, man};
pub(super) use plan::{PlanArgs, plan};
pub(super) use restore::{RestoreArgs, restore};
pub(super) use rom::{RomArgs, rom};
pub(super) use settings::{SettingsArgs, settings};
pub(super) use show::{ShowArgs, show};
pub(super) use sim::{SimArgs, SimExecArgs, sim, sim_exec};
