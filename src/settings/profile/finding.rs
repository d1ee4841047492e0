//! What is wrong with a profile, and where.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::{fmt, io};

/// A profile that is not used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProfileError {
    /// The file cannot be read.
    #[error("cannot read the profile `{path}`")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// Something is wrong with it; all that was found, by line.
    #[error("{}", list(.findings))]
    Refused {
        /// What is wrong.
        findings: Vec<Finding>,
    },
}

impl ProfileError {
    /// Findings in the order of the file.
    pub(super) fn refused(mut findings: Vec<Finding>) -> Self {
        findings.sort_by_key(|finding| finding.at.line);
        Self::Refused { findings }
    }

    /// What is wrong, line by line; nothing where the file cannot be read.
    #[must_use]
    pub fn findings(&self) -> &[Finding] {
        match self {
            Self::Unreadable { .. } => &[],
            Self::Refused { findings } => findings,
        }
    }
}

fn list(findings: &[Finding]) -> String {
    let lines: Vec<String> = findings.iter().map(Finding::to_string).collect();
    lines.join("\n")
}

/// One thing that is wrong: `profile.toml:12: there is no setting IP_VERS`.
#[derive(Debug, thiserror::Error)]
#[error("{at}: {problem}")]
pub struct Finding {
    /// Where.
    pub at: At,
    /// What.
    pub problem: Problem,
}

/// A line of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct At {
    /// The file, as it was named.
    pub path: Arc<Path>,
    /// The line, counted from 1.
    pub line: usize,
}

impl fmt::Display for At {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.path.display(), self.line)
    }
}

/// Which part of a profile: `[settings]`, section `rack 7`, section 3.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SectionLabel {
    /// The settings of every card and port.
    Everywhere,
    /// A section with a name.
    Named(String),
    /// A section without one, counted from 1.
    Number(usize),
}

impl fmt::Display for SectionLabel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Everywhere => f.write_str("[settings]"),
            Self::Named(name) => write!(f, "section `{name}`"),
            Self::Number(number) => write!(f, "section {number}"),
        }
    }
}

/// What settles a contradiction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Remedy {
    /// A narrower match of the later section.
    Narrow,
    /// The other order: the earlier section is the narrower one.
    Swap,
}

impl Remedy {
    fn describe(self, later: &SectionLabel, earlier: &SectionLabel) -> String {
        match self {
            Self::Narrow => format!(
                "to go before {earlier}, the match of {later} has to name all of its keys, \
                 and one more or fewer values"
            ),
            Self::Swap => format!("{earlier} is the narrower one: put it after {later}"),
        }
    }
}

