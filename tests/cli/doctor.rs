//! `flexctl doctor`

use std::time::{Duration, Instant};

use insta::assert_snapshot;

use crate::flexctl::{Place, place};
use crate::hosts::ids;

fn ordinary_kernel(place: &Place) {
    place.host_file(
        "kernel/security/lockdown",
        "[none] integrity confidentiality\n",
    );
}

#[test]
fn healthy_cards_are_found_healthy() {
    let place = place();
    ordinary_kernel(&place);
    let run = place.run("doctor -d sim:connectx-3 -d sim:connectx-3-pro -d sim:connectx-4");
    assert_snapshot!(run.without_host_lines(), @"
    exit 0
    --- stdout
    host
      ok   lockdown       the kernel denies nothing
      ok   boot mode      booted by its BIOS: FlexBoot runs on this host
    sim:connectx-3
      ok   driver         mlx4_core is bound
      ok   access         0000:05:00.0: way in: BAR0
      ok   semaphores     0000:05:00.0: tools HCR semaphore (CR 0xf03bc) is free
      ok   firmware       0000:05:00.0: answers commands
    sim:connectx-3-pro
      ok   driver         mlx4_core is bound
      ok   access         0000:0a:00.0: way in: legacy gateway (config space 0x58/0x5c)
      ok   semaphores     0000:0a:00.0: tools HCR semaphore (CR 0xf03bc) is free
      ok   firmware       0000:0a:00.0: answers commands
    sim:connectx-4
      ok   driver         mlx5_core is bound
      ok   access         0000:04:00.0: way in: vendor capability
      ok   semaphores     0000:04:00.0: vendor capability's semaphore (config space) is free
      ok   semaphores     0000:04:00.0: ICMD semaphore (space 0xa, address 0) is free
      ok   firmware       0000:04:00.0: answers commands
      ok   access         0000:04:00.1: way in: vendor capability
      ok   semaphores     0000:04:00.1: vendor capability's semaphore (config space) is free
      ok   semaphores     0000:04:00.1: ICMD semaphore (space 0xa, address 0) is free
      ok   firmware       0000:04:00.1: answers commands
    ");
    for card in ["connectx-3", "connectx-4"] {
        assert_eq!(place.counter(card, "tlv_writes"), 0);
        assert_eq!(place.held(card), 0);
    }
}

#[test]
fn a_host_without_cards_is_no_failure() {
    let place = place();
    assert_snapshot!(place.run("doctor").without_host_lines(), @"
    exit 0
    --- stdout
    host
      note lockdown       cannot tell: the kernel has no lockdown module, or its file system for security modules is not mounted
      ok   boot mode      booted by its BIOS: FlexBoot runs on this host
      note cards          no Mellanox card was found
    ");
}

#[test]
fn lockdown_and_uefi_are_told_with_the_way_around() {
    let place = place();
    place.locked_down();
    place.booted_by_uefi();
    assert_snapshot!(place.run("doctor").without_host_lines(), @"
    exit 4
    --- stdout
    host
      bad  lockdown       kernel lockdown denies access to PCI cards, to root too
           hint: switch Secure Boot off (or boot with lockdown=none), change the card, switch it on again
      note boot mode      booted by UEFI: FlexBoot, a BIOS ROM, does not run
           hint: enable legacy boot (CSM), or use the platform's own IPv6 PXE switch
      note cards          no Mellanox card was found
    ");
}

#[test]
fn cards_of_others_are_noted_and_a_card_in_recovery_is_bad() {
    let place = place();
    ordinary_kernel(&place);
    for (address, device) in [("0000:06:00.0", 0x1017), ("0000:07:00.0", 0x1014)] {
        ids(&place.host.function(address), [0x15b3, device, 0x15b3, 3]);
    }
    let run = place.run("doctor").without_host_lines();
    assert_snapshot!(run, @"
    exit 0
    --- stdout
    host
      ok   lockdown       the kernel denies nothing
      ok   boot mode      booted by its BIOS: FlexBoot runs on this host
    0000:06:00.0
      note support        MT27800 Family [ConnectX-5]: flexctl does not work on it
    0000:07:00.0
      note support        ConnectX-4 virtual function: flexctl does not work on it
    ");
    ids(
        &place.host.function("0000:05:00.0"),
        [0x15b3, 0x0209, 0x15b3, 3],
    );
    let run = place.run("doctor");
    assert_eq!(run.code, 5, "{run}");
    let named = place.run("doctor -d 06:00.0");
    assert_eq!(named.code, 3, "who asks for it gets an answer: {named}");
}

#[test]
fn a_card_that_cannot_be_opened_is_told_with_its_attributes() {
    let place = place();
    ordinary_kernel(&place);
    let card = place.host.connectx3("0000:04:00.0");
    std::fs::write(card.join("class"), "net\n").unwrap();
    std::fs::write(card.join("config"), [0; 64]).unwrap();
    std::fs::remove_file(card.join("driver")).unwrap();
    let run = place.run("doctor");
    assert_eq!(run.code, 4, "{run}");
    let lines: Vec<&str> = run
        .stdout
        .lines()
        .skip_while(|line| !line.starts_with("0000:"))
        .filter(|line| !line.contains("hint:"))
        .collect();
    assert_snapshot!(lines.join("\n"), @"
    0000:04:00.0
      note driver         no driver is bound: interfaces and MACs are unknown, settings can be reached all the same
      bad  access         0000:04:00.0: there is no way into the card: 0000:04:00.0: config space ends at 0x040, offset 0x058 is not shown
    ");
}

#[test]
fn a_held_semaphore_is_bad_and_stays() {
    let place = place();
    ordinary_kernel(&place);
    place.answer("sim fault connectx-4 hold-semaphore=icmd");
    assert_snapshot!(place.run("doctor -d sim:connectx-4").without_host_lines(), @"
    exit 7
    --- stdout
    host
      ok   lockdown       the kernel denies nothing
      ok   boot mode      booted by its BIOS: FlexBoot runs on this host
    sim:connectx-4
      ok   driver         mlx5_core is bound
      ok   access         0000:04:00.0: way in: vendor capability
      ok   semaphores     0000:04:00.0: vendor capability's semaphore (config space) is free
      bad  semaphores     0000:04:00.0: ICMD semaphore (space 0xa, address 0) is held (value 0xbad)
           hint: <who holds it>
           hint: when nothing else is at work on the card: flexctl doctor -d sim:connectx-4 --clear-semaphores
      ok   access         0000:04:00.1: way in: vendor capability
      ok   semaphores     0000:04:00.1: vendor capability's semaphore (config space) is free
      bad  semaphores     0000:04:00.1: ICMD semaphore (space 0xa, address 0) is held (value 0xbad)
           hint: <who holds it>
           hint: when nothing else is at work on the card: flexctl doctor -d sim:connectx-4 --clear-semaphores
    ");
    assert_ne!(place.held("connectx-4"), 0);
}

#[test]
fn firmware_that_hangs_is_found_although_its_semaphores_are_free() {
    let place = place();
    place.answer("sim fault connectx-3 stuck-busy");
    let begun = Instant::now();
    let run = place.run("doctor -d sim:connectx-3");
    assert!(
        begun.elapsed() < Duration::from_secs(4),
        "{:?}",
        begun.elapsed()
    );
    assert_eq!(run.code, 7, "{run}");
    let line = run.stdout.lines().find(|line| line.contains("firmware"));
    assert_snapshot!(line.unwrap(), @"  bad  firmware       0000:05:00.0: GET of MGIR (0x9020) failed: 0000:05:00.0: the firmware's command (tools HCR GO bit) did not finish within 500ms");
}

#[test]
fn semaphores_are_cleared_on_named_cards_only() {
    let place = place();
    assert_snapshot!(place.run("doctor --clear-semaphores --yes"), @"
    exit 2
    --- stderr
    error: --clear-semaphores needs the card to be named
    hint: flexctl doctor -d CARD --clear-semaphores
    ");
}

#[test]
fn clearing_free_semaphores_does_nothing() {
    let place = place();
    let run = place.run("doctor -d sim:connectx-4 --clear-semaphores --yes");
    assert_eq!((run.code, run.stderr.as_str()), (0, ""));
}

#[test]
fn a_semaphore_whose_holder_runs_is_not_freed() {
    // The holder that the fault names is a process of this host now and then
    // only; then doctor must not free it.
    let place = place();
    place.answer("sim fault connectx-4 hold-semaphore=icmd");
    let runs = std::path::Path::new("/proc/2989").exists();
    let run = place.run("doctor -d sim:connectx-4 --clear-semaphores --yes");
    assert_eq!(run.code, if runs { 5 } else { 0 }, "{run}");
}
