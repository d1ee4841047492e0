//! `flexctl burn`

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use crate::flash::{FlashWay, FlashWish};
use crate::image::RomSource;

use super::super::ExitCode;
use super::super::args::WriteArgs;
use super::super::burn::{BurnJob, Copy, DoorArgs, What, burn_one_by_one, continue_one_by_one};
use super::super::context::Context;
use super::super::error::Failure;
use super::super::input_file::{Loading, load, name_of};

/// Burn an expansion ROM or a whole firmware image onto cards
///
/// FILE is an expansion ROM (the firmware stays, with the new ROM in it) or a
/// firmware image of ConnectX-3 (FS2) or ConnectX-4 (FS3). Cards must be named with
/// --device. The new image goes into the slot that the card does not boot from, and
/// only a whole, verified image gets its magic word: a card that loses power at any
/// moment still starts.
///
/// It checks everything, shows the plan, asks, saves a copy of the whole flash,
/// erases and programs what differs, reads back, and only then switches over. GUIDs,
/// MACs, VPD, manufacturing data and settings stay byte for byte. With --json progress
/// is one JSON object a line on stderr (flexctl.progress/1).
#[derive(Debug, Args)]
pub(in crate::cli) struct BurnArgs {
    /// Expansion ROM or firmware image, - for stdin
    #[arg(
        value_name = "FILE",
        required_unless_present_any = ["continue", "remove_rom"],
        conflicts_with_all = ["continue", "remove_rom"]
    )]
    file: Option<PathBuf>,

    /// Finish a burn that was interrupted
    #[arg(long, conflicts_with_all = ["remove_rom", "slot", "rom"])]
    r#continue: bool,

    /// Take the expansion ROM out: the card does not boot from the network then
    #[arg(long, conflicts_with_all = ["slot", "rom"])]
    remove_rom: bool,

    /// Which image of FILE, where it is a copy of a flash that has two
    #[arg(long, value_name = "0|1", value_parser = clap::value_parser!(u8).range(0..=1))]
    slot: Option<u8>,

    /// Whose expansion ROM a firmware image gets
    ///
    /// Without it as mstflint does: that of the image; on ConnectX-3 that of the card
    /// where the image has none.
    #[arg(long, value_enum, value_name = "WHOSE")]
    rom: Option<Whose>,

    #[command(flatten)]
    via: ViaArgs,

    #[command(flatten)]
    copy: CopyArgs,

    #[command(flatten)]
    write: WriteArgs,

    #[command(flatten)]
    doors: DoorArgs,
}

/// Whose expansion ROM.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Whose {
    /// That of the firmware image, or none
    Image,
    /// That which the card has now
    Card,
}

/// How the flash is reached.
#[derive(Clone, Copy, Debug, Args)]
pub(in crate::cli) struct ViaArgs {
    /// How to reach the flash
    #[arg(long, value_enum, value_name = "WAY", default_value_t = Via::Auto)]
    pub(in crate::cli) via: Via,
}

/// Ways to the flash.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum Via {
    /// ConnectX-3: the gateway; ConnectX-4: registers
    Auto,
    /// The same, and on ConnectX-4 the gateway where the firmware has no such registers
    Any,
    /// The SPI gateway in CR space, past the firmware (mstflint's -ocr)
    Gateway,
    /// The firmware's registers MFPA, MFBA and MFBE
    Registers,
}

impl From<Via> for FlashWish {
    fn from(via: Via) -> Self {
        let way = match via {
            Via::Auto | Via::Any => FlashWay::Auto,
            Via::Gateway => FlashWay::Gateway,
            Via::Registers => FlashWay::Registers,
        };
        Self {
            way,
            gateway_fallback: via == Via::Any,
            ..Self::default()
        }
    }
}

/// The copy of the whole flash.
#[derive(Clone, Debug, Args)]
pub(in crate::cli) struct CopyArgs {
    /// Write the copy of the whole flash to this file, which must not exist
    ///
    /// Without it the copy is kept in flexctl's state folder. It is a gzip file: zcat
    /// gives the bytes of the flash, `flexctl restore` puts them back.
    #[arg(long, value_name = "FILE", conflicts_with = "no_backup")]
    backup: Option<PathBuf>,

    /// Make no copy of the flash first: there is no way back then
    #[arg(long)]
    no_backup: bool,
}

impl CopyArgs {
    pub(in crate::cli) fn copy(&self) -> Copy {
        match (&self.backup, self.no_backup) {
            (_, true) => Copy::None,
            (Some(path), _) => Copy::To(path.clone()),
            (None, _) => Copy::Kept,
        }
    }
}

pub(in crate::cli) fn burn(args: &BurnArgs, ctx: &Context) -> Result<ExitCode, Failure> {
    if !ctx.has_selectors() {
        return Err(
            Failure::message(ExitCode::Usage, "no card is named to be burned")
                .hint("name it with --device; `flexctl list` shows cards"),
        );
    }
    let way = args.via.via.into();
    if args.r#continue {
        return continue_one_by_one(ctx, way, args.write);
    }
    let what = match &args.file {
        None => What::NoRom,
        Some(path) => What::File {
            name: name_of(path),
            bytes: load(path, Loading::Read, "an expansion ROM or a firmware image")?,
            slot: args.slot.map(usize::from),
            rom: match args.rom {
                None => RomSource::Usual,
                Some(Whose::Image) => RomSource::File,
                Some(Whose::Card) => RomSource::Card,
            },
        },
    };
    let job = BurnJob {
        what,
        way,
        doors: args.doors.open(),
        copy: args.copy.copy(),
        promises_ipv6: false,
    };
    burn_one_by_one(ctx, &job, args.write)
}
