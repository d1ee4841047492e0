//! Which firmware file, and what is said when it is none.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use crate::image::fs2::FileShape;
use crate::image::{FileBytes, Finding, ImageKind};

use super::super::super::ExitCode;
use super::super::super::args::GlobalArgs;
use super::super::super::burn::survey_of_card;
use super::super::super::context::Context;
use super::super::super::error::Failure;
use super::super::super::input_file::{Loading, load, name_of};
use super::super::burn::ViaArgs;

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

/// Which file, or the flash of which card.
#[derive(Debug, Args)]
pub(super) struct LookArgs {
    /// Firmware image or copy of a flash, - for stdin; without it the flash of the card
    /// named with --device
    #[arg(value_name = "IMAGE")]
    file: Option<PathBuf>,

    /// How the images of a ConnectX-3 lie in the file, instead of finding it out
    #[arg(long, value_name = "SHAPE", hide_short_help = true)]
    shape: Option<Shape>,

    #[command(flatten)]
    via: ViaArgs,
}

impl LookArgs {
    pub(super) fn load(&self, loading: Loading, global: &GlobalArgs) -> Result<Source, Failure> {
        match (&self.file, global.device.is_empty()) {
            (Some(path), true) => Ok(Source {
                name: name_of(path),
                bytes: load(path, loading, "a firmware image")?,
                shape: shape(self.shape),
            }),
            (None, false) => self.read_card(global),
            (Some(_), false) => Err(Failure::message(
                ExitCode::Usage,
                "both a file and a card are named",
            )
            .hint("leave out the file, or --device")),
            (None, true) => Err(Failure::message(ExitCode::Usage, "no image is named").hint(
                "name a file, or a card with --device, as in: flexctl image info -d 04:00.0",
            )),
        }
    }

    /// Of the flash of a card only the images are read; the rest counts as erased.
    fn read_card(&self, global: &GlobalArgs) -> Result<Source, Failure> {
        let ctx = Context::new(global)?;
        let cards = ctx.chosen()?;
        let [card] = cards.as_slice() else {
            return Err(
                Failure::message(ExitCode::Usage, "not exactly one card is named")
                    .hint("name one card with --device"),
            );
        };
        let survey = survey_of_card(&ctx, card, self.via.via.into())?;
        let striped = survey
            .slots()
            .iter()
            .any(|slot| slot.place.stripes.is_some());
        Ok(Source {
            name: format!("flash of {}", card.selector()),
            bytes: survey.bytes().to_vec().into(),
            shape: striped.then_some(FileShape::Striped),
        })
    }
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
    /// How the images lie in it, where that is known.
    pub(super) shape: Option<FileShape>,
}

impl SourceArgs {
    pub(super) fn load(&self, loading: Loading) -> Result<Source, Failure> {
        Ok(Source {
            name: name_of(&self.file),
            bytes: load(&self.file, loading, "a firmware image")?,
            shape: shape(self.shape),
        })
    }

    pub(super) fn shape(&self) -> Option<FileShape> {
        shape(self.shape)
    }
}

fn shape(named: Option<Shape>) -> Option<FileShape> {
    named.map(|shape| match shape {
        Shape::Plain => FileShape::Contiguous,
        Shape::Striped => FileShape::Striped,
    })
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
