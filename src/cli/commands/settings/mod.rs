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
    List(list::ListArgs),
    Get(get::GetArgs),
    Set(set::SetArgs),
    Reset(reset::ResetArgs),
    Undo(undo::UndoArgs),
    Export(export::ExportArgs),
    Explain(explain::ExplainArgs),
    Schema(schema::SchemaArgs),
}

pub(in crate::cli) fn settings(args: &SettingsArgs, ctx: &Context) -> Result<ExitCode, Failure> {
    match &args.command {
        SettingsCommand::List(args) => list::list(args, ctx),
        SettingsCommand::Get(args) => get::get(args, ctx),
        SettingsCommand::Set(args) => set::set(args, ctx),
        SettingsCommand::Reset(args) => reset::reset(args, ctx),
        SettingsCommand::Undo(args) => undo::undo(args, ctx),
        SettingsCommand::Export(args) => export::export(args, ctx),
        SettingsCommand::Schema(args) => schema::schema(args, ctx),
        SettingsCommand::Explain(args) => explain::explain(args, ctx),
    }
}
