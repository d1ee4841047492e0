//! flexctl's own lock of a card: one transaction at a time.
//!
//! An flock on a file in the run folder, held from the reading to the last
//! verification. It ends with the process, whatever ends that.

use std::io;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::time::Duration;

use rustix::fs::{FlockOperation, Mode, OFlags};
use rustix::io::Errno;

use crate::access::{GaveUp, Patience};

use super::{Card, Origin, StateFolders};

/// The lock of a card could not be taken.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LockError {
    /// Another flexctl is at work on the card.
    #[error("another flexctl{} is at work on {card}, waited {waited:?}", process(.holder))]
    Held {
        /// The card.
        card: String,
        /// Process id of the holder, as it wrote it down.
        holder: Option<u32>,
        /// How long it was waited for.
        waited: Duration,
    },
    /// The lock file cannot be used.
    #[error("the lock file `{path}` cannot be used")]
    File {
        /// The file.
        path: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// Somebody asked to stop.
    #[error("stopped on request while waiting for another flexctl")]
    Interrupted,
}

fn process(holder: &Option<u32>) -> String {
    holder.map_or_else(String::new, |pid| format!(" (process {pid})"))
}

/// A hold of a card's lock.
#[derive(Debug)]
pub struct CardLock {
    // Closing the file frees the lock.
    _file: OwnedFd,
}

impl CardLock {
    /// Takes the lock, waits as long as `patience` allows.
    ///
    /// # Errors
    /// [`LockError::Held`] when somebody else keeps it.
    pub fn take(
        folders: &StateFolders,
        card: &Card,
        patience: &Patience,
    ) -> Result<Self, LockError> {
        let path = folders.run.join(format!("{}.lock", file_stem(card)));
        let failed = |source| LockError::File {
            path: path.clone(),
            source,
        };
        std::fs::create_dir_all(&folders.run).map_err(failed)?;
        let file = rustix::fs::open(
            &path,
            OFlags::RDWR | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::CLOEXEC,
            Mode::from_raw_mode(0o644),
        )
        .map_err(|errno| failed(errno.into()))?;
        let mut wait = patience.wait();
        loop {
            match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) => break,
                Err(Errno::WOULDBLOCK | Errno::INTR) => {}
                Err(errno) => return Err(failed(errno.into())),
            }
            wait.pause().map_err(|end| match end {
                GaveUp::TimeUp(waited) => LockError::Held {
                    card: card.selector(),
                    holder: std::fs::read_to_string(&path)
                        .ok()
                        .and_then(|text| text.trim().parse().ok()),
                    waited,
                },
                GaveUp::Stopped => LockError::Interrupted,
            })?;
        }
        // The number is a courtesy to whoever has to wait; the lock works without.
        let _ = rustix::fs::ftruncate(&file, 0);
        let _ = rustix::io::pwrite(&file, format!("{}\n", std::process::id()).as_bytes(), 0);
        Ok(Self { _file: file })
    }
}

/// The name of a card's files.
pub(super) fn file_stem(card: &Card) -> String {
    match &card.origin {
        Origin::Host => {
            let (domain, bus, device) = card.address().slot();
            format!("{domain:04x}:{bus:02x}:{device:02x}")
        }
        Origin::Simulated(name) => format!("sim-{name}"),
    }
}
