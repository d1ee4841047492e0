//! A mount namespace of its own, with or without root.

use std::fs;
use std::io;

use nix::sched::{CloneFlags, unshare};
use rustix::mount::{MountPropagationFlags, mount_change};
use rustix::process::{getegid, geteuid};

use super::error::RunError;

/// Moves the calling thread, and what it starts from now on, into a mount
/// namespace where nothing it mounts can be seen from outside.
///
/// Without root it becomes root of a new user namespace first, which the
/// kernel allows only to a process with a single thread.
pub(crate) fn enter() -> Result<(), RunError> {
    let (user, group) = (geteuid().as_raw(), getegid().as_raw());
    if user == 0 {
        unshare(CloneFlags::CLONE_NEWNS).map_err(|errno| RunError::MountNamespace {
            source: errno.into(),
        })?;
    } else {
        unshare(CloneFlags::CLONE_NEWUSER | CloneFlags::CLONE_NEWNS).map_err(|errno| {
            RunError::UserNamespace {
                source: errno.into(),
            }
        })?;
        // Groups cannot be mapped unless setgroups is given up (user_namespaces(7)).
        write("/proc/self/setgroups", "deny")?;
        write("/proc/self/uid_map", &format!("0 {user} 1"))?;
        write("/proc/self/gid_map", &format!("0 {group} 1"))?;
    }
    // Distributions share mounts by default: what is mounted here would appear outside.
    mount_change(
        "/",
        MountPropagationFlags::PRIVATE | MountPropagationFlags::REC,
    )
    .map_err(|errno| RunError::MountNamespace {
        source: errno.into(),
    })
}

fn write(path: &'static str, text: &str) -> Result<(), RunError> {
    fs::write(path, text).map_err(|source: io::Error| RunError::Io {
        action: "write",
        path: path.into(),
        source,
    })
}
