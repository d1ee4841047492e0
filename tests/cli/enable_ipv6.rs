//! `flexctl enable-ipv6`

use flexctl::sim::Shelf;
use insta::assert_snapshot;

use crate::flexctl::{Place, place};
use crate::ring;

/// Where IP_VER is: profile, place and TLV of port 1 and port 2.
const CONNECTX3: (&str, [&str; 2], &str) = ("connectx-3", ["port1", "port2"], "0x2001");
const CONNECTX4: (&str, [&str; 2], &str) = ("connectx-4", ["function0", "function1"], "0x3000195");

#[test]
fn switches_both_ports_of_a_connectx4() {
    let place = place();
    assert_snapshot!(place.run("enable-ipv6 -d sim:connectx-4"), @"
    exit 0
    --- stdout
    ConnectX-4 at sim:connectx-4
      port 1  enp4s0f0np0  IP_VER  IPv4(0) -> IPv4_IPv6(2)  from the next boot on
      port 2  enp4s0f1np1  IP_VER  IPv4(0) -> IPv4_IPv6(2)  from the next boot on
      written and read back, takes effect at the next boot (values of before: <place>/state/backups/sim-connectx-4.json)
    ");
    assert_eq!(
        place.tlv("connectx-4", "function0", "0x3000195"),
        "00000214"
    );
    assert_eq!(
        place.tlv("connectx-4", "function1", "0x3000195"),
        "00000214"
    );
    assert_eq!(
        place.tlv("connectx-4", "function0", "0x3000221"),
        "a0010001"
    );
}

#[test]
fn switches_both_ports_of_a_connectx3() {
    let place = place();
    assert_snapshot!(place.run("enable-ipv6 -d sim:connectx-3"), @"
    exit 0
    --- stdout
    ConnectX-3 at sim:connectx-3
      port 1  enp5s0    IP_VER  IPv4(0) -> IPv4_IPv6(2)  from the next boot on
      port 2  enp5s0d1  IP_VER  IPv4(0) -> IPv4_IPv6(2)  from the next boot on
      written and read back, takes effect at the next boot (values of before: <place>/state/backups/sim-connectx-3.json)
    ");
    assert_eq!(place.tlv("connectx-3", "port1", "0x2001"), "0000020f");
    assert_eq!(place.tlv("connectx-3", "port2", "0x2001"), "0000020f");
    assert_eq!(place.tlv("connectx-3", "port1", "0x2021"), "80010001");
}

#[test]
fn switches_the_only_port_of_single_port_cards() {
    let place = place();
    assert_snapshot!(place.run("enable-ipv6 -d sim:connectx-3-single-port -d sim:connectx-4-single"), @"
    exit 0
    --- stdout
    ConnectX-3 at sim:connectx-3-single-port
      port 1  enp8s0  IP_VER  IPv4(0) (the card's default) -> IPv4_IPv6(2)  from the next boot on
      written and read back, takes effect at the next boot (values of before: <place>/state/backups/sim-connectx-3-single-port.json)
    ConnectX-4 at sim:connectx-4-single
      port 1  enp11s0np0  IP_VER  IPv4(0) (the card's default) -> IPv4_IPv6(2)  from the next boot on
      written and read back, takes effect at the next boot (values of before: <place>/state/backups/sim-connectx-4-single.json)
    ");
    assert_eq!(place.tlv("connectx-3-single-port", "port2", "0x2001"), "-");
}

#[test]
fn switches_pro_and_lx_cards() {
    let place = place();
    assert_snapshot!(place.run("enable-ipv6 -d sim:connectx-3-pro -d sim:connectx-4-lx"), @"
    exit 0
    --- stdout
    ConnectX-3 Pro at sim:connectx-3-pro
      port 1  enp10s0    IP_VER  IPv4(0) (the card's default) -> IPv4_IPv6(2)  from the next boot on
      port 2  enp10s0d1  IP_VER  IPv4(0) (the card's default) -> IPv4_IPv6(2)  from the next boot on
      written and read back, takes effect at the next boot (values of before: <place>/state/backups/sim-connectx-3-pro.json)
    ConnectX-4 Lx at sim:connectx-4-lx
      port 1  enp17s0f0np0  IP_VER  IPv4(0) -> IPv4_IPv6(2)  from the next boot on
      port 2  enp17s0f1np1  IP_VER  IPv4(0) -> IPv4_IPv6(2)  from the next boot on
      written and read back, takes effect at the next boot (values of before: <place>/state/backups/sim-connectx-4-lx.json)
    ");
}

#[test]
fn names_the_way_in_when_it_shall_say_more() {
    let place = place();
    let run = place.run("enable-ipv6 -v -d sim:connectx-3 -d sim:connectx-3-pro -d sim:connectx-4");
    assert_snapshot!(run.stderr, @"
    0000:05:00.0: way in: BAR0
    0000:0a:00.0: way in: legacy gateway (config space 0x58/0x5c)
    0000:04:00.0: way in: vendor capability
    0000:04:00.1: way in: vendor capability
    ");
}

#[test]
fn every_mode_has_its_number() {
    for (card, ports, kind) in [CONNECTX3, CONNECTX4] {
        let place = place();
        for (mode, digit) in [("ipv4-ipv6", '2'), ("ipv6-ipv4", '3'), ("ipv6", '1')] {
            let run = place.run(&format!("enable-ipv6 -d sim:{card} --mode {mode}"));
            assert_eq!(run.code, 0, "{run}");
            for port in ports {
                let data = place.tlv(card, port, kind);
                assert_eq!(
                    data.chars().nth(5),
                    Some(digit),
                    "{card} {mode} {port}: {data}"
                );
            }
        }
    }
}

#[test]
fn one_port_leaves_the_other_as_it_is() {
    for (card, ports, kind) in [CONNECTX3, CONNECTX4] {
        let place = place();
        let before = place.tlv(card, ports[0], kind);
        let run = place.run(&format!("enable-ipv6 -d sim:{card} --port 2"));
        assert_eq!(run.code, 0, "{run}");
        assert!(!run.stdout.contains("port 1"), "{run}");
        assert_eq!(place.tlv(card, ports[0], kind), before);
        assert_eq!(place.tlv(card, ports[1], kind).chars().nth(5), Some('2'));
        assert_eq!(place.counter(card, "tlv_writes"), 1);
    }
}

#[test]
fn a_port_that_the_card_lacks_is_refused() {
    let place = place();
    assert_snapshot!(place.run("enable-ipv6 -d sim:connectx-4 --port 3"), @"
    exit 3
    --- stderr
    error: 0000:04:00.0: the card has no port 3, only 1 and 2
    hint: leave --port out to mean every port of the card
    ");
    assert_snapshot!(place.run("enable-ipv6 -d sim:connectx-3-single-port --port 2"), @"
    exit 3
    --- stderr
    error: 0000:08:00.0: the card has no port 2, only 1
    hint: leave --port out to mean every port of the card
    ");
    assert_eq!(place.counter("connectx-4", "tlv_writes"), 0);
}

#[test]
fn a_second_run_changes_nothing_and_says_so() {
    for (card, _, _) in [CONNECTX3, CONNECTX4] {
        let place = place();
        let line = format!("enable-ipv6 -d sim:{card} --with-pxe");
        assert_eq!(place.run(&line).code, 0);
        let before = place.state(card);
        let second = place.run(&line);
        assert_eq!(second.code, 0, "{second}");
        assert!(second.stdout.contains("nothing to do"), "{second}");
        let after = place.state(card);
        assert_eq!(after["settings"], before["settings"]);
        assert_eq!(
            after["counters"]["tlv_writes"],
            before["counters"]["tlv_writes"]
        );
        assert_eq!(place.run(&format!("{line} --dry-run --exit-code")).code, 0);
    }
}

#[test]
fn a_factory_card_keeps_its_defaults_for_everything_else() {
    let place = place();
    assert_snapshot!(place.run("enable-ipv6 -d sim:connectx-3-factory"), @"
    exit 0
    --- stdout
    ConnectX-3 at sim:connectx-3-factory
      port 1  enp6s0    IP_VER  IPv4(0) (the card's default) -> IPv4_IPv6(2)  from the next boot on
      port 2  enp6s0d1  IP_VER  IPv4(0) (the card's default) -> IPv4_IPv6(2)  from the next boot on
      written and read back, takes effect at the next boot (values of before: <place>/state/backups/sim-connectx-3-factory.json)
    ");
    // The default link-up timeout of 20 (0x14) is written down beside the mode.
    assert_eq!(
        place.tlv("connectx-3-factory", "port1", "0x2001"),
        "00000214"
    );
    assert_eq!(
        place.tlv("connectx-3-factory", "port2", "0x2001"),
        "00000214"
    );
    // Boot protocol and option ROM switch rest on their defaults.
    assert_eq!(place.tlv("connectx-3-factory", "port1", "0x2021"), "-");

    assert_eq!(place.run("enable-ipv6 -d sim:connectx-4-factory").code, 0);
    assert_eq!(
        place.tlv("connectx-4-factory", "function0", "0x3000195"),
        "00000214"
    );
    assert_eq!(
        place.tlv("connectx-4-factory", "function1", "0x3000195"),
        "00000214"
    );
    assert_eq!(
        place.tlv("connectx-4-factory", "function0", "0x3000221"),
        "-"
    );
}

#[test]
fn a_factory_card_with_pxe_wanted_has_nothing_more_to_set() {
    let place = place();
    for card in ["connectx-3-factory", "connectx-4-factory"] {
        let run = place.run(&format!("enable-ipv6 -d sim:{card} --with-pxe"));
        assert_eq!(run.code, 0, "{run}");
        assert_eq!(place.counter(card, "tlv_writes"), 2);
    }
}

#[test]
fn bits_that_nobody_knows_are_kept() {
    let place = place();
    place.answer("sim seed connectx-3 0x2001 --modifier 1 fc0000ff");
    place.answer("sim seed connectx-3 0x2001 --modifier 2 03fff8a5");
    assert_eq!(place.run("enable-ipv6 -d sim:connectx-3").code, 0);
    assert_eq!(place.tlv("connectx-3", "port1", "0x2001"), "fc0002ff");
    assert_eq!(place.tlv("connectx-3", "port2", "0x2001"), "03fffaa5");

    place.answer("sim seed connectx-4 0x03000195 fff0fc14");
    place.answer("sim seed connectx-4 0x03000195 --function 1 0a5a5814");
    assert_eq!(
        place
            .run("enable-ipv6 -d sim:connectx-4 --mode ipv6-ipv4")
            .code,
        0
    );
    assert_eq!(
        place.tlv("connectx-4", "function0", "0x3000195"),
        "fff0ff14"
    );
    assert_eq!(
        place.tlv("connectx-4", "function1", "0x3000195"),
        "0a5a5b14"
    );
}

/// Boot protocol None (0) and, on ConnectX-3, the option ROM off.
fn without_pxe(place: &Place) {
    place.answer("sim seed connectx-3 0x2021 --modifier 1 00000001");
    place.answer("sim seed connectx-4 0x03000221 a0000001");
}

#[test]
fn says_what_else_stands_in_the_way() {
    let place = place();
    without_pxe(&place);
    assert_snapshot!(place.run("enable-ipv6 -d sim:connectx-3 --dry-run"), @"
    exit 0
    --- stdout
    ConnectX-3 at sim:connectx-3
      port 1  enp5s0    IP_VER  IPv4(0) -> IPv4_IPv6(2)  from the next boot on
      port 2  enp5s0d1  IP_VER  IPv4(0) -> IPv4_IPv6(2)  from the next boot on
      port 1: in the way: its boot protocol is None(0), not PXE: --with-pxe sets it
      port 1: in the way: its option ROM is switched off: --with-pxe switches it on
      dry run: nothing was written
    ");
    assert_snapshot!(place.run("enable-ipv6 -d sim:connectx-4 --dry-run"), @"
    exit 0
    --- stdout
    ConnectX-4 at sim:connectx-4
      port 1  enp4s0f0np0  IP_VER  IPv4(0) -> IPv4_IPv6(2)  from the next boot on
      port 2  enp4s0f1np1  IP_VER  IPv4(0) -> IPv4_IPv6(2)  from the next boot on
      port 1: in the way: its boot protocol is None(0), not PXE: --with-pxe sets it
      dry run: nothing was written
    ");
}

#[test]
fn with_pxe_sets_boot_protocol_and_option_rom_too() {
    let place = place();
    without_pxe(&place);
    let both = "enable-ipv6 -d sim:connectx-3 -d sim:connectx-4 --with-pxe";
    assert_snapshot!(place.run(both), @"
    exit 0
    --- stdout
    ConnectX-3 at sim:connectx-3
      port 1  enp5s0    LEGACY_BOOT_PROTOCOL  None(0) -> PXE(1)        from the next boot on
      port 1  enp5s0    BOOT_OPTION_ROM_EN    False(0) -> True(1)      from the next boot on
      port 1  enp5s0    IP_VER                IPv4(0) -> IPv4_IPv6(2)  from the next boot on
      port 2  enp5s0d1  BOOT_OPTION_ROM_EN    True(1) (stays)
      port 2  enp5s0d1  IP_VER                IPv4(0) -> IPv4_IPv6(2)  from the next boot on
      written and read back, takes effect at the next boot (values of before: <place>/state/backups/sim-connectx-3.json)
    ConnectX-4 at sim:connectx-4
      port 1  enp4s0f0np0  LEGACY_BOOT_PROTOCOL  None(0) -> PXE(1)        from the next boot on
      port 1  enp4s0f0np0  IP_VER                IPv4(0) -> IPv4_IPv6(2)  from the next boot on
      port 2  enp4s0f1np1  IP_VER                IPv4(0) -> IPv4_IPv6(2)  from the next boot on
      written and read back, takes effect at the next boot (values of before: <place>/state/backups/sim-connectx-4.json)
    ");
    assert_eq!(place.tlv("connectx-3", "port1", "0x2021"), "80010001");
    assert_eq!(
        place.tlv("connectx-4", "function0", "0x3000221"),
        "a0010001"
    );

    let writes = |card| place.counter(card, "tlv_writes");
    let before = [writes("connectx-3"), writes("connectx-4")];
    assert_snapshot!(place.run(both), @"
    exit 0
    --- stdout
    ConnectX-3 at sim:connectx-3
      port 1  enp5s0    BOOT_OPTION_ROM_EN  True(1) (stays)
      port 1  enp5s0    IP_VER              IPv4_IPv6(2) (stays)
      port 2  enp5s0d1  BOOT_OPTION_ROM_EN  True(1) (stays)
      port 2  enp5s0d1  IP_VER              IPv4_IPv6(2) (stays)
      nothing to do: the card holds this already
    ConnectX-4 at sim:connectx-4
      port 1  enp4s0f0np0  IP_VER  IPv4_IPv6(2) (stays)
      port 2  enp4s0f1np1  IP_VER  IPv4_IPv6(2) (stays)
      nothing to do: the card holds this already
    ");
    assert_eq!([writes("connectx-3"), writes("connectx-4")], before);
}

#[test]
fn a_reserved_value_is_not_written_over_unless_allowed() {
    let place = place();
    // Boot protocol 4 has no meaning on a ConnectX-3 in any source.
    place.answer("sim seed connectx-3 0x2021 --modifier 2 80040001");
    let before = place.state("connectx-3");
    assert_snapshot!(place.run("enable-ipv6 -d sim:connectx-3"), @"
    exit 5
    --- stderr
    error: 0000:05:00.0: port 2: LEGACY_BOOT_PROTOCOL in BOOT_SETTINGS (0x2021/2) holds 4, which no source defines
    hint: nothing was changed; --allow-reserved goes on all the same, and with --with-pxe it replaces the value
    ");
    let after = place.state("connectx-3");
    assert_eq!(after["settings"], before["settings"]);
    assert_eq!(after["counters"]["tlv_writes"], 0);

    assert_snapshot!(place.run("enable-ipv6 -d sim:connectx-3 --allow-reserved"), @"
    exit 0
    --- stdout
    ConnectX-3 at sim:connectx-3
      port 1  enp5s0    IP_VER  IPv4(0) -> IPv4_IPv6(2)  from the next boot on
      port 2  enp5s0d1  IP_VER  IPv4(0) -> IPv4_IPv6(2)  from the next boot on
      port 2: to check: LEGACY_BOOT_PROTOCOL holds 4, which no source defines
      written and read back, takes effect at the next boot (values of before: <place>/state/backups/sim-connectx-3.json)
    ");
    assert_eq!(place.tlv("connectx-3", "port2", "0x2021"), "80040001");
    assert_eq!(place.tlv("connectx-3", "port2", "0x2001"), "0000020f");

    let run = place.run("enable-ipv6 -d sim:connectx-3 --allow-reserved --with-pxe");
    assert_eq!(run.code, 0, "{run}");
    assert_eq!(place.tlv("connectx-3", "port2", "0x2021"), "80010001");
}

#[test]
fn a_card_that_does_not_offer_the_setting_is_refused() {
    let place = place();
    assert_snapshot!(place.run("enable-ipv6 -d sim:connectx-4-no-ip-ver"), @"
    exit 5
    --- stderr
    error: 0000:0d:00.0: the card does not offer IP_VER: nv_rom_cap.boot_ip_ver is 0
    hint: the card's firmware is too old for this setting; update it (`flexctl burn` takes firmware images), then try again
    ");
    assert_snapshot!(place.run("enable-ipv6 -d sim:connectx-3-old-rom"), @"
    exit 5
    --- stderr
    error: 0000:07:00.0: the card does not offer IP_VER: boot_ip_ver in QUERY_DEF_PARAMS is 0
    hint: the card's firmware is too old for this setting; update it (`flexctl burn` takes firmware images), then try again
    ");
    assert_eq!(place.counter("connectx-4-no-ip-ver", "tlv_writes"), 0);
    assert_eq!(place.counter("connectx-3-old-rom", "tlv_writes"), 0);
    let allowed = place.run("enable-ipv6 -d sim:connectx-4-no-ip-ver --allow-reserved --yes");
    assert_eq!(allowed.code, 5, "no flag opens this door: {allowed}");
}

#[test]
fn a_card_with_corrupt_settings_is_left_alone() {
    let place = place();
    assert_snapshot!(place.run("enable-ipv6 -d sim:connectx-3-corrupt"), @"
    exit 7
    --- stderr
    error: 0000:09:00.0: port 1: reading BOOT_SETTINGS_EXTRAS (0x2001/1) was answered with: configuration corrupt (0x22)
    hint: the card's settings store is damaged; owners of single-port ConnectX-3 cards report that resetting and burning do not mend it. Nothing was changed
    ");
    assert_eq!(place.counter("connectx-3-corrupt", "tlv_writes"), 0);
}

#[test]
fn an_ipxe_without_a_version_record_is_to_be_checked() {
    let place = place();
    assert_snapshot!(place.run("enable-ipv6 -d sim:connectx-4-upstream-ipxe"), @"
    exit 0
    --- stdout
    ConnectX-4 at sim:connectx-4-upstream-ipxe
      port 1  enp15s0f0  IP_VER  IPv4(0) -> IPv4_IPv6(2)  from the next boot on
      port 2  enp15s0f1  IP_VER  IPv4(0) -> IPv4_IPv6(2)  from the next boot on
      to check: whether its ROM knows IPv6 cannot be told: it is an iPXE, but no FlexBoot version record shows (upstream iPXE has none and does not look at IP_VER; a record behind the last image is hidden by the kernel)
      written and read back, takes effect at the next boot (values of before: <place>/state/backups/sim-connectx-4-upstream-ipxe.json)
    ");
}

#[test]
fn an_infiniband_port_is_in_the_way() {
    let place = place();
    assert_snapshot!(place.run("enable-ipv6 -d sim:connectx-4-ib"), @"
    exit 0
    --- stdout
    ConnectX-4 at sim:connectx-4-ib
      port 1  ibp14s0f0  IP_VER  IPv4(0) -> IPv4_IPv6(2)  from the next boot on
      port 2  ibp14s0f1  IP_VER  IPv4(0) -> IPv4_IPv6(2)  from the next boot on
      in the way: it is an InfiniBand port: FlexBoot boots those over IPv4 only
      written and read back, takes effect at the next boot (values of before: <place>/state/backups/sim-connectx-4-ib.json)
    ");
}

#[test]
fn a_host_booted_by_uefi_is_in_the_way() {
    let place = place();
    place.booted_by_uefi();
    assert_snapshot!(place.run("enable-ipv6 -d sim:connectx-4"), @"
    exit 0
    --- stdout
    ConnectX-4 at sim:connectx-4
      port 1  enp4s0f0np0  IP_VER  IPv4(0) -> IPv4_IPv6(2)  from the next boot on
      port 2  enp4s0f1np1  IP_VER  IPv4(0) -> IPv4_IPv6(2)  from the next boot on
      in the way: this host was booted by UEFI, where FlexBoot (a BIOS ROM) does not run: enable legacy boot (CSM), or use the platform's own IPv6 PXE switch
      written and read back, takes effect at the next boot (values of before: <place>/state/backups/sim-connectx-4.json)
    ");
}

#[test]
fn a_dry_run_writes_nothing_and_tells_scripts() {
    for (card, _, _) in [CONNECTX3, CONNECTX4] {
        let place = place();
        let before = place.state(card)["settings"].clone();
        let dry = place.run(&format!("enable-ipv6 -d sim:{card} --dry-run"));
        assert_eq!(dry.code, 0, "{dry}");
        assert!(
            dry.stdout.ends_with("dry run: nothing was written\n"),
            "{dry}"
        );
        assert_eq!(
            place
                .run(&format!("enable-ipv6 -d sim:{card} --dry-run --exit-code"))
                .code,
            9
        );
        let after = place.state(card);
        assert_eq!(after["settings"], before);
        assert_eq!(after["counters"]["tlv_writes"], 0);
        assert!(
            !place.path("state").exists(),
            "no record of what was not begun"
        );
        assert!(!place.path("run").exists(), "nothing to lock");
    }
}

#[test]
fn one_of_several_cards_fails_and_the_others_are_done() {
    let place = place();
    let cards = "-d sim:connectx-4 -d sim:connectx-3-corrupt -d sim:connectx-3";
    assert_snapshot!(place.run(&format!("enable-ipv6 {cards}")), @"
    exit 8
    --- stdout
    ConnectX-4 at sim:connectx-4
      port 1  enp4s0f0np0  IP_VER  IPv4(0) -> IPv4_IPv6(2)  from the next boot on
      port 2  enp4s0f1np1  IP_VER  IPv4(0) -> IPv4_IPv6(2)  from the next boot on
      written and read back, takes effect at the next boot (values of before: <place>/state/backups/sim-connectx-4.json)
    ConnectX-3 at sim:connectx-3
      port 1  enp5s0    IP_VER  IPv4(0) -> IPv4_IPv6(2)  from the next boot on
      port 2  enp5s0d1  IP_VER  IPv4(0) -> IPv4_IPv6(2)  from the next boot on
      written and read back, takes effect at the next boot (values of before: <place>/state/backups/sim-connectx-3.json)
    --- stderr
    error: 0000:09:00.0: port 1: reading BOOT_SETTINGS_EXTRAS (0x2001/1) was answered with: configuration corrupt (0x22)
    hint: the card's settings store is damaged; owners of single-port ConnectX-3 cards report that resetting and burning do not mend it. Nothing was changed
    ");
    assert_eq!(place.tlv("connectx-3", "port2", "0x2001"), "0000020f");
}

#[test]
fn cards_that_all_fail_alike_share_their_code() {
    let place = place();
    let run = place.run("enable-ipv6 -d sim:connectx-4-no-ip-ver -d sim:connectx-3-old-rom");
    assert_eq!(run.code, 5, "{run}");
}

#[test]
fn a_dry_run_over_several_cards_differs_when_one_does() {
    let place = place();
    assert_eq!(place.run("enable-ipv6 -d sim:connectx-4").code, 0);
    let run = place.run("enable-ipv6 -d sim:connectx-4 -d sim:connectx-3 --dry-run --exit-code");
    assert_eq!(run.code, 9, "{run}");
}

#[test]
fn a_card_named_twice_is_done_once() {
    let place = place();
    let run = place.run("enable-ipv6 -d sim:connectx-4 -d sim:connectx-4");
    assert_eq!(run.stdout.matches("ConnectX-4 at").count(), 1, "{run}");
}

#[test]
fn another_run_on_the_same_card_is_waited_for_and_named() {
    let place = place();
    std::fs::create_dir_all(place.path("run")).unwrap();
    let path = place.path("run").join("sim-connectx-4.lock");
    let lock = std::fs::File::create(&path).unwrap();
    lock.lock().unwrap();
    std::fs::write(&path, "4711\n").unwrap();
    assert_snapshot!(place.run("enable-ipv6 -d sim:connectx-4"), @"
    exit 1
    --- stderr
    error: another flexctl (process <number>) is at work on sim:connectx-4, waited 10s
    hint: wait for it to end, then run this again
    ");
    assert_eq!(place.counter("connectx-4", "tlv_writes"), 0);
    drop(lock);
    assert_eq!(place.run("enable-ipv6 -d sim:connectx-4").code, 0);
}

#[test]
fn a_record_that_cannot_be_written_stops_the_run_before_the_card_is_touched() {
    let place = place();
    std::fs::write(place.path("state"), "a file, not a folder").unwrap();
    assert_snapshot!(place.run("enable-ipv6 -d sim:connectx-4"), @"
    exit 1
    --- stderr
    error: cannot read `<place>/state/transactions/sim-connectx-4.json`
    caused by: Not a directory (os error 20)
    hint: FLEXCTL_STATE_DIR names another folder for the records of transactions
    ");
    assert_eq!(place.counter("connectx-4", "tlv_writes"), 0);
}

#[test]
fn the_values_of_before_are_kept() {
    let place = place();
    assert_eq!(place.run("enable-ipv6 -d sim:connectx-4").code, 0);
    let backup = place.path("state").join("backups/sim-connectx-4.json");
    let record: serde_json::Value =
        serde_json::from_str(&std::fs::read_to_string(backup).unwrap()).unwrap();
    assert_eq!(record["schema"], "flexctl.change/2");
    assert_eq!(record["tlvs"][0]["before"], "00000014");
    assert_eq!(record["tlvs"][1]["after"], "00000214");
    let transactions = place.path("state").join("transactions");
    assert_eq!(std::fs::read_dir(transactions).unwrap().count(), 0);
}

#[test]
fn quiet_keeps_the_answer() {
    let place = place();
    let run = place.run("enable-ipv6 -q -d sim:connectx-4");
    assert_eq!((run.code, run.stderr.as_str()), (0, ""));
    assert!(run.stdout.contains("IPv4(0) -> IPv4_IPv6(2)"), "{run}");
}

/// A ROM of Debian's with IPv6, made one for the device.
fn debian_rom(place: &Place, device: u16) -> Option<String> {
    let rom = "/usr/lib/ipxe/qemu/pxe-virtio.rom";
    if ring::skipped("debian-roms", &[ring::Need::File(rom, "ipxe-qemu")]) {
        return None;
    }
    let made = place.path("debian.rom").display().to_string();
    let patch = format!("rom patch {rom} --device-id {device:#x} --version 3.4.999 -o {made}");
    assert_eq!(place.run(&patch).code, 0);
    Some(made)
}

#[test]
fn a_rom_that_is_too_old_is_replaced_before_the_setting() {
    for (card, device) in [
        ("connectx-3-rom-behind", 0x1003),
        ("connectx-4-rom-behind", 0x1013),
    ] {
        let place = place();
        let Some(rom) = debian_rom(&place, device) else {
            return;
        };
        let command = format!("enable-ipv6 -d sim:{card} --burn-rom {rom} --no-backup");
        // The Debian ROM has no UEFI image, the card's has one on ConnectX-4.
        let command = if device == 0x1013 {
            let run = place.run(&command);
            assert_eq!(run.code, 5, "{run}");
            assert!(run.stderr.contains("--allow-lost-image"), "{run}");
            format!("{command} --allow-lost-image")
        } else {
            command
        };
        let planned = place.run(&format!("{command} --dry-run --exit-code"));
        assert_eq!(planned.code, 9, "{planned}");
        let opened = Shelf::open(place.path("sim")).card(card).unwrap();
        assert_eq!(opened.flash_counters().operations(), 0);
        drop(opened);
        if device == 0x1003 {
            assert_snapshot!(place.answer(&command), @"
            ConnectX-3 at sim:connectx-3-rom-behind
              burn              expansion ROM <place>/debian.rom
              firmware          2.42.5000 (stays)
              expansion ROM     PXE 3.4.648 -> PXE 3.4.999
              IPv6 in its code  yes, also without the setting IP_VER
              goes to           0x00080000 (the image at 0x00000000 starts until all is verified)
              flash             Winbond W25Q16, 2.00 MiB, by SPI gateway (CR 0xf0400)
              writes            360 pages programmed (88.93 KiB); the chip takes about a second
              stays             GUIDs and MACs, settings store
              not covered: a new ROM that hangs the host while it starts: the card boots, the host does not
              the way back: burn the old image again: no copy of the flash is made (--no-backup)
              the way back: if the host hangs at the new ROM: switch the slot's option ROM off in its BIOS setup, start it by UEFI, or put the card into another host, and do that there
            ConnectX-3 at sim:connectx-3-rom-behind
              port 1  enp31s0    IP_VER  IPv4(0) -> IPv4_IPv6(2)  from the next boot on
              port 2  enp31s0d1  IP_VER  IPv4(0) -> IPv4_IPv6(2)  from the next boot on
              written, read back and switched over, starts at the next boot of the host (switch it off and on to be sure)
              the way back: burn the old image again: no copy of the flash is made (--no-backup)
              written and read back, takes effect at the next boot (values of before: <place>/state/backups/sim-connectx-3-rom-behind.json)
            ");
        } else {
            let document = place.document(&command);
            let changed = &document["cards"][0];
            assert_eq!(changed["outcome"], "changed");
            assert_eq!(changed["burn"]["outcome"], "burned");
            assert_eq!(changed["rom"]["ipv6"], true);
        }
        place.run(&format!("sim reboot {card}"));
        let opened = Shelf::open(place.path("sim")).card(card).unwrap();
        let boot = opened.boot();
        let image = boot.image().unwrap();
        assert_eq!(image.slot, 1);
        assert_eq!(image.rom, std::fs::read(&rom).ok());
        drop(opened);
        let shown = place.answer(&format!("list -d sim:{card}"));
        assert!(
            shown.contains("ipv4-ipv6") || shown.contains("IPv4_IPv6"),
            "{shown}"
        );
        // The card has what it needs: nothing is burned again.
        let again = place.run(&command);
        assert!(
            again.stdout.contains("--burn-rom has nothing to do"),
            "{again}"
        );
        assert!(
            again
                .stdout
                .contains("nothing to do: the card holds this already"),
            "{again}"
        );
    }
}

#[test]
fn a_rom_without_proof_is_not_burned_and_no_setting_changes() {
    let place = place();
    let text = "format = 'option-rom'\nvendor_id = 0x15b3\ndevice_id = 0x1003\n\
                record = [{ version = '3.4.999' }]\n\
                [[image]]\ncontents = { random = 9, size = 0x1800 }";
    let rom = place.path("new.rom");
    std::fs::write(&rom, flexctl::image::build::build(text).unwrap()).unwrap();
    let rom = rom.display();
    let command = format!("enable-ipv6 -d sim:connectx-3-rom-behind --burn-rom {rom} --no-backup");
    assert_snapshot!(place.run(&command), @"
    exit 5
    --- stdout
    ConnectX-3 at sim:connectx-3-rom-behind
      burn           expansion ROM <place>/new.rom
      firmware       2.42.5000 (stays)
      expansion ROM  PXE 3.4.648 -> PXE 3.4.999
      goes to        0x00080000 (the image at 0x00000000 starts until all is verified)
      flash          Winbond W25Q16, 2.00 MiB, by SPI gateway (CR 0xf0400)
      stays          GUIDs and MACs, settings store
      not covered: a new ROM that hangs the host while it starts: the card boots, the host does not
    --- stderr
    error: IPv6 was promised, and nothing shows that the ROM has IPv6: the image is neither iPXE nor FlexBoot, and nothing is known of others (expected yes, found cannot tell)
    hint: nothing was written; no option lets this pass: mend what the message names, or take another file
    ");
    assert_eq!(place.counter("connectx-3-rom-behind", "tlv_writes"), 0);
    let card = Shelf::open(place.path("sim"))
        .card("connectx-3-rom-behind")
        .unwrap();
    assert_eq!(card.flash_counters().operations(), 0);
}

#[test]
fn firmware_without_the_setting_is_told_before_a_rom_is_burned() {
    let place = place();
    let Some(rom) = debian_rom(&place, 0x1003) else {
        return;
    };
    let command = format!("enable-ipv6 -d sim:connectx-3-old-rom --burn-rom {rom} --no-backup");
    assert_snapshot!(place.run(&command), @"
    exit 5
    --- stderr
    error: 0000:07:00.0: the card does not offer IP_VER: boot_ip_ver in QUERY_DEF_PARAMS is 0
    hint: the card's firmware is too old for this setting; update it (`flexctl burn` takes firmware images), then try again
    ");
    let card = Shelf::open(place.path("sim"))
        .card("connectx-3-old-rom")
        .unwrap();
    assert_eq!(card.flash_counters().operations(), 0);
}

#[test]
fn a_rom_is_burned_onto_named_cards_only() {
    let place = place();
    assert_snapshot!(place.run("enable-ipv6 --burn-rom nothing.rom"), @"
    exit 2
    --- stderr
    error: no card is named to be burned
    hint: name it with --device; `flexctl list` shows cards
    ");
    assert_snapshot!(place.run("enable-ipv6 -d sim:connectx-3 --burn-rom nothing.rom"), @"
    exit 1
    --- stderr
    error: nothing.rom: cannot read the file
    caused by: No such file or directory (os error 2)
    hint: name an expansion ROM, or - for stdin
    ");
}
