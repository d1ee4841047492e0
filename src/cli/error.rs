//! The one error type at the border: what failed, why, and what to do next.

use std::error::Error;
use std::io;

use serde::Serialize;

use super::ExitCode;
use super::output::{BAD, CARE, Output, styled};

/// A failed run, or a failed card of a run.
#[derive(Clone, Debug)]
pub(super) struct Failure {
    /// How the run ends.
    pub(super) code: ExitCode,
    /// What failed, and its causes, the outermost first.
    pub(super) messages: Vec<String>,
    /// What the card holds now, after a write that failed.
    pub(super) state: Vec<String>,
    /// What to do next.
    pub(super) hints: Vec<String>,
    /// Whether the messages stand side by side, each an error of its own.
    pub(super) several: bool,
}

/// The same for programs.
#[derive(Clone, Debug, Serialize)]
pub(super) struct FailureReport {
    /// Exit code by name.
    pub(super) kind: ExitCode,
    /// What failed.
    pub(super) message: String,
    /// Its causes.
    pub(super) causes: Vec<String>,
    /// What the card holds now, after a write that failed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) state: Vec<String>,
    /// What to do next.
    pub(super) hints: Vec<String>,
}

impl Failure {
    /// A failure with an error's whole chain.
    pub(super) fn new(code: ExitCode, error: &dyn Error) -> Self {
        let mut messages: Vec<String> = vec![error.to_string()];
        let mut source = error.source();
        while let Some(cause) = source {
            let text = cause.to_string();
            // Transparent errors repeat their source.
            if messages.last() != Some(&text) {
                messages.push(text);
            }
            source = cause.source();
        }
        Self {
            code,
            messages,
            state: Vec::new(),
            hints: Vec::new(),
            several: false,
        }
    }

    /// A failure in words.
    pub(super) fn message(code: ExitCode, message: impl Into<String>) -> Self {
        Self {
            code,
            messages: vec![message.into()],
            state: Vec::new(),
            hints: Vec::new(),
            several: false,
        }
    }

    /// An answer that cannot be written to stdout.
    pub(super) fn unwritten(error: &io::Error) -> Self {
        let mut failure = Self::message(ExitCode::Failed, "the answer cannot be written to stdout");
        failure.messages.push(error.to_string());
        failure.hint("make room where stdout goes to, then run this again")
    }

    /// The same with a hint.
    pub(super) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }

    /// Prints it to stderr.
    pub(super) fn print(&self) {
        for (index, message) in self.messages.iter().enumerate() {
            let label = if index == 0 || self.several {
                "error:"
            } else {
                "caused by:"
            };
            Output::line(format_args!("{} {message}", styled(BAD, label)));
        }
        for state in &self.state {
            Output::line(format_args!("{} {state}", styled(CARE, "the card now:")));
        }
        for hint in &self.hints {
            Output::line(format_args!("{} {hint}", styled(CARE, "hint:")));
        }
    }

    /// The same for programs.
    pub(super) fn report(&self) -> FailureReport {
        FailureReport {
            kind: self.code,
            message: self.messages.first().cloned().unwrap_or_default(),
            causes: self.messages.iter().skip(1).cloned().collect(),
            state: self.state.clone(),
            hints: self.hints.clone(),
        }
    }
}
