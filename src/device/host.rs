//! What the host allows, and where flexctl keeps its own files.

use std::env;
use std::path::PathBuf;

use crate::pci::{BootMode, Lockdown, SysfsRoot};

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
