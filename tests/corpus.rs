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

/// Damaged ones of each built image: these are large.
const LESS: usize = 8;

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
    for (name, bytes) in built(target) {
        println!("{name}");
        drive(&bytes);
        for damaged in damages(&bytes).take(LESS) {
            drive(&damaged);
        }
        inputs += 1;
    }
    assert!(inputs > 0, "{} is empty", folder.display());
    drive(&[]);
}

/// The images that our descriptions of this kind build.
fn built(target: &str) -> Vec<(String, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/images");
    let mut built = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        if name.starts_with(&format!("{target}-")) {
            let bytes = flexctl::image::build::build(&fs::read_to_string(&path).unwrap());
            built.push((name, bytes.unwrap()));
        }
    }
    built
}

#[test]
fn expansion_roms_survive_the_corpus() {
    run("option_rom", drive::option_rom);
}

#[test]
fn payloads_survive_the_corpus() {
    run("payload", drive::payload);
}

#[test]
fn fs2_images_survive_the_corpus() {
    run("fs2", drive::fs2);
}

#[test]
fn fs3_images_survive_the_corpus() {
    run("fs3", drive::fs3);
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
