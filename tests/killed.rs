//! SIGKILL and SIGINT at every single access of the main job.
//!
//! A program that is asked to stop lets go of everything. One that is killed has
//! no chance to: every TLV is old or new afterwards, and the next run either does
//! the job and says truly what the dead one left, or names the semaphore that is
//! held and the way to free it.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::HashSet;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, Output};

use flexctl::sim::{Card, HeldSemaphore, Shelf};
use serde_json::Value;

const SIGKILL: i32 = 9;

fn flexctl(home: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_flexctl"))
        .env_clear()
        .env("FLEXCTL_SIM_DIR", home.join("sim"))
        .env("FLEXCTL_STATE_DIR", home.join("state"))
        .env("FLEXCTL_RUN_DIR", home.join("run"))
        .args(arguments)
        .output()
        .unwrap()
}

fn enable(home: &Path, name: &str) -> Output {
    let card = format!("sim:{name}");
    flexctl(
        home,
        &[
            "enable-ipv6",
            "-d",
            &card,
            "--mode",
            "ipv6",
            "--json",
            "--wait",
            "0.01",
        ],
    )
}

/// The IP_VER TLVs of the two ports.
fn tlvs(card: &Card) -> [Option<Vec<u8>>; 2] {
    if card.infos().len() > 1 {
        [card.tlv(0, 0x0300_0195, 0), card.tlv(1, 0x0300_0195, 0)]
    } else {
        [card.tlv(0, 0x2001, 1), card.tlv(0, 0x2001, 2)]
    }
}

/// Kills the job at every access of a card of this profile.
fn kill_at_every_access(profile: &str) {
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    let shelf = Shelf::open(home.join("sim"));
    let open = || shelf.card(profile).unwrap();
    let old = tlvs(&open());
    assert!(enable(home, profile).status.success());
    let new = tlvs(&open());
    assert_ne!(old, new);

    let (mut mixed, mut held) = (0, 0);
    let mut seen = HashSet::new();
    for at in 1.. {
        shelf.remove(profile).unwrap();
        open().set_faults(format!("kill@{at}").parse().unwrap());
        let killed = enable(home, profile);
        if killed.status.success() {
            // There are fewer accesses than that: done.
            assert!(at > 300, "{profile}: only {at} accesses");
            break;
        }
        assert_eq!(
            killed.status.signal(),
            Some(SIGKILL),
            "{profile} at {at}: {killed:?}"
        );
        let (left, semaphores) = {
            let card = open();
            card.set_faults("".parse().unwrap());
            (tlvs(&card), card.held_semaphores())
        };
        for port in 0..2 {
            assert!(
                left[port] == old[port] || left[port] == new[port],
                "{profile} at {at}: {left:?}"
            );
        }
        mixed += usize::from(left[0] == new[0] && left[1] == old[1] && old[1] != new[1]);

        held += usize::from(!semaphores.is_empty());
        // The next run sees nothing but this; the same need not be tried again.
        let record = home.join(format!("state/transactions/sim-{profile}.json"));
        if !seen.insert((left.clone(), names(&semaphores), record.exists())) {
            let _ = std::fs::remove_file(record);
            continue;
        }

        let mut next = enable(home, profile);
        if !semaphores.is_empty() {
            assert_names_the_semaphore(&next, &semaphores, &format!("{profile} at {at}"));
            open().reboot();
            next = enable(home, profile);
        }
        assert!(next.status.success(), "{profile} at {at}: {next:?}");
        assert_truth(&next, &left, &new, &format!("{profile} at {at}"));
        assert_eq!(tlvs(&open()), new, "{profile} at {at}");
    }
    // Otherwise nothing of interest was hit.
    assert!(mixed > 10, "{profile}: {mixed}");
    assert!(held > 100, "{profile}: {held}");
}

fn names(held: &[HeldSemaphore]) -> Vec<String> {
    held.iter().map(|held| held.name.clone()).collect()
}

