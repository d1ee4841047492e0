//! A backup from its text.

use std::fmt;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::command::register::TlvHeader;
use crate::pci::Bdf;
use crate::settings::tlv_text::parse_hex;
use crate::settings::{CardIdentity, TlvKey};

use super::contents::{Backup, BackupCard, BackupTlv, FoundBy, Omitted, OmittedBecause};
use super::text::{CHECKSUM_KEY, LAST_LINE, SCHEMA, SECRET, checksum};

/// What a TLV can hold: MNVDA's length field and mailbox.
const MOST_BYTES: usize = 256;

/// A file that is no backup, or one that was cut or changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BackupFileError {
    /// The file.
    pub path: PathBuf,
    /// The line, counted from 1, where one can be named.
    pub line: Option<usize>,
    /// What is wrong.
    pub problem: BackupProblem,
}

/// What is wrong with the text of a backup.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BackupProblem {
    /// It does not say what it is.
    #[error("this is no backup of flexctl: there is no `schema` before the first table")]
    NotABackup,
    /// It is of another kind or of a newer flexctl.
    #[error("the schema is `{found}`, known is only `{SCHEMA}`")]
    UnknownSchema {
        /// What it says.
        found: String,
    },
    /// The end is missing.
    #[error("the backup is cut off: its last line is not `{LAST_LINE}`")]
    Truncated,
    /// There is no checksum to go by.
    #[error("the backup has no checksum before the first table")]
    NoChecksum,
    /// The text is not what was written.
    #[error("the backup was changed: its checksum is {expected}, the text has {found}")]
    Checksum {
        /// What the file says.
        expected: String,
        /// What the text adds up to.
        found: String,
    },
    /// It is not TOML, or has keys or values that a backup has not.
    #[error("{what}")]
    Syntax {
        /// What, in the parser's words.
        what: String,
    },
    /// Two tables speak of one TLV.
    #[error("{key} of function {function} is in the backup twice")]
    Twice {
        /// The function.
        function: u8,
        /// The TLV.
        key: TlvKey,
    },
}

impl fmt::Display for BackupFileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.path.display())?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
        }
        write!(f, ": {}", self.problem)
    }
}

impl std::error::Error for BackupFileError {}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    #[serde(rename = "schema")]
    _schema: String,
    created_unix: u64,
    created_by: String,
    found_by: FoundBy,
    #[serde(rename = "checksum")]
    _checksum: String,
    card: CardTable,
    #[serde(default)]
    tlv: Vec<TlvTable>,
    #[serde(default)]
    omitted: Vec<OmittedTable>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CardTable {
    model: String,
    device_id: u16,
    psid: Option<String>,
    part_number: Option<String>,
    serial_number: Option<String>,
    firmware: Option<String>,
    address: Address,
    functions: Vec<FunctionNumber>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TlvTable {
    function: FunctionNumber,
    #[serde(default)]
    port: u8,
    key: Key,
    name: Option<String>,
    version: Option<Below<16>>,
    writer_id: Option<Below<32>>,
    writer_host_id: Option<Below<8>>,
    #[serde(default)]
    secret: bool,
    data: Data,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OmittedTable {
    function: FunctionNumber,
    #[serde(default)]
    port: u8,
    key: Key,
    name: Option<String>,
    settings: Vec<String>,
    because: String,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(try_from = "u8")]
struct Below<const LIMIT: u8>(u8);

impl<const LIMIT: u8> TryFrom<u8> for Below<LIMIT> {
    type Error = String;

    fn try_from(number: u8) -> Result<Self, String> {
        if number < LIMIT {
            Ok(Self(number))
        } else {
            Err(format!("{number} is more than {}", LIMIT - 1))
        }
    }
}

/// A PCI function has a number from 0 to 7.
type FunctionNumber = Below<8>;

#[derive(Deserialize)]
#[serde(try_from = "String")]
struct Address(Bdf);

impl TryFrom<String> for Address {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        match text.parse() {
            Ok(address) => Ok(Self(address)),
            Err(error) => Err(format!("{error}")),
        }
    }
}

#[derive(Deserialize)]
#[serde(try_from = "String")]
struct Key(TlvKey);

impl TryFrom<String> for Key {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
            .map(Self)
            .map_err(|error| format!("`{text}`: {error}"))
    }
}

#[derive(Deserialize)]
#[serde(try_from = "String")]
struct Data(Vec<u8>);

impl TryFrom<String> for Data {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let digits: Vec<u8> = text
            .bytes()
            .filter(|byte| !byte.is_ascii_whitespace())
            .collect();
        match parse_hex(&digits) {
            Some(bytes) if (1..=MOST_BYTES).contains(&bytes.len()) => Ok(Self(bytes)),
            Some(bytes) => Err(format!(
                "a TLV has 1 to {MOST_BYTES} bytes, here are {}",
                bytes.len()
            )),
            // The text may be a secret with a slip in it.
            None => {
                Err("the data of a TLV is written in hexadecimal digits, two a byte".to_owned())
            }
        }
    }
}

