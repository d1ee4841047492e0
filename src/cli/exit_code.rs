//! Exit codes: a contract with scripts, chosen by what a rollout does next.

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ExitCode {
    /// Done, or nothing to do.
    Done = 0,
    /// Failed.
    Failed = 1,
    /// Wrong usage.
    Usage = 2,
    /// No such card or port.
    NoSuchDevice = 3,
    /// Not permitted: rights, kernel lockdown.
    NotPermitted = 4,
    /// Refused by a safety check.
    Refused = 5,
    /// Invalid input: a data file, a profile.
    InvalidInput = 6,
    /// The card reported an error or broke off mid-way.
    CardError = 7,
    /// Some of several cards failed.
    SomeFailed = 8,
    /// The card differs from the desired state (`--dry-run --exit-code`).
    Differs = 9,
}

impl ExitCode {
    /// The code of a run over several cards.
    pub(super) fn of_all(codes: &[Self]) -> Self {
        match codes {
            [] => Self::Done,
            [first, rest @ ..] if rest.iter().all(|code| code == first) => *first,
            _ if codes
                .iter()
                .all(|code| matches!(code, Self::Done | Self::Differs)) =>
            {
                Self::Differs
            }
            _ => Self::SomeFailed,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn several_cards_share_a_code_or_some_failed() {
        use ExitCode::{CardError, Differs, Done, SomeFailed};
        assert_eq!(ExitCode::of_all(&[Done, Done]), Done);
        assert_eq!(ExitCode::of_all(&[CardError]), CardError);
        assert_eq!(ExitCode::of_all(&[Done, CardError]), SomeFailed);
        assert_eq!(ExitCode::of_all(&[Done, Differs]), Differs);
    }
}
