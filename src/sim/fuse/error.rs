//! What can go wrong with showing cards to a command.

use std::ffi::OsString;
use std::io;
use std::path::PathBuf;

use crate::pci::Bdf;

/// Why a command was not run among virtual cards.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RunError {
    /// There is nothing to run.
    #[error("no command to run")]
    NoCommand,
    /// Two cards want the same place.
    #[error("two virtual cards are at {address}")]
    SameAddress {
        /// The place.
        address: Bdf,
    },
    /// FUSE cannot be used here.
    #[error("cannot open `/dev/fuse`, which shows the virtual cards")]
    NoFuse {
        /// Why not: the module is not there, or not for this user.
        #[source]
        source: io::Error,
    },
    /// The kernel makes no mount namespace.
    #[error("cannot make a mount namespace of its own")]
    MountNamespace {
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// The kernel makes no user namespace, which is needed without root.
    #[error("cannot make a user namespace, which is needed to mount without being root")]
    UserNamespace {
        /// Why not: switched off, used up, or the process has several threads.
        #[source]
        source: io::Error,
    },
    /// A mount was refused.
    #[error("cannot mount {what} at `{path}`")]
    Mount {
        /// What was to be mounted.
        what: &'static str,
        /// Where.
        path: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// A file or directory of the namespace cannot be prepared.
    #[error("cannot {action} `{path}`")]
    Io {
        /// What was tried.
        action: &'static str,
        /// The file or directory.
        path: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// The kernel and the file system did not come to terms.
    #[error("the file system that shows the virtual cards does not start")]
    Session {
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// The command does not start.
    #[error("cannot run `{}`", .command.display())]
    Command {
        /// The command.
        command: OsString,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// Signals cannot be passed on to the command.
    #[error("cannot catch signals for the command")]
    Signals {
        /// Why not.
        #[source]
        source: io::Error,
    },
}
