//! From arguments to an exit code.

use std::ffi::OsString;

use clap::Parser;
use serde::Serialize;

use super::ExitCode;
use super::args::{Cli, Command};
use super::commands;
use super::context::{Context, output_of};
use super::error::{Failure, FailureReport};
use super::output::Output;

/// A run that failed before it had an answer.
#[derive(Debug, Serialize)]
struct ErrorReport {
    schema: &'static str,
    error: FailureReport,
}

/// Runs flexctl with these arguments, the first being the program's name, and
/// returns its exit code: an [`ExitCode`], or that of the command of `sim run`.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> u8 {
    let cli = match Cli::try_parse_from(arguments) {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version come this way too and are no errors.
            let code = if error.use_stderr() {
                ExitCode::Usage
            } else {
                ExitCode::Done
            };
            let _ = error.print();
            return code as u8;
        }
    };
    let output = output_of(&cli.global);
    match dispatch(&cli) {
        Ok(code) => code,
        Err(failure) => {
            report(output, &failure);
            failure.code as u8
        }
    }
}

fn dispatch(cli: &Cli) -> Result<u8, Failure> {
    let global = &cli.global;
    let code = match &cli.command {
        // These two must not start threads or touch a card.
        Command::SimExec(args) => return Ok(commands::sim_exec(args)),
        Command::Sim(args) => return commands::sim(args, output_of(global)),
        Command::List(args) => commands::list(args, &Context::new(global)?),
        Command::Show(args) => commands::show(args, &Context::new(global)?),
        Command::EnableIpv6(args) => commands::enable_ipv6(args, &Context::new(global)?),
        Command::DisableIpv6(args) => commands::disable_ipv6(args, &Context::new(global)?),
        Command::Doctor(args) => commands::doctor(args, &Context::new(global)?),
    }?;
    Ok(code as u8)
}

fn report(output: Output, failure: &Failure) {
    failure.print();
    if output.json {
        let document = ErrorReport {
            schema: "flexctl.error/1",
            error: failure.report(),
        };
        // The message is on stderr already.
        let _ = output.document(&document);
    }
}
