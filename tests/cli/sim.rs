//! `flexctl sim`

use insta::assert_snapshot;

use crate::flexctl::place;

#[test]
fn lists_cards_and_profiles() {
    let place = place();
    assert_snapshot!(place.run("sim list"), @"
    exit 0
    --- stdout
    cards
      none yet: a profile becomes a card when it is first used
    profiles
      connectx-3                ConnectX-3 VPI, two ports (MCX354A-FCB), boots IPv4, settings are set
      connectx-3-16-mib         ConnectX-3 VPI, two ports, 16 MiB flash in chunks of 64 KiB
      connectx-3-corrupt        ConnectX-3 EN, one port, its stored settings are corrupt (status 0x22)
      connectx-3-everything     ConnectX-3 VPI, two ports, offers every setting, none is set
      connectx-3-factory        ConnectX-3 VPI, two ports, as new: no setting is set
      connectx-3-old-rom        ConnectX-3 VPI, two ports, FlexBoot 3.4.648: too old for IPv6
      connectx-3-pro            ConnectX-3 Pro, two ports, host does not map BAR0
      connectx-3-protected      ConnectX-3 VPI, two ports, write-protected flash
      connectx-3-recovery       ConnectX-3 VPI, blank flash: in flash-recovery mode
      connectx-3-rom-behind     ConnectX-3 VPI, two ports, its firmware knows IPv6 but its FlexBoot 3.4.648 does not
      connectx-3-single-port    ConnectX-3 EN, one port (MCX311A-XCAT)
      connectx-3-two-images     ConnectX-3 VPI, two ports, older firmware in the other slot
      connectx-4                ConnectX-4 VPI, two ports (two functions), boots IPv4, settings are set
      connectx-4-everything     ConnectX-4, two ports, offers every setting, none is set
      connectx-4-factory        ConnectX-4 VPI, two ports (two functions), as new: no setting is set
      connectx-4-ib             ConnectX-4 VPI, two ports, both InfiniBand
      connectx-4-lx             ConnectX-4 Lx EN, two ports (two functions), no BOOT_RETRY_CNT
      connectx-4-no-ip-ver      ConnectX-4, two ports, firmware does not offer IP_VER
      connectx-4-old-rom        ConnectX-4, two ports, FlexBoot 3.4.650: too old for IPv6
      connectx-4-protected      ConnectX-4 VPI, two ports, first slot of the flash write-protected
      connectx-4-recovery       ConnectX-4 VPI, damaged firmware: in flash-recovery mode
      connectx-4-rom-behind     ConnectX-4 VPI, two ports, its firmware knows IPv6 but its FlexBoot 3.4.650 does not
      connectx-4-secure         ConnectX-4 VPI, two ports, secure firmware
      connectx-4-single         ConnectX-4 EN, one port, one function
      connectx-4-sriov          ConnectX-4, two ports, each with two virtual functions
      connectx-4-two-images     ConnectX-4 VPI, two ports, older firmware in the second slot
      connectx-4-unknown-chip   ConnectX-4 VPI, two ports, unknown flash chip
      connectx-4-upstream-ipxe  ConnectX-4, two ports, ROM of upstream iPXE without a version record
    ");
    place.answer("sim new rack7_node3 connectx-4");
    place.answer("list -d sim:connectx-3");
    let text = place.answer("sim list");
    assert!(
        text.starts_with("cards\n  sim:connectx-3\n  sim:rack7_node3\nprofiles\n"),
        "{text}"
    );
}

#[test]
fn a_new_card_is_the_same_card_in_the_next_command() {
    let place = place();
    assert_snapshot!(place.run("sim new node3 connectx-4"), @"
    exit 0
    --- stderr
    made sim:node3 from connectx-4
    ");
    place.answer("enable-ipv6 -d sim:node3 --mode ipv6");
    assert_eq!(place.tlv("node3", "function0", "0x3000195"), "00000114");
    assert_eq!(
        place.tlv("connectx-4", "function0", "0x3000195"),
        "00000014"
    );
}

#[test]
fn the_state_of_a_new_card() {
    let place = place();
    assert_snapshot!(place.run("sim state connectx-3"), @"
    exit 0
    --- stdout
    sim:connectx-3 ConnectX-3 VPI, two ports (MCX354A-FCB), boots IPv4, settings are set
      profile       connectx-3
      reboots       0
      faults        none
      config space  0 reads, 0 writes
      BARs          0 reads, 0 writes
      commands      0, 0 of them to change settings
      flash         0 reads, 0 programs, 0 erases
      boots         firmware 2.42.5000 at 0x00000000 (slot 0)
      card   0x11    80000008
      port1  0x12    00000002
      port1  0x2001  0000000f
      port1  0x2021  80010001
      port2  0x12    00000002
      port2  0x2001  0000000f
      port2  0x2021  80010001
    ");
    place.answer("sim fault connectx-4 hold-semaphore=icmd,status=0x22@100");
    assert_snapshot!(place.run("sim state connectx-4"), @"
    exit 0
    --- stdout
    sim:connectx-4 ConnectX-4 VPI, two ports (two functions), boots IPv4, settings are set
      profile       connectx-4
      reboots       0
      faults        hold-semaphore=icmd,status=0x22@100
      config space  0 reads, 0 writes
      BARs          0 reads, 0 writes
      commands      0, 0 of them to change settings
      flash         0 reads, 0 programs, 0 erases
      boots         firmware 12.28.2006 at 0x00000000 (slot 0)
      held          semaphore space 0x0 (value 0xbad)
      card       0x80       800000008000000800000000
      function0  0x3000195  00000014
      function0  0x3000221  a0010001
      function1  0x3000195  00000014
      function1  0x3000221  a0010001
    ");
}

#[test]
fn a_card_is_made_with_its_faults() {
    let place = place();
    place.answer("sim new bad connectx-4 --fault all-ones@1");
    assert_eq!(place.state("bad")["faults"], "all-ones@1");
    assert_eq!(place.run("list -d sim:bad").code, 7);
    place.answer("sim reboot bad");
    assert_eq!(place.state("bad")["reboots"], 1);
    assert_eq!(place.run("list -d sim:bad").code, 0);
}

#[test]
fn settings_can_be_stored_and_deleted() {
    let place = place();
    place.answer("sim seed connectx-3 0x2001 --modifier 2 0000031e");
    assert_eq!(place.tlv("connectx-3", "port2", "0x2001"), "0000031e");
    let mut delete = place.command("sim seed connectx-3 0x2001 --modifier 2");
    let run = place.finish(delete.arg(""));
    assert_eq!(run.code, 0, "{run}");
    assert_eq!(place.tlv("connectx-3", "port2", "0x2001"), "-");
}

#[test]
fn what_is_thrown_away_is_new_the_next_time() {
    let place = place();
    place.answer("enable-ipv6 -d sim:connectx-4");
    assert_snapshot!(place.run("sim remove connectx-4"), @"
    exit 0
    --- stderr
    sim:connectx-4 was thrown away
    ");
    assert_eq!(
        place.tlv("connectx-4", "function0", "0x3000195"),
        "00000014"
    );
}

#[test]
fn a_flash_is_saved_and_loaded_into_another_card() {
    let place = place();
    assert_snapshot!(place.run("sim flash connectx-3-two-images"), @"
    exit 0
    --- stdout
    sim:connectx-3-two-images
      bytes                0x200000
      boots                firmware 2.42.5000 at 0x00080000 (slot 1)
      done to it           0 reads, 0 programs, 0 erases
      time of a real chip  0 ms
    ");
    let file = place.path("flash.bin");
    let name = file.display();
    place.answer(&format!("sim flash connectx-3-old-rom --save {name}"));
    assert_eq!(std::fs::metadata(&file).unwrap().len(), 0x20_0000);
    place.answer(&format!("sim flash connectx-3 --load {name}"));
    assert_eq!(place.state("connectx-3")["boot"]["firmware"], "2.35.5100");
    assert!(place.answer("list -d sim:connectx-3").contains("2.42.5000"));
    place.answer("sim reboot connectx-3");
    assert!(place.answer("list -d sim:connectx-3").contains("2.35.5100"));
    let flash = place.document("sim flash connectx-3");
    assert_eq!(flash["warm_boot"]["start"], "0x00000000");
    std::fs::write(&file, [0xff; 100]).unwrap();
    let run = place.run(&format!("sim flash connectx-3 --load {name}"));
    assert_eq!(run.code, 1, "{run}");
    assert!(run.stderr.contains("has 0x200000 bytes, not 0x64"), "{run}");
    std::fs::write(&file, vec![0xff; 0x20_0000]).unwrap();
    place.answer(&format!("sim flash connectx-3 --load {name}"));
    place.answer("sim reboot connectx-3");
    assert_eq!(
        place.state("connectx-3")["boot"]["start"],
        serde_json::Value::Null
    );
    assert!(
        place
            .answer("list -d sim:connectx-3")
            .contains("flash recovery")
    );
}

#[test]
fn quiet_says_nothing_of_what_went_well() {
    let place = place();
    for line in [
        "sim new a connectx-4 -q",
        "sim fault a stuck-busy -q",
        "sim reboot a -q",
        "sim remove a -q",
    ] {
        let run = place.run(line);
        assert_eq!(
            (run.code, run.stdout.as_str(), run.stderr.as_str()),
            (0, "", "")
        );
    }
}

#[test]
fn unusable_names_data_and_plans_are_refused() {
    let place = place();
    place.answer("sim new a connectx-4");
    let stderr = |line: &str, code: i32| {
        let run = place.run(line);
        assert_eq!(run.code, code, "{run}");
        assert_eq!(run.stdout, "");
        run.stderr
    };
    assert_snapshot!(stderr("sim new a connectx-4", 1), @"
    error: a virtual card called `a` is there already
    hint: take another name, or throw it away with: flexctl sim remove a
    ");
    assert_snapshot!(stderr("sim new ../b connectx-4", 2), @"
    error: `../b` cannot name a card: letters, digits, `-`, `_` and `.`, beginning with a letter or digit, at most 64
    hint: `flexctl sim list` shows virtual cards and profiles
    ");
    assert_snapshot!(stderr("sim new b conectx-4", 3), @"
    error: no profile is called `conectx-4`, did you mean `connectx-4`?
    hint: `flexctl sim list` shows virtual cards and profiles
    ");
    assert_snapshot!(stderr("sim state conectx-4", 3), @"
    error: no virtual card and no profile is called `conectx-4`, did you mean `connectx-4`?
    hint: `flexctl sim list` shows virtual cards and profiles
    ");
    assert_snapshot!(stderr("sim remove b", 3), @"
    error: no virtual card and no profile is called `b` (there are a)
    hint: `flexctl sim list` shows virtual cards and profiles
    ");
    assert_snapshot!(stderr("sim seed a 0x03000195 xyz", 2), @"
    error: `xyz` is not data in hexadecimal
    hint: two digits a byte, as in 00000200
    ");
    assert_snapshot!(stderr("sim seed a 0x03000195 00", 1), @"
    error: virtual card `a` has no setting 0x03000195 of 1 bytes there
    hint: flexctl sim state a shows the settings that are set, with their data
    ");
    assert_snapshot!(stderr("sim seed a 0xmany 00", 2), @"
    error: invalid value '0xmany' for '<TLV>': invalid digit found in string
    hint: --help after the command tells how it is used
    ");
    assert_snapshot!(stderr("sim fault a stuck-bsy", 2), @"
    error: invalid value 'stuck-bsy' for '<PLAN>': no fault is called `stuck-bsy`, did you mean `stuck-busy`?
    hint: --help after the command tells how it is used
    ");
    assert_snapshot!(stderr("sim fault a power-cut", 2), @"
    error: invalid value 'power-cut' for '<PLAN>': `power-cut` needs a count from 1, as in `power-cut@3`
    hint: --help after the command tells how it is used
    ");
}

#[test]
fn a_card_of_the_host_is_not_written_unless_somebody_says_yes() {
    let place = place();
    let Some(run) = place.among_cards("connectx-4", "enable-ipv6") else {
        return;
    };
    assert_eq!(run.code, 2, "{run}");
    assert_snapshot!(run.stderr, @"
    error: nobody can be asked whether to write: stdin or stderr is no terminal
    hint: --yes writes without asking, --dry-run only shows the plan
    ");
    assert_eq!(place.counter("connectx-4", "tlv_writes"), 0);

    let run = place
        .among_cards("connectx-4", "enable-ipv6 --yes")
        .unwrap();
    assert_eq!(run.code, 0, "{run}");
    assert!(run.stdout.contains("ConnectX-4 at 0000:04:00.0"), "{run}");
    assert_eq!(
        place.tlv("connectx-4", "function1", "0x3000195"),
        "00000214"
    );

    // Nothing to do is nothing to ask for.
    let run = place.among_cards("connectx-4", "enable-ipv6").unwrap();
    assert_eq!(run.code, 0, "{run}");
}

#[test]
fn all_cards_of_the_host_are_meant_when_none_is_named() {
    let place = place();
    let cards = "connectx-3 connectx-4";
    let Some(run) = place.among_cards(cards, "list") else {
        return;
    };
    assert_snapshot!(run, @"
    exit 0
    --- stdout
    CARD          MODEL       FIRMWARE    PORT  INTERFACE    IPV6 BOOT
    0000:04:00.0  ConnectX-4  12.28.2006  1     enp4s0f0np0  off
                                          2     enp4s0f1np1  off
    0000:05:00.0  ConnectX-3  2.42.5000   1     enp5s0       off
                                          2     enp5s0d1     off
    ");
    let run = place.among_cards(cards, "enable-ipv6 --yes").unwrap();
    assert_eq!(run.code, 0, "{run}");
    assert_eq!(place.tlv("connectx-3", "port2", "0x2001"), "0000020f");
    assert_eq!(
        place.tlv("connectx-4", "function0", "0x3000195"),
        "00000214"
    );
}

#[test]
fn the_command_of_sim_run_decides_the_exit_code() {
    let place = place();
    let Some(run) = place.among_cards("connectx-4", "enable-ipv6 --port 3") else {
        return;
    };
    assert_eq!(run.code, 3, "{run}");
    let run = place.run("sim run connectx-4 -- /nonexistent");
    assert_snapshot!(run, @"
    exit 127
    --- stderr
    error: cannot run `/nonexistent`
    caused by: No such file or directory (os error 2)
    hint: is it installed, and spelled like that?
    ");
    let run = place.run("sim run nothing -- true");
    assert_eq!(run.code, 3, "{run}");
    let run = place.run("sim run connectx-4 --stats /nonexistent/file -- true");
    assert_snapshot!(run, @"
    exit 1
    --- stderr
    error: cannot write `/nonexistent/file`: No such file or directory (os error 2)
    hint: --stats needs a file in a folder that is there
    ");
}

#[test]
fn ephemeral_cards_are_forgotten_and_counted() {
    let place = place();
    let stats = place.path("stats.json");
    let cards = format!("connectx-4 --ephemeral --stats {}", stats.display());
    let Some(run) = place.among_cards(&cards, "enable-ipv6 --yes") else {
        return;
    };
    assert_eq!(run.code, 0, "{run}");
    let text = std::fs::read_to_string(stats).unwrap();
    let stats: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(stats["schema"], "flexctl.sim-state/1");
    assert_eq!(stats["cards"][0]["counters"]["tlv_writes"], 2);
    assert!(!place.path("sim").exists());
}
