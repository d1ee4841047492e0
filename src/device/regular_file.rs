//! Read a small file that should be there, and nothing that only looks like one.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use rustix::fs::{CWD, Mode, OFlags, openat};
use rustix::io::retry_on_intr;

/// Reads a regular file of at most `most_bytes`. Links are not followed, a FIFO
/// or device is not waited for.
pub(super) fn read_regular(path: &Path, most_bytes: u64) -> io::Result<Vec<u8>> {
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let file = File::from(retry_on_intr(|| openat(CWD, path, flags, Mode::empty()))?);
    let refused = |why: &str| io::Error::new(io::ErrorKind::InvalidInput, why.to_owned());
    if !file.metadata()?.is_file() {
        return Err(refused("it is no regular file"));
    }
    let mut contents = Vec::new();
    file.take(most_bytes + 1).read_to_end(&mut contents)?;
    if contents.len() as u64 > most_bytes {
        return Err(refused("it is too large"));
    }
    Ok(contents)
}
