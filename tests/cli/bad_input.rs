//! What bad input gets: a message with cause and next step, its own exit code.

use std::fs::File;
use std::process::Stdio;

use insta::assert_snapshot;

use crate::flexctl::{Place, place};
use crate::hosts::ids;

fn stderr(place: &Place, arguments: &str, code: i32) -> String {
    let run = place.run(arguments);
    assert_eq!(run.code, code, "{arguments}\n{run}");
    assert_eq!(run.stdout, "", "{arguments}");
    run.stderr
}

#[test]
fn a_selector_that_is_none_is_wrong_usage() {
    let place = place();
    assert_snapshot!(stderr(&place, "enable-ipv6 -d eth4", 2), @"
    error: invalid value 'eth4' for '--device <SEL>': `eth4` does not select a card
    hint: a card is named as 04:00.0, mlx5_0, net:eth4, sim:connectx-4 or all; `flexctl list` shows cards
    ");
    for selector in ["04:00", "net:", "sim:", "0000:zz:00.0", "4"] {
        let text = stderr(&place, &format!("show -d {selector}"), 2);
        assert!(text.contains("does not select a card"), "{text}");
    }
    let run = place.run("show -d");
    assert_eq!(run.code, 2, "{run}");
}

#[test]
fn a_selector_that_matches_nothing_lists_what_there_is() {
    let place = place();
    assert_snapshot!(stderr(&place, "enable-ipv6 -d 99:00.0", 3), @"
    error: no card matches `0000:99:00.0`
    hint: no Mellanox card was found at all; sim:connectx-4 is a virtual card to try
    ");
    place.host.connectx3("0000:04:00.0");
    place.host.connectx4("0000:81:00.0");
    assert_snapshot!(stderr(&place, "enable-ipv6 -d mlx5_7", 3), @"
    error: no card matches `mlx5_7`
    hint: there are: 0000:04:00.0, 0000:81:00.0
    ");
    assert_snapshot!(stderr(&place, "show -d net:eth9", 3), @"
    error: no card matches `net:eth9`
    hint: there are: 0000:04:00.0, 0000:81:00.0
    ");
    assert_snapshot!(stderr(&place, "list -d 99:00.0", 3), @"
    error: no card matches `0000:99:00.0`
    hint: there are: 0000:04:00.0, 0000:81:00.0
    ");
    assert_snapshot!(stderr(&place, "doctor -d 99:00.0", 3), @"
    error: no card matches `0000:99:00.0`
    hint: there are: 0000:04:00.0, 0000:81:00.0
    ");
}

#[test]
fn a_virtual_card_that_does_not_exist_gets_a_suggestion() {
    let place = place();
    assert_snapshot!(stderr(&place, "show -d sim:connectx4", 3), @"
    error: no virtual card and no profile is called `connectx4`, did you mean `connectx-4`?
    hint: `flexctl sim list` shows virtual cards and profiles
    ");
    let unlike = stderr(&place, "show -d sim:banana", 3);
    assert!(unlike.contains("connectx-3-factory, "), "{unlike}");
    assert_snapshot!(stderr(&place, "show -d sim:../connectx-4", 2), @"
    error: `../connectx-4` cannot name a card: letters, digits, `-`, `_` and `.`, beginning with a letter or digit, at most 64
    hint: `flexctl sim list` shows virtual cards and profiles
    ");
}

#[test]
fn without_a_card_there_is_nothing_to_work_on() {
    let place = place();
    assert_snapshot!(stderr(&place, "enable-ipv6", 3), @"
    error: no ConnectX-3 or ConnectX-4 card was found under `<sysfs>`
    hint: `flexctl list` shows what was found; sim:connectx-4 is a virtual card to try
    ");
    assert_snapshot!(stderr(&place, "show", 3), @"
    error: no ConnectX-3 or ConnectX-4 card was found under `<sysfs>`
    hint: `flexctl list` shows what was found; sim:connectx-4 is a virtual card to try
    ");
    ids(
        &place.host.function("0000:06:00.0"),
        [0x15b3, 0x1017, 0x15b3, 3],
    );
    let only_others = stderr(&place, "disable-ipv6 --yes", 3);
    assert!(only_others.contains("flexctl list"), "{only_others}");
}

#[test]
fn a_host_without_pci_is_named() {
    let place = place();
    std::fs::remove_dir_all(place.host.path().join("bus")).unwrap();
    assert_snapshot!(stderr(&place, "enable-ipv6", 3), @"
    error: cannot list the PCI functions in <sysfs>/bus/pci/devices
    caused by: No such file or directory (os error 2)
    hint: is sysfs mounted? --sysfs-root names another place to look
    ");
}

#[test]
fn a_virtual_function_is_refused_with_its_physical_one() {
    let place = place();
    let card = place.host.connectx4("0000:81:00.0");
    let function = place.host.function("0000:81:00.2");
    ids(&function, [0x15b3, 0x1014, 0x15b3, 8]);
    std::os::unix::fs::symlink("../0000:81:00.0", function.join("physfn")).unwrap();
    std::os::unix::fs::symlink("../0000:81:00.2", card.join("virtfn0")).unwrap();
    assert_snapshot!(stderr(&place, "enable-ipv6 -d 81:00.2", 5), @"
    error: 0000:81:00.2 is a virtual function
    hint: its settings belong to the physical function: -d 0000:81:00.0
    ");
    ids(
        &place.host.function("0000:90:00.0"),
        [0x15b3, 0x1004, 0x15b3, 8],
    );
    assert_snapshot!(stderr(&place, "enable-ipv6 -d 90:00.0", 5), @"
    error: 0000:90:00.0 is a virtual function
    hint: its settings belong to the physical card, on the host that has it
    ");
}

#[test]
fn cards_that_cannot_be_worked_on_are_refused() {
    let place = place();
    for (address, device) in [
        ("0000:05:00.0", 0x0209),
        ("0000:06:00.0", 0x1017),
        ("0000:07:00.0", 0x01f6),
    ] {
        ids(&place.host.function(address), [0x15b3, device, 0x15b3, 3]);
    }
    assert_snapshot!(stderr(&place, "enable-ipv6 --yes -d 05:00.0", 5), @"
    error: 0000:05:00.0 is a ConnectX-4 in flash-recovery mode: it runs without firmware and has no settings to reach
    hint: burn firmware with mstflint, or look for a jumper that forces recovery mode
    ");
    assert_snapshot!(stderr(&place, "enable-ipv6 --yes -d 06:00.0", 3), @"
    error: 0000:06:00.0 is not supported: MT27800 Family [ConnectX-5]
    hint: flexctl works on ConnectX-3, -3 Pro, -4 and -4 Lx; mstconfig knows newer cards
    ");
    assert_snapshot!(stderr(&place, "enable-ipv6 --yes -d 07:00.0", 5), @"
    error: 0000:07:00.0 is a ConnectX-3 in flash-recovery mode: it runs without firmware and has no settings to reach
    hint: burn firmware with mstflint, or look for a jumper that forces recovery mode
    ");
}

/// What the kernel shows of config space to users without rights: the header,
/// with the pointer to the first capability.
fn config_head() -> [u8; 64] {
    let mut head = [0; 64];
    head[..4].copy_from_slice(&[0xb3, 0x15, 0x13, 0x10]);
    head[6] = 0x10;
    head[0x34] = 0x60;
    head
}

#[test]
fn lockdown_is_named_as_the_cause() {
    let place = place();
    let card = place.host.connectx4("0000:81:00.0");
    std::fs::write(card.join("config"), config_head()).unwrap();
    place.locked_down();
    let run = place.run("enable-ipv6 --yes").without_host_lines();
    assert_snapshot!(run, @"
    exit 4
    --- stderr
    error: 0000:81:00.0: there is no way into the card
    caused by: 0000:81:00.0: config space ends at 0x040, offset 0x060 is not shown
    hint: kernel lockdown denies access to PCI cards, to root too: switch Secure Boot off (or boot with lockdown=none), change the card, switch it on again
    ");
}

#[test]
fn missing_rights_are_not_permitted() {
    let place = place();
    let card = place.host.connectx4("0000:81:00.0");
    std::fs::write(card.join("config"), config_head()).unwrap();
    let run = place.run("enable-ipv6 --yes");
    assert_eq!(run.code, 4, "{run}");
    assert!(run.stderr.contains("root"), "{run}");
}

#[test]
fn ports_modes_and_flags_are_checked_before_anything_is_opened() {
    let place = place();
    assert_snapshot!(stderr(&place, "enable-ipv6 -d sim:connectx-4 --port 0", 2), @"
    error: invalid value '0' for '--port <N>': 0 is not in 1..=255
    hint: --help after the command tells how it is used
    ");
    assert_snapshot!(stderr(&place, "enable-ipv6 -d sim:connectx-4 --mode ipv5", 2), @"
    error: invalid value 'ipv5' for '--mode <MODE>'
      [possible values: ipv4-ipv6, ipv6-ipv4, ipv6]

      tip: a similar value exists: 'ipv6'
    hint: --help after the command tells how it is used
    ");
    assert_snapshot!(stderr(&place, "enable-ipv6 -d sim:connectx-4 --exit-code", 2), @"
    error: the following required arguments were not provided:
      --dry-run

    Usage: flexctl enable-ipv6 --dry-run --device <SEL> --exit-code
    hint: --help after the command tells how it is used
    ");
    assert_snapshot!(stderr(&place, "list --no-open --rom", 2), @"
    error: the argument '--no-open' cannot be used with '--rom'

    Usage: flexctl list --no-open
    hint: --help after the command tells how it is used
    ");
    assert_snapshot!(stderr(&place, "list --deadline 0", 2), @"
    error: invalid value '0' for '--deadline <SECONDS>': 0 is not in 1..=600
    hint: --help after the command tells how it is used
    ");
    assert_snapshot!(stderr(&place, "enable-ipv4", 2), @"
    error: unrecognized subcommand 'enable-ipv4'

      tip: some similar subcommands exist: 'disable-ipv6', 'enable-ipv6'

    Usage: flexctl [OPTIONS] <COMMAND>
    hint: --help after the command tells how it is used
    ");
    assert_snapshot!(stderr(&place, "enable-ipv6 --force", 2), @"
    error: unexpected argument '--force' found

    Usage: flexctl enable-ipv6 [OPTIONS]
    hint: --help after the command tells how it is used
    ");
    assert!(!place.path("sim").exists());
}

#[test]
fn data_files_that_are_wrong_are_invalid_input() {
    let place = place();
    assert_snapshot!(stderr(&place, "list --hwdb /nonexistent", 6), @"
    error: cannot read `/nonexistent`
    caused by: No such file or directory (os error 2)
    hint: hwdb/README.md of the source tells the rules for data files
    ");
    let folder = place.path("hwdb");
    std::fs::create_dir_all(folder.join("devices")).unwrap();
    std::fs::write(folder.join("devices/connectx-4.toml"), "titel = 4\n").unwrap();
    let run = place.run(&format!(
        "enable-ipv6 -d sim:connectx-4 --hwdb {}",
        folder.display()
    ));
    assert_eq!(run.code, 6, "{run}");
    assert!(run.stderr.contains("connectx-4.toml"), "{run}");
}

#[test]
fn a_service_without_a_home_can_work_on_the_cards_of_its_host() {
    let place = place();
    let without_home = |arguments: &str| {
        let mut command = place.command(arguments);
        command.env_remove("FLEXCTL_SIM_DIR");
        place.finish(&mut command)
    };
    place.host.connectx3("0000:04:00.0");
    let run = without_home("list --no-open");
    assert_eq!(run.code, 0, "{run}");
    assert_snapshot!(without_home("show -d sim:connectx-4"), @"
    exit 1
    --- stderr
    error: no place for virtual cards: none of FLEXCTL_SIM_DIR, XDG_STATE_HOME and HOME is set
    hint: FLEXCTL_SIM_DIR names another folder for virtual cards
    ");
}

#[test]
fn a_shelf_that_cannot_be_used_is_named() {
    let place = place();
    std::fs::write(place.path("sim"), "a file, not a folder").unwrap();
    assert_snapshot!(stderr(&place, "show -d sim:connectx-4", 1), @"
    error: cannot read `<place>/sim`
    caused by: Not a directory (os error 20)
    hint: FLEXCTL_SIM_DIR names another folder for virtual cards
    ");
}

#[test]
fn a_reader_that_went_away_is_no_failure() {
    let place = place();
    for arguments in [
        "list -d sim:connectx-4",
        "show -d sim:connectx-4",
        "sim list",
        "list -d sim:connectx-4 --json",
        "--help",
    ] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let mut command = place.command(arguments);
        let child = command
            .stdout(writer)
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // The command keeps its end of the pipe open otherwise.
        drop(command);
        let output = child.wait_with_output().unwrap();
        let words = String::from_utf8(output.stderr).unwrap();
        assert_eq!(
            (output.status.code(), words.as_str()),
            (Some(0), ""),
            "{arguments}"
        );
    }
}

#[test]
fn an_answer_that_cannot_be_written_is_a_failure_and_nothing_is_changed() {
    let place = place();
    let full = |arguments: &str| {
        let full = File::options().write(true).open("/dev/full").unwrap();
        let mut command = place.command(arguments);
        let child = command.stdout(full).stderr(Stdio::piped()).spawn().unwrap();
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(1));
        String::from_utf8(output.stderr).unwrap()
    };
    assert_snapshot!(full("list -d sim:connectx-4"), @"
    error: the answer cannot be written to stdout
    caused by: No space left on device (os error 28)
    hint: make room where stdout goes to, then run this again
    ");
    assert_eq!(
        full("enable-ipv6 -d sim:connectx-4"),
        full("list -d sim:connectx-4")
    );
    assert_eq!(place.counter("connectx-4", "tlv_writes"), 0);
}

#[test]
fn a_record_that_is_none_stops_changes_but_hides_nothing() {
    let place = place();
    let records = place.path("state").join("transactions");
    std::fs::create_dir_all(&records).unwrap();
    std::fs::write(records.join("sim-connectx-4.json"), "{bad").unwrap();
    let said = stderr(&place, "enable-ipv6 -d sim:connectx-4", 6);
    assert!(said.contains("then remove it"), "{said}");
    let shown = place.run("show -d sim:connectx-4");
    assert_eq!(shown.code, 6, "{shown}");
    assert!(shown.stdout.contains("IPv6 boot: off"), "{shown}");
    assert_eq!(place.counter("connectx-4", "tlv_writes"), 0);
}
