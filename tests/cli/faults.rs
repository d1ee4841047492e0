//! Cards that fail while they are worked on: every fault of `flexctl sim fault`.

use std::time::{Duration, Instant};

use insta::assert_snapshot;

use crate::flexctl::{Place, Run, place};

const ENABLE_3: &str = "enable-ipv6 -d sim:connectx-3";
const ENABLE_4: &str = "enable-ipv6 -d sim:connectx-4";

/// The two old values of a card, or the two new ones.
const OLD_4: [&str; 2] = ["00000014", "00000014"];
const NEW_4: [&str; 2] = ["00000214", "00000214"];
const OLD_3: [&str; 2] = ["0000000f", "0000000f"];

fn held_by_connectx4(place: &Place) -> [String; 2] {
    ["function0", "function1"].map(|function| place.tlv("connectx-4", function, "0x3000195"))
}

fn held_by_connectx3(place: &Place) -> [String; 2] {
    ["port1", "port2"].map(|port| place.tlv("connectx-3", port, "0x2001"))
}

fn fault(place: &Place, card: &str, plan: &str) {
    place.answer(&format!("sim fault {card} {plan}"));
}

#[test]
fn a_command_that_never_finishes_is_given_up() {
    for card in ["connectx-3", "connectx-4"] {
        let place = place();
        fault(&place, card, "stuck-busy");
        let begun = Instant::now();
        let run = place.run(&format!("enable-ipv6 -d sim:{card}"));
        assert!(
            begun.elapsed() < Duration::from_secs(8),
            "{:?}",
            begun.elapsed()
        );
        assert_eq!(run.code, 7, "{run}");
        assert!(run.stderr.contains("did not finish within 3s"), "{run}");
        assert!(run.stderr.contains("power the host off and on"), "{run}");
        assert_eq!(place.held(card), 0, "no semaphore is left behind");
        assert_eq!(place.counter(card, "tlv_writes"), 0);
    }
}

