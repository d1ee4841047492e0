//! flexctl in a virtual machine: the foreign cards are PCI devices there, and
//! what it reads and writes are the sysfs files of a real Linux kernel.
//!
//! Needs QEMU and python3. Kernel and busybox come from Debian packages, which
//! are downloaded once.
#![cfg(feature = "cli")]
#![allow(
    clippy::panic,
    clippy::unwrap_used,
    reason = "what these functions make is part of the test"
)]

mod foreign;
mod ring;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use foreign::{Dump, flexctl, python, python_file};
use ring::{Need, skipped};
use serde_json::Value;

const NEEDS: [Need; 5] = [
    Need::Program("python3"),
    Need::Program("qemu-system-x86_64"),
    Need::Program("apt-get"),
    Need::Program("dpkg"),
    Need::Program("/usr/bin/setpriv"),
];
const NOTHING: [&str; 0] = [];

macro_rules! ring {
    ($($more:expr),*) => {
        if skipped("vm", &[NEEDS.as_slice(), &[$($more),*]].concat()) {
            return;
        }
    };
}

/// What a command in the guest did.
#[derive(Debug, Default)]
struct Step {
    code: i32,
    said: String,
    complained: String,
}

impl Step {
    fn json(&self) -> Value {
        serde_json::from_str(&self.said).unwrap_or_else(|error| panic!("{error} in {self:#?}"))
    }

    fn mentions(&self, text: &str) {
        let found = self.said.contains(text) || self.complained.contains(text);
        assert!(found, "`{text}` is not in {self:#?}");
    }
}

/// Runs a command in the guest and prints what becomes a [`Step`].
const STEP: &str = r#"
export NO_COLOR=1
step() {
    echo "@@ $1"; shift
    "$@" > /tmp/said 2> /tmp/complained < /dev/null
    code=$?
    cat /tmp/said; echo "@- $code"; cat /tmp/complained
}
nobody() { /usr/bin/setpriv --reuid 65534 --regid 65534 --clear-groups "$@"; }
"#;

/// Boots a kernel with both cards and runs the script; its steps by name, and
/// what the cards hold in the end.
fn boot(options: &[&str], script: &str) -> (BTreeMap<String, Step>, Dump) {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str| folder.path().join(name);
    fs::write(file("script"), format!("{STEP}{script}")).unwrap();
    for (card, device, version) in [("cx3", "0x1003", "3.4.151"), ("cx4", "0x1013", "3.6.102")] {
        let made = python("option_rom.py", &folder)
            .args(["--device", device, "--version", version])
            .arg(file(card))
            .status()
            .unwrap();
        assert!(made.success());
    }
    let output = python("boot_vm.py", &folder)
        .args(["--card", "cx3", "--card", "cx4", "--cache"])
        .arg(Path::new(env!("CARGO_TARGET_TMPDIR")).join("vm"))
        .arg("--script")
        .arg(file("script"))
        .arg("--dump")
        .arg(file("dump.json"))
        .arg("--rom")
        .arg(format!("cx3:{}", file("cx3").display()))
        .arg("--rom")
        .arg(format!("cx4:{}", file("cx4").display()))
        .arg("--add")
        .arg(format!("{}:/usr/bin/flexctl", flexctl()))
        .args(["--add", "/usr/bin/setpriv:"])
        .args(options)
        .output()
        .unwrap_or_else(|error| panic!("{}: {error}", python_file("boot_vm.py").display()));
    assert!(output.status.success(), "{output:?}");
    let dump = Dump::load(&file("dump.json"));
    assert_eq!(dump.mess(), NOTHING, "{output:?}");
    (steps(&String::from_utf8(output.stdout).unwrap()), dump)
}

fn steps(console: &str) -> BTreeMap<String, Step> {
    let mut steps = BTreeMap::new();
    for part in console.split("@@ ").skip(1) {
        let (name, rest) = part.split_once('\n').unwrap();
        let (said, rest) = rest.split_once("@- ").unwrap();
        let (code, complained) = rest.split_once('\n').unwrap();
        let step = Step {
            code: code.parse().unwrap(),
            said: said.to_owned(),
            complained: complained.to_owned(),
        };
        steps.insert(name.to_owned(), step);
    }
    steps
}

fn obstacles(port: &Value) -> Vec<&str> {
    let obstacles = port["obstacles"].as_array().unwrap();
    obstacles
        .iter()
        .map(|obstacle| obstacle["code"].as_str().unwrap())
        .collect()
}

