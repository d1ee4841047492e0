//! One change of a card, as it is written down.
//!
//! JSON, `flexctl.change/2`; `flexctl.transaction/1`, which knew no identity, no
//! kind and no boot, is read too.

use std::fmt;
use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use crate::device::Card;
use crate::pci::Bdf;
use crate::settings::{CardIdentity, Plan, Sameness, Stored, TlvKey, TlvWrite};

/// What is written.
pub(super) const SCHEMA: &str = "flexctl.change/2";
/// What is read.
pub(super) const SCHEMAS: [&str; 2] = [SCHEMA, "flexctl.transaction/1"];

/// What a change was made for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ChangeKind {
    /// Settings by name.
    #[default]
    Set,
    /// A profile.
    Apply,
    /// A backup.
    Restore,
    /// Back to defaults.
    Reset,
    /// IPv6 on.
    EnableIpv6,
    /// IPv6 off.
    DisableIpv6,
    /// Taking back the change of this number.
    Undo(u64),
}

impl fmt::Display for ChangeKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Set => f.write_str("set"),
            Self::Apply => f.write_str("apply"),
            Self::Restore => f.write_str("restore"),
            Self::Reset => f.write_str("reset"),
            Self::EnableIpv6 => f.write_str("enable-ipv6"),
            Self::DisableIpv6 => f.write_str("disable-ipv6"),
            Self::Undo(number) => write!(f, "undo of change {number}"),
        }
    }
}

/// One TLV of a change.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RecordTlv {
    /// The PCI function.
    pub function: String,
    /// The port, counted from 1; 0 for the card.
    pub port: u8,
    /// The TLV's name.
    pub tlv: String,
    /// The card's name for it.
    pub key: String,
    /// Whether its contents must not be shown.
    #[serde(default, skip_serializing_if = "is_false")]
    pub secret: bool,
    /// What it held before: hexadecimal, or "not set".
    pub before: String,
    /// What was to be written, or "not set" where it was to be deleted.
    pub after: String,
}

#[allow(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde asks for a reference"
)]
fn is_false(value: &bool) -> bool {
    !value
}

impl fmt::Debug for RecordTlv {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RecordTlv")
            .field("function", &self.function)
            .field("port", &self.port)
            .field("tlv", &self.tlv)
            .field("key", &self.key)
            .field("before", &self.shown(&self.before))
            .field("after", &self.shown(&self.after))
            .finish()
    }
}

/// For people; a secret is hidden.
impl fmt::Display for RecordTlv {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}: port {}: {} ({}): {} -> {}",
            self.function,
            self.port,
            self.tlv,
            self.key,
            self.shown(&self.before),
            self.shown(&self.after)
        )
    }
}

impl RecordTlv {
    /// A TLV that is about to be changed.
    #[must_use]
    pub fn new(
        function: Bdf,
        port: u8,
        (tlv, key): (&str, TlvKey),
        before: &Stored,
        after: &Stored,
    ) -> Self {
        Self {
            function: function.to_string(),
            port,
            tlv: tlv.to_owned(),
            key: key.to_string(),
            secret: false,
            before: before.to_string(),
            after: after.to_string(),
        }
    }

    /// One write of a plan.
    #[must_use]
    pub fn of(write: &TlvWrite) -> Self {
        Self::new(
            write.function,
            write.port,
            (&write.name, write.key),
            &write.before,
            &write.after,
        )
        .hidden_if(write.secret)
    }

    /// The same, hidden wherever it is shown.
    #[must_use]
    pub fn hidden_if(self, secret: bool) -> Self {
        Self { secret, ..self }
    }

    /// Its function; `None` when somebody wrote something else there.
    #[must_use]
    pub fn address(&self) -> Option<Bdf> {
        self.function.parse().ok()
    }

    /// Its key; `None` as above.
    #[must_use]
    pub fn tlv_key(&self) -> Option<TlvKey> {
        self.key.parse().ok()
    }

