//! Findings, changes and proofs of images in JSON.

use serde::Serialize;

use crate::image::payload::{Fact, Proof};
use crate::image::{ByteChange, Finding, Severity, worst};

/// What was found in an image.
#[derive(Debug, Serialize)]
pub(in crate::cli) struct FindingReport {
    /// `note`, `warning` or `error`.
    severity: &'static str,
    /// What kind of thing it is: `bad-checksum`, ...
    kind: &'static str,
    /// Where in the structure.
    path: String,
    /// Where in the file.
    offset: u64,
    message: String,
    expected: Option<String>,
    found: Option<String>,
}

impl From<&Finding> for FindingReport {
    fn from(finding: &Finding) -> Self {
        Self {
            severity: finding.severity.word(),
            kind: finding.kind.word(),
            path: finding.path.clone(),
            offset: finding.offset,
            message: finding.message.clone(),
            expected: finding.expected.clone(),
            found: finding.found.clone(),
        }
    }
}

/// How many findings of each severity there are.
#[derive(Debug, Serialize)]
pub(in crate::cli) struct FindingCounts {
    pub(in crate::cli) errors: usize,
    pub(in crate::cli) warnings: usize,
    pub(in crate::cli) notes: usize,
    /// `note`, `warning`, `error`, or null without findings.
    worst: Option<&'static str>,
}

impl FindingCounts {
    pub(in crate::cli) fn of(findings: &[Finding]) -> Self {
        let count = |severity| {
            findings
                .iter()
                .filter(|finding| finding.severity == severity)
                .count()
        };
        Self {
            errors: count(Severity::Error),
            warnings: count(Severity::Warning),
            notes: count(Severity::Note),
            worst: worst(findings).map(Severity::word),
        }
    }
}

/// A stretch of bytes that an edit changed.
#[derive(Debug, Serialize)]
pub(in crate::cli) struct ByteChangeReport {
    path: String,
    offset: u64,
    length: u64,
    what: String,
}

impl From<&ByteChange> for ByteChangeReport {
    fn from(change: &ByteChange) -> Self {
        Self {
            path: change.path.clone(),
            offset: change.offset,
            length: change.length,
            what: change.what.clone(),
        }
    }
}

/// What the code inside shows.
#[derive(Debug, Serialize)]
pub(in crate::cli) struct ProofReport {
    program: &'static str,
    version: Option<String>,
    ipv6: FactReport,
    obeys_ip_ver: FactReport,
    ipv6_when_unset: FactReport,
}

/// `yes`, `no` or `cannot tell`, and why.
#[derive(Debug, Serialize)]
struct FactReport {
    answer: &'static str,
    evidence: Vec<String>,
}

impl From<&Proof> for ProofReport {
    fn from(proof: &Proof) -> Self {
        Self {
            program: proof.program.word(),
            version: proof.version.clone(),
            ipv6: (&proof.ipv6).into(),
            obeys_ip_ver: (&proof.obeys_ip_ver).into(),
            ipv6_when_unset: (&proof.ipv6_when_unset).into(),
        }
    }
}

impl From<&Fact> for FactReport {
    fn from(fact: &Fact) -> Self {
        Self {
            answer: fact.answer.word(),
            evidence: fact.evidence.clone(),
        }
    }
}
