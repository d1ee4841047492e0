//! mstflint's lock files of a function, taken for one transaction of the legacy
//! gateway and no longer.
//!
//! mstflint takes an flock on a file in `/tmp/mstflint_lockfiles` around every
//! access to the address/data pair. Without it, an access of it between our
//! address and our data would go to the wrong place. It gives up after 4,096
//! quick tries, so a hold must stay at a few milliseconds.
//!
//! Which file it takes depends on how it was started: `DDDD:BB:DD.F_mem` when it
//! was given a PCI address of a ConnectX-3, also after it has fallen back to
//! config space, `DDDD:BB:DD.F_config` when it was told to use config space. So
//! both are taken here, always in this order.
//!
//! # Sources
//! mstflint 4.21 `mtcr_ul_com.c`, LOCK_FILE_FORMAT and `_flock_int`; which file
//! was seen with strace on `mstconfig -d 05:00.0`.

use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use rustix::fs::{FileType, FlockOperation, Mode, OFlags};
use rustix::io::Errno;

use crate::pci::{Bdf, Function};

use super::{AccessError, GaveUp, Patience};

const DIRECTORY: &str = "/tmp/mstflint_lockfiles";

/// The lock files of a function, opened.
#[derive(Debug)]
pub(super) struct MstflintLock {
    address: Bdf,
    files: [LockFile; 2],
}

#[derive(Debug)]
struct LockFile {
    file: OwnedFd,
    path: PathBuf,
}

impl MstflintLock {
    /// Opens the lock files, makes them when they are not there.
    ///
    /// `/tmp` is open to everybody, so links are not followed.
    fn open(address: Bdf) -> Result<Self, AccessError> {
        Self::open_in(Path::new(DIRECTORY), address)
    }

    /// The same for a function that other programs can reach, else nothing.
    pub(super) fn of(function: &dyn Function) -> Result<Option<Self>, AccessError> {
        function
            .is_shared()
            .then(|| Self::open(function.address()))
            .transpose()
    }

    fn open_in(directory: &Path, address: Bdf) -> Result<Self, AccessError> {
        let open = |kind: &str| {
            let path = directory.join(format!("{address}_{kind}"));
            match open_file(directory, &path) {
                Ok(file) => Ok(LockFile { file, path }),
                Err(errno) => Err(AccessError::LockFile {
                    address,
                    path: path.display().to_string(),
                    source: io::Error::from(errno),
                }),
            }
        };
        Ok(Self {
            address,
            files: [open("mem")?, open("config")?],
        })
    }

    /// Takes the locks; they are given back when the guard is dropped.
    fn take(&self, patience: &Patience) -> Result<Held<'_>, AccessError> {
        let mut held = Held {
            files: Vec::with_capacity(2),
        };
        for file in &self.files {
            self.take_one(file, patience)?;
            held.files.push(file);
        }
        Ok(held)
    }

    fn take_one(&self, lock: &LockFile, patience: &Patience) -> Result<(), AccessError> {
        let mut wait = patience.wait();
        loop {
            match rustix::fs::flock(&lock.file, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) => return Ok(()),
                Err(Errno::WOULDBLOCK | Errno::INTR) => {}
                Err(errno) => {
                    return Err(AccessError::LockFile {
                        address: self.address,
                        path: lock.path.display().to_string(),
                        source: io::Error::from(errno),
                    });
                }
            }
            wait.pause().map_err(|end| match end {
                GaveUp::TimeUp(waited) => AccessError::LockHeld {
                    address: self.address,
                    path: lock.path.display().to_string(),
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

/// Takes the locks, where there are any.
pub(super) fn take<'a>(
    lock: Option<&'a MstflintLock>,
    patience: &Patience,
) -> Result<Option<Held<'a>>, AccessError> {
    lock.map(|lock| lock.take(patience)).transpose()
}

/// A hold of the locks.
#[derive(Debug)]
pub(super) struct Held<'a> {
    files: Vec<&'a LockFile>,
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        for lock in self.files.iter().rev() {
            // Closing the file would free it too; there is nobody to tell.
            let _ = rustix::fs::flock(&lock.file, FlockOperation::Unlock);
        }
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
        assert!(error.to_string().contains("0000:05:00.0_mem"), "{error}");
        drop(held);
        assert!(second.take(&patience).is_ok());
    }

    #[test]
    fn whichever_file_mstflint_holds_is_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let lock = MstflintLock::open_in(folder.path(), address()).unwrap();
        let patience = Patience::new(Duration::from_millis(10), Arc::default());
        for kind in ["mem", "config"] {
            let path = folder.path().join(format!("0000:05:00.0_{kind}"));
            let theirs = std::fs::File::open(path).unwrap();
            rustix::fs::flock(&theirs, FlockOperation::LockExclusive).unwrap();
            assert!(lock.take(&patience).is_err(), "{kind}");
            drop(theirs);
            assert!(lock.take(&patience).is_ok(), "{kind}");
        }
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
