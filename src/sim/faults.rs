//! What goes wrong with a card, as text that a person can type.
//!
//! A plan is a list of faults with commas between them:
//!
//! | fault | what happens |
//! |---|---|
//! | `stuck-busy`, `stuck-busy@K` | every command, or the K-th one, never finishes |
//! | `hold-semaphore=vsec` (`icmd`, `hcr`, `flash`) | somebody died holding that semaphore |
//! | `status=0x22`, `status=0x22@K` | every command, or the K-th one, answers that status |
//! | `all-ones@K` | from the K-th access on the card is gone from the bus |
//! | `power-cut-access@K` | power fails at the K-th access |
//! | `power-cut@K` | power fails just after the K-th settings write |
//! | `lost-write@K` | the K-th settings write answers ok and is not stored |
//! | `corrupt-write@K` | the K-th settings write answers ok and stores something else |
//! | `foreign-change@K` | another program changes the setting just before the K-th command reaches it |
//! | `kill@K` | the program that talks to the card is killed (SIGKILL) as it makes the K-th access |
//! | `flash-power-cut@K` | power fails just after the K-th program or erase of the flash |
//! | `flash-torn@K` | power fails in the middle of the K-th program or erase of the flash |
//! | `flash-erase-fail@K` | the K-th erase erases the first half of its block only |
//! | `flash-read-flip@K` | the K-th read of the flash has one wrong bit |
//! | `flash-lost-lock@K` | somebody else takes the flash just before the K-th program or erase, which does nothing |
//! | `flash-stuck-bit=ADDRESS`, `=ADDRESS:BIT` | that bit (0 is the lowest) cannot be programmed |
//! | `flash-protected` | all of the flash is write protected, and the protection locked |
//! | `interrupt@K` | the same program gets SIGINT as it makes the K-th access, which is answered |
//!
//! K counts from 1, and from the moment the plan is set. An access is one read
//! or write of config space or a BAR; a command is one that firmware executes
//! (moving the ConnectX-3 mailbox does not count); a settings write is one
//! that changes the store, deletions included; a program, erase or read of the
//! flash is one command to the chip that it carries out. What is gone stays gone until
//! the card reboots.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::name::nearest;

/// A semaphore of the card that other programs take as well.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Semaphore {
    /// The vendor capability's own (ConnectX-4), of every function.
    Vsec,
    /// The one of the ICMD mailbox (ConnectX-4).
    Icmd,
    /// The one of the tools HCR (ConnectX-3).
    Hcr,
    /// All that guard the flash: of the SPI gateway and of flash programming.
    Flash,
}

impl Semaphore {
    const ALL: [Self; 4] = [Self::Vsec, Self::Icmd, Self::Hcr, Self::Flash];

    fn name(self) -> &'static str {
        match self {
            Self::Vsec => "vsec",
            Self::Icmd => "icmd",
            Self::Hcr => "hcr",
            Self::Flash => "flash",
        }
    }
}

