//! `flexctl burn` is stopped: by SIGINT at accesses to the card and at random
//! moments, and by SIGKILL.
//!
//! Who is asked to stop ends with a message that is true, and frees everything.
//! Who is killed has no chance to: the card boots all the same, `doctor` names the
//! locks that were left behind and frees them, and `burn --continue` finishes what
//! is on record.

#![cfg(feature = "cli")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout
)]

mod random;

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use flexctl::image::build::build;
use flexctl::sim::{BootedImage, Card, Shelf};
use rustix::process::{Pid, Signal, kill_process};

const SIGKILL: i32 = 9;

/// A card, a ROM for it, and what burning that makes of the card.
struct Bench {
    home: tempfile::TempDir,
    profile: &'static str,
    /// Options of every burn.
    options: &'static [&'static str],
    before: Vec<u8>,
    expected: Vec<u8>,
    old: BootedImage,
    new: BootedImage,
    accesses: u64,
    took: Duration,
    ends: BTreeMap<String, u32>,
}

impl Bench {
    fn new(profile: &'static str, device: u16, options: &'static [&'static str]) -> Self {
        let home = tempfile::tempdir().unwrap();
        let text = format!(
            "format = 'option-rom'\nvendor_id = 0x15b3\ndevice_id = {device}\n\
             record = [{{ version = '3.4.999' }}]\n\
             [[image]]\ncontents = {{ random = 9, size = 0x1800 }}"
        );
        fs::write(home.path().join("new.rom"), build(&text).unwrap()).unwrap();
        let shelf = Shelf::open(home.path().join("sim"));
        let card = shelf.card(profile).unwrap();
        let (before, old) = (card.flash(), card.boot().image().unwrap().clone());
        drop(card);
        let mut bench = Self {
            profile,
            options,
            expected: Vec::new(),
            before,
            new: old.clone(),
            old,
            accesses: 0,
            took: Duration::ZERO,
            ends: BTreeMap::new(),
            home,
        };
        let started = Instant::now();
        let run = bench.burn();
        bench.took = started.elapsed();
        assert!(run.status.success(), "{run:?}");
        let card = bench.card();
        bench.accesses = accesses(&card);
        bench.expected = card.flash();
        bench.new = card.boot().image().unwrap().clone();
        assert_ne!(bench.new, bench.old);
        bench
    }

    fn path(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    fn card(&self) -> Card {
        Shelf::open(self.path("sim")).card(self.profile).unwrap()
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_flexctl"));
        command
            .env_clear()
            .env("FLEXCTL_SIM_DIR", self.path("sim"))
            .env("FLEXCTL_STATE_DIR", self.path("state"))
            .env("FLEXCTL_RUN_DIR", self.path("run"))
            .args(arguments)
            .args(["-d", &format!("sim:{}", self.profile), "--wait", "0.01"]);
        command
    }

    fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    fn burn_command(&self) -> Command {
        let rom = self.path("new.rom").display().to_string();
        let mut command = self.command(&["burn", &rom, "--yes"]);
        command.args(self.options);
        command
    }

    fn burn(&self) -> Output {
        self.burn_command().output().unwrap()
    }

    /// A card as at the beginning, and no records.
    fn begin(&self, fault: &str) {
        let _ = fs::remove_dir_all(self.path("state"));
        let card = self.card();
        card.set_faults(String::new().parse().unwrap());
        card.set_flash(&self.before).unwrap();
        card.reboot();
        card.set_faults(fault.parse().unwrap());
    }

    /// The card boots one of the two images, whole, and keeps its own data.
    fn is_whole(&self, about: &str) -> BootedImage {
        let card = self.card();
        for boot in [card.boot(), card.boot_warm()] {
            let image = boot.image().unwrap_or_else(|| panic!("{about}: {boot:?}"));
            assert!(
                *image == self.old || *image == self.new,
                "{about}: {image:?}"
            );
        }
        card.boot().image().unwrap().clone()
    }

    /// After a burn that ended by itself: what it said of the card is true.
    fn ended_in_good_order(&mut self, run: &Output, about: &str) {
        let stderr = String::from_utf8_lossy(&run.stderr).into_owned();
        let about = format!("{about}: {run:?}");
        let boots = self.is_whole(&about);
        let card = self.card();
        assert_eq!(card.held_semaphores(), [], "{about}");
        card.set_faults(String::new().parse().unwrap());
        let flash = card.flash();
        drop(card);
        let record = self.path(&format!("state/burns/sim-{}.json", self.profile));
        let end;
        if run.status.success() {
            assert!(flash == self.expected, "{about}");
            assert!(!record.exists(), "{about}");
            end = "burned".to_owned();
        } else {
            assert_eq!(run.status.code(), Some(1), "{about}");
            assert!(stderr.contains("hint:"), "{about}");
            let slot = stderr.find("a cold boot starts slot ").map(|at| {
                let number = stderr[at..].trim_start_matches("a cold boot starts slot ");
                number[..1].parse::<usize>().unwrap()
            });
            if let Some(slot) = slot {
                assert_eq!(slot, boots.slot, "{about}");
            }
            let claims: [(&str, bool); 3] = [
                ("the flash is untouched", flash == self.before),
                ("the inactive slot is partly written", boots == self.old),
                ("the image is written but not active", boots == self.old),
            ];
            let said = claims.iter().find(|(claim, _)| stderr.contains(claim));
            match said {
                Some((claim, is_true)) => {
                    assert!(is_true, "{about}");
                    end = (*claim).to_owned();
                }
                // Before it came to burning.
                None => {
                    assert!(flash == self.before, "{about}");
                    end = "before the first write".to_owned();
                }
            }
            if flash != self.before {
                assert!(stderr.contains("burn --continue"), "{about}");
                assert!(record.exists(), "{about}");
            }
            self.is_finished(flash == self.before, &about);
        }
        *self.ends.entry(end).or_default() += 1;
    }

    /// `burn --continue` finishes it, or there is nothing to finish.
    fn is_finished(&self, untouched: bool, about: &str) {
        let next = self.run(&["burn", "--continue", "--yes"]);
        assert!(next.status.success(), "{about}, then {next:?}");
        let flash = self.card().flash();
        let boots = self.is_whole(about);
        if flash != self.expected {
            assert!(untouched && flash == self.before, "{about}, then {next:?}");
            assert_eq!(boots, self.old, "{about}");
            let stdout = String::from_utf8_lossy(&next.stdout);
            assert!(stdout.contains("nothing to do"), "{about}, then {next:?}");
        }
        assert_eq!(self.card().held_semaphores(), [], "{about}");
        // A look at what there was is enough most times.
        if self.ends.values().sum::<u32>() % 4 != 0 {
            return;
        }
        let again = self.burn();
        assert!(again.status.success(), "{about}, at last {again:?}");
        assert!(self.card().flash() == self.expected, "{about}");
        let nothing = self.run(&["burn", "--continue", "--yes"]);
        assert!(nothing.status.success(), "{about}, at last {nothing:?}");
    }

    /// After a kill.
    fn was_killed(&mut self, about: &str, by_doctor: bool) {
        let boots = self.is_whole(about);
        let card = self.card();
        card.set_faults(String::new().parse().unwrap());
        let held = card.held_semaphores();
        let untouched = card.flash() == self.before;
        drop(card);
        let end = match (untouched, boots == self.new) {
            (true, _) => "killed, untouched",
            (_, false) => "killed, the old one boots",
            (_, true) => "killed, the new one boots",
        };
        *self.ends.entry(end.to_owned()).or_default() += 1;
        if !held.is_empty() {
            *self.ends.entry("locks left behind".to_owned()).or_default() += 1;
            let doctor = self.run(&["doctor"]);
            let said = String::from_utf8_lossy(&doctor.stdout).into_owned();
            assert!(said.contains("is held"), "{about}: {held:?}, {said}");
            assert!(said.contains("--clear-semaphores"), "{about}: {said}");
            let only_flash = held.iter().all(|held| held.name.contains("flash"));
            if only_flash {
                assert!(said.contains("flash"), "{about}: {held:?}, {said}");
            }
            let refused = self.run(&["burn", "--continue", "--yes"]);
            let stderr = String::from_utf8_lossy(&refused.stderr);
            assert!(!refused.status.success(), "{about}: {refused:?}");
            assert!(
                stderr.contains("--clear-semaphores"),
                "{about}: {held:?}, {stderr}"
            );
            if by_doctor {
                let doctor = self.run(&["doctor", "--clear-semaphores", "--yes"]);
                let card = self.card();
                assert_eq!(card.held_semaphores(), [], "{about}: {doctor:?}");
                *self.ends.entry("freed by doctor".to_owned()).or_default() += 1;
            } else {
                self.card().reboot();
            }
        }
        self.is_finished(untouched, about);
    }

    fn tell(&self, what: &str, started: Instant) {
        println!("{} {what} ({:.1?})", self.profile, started.elapsed());
        for (end, number) in &self.ends {
            println!("    {number:4} {end}");
        }
    }
}

fn accesses(card: &Card) -> u64 {
    let counters = card.counters();
    counters.config_reads + counters.config_writes + counters.bar_reads + counters.bar_writes
}

/// Numbers of accesses: some all over, and more where the flash is written.
fn steps(all: u64, wanted: u64) -> impl Iterator<Item = u64> {
    let wanted = u64::from(random::rounds(u32::try_from(wanted).unwrap()));
    let even = (0..wanted).map(move |step| 1 + all * step / wanted);
    let late = (1..=wanted / 3).map(move |step| all - all * step / (16 * wanted));
    even.chain(late)
        .chain([400, 60, 3].map(|before_the_end| all - before_the_end))
}

fn interrupts(profile: &'static str, device: u16, options: &'static [&'static str]) {
    let started = Instant::now();
    let mut bench = Bench::new(profile, device, options);
    for at in steps(bench.accesses, 7) {
        bench.begin(&format!("interrupt@{at}"));
        let run = bench.burn();
        bench.ended_in_good_order(
            &run,
            &format!("SIGINT at access {at} of {}", bench.accesses),
        );
    }
    // By the clock, with both signals.
    for (turn, share) in (1..=4_u32).zip([5, 45, 70, 90]) {
        bench.begin("");
        let child = bench
            .burn_command()
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // Not before it listens.
        std::thread::sleep(Duration::from_millis(60) + bench.took * share / 100);
        let signal = if turn % 2 == 0 {
            Signal::TERM
        } else {
            Signal::INT
        };
        let process = Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap();
        let _ = kill_process(process, signal);
        let run = child.wait_with_output().unwrap();
        bench.ended_in_good_order(&run, &format!("{signal:?} after {share} %"));
    }
    bench.tell("interrupted", started);
    assert!(bench.ends.contains_key("the flash is untouched"));
    assert!(
        bench
            .ends
            .contains_key("the inactive slot is partly written")
    );
}

fn kills(profile: &'static str, device: u16, options: &'static [&'static str]) {
    let started = Instant::now();
    let mut bench = Bench::new(profile, device, options);
    for (turn, at) in steps(bench.accesses, 8).enumerate() {
        bench.begin(&format!("kill@{at}"));
        let run = bench.burn();
        assert_eq!(run.status.signal(), Some(SIGKILL), "{at}: {run:?}");
        let about = format!("SIGKILL at access {at} of {}", bench.accesses);
        bench.was_killed(&about, turn == 5);
    }
    bench.tell("killed", started);
    assert!(bench.ends.contains_key("killed, untouched"));
    assert!(bench.ends.contains_key("killed, the old one boots"));
    assert!(bench.ends.contains_key("killed, the new one boots"));
    assert!(bench.ends.contains_key("freed by doctor"));
}

#[test]
fn a_connectx_3_is_asked_to_stop() {
    interrupts("connectx-3-two-images", 0x1003, &["--no-backup"]);
}

#[test]
fn a_connectx_4_is_asked_to_stop() {
    interrupts("connectx-4", 0x1013, &["--no-backup", "--allow-lost-image"]);
}

#[test]
fn a_connectx_3_is_left_by_a_killed_burn() {
    kills("connectx-3", 0x1003, &["--no-backup"]);
}

#[test]
fn a_connectx_4_is_left_by_a_killed_burn() {
    kills("connectx-4", 0x1013, &["--no-backup", "--allow-lost-image"]);
}

#[test]
fn a_connectx_4_is_left_by_a_killed_burn_through_the_gateway() {
    kills(
        "connectx-4-two-images",
        0x1013,
        &["--no-backup", "--allow-lost-image", "--via", "gateway"],
    );
}

/// A card without firmware: the flash can be locked all the same.
#[test]
fn locks_of_a_card_in_flash_recovery_are_named_and_freed() {
    for profile in ["connectx-3-recovery", "connectx-4-recovery"] {
        let home = tempfile::tempdir().unwrap();
        let shelf = Shelf::open(home.path().join("sim"));
        let fault = "hold-semaphore=flash".parse().unwrap();
        shelf.card(profile).unwrap().set_faults(fault);
        assert!(!shelf.card(profile).unwrap().held_semaphores().is_empty());
        let doctor = |arguments: &[&str]| {
            Command::new(env!("CARGO_BIN_EXE_flexctl"))
                .env("FLEXCTL_SIM_DIR", home.path().join("sim"))
                .env("FLEXCTL_STATE_DIR", home.path().join("state"))
                .env("FLEXCTL_RUN_DIR", home.path().join("run"))
                .args(["doctor", "-d", &format!("sim:{profile}")])
                .args(arguments)
                .output()
                .unwrap()
        };
        let looked = doctor(&[]);
        let said = String::from_utf8_lossy(&looked.stdout).into_owned();
        assert!(said.contains("flash") && said.contains("is held"), "{said}");
        let cleared = doctor(&["--clear-semaphores", "--yes"]);
        let card = shelf.card(profile).unwrap();
        assert_eq!(card.held_semaphores(), [], "{cleared:?}");
    }
}