    /// What it held before; `None` as above.
    #[must_use]
    pub fn stored_before(&self) -> Option<Stored> {
        self.before.parse().ok()
    }

    /// What was to be written; `None` as above.
    #[must_use]
    pub fn stored_after(&self) -> Option<Stored> {
        self.after.parse().ok()
    }

    fn shown<'a>(&self, contents: &'a str) -> &'a str {
        if self.secret && contents != "not set" {
            "(hidden)"
        } else {
            contents
        }
    }

    pub(super) fn is_same(&self, other: &Self) -> bool {
        self.function == other.function && self.key == other.key
    }
}

/// A change that was begun.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Record {
    /// `flexctl.change/2`, or `flexctl.transaction/1` of earlier versions.
    pub schema: String,
    /// The card, as a selector.
    pub card: String,
    /// Which card and board; earlier versions did not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identity: Option<CardIdentity>,
    /// What the change was made for.
    #[serde(default)]
    pub kind: ChangeKind,
    /// Process id of the run.
    pub process: u32,
    /// When it began, seconds since 1970.
    pub started_unix: u64,
    /// The boot of the host in which it ran (boot_id), where the host says it:
    /// after another boot the process is certainly gone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub boot_id: Option<String>,
    /// What it was to write.
    pub tlvs: Vec<RecordTlv>,
}

impl Record {
    /// A change that begins now, by this process.
    #[must_use]
    pub fn new(
        card: &Card,
        identity: Option<CardIdentity>,
        kind: ChangeKind,
        boot_id: Option<String>,
        tlvs: Vec<RecordTlv>,
    ) -> Self {
        Self {
            schema: SCHEMA.to_owned(),
            card: card.selector(),
            identity,
            kind,
            process: std::process::id(),
            started_unix: now_unix(),
            boot_id,
            tlvs,
        }
    }

    /// The same record without the TLVs of a plan; `None` when nothing is left.
    #[must_use]
    pub fn without(&self, plan: &Plan) -> Option<Self> {
        let planned: Vec<RecordTlv> = plan.writes.iter().map(RecordTlv::of).collect();
        self.without_tlvs(&planned)
    }

    /// The same record without these TLVs; `None` when nothing is left.
    #[must_use]
    pub fn without_tlvs(&self, tlvs: &[RecordTlv]) -> Option<Self> {
        let mut rest = self.clone();
        rest.tlvs
            .retain(|tlv| !tlvs.iter().any(|other| tlv.is_same(other)));
        (!rest.tlvs.is_empty()).then_some(rest)
    }

    /// Whether it is of this board, as far as both say.
    #[must_use]
    pub fn is_of(&self, board: &CardIdentity) -> Sameness {
        let Some(recorded) = &self.identity else {
            return Sameness::CannotTell;
        };
        match recorded.is_same_model(board) {
            Sameness::Other => Sameness::Other,
            _ => recorded.is_same_board(board),
        }
    }

    /// How long ago it began, in words; empty when the clock was set back.
    #[must_use]
    pub fn age(&self) -> String {
        let seconds = now_unix().saturating_sub(self.started_unix);
        match seconds {
            0..=119 => format!("{seconds} s ago"),
            120..=7199 => format!("{} min ago", seconds / 60),
            7200..=172_799 => format!("{} h ago", seconds / 3600),
            _ => format!("{} days ago", seconds / 86400),
        }
    }

    /// Takes over what an earlier run left unfinished: the values to go back to
    /// are those before that run.
    pub(super) fn take_over(&mut self, earlier: &Self) {
        for old in &earlier.tlvs {
            match self.tlvs.iter_mut().find(|tlv| tlv.is_same(old)) {
                Some(tlv) => tlv.before.clone_from(&old.before),
                None => self.tlvs.push(old.clone()),
            }
        }
    }
}

fn now_unix() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs())
}
