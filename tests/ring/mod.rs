//! What the tests in the ring `mstconfig` need from the host: root, /dev/fuse and
//! Debian's mstconfig. Where it is missing they say SKIPPED, and fail in CI.

use std::env;
use std::fs::OpenOptions;
use std::process::Command;

/// Whether the test has to be skipped; says why, and fails in CI.
pub(crate) fn skipped() -> bool {
    let fuse = OpenOptions::new().read(true).write(true).open("/dev/fuse");
    let reason = if !rustix::process::geteuid().is_root() {
        "not root".to_owned()
    } else if let Err(error) = fuse {
        format!("/dev/fuse: {error}")
    } else if Command::new("mstconfig").arg("-v").output().is_err() {
        "mstconfig is not installed".to_owned()
    } else {
        return false;
    };
    eprintln!("SKIPPED ring mstconfig: {reason}");
    assert_ne!(env::var("CI").as_deref(), Ok("true"), "{reason}");
    true
}
