//! The command itself: it must not outlive the cards that it works on.

use std::ffi::OsString;
use std::io;
use std::os::unix::process::CommandExt;
use std::process::Command;

use rustix::process::{Pid, Signal, getppid, set_parent_process_death_signal};

/// Tells the child which process has to be alive.
pub(crate) const PARENT: &str = "FLEXCTL_SIM_PARENT";

/// A command that was not started.
#[derive(Debug, thiserror::Error)]
#[error("cannot run `{}`", .command.display())]
pub struct ExecError {
    /// The command.
    pub command: OsString,
    /// Why not.
    #[source]
    pub source: io::Error,
}

impl ExecError {
    /// What a shell would exit with: 127 when there is no such command, else 126.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        if self.source.kind() == io::ErrorKind::NotFound {
            127
        } else {
            126
        }
    }
}

/// Becomes the command, which is killed when the process that serves the cards
/// dies. Returns only when that fails.
///
/// This is what the hidden entry that [`super::Guard::Reexec`] names has to call,
/// with the arguments after it: the kernel clears the wish in a forked child
/// only, and asking for it between fork and exec would need unsafe code.
#[must_use]
pub fn exec_child(args: &[OsString]) -> ExecError {
    let Some((command, rest)) = args.split_first() else {
        return ExecError {
            command: OsString::new(),
            source: io::ErrorKind::InvalidInput.into(),
        };
    };
    let failed = |source: io::Error| ExecError {
        command: command.clone(),
        source,
    };
    if let Err(errno) = set_parent_process_death_signal(Some(Signal::KILL)) {
        return failed(errno.into());
    }
    // The parent may have died before the wish was made.
    let expected = std::env::var(PARENT)
        .ok()
        .and_then(|pid| Pid::from_raw(pid.parse().ok()?));
    if expected.is_some() && getppid() != expected {
        return failed(io::Error::other(
            "the process that serves the cards is gone",
        ));
    }
    failed(Command::new(command).args(rest).env_remove(PARENT).exec())
}
