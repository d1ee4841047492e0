//! The corpus of the fuzz targets, as an ordinary test: every input that is there,
//! every image that our descriptions build, and damaged ones of each.
//!
//! tests/fuzz/corpus/TARGET holds inputs that a fuzzer found worth keeping;
//! a crash that was mended goes there too.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout
)]

use std::fs;
use std::path::Path;

#[path = "fuzz/drive.rs"]
mod drive;

/// Runs a target over its folder, and over every input cut short and with bytes
/// changed at places that a fixed sequence chooses.
fn run(target: &str, drive: fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fuzz/corpus")
        .join(target);
    let mut inputs = 0;
    for entry in fs::read_dir(&folder).unwrap() {
        let path = entry.unwrap().path();
        let bytes = fs::read(&path).unwrap();
        println!("{}", path.display());
        drive(&bytes);
        for damaged in damages(&bytes) {
            drive(&damaged);
        }
        inputs += 1;
    }
    assert!(inputs > 0, "{} is empty", folder.display());
    drive(&[]);
}

/// Thirty-two damaged ones of an input, the same on every run.
fn damages(bytes: &[u8]) -> impl Iterator<Item = Vec<u8>> + '_ {
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut next = move |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state >> 33).unwrap() % below.max(1)
    };
    (0..32).map(move |number| {
        let mut damaged = bytes.to_vec();
        if number % 4 == 0 {
            damaged.truncate(next(bytes.len()));
        }
        for _ in 0..=number / 8 {
            let (at, value) = (next(damaged.len()), next(256));
            if let Some(byte) = damaged.get_mut(at) {
                *byte = u8::try_from(value).unwrap();
            }
        }
        damaged
    })
}

#[test]
fn tlvs_and_registers_survive_the_corpus() {
    run("tlv", drive::tlv);
}
