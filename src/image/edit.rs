//! Changing an image: what may be asked for, and what comes of it.
//!
//! An edit takes the bytes of a whole, sound file and gives the bytes of a new
//! one; bytes outside of the change stay as they are. Whatever could hurt has a
//! door of its own in [`EditPolicy`], closed unless opened.

use super::Finding;

/// What to do with the expansion ROM of a firmware image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RomEdit<'r> {
    /// Put one in where there is none.
    Insert(&'r [u8]),
    /// Put another in place of the one that is there.
    Replace(&'r [u8]),
    /// Take it out.
    Remove,
}

/// Whether something that could hurt may be done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Permission {
    /// It is refused.
    #[default]
    Refused,
    /// The user asked for it.
    Granted,
}

/// What an edit may do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EditPolicy {
    /// Which image of a flash dump: 0 or 1. `None`: the only one there is.
    pub slot: Option<usize>,
    /// Whether a vendor's signature may be lost.
    pub unsigned: Permission,
    /// Whether the ROM may be for another device than the image.
    pub other_device: Permission,
    /// Whether the ROM may be damaged.
    pub damaged_rom: Permission,
    /// Whether a ROM may go in that no firmware tool can name the version of.
    pub unversioned: Permission,
}

/// A stretch of bytes that an edit changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ByteChange {
    /// What it is, spelled as in [`Finding::path`].
    pub path: String,
    /// First byte in the new file.
    pub offset: u64,
    /// Number of bytes.
    pub length: u64,
    /// What was done, in words: `0x1000 more bytes`, `0x1234 -> 0x4321`.
    pub what: String,
}

/// The outcome of an edit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edited {
    /// The new file.
    pub bytes: Vec<u8>,
    /// Which image of it was changed; 0 where there is only one.
    pub slot: usize,
    /// What was changed, in file order.
    pub changes: Vec<ByteChange>,
    /// What the user should know of it.
    pub notes: Vec<String>,
}

/// Why an edit was refused. Nothing was changed then.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EditError {
    /// The image is damaged.
    #[error("the image is damaged: {}", first_error(.findings))]
    Damaged {
        /// What was found, the errors among it.
        findings: Vec<Finding>,
    },
    /// What should go in is no sound expansion ROM.
    #[error("the ROM is damaged: {}", first_error(.findings))]
    RomDamaged {
        /// What was found, the errors among it.
        findings: Vec<Finding>,
    },
    /// The length of a ROM must be a whole number of dwords.
    #[error("the ROM has {length} bytes, not a multiple of 4")]
    RomLength {
        /// Its length in bytes.
        length: usize,
    },
    /// There is no image in that slot.
    #[error("there is no image in slot {slot}, only in {}", slots(.present))]
    NoSuchSlot {
        /// The slot that was asked for.
        slot: usize,
        /// Those that hold an image.
        present: Vec<usize>,
    },
    /// Two images, and nobody said which.
    #[error("there are images in {}, and which one to change was not said", slots(.present))]
    WhichSlot {
        /// Those that hold an image.
        present: Vec<usize>,
    },
    /// There is a ROM where none was expected.
    #[error("the image in slot {slot} has an expansion ROM already, at {offset:#010x}")]
    HasRom {
        /// The slot.
        slot: usize,
        /// Where the ROM starts in the file.
        offset: u64,
    },
    /// There is no ROM.
    #[error("the image in slot {slot} has no expansion ROM")]
    NoRom {
        /// The slot.
        slot: usize,
    },
    /// A vendor's signature would be lost.
    #[error(
        "the image is signed by its vendor ({path} at {offset:#010x}), and a changed image is not"
    )]
    SignatureLost {
        /// The section that holds the signature.
        path: String,
        /// Where it starts in the file.
        offset: u64,
        /// Whether the image says that it is for cards that insist on it.
        secure_firmware: bool,
    },
    /// The ROM is for another device.
    #[error("the ROM is for device {}, the image for {}", ids(.rom), ids(.image))]
    OtherDevice {
        /// PCI device ids of the ROM.
        rom: Vec<u16>,
        /// PCI device ids of the image.
        image: Vec<u16>,
    },
    /// The ROM carries no version record.
    #[error("the ROM has no version record, so no firmware tool can tell its version")]
    Unversioned,
    /// It does not fit.
    #[error("{what} needs {needed:#x} bytes, and there are {available:#x}: {limit}")]
    TooLarge {
        /// What does not fit.
        what: String,
        /// Bytes that it needs.
        needed: u64,
        /// Bytes that there are.
        available: u64,
        /// What sets the limit.
        limit: String,
    },
    /// A part is absent that the edit needs.
    #[error("the image has no {part}, which {needed_for}")]
    Lacks {
        /// The part.
        part: String,
        /// What it is needed for.
        needed_for: String,
    },
    /// Boot defaults were not found, or not exactly once.
    #[error("{what} was found {found} times, and {expected} are expected")]
    PatternCount {
        /// What was looked for.
        what: String,
        /// How often it was found.
        found: usize,
        /// How often it must be there.
        expected: usize,
    },
    /// A value that a field cannot hold.
    #[error("{field} cannot be {value}: {allowed}")]
    BadValue {
        /// The field.
        field: String,
        /// What was asked for.
        value: String,
        /// What is allowed.
        allowed: String,
    },
    /// A name that is none of those that can be changed.
    #[error("there is no boot default {name}, only {known}")]
    NoSuchDefault {
        /// The name.
        name: String,
        /// Those that there are.
        known: String,
    },
    /// The format is recognised and not handled.
    #[error("{format}: {reason}")]
    Unsupported {
        /// Its name.
        format: String,
        /// Why not.
        reason: String,
    },
}

fn first_error(findings: &[Finding]) -> String {
    findings
        .iter()
        .max_by(|a, b| a.severity.cmp(&b.severity).then(b.offset.cmp(&a.offset)))
        .map_or_else(|| "nothing in it is known".to_owned(), Finding::to_string)
}

fn slots(present: &[usize]) -> String {
    match present {
        [] => "no slot".to_owned(),
        [one] => format!("slot {one}"),
        several => {
            let several: Vec<String> = several.iter().map(usize::to_string).collect();
            format!("slots {}", several.join(" and "))
        }
    }
}

fn ids(ids: &[u16]) -> String {
    let ids: Vec<String> = ids.iter().map(|id| format!("{id:#06x}")).collect();
    ids.join(", ")
}
