//! Virtual cards as files: what any program sees of them, and what stays of it.
//!
//! Needs root, because a test has other threads beside it and the kernel makes
//! user namespaces only for processes without, and /dev/fuse. Says SKIPPED
//! where they are missing, and fails there if CI=true.
#![cfg(feature = "cli")]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "a test fails by panicking and says on stderr what it skips"
)]

mod ring;

use std::env;
use std::ffi::OsString;
use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use flexctl::sim::fuse::{Guard, RunError, RunOptions, exec_child, run};
use flexctl::sim::{Card, Shelf};

fn card(name: &str) -> Card {
    Shelf::memory().card(name).unwrap()
}

fn words(words: &[&str]) -> Vec<OsString> {
    words.iter().map(OsString::from).collect()
}

fn unguarded() -> RunOptions {
    RunOptions {
        guard: Guard::None,
        ..RunOptions::default()
    }
}

/// Runs a script among the cards; its exit code and what it printed.
fn script(cards: &[Card], text: &str) -> (u8, String) {
    let directory = tempfile::tempdir().unwrap();
    let output = directory.path().join("output");
    let text = format!(
        "cd /sys/bus/pci/devices; exec > {} 2>&1; {text}",
        output.display()
    );
    let code = run(cards, &words(&["sh", "-c", &text]), &unguarded()).unwrap();
    (code, fs::read_to_string(&output).unwrap_or_default())
}

