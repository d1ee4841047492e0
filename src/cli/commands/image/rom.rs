//! `flexctl image rom`

use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde::Serialize;

use crate::image::{EditPolicy, Firmware, Permission, RomEdit, Severity, edit_rom};

use super::super::super::ExitCode;
use super::super::super::args::GlobalArgs;
use super::super::super::context::output_of;
use super::super::super::error::Failure;
use super::super::super::input_file::{Loading, load};
use super::super::super::only_named::OnlyNamed;
use super::super::super::output_file::{Existing, must_not_exist, write_file};
use super::edited::{TargetArgs, refused};
use super::source::SourceArgs;

/// Take the expansion ROM of a firmware image out, or put another in
///
/// Works on ConnectX-3 (FS2) and ConnectX-4 (FS3) images and on either image of a
/// flash copy. Pointers, CRCs, the table of contents and a SHA-256 digest are
/// brought up to date; every byte outside of the change stays as it is.
#[derive(Debug, Args)]
#[command(subcommand_required = true, arg_required_else_help = true)]
pub(super) struct RomArgs {
    #[command(subcommand)]
    command: RomCommand,
}

#[derive(Debug, Subcommand)]
enum RomCommand {
    Extract(OnlyNamed<ExtractArgs>),
    Insert(OnlyNamed<PutArgs>),
    Replace(OnlyNamed<PutArgs>),
    Remove(OnlyNamed<RemoveArgs>),
}

/// Write the ROM of an image to a file
#[derive(Debug, Args)]
struct ExtractArgs {
    #[command(flatten)]
    source: SourceArgs,

    #[command(flatten)]
    slot: SlotArgs,

    /// File to write, - for stdout
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,

    /// Replace the file if it exists
    #[arg(long)]
    overwrite: bool,
}

/// Put a ROM into an image that has none, or in place of the one it has
///
/// `insert` refuses an image that has a ROM, `replace` one that has none. The ROM
/// must be sound and for the same device. Without a version record (`flexctl rom
/// patch --version` adds one) firmware tools cannot say which version it is.
#[derive(Debug, Args)]
struct PutArgs {
    #[command(flatten)]
    source: SourceArgs,

    /// Expansion ROM file
    #[arg(value_name = "ROM")]
    rom: PathBuf,

    #[command(flatten)]
    slot: SlotArgs,

    #[command(flatten)]
    target: TargetArgs,

    #[command(flatten)]
    unsigned: UnsignedArgs,

    /// Take a ROM whose device id is not that of the image
    #[arg(long)]
    allow_other_device: bool,

    /// Take a ROM with errors, which a BIOS may refuse to run
    #[arg(long)]
    allow_damaged_rom: bool,
}

/// Take the ROM out of an image
///
/// A card with such an image does not boot from the network, and saves the time
/// that its ROM takes at every start.
#[derive(Debug, Args)]
struct RemoveArgs {
    #[command(flatten)]
    source: SourceArgs,

    #[command(flatten)]
    slot: SlotArgs,

    #[command(flatten)]
    target: TargetArgs,

    #[command(flatten)]
    unsigned: UnsignedArgs,
}

/// Which image of a flash copy.
#[derive(Debug, Args)]
pub(super) struct SlotArgs {
    /// Which image of a flash copy that has two
    #[arg(long, value_name = "0|1", value_parser = clap::value_parser!(u8).range(0..=1))]
    slot: Option<u8>,
}

#[derive(Debug, Args)]
struct UnsignedArgs {
    /// Change an image that its vendor signed; cards with secure firmware will refuse it
    #[arg(long)]
    allow_unsigned: bool,
}

#[derive(Debug, Serialize)]
struct ExtractReport<'a> {
    schema: &'static str,
    file: &'a str,
    slot: usize,
    output: String,
    length: usize,
}

impl SlotArgs {
    pub(super) fn slot(&self) -> Option<usize> {
        self.slot.map(usize::from)
    }
}

