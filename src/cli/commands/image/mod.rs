//! `flexctl image`: firmware images, in files.

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
/// Nothing here touches a card.
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
    if !global.device.is_empty() {
        return Err(Failure::message(
            ExitCode::Usage,
            "the firmware in a card's flash is not read by this command",
        )
        .hint("name a file; `flexctl rom info` reads the expansion ROM of a card"));
    }
    match &args.command {
        ImageCommand::Info(OnlyNamed(args)) => info::info(args, global),
        ImageCommand::Check(OnlyNamed(args)) => check::check(args, global),
        ImageCommand::Rom(OnlyNamed(args)) => rom::rom(args, global),
        ImageCommand::Defaults(OnlyNamed(args)) => defaults::defaults(args, global),
        ImageCommand::Build(OnlyNamed(args)) => build::build(args, global),
    }
}
