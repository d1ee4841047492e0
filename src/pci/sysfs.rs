//! The host's PCI functions in sysfs, below a root that can be moved.
//!
//! Entries of `bus/pci/devices` are links on a real host and plain directories
//! in a tree that a FUSE server or a test makes: both are followed the same way.
//! Nothing here opens a card: config space is not touched.
//!
//! # Sources
//! Linux kernel, Documentation/ABI/testing/sysfs-bus-pci and
//! Documentation/PCI/sysfs-pci.rst.

use std::io;
use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::thread;

use rustix::io::Errno;

use super::attribute::{Directory, hexadecimal16};
use super::listed::{ID, Ids, describe, undescribed};
use super::modalias::Modalias;
use super::{Bdf, FunctionInfo};

/// PCI vendor id of Mellanox Technologies (PCI ID database).
pub const MELLANOX: u16 = 0x15b3;

/// Below so many entries one thread is done before a second one has started.
const ENTRIES_WORTH_A_THREAD: usize = 96;
/// sysfs serialises parts of a look-up: more threads only wait for each other.
const MOST_THREADS: usize = 4;

/// Where the host's sysfs is, usually `/sys`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SysfsRoot {
    path: PathBuf,
}

/// The host does not let its PCI functions be listed.
#[derive(Debug, thiserror::Error)]
#[error("cannot list the PCI functions in {}", path.display())]
pub struct ScanError {
    /// The directory that cannot be listed.
    pub path: PathBuf,
    /// What the host answered.
    #[source]
    pub source: io::Error,
}

impl Default for SysfsRoot {
    fn default() -> Self {
        Self::new("/sys")
    }
}

impl SysfsRoot {
    /// A tree at `path`, which is not looked at yet.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }

    /// The path of the tree.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The directory that lists the PCI functions.
    #[must_use]
    pub fn functions_path(&self) -> PathBuf {
        self.path.join("bus/pci/devices")
    }

    /// The directory of one function.
    #[must_use]
    pub fn function_path(&self, address: Bdf) -> PathBuf {
        self.functions_path().join(address.to_string())
    }

    /// All functions of vendor [`MELLANOX`], of whatever device, by address.
    ///
    /// An attribute that cannot be read never hides its function: it is listed
    /// in [`FunctionInfo::unreadable`]. The ids are taken from `modalias`, and
    /// from one attribute each where that cannot be read; a function is left out
    /// only if they name another vendor, or if it disappears meanwhile.
    ///
    /// # Errors
    /// [`ScanError`] when the list of functions itself cannot be read.
    pub fn scan(&self) -> Result<Vec<FunctionInfo>, ScanError> {
        self.scan_vendor(MELLANOX)
    }

    fn scan_vendor(&self, vendor: u16) -> Result<Vec<FunctionInfo>, ScanError> {
        let path = self.functions_path();
        let failed = |errno: Errno| ScanError {
            path: path.clone(),
            source: errno.into(),
        };
        let devices = Directory::open(&path).map_err(failed)?;
        let mut entries = Vec::new();
        devices
            .for_each_name(|name| entries.extend(Entry::parse(name)))
            .map_err(failed)?;

        let mut functions = describe_all(&devices, &entries, vendor);
        functions.sort_unstable_by_key(|function| function.address);
        Ok(functions)
    }
}

/// A name in `bus/pci/devices` that is a PCI address.
struct Entry {
    name: String,
    address: Bdf,
}

impl Entry {
    fn parse(name: &[u8]) -> Option<Self> {
        let name = std::str::from_utf8(name).ok()?;
        let address = name.parse().ok()?;
        Some(Self {
            name: name.to_owned(),
            address,
        })
    }
}

fn describe_all(devices: &Directory, entries: &[Entry], vendor: u16) -> Vec<FunctionInfo> {
    let threads = match entries.len() / ENTRIES_WORTH_A_THREAD {
        0 | 1 => 1,
        worth => worth.min(thread::available_parallelism().map_or(1, NonZero::get)),
    }
    .min(MOST_THREADS);
    // Every n-th entry, as neighbours are alike: one thread would otherwise get
    // all the cards and another one all the bridges.
    let share = |first: usize| {
        let mut path = String::new();
        entries
            .iter()
            .skip(first)
            .step_by(threads)
            .filter_map(|entry| describe_entry(devices, entry, vendor, &mut path))
            .collect::<Vec<_>>()
    };
    if threads == 1 {
        return share(0);
    }
    thread::scope(|scope| {
        let share = &share;
        let others: Vec<_> = (1..threads)
            .map(|first| scope.spawn(move || share(first)))
            .collect();
        let mut functions = share(0);
        for other in others {
            match other.join() {
                Ok(found) => functions.extend(found),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        functions
    })
}

fn describe_entry(
    devices: &Directory,
    entry: &Entry,
    wanted: u16,
    path: &mut String,
) -> Option<FunctionInfo> {
    let alias = devices.attribute(
        join(path, &entry.name, "modalias"),
        "the alias of a PCI function",
        Modalias::parse,
    );
    let ids = match alias {
        Ok(alias) => Ids::Alias(alias),
        Err(_) => {
            Ids::Attributes(devices.attribute(join(path, &entry.name, "vendor"), ID, hexadecimal16))
        }
    };
    let vendor = match &ids {
        Ids::Alias(alias) => Some(alias.vendor),
        Ids::Attributes(vendor) => vendor.as_ref().ok().copied(),
    };
    if vendor.is_some_and(|vendor| vendor != wanted) {
        return None;
    }
    match devices.place(entry.name.as_str()) {
        Ok(function) => Some(describe(&function, entry.address, ids)),
        Err(fault) if fault.is_gone() => None,
        Err(fault) => Some(undescribed(entry.address, ids, fault)),
    }
}

/// The path of an attribute, in a buffer that is used again and again.
fn join<'b>(path: &'b mut String, directory: &str, name: &str) -> &'b str {
    path.clear();
    path.push_str(directory);
    path.push('/');
    path.push_str(name);
    path
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pci::FunctionKind;

    /// Any function of the machine that runs the tests will do.
    #[test]
    fn describes_the_functions_of_the_machine_it_runs_on() {
        let root = SysfsRoot::default();
        let Ok(entries) = std::fs::read_dir(root.functions_path()) else {
            return;
        };
        for entry in entries.flatten() {
            let vendor = std::fs::read_to_string(entry.path().join("vendor")).unwrap();
            let vendor = hexadecimal16(vendor.trim()).unwrap();
            let functions = root.scan_vendor(vendor).unwrap();
            let name = entry.file_name().into_string().unwrap();
            let function = functions
                .iter()
                .find(|function| function.address.to_string() == name)
                .unwrap();
            assert_eq!(function.vendor, vendor);
            assert!(function.class.is_some());
            assert_eq!(
                function.kind == FunctionKind::Virtual,
                entry.path().join("physfn").exists()
            );
        }
    }

    #[test]
    fn paths_follow_the_root() {
        let root = SysfsRoot::new("/elsewhere");
        let address = "04:00.1".parse().unwrap();
        assert_eq!(
            root.function_path(address),
            Path::new("/elsewhere/bus/pci/devices/0000:04:00.1")
        );
        assert_eq!(SysfsRoot::default().path(), Path::new("/sys"));
    }
}
