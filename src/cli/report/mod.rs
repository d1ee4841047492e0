//! The JSON contract: types that only grow. A change that breaks readers gets
//! a new schema number.

mod burn;
mod card;
mod change;
mod finding;
mod firmware;
mod port;
mod rom;

pub(super) use burn::{BurnOutcome, BurnReport, BurnsReport, FlashReport, FromTo, ObjectionReport};
pub(super) use card::CardReport;
pub(super) use change::{
    ChangeReport, ChangesReport, Outcome, PortChangeReport, SettingChangeReport, UnfinishedReport,
};
pub(super) use finding::{ByteChangeReport, FindingCounts, FindingReport, ProofReport};
pub(super) use firmware::{FirmwareReport, address_text, pci_id_of};
pub(super) use port::{
    ObstacleReport, PendingReport, PortReport, RomReport, Secrets, SettingReport, differs,
    interfaces,
};
pub(super) use rom::{RomTreeReport, pci_id, version_text};
