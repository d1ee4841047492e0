//! `flexctl list`

use std::fs;
use std::os::unix::fs::symlink;
use std::time::{Duration, Instant};

use insta::assert_snapshot;

use crate::flexctl::place;
use crate::hosts::{ids, write};

#[test]
fn shows_both_generations_with_one_and_two_ports() {
    let place = place();
    place.answer("enable-ipv6 -d sim:connectx-4 --port 2 --mode ipv6");
    let run = place.run(
        "list -d sim:connectx-3 -d sim:connectx-3-single-port -d sim:connectx-3-pro \
         -d sim:connectx-4 -d sim:connectx-4-single -d sim:connectx-4-lx",
    );
    assert_snapshot!(run, @"
    exit 0
    --- stdout
    CARD                        MODEL           FIRMWARE    PORT  INTERFACE     IPV6 BOOT
    sim:connectx-3              ConnectX-3      2.42.5000   1     enp5s0        off
                                                            2     enp5s0d1      off
    sim:connectx-3-single-port  ConnectX-3      2.42.5000   1     enp8s0        off, by default
    sim:connectx-3-pro          ConnectX-3 Pro  2.42.5000   1     enp10s0       off, by default
                                                            2     enp10s0d1     off, by default
    sim:connectx-4              ConnectX-4      12.28.2006  1     enp4s0f0np0   off
                                                            2     enp4s0f1np1   on (ipv6)
    sim:connectx-4-single       ConnectX-4      12.28.2006  1     enp11s0np0    off, by default
    sim:connectx-4-lx           ConnectX-4 Lx   14.28.2006  1     enp17s0f0np0  off
                                                            2     enp17s0f1np1  off
    ");
}

#[test]
fn shows_what_keeps_it_from_telling() {
    let place = place();
    let run = place.run(
        "list -d sim:connectx-3-corrupt -d sim:connectx-4-no-ip-ver -d sim:connectx-3-old-rom",
    );
    assert_snapshot!(run, @"
    exit 0
    --- stdout
    CARD                      MODEL       FIRMWARE    PORT  INTERFACE  IPV6 BOOT
    sim:connectx-3-corrupt    ConnectX-3  2.35.5100   1     enp9s0     cannot tell: the card answered: configuration corrupt (0x22)
    sim:connectx-4-no-ip-ver  ConnectX-4  12.28.2006  1     enp13s0f0  not offered: nv_rom_cap.boot_ip_ver is 0
                                                      2     enp13s0f1  not offered: nv_rom_cap.boot_ip_ver is 0
    sim:connectx-3-old-rom    ConnectX-3  2.35.5100   1     enp7s0     not offered: boot_ip_ver in QUERY_DEF_PARAMS is 0
                                                      2     enp7s0d1   not offered: boot_ip_ver in QUERY_DEF_PARAMS is 0
    ");
}

#[test]
fn a_host_without_cards_is_told_apart() {
    let place = place();
    place.host.bridge("0000:00:00.0");
    assert_snapshot!(place.run("list"), @"
    exit 3
    --- stderr
    error: no Mellanox card was found under `<sysfs>`
    hint: lspci -d 15b3: shows what the host sees; sim:connectx-4 is a virtual card to try
    ");
    assert_eq!(place.run("list --no-open").code, 3);
}

#[test]
fn a_host_without_pci_is_told_apart() {
    let place = place();
    fs::remove_dir_all(place.host.path().join("bus")).unwrap();
    assert_snapshot!(place.run("list"), @"
    exit 3
    --- stderr
    error: cannot list the PCI functions in <sysfs>/bus/pci/devices
    caused by: No such file or directory (os error 2)
    hint: is sysfs mounted? --sysfs-root names another place to look
    ");
}

#[test]
fn opens_nothing_when_told_so() {
    let place = place();
    place.host.connectx3("0000:04:00.0");
    for function in ["0000:81:00.0", "0000:81:00.1"] {
        place.host.connectx4(function);
    }
    // Nothing that could be opened is there, and nothing is missed.
    assert_snapshot!(place.run("list --no-open"), @"
    exit 0
    --- stdout
    CARD          MODEL       DRIVER     INTERFACES
    0000:04:00.0  ConnectX-3  mlx4_core  eth4,eth10
    0000:81:00.0  ConnectX-4  mlx5_core  enp1s0,enp1s0
    ");
    let sim = place.run("list --no-open -d sim:connectx-4");
    assert_eq!(sim.code, 0, "{sim}");
    assert_eq!(place.counter("connectx-4", "config_reads"), 0);
}

#[test]
fn lists_every_kind_of_card_with_its_virtual_functions() {
    let place = place();
    let host = &place.host;
    host.connectx4("0000:81:00.0");
    for number in 1..=2 {
        let address = format!("0000:81:00.{number}");
        let function = host.function(&address);
        ids(&function, [0x15b3, 0x1014, 0x15b3, 0x0008]);
        symlink("../0000:81:00.0", function.join("physfn")).unwrap();
    }
    for (address, device) in [
        ("0000:05:00.0", 0x01f6),
        ("0000:06:00.0", 0x0209),
        ("0000:07:00.0", 0x1017),
        ("0000:08:00.0", 0x1004),
        ("0000:09:00.0", 0x1007),
        ("0000:0a:00.0", 0x1015),
        ("0000:0b:00.0", 0xbeef),
    ] {
        ids(&host.function(address), [0x15b3, device, 0x15b3, 0x0003]);
    }
    assert_snapshot!(place.run("list --no-open"), @"
    exit 0
    --- stdout
    CARD          MODEL                              DRIVER     INTERFACES
    0000:05:00.0  ConnectX-3 in flash-recovery mode  -          -
    0000:06:00.0  ConnectX-4 in flash-recovery mode  -          -
    0000:07:00.0  MT27800 Family [ConnectX-5]        -          -
    0000:08:00.0  ConnectX-3 virtual function        -          -
    0000:09:00.0  ConnectX-3 Pro                     -          -
    0000:0a:00.0  ConnectX-4 Lx                      -          -
    0000:0b:00.0  unknown device 15b3:beef           -          -
    0000:81:00.0  ConnectX-4                         mlx5_core  enp1s0
                                                                2 virtual functions 0000:81:00.1 to 0000:81:00.2
    ");
}

#[test]
fn says_of_each_card_why_it_is_not_opened() {
    let place = place();
    for (address, device) in [
        ("0000:05:00.0", 0x0209),
        ("0000:07:00.0", 0x1017),
        ("0000:08:00.0", 0x1014),
    ] {
        ids(
            &place.host.function(address),
            [0x15b3, device, 0x15b3, 0x0003],
        );
    }
    assert_snapshot!(place.run("list"), @"
    exit 0
    --- stdout
    CARD          MODEL                              FIRMWARE  PORT  INTERFACE  IPV6 BOOT
    0000:05:00.0  ConnectX-4 in flash-recovery mode  -         -     -          waits for firmware (flash recovery)
    0000:07:00.0  MT27800 Family [ConnectX-5]        -         -     -          not supported by flexctl
    0000:08:00.0  ConnectX-4 virtual function        -         -     -          virtual function: its settings belong to the host
    ");
}

#[test]
fn an_attribute_that_cannot_be_read_is_listed_with_the_reason() {
    let place = place();
    let odd = place.host.connectx3("0000:04:00.0");
    write(&odd, "class", "net\n");
    fs::remove_file(odd.join("net/eth10/address")).unwrap();
    symlink("nowhere", odd.join("net/eth4/operstate")).unwrap();
    place.host.connectx4("0000:81:00.0");
    assert_snapshot!(place.run("list --no-open"), @"
    exit 0
    --- stdout
    CARD          MODEL       DRIVER     INTERFACES
    0000:04:00.0  ConnectX-3  mlx4_core  eth4,eth10
    0000:81:00.0  ConnectX-4  mlx5_core  enp1s0
    --- stderr
    0000:04:00.0: net/eth10/address: the host does not show it
    ");
    let quiet = place.run("list --no-open -q");
    assert_eq!(quiet.stderr, "");
}

#[test]
fn a_function_whose_config_space_is_cut_short_costs_its_row_only() {
    let place = place();
    // What the kernel shows to users without rights.
    let card = place.host.connectx3("0000:04:00.0");
    fs::write(card.join("config"), [0; 64]).unwrap();
    ids(
        &place.host.function("0000:07:00.0"),
        [0x15b3, 0x1017, 0x15b3, 3],
    );
    place.locked_down();
    assert_snapshot!(place.run("list").without_host_lines(), @"
    exit 4
    --- stdout
    CARD          MODEL                        FIRMWARE  PORT  INTERFACE   IPV6 BOOT
    0000:04:00.0  ConnectX-3                   -         -     eth4,eth10  cannot tell: config space ends at 0x040, offset 0x058 is not shown
    0000:07:00.0  MT27800 Family [ConnectX-5]  -         -     -           not supported by flexctl
    --- stderr
    error: 0000:04:00.0: there is no way into the card
    caused by: 0000:04:00.0: config space ends at 0x040, offset 0x058 is not shown
    hint: kernel lockdown denies access to PCI cards, to root too: switch Secure Boot off (or boot with lockdown=none), change the card, switch it on again
    ");
    // Errors stay when commentary is unwanted.
    let quiet = place.run("list -q");
    assert!(quiet.stderr.contains("hint:"), "{quiet}");
}

#[test]
fn a_stuck_card_costs_its_own_row_only() {
    let place = place();
    place.answer("sim fault connectx-4 stuck-busy");
    let begun = Instant::now();
    let run = place.run("list --deadline 1 -d sim:connectx-4 -d sim:connectx-3");
    assert!(
        begun.elapsed() < Duration::from_secs(4),
        "{:?}",
        begun.elapsed()
    );
    assert_snapshot!(run, @"
    exit 8
    --- stdout
    CARD            MODEL       FIRMWARE   PORT  INTERFACE                IPV6 BOOT
    sim:connectx-4  ConnectX-4  -          -     enp4s0f0np0,enp4s0f1np1  cannot tell: no answer within 1s
    sim:connectx-3  ConnectX-3  2.42.5000  1     enp5s0                   off
                                           2     enp5s0d1                 off
    --- stderr
    error: sim:connectx-4: no answer within 1s
    hint: power the host off and on; --deadline waits longer
    ");
}

#[test]
fn a_card_that_is_gone_costs_its_own_row_only() {
    let place = place();
    place.answer("sim fault connectx-3 all-ones@1");
    assert_snapshot!(place.run("list -d sim:connectx-3 -d sim:connectx-4"), @"
    exit 8
    --- stdout
    CARD            MODEL       FIRMWARE    PORT  INTERFACE        IPV6 BOOT
    sim:connectx-3  ConnectX-3  -           -     enp5s0,enp5s0d1  cannot tell: 0000:05:00.0: the card answers all-ones to config space: it is gone, in reset or powered down
    sim:connectx-4  ConnectX-4  12.28.2006  1     enp4s0f0np0      off
                                            2     enp4s0f1np1      off
    --- stderr
    error: 0000:05:00.0: there is no way into the card
    caused by: 0000:05:00.0: the card answers all-ones to config space: it is gone, in reset or powered down
    hint: power the host off and on; if it stays so, the card may be broken or not seated well
    ");
}

#[test]
fn does_not_touch_expansion_roms_unless_asked() {
    let place = place();
    let cards = "connectx-3 connectx-4";
    let Some(run) = place.among_cards(cards, "list") else {
        return;
    };
    assert_eq!(run.code, 0, "{run}");
    for card in cards.split(' ') {
        assert_eq!(place.counter(card, "rom_enables"), 0);
        assert_eq!(place.counter(card, "rom_reads"), 0);
        assert_eq!(place.counter(card, "tlv_writes"), 0);
    }
    place.among_cards(cards, "list --rom").unwrap();
    for card in cards.split(' ') {
        let enables = place.counter(card, "rom_enables");
        assert!(enables > 0);
        assert_eq!(place.counter(card, "rom_disables"), enables);
        assert_eq!(place.held(card), 0);
    }
}

#[test]
fn shows_expansion_roms_when_asked() {
    let place = place();
    let run = place.run(
        "list --rom -d sim:connectx-4 -d sim:connectx-3-old-rom -d sim:connectx-4-upstream-ipxe",
    );
    assert_snapshot!(run, @"
    exit 0
    --- stdout
    CARD                          MODEL       FIRMWARE    PORT  INTERFACE    IPV6 BOOT                                          EXPANSION ROM
    sim:connectx-4                ConnectX-4  12.28.2006  1     enp4s0f0np0  off                                                FlexBoot 3.6.102 (knows IPv6)
                                                          2     enp4s0f1np1  off
    sim:connectx-3-old-rom        ConnectX-3  2.35.5100   1     enp7s0       not offered: boot_ip_ver in QUERY_DEF_PARAMS is 0  FlexBoot 3.4.648 (too old for IPv6)
                                                          2     enp7s0d1     not offered: boot_ip_ver in QUERY_DEF_PARAMS is 0
    sim:connectx-4-upstream-ipxe  ConnectX-4  12.28.2006  1     enp15s0f0    off                                                iPXE without FlexBoot's version record
                                                          2     enp15s0f1    off
    ");
}

#[test]
fn cards_can_be_named_by_address_and_by_interface() {
    let place = place();
    place.host.connectx3("0000:04:00.0");
    place.host.connectx4("0000:81:00.0");
    let listed = |selector: &str| place.answer(&format!("list --no-open -d {selector}"));
    for selector in ["04:00.0", "0000:04:00.0", "mlx4_0", "net:eth10"] {
        let text = listed(selector);
        assert!(
            text.contains("0000:04:00.0") && !text.contains("0000:81"),
            "{text}"
        );
    }
    assert_eq!(listed("all"), listed("mlx4_0 -d net:enp1s0"));
}
