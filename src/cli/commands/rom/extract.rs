//! `flexctl rom extract`

use std::path::PathBuf;

use clap::Args;
use serde::Serialize;

use crate::image::OptionRom;
use crate::image::option_rom::{RomSelection, extract as extract_images};

use super::super::super::ExitCode;
use super::super::super::args::GlobalArgs;
use super::super::super::context::output_of;
use super::super::super::error::Failure;
use super::super::super::output_file::{Existing, must_not_exist, write_file};
use super::super::super::report::ByteChangeReport;
use super::source::{CARD_NOTE, SourceArgs};

/// Write a ROM, or some of its images, to a file
///
/// Without a selection all of it, as it is: the way to save the ROM of a card.
/// What --bios and --efi write is a ROM of its own: its last image is marked as
/// such, sums hold, and its version records come with it. `rom patch --with-efi`
/// puts the two together again.
#[derive(Debug, Args)]
pub(super) struct ExtractArgs {
    #[command(flatten)]
    source: SourceArgs,

    /// Write to this file, - for stdout
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,

    /// Replace that file if it exists
    #[arg(long)]
    overwrite: bool,

    /// Only this image, counted from 0, as it is
    #[arg(long, value_name = "N", conflicts_with_all = ["bios", "efi"])]
    image: Option<usize>,

    /// Only the images for a BIOS, with iPXE's payload
    #[arg(long, conflicts_with = "efi")]
    bios: bool,

    /// Only the images for EFI
    #[arg(long)]
    efi: bool,
}

#[derive(Debug, Serialize)]
struct ExtractReport {
    schema: &'static str,
    source: String,
    path: String,
    length: usize,
    changes: Vec<ByteChangeReport>,
}

pub(super) fn extract(args: &ExtractArgs, global: &GlobalArgs) -> Result<ExitCode, Failure> {
    let output = output_of(global);
    let existing = if args.overwrite {
        Existing::Replaced
    } else {
        must_not_exist(&args.output)?;
        Existing::Kept
    };
    let source = args.source.load_one(global)?;
    let selection = match (args.image, args.bios, args.efi) {
        (Some(index), _, _) => RomSelection::Image(index),
        (None, true, _) => RomSelection::Bios,
        (None, false, true) => RomSelection::Efi,
        (None, false, false) => RomSelection::Whole,
    };
    let parsed = OptionRom::parse(&source.bytes);
    if parsed.tree.is_none() {
        return Err(source.no_rom(&parsed.findings));
    }
    let edited =
        extract_images(&source.bytes, selection).map_err(|error| source.refused(&error))?;
    if source.of_card {
        output.status(CARD_NOTE);
    }
    write_file(output, &args.output, &edited.bytes, existing)?;
    if output.json && args.output.as_os_str() != "-" {
        output
            .document(&ExtractReport {
                schema: "flexctl.rom-extract/1",
                source: source.name,
                path: args.output.display().to_string(),
                length: edited.bytes.len(),
                changes: edited.changes.iter().map(ByteChangeReport::from).collect(),
            })
            .map_err(|error| Failure::unwritten(&error))?;
    }
    Ok(ExitCode::Done)
}