pub(super) fn rom(args: &RomArgs, global: &GlobalArgs) -> Result<ExitCode, Failure> {
    match &args.command {
        RomCommand::Extract(OnlyNamed(args)) => extract(args, global),
        RomCommand::Insert(OnlyNamed(args)) => put(
            args,
            global,
            |rom| RomEdit::Insert(rom),
            "flexctl.image-rom-insert/1",
        ),
        RomCommand::Replace(OnlyNamed(args)) => put(
            args,
            global,
            |rom| RomEdit::Replace(rom),
            "flexctl.image-rom-replace/1",
        ),
        RomCommand::Remove(OnlyNamed(args)) => remove(args, global),
    }
}

fn extract(args: &ExtractArgs, global: &GlobalArgs) -> Result<ExitCode, Failure> {
    let output = output_of(global);
    let existing = if args.overwrite {
        Existing::Replaced
    } else {
        must_not_exist(&args.output)?;
        Existing::Kept
    };
    let source = args.source.load(Loading::Mapped)?;
    let parsed = Firmware::parse(&source.bytes, args.source.shape());
    let Some(firmware) = parsed.tree else {
        return Err(source.no_firmware(&parsed.findings));
    };
    let present = firmware.slots();
    let slot = match (args.slot.slot(), present.as_slice()) {
        (Some(slot), _) if present.contains(&slot) => slot,
        (Some(slot), _) => {
            return Err(refused(
                &source,
                &crate::image::EditError::NoSuchSlot { slot, present },
            ));
        }
        (None, [only]) => *only,
        // Both may hold the same ROM, as after an update that did not change it.
        (None, [first, second]) if firmware.rom(*first) == firmware.rom(*second) => *first,
        (None, _) => {
            return Err(refused(
                &source,
                &crate::image::EditError::WhichSlot { present },
            ));
        }
    };
    let rom = firmware
        .rom(slot)
        .ok_or_else(|| refused(&source, &crate::image::EditError::NoRom { slot }))?;
    for finding in firmware.check() {
        if finding.severity == Severity::Error && finding.path.contains("/ROM") {
            output.warning(format_args!("the ROM is damaged: {finding}"));
        }
    }
    write_file(output, &args.output, &rom, existing)?;
    if output.json && args.output.as_os_str() != "-" {
        output
            .document(&ExtractReport {
                schema: "flexctl.image-rom-extract/1",
                file: &source.name,
                slot,
                output: args.output.display().to_string(),
                length: rom.len(),
            })
            .map_err(|error| Failure::unwritten(&error))?;
    }
    Ok(ExitCode::Done)
}

fn put(
    args: &PutArgs,
    global: &GlobalArgs,
    edit: for<'r> fn(&'r [u8]) -> RomEdit<'r>,
    schema: &'static str,
) -> Result<ExitCode, Failure> {
    args.target.check(output_of(global), &args.source.file)?;
    let source = args.source.load(Loading::Read)?;
    let rom = load(&args.rom, Loading::Read, "an expansion ROM file")?;
    let policy = EditPolicy {
        slot: args.slot.slot(),
        unsigned: permission(args.unsigned.allow_unsigned),
        other_device: permission(args.allow_other_device),
        damaged_rom: permission(args.allow_damaged_rom),
        // Of a file no harm comes: what is done with it later will look again.
        unversioned: Permission::Granted,
    };
    let edited =
        edit_rom(&source.bytes, edit(&rom), &policy).map_err(|error| refused(&source, &error))?;
    args.target.write(
        output_of(global),
        schema,
        &args.source.file,
        &source,
        &edited,
    )
}

fn remove(args: &RemoveArgs, global: &GlobalArgs) -> Result<ExitCode, Failure> {
    args.target.check(output_of(global), &args.source.file)?;
    let source = args.source.load(Loading::Read)?;
    let policy = EditPolicy {
        slot: args.slot.slot(),
        unsigned: permission(args.unsigned.allow_unsigned),
        ..EditPolicy::default()
    };
    let edited = edit_rom(&source.bytes, RomEdit::Remove, &policy)
        .map_err(|error| refused(&source, &error))?;
    args.target.write(
        output_of(global),
        "flexctl.image-rom-remove/1",
        &args.source.file,
        &source,
        &edited,
    )
}

fn permission(granted: bool) -> Permission {
    if granted {
        Permission::Granted
    } else {
        Permission::Refused
    }
}
