//! The house rules that a compiler does not check: rooms use only the rooms
//! above them, outside crates stay in their rooms, files stay small.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::fs;
use std::path::{Path, PathBuf};

/// The rooms, from the cable to the keyboard, each with the rooms that it may use.
const ROOMS: [(&str, &[&str]); 10] = [
    ("pci", &[]),
    ("hwdb", &["pci"]),
    ("image", &["pci", "hwdb"]),
    ("access", &["pci", "hwdb", "image"]),
    ("command", &["pci", "hwdb", "image", "access"]),
    ("settings", &["pci", "hwdb", "image", "access", "command"]),
    (
        "flash",
        &["pci", "hwdb", "image", "access", "command", "settings"],
    ),
    // A card in software must not share the client's ways in, or its plans.
    ("sim", &["pci", "hwdb", "image", "command"]),
    (
        "device",
        &[
            "pci", "hwdb", "image", "access", "command", "settings", "flash", "sim",
        ],
    ),
    (
        "cli",
        &[
            "pci", "hwdb", "image", "access", "command", "settings", "flash", "sim", "device",
        ],
    ),
];

/// Crates, and the places that may use each.
const CRATES: [(&str, &[&str]); 13] = [
    ("clap", &["cli/"]),
    ("clap_complete", &["cli/"]),
    ("clap_mangen", &["cli/"]),
    ("anstream", &["cli/"]),
    ("anstyle", &["cli/"]),
    ("indicatif", &["cli/"]),
    ("tabwriter", &["cli/"]),
    ("fuser", &["sim/fuse/"]),
    ("nix", &["sim/fuse/"]),
    ("lzma_rust2", &["image/"]),
    ("sha2", &["image/", "flash/"]),
    ("flate2", &["image/", "flash/"]),
    ("memmap2", &["pci/", "image/file.rs"]),
];

/// The only files with `unsafe`: volatile access to a mapped BAR, and the mapping
/// of an image file.
const UNSAFE: [&str; 2] = ["pci/bar.rs", "image/file.rs"];
const MOST_LINES: usize = 700;
const MOST_LINES_OF_A_MOD: usize = 150;
/// Names that say nothing of what is inside.
const EMPTY_NAMES: [&str; 9] = [
    "util", "utils", "common", "helper", "helpers", "misc", "core", "base", "types",
];

/// A source file: its path below `src`, as text with slashes, and its words.
#[derive(Debug)]
struct Source {
    path: String,
    text: String,
}

impl Source {
    fn new(path: &str, text: &str) -> Self {
        Self {
            path: path.to_owned(),
            text: text.to_owned(),
        }
    }

    /// The room that it is in; `None` for lib.rs and main.rs.
    fn room(&self) -> Option<&str> {
        self.path.split_once('/').map(|(room, _)| room)
    }

    /// Its module path: `pci/rom.rs` is `pci::rom`, `pci/mod.rs` is `pci`.
    fn module(&self) -> Vec<&str> {
        let stem = self.path.trim_end_matches(".rs");
        let stem = stem.strip_suffix("/mod").unwrap_or(stem);
        match stem {
            "lib" | "main" => Vec::new(),
            stem => stem.split('/').collect(),
        }
    }

    /// Its code, without comments and the contents of strings; lines stay lines.
    fn code(&self) -> String {
        strip(&self.text)
    }
}

/// Blanks out comments, strings and character literals.
fn strip(text: &str) -> String {
    let mut code = String::with_capacity(text.len());
    let letters: Vec<char> = text.chars().collect();
    let mut at = 0;
    let blank = |letter: char| if letter == '\n' { '\n' } else { ' ' };
    while at < letters.len() {
        let rest = &letters[at..];
        let starts =
            |with: &str| with.chars().zip(rest).all(|(a, b)| a == *b) && rest.len() >= with.len();
        let length = if starts("//") {
            rest.iter()
                .position(|letter| *letter == '\n')
                .unwrap_or(rest.len())
        } else if starts("/*") {
            block_comment(rest)
        } else if let Some(hashes) =
            raw_string(rest, at.checked_sub(1).map(|before| letters[before]))
        {
            raw_string_length(rest, hashes)
        } else if rest[0] == '"' {
            quoted(rest, '"')
        } else if rest[0] == '\'' && (rest.get(1) == Some(&'\\') || rest.get(2) == Some(&'\'')) {
            quoted(rest, '\'')
        } else {
            code.push(rest[0]);
            at += 1;
            continue;
        };
        code.extend(rest[..length].iter().copied().map(blank));
        at += length;
    }
    code
}

