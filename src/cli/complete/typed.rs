//! What the words that are there already say about the host and the cards.

use std::ffi::{OsStr, OsString};
use std::path::PathBuf;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use crate::device::Selector;
use crate::hwdb::Hwdb;
use crate::pci::SysfsRoot;
use crate::sim::Shelf;

/// How long the host may take to list its cards before a press of Tab goes on without.
const LISTING_LIMIT: Duration = Duration::from_secs(1);

/// The global options among the words.
///
/// clap cannot be asked: it answers nothing about a line that is not finished.
#[derive(Clone, Debug)]
pub(super) struct Typed {
    sysfs_root: PathBuf,
    hwdb: Option<PathBuf>,
    /// The cards that are named; a name that is no selector is left out.
    pub(super) selectors: Vec<Selector>,
}

impl Typed {
    /// The words begin with the program's name.
    pub(super) fn new(words: &[OsString]) -> Self {
        let mut typed = Self {
            sysfs_root: PathBuf::from("/sys"),
            hwdb: None,
            selectors: Vec::new(),
        };
        let mut words = words.iter().skip(1).map(|word| word.to_string_lossy());
        while let Some(word) = words.next() {
            let (option, value) = match word.split_once('=') {
                Some((option, value)) if option.starts_with("--") => (option, Some(value)),
                _ => match word.strip_prefix("-d") {
                    Some(value) if !value.is_empty() => ("-d", Some(value)),
                    _ => (&*word, None),
                },
            };
            if option == "--" {
                break;
            }
            if !matches!(option, "-d" | "--device" | "--sysfs-root" | "--hwdb") {
                continue;
            }
            let Some(value) = value.map(Into::into).or_else(|| words.next()) else {
                break;
            };
            match option {
                "--sysfs-root" => typed.sysfs_root = PathBuf::from(&*value),
                "--hwdb" => typed.hwdb = Some(PathBuf::from(&*value)),
                _ => typed.selectors.extend(value.parse::<Selector>()),
            }
        }
        typed
    }

    /// The data files: the embedded ones where the folder cannot be used.
    pub(super) fn hwdb(&self) -> Option<Hwdb> {
        let own = self.hwdb.as_deref().map(Hwdb::with_folder);
        own.and_then(Result::ok).or_else(|| Hwdb::builtin().ok())
    }

    pub(super) fn root(&self) -> SysfsRoot {
        SysfsRoot::new(&self.sysfs_root)
    }
}

/// The shelf of virtual cards; an empty one where there is no place for it.
pub(super) fn shelf() -> Shelf {
    Shelf::default_directory().map_or_else(|_| Shelf::memory(), Shelf::open)
}

/// What the host answers, if it does in time. A driver that hangs holds sysfs,
/// and must not hold the shell.
pub(super) fn in_time<T: Send + 'static>(ask: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    let (sender, answer) = mpsc::channel();
    thread::spawn(move || sender.send(ask()));
    answer.recv_timeout(LISTING_LIMIT).ok()
}

/// Whether `word` may become `whole`, whatever the case.
pub(super) fn begins(whole: &str, word: &OsStr) -> bool {
    let (whole, word) = (whole.as_bytes(), word.as_encoded_bytes());
    whole
        .get(..word.len())
        .is_some_and(|start| start.eq_ignore_ascii_case(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed(line: &str) -> Typed {
        let words: Vec<OsString> = line.split(' ').map(OsString::from).collect();
        Typed::new(&words)
    }

    #[test]
    fn options_are_found_however_they_are_written() {
        for line in [
            "flexctl -d sim:a --sysfs-root /s --hwdb /h settings set",
            "flexctl settings set -dsim:a --sysfs-root=/s X=1 --hwdb=/h",
            "flexctl settings --device=sim:a --sysfs-root /s --hwdb /h --device",
        ] {
            let typed = typed(line);
            assert_eq!(typed.sysfs_root, PathBuf::from("/s"), "{line}");
            assert_eq!(typed.hwdb, Some(PathBuf::from("/h")), "{line}");
            assert_eq!(typed.selectors, [Selector::Sim("a".to_owned())], "{line}");
        }
    }

    #[test]
    fn what_is_no_option_of_flexctl_is_passed_over() {
        let typed = typed("flexctl sim run -d nonsense x -- mstconfig -d 04:00.0");
        assert_eq!(typed.selectors, []);
        assert_eq!(typed.sysfs_root, PathBuf::from("/sys"));
    }
}
