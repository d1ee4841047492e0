//! An answer that may go to a new file instead of stdout.

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use serde::Serialize;

use super::ExitCode;
use super::context::Context;
use super::error::Failure;

/// A text that was written, for programs.
#[derive(Debug, Serialize)]
struct TextReport<'a> {
    schema: &'static str,
    /// Where it was written to; null when it is in here.
    path: Option<String>,
    text: Option<&'a str>,
}

/// Writes a text to stdout, or to a file that must not exist and is then for its
/// owner only.
pub(super) fn write_answer(
    ctx: &Context,
    schema: &'static str,
    text: &str,
    path: Option<&Path>,
) -> Result<(), Failure> {
    if let Some(path) = path {
        write_new(path, text)?;
        ctx.output
            .status(format_args!("written to {}", path.display()));
    }
    let answer = if ctx.output.json {
        ctx.output.document(&TextReport {
            schema,
            path: path.map(|path| path.display().to_string()),
            text: path.is_none().then_some(text),
        })
    } else if path.is_none() {
        ctx.output.answer(text)
    } else {
        Ok(())
    };
    answer.map_err(|error| Failure::unwritten(&error))
}

/// Writes a file that must not exist, for its owner only, and makes it last.
pub(super) fn write_new(path: &Path, text: &str) -> Result<(), Failure> {
    let write = || -> io::Result<()> {
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(path)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()
    };
    write().map_err(|error| {
        let hint = if error.kind() == io::ErrorKind::AlreadyExists {
            "choose another name, or move the file away: it is not overwritten"
        } else {
            "choose another place with --output"
        };
        let mut failure = Failure::message(
            ExitCode::Failed,
            format!("cannot write `{}`", path.display()),
        );
        failure.messages.push(error.to_string());
        failure.hint(hint)
    })
}
