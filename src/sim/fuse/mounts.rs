//! What is mounted in the namespace, and taken away again.

use std::ffi::CString;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::mount::{MountFlags, UnmountFlags, mount, mount_bind, unmount};

use super::error::RunError;

/// Where Linux lists PCI functions.
pub(crate) const DEVICES: &str = "/sys/bus/pci/devices";

/// Where mstflint keeps its lock files; they are named by PCI address, so that
/// a virtual card would share them with a real one (mstflint 4.21).
const LOCK_FILES: &str = "/tmp/mstflint_lockfiles";

/// Mounts that go away when this is dropped.
#[derive(Debug, Default)]
pub(crate) struct Mounts {
    places: Vec<PathBuf>,
}

impl Mounts {
    /// Mounts FUSE over the list of PCI functions; the returned end of it has
    /// to be served before anybody looks there.
    pub(crate) fn fuse(&mut self) -> Result<OwnedFd, RunError> {
        let device = OpenOptions::new()
            .read(true)
            .write(true)
            .open("/dev/fuse")
            .map_err(|source| RunError::NoFuse { source })?;
        let options = format!(
            "fd={},rootmode=40755,user_id=0,group_id=0,allow_other,default_permissions",
            device.as_raw_fd()
        );
        let flags = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
        self.mount("flexctl-sim", DEVICES, "fuse", flags, &options)?;
        Ok(device.into())
    }

    /// Gives the namespace lock files of its own, and a directory among them
    /// for whatever else must not be shared with the outside.
    pub(crate) fn lock_files(&mut self) -> Result<PathBuf, RunError> {
        create_dir(Path::new(LOCK_FILES))?;
        let flags = MountFlags::NOSUID | MountFlags::NODEV;
        self.mount("tmpfs", LOCK_FILES, "tmpfs", flags, "mode=0777")?;
        let private = Path::new(LOCK_FILES).join("flexctl-run");
        create_dir(&private)?;
        Ok(private)
    }

    /// Takes physical memory out of reach: mstflint maps it at the address of
    /// a BAR when it finds no better way.
    pub(crate) fn hide_memory(&mut self) -> Result<(), RunError> {
        let memory = Path::new("/dev/mem");
        if !memory.exists() {
            return Ok(());
        }
        mount_bind("/dev/null", memory).map_err(refused("/dev/null", memory))?;
        self.places.push(memory.into());
        Ok(())
    }

    fn mount(
        &mut self,
        source: &'static str,
        path: &str,
        kind: &str,
        flags: MountFlags,
        options: &str,
    ) -> Result<(), RunError> {
        let options = CString::new(options).map_err(|error| RunError::Mount {
            what: source,
            path: path.into(),
            source: error.into(),
        })?;
        mount(source, path, kind, flags, options.as_c_str())
            .map_err(refused(source, Path::new(path)))?;
        self.places.push(path.into());
        Ok(())
    }
}

impl Drop for Mounts {
    fn drop(&mut self) {
        for place in self.places.drain(..).rev() {
            // Nothing can be done about it, and the namespace goes away anyway.
            let _ = unmount(&place, UnmountFlags::DETACH);
        }
    }
}

fn refused(what: &'static str, path: &Path) -> impl FnOnce(rustix::io::Errno) -> RunError {
    let path = path.to_owned();
    move |errno| RunError::Mount {
        what,
        path,
        source: errno.into(),
    }
}

fn create_dir(path: &Path) -> Result<(), RunError> {
    match fs::create_dir(path) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(source) => Err(RunError::Io {
            action: "create",
            path: path.into(),
            source,
        }),
    }
}

/// Whether FUSE is there at all, before anything is changed.
pub(crate) fn check_fuse() -> Result<(), RunError> {
    File::options()
        .read(true)
        .write(true)
        .open("/dev/fuse")
        .map(drop)
        .map_err(|source| RunError::NoFuse { source })
}
