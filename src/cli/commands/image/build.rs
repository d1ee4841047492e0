//! `flexctl image build`

use std::path::PathBuf;

use clap::Args;
use serde::Serialize;

use crate::image::{ImageKind, build as image_build};

use super::super::super::ExitCode;
use super::super::super::args::GlobalArgs;
use super::super::super::context::output_of;
use super::super::super::error::Failure;
use super::super::super::input_file::{Loading, load, name_of};
use super::super::super::output_file::{Existing, must_not_exist, write_file};

/// Build a synthetic image from a description in TOML
///
/// For trying flexctl and for tests: the result has the structure and checksums
/// of a firmware image (or, with format = "option-rom", of an expansion ROM), but
/// no code. It must never be burned onto a card.
#[derive(Debug, Args)]
pub(super) struct BuildArgs {
    /// The description, - for stdin
    #[arg(value_name = "FILE")]
    description: PathBuf,

    /// File to write, - for stdout
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,

    /// Replace the file if it exists
    #[arg(long)]
    overwrite: bool,
}

#[derive(Debug, Serialize)]
struct BuildReport {
    schema: &'static str,
    output: String,
    format: Option<&'static str>,
    length: usize,
}

pub(super) fn build(args: &BuildArgs, global: &GlobalArgs) -> Result<ExitCode, Failure> {
    let output = output_of(global);
    let existing = if args.overwrite {
        Existing::Replaced
    } else {
        must_not_exist(&args.output)?;
        Existing::Kept
    };
    let text = load(&args.description, Loading::Read, "a description in TOML")?;
    let invalid = |message: &str| {
        let mut failure = Failure::message(
            ExitCode::InvalidInput,
            format!("{}: no description of an image", name_of(&args.description)),
        );
        failure.messages.push(message.trim_end().to_owned());
        failure.hint("descriptions to start from are in tests/images of flexctl's source")
    };
    let text = std::str::from_utf8(&text).map_err(|error| invalid(&error.to_string()))?;
    let bytes = image_build::build(text).map_err(|error| invalid(&error.to_string()))?;
    write_file(output, &args.output, &bytes, existing)?;
    if output.json {
        output
            .document(&BuildReport {
                schema: "flexctl.image-build/1",
                output: args.output.display().to_string(),
                format: ImageKind::of(&bytes).map(ImageKind::name),
                length: bytes.len(),
            })
            .map_err(|error| Failure::unwritten(&error))?;
    }
    Ok(ExitCode::Done)
}
