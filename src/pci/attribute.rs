//! Attributes of a sysfs directory: small files, links and sub-directories.
//!
//! Everything goes through directory descriptors and buffers on the stack: a
//! host with a thousand cards has some ten thousand attributes, and no path is
//! built or resolved twice.

use std::fmt;
use std::mem::MaybeUninit;
use std::path::Path;

use rustix::fd::OwnedFd;
use rustix::fs::{CWD, Mode, OFlags, RawDir, openat, readlinkat_raw};
use rustix::io::{Errno, read, retry_on_intr};
use rustix::path::Arg;

/// Longer than any attribute that is read here; an InfiniBand hardware address
/// is 59 characters.
const LONGEST_ATTRIBUTE_BYTES: usize = 128;
/// Linux' PATH_MAX: no link target is longer.
const LONGEST_LINK_BYTES: usize = 4096;
/// Room for some hundred directory entries at a time.
const LISTING_BYTES: usize = 8192;
/// How much of a malformed value is repeated to the user.
const SHOWN_CHARACTERS: usize = 40;

/// Why an attribute has no value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// The host refused or failed the access.
    Host(Errno),
    /// It is a link that leads nowhere.
    Dangling,
    /// A link was expected.
    NotALink,
    /// It was read and makes no sense.
    Malformed {
        /// What was read, escaped and shortened.
        text: String,
        /// What it should have been.
        expected: &'static str,
    },
}

impl Fault {
    /// Whether there is simply nothing of that name.
    pub(super) fn is_absent(&self) -> bool {
        matches!(self, Self::Host(Errno::NOENT))
    }

    /// Whether the function behind the directory is no longer there, or the
    /// entry never was a directory.
    pub(super) fn is_gone(&self) -> bool {
        matches!(
            self,
            Self::Host(Errno::NOENT | Errno::NODEV | Errno::NXIO | Errno::NOTDIR)
        )
    }

    /// A value that was read and makes no sense.
    pub(super) fn malformed(text: &str, expected: &'static str) -> Self {
        let text = text
            .chars()
            .take(SHOWN_CHARACTERS)
            .flat_map(char::escape_debug)
            .collect();
        Self::Malformed { text, expected }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Host(Errno::ACCESS | Errno::PERM) => f.write_str("permission denied"),
            Self::Host(Errno::NOENT) => f.write_str("the host does not show it"),
            Self::Host(Errno::NODEV | Errno::NXIO) => f.write_str("the device is gone"),
            Self::Host(Errno::ISDIR) => f.write_str("it is a directory, not an attribute"),
            Self::Host(Errno::NOTDIR) => f.write_str("it is not a directory"),
            Self::Host(errno) => fmt::Display::fmt(&std::io::Error::from(*errno), f),
            Self::Dangling => f.write_str("it is a link that leads nowhere"),
            Self::NotALink => f.write_str("it is not a link"),
            Self::Malformed { text, expected } => write!(f, "`{text}` is not {expected}"),
        }
    }
}

impl From<Errno> for Fault {
    fn from(errno: Errno) -> Self {
        Self::Host(errno)
    }
}

/// A directory of the tree.
#[derive(Debug)]
pub(super) struct Directory(OwnedFd);

