//! How the host's own firmware booted it.

use super::SysfsRoot;

/// The kind of firmware that started the running system, and with it the kind
/// of expansion ROM image that it would run.
///
/// # Sources
/// Linux kernel, Documentation/ABI/testing/sysfs-firmware-efi: the directory
/// `/sys/firmware/efi` is there only if the kernel was booted by EFI.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum BootMode {
    /// Booted by UEFI: a UEFI driver image would run.
    Uefi,
    /// Booted by a BIOS, or by UEFI in compatibility mode: a PXE image would run.
    /// A container whose `/sys/firmware` is masked looks like this too.
    Bios,
}

impl BootMode {
    /// Asks the host.
    #[must_use]
    pub fn load(root: &SysfsRoot) -> Self {
        if root.path().join("firmware/efi").exists() {
            Self::Uefi
        } else {
            Self::Bios
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_efi_directory_tells() {
        let directory = tempfile::tempdir().unwrap();
        let root = SysfsRoot::new(directory.path());
        assert_eq!(BootMode::load(&root), BootMode::Bios);
        std::fs::create_dir_all(directory.path().join("firmware/efi/efivars")).unwrap();
        assert_eq!(BootMode::load(&root), BootMode::Uefi);
    }
}
