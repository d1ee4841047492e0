//! The JSON contract: types that only grow. A change that breaks readers gets
//! a new schema number.

mod card;
mod change;
mod port;

pub(super) use card::CardReport;
pub(super) use change::{
    ChangeReport, ChangesReport, Outcome, PortChangeReport, SettingChangeReport, UnfinishedReport,
};
pub(super) use port::{
    ObstacleReport, PendingReport, PortReport, RomReport, Secrets, SettingReport, differs,
    interfaces,
};
