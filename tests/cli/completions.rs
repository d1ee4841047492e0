//! `flexctl completions`, and what a shell that has the script is answered.

use std::fs;
use std::io::Write;
use std::process::{Command, Stdio};

use insta::assert_snapshot;

use crate::flexctl::{Place, Run, place};
use crate::hosts::ids;
use crate::ring::{Need, skipped};

/// The program as a script runs it, about the last word.
fn asked(place: &Place, shell: &str, words: &[&str]) -> Run {
    let mut command = place.bare_command();
    command
        .env("FLEXCTL_COMPLETE", shell)
        .env("_CLAP_COMPLETE_INDEX", (words.len() - 1).to_string())
        .env("_CLAP_IFS", "\n")
        .args(["--", "flexctl"])
        .args(&words[1..]);
    let run = place.finish(&mut command);
    assert_eq!((run.code, run.stderr.as_str()), (0, ""), "{words:?}: {run}");
    run
}

/// What fish is offered for the last word of a line on this place's host, with
/// the help behind it. A line that ends in a blank has an empty last word.
fn offered(place: &Place, line: &str) -> String {
    let root = format!("--sysfs-root={}", place.host.path().display());
    let mut words = vec!["flexctl", &root];
    words.extend(line.split(' '));
    asked(place, "fish", &words).stdout.replace('\t', " -- ")
}

/// The values that are offered, without help.
fn values(place: &Place, line: &str) -> Vec<String> {
    let text = offered(place, line);
    let values = text.lines().map(|line| line.split(" -- ").next().unwrap());
    values.map(str::to_owned).collect()
}

/// A host with a card of each generation.
fn place_with_cards() -> Place {
    let place = place();
    place.host.connectx3("0000:04:00.0");
    place.host.connectx4("0000:81:00.0");
    place.host.connectx4("0000:81:00.1");
    place.host.bridge("0000:00:00.0");
    place
}

#[test]
fn every_shell_has_a_script_that_names_no_path() {
    let place = place();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = place.answer(&format!("completions {shell}"));
        assert!(script.contains("FLEXCTL_COMPLETE"), "{shell}: {script}");
        assert!(!script.contains(env!("CARGO_BIN_EXE_flexctl")), "{shell}");
        let document = place.document(&format!("completions {shell}"));
        assert_eq!(document["schema"], "flexctl.completions/1");
        assert_eq!(document["script"], script);
    }
}

