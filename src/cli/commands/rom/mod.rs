//! `flexctl rom`: expansion ROMs, in files and on cards.

mod check;
mod extract;
mod info;
mod patch;
mod proof;
mod source;

use clap::{Args, Subcommand};

use super::super::ExitCode;
use super::super::args::GlobalArgs;
use super::super::error::Failure;
use super::super::only_named::OnlyNamed;

/// Look into expansion ROMs, check and change them
///
/// A ROM is what a BIOS or UEFI runs to boot from the card: FlexBoot, as a rule.
/// Files need no card; the ROM of a card (--device) is read through the host and
/// never written by these commands.
#[derive(Debug, Args)]
#[command(subcommand_required = true, arg_required_else_help = true)]
pub(in crate::cli) struct RomArgs {
    #[command(subcommand)]
    command: RomCommand,
}

#[derive(Debug, Subcommand)]
enum RomCommand {
    Info(OnlyNamed<info::InfoArgs>),
    Check(OnlyNamed<check::CheckArgs>),
    Extract(OnlyNamed<extract::ExtractArgs>),
    Patch(OnlyNamed<patch::PatchArgs>),
}

pub(in crate::cli) fn rom(args: &RomArgs, global: &GlobalArgs) -> Result<ExitCode, Failure> {
    match &args.command {
        RomCommand::Info(OnlyNamed(args)) => info::info(args, global),
        RomCommand::Check(OnlyNamed(args)) => check::check(args, global),
        RomCommand::Extract(OnlyNamed(args)) => extract::extract(args, global),
        RomCommand::Patch(OnlyNamed(args)) => patch::patch(args, global),
    }
}
