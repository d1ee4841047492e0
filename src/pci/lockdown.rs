//! Kernel lockdown: whether the kernel lets even root reach into a card.

use std::fs;
use std::io;

use super::SysfsRoot;

/// The mode of the kernel's lockdown security module.
///
/// From `integrity` on the kernel denies with EPERM, under the reason
/// `LOCKDOWN_PCI_ACCESS` ("direct PCI access"), what flexctl needs in order to
/// talk to a card: writes to `config` in sysfs and mapping `resourceN` (writes
/// to I/O port resources and to /proc/bus/pci too). Reading `config` and the
/// attributes stays allowed, but a card answers nothing without writes. UEFI
/// Secure Boot switches lockdown on in the kernels of many distributions.
///
/// # Sources
/// Linux kernel, security/lockdown/lockdown.c and include/linux/security.h
/// (`enum lockdown_reason`); drivers/pci/pci-sysfs.c (`pci_write_config`,
/// `pci_mmap_resource`); drivers/pci/proc.c.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Lockdown {
    /// Nothing is locked down.
    None,
    /// What could change the running kernel is denied, access to cards with it.
    Integrity,
    /// As [`Lockdown::Integrity`], and what could read secrets is denied.
    Confidentiality,
    /// The host does not say.
    Unknown {
        /// Why not, in words.
        reason: String,
    },
}

impl Lockdown {
    /// Asks the host, in `kernel/security/lockdown`.
    #[must_use]
    pub fn load(root: &SysfsRoot) -> Self {
        let path = root.path().join("kernel/security/lockdown");
        match fs::read_to_string(path) {
            Ok(text) => Self::parse(&text),
            Err(error) => Self::Unknown {
                reason: match error.kind() {
                    io::ErrorKind::NotFound => "the kernel has no lockdown module, \
                         or its file system for security modules is not mounted"
                        .to_owned(),
                    io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
                    _ => error.to_string(),
                },
            },
        }
    }

    /// Reads the kernel's list of modes, in which the active one stands in
    /// brackets: `none [integrity] confidentiality`.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        let mut active = text
            .split_ascii_whitespace()
            .filter_map(|mode| mode.strip_prefix('[')?.strip_suffix(']'));
        match (active.next(), active.next()) {
            (Some("none"), None) => Self::None,
            (Some("integrity"), None) => Self::Integrity,
            (Some("confidentiality"), None) => Self::Confidentiality,
            _ => Self::Unknown {
                reason: format!("`{}` names no known mode", text.trim().escape_debug()),
            },
        }
    }

    /// Whether the kernel denies config writes and BAR mappings; `None` when
    /// nobody can tell.
    #[must_use]
    pub fn denies_pci_access(&self) -> Option<bool> {
        match self {
            Self::None => Some(false),
            Self::Integrity | Self::Confidentiality => Some(true),
            Self::Unknown { .. } => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mode_in_brackets_counts() {
        for (text, mode, denied) in [
            ("[none] integrity confidentiality\n", Lockdown::None, false),
            (
                "none [integrity] confidentiality\n",
                Lockdown::Integrity,
                true,
            ),
            (
                "none integrity [confidentiality]\n",
                Lockdown::Confidentiality,
                true,
            ),
        ] {
            assert_eq!(Lockdown::parse(text), mode);
            assert_eq!(mode.denies_pci_access(), Some(denied));
        }
    }

    #[test]
    fn what_names_no_mode_is_unknown() {
        for text in [
            "",
            "none integrity",
            "[none] [integrity]",
            "[other]",
            "[none",
        ] {
            let mode = Lockdown::parse(text);
            assert!(matches!(mode, Lockdown::Unknown { .. }), "{text}");
            assert_eq!(mode.denies_pci_access(), None);
        }
    }

    #[test]
    fn the_file_is_looked_for_below_the_root() {
        let directory = tempfile::tempdir().unwrap();
        let root = SysfsRoot::new(directory.path());
        assert!(matches!(Lockdown::load(&root), Lockdown::Unknown { .. }));
        let security = directory.path().join("kernel/security");
        fs::create_dir_all(&security).unwrap();
        fs::write(
            security.join("lockdown"),
            "none [integrity] confidentiality\n",
        )
        .unwrap();
        assert_eq!(Lockdown::load(&root), Lockdown::Integrity);
    }
}
