//! `flexctl settings`: every setting by name.

mod explain;
mod export;
mod get;
mod list;
mod reading;
mod reset;
mod schema;
mod set;
mod undo;

use clap::{Args, Subcommand};

pub(in crate::cli) use reading::restart_line;

use super::super::ExitCode;
use super::super::context::Context;
use super::super::error::Failure;
use super::super::only_named::OnlyNamed;

/// Read and change settings by name
///
/// Names are those of mlxconfig where it has one; `settings explain` lists them
/// with their meaning. A setting of a port is meant for all ports of the card
/// unless --port or the suffix _P1 or _P2 says which.
#[derive(Debug, Args)]
#[command(subcommand_required = true, arg_required_else_help = true)]
pub(in crate::cli) struct SettingsArgs {
    #[command(subcommand)]
    command: SettingsCommand,
}

#[derive(Debug, Subcommand)]
enum SettingsCommand {
    List(OnlyNamed<list::ListArgs>),
    Get(OnlyNamed<get::GetArgs>),
    Set(OnlyNamed<set::SetArgs>),
    Reset(OnlyNamed<reset::ResetArgs>),
    Undo(OnlyNamed<undo::UndoArgs>),
    Export(OnlyNamed<export::ExportArgs>),
    Explain(OnlyNamed<explain::ExplainArgs>),
    Schema(OnlyNamed<schema::SchemaArgs>),
}

pub(in crate::cli) fn settings(args: &SettingsArgs, ctx: &Context) -> Result<ExitCode, Failure> {
    match &args.command {
        SettingsCommand::List(OnlyNamed(args)) => list::list(args, ctx),
        SettingsCommand::Get(OnlyNamed(args)) => get::get(args, ctx),
        SettingsCommand::Set(OnlyNamed(args)) => set::set(args, ctx),
        SettingsCommand::Reset(OnlyNamed(args)) => reset::reset(args, ctx),
        SettingsCommand::Undo(OnlyNamed(args)) => undo::undo(args, ctx),
        SettingsCommand::Export(OnlyNamed(args)) => export::export(args, ctx),
        SettingsCommand::Schema(OnlyNamed(args)) => schema::schema(args, ctx),
        SettingsCommand::Explain(OnlyNamed(args)) => explain::explain(args, ctx),
    }
}