#[test]
fn a_command_sees_the_cards_and_nothing_else() {
    if ring::skipped("fuse", &[ring::Need::Root, ring::Need::Fuse]) {
        return;
    }
    let cards = ["connectx-4", "connectx-3"].map(card);
    let (code, said) = script(
        &cards,
        "ls; cat 0000:04:00.0/vendor 0000:05:00.0/device 0000:05:00.0/net/enp5s0d1/dev_port;
         cat 0000:04:00.1/net/*/address; readlink 0000:05:00.0/driver",
    );
    assert_eq!(code, 0);
    insta::assert_snapshot!(said, @r"
    0000:04:00.0
    0000:04:00.1
    0000:05:00.0
    0x15b3
    0x1003
    1
    02:00:5e:04:04:02
    ../../../bus/pci/drivers/mlx4_core
    ");
}

#[test]
fn the_exit_code_is_the_commands() {
    if ring::skipped("fuse", &[ring::Need::Root, ring::Need::Fuse]) {
        return;
    }
    let cards = [card("connectx-4")];
    assert_eq!(script(&cards, "exit 7").0, 7);
    assert_eq!(script(&cards, "kill -9 $$").0, 128 + 9);
    let error = run(&cards, &words(&["/nonexistent"]), &unguarded()).unwrap_err();
    assert!(matches!(error, RunError::Command { .. }));
    let error = run(&cards, &[], &unguarded()).unwrap_err();
    assert!(matches!(error, RunError::NoCommand));
}

#[test]
fn nothing_is_mounted_outside_or_afterwards() {
    if ring::skipped("fuse", &[ring::Need::Root, ring::Need::Fuse]) {
        return;
    }
    // The test harness' main thread stays outside.
    let (_, said) = script(
        &[card("connectx-4")],
        "grep -c flexctl-sim /proc/self/mountinfo /proc/$PPID/mountinfo | cut -d: -f2",
    );
    assert_eq!(said, "1\n0\n");
    let mounts = fs::read_to_string("/proc/thread-self/mountinfo").unwrap();
    assert!(!mounts.contains("flexctl-sim") && !mounts.contains("mstflint_lockfiles"));
}

#[test]
fn every_access_to_config_space_reaches_the_card() {
    if ring::skipped("fuse", &[ring::Need::Root, ring::Need::Fuse]) {
        return;
    }
    let card = card("connectx-4");
    let (_, said) = script(
        std::slice::from_ref(&card),
        "for i in 1 2; do dd if=0000:04:00.0/config bs=4 count=1 skip=50 2>/dev/null | od -An -tx4; done
         wc -c < 0000:04:00.0/config",
    );
    let counters: Vec<u32> = said
        .lines()
        .take(2)
        .map(|line| u32::from_str_radix(line.trim(), 16).unwrap())
        .collect();
    assert_eq!(counters, [1, 2], "the capability's counter never repeats");
    assert!(said.ends_with("4096\n"));
    assert!(card.counters().config_reads >= 3);
}

#[test]
fn the_rom_is_switched_like_linux_does_it() {
    if ring::skipped("fuse", &[ring::Need::Root, ring::Need::Fuse]) {
        return;
    }
    let card = card("connectx-3");
    let (_, said) = script(
        std::slice::from_ref(&card),
        "cd 0000:05:00.0; cat rom; echo 1 > rom; cat rom | wc -c
         echo 0 > rom; cat rom
         echo 1 > rom; printf 0 > rom; cat rom | wc -c",
    );
    // Without its newline a 0 does not switch off.
    insta::assert_snapshot!(said, @r"
    cat: rom: Invalid argument
    3072
    cat: rom: Invalid argument
    3072
    ");
    let counters = card.counters();
    assert_eq!((counters.rom_enables, counters.rom_disables), (3, 1));
    assert_eq!(counters.rom_reads, 2);
}

#[test]
fn the_bar_is_all_ones_and_its_address_is_not_told() {
    if ring::skipped("fuse", &[ring::Need::Root, ring::Need::Fuse]) {
        return;
    }
    let (_, said) = script(
        &[card("connectx-3")],
        "cd 0000:05:00.0; dd if=resource0 bs=4 count=1 skip=245765 2>/dev/null | od -An -tx4
         wc -c < resource0; grep -c 0x0000000000000000 resource; cat /dev/mem 2>/dev/null | wc -c",
    );
    insta::assert_snapshot!(said, @r"
     ffffffff
    1048576
    13
    0
    ");
}

#[test]
fn the_private_directory_is_in_the_namespace_only() {
    if ring::skipped("fuse", &[ring::Need::Root, ring::Need::Fuse]) {
        return;
    }
    let (_, said) = script(
        &[card("connectx-4")],
        "touch $FLEXCTL_RUN_DIR/x && echo $FLEXCTL_RUN_DIR",
    );
    assert!(said.starts_with("/tmp/"), "{said}");
    assert!(!Path::new(said.trim()).exists());
}

#[test]
fn signals_reach_the_command() {
    if ring::skipped("fuse", &[ring::Need::Root, ring::Need::Fuse]) {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let ready = directory.path().join("ready");
    let mut server = serve(&format!(
        "trap 'exit 42' TERM; touch {}; while :; do sleep 0.01; done",
        ready.display()
    ));
    wait_for("the command", || ready.exists());
    let pid = rustix::process::Pid::from_child(&server);
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    assert_eq!(server.wait().unwrap().code(), Some(42));
}

#[test]
fn the_command_dies_with_its_server() {
    if ring::skipped("fuse", &[ring::Need::Root, ring::Need::Fuse]) {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let pid = directory.path().join("pid");
    let mut server = serve(&format!("echo $$ > {}; exec sleep 60", pid.display()));
    let command = || {
        fs::read_to_string(&pid)
            .unwrap_or_default()
            .trim()
            .to_owned()
    };
    wait_for("the command", || !command().is_empty());
    let process = Path::new("/proc").join(command());
    assert!(process.exists());
    server.kill().unwrap();
    server.wait().unwrap();
    wait_for("its end", || {
        // It may be a zombie until init looks.
        fs::read_to_string(process.join("stat")).map_or(true, |stat| stat.contains(") Z "))
    });
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap();
    assert!(!mounts.contains("flexctl-sim"));
}

fn wait_for(what: &str, mut done: impl FnMut() -> bool) {
    let came = (0..10_000).any(|_| {
        thread::sleep(Duration::from_millis(1));
        done()
    });
    assert!(came, "{what} does not come");
}

/// Starts this program again, as a server with a guarded command.
fn serve(script: &str) -> Child {
    Command::new(env::current_exe().unwrap())
        .args(["--ignored", "--exact", "--nocapture", "server"])
        .env("FLEXCTL_TEST_SCRIPT", script)
        .stdout(Stdio::null())
        .spawn()
        .unwrap()
}

/// The server that other tests start.
#[test]
#[ignore = "runs only as the child of another test"]
fn server() {
    let own = env::current_exe().unwrap().into_os_string();
    let mut prefix = vec![own];
    prefix.extend(words(&[
        "--ignored",
        "--exact",
        "--nocapture",
        "--",
        "entry",
    ]));
    let options = RunOptions {
        guard: Guard::Reexec(prefix),
        ..RunOptions::default()
    };
    let script = env::var("FLEXCTL_TEST_SCRIPT").unwrap();
    let code = run(
        &[card("connectx-4")],
        &words(&["sh", "-c", &script]),
        &options,
    )
    .unwrap();
    std::process::exit(code.into());
}

/// What the command line calls `sim __exec`.
#[test]
#[ignore = "runs only as the child of another test"]
fn entry() {
    let args: Vec<OsString> = env::args_os()
        .skip_while(|arg| arg != "entry")
        .skip(1)
        .collect();
    panic!("{}", exec_child(&args));
}
