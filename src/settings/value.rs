//! A setting's value as it was found.

use crate::command::Status;
use crate::hwdb::FieldValue;

/// What was found where a value was looked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// This value.
    Is(FieldValue),
    /// The TLV is not set; the default holds.
    NotSet,
    /// The card does not offer this kind of value (ConnectX-3 has no current one).
    NotOffered,
    /// The card refused to say.
    Refused(Status),
}

impl Value {
    /// The value, if there is one.
    #[must_use]
    pub fn value(&self) -> Option<&FieldValue> {
        match self {
            Self::Is(value) => Some(value),
            _ => None,
        }
    }

    /// The number, if there is one.
    #[must_use]
    pub fn number(&self) -> Option<u32> {
        match self {
            Self::Is(value) => value.number(),
            _ => None,
        }
    }
}

/// Default, current and next value of one setting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ValueOf {
    /// What holds when nothing is set.
    pub default: Value,
    /// What the firmware uses now.
    pub current: Value,
    /// What the next boot will use.
    pub next: Value,
}

impl ValueOf {
    /// What the next boot will use: the next value, or the default where none is set.
    #[must_use]
    pub fn effective(&self) -> Option<&FieldValue> {
        match self.next {
            Value::NotSet => self.default.value(),
            _ => self.next.value(),
        }
    }
}