/// What is wrong. The value of a secret is in none of these.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Problem {
    /// Not TOML, or not JSON.
    #[error("{message}")]
    Syntax {
        /// What the parser said.
        message: String,
    },
    /// It does not say which version of the format it has.
    #[error("`schema = 1` is missing")]
    NoSchema,
    /// It has another version of the format.
    #[error("schema is {found}, only 1 is known")]
    OtherSchema {
        /// Which.
        found: String,
    },
    /// A key that means nothing.
    #[error("there is no key `{key}` in {table}{} allowed are {}", or_near_then(.near), .allowed.join(", "))]
    UnknownKey {
        /// The key.
        key: String,
        /// Where it stands, in words.
        table: String,
        /// Keys that may have been meant.
        near: Vec<String>,
        /// All keys that mean something there.
        allowed: Vec<&'static str>,
    },
    /// A value of another kind.
    #[error("{key}: expected {expected}, found {found}")]
    WrongType {
        /// The key or setting.
        key: String,
        /// What it takes.
        expected: String,
        /// What was found, in words.
        found: String,
    },
    /// A value of the right kind that is not allowed.
    #[error("{key}: {found} is not allowed; expected {expected}")]
    WrongValue {
        /// The key or setting.
        key: String,
        /// What was found; a secret is not repeated.
        found: String,
        /// What is allowed.
        expected: String,
    },
    /// No model that is known is meant.
    #[error("{key}: {found} means no known model; known are {}", .known.join(", "))]
    UnknownModel {
        /// The key.
        key: &'static str,
        /// What was found.
        found: String,
        /// What is known.
        known: Vec<String>,
    },
    /// Two keys of a match that no model fulfils.
    #[error("match: no model has both this model and this device_id")]
    NoModel,
    /// No generation has such a setting.
    #[error("there is no setting {setting}{}", or_near(.near))]
    UnknownSetting {
        /// Its name.
        setting: String,
        /// Settings that may have been meant.
        near: Vec<String>,
    },
    /// The models that the section is for do not have the setting.
    #[error("there is no setting {setting} on {}, which is all that this section is for", .models.join(" or "))]
    NotOnModels {
        /// Its name.
        setting: String,
        /// The models of the section.
        models: Vec<String>,
    },
    /// The setting can only be read.
    #[error("{setting} can only be read")]
    ReadOnly {
        /// Its name.
        setting: String,
    },
    /// A setting of the card where a port is named.
    #[error("{setting} belongs to the whole card, not to a port")]
    WholeCard {
        /// Its name.
        setting: String,
    },
    /// A setting of a port in a section for another.
    #[error("{setting} is for port {port}, this section is for port {section_port}")]
    OtherPort {
        /// Its name.
        setting: String,
        /// The port that it names.
        port: u8,
        /// The port of the section.
        section_port: u8,
    },
    /// One table gives a setting two values under two names.
    #[error("{setting} and {other} on line {other_line} are the same setting")]
    GivenTwice {
        /// The name on this line.
        setting: String,
        /// The name on the other.
        other: String,
        /// The other line.
        other_line: usize,
    },
    /// The file that holds a value cannot be read.
    #[error("{setting}: cannot read `{file}` beside the profile: {source}")]
    FileUnreadable {
        /// The setting.
        setting: String,
        /// The file.
        file: String,
        /// What the system said.
        source: io::Error,
    },
    /// The file that holds a value holds something else.
    #[error("{setting}: `{file}` has to hold one line, found {found}")]
    FileContents {
        /// The setting.
        setting: String,
        /// The file.
        file: String,
        /// What it holds, in words.
        found: &'static str,
    },
    /// What is wrong only on the generation of one card.
    #[error("{card}: {problem}")]
    OnCard {
        /// The card.
        card: String,
        /// What.
        problem: Box<Problem>,
    },
    /// Two sections want two things of one port.
    #[error("{0}")]
    Contradiction(Box<Contradiction>),
}

/// Two sections that want two things of one port.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{card}: {setting} of {place} is {value} in {section} but {other_value} in {other_section} \
     ({other}); {}", .remedy.describe(.section, .other_section)
)]
pub struct Contradiction {
    /// The card.
    pub card: String,
    /// The port, or the whole card, in words.
    pub place: String,
    /// The setting.
    pub setting: String,
    /// The value here; a secret is hidden.
    pub value: String,
    /// The section here.
    pub section: SectionLabel,
    /// The value of the earlier section.
    pub other_value: String,
    /// The earlier section.
    pub other_section: SectionLabel,
    /// The line of the earlier section's value.
    pub other: At,
    /// What would settle it.
    pub remedy: Remedy,
}

fn or_near(near: &[String]) -> String {
    match near {
        [] => String::new(),
        [near] => format!(", did you mean `{near}`?"),
        [first @ .., last] => format!(", did you mean `{}` or `{last}`?", first.join("`, `")),
    }
}

/// The same in the middle of a sentence.
fn or_near_then(near: &[String]) -> String {
    match near {
        [] => ";".to_owned(),
        near => or_near(near),
    }
}

impl Problem {
    pub(super) fn unknown_key(key: &str, table: &str, allowed: &[&'static str]) -> Self {
        let near = crate::settings::near_names(key, allowed.iter().copied());
        Self::UnknownKey {
            key: key.to_owned(),
            table: table.to_owned(),
            near: near.into_iter().map(str::to_owned).collect(),
            allowed: allowed.to_vec(),
        }
    }

    pub(super) fn wrong_type(key: &str, expected: &str, found: &str) -> Self {
        Self::WrongType {
            key: key.to_owned(),
            expected: expected.to_owned(),
            found: found.to_owned(),
        }
    }

    pub(super) fn wrong_value(key: &str, found: &str, expected: &str) -> Self {
        Self::WrongValue {
            key: key.to_owned(),
            found: found.to_owned(),
            expected: expected.to_owned(),
        }
    }
}
