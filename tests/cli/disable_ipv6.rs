//! `flexctl disable-ipv6`

use insta::assert_snapshot;

use crate::flexctl::place;

#[test]
fn brings_both_generations_back_to_ipv4() {
    let place = place();
    let both = "-d sim:connectx-3 -d sim:connectx-4";
    assert_eq!(
        place.run(&format!("enable-ipv6 {both} --mode ipv6")).code,
        0
    );
    assert_snapshot!(place.run(&format!("disable-ipv6 {both}")), @"
    exit 0
    --- stdout
    ConnectX-3 at sim:connectx-3
      port 1  enp5s0    IP_VER  IPv6(1) -> IPv4(0)  from the next boot on
      port 2  enp5s0d1  IP_VER  IPv6(1) -> IPv4(0)  from the next boot on
      written and read back, takes effect at the next boot (values of before: <place>/state/backups/sim-connectx-3.json)
    ConnectX-4 at sim:connectx-4
      port 1  enp4s0f0np0  IP_VER  IPv6(1) -> IPv4(0)  from the next boot on
      port 2  enp4s0f1np1  IP_VER  IPv6(1) -> IPv4(0)  from the next boot on
      written and read back, takes effect at the next boot (values of before: <place>/state/backups/sim-connectx-4.json)
    ");
    assert_eq!(place.tlv("connectx-3", "port1", "0x2001"), "0000000f");
    assert_eq!(
        place.tlv("connectx-4", "function1", "0x3000195"),
        "00000014"
    );
}

#[test]
fn has_nothing_to_do_on_a_card_that_boots_ipv4() {
    let place = place();
    assert_snapshot!(place.run("disable-ipv6 -d sim:connectx-3-factory"), @"
    exit 0
    --- stdout
    ConnectX-3 at sim:connectx-3-factory
      port 1  enp6s0    IP_VER  IPv4(0) (the card's default) (stays)
      port 2  enp6s0d1  IP_VER  IPv4(0) (the card's default) (stays)
      nothing to do: the card holds this already
    ");
    assert_eq!(place.counter("connectx-3-factory", "tlv_writes"), 0);
    assert_eq!(place.tlv("connectx-3-factory", "port1", "0x2001"), "-");
}

#[test]
fn one_port_leaves_the_other_as_it_is() {
    let place = place();
    assert_eq!(place.run("enable-ipv6 -d sim:connectx-4").code, 0);
    assert_eq!(place.run("disable-ipv6 -d sim:connectx-4 --port 1").code, 0);
    assert_eq!(
        place.tlv("connectx-4", "function0", "0x3000195"),
        "00000014"
    );
    assert_eq!(
        place.tlv("connectx-4", "function1", "0x3000195"),
        "00000214"
    );
}

#[test]
fn does_not_look_at_the_expansion_rom() {
    let place = place();
    place.booted_by_uefi();
    assert_eq!(place.run("enable-ipv6 -d sim:connectx-4").code, 0);
    let enables = place.counter("connectx-4", "rom_enables");
    let run = place.run("disable-ipv6 -d sim:connectx-4");
    assert!(!run.stdout.contains("in the way"), "{run}");
    assert_eq!(place.counter("connectx-4", "rom_enables"), enables);
}

#[test]
fn a_dry_run_differs_when_ipv6_is_on() {
    let place = place();
    let dry = "disable-ipv6 -d sim:connectx-4 --dry-run --exit-code";
    assert_eq!(place.run(dry).code, 0);
    assert_eq!(place.run("enable-ipv6 -d sim:connectx-4").code, 0);
    assert_eq!(place.run(dry).code, 9);
    assert_eq!(
        place.tlv("connectx-4", "function0", "0x3000195"),
        "00000214"
    );
}

#[test]
fn has_no_modes_and_no_pxe() {
    let place = place();
    assert_eq!(
        place.run("disable-ipv6 -d sim:connectx-4 --mode ipv6").code,
        2
    );
    assert_eq!(
        place.run("disable-ipv6 -d sim:connectx-4 --with-pxe").code,
        2
    );
}
