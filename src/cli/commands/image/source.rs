//! Which firmware file, and what is said when it is none.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use crate::image::fs2::FileShape;
use crate::image::{FileBytes, Finding, ImageKind};

use super::super::super::ExitCode;
use super::super::super::error::Failure;
use super::super::super::input_file::{Loading, load, name_of};

/// Which file.
#[derive(Debug, Args)]
pub(super) struct SourceArgs {
    /// Firmware image or copy of a flash, - for stdin
    #[arg(value_name = "IMAGE")]
    pub(super) file: PathBuf,

    /// How the images of a ConnectX-3 lie in the file, instead of finding it out
    #[arg(long, value_name = "SHAPE", hide_short_help = true)]
    pub(super) shape: Option<Shape>,
}

/// How FS2 images lie in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Shape {
    /// One image, as a vendor publishes it
    Plain,
    /// A copy of a failsafe flash: two images in alternate chunks
    Striped,
}

/// A file and what it is called.
#[derive(Debug)]
pub(super) struct Source {
    pub(super) name: String,
    pub(super) bytes: FileBytes,
}

impl SourceArgs {
    pub(super) fn load(&self, loading: Loading) -> Result<Source, Failure> {
        Ok(Source {
            name: name_of(&self.file),
            bytes: load(&self.file, loading, "a firmware image")?,
        })
    }

    pub(super) fn shape(&self) -> Option<FileShape> {
        self.shape.map(|shape| match shape {
            Shape::Plain => FileShape::Contiguous,
            Shape::Striped => FileShape::Striped,
        })
    }
}

impl Source {
    /// It is no firmware that can be worked on.
    pub(super) fn no_firmware(&self, findings: &[Finding]) -> Failure {
        let mut failure = Failure::message(
            ExitCode::InvalidInput,
            format!("{}: no firmware image of a ConnectX-3 or -4", self.name),
        );
        failure
            .messages
            .extend(findings.iter().map(Finding::to_string));
        match ImageKind::of(&self.bytes) {
            Some(ImageKind::OptionRom) => {
                failure.hint("this is an expansion ROM: `flexctl rom info` shows what is inside")
            }
            Some(ImageKind::Fs4 | ImageKind::Fs5) => {
                failure.hint("newer cards are maintained by mstflint")
            }
            _ => failure.hint("get the file again; archives (.zip) have to be unpacked first"),
        }
    }
}
