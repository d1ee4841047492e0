//! Rings: groups of tests that need more of the machine than a Rust toolchain.

#![allow(
    dead_code,
    unreachable_pub,
    clippy::print_stdout,
    reason = "each test binary uses a part of this, and a skipped test has to say so"
)]

use std::env;
use std::fs::{self, OpenOptions};
use std::path::Path;
use std::process::Command;

/// What a ring of tests needs of the machine.
#[derive(Clone, Copy, Debug)]
pub enum Need {
    Root,
    /// /dev/fuse, and a list of PCI functions to lie over.
    Fuse,
    /// User namespaces for everybody.
    UserNamespaces,
    Program(&'static str),
    /// A file, and the package that brings it.
    File(&'static str, &'static str),
    /// strace, and the right to use it.
    Strace,
}

/// The ring in which Debian's mstconfig works on virtual cards.
pub const MSTCONFIG: [Need; 3] = [Need::Root, Need::Fuse, Need::Program("mstconfig")];

impl Need {
    fn missing(self) -> Option<String> {
        match self {
            Self::Root => (!rustix::process::geteuid().is_root()).then(|| "not root".to_owned()),
            Self::Fuse if !Path::new("/sys/bus/pci/devices").is_dir() => {
                Some("the host has no /sys/bus/pci/devices".to_owned())
            }
            Self::Fuse => OpenOptions::new()
                .read(true)
                .write(true)
                .open("/dev/fuse")
                .err()
                .map(|error| format!("/dev/fuse: {error}")),
            Self::UserNamespaces => [
                "/proc/sys/user/max_user_namespaces",
                // Debian's own switch.
                "/proc/sys/kernel/unprivileged_userns_clone",
            ]
            .into_iter()
            .find(|path| fs::read_to_string(path).is_ok_and(|text| text.trim() == "0"))
            .map(|path| format!("user namespaces are switched off: {path} is 0")),
            Self::Strace if on_path("strace") => Command::new("strace")
                .args(["-qq", "-o", "/dev/null", "true"])
                .output()
                .is_ok_and(|run| !run.status.success())
                .then(|| "strace may not trace here".to_owned()),
            Self::Strace => Some("strace is not installed".to_owned()),
            Self::File(path, package) => (!Path::new(path).is_file())
                .then(|| format!("{path} (package {package}) is missing")),
            Self::Program(name) => (!on_path(name)).then(|| format!("{name} is not installed")),
        }
    }
}

fn on_path(program: &str) -> bool {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path).any(|directory| directory.join(program).is_file())
}

/// Why this machine cannot run the ring; says it, and fails where CI is set.
pub fn skipped(ring: &str, needs: &[Need]) -> bool {
    let Some(reason) = needs.iter().find_map(|need| need.missing()) else {
        return false;
    };
    println!("SKIPPED ring {ring}: {reason}");
    let is_ci = env::var_os("CI").is_some_and(|value| !value.is_empty());
    assert!(!is_ci, "ring {ring} was skipped: {reason}");
    true
}
