//! `flexctl man`

use std::collections::BTreeSet;
use std::fs;
use std::process::Command;

use insta::assert_snapshot;

use crate::flexctl::{Place, place};
use crate::ring::{Need, skipped};

/// The names of all pages, written to `man` in the place.
fn written(place: &Place) -> BTreeSet<String> {
    let folder = place.path("man");
    place.answer(&format!("man --output {}", folder.display()));
    let entries = fs::read_dir(folder).unwrap();
    entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect()
}

/// A command and all below it, found by their help texts.
fn commands(place: &Place, command: &str, found: &mut BTreeSet<String>) {
    let name = format!("flexctl {command}").trim_end().replace(' ', "-");
    found.insert(format!("{name}.1"));
    let help = place.answer(&format!("{command} --help"));
    let listed = help.split("Commands:\n").nth(1).unwrap_or_default();
    for line in listed.split("\n\n").next().unwrap_or_default().lines() {
        let name = line
            .strip_prefix("  ")
            .filter(|rest| !rest.starts_with(' '));
        if let Some(name) = name.and_then(|rest| rest.split(' ').next())
            && name != "help"
        {
            commands(place, format!("{command} {name}").trim(), found);
        }
    }
}

#[test]
fn every_command_has_a_page() {
    let place = place();
    let mut expected = BTreeSet::new();
    commands(&place, "", &mut expected);
    let pages = written(&place);
    assert_eq!(pages, expected);
    assert!(pages.contains("flexctl-settings-set.1"), "{pages:?}");
}

#[test]
fn the_same_version_writes_the_same_pages() {
    let place = place();
    let folder = place.path("man");
    let read = || {
        let pages = written(&place).into_iter();
        let read = |name| fs::read_to_string(folder.join(name)).unwrap();
        pages.map(read).collect::<Vec<_>>()
    };
    let first = read();
    assert_eq!(first, read());
    let one = fs::read_to_string(folder.join("flexctl.1")).unwrap();
    assert_eq!(place.answer("man"), one);
    let version = env!("CARGO_PKG_VERSION");
    let title = format!(".TH FLEXCTL 1 \" \" \"flexctl {version}\" \"flexctl manual\"\n");
    assert!(one.contains(&title), "{one}");
    // What options mean is there in full, also where `-h` leaves them out.
    assert!(one.contains("How long to wait for a card"), "{one}");
}

#[test]
fn a_page_reads_like_the_help() {
    if skipped("command", &[Need::Program("groff")]) {
        return;
    }
    let place = place();
    written(&place);
    let page = place.path("man/flexctl-sim-fault.1");
    let mut groff = Command::new("groff");
    groff
        .args(["-man", "-Tascii", "-P-cbou", "-rLL=90n"])
        .arg(page);
    let output = groff.output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let text: Vec<&str> = text.trim().lines().take(24).collect();
    assert_snapshot!(text.join("\n"), @"
    FLEXCTL-SIM-FAULT(1)                  flexctl manual                  FLEXCTL-SIM-FAULT(1)



    NAME
           flexctl-sim-fault - Plan what goes wrong with a card

    SYNOPSIS
           flexctl sim fault [OPTIONS] <NAME> <PLAN>

    DESCRIPTION
           A  plan  is  a list of faults with commas between them; an empty plan ends them.  K
           counts from 1 and from the moment the plan is set.

             stuck-busy, stuck-busy@K      a command never finishes
             hold-semaphore=vsec|icmd|hcr|flash
                                           somebody died holding a semaphore
             status=0x22, status=0x22@K    a command answers this status
             all-ones@K                    gone from the bus from the K-th access on
             power-cut@K                   power fails after the K-th settings write
             power-cut-access@K            power fails at the K-th access
             lost-write@K, corrupt-write@K a settings write is not stored, or wrongly
             foreign-change@K              another program changes the setting first
             kill@K, interrupt@K           the program at the card gets SIGKILL or SIGINT
    ");
}

#[test]
fn every_page_renders_without_a_warning() {
    if skipped("command", &[Need::Program("groff")]) {
        return;
    }
    let place = place();
    for page in written(&place) {
        let mut groff = Command::new("groff");
        groff.args(["-man", "-ww", "-z", "-Tascii"]);
        let output = groff.arg(place.path("man").join(&page)).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && said.is_empty(), "{page}: {said}");
    }
}

#[test]
fn a_folder_that_cannot_be_written_to_is_named() {
    let place = place();
    fs::write(place.path("file"), "").unwrap();
    let folder = place.path("file/below").display().to_string();
    assert_snapshot!(place.run(&format!("man --output {folder}")), @"
    exit 1
    --- stderr
    error: cannot write `<place>/file/below`
    caused by: Not a directory (os error 20)
    hint: --output needs a folder that you may write to
    ");
}

#[test]
fn programs_get_the_pages_as_a_document() {
    let place = place();
    let document = place.document("man");
    assert_eq!(document["schema"], "flexctl.man/1");
    let pages = document["pages"].as_array().unwrap();
    assert_eq!(pages.len(), 1);
    assert_eq!(pages[0]["file"], "flexctl.1");
    assert_eq!(pages[0]["text"], place.answer("man"));
}
