//! `flexctl completions`

use clap::Args;
use serde::Serialize;

use super::super::ExitCode;
use super::super::complete::Shell;
use super::super::error::Failure;
use super::super::output::Output;

/// Print the script that completes flexctl's command line in a shell
///
/// At every press of Tab the script asks the flexctl in PATH. That offers commands and
/// options, the cards of this host, virtual cards, the names of settings with
/// what they mean, and their values. No card is opened for it.
#[derive(Debug, Args)]
#[command(after_help = "\
Where scripts belong:
  flexctl completions bash > /etc/bash_completion.d/flexctl
  flexctl completions zsh > /usr/local/share/zsh/site-functions/_flexctl
  flexctl completions fish > ~/.config/fish/completions/flexctl.fish

For one session only:
  source <(flexctl completions bash)
  flexctl completions fish | source
  eval (flexctl completions elvish | slurp)
  flexctl completions powershell | Out-String | Invoke-Expression")]
pub(in crate::cli) struct CompletionsArgs {
    /// The shell
    shell: Shell,
}

#[derive(Debug, Serialize)]
struct CompletionsReport {
    schema: &'static str,
    script: String,
}

pub(in crate::cli) fn completions(
    args: &CompletionsArgs,
    output: Output,
) -> Result<ExitCode, Failure> {
    let script = args
        .shell
        .script()
        .map_err(|error| Failure::unwritten(&error))?;
    let outcome = if output.json {
        output.document(&CompletionsReport {
            schema: "flexctl.completions/1",
            script,
        })
    } else {
        output.answer(&script)
    };
    outcome.map_err(|error| Failure::unwritten(&error))?;
    Ok(ExitCode::Done)
}
