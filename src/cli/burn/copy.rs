//! Where the copy of the whole flash goes.

use std::fs::{DirBuilder, File};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use crate::device::{Card, StateFolders};

use super::super::ExitCode;
use super::super::context::Context;
use super::super::error::Failure;

/// The copy of the whole flash that a burn makes first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::cli) enum Copy {
    /// In the state folder, under a name of its own.
    Kept,
    /// In this file, which must not exist.
    To(PathBuf),
    /// None.
    None,
}

impl Copy {
    /// The file; its folder is made when it is our own.
    pub(super) fn path(&self, ctx: &Context, card: &Card) -> Result<Option<PathBuf>, Failure> {
        match self {
            Self::None => Ok(None),
            Self::To(path) if path.exists() => Err(Failure::message(
                ExitCode::Refused,
                format!("`{}` exists already", path.display()),
            )
            .hint("choose another name for --backup: a copy is never overwritten")),
            Self::To(path) => Ok(Some(path.clone())),
            Self::Kept => {
                let folder = folder(&ctx.folders);
                make_folder(&folder).map_err(|error| {
                    let mut failure = Failure::message(
                        ExitCode::Failed,
                        format!("the folder `{}` cannot be made", folder.display()),
                    );
                    failure.messages.push(error.to_string());
                    failure.hint("FLEXCTL_STATE_DIR names another folder for copies and records")
                })?;
                Ok(Some(new_name(&folder, card)))
            }
        }
    }
}

/// Makes the folder for its owner only, and makes it last: a copy in a folder that is
/// gone after a power failure is none.
fn make_folder(folder: &Path) -> io::Result<()> {
    if folder.is_dir() {
        return Ok(());
    }
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)?;
    folder
        .parent()
        .map_or(Ok(()), |parent| File::open(parent)?.sync_all())
}

/// Where copies of flashes are kept.
pub(super) fn folder(folders: &StateFolders) -> PathBuf {
    folders.state.join("flash")
}

/// A name that nothing has yet: the card, the second, and a number if need be.
fn new_name(folder: &Path, card: &Card) -> PathBuf {
    let card = card.selector().replace(':', "-");
    let now = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .map_or(0, |since| since.as_secs());
    let name = |number: u32| match number {
        0 => folder.join(format!("{card}-{now}.bin.gz")),
        number => folder.join(format!("{card}-{now}-{number}.bin.gz")),
    };
    (0..)
        .map(name)
        .find(|path| !path.exists())
        .unwrap_or_else(|| name(0))
}
