//! A setting's value as a profile gives it, and as a field takes it.

use crate::hwdb::{Field, FieldValue, Place};

use super::finding::Problem;
use super::node::Integer;

/// Why a value is none of a field.
pub(super) enum Misfit {
    /// It is of another kind: this one.
    Kind(&'static str),
    /// It is not allowed; a secret is not repeated.
    Value(String),
}

impl Misfit {
    pub(super) fn problem(&self, setting: &str, expected: &str) -> Problem {
        match self {
            Self::Kind(found) => Problem::wrong_type(setting, expected, found),
            Self::Value(found) => Problem::wrong_value(setting, found, expected),
        }
    }
}

/// A value as it is written. Has no `Debug`: it may be a secret.
#[derive(Clone)]
pub(super) enum Given {
    Boolean(bool),
    Integer(Integer),
    Text(String),
}

impl Given {
    /// What it is as a value of this field.
    ///
    /// Booleans are for switches, integers for numbers, texts for all.
    pub(super) fn as_value_of(&self, field: &Field) -> Result<FieldValue, Misfit> {
        let value = match (self, &field.place) {
            (Self::Boolean(boolean), _) if is_switch(field) => {
                field.parse(if *boolean { "True" } else { "False" }).ok()
            }
            (Self::Boolean(_), _) => return Err(Misfit::Kind("a boolean")),
            (Self::Integer(_), Place::Text(_)) => return Err(Misfit::Kind("an integer")),
            (Self::Integer(number), Place::Number { .. }) => number
                .value
                .and_then(|number| u32::try_from(number).ok())
                .map(FieldValue::Number)
                .filter(|value| field.is_legal(value)),
            (Self::Text(text), _) => field.parse(text).ok(),
        };
        value.ok_or_else(|| {
            Misfit::Value(if field.secret {
                "(hidden)".to_owned()
            } else {
                self.spelling()
            })
        })
    }

    fn spelling(&self) -> String {
        match self {
            Self::Boolean(boolean) => boolean.to_string(),
            Self::Integer(number) => number.text.clone(),
            Self::Text(text) => format!("\"{}\"", text.escape_debug()),
        }
    }
}

/// Whether it takes true and false.
pub(super) fn is_switch(field: &Field) -> bool {
    let has = |name: &str| {
        let mut values = field.values.iter();
        values.any(|named| named.name.eq_ignore_ascii_case(name))
    };
    has("True") && has("False")
}

/// What a field takes, in words.
pub(super) fn expected(field: &Field) -> String {
    if is_switch(field) {
        return "true or false".to_owned();
    }
    let allowed = field.allowed();
    match field.place {
        Place::Number { .. } if field.values.is_empty() => format!("a number, {allowed}"),
        Place::Number { .. } => format!("one of {allowed}"),
        Place::Text(_) => format!("a text: {allowed}"),
    }
}