/// One thing that goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// Every command, or the `at`-th one, never finishes.
    StuckBusy {
        /// Which command, from 1; `None` for all.
        at: Option<u64>,
    },
    /// Somebody died holding a semaphore.
    HoldSemaphore(Semaphore),
    /// Every command, or the `at`-th one, answers a status.
    Status {
        /// The status.
        status: u8,
        /// Which command, from 1; `None` for all.
        at: Option<u64>,
    },
    /// The card is gone from the bus from this access on.
    AllOnes {
        /// Which access, from 1.
        at: u64,
    },
    /// Power fails at this access.
    PowerCutAccess {
        /// Which access, from 1.
        at: u64,
    },
    /// Power fails just after this settings write.
    PowerCut {
        /// Which write, from 1.
        at: u64,
    },
    /// This settings write answers ok and is not stored.
    LostWrite {
        /// Which write, from 1.
        at: u64,
    },
    /// This settings write answers ok and stores something else.
    CorruptWrite {
        /// Which write, from 1.
        at: u64,
    },
    /// Another program changes the setting just before this command reaches it.
    ForeignChange {
        /// Which command, from 1.
        at: u64,
    },
    /// The program that makes this access is killed before it reaches the card.
    Kill {
        /// Which access, from 1.
        at: u64,
    },
    /// Power fails just after this program or erase of the flash.
    FlashPowerCut {
        /// Which program or erase, from 1.
        at: u64,
    },
    /// Power fails in the middle of this program or erase of the flash.
    FlashTorn {
        /// Which program or erase, from 1.
        at: u64,
    },
    /// This erase of the flash erases the first half of its block only.
    FlashEraseFail {
        /// Which erase, from 1.
        at: u64,
    },
    /// This read of the flash has one wrong bit.
    FlashReadFlip {
        /// Which read, from 1.
        at: u64,
    },
    /// Somebody else takes the flash just before this program or erase.
    FlashLostLock {
        /// Which program or erase, from 1.
        at: u64,
    },
    /// A bit of the flash cannot be programmed.
    FlashStuckBit {
        /// The byte's address.
        address: u32,
        /// Which of its bits, 0 is the lowest.
        bit: u8,
    },
    /// All of the flash is write protected, and the protection locked.
    FlashProtected,
    /// The program that makes this access is asked to stop.
    Interrupt {
        /// Which access, from 1.
        at: u64,
    },
}

const NAMES: [&str; 18] = [
    "stuck-busy",
    "hold-semaphore",
    "status",
    "all-ones",
    "power-cut-access",
    "power-cut",
    "lost-write",
    "corrupt-write",
    "foreign-change",
    "kill",
    "interrupt",
    "flash-power-cut",
    "flash-torn",
    "flash-erase-fail",
    "flash-read-flip",
    "flash-lost-lock",
    "flash-stuck-bit",
    "flash-protected",
];

/// A text that is not a fault.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ParseFaultError {
    /// No fault has this name.
    #[error("no fault is called `{name}`{}", suggestion(.near.as_deref()))]
    Unknown {
        /// The name as it was given.
        name: String,
        /// A name that it may have been meant for.
        near: Option<String>,
    },
    /// The fault needs to know at which occurrence it happens.
    #[error("`{name}` needs a count from 1, as in `{name}@3`")]
    NeedsCount {
        /// The fault.
        name: String,
    },
    /// What follows the `@` is not a count from 1.
    #[error("`{text}`: what follows `@` is not a count from 1")]
    BadCount {
        /// The fault as it was given.
        text: String,
    },
    /// The fault takes no count.
    #[error("`{name}` holds from the start and takes no `@`")]
    TakesNoCount {
        /// The fault.
        name: String,
    },
    /// What follows the `=` is wrong or missing.
    #[error("`{text}`: expected {expected}")]
    BadValue {
        /// The fault as it was given.
        text: String,
        /// What it takes.
        expected: &'static str,
    },
}

fn suggestion(name: Option<&str>) -> String {
    name.map_or_else(
        || format!(" (there are {})", NAMES.join(", ")),
        |name| format!(", did you mean `{name}`?"),
    )
}