impl Backup {
    /// Reads the text of a backup. `path` is for messages.
    ///
    /// # Errors
    /// [`BackupFileError`] names file, line and what is wrong with it.
    pub fn parse(text: &str, path: &Path) -> Result<Self, BackupFileError> {
        let refused = |line: Option<usize>, problem| BackupFileError {
            path: path.to_owned(),
            line,
            problem,
        };
        check_whole(text).map_err(|(line, problem)| refused(line, problem))?;
        let document: Document = toml::from_str(text).map_err(|error| {
            let line = error.span().map(|span| line_at(text, span.start));
            let what = error.message().to_owned();
            refused(line, BackupProblem::Syntax { what })
        })?;
        let backup = document.into_backup();
        for (at, tlv) in backup.tlvs.iter().enumerate() {
            let (function, key) = (tlv.function, tlv.key);
            let same = |other: &BackupTlv| other.place() == tlv.place();
            if backup.tlvs.iter().skip(at + 1).any(same) {
                return Err(refused(None, BackupProblem::Twice { function, key }));
            }
        }
        Ok(backup)
    }
}

/// Whether the text is a backup, whole, and as it was written.
fn check_whole(text: &str) -> Result<(), (Option<usize>, BackupProblem)> {
    let mut before = 0;
    let mut schema = None;
    let mut sum = None;
    for (number, line) in text.split_inclusive('\n').enumerate() {
        if line.starts_with('[') {
            break;
        }
        let place = (number + 1, before, line);
        if line.starts_with("schema = ") && schema.is_none() {
            schema = Some(place);
        }
        if line.starts_with(CHECKSUM_KEY) && sum.is_none() {
            sum = Some(place);
        }
        before += line.len();
    }
    let value = |line: &str| {
        let value = line.split_once(" = ").map_or("", |(_, value)| value);
        value.trim_end().trim_matches('"').to_owned()
    };
    let (number, _, line) = schema.ok_or((None, BackupProblem::NotABackup))?;
    if value(line) != SCHEMA {
        let found = value(line).escape_debug().to_string();
        return Err((Some(number), BackupProblem::UnknownSchema { found }));
    }
    let lines = text.lines().count();
    if !text.ends_with(&format!("\n{LAST_LINE}\n")) {
        return Err((Some(lines), BackupProblem::Truncated));
    }
    let (number, at, line) = sum.ok_or((None, BackupProblem::NoChecksum))?;
    let (head, tail) = text.split_at_checked(at).unwrap_or((text, ""));
    let tail = tail.get(line.len()..).unwrap_or_default();
    let found = checksum(format!("{head}{tail}").as_bytes());
    let expected = value(line);
    if found == expected {
        Ok(())
    } else {
        let expected = expected.escape_debug().to_string();
        Err((Some(number), BackupProblem::Checksum { expected, found }))
    }
}

fn line_at(text: &str, offset: usize) -> usize {
    let before = text.as_bytes().get(..offset).unwrap_or_default();
    before.iter().filter(|byte| **byte == b'\n').count() + 1
}

impl Document {
    fn into_backup(self) -> Backup {
        let card = self.card;
        Backup {
            created_unix: self.created_unix,
            created_by: self.created_by,
            found_by: self.found_by,
            card: BackupCard {
                identity: CardIdentity {
                    model: card.model,
                    device_id: card.device_id,
                    psid: card.psid,
                    part_number: card.part_number,
                    serial_number: card.serial_number,
                },
                firmware: card.firmware,
                address: card.address.0,
                functions: card.functions.iter().map(|number| number.0).collect(),
            },
            tlvs: self.tlv.into_iter().map(TlvTable::into_tlv).collect(),
            omitted: self
                .omitted
                .into_iter()
                .map(OmittedTable::into_omitted)
                .collect(),
        }
    }
}

impl TlvTable {
    fn into_tlv(self) -> BackupTlv {
        let header = match (self.version, self.writer_id, self.writer_host_id) {
            (None, None, None) => None,
            (version, writer_id, writer_host_id) => Some(TlvHeader {
                version: version.map_or(0, |number| number.0),
                writer_id: writer_id.map_or(0, |number| number.0),
                writer_host_id: writer_host_id.map_or(0, |number| number.0),
            }),
        };
        BackupTlv {
            function: self.function.0,
            port: self.port,
            key: self.key.0,
            name: self.name,
            data: self.data.0,
            header,
            secret: self.secret,
        }
    }
}

impl OmittedTable {
    fn into_omitted(self) -> Omitted {
        Omitted {
            function: self.function.0,
            port: self.port,
            key: self.key.0,
            name: self.name,
            settings: self.settings,
            because: match self.because.as_str() {
                SECRET => OmittedBecause::Secret,
                _ => OmittedBecause::Unreadable(self.because),
            },
        }
    }
}
