//! The shell asks, flexctl answers.

use std::env;
use std::ffi::OsString;
use std::io::Write;
use std::panic::{catch_unwind, set_hook};

use clap::CommandFactory;

use super::super::ExitCode;
use super::super::args::Cli;
use super::attach::attach;
use super::shell::Shell;
use super::typed::Typed;

/// The variable in which a script names its shell.
pub(super) const VARIABLE: &str = "FLEXCTL_COMPLETE";

/// Answers a shell that asks what a word may become; `None` when this is another
/// run.
///
/// Asking takes both the variable and `--` as the first argument: a variable that
/// was exported by mistake must not keep flexctl from working.
pub(in crate::cli) fn answer(arguments: &[OsString]) -> Option<ExitCode> {
    let shell = Shell::named(&env::var(VARIABLE).ok()?)?;
    let words = match arguments {
        [_, escape, words @ ..] if escape == "--" => words.to_vec(),
        _ => return None,
    };
    // Neither clap nor anything of ours should panic here, but if it did the
    // words would be printed over the prompt.
    set_hook(Box::new(|_| {}));
    if let Ok(Some(text)) = catch_unwind(|| candidates(shell, words)) {
        // Not through anstream, which drops the separators of some shells.
        let _ = std::io::stdout().lock().write_all(&text);
    }
    Some(ExitCode::Done)
}

/// What the words may become, as the shell's script wants it.
fn candidates(shell: Shell, words: Vec<OsString>) -> Option<Vec<u8>> {
    if words.is_empty() {
        return None;
    }
    let mut command = attach(Cli::command(), &Typed::new(&words));
    let folder = env::current_dir().ok();
    let mut text = Vec::new();
    shell
        .completer()
        .write_complete(&mut command, words, folder.as_deref(), &mut text)
        .ok()?;
    Some(text)
}
