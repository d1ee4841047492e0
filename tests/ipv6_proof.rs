//! The proof of IPv6 on ROMs that others built: Debian's of the package
//! ipxe-qemu, and those in the folder that FLEXCTL_ROM_TREE names.
//!
//! Such a folder has a `manifest.toml` with a table for every file in it:
//!
//! ```toml
//! ["head-v6-15b31013.mrom"]
//! program = "iPXE"
//! version = "2.0.0+"                # optional
//! ipv6 = "yes"
//! obeys_ip_ver = "no"
//! ipv6_when_unset = "yes"
//! images = [["bios", "yes"]]       # optional: kind and ipv6 of every image
//! ```
//!
//! Every ROM is also damaged in many places, with FLEXCTL_TEST_ROUNDS=10 in ten
//! times as many: the answer may become "cannot tell", and never another one.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test fails by panicking and says what it did"
)]

mod random;
mod ring;

use std::collections::BTreeMap;
use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use flexctl::image::payload::{Answer, Program, Proof, prove};
use random::Random;
use ring::Need;
use serde::Deserialize;

const DEBIAN: &str = "/usr/lib/ipxe/qemu";
const DAMAGED_PLACES: u32 = 12;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Expected {
    program: String,
    version: Option<String>,
    ipv6: String,
    obeys_ip_ver: String,
    ipv6_when_unset: String,
    images: Option<Vec<(String, String)>>,
}

fn answers(proof: &Proof) -> [Answer; 3] {
    [&proof.ipv6, &proof.obeys_ip_ver, &proof.ipv6_when_unset].map(|fact| fact.answer)
}

fn evidence_is_given(proof: &Proof) {
    for fact in [&proof.ipv6, &proof.obeys_ip_ver, &proof.ipv6_when_unset] {
        assert!(!fact.evidence.is_empty(), "{proof:#?}");
    }
}

/// Damages one bit, in many places: no answer may turn into its opposite.
fn damage_never_turns_an_answer(bytes: &[u8], random: &mut Random, name: &Path) {
    let before = answers(&prove(bytes));
    for _ in 0..random::rounds(DAMAGED_PLACES) {
        let mut damaged = bytes.to_vec();
        let at = random.index(damaged.len());
        damaged[at] ^= 1 << random.below(8);
        let after = answers(&prove(&damaged));
        for (before, after) in before.iter().zip(after) {
            assert!(
                after == *before || after == Answer::CannotTell,
                "{}: damaged at {at:#x}: {before:?} became {after:?}",
                name.display()
            );
        }
    }
}

#[test]
fn the_roms_of_debian_have_ipv6_and_ignore_the_setting() {
    const PACKAGE: &str = "ipxe-qemu";
    let needs = [Need::File("/usr/lib/ipxe/qemu/pxe-virtio.rom", PACKAGE)];
    if ring::skipped("ipxe", &needs) {
        return;
    }
    let mut random = Random::new(6);
    let mut roms: Vec<PathBuf> = fs::read_dir(DEBIAN)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "rom"))
        .collect();
    roms.sort();
    assert!(roms.len() >= 8, "{roms:?}");
    for rom in roms {
        // These hold a BIOS image too.
        let is_efi = rom
            .file_name()
            .unwrap()
            .to_str()
            .unwrap()
            .starts_with("efi");
        let bytes = fs::read(&rom).unwrap();
        let proof = prove(&bytes);
        evidence_is_given(&proof);
        assert_eq!(
            (proof.program, answers(&proof)),
            (Program::Ipxe, [Answer::Yes, Answer::No, Answer::Yes]),
            "{}: {proof:#?}",
            rom.display()
        );
        let kinds: Vec<&str> = proof.images.iter().map(|image| image.kind).collect();
        let expected: &[&str] = if is_efi { &["bios", "efi"] } else { &["bios"] };
        assert_eq!(kinds, expected, "{}", rom.display());
        for image in &proof.images {
            assert_eq!(image.ipv6.answer, Answer::Yes, "{}", rom.display());
        }
        let version = proof.version.unwrap();
        assert!(
            version.starts_with(|first: char| first.is_ascii_digit()),
            "{version}"
        );
        damage_never_turns_an_answer(&bytes, &mut random, &rom);
    }
}

#[test]
fn the_roms_of_the_named_folder_are_what_its_manifest_says() {
    let Some(folder) = env::var_os("FLEXCTL_ROM_TREE").map(PathBuf::from) else {
        println!("SKIPPED rom-tree: FLEXCTL_ROM_TREE is not set");
        return;
    };
    let manifest = fs::read_to_string(folder.join("manifest.toml")).unwrap();
    let manifest: BTreeMap<String, Expected> = toml::from_str(&manifest).unwrap();
    let mut random = Random::new(6);
    let mut wrong = Vec::new();
    for (name, expected) in &manifest {
        let path = folder.join(name);
        let bytes = fs::read(&path).unwrap();
        let proof = prove(&bytes);
        evidence_is_given(&proof);
        let mut differs = vec![
            (proof.program.word(), expected.program.as_str()),
            (proof.ipv6.answer.word(), &expected.ipv6),
            (proof.obeys_ip_ver.answer.word(), &expected.obeys_ip_ver),
            (
                proof.ipv6_when_unset.answer.word(),
                &expected.ipv6_when_unset,
            ),
        ];
        if let Some(version) = &expected.version {
            differs.push((proof.version.as_deref().unwrap_or("none"), version));
        }
        if let Some(images) = &expected.images {
            assert_eq!(images.len(), proof.images.len(), "{name}");
            for (image, (kind, ipv6)) in proof.images.iter().zip(images) {
                differs.push((image.kind, kind));
                differs.push((image.ipv6.answer.word(), ipv6));
            }
        }
        differs.retain(|(found, expected)| found != expected);
        if !differs.is_empty() {
            wrong.push(format!("{name}: (found, expected) {differs:?}"));
        }
        damage_never_turns_an_answer(&bytes, &mut random, &path);
    }
    println!("{} ROMs", manifest.len());
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