/// The message names one of the held semaphores (the first that was in the way)
/// and how to free it.
fn assert_names_the_semaphore(next: &Output, held: &[HeldSemaphore], about: &str) {
    assert_eq!(next.status.code(), Some(7), "{about}: {next:?}");
    let stderr = String::from_utf8_lossy(&next.stderr);
    let named = held.iter().any(|held| {
        let title = if held.name.starts_with("vendor capability") {
            "vendor capability's semaphore"
        } else if held.name.starts_with("semaphore space") {
            "ICMD semaphore"
        } else {
            "tools HCR semaphore"
        };
        stderr.contains(title)
    });
    assert!(named, "{about}: {held:?} are held: {stderr}");
    assert!(stderr.contains("--clear-semaphores"), "{about}: {stderr}");
}

/// What the run says of the dead one's work is what the card held.
fn assert_truth(
    next: &Output,
    left: &[Option<Vec<u8>>; 2],
    new: &[Option<Vec<u8>>; 2],
    about: &str,
) {
    let document: Value = serde_json::from_slice(&next.stdout).unwrap();
    let card = &document["cards"][0];
    let begun = left != &[None, None] && left.iter().zip(new).any(|(left, new)| left == new);
    let Some(states) = card["unfinished"]["state"].as_array() else {
        // Without a record nothing may have been written, or everything was.
        assert!(!begun || left == new, "{about}: {card}");
        return;
    };
    for (index, state) in states.iter().enumerate() {
        let text = state.as_str().unwrap();
        let expected = if left[index] == new[index] {
            "holds the new value"
        } else {
            "holds what it held before"
        };
        assert!(text.ends_with(expected), "{about}: {text}, but {left:?}");
    }
}

/// Interrupts the job at every access: it stops in good order.
fn interrupt_at_every_access(profile: &str) {
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    let shelf = Shelf::open(home.join("sim"));
    let open = || shelf.card(profile).unwrap();
    let old = tlvs(&open());
    assert!(enable(home, profile).status.success());
    let new = tlvs(&open());
    let (mut stopped, mut too_late) = (0, 0);
    for at in (1..).step_by(3) {
        shelf.remove(profile).unwrap();
        open().set_faults(format!("interrupt@{at}").parse().unwrap());
        let run = enable(home, profile);
        let card = open();
        let counted = card.counters().config_reads
            + card.counters().config_writes
            + card.counters().bar_reads
            + card.counters().bar_writes;
        if counted < at {
            break;
        }
        let about = format!("{profile} at {at}: {run:?}");
        assert_eq!(card.held_semaphores(), [], "{about}");
        match run.status.code() {
            Some(0) => {
                too_late += 1;
                assert_eq!(tlvs(&card), new, "{about}");
            }
            Some(1 | 7) => {
                stopped += 1;
                assert!(
                    tlvs(&card) == old || written_down(&tlvs(&card), &old),
                    "{about}"
                );
                let said = String::from_utf8_lossy(&run.stderr).into_owned();
                assert!(said.contains("stopped on request"), "{about}");
            }
            _ => panic!("{about}"),
        }
    }
    // Reading takes most of the accesses; the last write cannot be stopped.
    assert!(
        stopped > 50 && too_late > 3,
        "{profile}: {stopped}, {too_late}"
    );
}

/// A TLV that was not set and cannot be deleted again holds its defaults.
fn written_down(now: &[Option<Vec<u8>>; 2], old: &[Option<Vec<u8>>; 2]) -> bool {
    now.iter().zip(old).all(|(now, old)| {
        now == old || (old.is_none() && now.as_ref().is_some_and(|data| data[2] == 0))
    })
}

#[test]
fn an_interrupted_run_on_a_connectx_3_stops_in_good_order() {
    interrupt_at_every_access("connectx-3-factory");
}

#[test]
fn an_interrupted_run_on_a_connectx_4_stops_in_good_order() {
    interrupt_at_every_access("connectx-4");
}

#[test]
fn a_killed_run_on_a_connectx_3_leaves_a_true_story() {
    kill_at_every_access("connectx-3-factory");
}

#[test]
fn a_killed_run_on_a_connectx_4_leaves_a_true_story() {
    kill_at_every_access("connectx-4");
}