fn block_comment(rest: &[char]) -> usize {
    let mut depth = 0;
    let mut at = 0;
    while at + 1 < rest.len() {
        match (rest[at], rest[at + 1]) {
            ('/', '*') => depth += 1,
            ('*', '/') => depth -= 1,
            _ => {
                at += 1;
                continue;
            }
        }
        at += 2;
        if depth == 0 {
            return at;
        }
    }
    rest.len()
}

/// How many hashes a raw string begins with, if one begins here.
fn raw_string(rest: &[char], before: Option<char>) -> Option<usize> {
    if rest[0] != 'r'
        || before.is_some_and(|letter| letter.is_alphanumeric() && letter != 'b' || letter == '_')
    {
        return None;
    }
    let hashes = rest[1..]
        .iter()
        .take_while(|letter| **letter == '#')
        .count();
    (rest.get(1 + hashes) == Some(&'"')).then_some(hashes)
}

fn raw_string_length(rest: &[char], hashes: usize) -> usize {
    let opening = 2 + hashes;
    let end: Vec<char> = std::iter::once('"')
        .chain(std::iter::repeat_n('#', hashes))
        .collect();
    let inside = rest[opening..]
        .windows(end.len())
        .position(|window| window == end);
    inside.map_or(rest.len(), |inside| opening + inside + end.len())
}

fn quoted(rest: &[char], quote: char) -> usize {
    let mut at = 1;
    while at < rest.len() && rest[at] != quote {
        at += if rest[at] == '\\' { 2 } else { 1 };
    }
    (at + 1).min(rest.len())
}

/// The words of code: identifiers, `::`, and every other sign by itself.
fn words(code: &str) -> Vec<&str> {
    let mut words = Vec::new();
    let mut rest = code.trim_start();
    while let Some(first) = rest.chars().next() {
        let is_word = |letter: char| letter.is_alphanumeric() || letter == '_';
        let length = if is_word(first) {
            rest.find(|letter| !is_word(letter)).unwrap_or(rest.len())
        } else if rest.starts_with("::") {
            2
        } else {
            first.len_utf8()
        };
        words.push(&rest[..length]);
        rest = rest[length..].trim_start();
    }
    words
}

/// The names that a path may go on with: one, or those in braces, each of the
/// outermost level.
fn continuations<'a>(words: &[&'a str]) -> Vec<&'a str> {
    match words {
        ["::", "{", inside @ ..] => {
            let mut names = Vec::new();
            let mut depth = 0;
            let mut begins = true;
            for word in inside {
                match *word {
                    "{" => depth += 1,
                    "}" if depth == 0 => break,
                    "}" => depth -= 1,
                    "," if depth == 0 => begins = true,
                    name if depth == 0 && begins => {
                        names.push(name);
                        begins = false;
                    }
                    _ => {}
                }
            }
            names
        }
        ["::", name, ..] => vec![name],
        _ => Vec::new(),
    }
}

/// The rooms that a file uses besides its own.
fn rooms_used(source: &Source) -> Vec<String> {
    let code = source.code();
    let words = words(&code);
    let module = source.module();
    let is_room = |name: &str| ROOMS.iter().any(|(room, _)| *room == name);
    let mut used = Vec::new();
    for (at, word) in words.iter().enumerate() {
        let after_path = at > 0 && words[at - 1] == "::";
        let names = match *word {
            "crate" | "flexctl" if !after_path => continuations(&words[at + 1..]),
            "super" if !after_path => {
                // Modules inside of a file, tests as a rule, are one deeper.
                let mut ups = 1;
                let mut end = at + 1;
                while words[end..].starts_with(&["::", "super"]) {
                    ups += 1;
                    end += 2;
                }
                let inline = depth_of_inline_modules(&words[..at]);
                if ups == module.len() + inline {
                    continuations(&words[end..])
                } else {
                    Vec::new()
                }
            }
            _ => Vec::new(),
        };
        let others = names
            .into_iter()
            .filter(|name| is_room(name) && Some(*name) != source.room());
        used.extend(others.map(str::to_owned));
    }
    used.sort();
    used.dedup();
    used
}

