//! `flexctl image`: firmware images, in files and in the flash of cards.

mod build;
mod check;
mod defaults;
mod edited;
mod info;
mod rom;
mod source;

use clap::{Args, Subcommand};

use super::super::ExitCode;
use super::super::args::GlobalArgs;
use super::super::error::Failure;
use super::super::only_named::OnlyNamed;

/// Look into firmware images, check and change them
///
/// Images of ConnectX-3 and -3 Pro (format FS2) and of ConnectX-4 and -4 Lx (FS3),
/// as vendors publish them, and whole copies of a card's flash, which may hold two.
/// `info` and `check` also read the flash of a card; nothing here changes one.
#[derive(Debug, Args)]
#[command(subcommand_required = true, arg_required_else_help = true)]
pub(in crate::cli) struct ImageArgs {
    #[command(subcommand)]
    command: ImageCommand,
}

#[derive(Debug, Subcommand)]
enum ImageCommand {
    Info(OnlyNamed<info::InfoArgs>),
    Check(OnlyNamed<check::CheckArgs>),
    Rom(OnlyNamed<rom::RomArgs>),
    Defaults(OnlyNamed<defaults::DefaultsArgs>),
    Build(OnlyNamed<build::BuildArgs>),
}

pub(in crate::cli) fn image(args: &ImageArgs, global: &GlobalArgs) -> Result<ExitCode, Failure> {
    let reads_cards = matches!(args.command, ImageCommand::Info(_) | ImageCommand::Check(_));
    if !global.device.is_empty() && !reads_cards {
        return Err(Failure::message(
            ExitCode::Usage,
            "this command works on files, not on cards",
        )
        .hint("`flexctl burn` changes what a card has in flash, `flexctl backup --flash` copies it to a file"));
    }
    match &args.command {
        ImageCommand::Info(OnlyNamed(args)) => info::info(args, global),
        ImageCommand::Check(OnlyNamed(args)) => check::check(args, global),
        ImageCommand::Rom(OnlyNamed(args)) => rom::rom(args, global),
        ImageCommand::Defaults(OnlyNamed(args)) => defaults::defaults(args, global),
        ImageCommand::Build(OnlyNamed(args)) => build::build(args, global),
    }
}
