//! `flexctl sim run` by a user without rights, who becomes root of a user
//! namespace of his own.
//!
//! Such a user must be able to open /dev/fuse. Where only root can, and the test
//! runs as root, it makes a device node for everybody in a mount namespace of
//! its own; the host does not change.
#![cfg(feature = "cli")]
#![allow(
    clippy::unwrap_used,
    reason = "what these functions make is part of the test"
)]

mod ring;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output};

use ring::{Need, skipped};
use tempfile::TempDir;

const NEEDS: [Need; 4] = [
    Need::Fuse,
    Need::UserNamespaces,
    Need::Program("unshare"),
    Need::Program("setpriv"),
];

/// As root: lose all rights, but not the chance to open /dev/fuse. $1 is a
/// directory that everybody may use, $2 the script to run.
const BECOME_NOBODY: &str = r#"
set -e
mount -t tmpfs -o mode=0755 tmpfs "$1/device"
mknod -m 0666 "$1/device/fuse" c 10 229
mount --bind "$1/device/fuse" /dev/fuse
exec setpriv --reuid 65534 --regid 65534 --clear-groups --inh-caps=-all \
    --no-new-privs sh -c "$2"
"#;

/// Runs a script without rights, with flexctl in its path.
fn without_rights(script: &str) -> (TempDir, Output) {
    let folder = tempfile::tempdir().unwrap();
    let open_to_all = |name: &str| {
        let path = folder.path().join(name);
        fs::create_dir_all(&path).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o777)).unwrap();
        path
    };
    open_to_all("");
    open_to_all("device");
    let home = open_to_all("home");
    // The build's own folder may be closed to others.
    fs::copy(
        env!("CARGO_BIN_EXE_flexctl"),
        folder.path().join("home/flexctl"),
    )
    .unwrap();
    let mut command = if rustix::process::geteuid().is_root() {
        let mut command = Command::new("unshare");
        command
            .args(["--mount", "--propagation", "private", "sh", "-c"])
            .args([BECOME_NOBODY, "sh"])
            .arg(folder.path())
            .arg(script);
        command
    } else {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    };
    let output = command
        .env(
            "PATH",
            format!("{}:/usr/sbin:/usr/bin:/sbin:/bin", home.display()),
        )
        .env("HOME", &home)
        .env("NO_COLOR", "1")
        .env("FLEXCTL_STATE_DIR", home.join("state"))
        .env("FLEXCTL_RUN_DIR", home.join("run"))
        .current_dir(&home)
        .output()
        .unwrap();
    (folder, output)
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[test]
fn a_user_without_rights_runs_the_main_job_on_virtual_cards() {
    if skipped("rootless", &NEEDS) {
        return;
    }
    let (folder, output) = without_rights(
        "test $(id -u) != 0 || exit 90
         flexctl sim run --ephemeral --stats stats.json connectx-3 connectx-4 -- sh -ec '
             ls /sys/bus/pci/devices
             flexctl enable-ipv6 --yes
             flexctl list'
         code=$?
         ! grep flexctl-sim /proc/self/mountinfo || exit 91
         exit $code",
    );
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let said = text(&output.stdout);
    assert!(
        said.starts_with("0000:04:00.0\n0000:04:00.1\n0000:05:00.0\n"),
        "{said}"
    );
    assert_eq!(said.matches("written and read back").count(), 2, "{said}");
    assert_eq!(said.matches("on (ipv4-ipv6)").count(), 4, "{said}");
    let stats = fs::read_to_string(folder.path().join("home/stats.json")).unwrap();
    let stats: serde_json::Value = serde_json::from_str(&stats).unwrap();
    for card in stats["cards"].as_array().unwrap() {
        assert_eq!(card["counters"]["tlv_writes"], 2, "{card}");
        assert_eq!(card["held_semaphores"], serde_json::json!([]), "{card}");
    }
}

#[test]
fn the_exit_code_of_the_command_comes_back_without_rights_too() {
    if skipped("rootless", &NEEDS) {
        return;
    }
    let (_folder, output) =
        without_rights("flexctl sim run --ephemeral connectx-3 -- sh -c 'exit 42'");
    assert_eq!(output.status.code(), Some(42), "{output:?}");
}

#[test]
fn a_card_that_does_not_exist_needs_no_namespace_to_be_refused() {
    if skipped("rootless", &NEEDS) {
        return;
    }
    let (folder, output) = without_rights("flexctl sim run --ephemeral connectx-9 -- true");
    assert_eq!(output.status.code(), Some(3), "{output:?}");
    assert!(!Path::new(folder.path()).join("home/run").exists());
}