/// In how many `mod name {` the end of these words is.
fn depth_of_inline_modules(words: &[&str]) -> usize {
    let mut open = Vec::new();
    for (at, word) in words.iter().enumerate() {
        match *word {
            "{" => open.push(at >= 2 && words[at - 2] == "mod"),
            "}" => {
                open.pop();
            }
            _ => {}
        }
    }
    open.into_iter().filter(|is_module| *is_module).count()
}

/// What is wrong with a file, in words.
fn violations(source: &Source) -> Vec<String> {
    let mut found = Vec::new();
    let path = &source.path;
    let code = source.code();
    let words = words(&code);
    if let Some(room) = source.room() {
        match ROOMS.iter().find(|(name, _)| *name == room) {
            None => found.push(format!("{path}: there is no room {room}")),
            Some((_, allowed)) => {
                for used in rooms_used(source) {
                    if !allowed.contains(&used.as_str()) {
                        found.push(format!("{path}: {room} must not use {used}"));
                    }
                }
            }
        }
    } else if !matches!(path.as_str(), "lib.rs" | "main.rs") {
        found.push(format!("{path}: it is in no room"));
    }
    for (name, places) in CRATES {
        let used = words.iter().enumerate().any(|(at, word)| {
            *word == name && words.get(at + 1) == Some(&"::") && (at == 0 || words[at - 1] != "::")
                || *word == "use" && words.get(at + 1) == Some(&name)
        });
        if used && !places.iter().any(|place| path.starts_with(place)) {
            found.push(format!(
                "{path}: only {} may use {name}",
                places.join(" and ")
            ));
        }
    }
    if words.contains(&"unsafe") && !UNSAFE.contains(&path.as_str()) {
        found.push(format!(
            "{path}: only {} may be unsafe",
            UNSAFE.join(" and ")
        ));
    }
    let (lines, most) = (
        source.text.lines().count(),
        if path.ends_with("mod.rs") {
            MOST_LINES_OF_A_MOD
        } else {
            MOST_LINES
        },
    );
    if lines > most {
        found.push(format!("{path}: {lines} lines, at most {most} are allowed"));
    }
    for part in path.trim_end_matches(".rs").split('/') {
        if EMPTY_NAMES.contains(&part) {
            found.push(format!("{path}: `{part}` does not say what is inside"));
        }
    }
    found
}

