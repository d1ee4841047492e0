//! The Rust side of the foreign cards: run a script among them, and look at
//! what they hold afterwards.

#![allow(
    dead_code,
    unreachable_pub,
    clippy::panic,
    clippy::unwrap_used,
    reason = "each test binary uses a part of this; a test says what happened and fails by panicking"
)]

use std::env;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;
use tempfile::TempDir;

const FLEXCTL: &str = env!("CARGO_BIN_EXE_flexctl");

/// The script of that name next to this file.
pub fn python_file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/foreign")
        .join(name)
}

/// How a script among the cards ended.
#[derive(Debug)]
pub struct Outcome {
    pub code: i32,
    /// Its standard output.
    pub said: String,
    /// Its standard error.
    pub complained: String,
    pub dump: Dump,
}

impl Outcome {
    pub fn new(output: &Output, dump: Dump) -> Self {
        Self {
            code: output.status.code().unwrap(),
            said: String::from_utf8(output.stdout.clone()).unwrap(),
            complained: String::from_utf8(output.stderr.clone()).unwrap(),
            dump,
        }
    }

    /// The JSON document that was printed.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.said).unwrap_or_else(|error| panic!("{error} in {self:?}"))
    }

    /// Everything that was said contains all of this.
    pub fn mentions(&self, texts: &[&str]) {
        for text in texts {
            let found = self.said.contains(text) || self.complained.contains(text);
            assert!(found, "`{text}` is not in {self:#?}");
        }
    }
}

/// What the cards hold in the end, and what was done to them.
#[derive(Debug)]
pub struct Dump(Value);

impl Dump {
    pub fn load(path: &Path) -> Self {
        let text = fs::read_to_string(path).unwrap_or_else(|error| panic!("no dump: {error}"));
        Self(serde_json::from_str(&text).unwrap())
    }

    /// What is stored for a TLV.
    pub fn tlv(&self, card: &str, key: &str) -> Option<&str> {
        self.0[card]["tlvs"][key].as_str()
    }

    /// Every change in order, one card after the other.
    pub fn writes(&self) -> Vec<String> {
        let mut writes = Vec::new();
        for (name, card) in self.0.as_object().unwrap() {
            for write in card["writes"].as_array().unwrap() {
                let mut line = name.clone();
                for field in ["op", "tlv", "data"] {
                    if let Some(text) = write[field].as_str() {
                        write!(line, " {text}").unwrap();
                    }
                }
                writes.push(line);
            }
        }
        writes
    }

    /// How often a register was called.
    pub fn calls(&self, card: &str, register: &str) -> u64 {
        self.0[card]["registers"][register].as_u64().unwrap_or(0)
    }

    /// Reads and writes of config space.
    pub fn operations(&self, card: &str) -> u64 {
        let count = |name: &str| self.0[card][name].as_u64().unwrap();
        count("config_reads") + count("config_writes")
    }

    /// What was used without its semaphore, and semaphores that are still held.
    pub fn mess(&self) -> Vec<String> {
        let mut mess = Vec::new();
        for (name, card) in self.0.as_object().unwrap() {
            for (what, count) in card["violations"].as_object().unwrap() {
                mess.push(format!("{name}: {what}, {count} times"));
            }
            for held in card["semaphores"].as_array().unwrap() {
                mess.push(format!("{name}: {held} is held"));
            }
        }
        mess
    }
}

/// Runs a script with flexctl in its path among cards made with these options
/// (README.md has them all), shown through FUSE.
pub fn among(options: &str, script: &str) -> Outcome {
    let outcome = among_unchecked(options, script);
    let mess = outcome.dump.mess();
    assert!(mess.is_empty(), "{mess:?} after {outcome:#?}");
    outcome
}

/// The same where the script leaves a mess on purpose.
pub fn among_unchecked(options: &str, script: &str) -> Outcome {
    let folder = tempfile::tempdir().unwrap();
    let dump = folder.path().join("dump.json");
    let output = python("fuse_sysfs.py", &folder)
        .args(options.split_whitespace())
        .arg("--dump")
        .arg(&dump)
        .args(["--", "sh", "-c", script])
        .output()
        .unwrap();
    assert_ne!(output.status.code(), Some(125), "{output:?}");
    Outcome::new(&output, Dump::load(&dump))
}

/// One of the Python programs, with flexctl in the path of what it runs and
/// records of transactions in a folder of their own.
pub fn python(file: &str, folder: &TempDir) -> Command {
    let mut path = Path::new(FLEXCTL).parent().unwrap().as_os_str().to_owned();
    path.push(":");
    path.push(env::var_os("PATH").unwrap());
    let mut command = Command::new("python3");
    command
        .arg(python_file(file))
        .env("PATH", path)
        .env("LC_ALL", "C.UTF-8")
        .env("NO_COLOR", "1")
        .env("FLEXCTL_STATE_DIR", folder.path().join("state"))
        .env("FLEXCTL_RUN_DIR", folder.path().join("run"))
        .env_remove("CLICOLOR_FORCE");
    command
}

/// The program that the tests are about.
pub fn flexctl() -> &'static str {
    FLEXCTL
}
