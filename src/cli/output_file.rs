//! A file with bytes as the result of an edit: made anew, or put in place of
//! another as a whole. Nobody ever sees half of it.

use std::fs::{File, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt, fchown};
use std::path::{Path, PathBuf};

use super::ExitCode;
use super::error::Failure;
use super::output::Output;

/// What may happen to a file that is there already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Existing {
    /// It stays, and nothing is written.
    Kept,
    /// Another takes its place, with its mode and owner.
    Replaced,
}

/// Writes the file and makes it last. `-` is stdout.
pub(super) fn write_file(
    output: Output,
    path: &Path,
    bytes: &[u8],
    existing: Existing,
) -> Result<(), Failure> {
    if path.as_os_str() == "-" {
        let mut stdout = io::stdout().lock();
        return stdout
            .write_all(bytes)
            .and_then(|()| stdout.flush())
            .map_err(|error| Failure::unwritten(&error));
    }
    let outcome = match existing {
        Existing::Kept => create(path, bytes, 0o644),
        Existing::Replaced => replace(path, bytes),
    };
    outcome.map_err(|error| unwritten(path, &error))?;
    output.status(format_args!("written to {}", path.display()));
    Ok(())
}

/// Refuses a result that would take the input's place without anybody having said
/// so, whatever the two are called.
pub(super) fn must_be_another(path: &Path, input: &Path) -> Result<(), Failure> {
    let identity = |path: &Path| path.metadata().ok().map(|data| (data.dev(), data.ino()));
    match (identity(path), identity(input)) {
        (Some(output), Some(input)) if output == input => Err(Failure::message(
            ExitCode::Usage,
            format!("`{}` is the file that is read", path.display()),
        )
        .hint("--in-place puts the result in its place; --output names another file")),
        _ => Ok(()),
    }
}

/// Refuses a file that is there before work is done in vain.
pub(super) fn must_not_exist(path: &Path) -> Result<(), Failure> {
    if path.as_os_str() == "-" || path.symlink_metadata().is_err() {
        return Ok(());
    }
    Err(unwritten(
        path,
        &io::Error::from(io::ErrorKind::AlreadyExists),
    ))
}

fn unwritten(path: &Path, error: &io::Error) -> Failure {
    let hint = match error.kind() {
        io::ErrorKind::AlreadyExists => "choose another name, or add --overwrite",
        io::ErrorKind::InvalidInput => "name a plain file with --output",
        _ => "choose another place with --output",
    };
    let code = match error.kind() {
        io::ErrorKind::AlreadyExists => ExitCode::Refused,
        _ => ExitCode::Failed,
    };
    let mut failure = Failure::message(code, format!("cannot write `{}`", path.display()));
    failure.messages.push(match error.kind() {
        io::ErrorKind::AlreadyExists => "it exists already".to_owned(),
        _ => error.to_string(),
    });
    failure.hint(hint)
}

fn create(path: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(mode)
        .open(path)?;
    let written = file.write_all(bytes).and_then(|()| file.sync_all());
    if written.is_err() {
        // It is ours, and half of a file is worse than none.
        let _ = std::fs::remove_file(path);
    }
    written?;
    sync_folder(path)
}

/// Writes a file beside and renames it. A link stays one: its target is replaced.
fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let path = match path.canonicalize() {
        Ok(path) => path,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return create(path, bytes, 0o644),
        Err(error) => return Err(error),
    };
    let data = path.metadata()?;
    if !data.is_file() {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "it is no regular file",
        ));
    }
    let beside = beside(&path)?;
    create(&beside, bytes, 0o600)?;
    let placed = File::open(&beside)
        .and_then(|file| {
            // Only root may give files away; the mode comes after, as this clears bits.
            let _ = fchown(&file, Some(data.uid()), Some(data.gid()));
            file.set_permissions(Permissions::from_mode(data.mode() & 0o7777))?;
            file.sync_all()
        })
        .and_then(|()| std::fs::rename(&beside, &path));
    if placed.is_err() {
        let _ = std::fs::remove_file(&beside);
    }
    placed?;
    sync_folder(&path)
}

fn beside(path: &Path) -> io::Result<PathBuf> {
    let name = path
        .file_name()
        .ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))?;
    let mut hidden = std::ffi::OsString::from(".");
    hidden.push(name);
    hidden.push(format!(".flexctl-{}", std::process::id()));
    Ok(path.with_file_name(hidden))
}

fn sync_folder(path: &Path) -> io::Result<()> {
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    match File::open(folder.unwrap_or(Path::new("."))) {
        Ok(folder) => folder.sync_all(),
        // A folder that may be written but not read.
        Err(_) => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const QUIET: Output = Output {
        json: false,
        quiet: true,
        verbose: false,
    };

    #[test]
    fn an_existing_file_is_kept_unless_it_may_be_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("rom");
        write_file(QUIET, &path, b"one", Existing::Kept).unwrap();
        assert!(must_not_exist(&path).is_err());
        assert!(write_file(QUIET, &path, b"two", Existing::Kept).is_err());
        assert_eq!(std::fs::read(&path).unwrap(), b"one");
        std::fs::set_permissions(&path, Permissions::from_mode(0o640)).unwrap();
        let link = folder.path().join("link");
        std::os::unix::fs::symlink("rom", &link).unwrap();
        write_file(QUIET, &link, b"three", Existing::Replaced).unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"three");
        assert!(link.symlink_metadata().unwrap().is_symlink());
        assert_eq!(path.metadata().unwrap().mode() & 0o7777, 0o640);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 2);
        assert!(write_file(QUIET, folder.path(), b"x", Existing::Replaced).is_err());
    }
}
