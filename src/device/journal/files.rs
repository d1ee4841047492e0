//! Files that are whole or not there, whatever happens in between.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;

const FOLDER_MODE: u32 = 0o700;
const FILE_MODE: u32 = 0o600;

/// The file system, one operation after the other. In tests it stops for good
/// after a number of them, as it does when the power goes.
#[derive(Debug, Default)]
pub(super) struct Files {
    #[cfg(test)]
    pub(super) left: std::cell::Cell<Option<u32>>,
}

impl Files {
    #[cfg(test)]
    fn step(&self) -> io::Result<()> {
        match self.left.get() {
            Some(0) => Err(io::Error::other("the power is gone")),
            Some(left) => {
                self.left.set(Some(left - 1));
                Ok(())
            }
            None => Ok(()),
        }
    }

    #[cfg(not(test))]
    #[allow(
        clippy::unused_self,
        clippy::unnecessary_wraps,
        reason = "only tests stop in the middle"
    )]
    fn step(&self) -> io::Result<()> {
        Ok(())
    }

    /// A folder of the journal's own: for its owner only.
    pub(super) fn folder(&self, folder: &Path) -> io::Result<()> {
        if !folder.is_dir() {
            self.step()?;
            DirBuilder::new()
                .recursive(true)
                .mode(FOLDER_MODE)
                .create(folder)?;
            if let Some(parent) = folder.parent() {
                self.sync_folder(parent)?;
            }
        }
        // An earlier version left it open to readers.
        if fs::metadata(folder)?.mode() & 0o077 != 0 {
            self.step()?;
            fs::set_permissions(folder, Permissions::from_mode(FOLDER_MODE))?;
        }
        Ok(())
    }

    /// Puts a file with these contents in the place of whatever is there.
    pub(super) fn replace(&self, path: &Path, contents: &[u8]) -> io::Result<()> {
        let folder = path.parent().unwrap_or(Path::new("."));
        self.folder(folder)?;
        let new = path.with_extension("json.new");
        // Whatever lies there is left from a killed run; links are not followed.
        self.remove(&new)?;
        self.step()?;
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(FILE_MODE)
            .open(&new)?;
        let (first, second) = contents.split_at(contents.len() / 2);
        for half in [first, second] {
            self.step()?;
            file.write_all(half)?;
        }
        self.step()?;
        file.sync_all()?;
        self.rename(&new, path)
    }

    /// Moves a file, over whatever is there; the new name lasts.
    pub(super) fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.step()?;
        fs::rename(from, to)?;
        for path in [to, from] {
            if let Some(folder) = path.parent() {
                self.sync_folder(folder)?;
            }
        }
        Ok(())
    }

    /// Removes a file, if it is there.
    pub(super) fn remove(&self, path: &Path) -> io::Result<()> {
        self.step()?;
        match fs::remove_file(path) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(error),
        }
        match path.parent() {
            Some(folder) => self.sync_folder(folder),
            None => Ok(()),
        }
    }

    /// A name has to last through a power cut as well.
    fn sync_folder(&self, folder: &Path) -> io::Result<()> {
        self.step()?;
        File::open(folder)?.sync_all()
    }
}
