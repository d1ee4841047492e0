//! From arguments to an exit code.

use std::ffi::OsString;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use serde::Serialize;

use super::ExitCode;
use super::args::{Cli, Command};
use super::commands;
use super::complete;
use super::context::{Context, output_of};
use super::error::{Failure, FailureReport};
use super::only_named::{OnlyNamed, parse};
use super::output::{CARE, Output, styled};

/// A run that failed before it had an answer.
#[derive(Debug, Serialize)]
struct ErrorReport {
    schema: &'static str,
    error: FailureReport,
}

/// Runs flexctl with these arguments, the first being the program's name, and
/// returns its exit code: an [`ExitCode`], or that of the command of `sim run`.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> u8 {
    let arguments: Vec<OsString> = arguments.into_iter().collect();
    // A shell may ask for what a word could become; that is no run of a command.
    if let Some(code) = complete::answer(&arguments) {
        return code as u8;
    }
    let cli = match parse(&arguments) {
        Ok(cli) => cli,
        Err(error) => return usage(&error, &arguments) as u8,
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

/// Says what is wrong with the arguments. Help and version come this way too and
/// are no errors.
fn usage(error: &clap::Error, arguments: &[OsString]) -> ExitCode {
    let is_help = error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand;
    if !error.use_stderr() || is_help {
        let _ = error.print();
        return if is_help {
            ExitCode::Usage
        } else {
            ExitCode::Done
        };
    }
    let hint = match error.get(ContextKind::InvalidArg) {
        Some(ContextValue::String(argument)) if argument.starts_with("--device") => {
            "a card is named as 04:00.0, mlx5_0, net:eth4, sim:connectx-4 or all; `flexctl list` shows cards"
        }
        _ => "--help after the command tells how it is used",
    };
    // clap's last paragraph says where the help is, in its own words.
    let text = error.render().ansi().to_string();
    let text = text
        .rfind("\n\nFor more information")
        .map_or(text.as_str(), |at| &text[..at]);
    Output::line(text.trim_end());
    Output::line(format_args!("{} {hint}", styled(CARE, "hint:")));
    let json = arguments
        .iter()
        .take_while(|argument| *argument != "--")
        .any(|argument| argument == "--json");
    if json {
        let plain = error.render().to_string();
        let first = plain.split("\n\n").next().unwrap_or_default();
        let words: Vec<&str> = first.lines().map(str::trim).collect();
        let message = words.join(" ");
        let message = message.strip_prefix("error: ").unwrap_or(&message);
        let failure = Failure::message(ExitCode::Usage, message).hint(hint);
        document(JSON_ONLY, &failure);
    }
    ExitCode::Usage
}

/// Before the arguments are understood, this much of them is.
const JSON_ONLY: Output = Output {
    json: true,
    quiet: false,
    verbose: false,
};

fn dispatch(cli: &Cli) -> Result<u8, Failure> {
    let global = &cli.global;
    let code = match &cli.command {
        // These two must not start threads or touch a card.
        Command::SimExec(OnlyNamed(args)) => return Ok(commands::sim_exec(args)),
        Command::Sim(OnlyNamed(args)) => return commands::sim(args, output_of(global)),
        Command::Completions(OnlyNamed(args)) => commands::completions(args, output_of(global)),
        Command::Man(OnlyNamed(args)) => commands::man(args, output_of(global)),
        // Files need neither data files nor a host.
        Command::Rom(OnlyNamed(args)) => commands::rom(args, global),
        Command::Image(OnlyNamed(args)) => commands::image(args, global),
        Command::List(OnlyNamed(args)) => commands::list(args, &Context::new(global)?),
        Command::Show(OnlyNamed(args)) => commands::show(args, &Context::new(global)?),
        Command::EnableIpv6(OnlyNamed(args)) => commands::enable_ipv6(args, &Context::new(global)?),
        Command::DisableIpv6(OnlyNamed(args)) => {
            commands::disable_ipv6(args, &Context::new(global)?)
        }
        Command::Settings(OnlyNamed(args)) => commands::settings(args, &Context::new(global)?),
        Command::Plan(OnlyNamed(args)) => commands::plan(args, &Context::new(global)?),
        Command::Apply(OnlyNamed(args)) => commands::apply(args, &Context::new(global)?),
        Command::Check(OnlyNamed(args)) => commands::check(args, &Context::new(global)?),
        Command::Backup(OnlyNamed(args)) => commands::backup(args, &Context::new(global)?),
        Command::Restore(OnlyNamed(args)) => commands::restore(args, &Context::new(global)?),
        Command::Burn(OnlyNamed(args)) => commands::burn(args, &Context::new(global)?),
        Command::Doctor(OnlyNamed(args)) => commands::doctor(args, &Context::new(global)?),
    }?;
    Ok(code as u8)
}

fn report(output: Output, failure: &Failure) {
    failure.print();
    if output.json {
        document(output, failure);
    }
}

fn document(output: Output, failure: &Failure) {
    let document = ErrorReport {
        schema: "flexctl.error/1",
        error: failure.report(),
    };
    // The message is on stderr already.
    let _ = output.document(&document);
}
