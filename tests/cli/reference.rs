//! The help texts, which are the manual.

use crate::flexctl::place;

#[test]
fn the_help_of_every_command_is_the_reference() {
    let place = place();
    let mut orphans: Vec<String> =
        std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/cli/snapshots"))
            .map(|entries| {
                entries
                    .map(|entry| entry.unwrap().file_name().into_string().unwrap())
                    .filter(|name| name.ends_with(".snap"))
                    .collect()
            })
            .unwrap_or_default();
    for command in [
        "",
        "list",
        "show",
        "enable-ipv6",
        "disable-ipv6",
        "settings",
        "settings list",
        "settings get",
        "settings set",
        "settings reset",
        "settings undo",
        "settings export",
        "settings explain",
        "settings schema",
        "plan",
        "apply",
        "check",
        "backup",
        "restore",
        "burn",
        "rom",
        "rom info",
        "rom check",
        "rom extract",
        "rom patch",
        "image",
        "image info",
        "image check",
        "image rom",
        "image rom extract",
        "image rom insert",
        "image rom replace",
        "image rom remove",
        "image defaults",
        "image build",
        "doctor",
        "sim",
        "sim run",
        "sim new",
        "sim list",
        "sim state",
        "sim reboot",
        "sim fault",
        "sim flash",
        "sim seed",
        "sim remove",
        "completions",
        "man",
    ] {
        let run = place.run(&format!("{command} --help"));
        assert_eq!((run.code, run.stderr.as_str()), (0, ""));
        let name = format!("flexctl {command}").trim().replace(' ', "-");
        orphans.retain(|file| *file != format!("cli__reference__{name}.snap"));
        insta::assert_snapshot!(name, run.stdout);
    }
    assert_eq!(orphans, Vec::<String>::new(), "help of no command");
}

#[test]
fn every_command_is_in_the_reference() {
    let place = place();
    let listed = |text: &str| -> Vec<String> {
        let commands = text.split("Commands:\n").nth(1).unwrap();
        let commands = commands.split("\n\n").next().unwrap();
        commands
            .lines()
            .filter(|line| line.starts_with("  ") && !line.starts_with("   "))
            .map(|line| line.split_whitespace().next().unwrap().to_owned())
            .collect()
    };
    assert_eq!(
        listed(&place.answer("--help")),
        [
            "list",
            "show",
            "enable-ipv6",
            "disable-ipv6",
            "settings",
            "plan",
            "apply",
            "check",
            "backup",
            "restore",
            "burn",
            "rom",
            "image",
            "doctor",
            "sim",
            "completions",
            "man",
            "help"
        ]
    );
    assert_eq!(
        listed(&place.answer("sim --help")),
        [
            "run", "new", "list", "state", "reboot", "fault", "flash", "seed", "remove", "help"
        ]
    );
}

#[test]
fn short_help_and_version_are_no_failures() {
    let place = place();
    let short = place.run("enable-ipv6 -h");
    assert_eq!((short.code, short.stderr.as_str()), (0, ""));
    let version = place.run("--version");
    assert_eq!(version.code, 0);
    assert!(version.stdout.starts_with("flexctl "), "{version}");
}

#[test]
fn no_command_shows_the_help_and_is_wrong_usage() {
    let place = place();
    for arguments in ["", "sim", "settings", "rom"] {
        let mut command = place.bare_command();
        command.args(arguments.split_whitespace());
        let run = place.finish(&mut command);
        assert_eq!((run.code, run.stdout.as_str()), (2, ""));
        assert!(run.stderr.contains("Commands:"), "{run}");
    }
}
