//! Which argument is completed with what.

use clap::{Arg, Command, ValueHint};
use clap_complete::ArgValueCompleter;

use super::cards::{devices, profiles, virtual_cards};
use super::setting_names::{Purpose, assignments, names};
use super::typed::Typed;

/// The command, with completers at the arguments of it and its subcommands.
///
/// An argument is told by the name of its value in the help texts, so that one of
/// a new command needs nothing here.
pub(super) fn attach(command: Command, typed: &Typed) -> Command {
    below(command, &[], typed)
}

fn below(command: Command, path: &[String], typed: &Typed) -> Command {
    command
        .mut_args(|arg| complete(arg, path, typed))
        .mut_subcommands(|command| {
            let path = [path, &[command.get_name().to_owned()]].concat();
            below(command, &path, typed)
        })
}

fn complete(arg: Arg, path: &[String], typed: &Typed) -> Arg {
    let value = arg.get_value_names().and_then(|names| names.first());
    let value = value.map(ToString::to_string).unwrap_or_default();
    let path: Vec<&str> = path.iter().map(String::as_str).collect();
    let typed = typed.clone();
    match (path.as_slice(), value.as_str()) {
        (_, "SEL") => arg.add(ArgValueCompleter::new(move |word: &_| {
            devices(&typed, word)
        })),
        (["settings", "set", ..], "NAME=VALUE") => {
            arg.add(ArgValueCompleter::new(move |word: &_| {
                assignments(&typed, word)
            }))
        }
        (["settings", command, ..], "NAME" | "PART") => {
            let purpose = if *command == "reset" {
                Purpose::Change
            } else {
                Purpose::Read
            };
            arg.add(ArgValueCompleter::new(move |word: &_| {
                names(&typed, word, purpose)
            }))
        }
        (["sim", ..], "PROFILE") => arg.add(ArgValueCompleter::new(profiles)),
        // The name of a new card is free.
        (["sim", "new"], _) => arg,
        (["sim", ..], "NAME" | "NAMES" | "CARD") => arg.add(ArgValueCompleter::new(virtual_cards)),
        (_, "DIR") => arg.value_hint(ValueHint::DirPath),
        (_, "FILE") => arg.value_hint(ValueHint::FilePath),
        _ => arg,
    }
}
