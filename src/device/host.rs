//! What the host allows, and where flexctl keeps its own files.

use std::env;
use std::path::{Path, PathBuf};

use crate::pci::{BootMode, Lockdown, SysfsRoot};

use super::regular_file::read_regular;

/// A UUID and a line end, with room to spare.
const LONGEST_BOOT_ID: u64 = 64;

/// Facts about the host that decide what can be done.
#[derive(Clone, Debug)]
pub struct Host {
    /// Whether this process is root.
    pub is_root: bool,
    /// What the kernel denies.
    pub lockdown: Lockdown,
    /// How the host was booted.
    pub boot_mode: BootMode,
}

impl Host {
    /// Asks the host.
    #[must_use]
    pub fn load(root: &SysfsRoot) -> Self {
        Self {
            is_root: rustix::process::geteuid().is_root(),
            lockdown: Lockdown::load(root),
            boot_mode: BootMode::load(root),
        }
    }
}

/// The kernel's name for this boot of the host, where it says one. `root` is `/`
/// or a tree that stands for it.
#[must_use]
pub fn read_boot_id(root: &Path) -> Option<String> {
    let path = root.join("proc/sys/kernel/random/boot_id");
    let text = read_regular(&path, LONGEST_BOOT_ID).ok()?;
    let text = String::from_utf8(text).ok()?.trim().to_owned();
    let is_id = |letter: char| letter.is_ascii_hexdigit() || letter == '-';
    (!text.is_empty() && text.chars().all(is_id)).then_some(text)
}

/// Where locks and records are kept.
#[derive(Clone, Debug)]
pub struct StateFolders {
    /// Lock files; gone after a reboot.
    pub run: PathBuf,
    /// Records of transactions; stay.
    pub state: PathBuf,
}

impl StateFolders {
    /// `FLEXCTL_RUN_DIR` and `FLEXCTL_STATE_DIR`, else `/run/flexctl` and
    /// `/var/lib/flexctl` for root, else the user's own XDG folders.
    #[must_use]
    pub fn from_environment() -> Self {
        let is_root = rustix::process::geteuid().is_root();
        let home = || env::var_os("HOME").map_or_else(env::temp_dir, PathBuf::from);
        let user_state = || {
            env::var_os("XDG_STATE_HOME")
                .map_or_else(|| home().join(".local/state"), PathBuf::from)
                .join("flexctl")
        };
        let user_run = || {
            env::var_os("XDG_RUNTIME_DIR").map_or_else(
                || user_state().join("run"),
                |folder| PathBuf::from(folder).join("flexctl"),
            )
        };
        let chosen = |variable: &str, root: &str, user: &dyn Fn() -> PathBuf| {
            env::var_os(variable)
                .filter(|value| !value.is_empty())
                .map_or_else(
                    || if is_root { PathBuf::from(root) } else { user() },
                    PathBuf::from,
                )
        };
        Self {
            run: chosen("FLEXCTL_RUN_DIR", "/run/flexctl", &user_run),
            state: chosen("FLEXCTL_STATE_DIR", "/var/lib/flexctl", &user_state),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_boot_has_a_name_of_its_own() {
        let root = tempfile::tempdir().unwrap();
        assert_eq!(read_boot_id(root.path()), None);
        let folder = root.path().join("proc/sys/kernel/random");
        std::fs::create_dir_all(&folder).unwrap();
        for (text, id) in [
            ("0b4f3b1c-3f5e-4a60-9f5d-2f3a1a5a7c11\n", true),
            ("", false),
            ("no id\n", false),
        ] {
            std::fs::write(folder.join("boot_id"), text).unwrap();
            let expected = id.then(|| text.trim().to_owned());
            assert_eq!(read_boot_id(root.path()), expected);
        }
        assert!(read_boot_id(Path::new("/")).is_some_and(|id| id.len() == 36));
    }
}
