//! What is said of a burn, to programs and, by `burn::plan_text`, to people.

use serde::Serialize;

use crate::device::Card;
use crate::flash::FlashPlan;
use crate::flash::checks::Objection;

use super::super::burn::flag;
use super::super::error::FailureReport;

/// The document of `burn`, and of `restore` with a copy of a flash.
#[derive(Debug, Serialize)]
pub(in crate::cli) struct BurnsReport {
    /// `flexctl.burn/1`, `flexctl.restore-flash/1`.
    pub(in crate::cli) schema: &'static str,
    /// One entry a card.
    pub(in crate::cli) cards: Vec<BurnReport>,
}

/// How a card's burn ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(in crate::cli) enum BurnOutcome {
    /// Written, read back, and what the next start boots.
    Burned,
    /// Nothing to do.
    Unchanged,
    /// Only planned (`--dry-run`).
    Planned,
    /// Somebody said no.
    Declined,
    /// It failed; `error` says why, `holds` what the card holds.
    Failed,
}

/// From what to what.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(in crate::cli) struct FromTo<T> {
    /// What the card has now.
    pub(in crate::cli) from: T,
    /// What it will have.
    pub(in crate::cli) to: T,
}

/// Something that speaks against it.
#[derive(Clone, Debug, Serialize)]
pub(in crate::cli) struct ObjectionReport {
    /// A stable word.
    pub(in crate::cli) kind: &'static str,
    /// What it is.
    pub(in crate::cli) text: String,
    /// The flag that lets it pass, where there is one.
    pub(in crate::cli) flag: Option<String>,
}

impl ObjectionReport {
    pub(in crate::cli) fn new(objection: &Objection) -> Self {
        Self {
            kind: objection.kind.word(),
            text: objection.to_string(),
            flag: objection.door.map(flag),
        }
    }
}

/// The flash.
#[derive(Clone, Debug, Serialize)]
pub(in crate::cli) struct FlashReport {
    /// The chip.
    pub(in crate::cli) chip: String,
    /// Its JEDEC id, three bytes in hexadecimal.
    pub(in crate::cli) jedec: String,
    /// Its size.
    pub(in crate::cli) bytes: u32,
    /// How it is reached.
    pub(in crate::cli) way: String,
}

/// A card's burn.
#[derive(Debug, Serialize)]
pub(in crate::cli) struct BurnReport {
    /// The card.
    pub(in crate::cli) card: String,
    /// The model's name.
    pub(in crate::cli) model: String,
    /// How it ended.
    pub(in crate::cli) outcome: BurnOutcome,
    /// What is burned, in words.
    pub(in crate::cli) what: String,
    /// Its flash.
    pub(in crate::cli) flash: Option<FlashReport>,
    /// Firmware version.
    pub(in crate::cli) firmware: Option<FromTo<Option<String>>>,
    /// Parameter set.
    pub(in crate::cli) psid: Option<FromTo<Option<String>>>,
    /// Images of the expansion ROM, with their versions.
    pub(in crate::cli) roms: Option<FromTo<Vec<String>>>,
    /// Whether the new ROM can boot over IPv6, as its code says.
    pub(in crate::cli) ipv6: Option<String>,
    /// Start of the image that is booted.
    pub(in crate::cli) start: Option<FromTo<Option<u32>>>,
    /// What is written, in order.
    pub(in crate::cli) plan: Vec<FlashPlan>,
    /// What stays as it is.
    pub(in crate::cli) stays: Vec<String>,
    /// What no order of writing protects from.
    pub(in crate::cli) not_covered: Vec<String>,
    /// What else there is to say.
    pub(in crate::cli) notes: Vec<String>,
    /// What stands in the way.
    pub(in crate::cli) objections: Vec<ObjectionReport>,
    /// What would, had no flag let it pass.
    pub(in crate::cli) overridden: Vec<ObjectionReport>,
    /// Where the copy of the whole flash is.
    pub(in crate::cli) backup: Option<String>,
    /// The way back, as commands.
    pub(in crate::cli) way_back: Vec<String>,
    /// What the card holds now, where it is not what it held before.
    pub(in crate::cli) holds: Option<String>,
    /// Why it failed.
    pub(in crate::cli) error: Option<FailureReport>,
}

impl BurnReport {
    /// A card of which nothing is known yet.
    pub(in crate::cli) fn new(card: &Card) -> Self {
        Self {
            card: card.selector(),
            model: card.model(),
            outcome: BurnOutcome::Failed,
            what: String::new(),
            flash: None,
            firmware: None,
            psid: None,
            roms: None,
            ipv6: None,
            start: None,
            plan: Vec::new(),
            stays: Vec::new(),
            not_covered: Vec::new(),
            notes: Vec::new(),
            objections: Vec::new(),
            overridden: Vec::new(),
            backup: None,
            way_back: Vec::new(),
            holds: None,
            error: None,
        }
    }
}