impl FromStr for Fault {
    type Err = ParseFaultError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (rest, at) = match text.split_once('@') {
            None => (text, None),
            Some((rest, count)) => {
                let count = count.parse::<u64>().ok().filter(|count| *count > 0);
                let bad = || ParseFaultError::BadCount {
                    text: text.to_owned(),
                };
                (rest, Some(count.ok_or_else(bad)?))
            }
        };
        let (name, value) = match rest.split_once('=') {
            None => (rest, None),
            Some((name, value)) => (name, Some(value)),
        };
        let bad_value = |expected| ParseFaultError::BadValue {
            text: text.to_owned(),
            expected,
        };
        let count = || {
            at.ok_or_else(|| ParseFaultError::NeedsCount {
                name: name.to_owned(),
            })
        };
        let takes_value = matches!(name, "hold-semaphore" | "status" | "flash-stuck-bit");
        if value.is_some() && NAMES.contains(&name) && !takes_value {
            return Err(bad_value("no value"));
        }
        let lasting = matches!(
            name,
            "hold-semaphore" | "flash-stuck-bit" | "flash-protected"
        );
        if at.is_some() && lasting {
            return Err(ParseFaultError::TakesNoCount {
                name: name.to_owned(),
            });
        }
        Ok(match name {
            "stuck-busy" => Self::StuckBusy { at },
            "hold-semaphore" => {
                let held = Semaphore::ALL
                    .into_iter()
                    .find(|semaphore| Some(semaphore.name()) == value);
                Self::HoldSemaphore(held.ok_or_else(|| bad_value("=vsec, =icmd, =hcr or =flash"))?)
            }
            "status" => Self::Status {
                status: value
                    .and_then(status)
                    .ok_or_else(|| bad_value("=STATUS, a number from 1 to 0x7f"))?,
                at,
            },
            "all-ones" => Self::AllOnes { at: count()? },
            "power-cut-access" => Self::PowerCutAccess { at: count()? },
            "power-cut" => Self::PowerCut { at: count()? },
            "lost-write" => Self::LostWrite { at: count()? },
            "corrupt-write" => Self::CorruptWrite { at: count()? },
            "foreign-change" => Self::ForeignChange { at: count()? },
            "kill" => Self::Kill { at: count()? },
            "interrupt" => Self::Interrupt { at: count()? },
            "flash-power-cut" => Self::FlashPowerCut { at: count()? },
            "flash-torn" => Self::FlashTorn { at: count()? },
            "flash-erase-fail" => Self::FlashEraseFail { at: count()? },
            "flash-read-flip" => Self::FlashReadFlip { at: count()? },
            "flash-lost-lock" => Self::FlashLostLock { at: count()? },
            "flash-stuck-bit" => {
                let place = value.and_then(bit_of_flash);
                let (address, bit) = place.ok_or_else(|| {
                    bad_value("=ADDRESS or =ADDRESS:BIT, as in =0x10004:3, bits from 0 to 7")
                })?;
                Self::FlashStuckBit { address, bit }
            }
            "flash-protected" => Self::FlashProtected,
            _ => {
                return Err(ParseFaultError::Unknown {
                    name: name.to_owned(),
                    near: nearest(name, NAMES).map(str::to_owned),
                });
            }
        })
    }
}

/// Seven bits: the status field of the operation TLV.
fn status(text: &str) -> Option<u8> {
    let number = match text.strip_prefix("0x") {
        Some(digits) => u8::from_str_radix(digits, 16),
        None => text.parse(),
    };
    number.ok().filter(|status| (1..0x80).contains(status))
}

/// An address, and the number of a bit, 0 if it is left out.
fn bit_of_flash(text: &str) -> Option<(u32, u8)> {
    let (address, bit) = text.split_once(':').unwrap_or((text, "0"));
    let address = match address.strip_prefix("0x") {
        Some(digits) => u32::from_str_radix(digits, 16),
        None => address.parse(),
    };
    let bit = bit.parse().ok().filter(|bit| *bit < 8)?;
    Some((address.ok()?, bit))
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let optional = |at: &Option<u64>| at.map_or_else(String::new, |at| format!("@{at}"));
        match self {
            Self::StuckBusy { at } => write!(f, "stuck-busy{}", optional(at)),
            Self::HoldSemaphore(semaphore) => write!(f, "hold-semaphore={}", semaphore.name()),
            Self::Status { status, at } => write!(f, "status={status:#04x}{}", optional(at)),
            Self::AllOnes { at } => write!(f, "all-ones@{at}"),
            Self::PowerCutAccess { at } => write!(f, "power-cut-access@{at}"),
            Self::PowerCut { at } => write!(f, "power-cut@{at}"),
            Self::LostWrite { at } => write!(f, "lost-write@{at}"),
            Self::CorruptWrite { at } => write!(f, "corrupt-write@{at}"),
            Self::ForeignChange { at } => write!(f, "foreign-change@{at}"),
            Self::Kill { at } => write!(f, "kill@{at}"),
            Self::Interrupt { at } => write!(f, "interrupt@{at}"),
            Self::FlashPowerCut { at } => write!(f, "flash-power-cut@{at}"),
            Self::FlashTorn { at } => write!(f, "flash-torn@{at}"),
            Self::FlashEraseFail { at } => write!(f, "flash-erase-fail@{at}"),
            Self::FlashReadFlip { at } => write!(f, "flash-read-flip@{at}"),
            Self::FlashLostLock { at } => write!(f, "flash-lost-lock@{at}"),
            Self::FlashStuckBit { address, bit } => {
                write!(f, "flash-stuck-bit={address:#010x}:{bit}")
            }
            Self::FlashProtected => f.write_str("flash-protected"),
        }
    }
}