impl Directory {
    /// Opens a directory by its path, to be listed.
    pub(super) fn open(path: &Path) -> Result<Self, Errno> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        retry_on_intr(|| openat(CWD, path, flags, Mode::empty())).map(Self)
    }

    /// A place in this directory to reach attributes from; links are followed.
    /// It cannot be listed.
    pub(super) fn place(&self, name: impl Arg + Copy) -> Result<Self, Fault> {
        self.subdirectory(name, OFlags::PATH)
    }

    /// A directory inside of this one, to be listed; links are followed.
    pub(super) fn directory(&self, name: impl Arg + Copy) -> Result<Self, Fault> {
        self.subdirectory(name, OFlags::RDONLY)
    }

    fn subdirectory(&self, name: impl Arg + Copy, how: OFlags) -> Result<Self, Fault> {
        let flags = how | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let fd = retry_on_intr(|| openat(&self.0, name, flags, Mode::empty()))?;
        Ok(Self(fd))
    }

    /// Whether there is a link of that name, wherever it leads.
    pub(super) fn has_link(&self, name: impl Arg + Copy) -> bool {
        let mut buffer = [MaybeUninit::uninit(); 1];
        readlinkat_raw(&self.0, name, &mut buffer).is_ok()
    }

    /// Reads an attribute and hands its trimmed text to `parse`.
    pub(super) fn attribute<T>(
        &self,
        name: impl Arg + Copy,
        expected: &'static str,
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> Result<T, Fault> {
        // What is no attribute must not make the listing wait (a FIFO would).
        let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK;
        let file = retry_on_intr(|| openat(&self.0, name, flags, Mode::empty()))?;
        let mut buffer = [0; LONGEST_ATTRIBUTE_BYTES];
        let length = retry_on_intr(|| read(&file, &mut buffer))?;
        let text = buffer.get(..length).unwrap_or_default().trim_ascii();
        std::str::from_utf8(text)
            .ok()
            .and_then(parse)
            .ok_or_else(|| Fault::malformed(&String::from_utf8_lossy(text), expected))
    }

    /// The last component of a link's target: the name of what it points to.
    pub(super) fn link<T>(
        &self,
        name: impl Arg + Copy,
        expected: &'static str,
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> Result<T, Fault> {
        let mut buffer = [MaybeUninit::uninit(); LONGEST_LINK_BYTES];
        let (target, _) = match readlinkat_raw(&self.0, name, &mut buffer) {
            Err(Errno::INVAL) => return Err(Fault::NotALink),
            other => other?,
        };
        let last = target.rsplit(|&byte| byte == b'/').next();
        let last = last.unwrap_or_default();
        std::str::from_utf8(last)
            .ok()
            .filter(|name| !name.is_empty())
            .and_then(parse)
            .ok_or_else(|| Fault::malformed(&String::from_utf8_lossy(last), expected))
    }

    /// Calls `each` with the name of every entry but `.` and `..`, unsorted.
    pub(super) fn for_each_name(&self, mut each: impl FnMut(&[u8])) -> Result<(), Errno> {
        let mut buffer = [MaybeUninit::uninit(); LISTING_BYTES];
        let mut entries = RawDir::new(&self.0, &mut buffer);
        while let Some(entry) = entries.next() {
            let name = match entry {
                Ok(ref entry) => entry.file_name().to_bytes(),
                Err(Errno::INTR) => continue,
                Err(errno) => return Err(errno),
            };
            if name != b"." && name != b".." {
                each(name);
            }
        }
        Ok(())
    }

    /// The names of all entries, shortest first and then by letters, which puts
    /// `eth2` before `eth10`.
    pub(super) fn names(&self) -> Result<Vec<String>, Fault> {
        let mut names = Vec::new();
        self.for_each_name(|name| names.push(String::from_utf8_lossy(name).into_owned()))?;
        names.sort_by(|a, b| (a.len(), a).cmp(&(b.len(), b)));
        Ok(names)
    }
}

/// A number as the kernel prints ids: `0x15b3`.
pub(super) fn hexadecimal(text: &str) -> Option<u32> {
    let digits = text.strip_prefix("0x")?;
    let plain = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    plain
        .then(|| u32::from_str_radix(digits, 16).ok())
        .flatten()
}

/// As [`hexadecimal`], for 16 bits.
pub(super) fn hexadecimal16(text: &str) -> Option<u16> {
    hexadecimal(text).and_then(|value| u16::try_from(value).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_read_as_the_kernel_prints_them() {
        assert_eq!(hexadecimal16("0x15b3"), Some(0x15b3));
        assert_eq!(hexadecimal("0x020000"), Some(0x02_0000));
        for text in ["", "0x", "15b3", "0x+1", "0x10000000000", "0x15b3 "] {
            assert_eq!(hexadecimal(text), None, "{text}");
        }
        assert_eq!(hexadecimal16("0x10000"), None);
    }

    #[test]
    fn malformed_values_are_shown_escaped_and_shortened() {
        let fault = Fault::malformed("\x1b[31mred", "a number");
        assert_eq!(fault.to_string(), r"`\u{1b}[31mred` is not a number");
        assert!(
            Fault::malformed(&"x".repeat(500), "short")
                .to_string()
                .len()
                < 80
        );
    }

    #[test]
    fn faults_speak_in_words() {
        assert_eq!(Fault::Host(Errno::PERM).to_string(), "permission denied");
        assert!(Fault::Host(Errno::IO).to_string().contains("nput/output"));
        assert!(Fault::Host(Errno::NOENT).is_absent());
    }
}
