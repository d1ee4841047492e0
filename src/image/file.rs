//! The bytes of a file, mapped instead of read where that is possible.
//!
//! A 16 MiB image of which only the headers matter costs a few pages this way.
//! What cannot be mapped (a pipe, an empty file) is read.

use std::fs::File;
use std::io::{self, Read};
use std::ops::Deref;
use std::path::Path;

use memmap2::{Advice, Mmap, MmapOptions};

/// The largest file that is taken: no flash of these cards is larger than
/// 16 MiB, and a dump may hold some more.
pub const LARGEST_FILE_BYTES: u64 = 64 << 20;

/// The contents of a file.
#[derive(Debug)]
pub struct FileBytes(Contents);

#[derive(Debug)]
enum Contents {
    Mapped(Mmap),
    Read(Vec<u8>),
}

/// How much of a mapped file will be looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reading {
    /// Headers, here and there.
    HereAndThere,
    /// Most of it, in order.
    Through,
}

/// Why a file could not be loaded.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FileError {
    /// The system said no.
    #[error("cannot read the file")]
    Io(#[source] io::Error),
    /// It is a directory.
    #[error("it is a directory")]
    Directory,
    /// It is larger than any image.
    #[error("the file has {length} bytes, and no image is larger than {LARGEST_FILE_BYTES}")]
    TooLarge {
        /// Bytes that it has, or that were read before giving up.
        length: u64,
    },
}

impl FileBytes {
    /// Loads a file to look at it.
    ///
    /// Somebody who shortens the file meanwhile ends the program (SIGBUS), as
    /// with every mapped file; what is going to be changed is better
    /// [`read`](Self::read).
    ///
    /// # Errors
    /// The system's, a directory, or a file that is too large.
    pub fn map(path: &Path, reading: Reading) -> Result<Self, FileError> {
        let file = open(path)?;
        // A pipe or device cannot be mapped, an empty file needs no mapping.
        let regular = file
            .metadata()
            .is_ok_and(|data| data.is_file() && data.len() > 0);
        if !regular {
            return read(file);
        }
        // SAFETY: the mapping is private and only read. Its contents may change
        // when somebody writes the file meanwhile; they are only bytes, no
        // decision rests on reading one of them twice, and every offset is
        // checked against the length of the mapping.
        #[allow(unsafe_code)]
        let mapped = unsafe { MmapOptions::new().map_copy_read_only(&file) };
        match mapped {
            Ok(mapped) => {
                if reading == Reading::HereAndThere {
                    // Only advice: without it the kernel maps many pages around
                    // each that is looked at.
                    let _ = mapped.advise(Advice::Random);
                }
                Ok(Self(Contents::Mapped(mapped)))
            }
            Err(_) => read(file),
        }
    }

    /// Loads a file into memory.
    ///
    /// # Errors
    /// The system's, a directory, or a file that is too large.
    pub fn read(path: &Path) -> Result<Self, FileError> {
        read(open(path)?)
    }
}

impl From<Vec<u8>> for FileBytes {
    fn from(bytes: Vec<u8>) -> Self {
        Self(Contents::Read(bytes))
    }
}

impl Deref for FileBytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match &self.0 {
            Contents::Mapped(bytes) => bytes,
            Contents::Read(bytes) => bytes,
        }
    }
}

fn open(path: &Path) -> Result<File, FileError> {
    let file = File::open(path).map_err(FileError::Io)?;
    let data = file.metadata().map_err(FileError::Io)?;
    if data.is_dir() {
        return Err(FileError::Directory);
    }
    if data.is_file() && data.len() > LARGEST_FILE_BYTES {
        return Err(FileError::TooLarge { length: data.len() });
    }
    Ok(file)
}

fn read(file: File) -> Result<FileBytes, FileError> {
    let mut bytes = Vec::new();
    file.take(LARGEST_FILE_BYTES + 1)
        .read_to_end(&mut bytes)
        .map_err(FileError::Io)?;
    if bytes.len() as u64 > LARGEST_FILE_BYTES {
        return Err(FileError::TooLarge {
            length: bytes.len() as u64,
        });
    }
    Ok(FileBytes(Contents::Read(bytes)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mapped_and_read_are_the_same() {
        let directory = tempfile::tempdir().unwrap();
        for length in [0, 1, 4096, 5000] {
            let path = directory.path().join("image");
            let contents: Vec<u8> = (0..=255).cycle().take(length).collect();
            std::fs::write(&path, &contents).unwrap();
            assert_eq!(
                &*FileBytes::map(&path, Reading::HereAndThere).unwrap(),
                contents
            );
            assert_eq!(&*FileBytes::read(&path).unwrap(), contents);
        }
    }

    #[test]
    fn directories_and_what_never_ends_are_refused() {
        let refused = |path: &str| FileBytes::map(Path::new(path), Reading::Through).unwrap_err();
        assert!(matches!(refused("/"), FileError::Directory));
        assert!(matches!(refused("/dev/zero"), FileError::TooLarge { .. }));
        assert!(matches!(refused("/nonexistent"), FileError::Io(_)));
    }
}