#[test]
fn what_never_finishes_is_named() {
    let place = place();
    fault(&place, "connectx-4", "stuck-busy@3");
    assert_snapshot!(place.run(ENABLE_4), @"
    exit 7
    --- stderr
    error: 0000:04:00.0: GET of MNVDA (0x9024) failed
    caused by: 0000:04:00.0: the firmware's command (ICMD busy bit) did not finish within 3s
    hint: the firmware hangs: power the host off and on; `flexctl doctor -d sim:connectx-4` shows what is held
    ");
    // It stays stuck until it is powered off and on.
    place.answer("sim fault connectx-4 status=3@1000000");
    assert_eq!(place.run("show -d sim:connectx-4").code, 7);
    place.answer("sim reboot connectx-4");
    assert_eq!(place.run(ENABLE_4).code, 0);
}

/// A semaphore that somebody died with: named with the way to free it, freed by
/// that, and then the card works.
fn held_semaphore(card: &str, semaphore: &str) -> (Run, Run) {
    let place = place();
    let enable = format!("enable-ipv6 -d sim:{card} --wait 1");
    fault(&place, card, &format!("hold-semaphore={semaphore}"));
    let refused = place.run(&enable);
    assert_eq!(refused.code, 7, "{refused}");
    assert!(refused.stderr.contains("(value 0x"), "{refused}");
    let way = format!("flexctl doctor -d sim:{card} --clear-semaphores");
    assert!(refused.stderr.contains(&way), "{refused}");
    assert_eq!(place.counter(card, "tlv_writes"), 0);
    assert_ne!(
        place.held(card),
        0,
        "what others hold is not taken from them"
    );

    let line = format!("doctor -d sim:{card} --clear-semaphores");
    let unasked = place.run(&line);
    assert_eq!(unasked.code, 2, "nobody can be asked: {unasked}");
    assert_ne!(place.held(card), 0);

    let freed = place.run(&format!("{line} --yes"));
    assert_eq!(freed.code, 0, "{freed}");
    assert_eq!(place.held(card), 0);
    assert_eq!(place.run(&enable).code, 0);
    (refused, freed)
}

#[test]
fn a_held_icmd_semaphore_is_named_and_can_be_freed() {
    let (refused, freed) = held_semaphore("connectx-4", "icmd");
    assert_snapshot!(refused, @"
    exit 7
    --- stderr
    error: 0000:04:00.0: opening the command interface failed
    caused by: 0000:04:00.0: the ICMD semaphore (space 0xa, address 0) is held (value 0xbad) and was not released within 1s
    hint: <who holds it>
    hint: when nothing else is at work on the card, free it with: flexctl doctor -d sim:connectx-4 --clear-semaphores
    ");
    assert_snapshot!(freed.stderr, @"sim:connectx-4: freed the ICMD semaphore (space 0xa, address 0)");
}

#[test]
fn a_held_vsec_semaphore_is_named_and_can_be_freed() {
    let (refused, freed) = held_semaphore("connectx-4", "vsec");
    assert_snapshot!(refused, @"
    exit 7
    --- stderr
    error: 0000:04:00.0: opening the command interface failed
    caused by: 0000:04:00.0: the vendor capability's semaphore (config space) is held (value 0xbad) and was not released within 1s
    hint: its value does not say whose it is: that of a tool at work, of a program that was killed, of another host or of the driver
    hint: when nothing else is at work on the card, free it with: flexctl doctor -d sim:connectx-4 --clear-semaphores
    ");
    assert_snapshot!(freed.stderr, @"
    sim:connectx-4: freed the vendor capability's semaphore (config space)
    sim:connectx-4: freed the vendor capability's semaphore (config space)
    ");
}

#[test]
fn a_held_hcr_semaphore_is_named_and_can_be_freed() {
    let (refused, freed) = held_semaphore("connectx-3", "hcr");
    assert_snapshot!(refused, @"
    exit 7
    --- stderr
    error: 0000:05:00.0: opening the command interface failed
    caused by: 0000:05:00.0: the tools HCR semaphore (CR 0xf03bc) is held (value 0x1) and was not released within 1s
    hint: its value does not say whose it is: that of a tool at work, of a program that was killed, of another host or of the driver
    hint: when nothing else is at work on the card, free it with: flexctl doctor -d sim:connectx-3 --clear-semaphores
    ");
    assert_snapshot!(freed.stderr, @"sim:connectx-3: freed the tools HCR semaphore (CR 0xf03bc)");
}

/// How many commands a card executes before anything is written.
fn commands_of_a_dry_run(place: &Place, card: &str) -> u64 {
    let before = place.counter(card, "commands");
    assert_eq!(
        place
            .run(&format!("enable-ipv6 -d sim:{card} --dry-run"))
            .code,
        0
    );
    place.counter(card, "commands") - before
}

#[test]
fn a_refused_write_changes_nothing_and_is_told() {
    // The commands after the first reading: second reading of both ports, write.
    let place = place();
    let reading = commands_of_a_dry_run(&place, "connectx-4");
    let mut refused = None;
    for step in 1..=6 {
        fault(
            &place,
            "connectx-4",
            &format!("status=0x22@{}", reading + step),
        );
        let run = place.run(ENABLE_4);
        assert_eq!(run.code, 7, "step {step}: {run}");
        assert!(run.stderr.contains("(0x22)"), "step {step}: {run}");
        assert!(
            run.stderr
                .contains("hint: the card holds what it held before"),
            "{run}"
        );
        assert_eq!(held_by_connectx4(&place), OLD_4, "step {step}: {run}");
        assert_eq!(place.held("connectx-4"), 0);
        if run.stderr.starts_with("error: write of") {
            refused = refused.or(Some(run));
        }
    }
    assert_snapshot!(refused.unwrap(), @"
    exit 7
    --- stdout
    ConnectX-4 at sim:connectx-4
      port 1  enp4s0f0np0  IP_VER  IPv4(0) -> IPv4_IPv6(2)  from the next boot on
      port 2  enp4s0f1np1  IP_VER  IPv4(0) -> IPv4_IPv6(2)  from the next boot on
    --- stderr
    error: write of nv_rom_boot_conf2 (0x03000195) (port 1) failed
    caused by: 0000:04:00.0: SET of MNVDA (0x9024) was answered with: configuration corrupt (0x22)
    the card now: port 1 nv_rom_boot_conf2 (0x03000195): as before (00000014)
    the card now: port 2 nv_rom_boot_conf2 (0x03000195): as before (00000014)
    hint: the card's settings store is damaged (single-port ConnectX-3 cards are known for it); `flexctl show` tells which settings can still be read
    hint: the card holds what it held before
    ");
}

#[test]
fn a_status_at_any_command_leaves_the_card_as_it_was_or_as_wanted() {
    for (card, old, new) in [
        ("connectx-3", "0000000f", "0000020f"),
        ("connectx-4", "00000014", "00000214"),
    ] {
        let place = place();
        let enable = format!("enable-ipv6 -d sim:{card}");
        let commands = {
            let before = place.counter(card, "commands");
            assert_eq!(place.run(&enable).code, 0);
            place.counter(card, "commands") - before
        };
        // Every third one, another one on each generation: the rings test all.
        for step in (1..=commands + 1).step_by(3) {
            fault(&place, card, "status=1@1000000");
            assert_eq!(place.run(&format!("disable-ipv6 -d sim:{card}")).code, 0);
            fault(&place, card, &format!("status=0x08@{step}"));
            let run = place.run(&enable);
            let held = if card == "connectx-3" {
                held_by_connectx3(&place)
            } else {
                held_by_connectx4(&place)
            };
            let expected = if run.code == 0 { [new; 2] } else { [old; 2] };
            assert_eq!(held, expected, "{card}, command {step}\n{run}");
            assert_eq!(place.held(card), 0, "{card}, command {step}\n{run}");
        }
    }
}

#[test]
fn a_card_that_is_gone_is_told() {
    let place = place();
    fault(&place, "connectx-4", "all-ones@1");
    assert_snapshot!(place.run(ENABLE_4), @"
    exit 7
    --- stderr
    error: 0000:04:00.0: there is no way into the card
    caused by: 0000:04:00.0: the card answers all-ones to its capability list: it is gone, in reset or powered down
    hint: power the host off and on; if it stays so, the card may be broken or not seated well
    ");
    fault(&place, "connectx-3", "all-ones@1");
    assert_snapshot!(place.run(ENABLE_3), @"
    exit 7
    --- stderr
    error: 0000:05:00.0: there is no way into the card
    caused by: 0000:05:00.0: the card answers all-ones to config space: it is gone, in reset or powered down
    hint: power the host off and on; if it stays so, the card may be broken or not seated well
    ");
}

#[test]
fn a_card_that_goes_while_it_is_read_is_told() {
    for card in ["connectx-4", "connectx-3", "connectx-3-pro"] {
        let place = place();
        place.answer(&format!("sim state {card}"));
        fault(&place, card, "all-ones@100");
        let run = place.run(&format!("enable-ipv6 -d sim:{card}"));
        assert_eq!(run.code, 7, "{run}");
        assert!(run.stderr.contains("answers all-ones"), "{run}");
        assert_eq!(place.counter(card, "tlv_writes"), 0);
    }
}

#[test]
fn a_lost_write_is_noticed() {
    let place = place();
    fault(&place, "connectx-4", "lost-write@1");
    assert_snapshot!(place.run(ENABLE_4), @"
    exit 7
    --- stdout
    ConnectX-4 at sim:connectx-4
      port 1  enp4s0f0np0  IP_VER  IPv4(0) -> IPv4_IPv6(2)  from the next boot on
      port 2  enp4s0f1np1  IP_VER  IPv4(0) -> IPv4_IPv6(2)  from the next boot on
    --- stderr
    error: 0000:04:00.0: port 1: nv_rom_boot_conf2 (0x03000195) was written but reads back differently: expected 00000214, found 00000014
    the card now: port 1 nv_rom_boot_conf2 (0x03000195): as before (00000014)
    the card now: port 2 nv_rom_boot_conf2 (0x03000195): as before (00000014)
    hint: the card did not keep what was written; its settings store may be full or damaged
    hint: the card holds what it held before
    ");
    assert_eq!(held_by_connectx4(&place), OLD_4);
    fault(&place, "connectx-3", "lost-write@2");
    assert_snapshot!(place.run(ENABLE_3), @"
    exit 7
    --- stdout
    ConnectX-3 at sim:connectx-3
      port 1  enp5s0    IP_VER  IPv4(0) -> IPv4_IPv6(2)  from the next boot on
      port 2  enp5s0d1  IP_VER  IPv4(0) -> IPv4_IPv6(2)  from the next boot on
    --- stderr
    error: 0000:05:00.0: port 2: BOOT_SETTINGS_EXTRAS (0x2001/2) was written but reads back differently: expected 0000020f, found 0000000f
    the card now: port 1 BOOT_SETTINGS_EXTRAS (0x2001/1): as before (0000000f)
    the card now: port 2 BOOT_SETTINGS_EXTRAS (0x2001/2): as before (0000000f)
    hint: the card did not keep what was written; its settings store may be full or damaged
    hint: the card holds what it held before
    ");
    assert_eq!(held_by_connectx3(&place), OLD_3);
}

#[test]
fn a_corrupt_write_is_restored() {
    let place = place();
    fault(&place, "connectx-4", "corrupt-write@2");
    assert_snapshot!(place.run(ENABLE_4), @"
    exit 7
    --- stdout
    ConnectX-4 at sim:connectx-4
      port 1  enp4s0f0np0  IP_VER  IPv4(0) -> IPv4_IPv6(2)  from the next boot on
      port 2  enp4s0f1np1  IP_VER  IPv4(0) -> IPv4_IPv6(2)  from the next boot on
    --- stderr
    error: 0000:04:00.1: port 2: nv_rom_boot_conf2 (0x03000195) was written but reads back differently: expected 00000214, found fffffdeb
    the card now: port 1 nv_rom_boot_conf2 (0x03000195): as before (00000014)
    the card now: port 2 nv_rom_boot_conf2 (0x03000195): as before (00000014)
    hint: the card did not keep what was written; its settings store may be full or damaged
    hint: the card holds what it held before
    ");
    assert_eq!(held_by_connectx4(&place), OLD_4);
    assert_eq!(place.held("connectx-4"), 0);
    fault(&place, "connectx-3", "corrupt-write@1");
    assert_snapshot!(place.run(ENABLE_3), @"
    exit 7
    --- stdout
    ConnectX-3 at sim:connectx-3
      port 1  enp5s0    IP_VER  IPv4(0) -> IPv4_IPv6(2)  from the next boot on
      port 2  enp5s0d1  IP_VER  IPv4(0) -> IPv4_IPv6(2)  from the next boot on
    --- stderr
    error: 0000:05:00.0: port 1: BOOT_SETTINGS_EXTRAS (0x2001/1) was written but reads back differently: expected 0000020f, found fffffdf0
    the card now: port 1 BOOT_SETTINGS_EXTRAS (0x2001/1): as before (0000000f)
    the card now: port 2 BOOT_SETTINGS_EXTRAS (0x2001/2): as before (0000000f)
    hint: the card did not keep what was written; its settings store may be full or damaged
    hint: the card holds what it held before
    ");
    assert_eq!(held_by_connectx3(&place), OLD_3);
    assert_eq!(place.held("connectx-3"), 0);
    // The fault is over: the next run works and finds nothing unfinished.
    for enable in [ENABLE_3, ENABLE_4] {
        let run = place.run(enable);
        assert_eq!(run.code, 0, "{run}");
        assert!(!run.stdout.contains("an earlier run"), "{run}");
    }
}

#[test]
fn a_factory_connectx3_gets_its_defaults_written_down_when_a_write_goes_wrong() {
    let place = place();
    fault(&place, "connectx-3-factory", "corrupt-write@1");
    assert_snapshot!(place.run("enable-ipv6 -d sim:connectx-3-factory"), @"
    exit 7
    --- stdout
    ConnectX-3 at sim:connectx-3-factory
      port 1  enp6s0    IP_VER  IPv4(0) (the card's default) -> IPv4_IPv6(2)  from the next boot on
      port 2  enp6s0d1  IP_VER  IPv4(0) (the card's default) -> IPv4_IPv6(2)  from the next boot on
    --- stderr
    error: 0000:06:00.0: port 1: BOOT_SETTINGS_EXTRAS (0x2001/1) was written but reads back differently: expected 00000214, found fffffdeb
    the card now: port 1 BOOT_SETTINGS_EXTRAS (0x2001/1): as before, its defaults written down (00000014)
    the card now: port 2 BOOT_SETTINGS_EXTRAS (0x2001/2): as before (not set)
    hint: the card did not keep what was written; its settings store may be full or damaged
    hint: the values are those of before, but a TLV that was not set now holds the card's defaults, written down: ConnectX-3 cannot delete a single TLV (mstconfig reset deletes all of them)
    hint: what was set before is in <place>/state/backups/sim-connectx-3-factory.json
    ");
    assert_eq!(
        place.tlv("connectx-3-factory", "port1", "0x2001"),
        "00000014"
    );
    assert_eq!(place.tlv("connectx-3-factory", "port2", "0x2001"), "-");
}

#[test]
fn a_power_cut_between_two_ports_is_told_and_finished_by_the_next_run() {
    let place = place();
    fault(&place, "connectx-4", "power-cut@1");
    assert_snapshot!(place.run(ENABLE_4), @"
    exit 7
    --- stdout
    ConnectX-4 at sim:connectx-4
      port 1  enp4s0f0np0  IP_VER  IPv4(0) -> IPv4_IPv6(2)  from the next boot on
      port 2  enp4s0f1np1  IP_VER  IPv4(0) -> IPv4_IPv6(2)  from the next boot on
    --- stderr
    error: write of nv_rom_boot_conf2 (0x03000195) (port 1) failed
    caused by: 0000:04:00.0: SET of MNVDA (0x9024) failed
    caused by: 0000:04:00.0: the card answers all-ones to the vendor capability: it is gone, in reset or powered down
    the card now: port 1 nv_rom_boot_conf2 (0x03000195): unknown, the card does not answer; before it was 00000014, the new value is 00000214
    the card now: port 2 nv_rom_boot_conf2 (0x03000195): as before (00000014)
    hint: power the host off and on; if it stays so, the card may be broken or not seated well
    hint: run `flexctl show -d sim:connectx-4` when the card answers again: it tells what the card holds
    hint: the values of before are in <place>/state/transactions/sim-connectx-4.json
    ");
    // Port 1 was written, which nobody could see: neither is claimed.
    assert_eq!(held_by_connectx4(&place), [NEW_4[0], OLD_4[1]]);

    let dead = place.run(ENABLE_4);
    assert_eq!(dead.code, 7, "{dead}");
    place.answer("sim reboot connectx-4");

    let doctor = place.run("doctor -d sim:connectx-4");
    assert_eq!(doctor.code, 7, "{doctor}");
    let line = doctor
        .stdout
        .lines()
        .find(|line| line.contains("transactions"));
    assert_snapshot!(line.unwrap(), @"  bad  transactions   a change by process <number> (just now) was not finished");
    let show = place.answer("show -d sim:connectx-4");
    let note = show
        .split("\n\n")
        .find(|part| part.contains("an earlier run"));
    assert_snapshot!(note.unwrap(), @"
    note: an earlier run (process <number>) ended before it had finished:
      port 1 nv_rom_boot_conf2 (0x03000195) holds the new value
      port 2 nv_rom_boot_conf2 (0x03000195) holds what it held before
    ");

    assert_snapshot!(place.run(ENABLE_4), @"
    exit 0
    --- stdout
    ConnectX-4 at sim:connectx-4
      note: an earlier run (process <number>) ended before it had finished:
        port 1 nv_rom_boot_conf2 (0x03000195) holds the new value
        port 2 nv_rom_boot_conf2 (0x03000195) holds what it held before
      port 1  enp4s0f0np0  IP_VER  IPv4_IPv6(2) (stays)
      port 2  enp4s0f1np1  IP_VER  IPv4(0) -> IPv4_IPv6(2)  from the next boot on
      written and read back, takes effect at the next boot (values of before: <place>/state/backups/sim-connectx-4.json)
    ");
    assert_eq!(held_by_connectx4(&place), NEW_4);
    assert_eq!(place.run("doctor -d sim:connectx-4").code, 0);
    let again = place.run(ENABLE_4);
    assert!(!again.stdout.contains("an earlier run"), "{again}");
}

#[test]
fn a_power_cut_is_told_alike_on_a_connectx3_with_and_without_bar0() {
    for card in ["connectx-3", "connectx-3-pro"] {
        let place = place();
        let enable = format!("enable-ipv6 -d sim:{card}");
        fault(&place, card, "power-cut@1");
        let begun = Instant::now();
        let cut = place.run(&enable);
        assert!(begun.elapsed() < Duration::from_secs(3), "{cut}");
        assert_eq!(cut.code, 7, "{cut}");
        assert!(cut.stderr.contains("the card now: port 1"), "{cut}");
        assert!(
            cut.stderr.contains("unknown, the card does not answer"),
            "{cut}"
        );
        place.answer(&format!("sim reboot {card}"));
        let next = place.run(&enable);
        assert_eq!(next.code, 0, "{next}");
        assert!(next.stdout.contains("an earlier run"), "{next}");
    }
}

#[test]
fn how_long_to_wait_can_be_chosen() {
    let place = place();
    fault(&place, "connectx-4", "stuck-busy");
    let run = place.run("enable-ipv6 -d sim:connectx-4 --wait 1");
    assert_eq!(run.code, 7, "{run}");
    assert!(run.stderr.contains("did not finish within 1s"), "{run}");
    assert_eq!(place.run("show -d sim:connectx-4 --wait 601").code, 2);
}

#[test]
fn a_finished_write_before_a_power_cut_needs_no_second_one() {
    let place = place();
    fault(&place, "connectx-4", "power-cut@2");
    let cut = place.run(ENABLE_4);
    assert_eq!(cut.code, 7, "{cut}");
    assert_eq!(held_by_connectx4(&place), NEW_4);
    place.answer("sim reboot connectx-4");
    let writes = place.counter("connectx-4", "tlv_writes");
    assert_snapshot!(place.run(ENABLE_4), @"
    exit 0
    --- stdout
    ConnectX-4 at sim:connectx-4
      note: an earlier run (process <number>) ended before it had finished:
        port 1 nv_rom_boot_conf2 (0x03000195) holds the new value
        port 2 nv_rom_boot_conf2 (0x03000195) holds the new value
      port 1  enp4s0f0np0  IP_VER  IPv4_IPv6(2) (stays)
      port 2  enp4s0f1np1  IP_VER  IPv4_IPv6(2) (stays)
      nothing to do: the card holds this already
    ");
    assert_eq!(place.counter("connectx-4", "tlv_writes"), writes);
    assert_eq!(place.run("doctor -d sim:connectx-4").code, 0);
}

#[test]
fn a_change_by_somebody_else_stops_the_run() {
    for card in ["connectx-3", "connectx-4"] {
        let place = place();
        let reading = commands_of_a_dry_run(&place, card);
        fault(&place, card, &format!("foreign-change@{}", reading + 1));
        let run = place.run(&format!("enable-ipv6 -d sim:{card}"));
        assert_eq!(run.code, 5, "{run}");
        assert!(
            run.stderr.contains("was changed by another program"),
            "{run}"
        );
        assert_eq!(place.counter(card, "tlv_writes"), 0, "theirs stays");
        assert_eq!(place.held(card), 0);
    }
}

#[test]
fn a_foreign_change_is_shown_with_both_values() {
    let place = place();
    let reading = commands_of_a_dry_run(&place, "connectx-3");
    fault(
        &place,
        "connectx-3",
        &format!("foreign-change@{}", reading + 1),
    );
    assert_snapshot!(place.run(ENABLE_3), @"
    exit 5
    --- stdout
    ConnectX-3 at sim:connectx-3
      port 1  enp5s0    IP_VER  IPv4(0) -> IPv4_IPv6(2)  from the next boot on
      port 2  enp5s0d1  IP_VER  IPv4(0) -> IPv4_IPv6(2)  from the next boot on
    --- stderr
    error: 0000:05:00.0: port 1: BOOT_SETTINGS_EXTRAS (0x2001/1) was changed by another program since it was read: expected 0000000f, found 0000000e
    hint: flexctl wrote nothing; run this again when the other program is done
    ");
}

#[test]
fn power_that_fails_at_any_access_leaves_each_port_old_or_new() {
    let place = place();
    let used = |place: &Place| {
        place.counter("connectx-4", "config_reads") + place.counter("connectx-4", "config_writes")
    };
    let before = used(&place);
    assert_eq!(place.run(ENABLE_4).code, 0);
    let accesses = used(&place) - before;
    // A sample: the rings test every access.
    for part in 0..16 {
        assert_eq!(place.run("disable-ipv6 -d sim:connectx-4").code, 0);
        let at = accesses * (part + 1) / 17;
        fault(&place, "connectx-4", &format!("power-cut-access@{at}"));
        let cut = place.run(ENABLE_4);
        assert_ne!(cut.code, 0, "access {at}: {cut}");
        fault(&place, "connectx-4", "status=1@1000000");
        place.answer("sim reboot connectx-4");
        for data in held_by_connectx4(&place) {
            assert!(
                ["00000014", "00000214"].contains(&data.as_str()),
                "access {at}: {data}"
            );
        }
        let next = place.run(ENABLE_4);
        assert_eq!(next.code, 0, "access {at}: {next}");
        assert_eq!(held_by_connectx4(&place), NEW_4);
    }
}

#[test]
fn one_port_alone_does_not_settle_what_an_earlier_run_left() {
    let place = place();
    place.run("sim new a connectx-4 --fault power-cut@1");
    let before = place.tlv("a", "function0", "0x3000195");
    assert_eq!(place.run("enable-ipv6 -d sim:a").code, 7);
    place.run("sim reboot a");
    let record = place.path("state").join("transactions/sim-a.json");
    // Port 1 is done already; port 2 is still to come.
    assert_eq!(place.run("enable-ipv6 -d sim:a --port 1").code, 0);
    assert!(record.exists());
    assert_eq!(place.run("enable-ipv6 -d sim:a").code, 0);
    assert!(!record.exists());
    // The values to go back to are those before the first run, of both ports.
    let backup = place.path("state").join("backups/sim-a.json");
    let backup: serde_json::Value =
        serde_json::from_str(&std::fs::read_to_string(backup).unwrap()).unwrap();
    let kept: Vec<&str> = backup["tlvs"]
        .as_array()
        .unwrap()
        .iter()
        .map(|tlv| tlv["before"].as_str().unwrap())
        .collect();
    assert_eq!(kept, [before.as_str(), before.as_str()]);
}
