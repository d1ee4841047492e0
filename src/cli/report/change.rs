//! A change in JSON: what was planned and how it ended.

use serde::Serialize;

use crate::hwdb::Applies;
use crate::settings::{Base, Change};

use super::super::error::FailureReport;
use super::{ObstacleReport, RomReport};

/// The document of `enable-ipv6` and `disable-ipv6`.
#[derive(Debug, Serialize)]
pub(in crate::cli) struct ChangesReport {
    /// `flexctl.enable-ipv6/1` or `flexctl.disable-ipv6/1`.
    pub(in crate::cli) schema: &'static str,
    /// One entry a card.
    pub(in crate::cli) cards: Vec<ChangeReport>,
}

/// How a card's change ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(in crate::cli) enum Outcome {
    /// Written and read back.
    Changed,
    /// Nothing to do.
    Unchanged,
    /// Only planned (`--dry-run`).
    Planned,
    /// Somebody said no.
    Declined,
    /// It failed; `error` says why and what the card holds.
    Failed,
}

/// A card's change.
#[derive(Debug, Serialize)]
pub(in crate::cli) struct ChangeReport {
    /// The card.
    pub(in crate::cli) card: String,
    /// The model's name.
    pub(in crate::cli) model: String,
    /// How it ended.
    pub(in crate::cli) outcome: Outcome,
    /// Its ports.
    pub(in crate::cli) ports: Vec<PortChangeReport>,
    /// The expansion ROM.
    pub(in crate::cli) rom: Option<RomReport>,
    /// What an earlier run left unfinished.
    pub(in crate::cli) unfinished: Option<UnfinishedReport>,
    /// Where the values of before are kept.
    pub(in crate::cli) backup: Option<String>,
    /// Why it failed.
    pub(in crate::cli) error: Option<FailureReport>,
}

/// A port's change.
#[derive(Debug, Serialize)]
pub(in crate::cli) struct PortChangeReport {
    /// Counted from 1.
    pub(in crate::cli) port: u8,
    /// The PCI function that carries it.
    pub(in crate::cli) function: String,
    /// Its network interfaces.
    pub(in crate::cli) interfaces: Vec<String>,
    /// Its settings, those that stay too.
    pub(in crate::cli) settings: Vec<SettingChangeReport>,
    /// What stands between it and a boot over IPv6 afterwards.
    pub(in crate::cli) obstacles: Vec<ObstacleReport>,
}

/// A setting that changes or stays.
#[derive(Debug, Serialize)]
pub(in crate::cli) struct SettingChangeReport {
    /// Its name.
    pub(in crate::cli) name: String,
    /// What the next boot would have used.
    pub(in crate::cli) from: String,
    /// Whether that was stored or the card's default.
    pub(in crate::cli) from_base: Base,
    /// What the next boot shall use.
    pub(in crate::cli) to: String,
    /// Whether they differ.
    pub(in crate::cli) changes: bool,
    /// When it takes effect.
    pub(in crate::cli) applies: Applies,
}

impl SettingChangeReport {
    fn new(change: &Change) -> Self {
        Self {
            name: change.setting.clone(),
            from: change.from_text.clone(),
            from_base: change.from_base,
            to: change.to_text.clone(),
            changes: change.is_change(),
            applies: change.applies,
        }
    }
}

impl PortChangeReport {
    /// The changes of one port.
    pub(in crate::cli) fn new(
        port: u8,
        function: String,
        interfaces: Vec<String>,
        changes: &[Change],
        obstacles: Vec<ObstacleReport>,
    ) -> Self {
        Self {
            port,
            function,
            interfaces,
            settings: changes
                .iter()
                .filter(|change| change.port == port)
                .map(SettingChangeReport::new)
                .collect(),
            obstacles,
        }
    }
}

/// What an earlier run left unfinished.
#[derive(Clone, Debug, Serialize)]
pub(in crate::cli) struct UnfinishedReport {
    /// Its process id.
    pub(in crate::cli) process: u32,
    /// When it began, seconds since 1970.
    pub(in crate::cli) started_unix: u64,
    /// What the card holds for each of its TLVs, in words.
    pub(in crate::cli) state: Vec<String>,
}
