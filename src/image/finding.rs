//! What is wrong, or remarkable, in an image.
//!
//! Parsing and checking collect findings instead of stopping at the first.
//! Every one says where: the path in the structure for people, the offset in
//! the file for a hex editor.

use std::fmt;

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// Worth knowing, nothing is wrong.
    Note,
    /// Unusual, or against a rule that mstflint and the cards do not enforce.
    Warning,
    /// Damaged, cut off, or not what it claims to be.
    Error,
}

/// What kind of thing was found; a stable word for scripts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum FindingKind {
    /// `truncated`: the file ends inside of it.
    Truncated,
    /// `out-of-image`: an offset or size points outside of the image.
    OutOfImage,
    /// `bad-magic`: a signature is not what it must be.
    BadMagic,
    /// `bad-checksum`: a CRC or sum does not match the bytes.
    BadChecksum,
    /// `bad-digest`: a SHA-256 or SHA-512 digest does not match the bytes.
    BadDigest,
    /// `bad-value`: a field holds what the format does not allow.
    BadValue,
    /// `overlap`: two parts claim the same bytes.
    Overlap,
    /// `missing`: a part is absent that tools or cards need.
    Missing,
    /// `mismatch`: two places that must agree differ.
    Mismatch,
    /// `unknown`: a type or id that is in no known list; its bytes are kept.
    Unknown,
    /// `unsupported`: recognised, and deliberately not handled.
    Unsupported,
    /// `not-checked`: could not be told, and why.
    NotChecked,
}

/// One finding.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Finding {
    /// How bad it is.
    pub severity: Severity,
    /// What kind of thing it is.
    pub kind: FindingKind,
    /// Where in the structure: parts from the outside in, separated by `/`,
    /// spelled as their source spells them, such as `slot0/ITOC/ROM_CODE/crc`.
    pub path: String,
    /// Where in the file, in bytes.
    pub offset: u64,
    /// What was found, in words: lower case, no full stop.
    pub message: String,
    /// What would have been right, where there is such a thing.
    pub expected: Option<String>,
    /// What is there instead.
    pub found: Option<String>,
}

impl Finding {
    /// A finding of any severity.
    #[must_use]
    pub fn new(
        severity: Severity,
        kind: FindingKind,
        path: impl Into<String>,
        offset: u64,
        message: impl Into<String>,
    ) -> Self {
        Self {
            severity,
            kind,
            path: path.into(),
            offset,
            message: message.into(),
            expected: None,
            found: None,
        }
    }

    /// An error.
    #[must_use]
    pub fn error(
        kind: FindingKind,
        path: impl Into<String>,
        offset: u64,
        message: impl Into<String>,
    ) -> Self {
        Self::new(Severity::Error, kind, path, offset, message)
    }

    /// A warning.
    #[must_use]
    pub fn warning(
        kind: FindingKind,
        path: impl Into<String>,
        offset: u64,
        message: impl Into<String>,
    ) -> Self {
        Self::new(Severity::Warning, kind, path, offset, message)
    }

    /// A note.
    #[must_use]
    pub fn note(
        kind: FindingKind,
        path: impl Into<String>,
        offset: u64,
        message: impl Into<String>,
    ) -> Self {
        Self::new(Severity::Note, kind, path, offset, message)
    }

    /// Adds what was expected and what is there.
    #[must_use]
    pub fn expected_found(mut self, expected: impl fmt::Display, found: impl fmt::Display) -> Self {
        self.expected = Some(expected.to_string());
        self.found = Some(found.to_string());
        self
    }

    /// The same finding in a structure that lies at `offset` in a larger file,
    /// below `path` there.
    #[must_use]
    pub fn within(mut self, path: &str, offset: u64) -> Self {
        self.path = if self.path.is_empty() {
            path.to_owned()
        } else {
            format!("{path}/{}", self.path)
        };
        self.offset = self.offset.saturating_add(offset);
        self
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} at {:#010x}: {}",
            self.path, self.offset, self.message
        )?;
        match (&self.expected, &self.found) {
            (Some(expected), Some(found)) => write!(f, " (expected {expected}, found {found})"),
            _ => Ok(()),
        }
    }
}

impl Severity {
    /// Its stable word.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Note => "note",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

impl FindingKind {
    /// Its stable word.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Truncated => "truncated",
            Self::OutOfImage => "out-of-image",
            Self::BadMagic => "bad-magic",
            Self::BadChecksum => "bad-checksum",
            Self::BadDigest => "bad-digest",
            Self::BadValue => "bad-value",
            Self::Overlap => "overlap",
            Self::Missing => "missing",
            Self::Mismatch => "mismatch",
            Self::Unknown => "unknown",
            Self::Unsupported => "unsupported",
            Self::NotChecked => "not-checked",
        }
    }
}

/// The worst severity of some findings; `None` when there are none.
#[must_use]
pub fn worst(findings: &[Finding]) -> Option<Severity> {
    findings.iter().map(|finding| finding.severity).max()
}

/// What came of reading a structure: as much of it as could be understood, and
/// everything that was found on the way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parsed<T> {
    /// The structure; `None` when nothing of it could be recognised.
    pub tree: Option<T>,
    /// What was found, in file order.
    pub findings: Vec<Finding>,
}

impl<T> Parsed<T> {
    /// The structure, if nothing in it is damaged.
    ///
    /// # Errors
    /// All findings, when one is an error or there is no structure.
    pub fn sound(self) -> Result<T, Vec<Finding>> {
        match self.tree {
            Some(tree) if worst(&self.findings) < Some(Severity::Error) => Ok(tree),
            _ => Err(self.findings),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_finding_says_where_and_what() {
        let finding = Finding::error(
            FindingKind::BadChecksum,
            "ITOC/crc",
            0x1e,
            "the CRC is wrong",
        )
        .expected_found("0x1234", "0x4321")
        .within("slot1", 0x40_0000);
        assert_eq!(
            finding.to_string(),
            "slot1/ITOC/crc at 0x0040001e: the CRC is wrong (expected 0x1234, found 0x4321)"
        );
    }

    #[test]
    fn only_errors_make_a_structure_unsound() {
        let parsed = |severity| Parsed {
            tree: Some(()),
            findings: vec![Finding::new(severity, FindingKind::Unknown, "x", 0, "y")],
        };
        assert!(parsed(Severity::Note).sound().is_ok());
        assert!(parsed(Severity::Warning).sound().is_ok());
        assert_eq!(parsed(Severity::Error).sound().unwrap_err().len(), 1);
    }
}
