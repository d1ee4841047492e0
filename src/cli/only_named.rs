//! The arguments of one command, without building those of all others.
//!
//! Describing some fifty commands costs more time than `image info` takes for its
//! work. So the command is looked for first, and only its arguments are described;
//! where that guess fails, and for every message about wrong usage, all are.

use std::cell::Cell;
use std::ffi::OsString;

use clap::{ArgMatches, Args, Command, CommandFactory, FromArgMatches, Id, Parser};

use super::args::Cli;

thread_local! {
    /// The one command that is described; all are when there is none.
    static NAMED: Cell<Option<&'static str>> = const { Cell::new(None) };
}

/// Commands whose arguments are described only when they are meant.
const NAMES: [&str; 6] = ["image", "rom", "list", "show", "settings", "check"];

/// Arguments of a command that are not described while another is meant.
#[derive(Debug)]
pub(super) struct OnlyNamed<T>(pub(super) T);

impl<T: Args> OnlyNamed<T> {
    fn described(command: Command, describe: impl FnOnce(Command) -> Command) -> Command {
        match NAMED.get() {
            Some(named) if command.get_name() != named => command,
            _ => describe(command),
        }
    }
}

impl<T: Args> Args for OnlyNamed<T> {
    fn group_id() -> Option<Id> {
        T::group_id()
    }

    fn augment_args(command: Command) -> Command {
        Self::described(command, T::augment_args)
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::described(command, T::augment_args_for_update)
    }
}

impl<T: FromArgMatches> FromArgMatches for OnlyNamed<T> {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        T::from_arg_matches(matches).map(Self)
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        self.0.update_from_arg_matches(matches)
    }
}

/// Understands the arguments of a run.
pub(super) fn parse(arguments: &[OsString]) -> Result<Cli, clap::Error> {
    quickly(arguments).map_or_else(|| Cli::try_parse_from(arguments), Ok)
}

/// The same with one command described; `None` when the guess was wrong or there
/// is something to say.
fn quickly(arguments: &[OsString]) -> Option<Cli> {
    let named = arguments
        .iter()
        .skip(1)
        .find_map(|argument| NAMES.into_iter().find(|name| argument == name))?;
    NAMED.set(Some(named));
    let command = Cli::command();
    NAMED.set(None);
    let matches = command.try_get_matches_from(arguments);
    matches
        .ok()
        .filter(|matches| matches.subcommand_name() == Some(named))
        .and_then(|matches| Cli::from_arg_matches(&matches).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<OsString> {
        line.split(' ').map(OsString::from).collect()
    }

    #[test]
    fn every_name_is_a_command() {
        let command = Cli::command();
        for name in NAMES {
            assert!(command.find_subcommand(name).is_some(), "{name}");
        }
    }

    #[test]
    fn the_guess_is_the_command_or_is_not_taken() {
        assert!(quickly(&words("flexctl image info x")).is_some());
        assert!(quickly(&words("flexctl --json settings list -d all")).is_some());
        // A value that looks like a command.
        assert!(quickly(&words("flexctl --hwdb list show")).is_none());
        assert!(parse(&words("flexctl --hwdb list show")).is_ok());
        // What is wrong is said by the whole.
        assert!(quickly(&words("flexctl image inf x")).is_none());
        let message = parse(&words("flexctl image inf x"))
            .unwrap_err()
            .to_string();
        assert!(message.contains("info"), "{message}");
        assert!(quickly(&words("flexctl image info --help")).is_none());
    }
}