#[test]
fn the_main_job_on_a_real_kernels_sysfs() {
    ring!(Need::Program("mstconfig"));
    let script = "
        step list flexctl list --json
        step doctor flexctl doctor
        step nobody-lists nobody flexctl list
        step nobody-enables nobody env HOME=/tmp flexctl enable-ipv6 --yes
        step enable flexctl enable-ipv6 --yes -v
        step again flexctl enable-ipv6 --yes
        step show flexctl show --json
        step rom head -c 2 /sys/bus/pci/devices/0000:00:05.0/rom
        step mstconfig mstconfig -d 00:05.0 query IP_VER_P1 IP_VER_P2
        step disable flexctl disable-ipv6 --yes -v -d 00:05.0 --port 2
        step table flexctl list
    ";
    let options = [
        "--add",
        "/usr/bin/mstconfig:",
        "--add",
        "/usr/share/mstflint:",
    ];
    let (steps, dump) = boot(&options, script);

    finds_both_cards(&steps["list"]);
    let doctor = &steps["doctor"];
    assert_eq!(doctor.code, 0, "{doctor:#?}");
    doctor.mentions("the kernel denies nothing");
    doctor.mentions("0000:00:04.1: way in: vendor capability");
    doctor.mentions("0000:00:05.0: way in: BAR0");

    for name in ["nobody-lists", "nobody-enables"] {
        let step = &steps[name];
        assert_eq!(step.code, 4, "{step:#?}");
        step.mentions("run it as root");
    }
    steps["nobody-lists"].mentions("0000:00:05.0  ConnectX-3");

    let enable = &steps["enable"];
    assert_eq!(enable.code, 0, "{enable:#?}");
    enable.mentions("0000:00:05.0: way in: BAR0");
    enable.mentions("FlexBoot 3.4.151 is too old");
    assert_eq!(steps["again"].said.matches("nothing to do").count(), 2);

    let report = steps["show"].json();
    let card = |index: usize| &report["cards"][index]["card"];
    assert_eq!(card(0)["rom"]["version"], "3.6.102");
    assert_eq!(card(1)["rom"]["version"], "3.4.151");
    assert_eq!(obstacles(&card(0)["ports"][1]), NOTHING);
    assert_eq!(obstacles(&card(1)["ports"][1]), ["rom-without-ipv6"]);
    // The ROM file was switched off again.
    assert_ne!(steps["rom"].code, 0);

    assert_eq!(
        steps["mstconfig"].said.matches("IPv4_IPv6(2)").count(),
        2,
        "{steps:#?}"
    );

    assert_eq!(steps["disable"].code, 0, "{steps:#?}");
    assert_eq!(steps["table"].said.matches("on (ipv4-ipv6)").count(), 3);
    assert_eq!(
        dump.writes(),
        [
            "cx3 set 0x2001/1 0000020a",
            "cx3 set 0x2001/2 0000020a",
            "cx3 set 0x2001/2 0000000a",
            "cx4 set 0x03000195/0 00000200",
            "cx4 set 0x03000195/1 00000200",
        ]
    );
}

fn finds_both_cards(list: &Step) {
    assert_eq!(list.code, 0, "{list:#?}");
    let report = list.json();
    let cards = report["cards"].as_array().unwrap();
    assert_eq!(cards.len(), 2);
    for (card, expected) in cards.iter().zip([
        [
            "0000:00:04.0",
            "ConnectX-4",
            "15b3:1013",
            "15b3:0008",
            "12.28.2006",
        ],
        [
            "0000:00:05.0",
            "ConnectX-3",
            "15b3:1003",
            "15b3:0050",
            "2.42.5000",
        ],
    ]) {
        let function = &card["functions"][0];
        let found = [
            &card["selector"],
            &card["model"],
            &function["id"],
            &function["subsystem_id"],
            &card["firmware"],
        ];
        assert_eq!(found.map(|value| value.as_str().unwrap()), expected);
        assert_eq!(function["unreadable"], serde_json::json!([]));
        assert_eq!(function["driver"], Value::Null);
        assert_eq!(card["ports"].as_array().unwrap().len(), 2);
    }
    assert_eq!(cards[0]["functions"].as_array().unwrap().len(), 2);
    assert_eq!(cards[1]["functions"].as_array().unwrap().len(), 1);
}

#[test]
fn kernel_lockdown_is_named_and_nothing_is_changed() {
    ring!();
    let script = "
        step lockdown cat /sys/kernel/security/lockdown
        step list flexctl list
        step doctor flexctl doctor
        step enable flexctl enable-ipv6 --yes
    ";
    let (steps, dump) = boot(&["--append", "lockdown=integrity"], script);
    steps["lockdown"].mentions("[integrity]");
    for name in ["list", "doctor", "enable"] {
        let step = &steps[name];
        assert_eq!(step.code, 4, "{name} {step:#?}");
        step.mentions("kernel lockdown denies access to PCI cards, to root too");
    }
    steps["list"].mentions("0000:00:04.0  ConnectX-4");
    steps["list"].mentions("0000:00:05.0  ConnectX-3");
    assert_eq!(dump.writes(), NOTHING);
}

#[test]
fn a_card_whose_memory_is_not_decoded_is_reached_through_config_space() {
    ring!();
    // What the BAR reads as is up to the bridge then: ones, or zeros in QEMU.
    let script = "
        config=/sys/bus/pci/devices/0000:00:05.0/config
        printf '\\0\\0' | dd of=$config bs=1 seek=4 conv=notrunc 2> /dev/null
        step enable flexctl enable-ipv6 --yes -v -d 00:05.0
    ";
    let (steps, dump) = boot(&[], script);
    let enable = &steps["enable"];
    assert_eq!(enable.code, 0, "{enable:#?}");
    enable.mentions("0000:00:05.0: way in: legacy gateway");
    assert_eq!(dump.writes().len(), 2);
}
