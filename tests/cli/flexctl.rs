//! Runs the program in a place of its own.

use std::fmt;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;
use tempfile::TempDir;

use super::hosts::{Host, Layout};

/// Where a test's cards, records and locks are, and the host that it sees.
///
/// Nothing of the real host is looked at: whether that was booted by UEFI, say,
/// would show in the answers.
#[derive(Debug)]
pub(crate) struct Place {
    folder: TempDir,
    pub(crate) host: Host,
}

/// How a run ended.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// A host without cards, booted by its BIOS, and no virtual card yet.
pub(crate) fn place() -> Place {
    Place {
        folder: tempfile::tempdir().unwrap(),
        host: Host::new(Layout::Links),
    }
}

impl Place {
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Makes a file of the host, with the folders above it.
    pub(crate) fn host_file(&self, name: &str, text: &str) {
        let path = self.host.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    /// The host was booted by UEFI.
    pub(crate) fn booted_by_uefi(&self) {
        std::fs::create_dir_all(self.host.path().join("firmware/efi")).unwrap();
    }

    /// The host's kernel is locked down.
    pub(crate) fn locked_down(&self) {
        self.host_file(
            "kernel/security/lockdown",
            "none [integrity] confidentiality\n",
        );
    }

    /// The program in this place, on the real host.
    pub(crate) fn bare_command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_flexctl"));
        command
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("COLUMNS", "100")
            .env("NO_COLOR", "1")
            .env("FLEXCTL_SIM_DIR", self.path("sim"))
            .env("FLEXCTL_STATE_DIR", self.path("state"))
            .env("FLEXCTL_RUN_DIR", self.path("run"))
            .stdin(Stdio::null());
        command
    }

    /// The program in this place, on this place's host.
    pub(crate) fn command(&self, arguments: &str) -> Command {
        let mut command = self.bare_command();
        command.arg("--sysfs-root").arg(self.host.path());
        command.args(arguments.split_whitespace());
        command
    }

    /// Runs it to its end and checks what holds for every run: a failure ends in
    /// a hint, and nothing panics.
    pub(crate) fn run(&self, arguments: &str) -> Run {
        let run = self.finish(&mut self.command(arguments));
        let failed = !matches!(run.code, 0 | 9);
        // The answer of doctor is findings with hints.
        let hinted = run.stderr.contains("hint:")
            || arguments.starts_with("doctor") && run.stdout.contains("hint:");
        assert!(
            !failed || hinted || run.json_hints(),
            "`{arguments}` fails without a hint:\n{run}"
        );
        run
    }

    /// Runs it as the command of `sim run`, with virtual cards as its host's.
    ///
    /// `None` where nobody may show cards; where CI is set that is a failure.
    pub(crate) fn among_cards(&self, cards: &str, arguments: &str) -> Option<Run> {
        if let Err(error) = File::options().read(true).write(true).open("/dev/fuse") {
            assert!(std::env::var_os("CI").is_none(), "/dev/fuse: {error}");
            eprintln!("skipped: /dev/fuse: {error}");
            return None;
        }
        let mut command = self.bare_command();
        command.args(["sim", "run"]);
        command.args(cards.split_whitespace());
        command.args(["--", env!("CARGO_BIN_EXE_flexctl")]);
        command.args(arguments.split_whitespace());
        Some(self.finish(&mut command))
    }

    pub(crate) fn finish(&self, command: &mut Command) -> Run {
        let output = command.output().unwrap();
        let text = |bytes| self.plain(&String::from_utf8(bytes).unwrap());
        let run = Run {
            code: output.status.code().expect("it ends by itself"),
            stdout: text(output.stdout),
            stderr: text(output.stderr),
        };
        assert!(!run.stderr.contains("panicked"), "{run}");
        assert_ne!(run.code, 101, "{run}");
        run
    }

    /// A run that must succeed, of which only the answer counts.
    pub(crate) fn answer(&self, arguments: &str) -> String {
        let run = self.run(arguments);
        assert_eq!(run.code, 0, "{arguments}\n{run}");
        run.stdout
    }

