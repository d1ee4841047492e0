//! A change in JSON: what was planned and how it ended.

use serde::Serialize;

use crate::device::Card;
use crate::hwdb::{Applies, Risk};
use crate::settings::{Base, Change};

use super::super::error::FailureReport;
use super::BurnReport;
use super::{ObstacleReport, PendingReport, RomReport};

/// The document of every command that changes settings.
#[derive(Debug, Serialize)]
pub(in crate::cli) struct ChangesReport {
    /// `flexctl.enable-ipv6/1`, `flexctl.settings-set/1`, ...
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
    /// The burn of a ROM that comes first, where one is needed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::cli) burn: Option<Box<BurnReport>>,
    /// Its settings that belong to the whole card, those that stay too.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(in crate::cli) settings: Vec<SettingChangeReport>,
    /// Its ports.
    pub(in crate::cli) ports: Vec<PortChangeReport>,
    /// What else there is to say.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(in crate::cli) notes: Vec<String>,
    /// What is as wanted but waits for a restart; only `check` looks.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(in crate::cli) pending: Vec<PendingReport>,
    /// The restart after which everything has taken effect; null when nothing
    /// changes or waits.
    pub(in crate::cli) restart: Option<Applies>,
    /// The same in words, once it is written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::cli) restart_how: Option<String>,
    /// The expansion ROM.
    pub(in crate::cli) rom: Option<RomReport>,
    /// What an earlier run left unfinished.
    pub(in crate::cli) unfinished: Option<UnfinishedReport>,
    /// Where the values of before are kept.
    pub(in crate::cli) backup: Option<String>,
    /// Why it failed.
    pub(in crate::cli) error: Option<FailureReport>,
}

impl ChangeReport {
    /// A card of which nothing is known yet.
    pub(in crate::cli) fn new(card: &Card) -> Self {
        Self {
            card: card.selector(),
            model: card.model(),
            outcome: Outcome::Failed,
            burn: None,
            settings: Vec::new(),
            ports: Vec::new(),
            notes: Vec::new(),
            pending: Vec::new(),
            restart: None,
            restart_how: None,
            rom: None,
            unfinished: None,
            backup: None,
            error: None,
        }
    }

    /// Whether nothing was wished for.
    pub(in crate::cli) fn is_silent(&self) -> bool {
        self.settings.is_empty() && self.ports.iter().all(|port| port.settings.is_empty())
    }
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
#[derive(Clone, Debug, Serialize)]
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
    /// Whether the card's default was wished for.
    #[serde(skip_serializing_if = "is_false")]
    pub(in crate::cli) to_default: bool,
    /// What a wrong value can break.
    #[serde(skip_serializing_if = "is_none")]
    pub(in crate::cli) risk: Risk,
    /// What to know before changing it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::cli) caution: Option<String>,
    /// Why it has no effect with the other settings as they will be.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::cli) without_effect: Option<String>,
}

// serde hands a reference to such functions.
#[expect(clippy::trivially_copy_pass_by_ref)]
fn is_false(flag: &bool) -> bool {
    !flag
}

#[expect(clippy::trivially_copy_pass_by_ref)]
fn is_none(risk: &Risk) -> bool {
    *risk == Risk::None
}

impl SettingChangeReport {
    pub(in crate::cli) fn new(change: &Change) -> Self {
        Self {
            name: change.setting.clone(),
            from: change.from_text.clone(),
            from_base: change.from_base,
            to: change.to_text.clone(),
            changes: change.is_change(),
            applies: change.applies,
            to_default: change.goal_is_default,
            risk: change.risk,
            caution: change.caution.clone(),
            without_effect: change.without_effect.clone(),
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
