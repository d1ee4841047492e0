//! A file with bytes as the input of a command; `-` is stdin.

use std::io::Read;
use std::os::unix::fs::FileTypeExt;
use std::path::Path;

use crate::image::{FileBytes, FileError, LARGEST_FILE_BYTES, Reading};

use super::ExitCode;
use super::error::Failure;

/// How the bytes are needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Loading {
    /// To be looked at, here and there: mapped.
    Glanced,
    /// To be looked at as a whole: mapped.
    Mapped,
    /// To be worked on: read, so that nobody can change them meanwhile.
    Read,
}

/// What a file is called in messages.
pub(super) fn name_of(path: &Path) -> String {
    if path.as_os_str() == "-" {
        "stdin".to_owned()
    } else {
        path.display().to_string()
    }
}

/// Loads a file, or stdin for `-`. `kind` is what it should be: an expansion ROM
/// file, a firmware image.
pub(super) fn load(path: &Path, loading: Loading, kind: &str) -> Result<FileBytes, Failure> {
    if is_endless(path) {
        return Err(Failure::message(
            ExitCode::InvalidInput,
            format!("{}: a pipe or a device, no file", name_of(path)),
        )
        .hint(format!("name {kind}, or - to read it from stdin")));
    }
    let bytes = match loading {
        _ if path.as_os_str() == "-" => read_stdin(),
        Loading::Glanced => FileBytes::map(path, Reading::HereAndThere),
        Loading::Mapped => FileBytes::map(path, Reading::Through),
        Loading::Read => FileBytes::read(path),
    };
    bytes.map_err(|error| {
        let mut failure = Failure::new(ExitCode::Failed, &error);
        if matches!(error, FileError::TooLarge { .. }) {
            failure.code = ExitCode::InvalidInput;
        }
        if let Some(first) = failure.messages.first_mut() {
            *first = format!("{}: {first}", name_of(path));
        }
        failure.hint(format!("name {kind}, or - for stdin"))
    })
}

/// Opening a pipe waits for somebody who writes into it, and a device may never end.
fn is_endless(path: &Path) -> bool {
    std::fs::metadata(path).is_ok_and(|metadata| {
        let kind = metadata.file_type();
        kind.is_fifo() || kind.is_char_device()
    })
}

fn read_stdin() -> Result<FileBytes, FileError> {
    let mut bytes = Vec::new();
    std::io::stdin()
        .take(LARGEST_FILE_BYTES + 1)
        .read_to_end(&mut bytes)
        .map_err(FileError::Io)?;
    match bytes.len() as u64 {
        length if length > LARGEST_FILE_BYTES => Err(FileError::TooLarge { length }),
        _ => Ok(FileBytes::from(bytes)),
    }
}