#[test]
fn other_shells_are_wrong_usage() {
    let place = place();
    assert_snapshot!(place.run("completions tcsh"), @"
    exit 2
    --- stderr
    error: invalid value 'tcsh' for '<SHELL>'
      [possible values: bash, zsh, fish, elvish, powershell]

      tip: a similar value exists: 'zsh'
    hint: --help after the command tells how it is used
    ");
}

#[test]
fn commands_and_options_are_offered() {
    let place = place();
    let commands = values(&place, "");
    for command in ["list", "enable-ipv6", "settings", "completions", "--device"] {
        assert!(commands.iter().any(|one| one == command), "{command}");
    }
    assert!(!commands.iter().any(|one| one == "__sim-exec"));
    assert_snapshot!(offered(&place, "enable-ipv6 --mode ipv4"), @"ipv4-ipv6 -- Both, IPv4 first");
    assert_snapshot!(offered(&place, "completions "), @"
    bash
    zsh
    fish
    elvish
    powershell
    --device -- Card to work on (can be repeated)
    --sysfs-root -- Look for cards in this sysfs instead of /sys
    --hwdb -- Replace or complete the built-in data files from this folder
    --wait -- How long to wait for a card that is busy or held, in seconds
    --json -- Print one JSON document on stdout
    --quiet -- Leave out commentary on stderr; errors stay
    --verbose -- Say more on stderr (can be repeated)
    --help -- Print help (see more with '--help')
    ");
}

#[test]
fn cards_of_the_host_are_offered_with_their_model() {
    let place = place_with_cards();
    assert_snapshot!(offered(&place, "show -d "), @"
    0000:04:00.0 -- ConnectX-3
    mlx4_0 -- ConnectX-3
    net:eth4 -- ConnectX-3
    net:eth10 -- ConnectX-3
    0000:81:00.0 -- ConnectX-4
    mlx5_0 -- ConnectX-4
    net:enp1s0 -- ConnectX-4
    all -- all supported cards of this host
    ");
    // Other spellings of the same cards are there for who begins them.
    assert_eq!(values(&place, "show -d 04:"), ["04:00.0"]);
    assert_eq!(
        values(&place, "show --device 0000:81:00.1"),
        ["0000:81:00.1"]
    );
    assert_eq!(values(&place, "show --device=mlx5"), ["--device=mlx5_0"]);
    assert_eq!(values(&place, "show -dnet:enp"), ["-dnet:enp1s0"]);
    assert_eq!(values(&place, "-d net:eth4 show -d al"), ["all"]);
}

#[test]
fn cards_that_cannot_be_worked_on_are_offered_in_need_only() {
    let place = place_with_cards();
    for (address, device) in [("0000:05:00.0", 0x0209), ("0000:07:00.0", 0x1017)] {
        ids(&place.host.function(address), [0x15b3, device, 0x15b3, 3]);
    }
    ids(
        &place.host.function("0000:08:00.0"),
        [0x15b3, 0x1014, 0x15b3, 8],
    );
    let first = values(&place, "show -d 0000:0");
    assert_eq!(first, ["0000:04:00.0", "0000:05:00.0"]);
    assert_snapshot!(offered(&place, "show -d 0000:07"), @"0000:07:00.0 -- MT27800 Family [ConnectX-5]");
    // A virtual function stands for no card.
    assert_eq!(offered(&place, "show -d 0000:08"), "");
}

#[test]
fn virtual_cards_are_offered_once_begun_and_not_made_by_that() {
    let place = place_with_cards();
    assert!(!offered(&place, "show -d ").contains("sim:"));
    assert_snapshot!(offered(&place, "show -d sim:connectx-4-s"), @"
    sim:connectx-4-secure -- ConnectX-4 VPI, two ports, secure firmware
    sim:connectx-4-single -- ConnectX-4 EN, one port, one function
    sim:connectx-4-sriov -- ConnectX-4, two ports, each with two virtual functions
    ");
    assert_eq!(
        values(&place, "sim run connectx-3-o"),
        ["connectx-3-old-rom"]
    );
    assert_eq!(
        values(&place, "sim new mine connectx-4-l"),
        ["connectx-4-lx"]
    );
    assert!(!place.path("sim").exists(), "completing makes no card");

    place.answer("sim new mine connectx-4-lx");
    assert_snapshot!(offered(&place, "show -d sim:m"), @"sim:mine -- ConnectX-4 Lx EN, two ports (two functions), no BOOT_RETRY_CNT");
    assert_eq!(values(&place, "sim state m"), ["mine"]);
    // The name of a new card is free.
    let new = values(&place, "sim new ");
    assert!(new.iter().all(|value| value.starts_with('-')), "{new:?}");
}

#[test]
fn without_cards_virtual_ones_are_offered_at_once() {
    let place = place();
    let devices = values(&place, "show -d ");
    assert_eq!(devices[..2], ["all", "sim:connectx-3"]);
}

#[test]
fn settings_are_offered_with_what_they_mean() {
    let place = place();
    assert_snapshot!(offered(&place, "settings get IP_"), @"IP_VER -- IP protocol versions that the ROM boots with");
    assert_snapshot!(offered(&place, "settings explain ip_ver"), @"
    IP_VER -- IP protocol versions that the ROM boots with
    IP_VER_P1 -- IP protocol versions that the ROM boots with
    IP_VER_P2 -- IP protocol versions that the ROM boots with
    ");
    assert_snapshot!(offered(&place, "settings reset IP_VER_"), @"
    IP_VER_P1 -- IP protocol versions that the ROM boots with
    IP_VER_P2 -- IP protocol versions that the ROM boots with
    ");
    assert_eq!(values(&place, "settings get IP_VER IP_V"), ["IP_VER"]);
    assert_eq!(values(&place, "settings set IP_V"), ["IP_VER="]);
    let set = values(&place, "settings set IP_VER");
    assert_eq!(set, ["IP_VER=", "IP_VER_P1=", "IP_VER_P2="]);
}

#[test]
fn values_are_offered_after_the_name() {
    let place = place();
    assert_snapshot!(offered(&place, "settings set IP_VER="), @"
    IP_VER=IPv4 -- 0
    IP_VER=IPv6 -- 1
    IP_VER=IPv4_IPv6 -- 2
    IP_VER=IPv6_IPv4 -- 3
    ");
    assert_snapshot!(offered(&place, "settings set ip_ver_p2=ipv6"), @"
    ip_ver_p2=IPv6 -- 1
    ip_ver_p2=IPv6_IPv4 -- 3
    ");
    let truth = values(&place, "settings set IP_VER=IPv6 BOOT_VLAN_EN=");
    assert_eq!(truth, ["BOOT_VLAN_EN=False", "BOOT_VLAN_EN=True"]);
    // Numbers have no names, and nothing else is known of what does not exist.
    assert_eq!(offered(&place, "settings set BOOT_VLAN=1"), "");
    assert_eq!(offered(&place, "settings set NONSENSE="), "");
}

#[test]
fn what_the_named_card_does_not_have_is_not_offered() {
    let place = place_with_cards();
    let names = |device: &str| values(&place, &format!("{device}settings explain "));
    let (all, old, new) = (names(""), names("-d mlx4_0 "), names("-d mlx5_0 "));
    let only_old = old.iter().filter(|name| !new.contains(name)).count();
    let only_new = new.iter().filter(|name| !old.contains(name)).count();
    assert!(only_old + only_new > 0, "generations differ");
    for name in old.iter().chain(&new) {
        assert!(all.contains(name), "{name}");
    }
    // Virtual cards are told by their profile, and not made.
    assert_eq!(names("-d sim:connectx-3 "), old);
    assert!(!place.path("sim").exists());
    place.answer("sim new mine connectx-3-pro");
    assert_eq!(names("-d sim:mine "), old);
    assert_eq!(names("-d sim:mine -d mlx5_0 "), all);
    // A card that is not there says nothing.
    assert_eq!(names("-d 77:00.0 "), all);
}

#[test]
fn folders_and_files_are_offered_where_one_is_wanted() {
    let place = place();
    fs::create_dir(place.path("data")).unwrap();
    fs::write(place.path("secret.txt"), "x").unwrap();
    let path = |name: &str| place.path(name).display().to_string();
    let line = format!("--hwdb {}", path("d"));
    assert_snapshot!(offered(&place, &line), @"<place>/data/");
    let secret = "settings set ISCSI_INITIATOR_CHAP_PASSWORD=@";
    assert_snapshot!(
        offered(&place, &format!("{secret}{}", path("s"))),
        @"ISCSI_INITIATOR_CHAP_PASSWORD=@<place>/secret.txt"
    );
}

#[test]
fn trouble_only_means_that_less_is_offered() {
    let place = place();
    let nowhere = place.path("nowhere").display().to_string();
    let broken = place.path("broken");
    fs::create_dir_all(broken.join("settings")).unwrap();
    fs::write(broken.join("settings/connectx-4.toml"), "= ?").unwrap();
    let broken = broken.display().to_string();
    for line in [
        format!("--sysfs-root={nowhere} -d "),
        format!("--hwdb={nowhere} settings get IP_"),
        format!("--hwdb={broken} settings set IP_VER="),
        format!("--hwdb={broken} -d nonsense settings set "),
    ] {
        assert_ne!(offered(&place, &line), "", "{line}");
    }
    // A shelf that is none.
    fs::write(place.path("sim"), "").unwrap();
    assert!(values(&place, "-d sim:connectx-3")[0].starts_with("sim:"));
    fs::remove_file(place.path("sim")).unwrap();
    for words in [
        &["flexctl", "nonsense", "--what", "-x"][..],
        &["flexctl", "settings", "set", "\u{fc}=\u{fc}"],
        &["flexctl", "-d", "--", "-"],
        &["flexctl", "sim", "run", "-x", "-y", "--", "a", "-b"],
        &["flexctl", "settings", "set", "-d", "-x", "="],
        &["flexctl", "-", "--=", ""],
    ] {
        for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
            asked(&place, shell, words);
        }
    }
    // Fewer words than the index says, and none at all.
    let mut command = place.bare_command();
    command
        .env("FLEXCTL_COMPLETE", "bash")
        .env("_CLAP_COMPLETE_INDEX", "7");
    for words in [&["--", "flexctl"][..], &["--"]] {
        command.args(words);
        assert_eq!(place.finish(&mut command).to_string(), "exit 0\n");
    }
}

#[test]
fn the_variable_alone_keeps_nobody_from_working() {
    let place = place();
    for shell in ["bash", "1", "tcsh", ""] {
        let mut command = place.command("sim list --json");
        command.env("FLEXCTL_COMPLETE", shell);
        let run = place.finish(&mut command);
        assert!(run.stdout.contains("flexctl.sim-list/1"), "{run}");
    }
}

/// bash with the script, and flexctl in PATH.
fn bash(place: &Place, program: &str) -> Command {
    let folder = std::path::Path::new(env!("CARGO_BIN_EXE_flexctl"));
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut folders = vec![folder.parent().unwrap().to_owned()];
    folders.extend(std::env::split_paths(&path));
    let mut command = Command::new(program);
    command
        .env_clear()
        .env("PATH", std::env::join_paths(folders).unwrap())
        .env("FLEXCTL_SIM_DIR", place.path("sim"))
        .env("TERM", "dumb");
    command
}

/// What bash takes over for the last of these pieces. bash hands them out cut at
/// `=` and `:`, with what is before the cursor in the last one.
fn replies(place: &Place, line: &str, pieces: &str, last: &str) -> Run {
    let script = format!(
        "source <(flexctl completions bash) && COMP_LINE='{line}' COMP_POINT=${{#COMP_LINE}} \
         COMP_WORDS=({pieces}) COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1)) COMP_TYPE=9 && \
         _flexctl flexctl '{last}' '' && printf '%s\\n' \"${{COMPREPLY[@]}}\""
    );
    let mut command = bash(place, "bash");
    command.args(["--norc", "--noprofile", "-c", &script]);
    let run = place.finish(&mut command);
    assert_eq!((run.code, run.stderr.as_str()), (0, ""), "{line}: {run}");
    run
}

#[test]
fn bash_gets_back_the_piece_that_it_replaces() {
    if skipped("command", &[Need::Program("bash")]) {
        return;
    }
    let place = place();
    let run = |line: &str, pieces: &str, last: &str| replies(&place, line, pieces, last).stdout;
    assert_snapshot!(run("flexctl settings set IP_VER=", "flexctl settings set IP_VER =", ""), @"
    IPv4
    IPv6
    IPv4_IPv6
    IPv6_IPv4
    ");
    assert_snapshot!(
        run("flexctl settings set IP_VER=IPv6_", "flexctl settings set IP_VER = IPv6_", "IPv6_"), @"IPv6_IPv4"
    );
    assert_snapshot!(
        run("flexctl  -d sim:connectx-4-s", "flexctl -d sim : connectx-4-s", "connectx-4-s"), @"
    connectx-4-secure
    connectx-4-single
    connectx-4-sriov
    "
    );
    assert_snapshot!(
        run(
            "flexctl --device=sim:connectx-4-l",
            "flexctl --device = sim : connectx-4-l",
            "connectx-4-l"
        ),
        @"connectx-4-lx"
    );
    assert_snapshot!(run("flexctl settings get IP_V", "flexctl settings get IP_V", "IP_V"), @"IP_VER");
    assert_snapshot!(run("flexctl completions ", "flexctl completions \"\"", ""), @"
    bash
    zsh
    fish
    elvish
    powershell
    --device
    --sysfs-root
    --hwdb
    --wait
    --json
    --quiet
    --verbose
    --help
    ");
}

#[test]
fn bash_at_a_terminal_completes() {
    let needs = [Need::Program("bash"), Need::Program("script")];
    if skipped("command", &needs) {
        return;
    }
    let place = place();
    let mut command = bash(&place, "script");
    command
        .args(["-qec", "bash --norc --noprofile -i", "/dev/null"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let typed = "source <(flexctl completions bash)\n\
                 said() { printf '<%s>' said \"$@\"; echo; }; complete -F _flexctl said\n\
                 said settings set IP_V\tIPv4_\tIP_VER_P1=IPv6_\t-d sim:connectx-3-o\tend\n\
                 exit\n";
    child
        .stdin
        .take()
        .unwrap()
        .write_all(typed.as_bytes())
        .unwrap();
    let output = child.wait_with_output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    let said = "<said><settings><set><IP_VER=IPv4_IPv6><IP_VER_P1=IPv6_IPv4>\
                <-d><sim:connectx-3-old-rom><end>";
    assert!(text.contains(said), "{text}");
}
