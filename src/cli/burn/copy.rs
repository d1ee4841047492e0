//! Where the copy of the whole flash goes.

use std::fs;
use std::path::PathBuf;

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
                fs::create_dir_all(&folder).map_err(|error| {
                    Failure::new(ExitCode::Failed, &error).hint(format!(
                        "{} cannot be made: name a file for the copy with --backup",
                        folder.display()
                    ))
                })?;
                Ok(Some(new_name(&folder, card)))
            }
        }
    }
}

/// Where copies of flashes are kept.
pub(super) fn folder(folders: &StateFolders) -> PathBuf {
    folders.state.join("flash")
}

/// A name that nothing has yet: the card, the second, and a number if need be.
fn new_name(folder: &std::path::Path, card: &Card) -> PathBuf {
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
