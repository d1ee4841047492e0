//! Findings for people: one line each, the worst in colour.

use std::fmt::Write as _;

use crate::image::{Finding, Severity, worst};

use super::ExitCode;
use super::output::{BAD, CARE, DIM, GOOD, styled};

/// Which severities make a check fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Strictness {
    /// Errors.
    Normal,
    /// Warnings too.
    Strict,
}

/// How a check ends: the worst finding decides.
pub(super) fn exit_code(findings: &[Finding], strictness: Strictness) -> ExitCode {
    let fails = match strictness {
        Strictness::Normal => Severity::Error,
        Strictness::Strict => Severity::Warning,
    };
    if worst(findings) >= Some(fails) {
        ExitCode::InvalidInput
    } else {
        ExitCode::Done
    }
}

/// The findings, in file order, and a last line that adds them up.
pub(super) fn findings_text(name: &str, findings: &[Finding]) -> String {
    let mut text = String::new();
    for finding in findings {
        let style = match finding.severity {
            Severity::Error => BAD,
            Severity::Warning => CARE,
            Severity::Note => DIM,
        };
        let _ = writeln!(
            text,
            "{}: {finding}",
            styled(style, finding.severity.word())
        );
    }
    let count = |severity| {
        findings
            .iter()
            .filter(|finding| finding.severity == severity)
            .count()
    };
    let counted = |number: usize, word: &str| match number {
        1 => format!("1 {word}"),
        _ => format!("{number} {word}s"),
    };
    let notes = count(Severity::Note);
    let verdict = match (count(Severity::Error), count(Severity::Warning)) {
        (0, 0) if notes == 0 => styled(GOOD, "sound"),
        (0, 0) => format!("{}, {}", styled(GOOD, "sound"), counted(notes, "note")),
        (0, warnings) => format!("sound, {}", counted(warnings, "warning")),
        (errors, 0) => styled(BAD, format!("damaged, {}", counted(errors, "error"))),
        (errors, warnings) => styled(
            BAD,
            format!(
                "damaged, {}, {}",
                counted(errors, "error"),
                counted(warnings, "warning")
            ),
        ),
    };
    let _ = writeln!(text, "{name}: {verdict}");
    text
}