/// Everything that goes wrong with a card; empty for a healthy one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct FaultPlan {
    /// The faults, in no particular order.
    pub faults: Vec<Fault>,
}

impl FromStr for FaultPlan {
    type Err = ParseFaultError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let faults = text
            .split(',')
            .map(str::trim)
            .filter(|part| !part.is_empty())
            .map(str::parse)
            .collect::<Result<_, _>>()?;
        Ok(Self { faults })
    }
}

impl fmt::Display for FaultPlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, fault) in self.faults.iter().enumerate() {
            let comma = if index == 0 { "" } else { "," };
            write!(f, "{comma}{fault}")?;
        }
        Ok(())
    }
}

impl TryFrom<String> for FaultPlan {
    type Error = ParseFaultError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<FaultPlan> for String {
    fn from(plan: FaultPlan) -> Self {
        plan.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_is_printed_as_it_was_typed() {
        let text = "stuck-busy,stuck-busy@2,hold-semaphore=icmd,status=0x22@3,status=0x08,\
                    all-ones@120,power-cut-access@7,power-cut@2,lost-write@1,corrupt-write@1,\
                    foreign-change@4,kill@9,interrupt@8,flash-power-cut@3,flash-torn@2,\
                    flash-erase-fail@1,flash-read-flip@7,flash-lost-lock@5,\
                    flash-stuck-bit=0x00010004:3,flash-protected,hold-semaphore=flash";
        assert_eq!(text.parse::<FaultPlan>().unwrap().to_string(), text);
        assert_eq!("".parse::<FaultPlan>().unwrap(), FaultPlan::default());
        assert_eq!(
            "status=34@3".parse::<Fault>().unwrap(),
            Fault::Status {
                status: 0x22,
                at: Some(3)
            }
        );
    }

    #[test]
    fn says_what_is_wrong_with_a_fault() {
        let said = |text: &str| text.parse::<FaultPlan>().unwrap_err().to_string();
        insta::assert_snapshot!(said("stuck-bsy"), @"no fault is called `stuck-bsy`, did you mean `stuck-busy`?");
        insta::assert_snapshot!(said("gremlins"), @"no fault is called `gremlins` (there are stuck-busy, hold-semaphore, status, all-ones, power-cut-access, power-cut, lost-write, corrupt-write, foreign-change, kill, interrupt, flash-power-cut, flash-torn, flash-erase-fail, flash-read-flip, flash-lost-lock, flash-stuck-bit, flash-protected)");
        insta::assert_snapshot!(said("power-cut"), @"`power-cut` needs a count from 1, as in `power-cut@3`");
        insta::assert_snapshot!(said("power-cut@0"), @"`power-cut@0`: what follows `@` is not a count from 1");
        insta::assert_snapshot!(said("hold-semaphore=rom"), @"`hold-semaphore=rom`: expected =vsec, =icmd, =hcr or =flash");
        insta::assert_snapshot!(said("flash-stuck-bit=0x10:8"), @"`flash-stuck-bit=0x10:8`: expected =ADDRESS or =ADDRESS:BIT, as in =0x10004:3, bits from 0 to 7");
        insta::assert_snapshot!(said("flash-protected@1"), @"`flash-protected` holds from the start and takes no `@`");
        insta::assert_snapshot!(said("hold-semaphore=vsec@2"), @"`hold-semaphore` holds from the start and takes no `@`");
        insta::assert_snapshot!(said("status=0x80"), @"`status=0x80`: expected =STATUS, a number from 1 to 0x7f");
        insta::assert_snapshot!(said("lost-write=1@1"), @"`lost-write=1@1`: expected no value");
    }
}
