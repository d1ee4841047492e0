//! Completion of the command line in a shell, of what is there now: the cards
//! of this host, the settings and their values, virtual cards.
//!
//! `flexctl completions SHELL` prints a script for the shell. At every press of Tab the
//! script runs `FLEXCTL_COMPLETE=<shell> flexctl -- <words>` and offers what
//! comes back. No card is opened for it, nothing is written, and whatever goes
//! wrong only means that less is offered: an error would land in the middle of
//! somebody's command line.

mod answer;
mod attach;
mod cards;
mod setting_names;
mod shell;
mod shell_scripts;
mod typed;

pub(super) use answer::answer;
pub(super) use shell::Shell;
