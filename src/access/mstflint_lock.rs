//! mstflint's lock file of a function, taken for one transaction of the legacy
//! gateway and no longer.
//!
//! mstflint takes an flock on `/tmp/mstflint_lockfiles/DDDD:BB:DD.F_config`
//! around every access to the address/data pair. Without it, an access of it
//! between our address and our data would go to the wrong place. It gives up
//! after 4,096 quick tries, so a hold must stay at a few milliseconds.
//!
//! # Sources
//! mstflint 4.21 `mtcr_ul_com.c`, LOCK_FILE_FORMAT and `_flock_int`.

use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use rustix::fs::{FileType, FlockOperation, Mode, OFlags};
use rustix::io::Errno;

use crate::pci::Bdf;

use super::{AccessError, GaveUp, Patience};

const DIRECTORY: &str = "/tmp/mstflint_lockfiles";

/// The lock file of a function's config space, opened.
#[derive(Debug)]
pub(super) struct MstflintLock {
    address: Bdf,
    file: OwnedFd,
    path: PathBuf,
}

impl MstflintLock {
    /// Opens the lock file, makes it when it is not there.
    ///
    /// `/tmp` is open to everybody, so links are not followed.
    pub(super) fn open(address: Bdf) -> Result<Self, AccessError> {
        Self::open_in(Path::new(DIRECTORY), address)
    }

    fn open_in(directory: &Path, address: Bdf) -> Result<Self, AccessError> {
        let path = directory.join(format!("{address}_config"));
        let file = open_file(directory, &path).map_err(|errno| AccessError::LockFile {
            address,
            path: path.display().to_string(),
            source: io::Error::from(errno),
        })?;
        Ok(Self {
            address,
            file,
            path,
        })
    }

    /// Takes the lock; it is given back when the guard is dropped.
    pub(super) fn take(&self, patience: &Patience) -> Result<Held<'_>, AccessError> {
        let mut wait = patience.wait();
        loop {
            match rustix::fs::flock(&self.file, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) => return Ok(Held(self)),
                Err(Errno::WOULDBLOCK | Errno::INTR) => {}
                Err(errno) => {
                    return Err(AccessError::LockFile {
                        address: self.address,
                        path: self.path.display().to_string(),
                        source: io::Error::from(errno),
                    });
                }
            }
            wait.pause().map_err(|end| match end {
                GaveUp::TimeUp(waited) => AccessError::LockHeld {
                    address: self.address,
                    path: self.path.display().to_string(),
                    waited,
                },
                GaveUp::Stopped => AccessError::Interrupted {
                    address: self.address,
                    what: "mstflint's lock file",
                },
            })?;
        }
    }
}

fn open_file(directory: &Path, path: &Path) -> Result<OwnedFd, Errno> {
    match rustix::fs::mkdir(directory, Mode::from_raw_mode(0o777)) {
        Ok(()) | Err(Errno::EXIST) => {}
        Err(errno) => return Err(errno),
    }
    let folder = rustix::fs::open(
        directory,
        OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::RDONLY | OFlags::CLOEXEC,
        Mode::empty(),
    )?;
    let name = path.file_name().unwrap_or_default();
    let file = rustix::fs::openat(
        &folder,
        name,
        OFlags::RDONLY | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC,
        Mode::from_raw_mode(0o777),
    )?;
    let kind = FileType::from_raw_mode(rustix::fs::fstat(&file)?.st_mode);
    if kind == FileType::RegularFile {
        Ok(file)
    } else {
        Err(Errno::INVAL)
    }
}

/// A hold of the lock.
#[derive(Debug)]
pub(super) struct Held<'a>(&'a MstflintLock);

impl Drop for Held<'_> {
    fn drop(&mut self) {
        // Closing the file would free it too; there is nobody to tell.
        let _ = rustix::fs::flock(&self.0.file, FlockOperation::Unlock);
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;
    use std::sync::Arc;
    use std::time::Duration;

    use super::*;

    fn address() -> Bdf {
        "0000:05:00.0".parse().unwrap()
    }

    #[test]
    fn a_second_holder_waits_and_is_told_which_file() {
        let folder = tempfile::tempdir().unwrap();
        let directory = folder.path().join("locks");
        let first = MstflintLock::open_in(&directory, address()).unwrap();
        let second = MstflintLock::open_in(&directory, address()).unwrap();
        let patience = Patience::new(Duration::from_millis(10), Arc::default());
        let held = first.take(&patience).unwrap();
        let error = second.take(&patience).unwrap_err();
        assert!(error.to_string().contains("0000:05:00.0_config"), "{error}");
        drop(held);
        assert!(second.take(&patience).is_ok());
    }

    #[test]
    fn a_link_laid_by_somebody_else_is_not_followed() {
        let folder = tempfile::tempdir().unwrap();
        let directory = folder.path().join("locks");
        std::fs::create_dir(&directory).unwrap();
        let target = folder.path().join("target");
        symlink(&target, directory.join("0000:05:00.0_config")).unwrap();
        assert!(MstflintLock::open_in(&directory, address()).is_err());
        assert!(!target.exists());
        let linked = folder.path().join("linked");
        symlink(&directory, &linked).unwrap();
        assert!(MstflintLock::open_in(&linked, address()).is_err());
    }
}