/// All sources below a folder, in order.
fn sources(folder: &Path) -> Vec<Source> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(next).unwrap() {
            let path: PathBuf = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let name = path.strip_prefix(folder).unwrap().to_str().unwrap();
                found.push(Source::new(name, &fs::read_to_string(&path).unwrap()));
            }
        }
    }
    found.sort_by(|one, other| one.path.cmp(&other.path));
    found
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn every_file_keeps_the_rules_of_the_house() {
    let sources = sources(&root().join("src"));
    assert!(sources.len() > 100, "the sources are found");
    let found: Vec<String> = sources.iter().flat_map(violations).collect();
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn every_room_is_in_the_order_and_in_the_library() {
    let sources = sources(&root().join("src"));
    for (position, (room, allowed)) in ROOMS.iter().enumerate() {
        let earlier = |name: &&str| ROOMS[..position].iter().any(|(room, _)| room == name);
        assert!(allowed.iter().all(earlier), "{room} looks down");
        let has_mod = sources
            .iter()
            .any(|source| source.path == format!("{room}/mod.rs"));
        assert!(has_mod, "{room} has no mod.rs");
    }
    let library = sources
        .iter()
        .find(|source| source.path == "lib.rs")
        .unwrap();
    let code = library.code();
    let words = words(&code);
    let declared = words.windows(2).filter(|pair| pair[0] == "mod").count();
    assert_eq!(declared, ROOMS.len(), "a module of lib.rs is no room");
}

#[test]
fn test_files_have_names_that_say_what_is_inside() {
    for source in sources(&root().join("tests")) {
        for part in source.path.trim_end_matches(".rs").split('/') {
            assert!(!EMPTY_NAMES.contains(&part), "tests/{}", source.path);
        }
    }
}

#[test]
fn every_command_has_its_test_file() {
    let commands = sources(&root().join("src/cli/commands"));
    for command in commands.iter().filter(|source| source.path != "mod.rs") {
        let name = command.path.split('/').next().unwrap();
        let name = name.trim_end_matches(".rs");
        let test = root().join("tests/cli").join(format!("{name}.rs"));
        assert!(test.exists(), "{} is not tested in {test:?}", command.path);
    }
}

fn said(path: &str, text: &str) -> String {
    violations(&Source::new(path, text)).join("; ")
}

#[test]
fn a_room_that_looks_down_is_noticed_however_it_is_written() {
    for text in [
        "use crate::settings::Plan;",
        "use crate::{pci::Bdf, settings::{Plan, apply}};",
        "use super::super::settings::Plan;",
        "use super::super::{pci::Bdf, settings};",
        "fn f() -> crate::settings::Plan { todo() }",
        "mod tests {\n use super::super::super::settings::Plan;\n}",
        "pub(crate) use crate :: settings;",
    ] {
        let found = said("access/vsec.rs", text);
        assert_eq!(
            found, "access/vsec.rs: access must not use settings",
            "{text}"
        );
    }
    assert_eq!(
        said("access/mod.rs", "use super::settings::Plan;"),
        "access/mod.rs: access must not use settings"
    );
    assert_eq!(
        said("sim/card.rs", "use crate::access::Gateway;"),
        "sim/card.rs: sim must not use access"
    );
}

#[test]
fn what_only_looks_like_another_room_is_let_through() {
    for text in [
        "use crate::pci::{Bdf, settings};",
        "use super::settings::Nearby;",
        "//! [`crate::settings`] uses this.",
        "/* crate::settings */ let x = \"crate::settings\"; let y = r#\"crate::cli \"quoted\" \"#;",
        "let quote = '\"'; let also = '\\''; // crate::settings",
        "fn f<'a>(x: &'a str) -> &'a str { x } // crate::cli",
        "use other::crate_settings;",
    ] {
        assert_eq!(said("access/vsec.rs", text), "", "{text}");
    }
}

#[test]
fn strangers_unsafe_code_and_big_files_are_noticed() {
    assert_eq!(
        said("device/open.rs", "use clap::Args;"),
        "device/open.rs: only cli/ may use clap"
    );
    assert_eq!(
        said("sim/card.rs", "fn f(x: fuser::Request) {}"),
        "sim/card.rs: only sim/fuse/ may use fuser"
    );
    assert_eq!(said("sim/fuse/run.rs", "use nix::sched::unshare;"), "");
    assert_eq!(
        said("pci/rom.rs", "fn f() { unsafe { g() } }"),
        "pci/rom.rs: only pci/bar.rs and image/file.rs may be unsafe"
    );
    assert_eq!(said("pci/bar.rs", "fn f() { unsafe { g() } }"), "");
    assert_eq!(
        said("pci/rom.rs", &"\n".repeat(701)),
        "pci/rom.rs: 701 lines, at most 700 are allowed"
    );
    assert_eq!(
        said("pci/mod.rs", &"\n".repeat(151)),
        "pci/mod.rs: 151 lines, at most 150 are allowed"
    );
    assert_eq!(
        said("pci/util.rs", ""),
        "pci/util.rs: `util` does not say what is inside"
    );
    assert_eq!(said("extra/x.rs", ""), "extra/x.rs: there is no room extra");
    assert_eq!(said("extra.rs", ""), "extra.rs: it is in no room");
}
