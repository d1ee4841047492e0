//! The arguments of one command, without building those of all others.
//!
//! Describing some fifty commands costs more time than `image info` takes for its
//! work. A command can only be meant when its name is among the words, so only
//! such commands are described; for every message about wrong usage, all are.

use std::cell::RefCell;
use std::ffi::OsString;

use clap::{ArgMatches, Args, Command, CommandFactory, FromArgMatches, Id, Parser};

use super::args::Cli;

thread_local! {
    /// The words of the run while commands are described for it; without them all
    /// commands are described.
    static WORDS: RefCell<Option<Vec<OsString>>> = const { RefCell::new(None) };
}

/// Arguments of a command that are not described while another is meant.
#[derive(Debug)]
pub(super) struct OnlyNamed<T>(pub(super) T);

impl<T: Args> OnlyNamed<T> {
    fn described(command: Command, describe: impl FnOnce(Command) -> Command) -> Command {
        let meant = WORDS.with_borrow(|words| {
            words
                .as_ref()
                .is_none_or(|words| words.iter().any(|word| word == command.get_name()))
        });
        if meant { describe(command) } else { command }
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

/// The same with few commands described; `None` when there is something to say.
fn quickly(arguments: &[OsString]) -> Option<Cli> {
    WORDS.set(Some(arguments.to_vec()));
    let command = Cli::command();
    WORDS.set(None);
    let matches = command.try_get_matches_from(arguments).ok()?;
    Cli::from_arg_matches(&matches).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<OsString> {
        line.split(' ').map(OsString::from).collect()
    }

    #[test]
    fn what_is_right_is_understood_quickly() {
        for line in [
            "flexctl image info x",
            "flexctl --json settings list -d all",
            "flexctl image rom extract x -o y",
            // A value that looks like a command.
            "flexctl --hwdb list show",
        ] {
            assert!(quickly(&words(line)).is_some(), "{line}");
        }
    }

    #[test]
    fn what_is_wrong_is_said_by_the_whole() {
        for line in [
            "flexctl image inf x",
            "flexctl image info --help",
            "flexctl",
        ] {
            assert!(quickly(&words(line)).is_none(), "{line}");
        }
        let message = parse(&words("flexctl image inf x"))
            .unwrap_err()
            .to_string();
        assert!(message.contains("info"), "{message}");
    }
}
