//! Shells that can be completed in.

use clap::ValueEnum;
use clap_complete::env::{Elvish, EnvCompleter, Fish, Powershell};

use super::answer::VARIABLE;
use super::shell_scripts::{Bash, Zsh};

/// A shell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum Shell {
    Bash,
    Zsh,
    Fish,
    Elvish,
    Powershell,
}

/// What scripts call. Not the path of this process: packages are built elsewhere.
const PROGRAM: &str = "flexctl";

impl Shell {
    pub(super) fn named(name: &str) -> Option<Self> {
        Self::from_str(name, false).ok()
    }

    pub(super) fn completer(self) -> &'static dyn EnvCompleter {
        match self {
            Self::Bash => &Bash,
            Self::Zsh => &Zsh,
            Self::Fish => &Fish,
            Self::Elvish => &Elvish,
            Self::Powershell => &Powershell,
        }
    }

    /// The script that makes the shell ask.
    pub(in crate::cli) fn script(self) -> std::io::Result<String> {
        let mut script = Vec::new();
        self.completer()
            .write_registration(VARIABLE, PROGRAM, PROGRAM, PROGRAM, &mut script)?;
        let script = String::from_utf8_lossy(&script);
        Ok(format!("{}\n", script.trim()))
    }
}