    /// The document of a run, whatever its exit code.
    pub(crate) fn document(&self, arguments: &str) -> Value {
        let run = self.run(&format!("{arguments} --json"));
        serde_json::from_str(&run.stdout).unwrap_or_else(|error| panic!("{error}\n{run}"))
    }

    /// What a virtual card holds and counted, looked at from outside.
    pub(crate) fn state(&self, card: &str) -> Value {
        let document = self.document(&format!("sim state {card}"));
        document["cards"][0].clone()
    }

    /// The bytes of a virtual card's TLV, in hexadecimal; `-` when it is not set.
    pub(crate) fn tlv(&self, card: &str, place: &str, kind: &str) -> String {
        let state = self.state(card);
        let settings = state["settings"].as_array().unwrap();
        let found = settings
            .iter()
            .find(|setting| setting["place"] == place && setting["tlv"] == kind);
        found.map_or_else(
            || "-".to_owned(),
            |setting| setting["data"].as_str().unwrap().to_owned(),
        )
    }

    /// A counter of a virtual card.
    pub(crate) fn counter(&self, card: &str, name: &str) -> u64 {
        self.state(card)["counters"][name].as_u64().unwrap()
    }

    /// The semaphores of a virtual card that are held.
    pub(crate) fn held(&self, card: &str) -> usize {
        let state = self.state(card);
        state["held_semaphores"].as_array().unwrap().len()
    }

    /// Text without what differs from run to run.
    fn plain(&self, text: &str) -> String {
        let text = text
            .replace(&shown(self.folder.path()), "<place>")
            .replace(&shown(self.host.path()), "<sysfs>");
        let mut plain = String::new();
        // How fast the machine is, where a phase takes long enough to be told.
        let is_progress = |line: &&str| line.contains(" of ") && line.contains("B/s");
        for line in text.lines().filter(|line| !is_progress(line)) {
            let number = |name: &str| line.trim_start().starts_with(&format!("\"{name}\": "));
            // Whether that process runs here is the host's affair.
            if let Some(hint) = line
                .find("hint: ")
                .filter(|_| line.contains("process 2989"))
            {
                plain.push_str(&line[..hint]);
                plain.push_str("hint: <who holds it>");
            } else if number("process") || number("started_unix") {
                let (name, _) = line.split_once(": ").unwrap();
                plain.push_str(&format!("{name}: 0,"));
            } else {
                plain.push_str(&without_process(line));
            }
            plain.push('\n');
        }
        plain
    }
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}

/// The line without the number after `process` and the age after that.
fn without_process(line: &str) -> String {
    let Some((before, after)) = line.split_once("process ") else {
        return line.to_owned();
    };
    let rest = after.trim_start_matches(|letter: char| letter.is_ascii_digit());
    if rest.len() == after.len() {
        return line.to_owned();
    }
    let rest = match rest.split_once(" s ago)") {
        Some((" (0" | " (1" | " (2" | " (3", end)) => format!(" (just now){end}"),
        _ => rest.to_owned(),
    };
    format!("{before}process <number>{rest}")
}

impl Run {
    fn json_hints(&self) -> bool {
        self.stdout.contains("\"hints\": [\n")
    }

    /// The same without the lines that depend on who runs the tests, and where.
    pub(crate) fn without_host_lines(mut self) -> Self {
        let depends = |line: &str| {
            line.contains(" rights ")
                || line.contains(" virtual cards ")
                || line.contains("hint: run it as root")
        };
        let keep = |text: &str| {
            let lines = text.lines().filter(|line| !depends(line));
            lines.map(|line| format!("{line}\n")).collect()
        };
        (self.stdout, self.stderr) = (keep(&self.stdout), keep(&self.stderr));
        self
    }
}

impl fmt::Display for Run {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "exit {}", self.code)?;
        for (name, text) in [("stdout", &self.stdout), ("stderr", &self.stderr)] {
            if !text.is_empty() {
                write!(f, "--- {name}\n{text}")?;
            }
        }
        Ok(())
    }
}
