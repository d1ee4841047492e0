//! `flexctl show`

use insta::assert_snapshot;

use crate::flexctl::place;
use crate::hosts::ids;

#[test]
fn a_connectx3_in_full() {
    let place = place();
    place.answer("enable-ipv6 -d sim:connectx-3 --port 1");
    assert_snapshot!(place.run("show -d sim:connectx-3"), @"
    exit 0
    --- stdout
    ConnectX-3 at sim:connectx-3
      board                  unknown
      chip                   MT27500 Family [ConnectX-3]
      firmware               2.42.5000, PSID MT_1090120019
      expansion ROM          FlexBoot 3.4.752 (knows IPv6)
      function 0000:05:00.0  15b3:1003, mlx4_core, mlx4_0, enp5s0 24:8a:07:23:bd:75, enp5s0d1 24:8a:07:23:bd:76, NUMA node 0
      boot path              this host was booted by its BIOS: FlexBoot runs
      on silicon             untested: agrees with mstconfig 4.21 on virtual cards

      port 1 (0000:05:00.0, enp5s0) IPv6 boot: on (ipv4-ipv6)
        SETTING               DEFAULT   CURRENT  NEXT          TLV
        BOOT_VLAN             1         -        1             0x2021/1
        BOOT_LINK_SPEED       0         -        0             0x2021/1
        LEGACY_BOOT_PROTOCOL  PXE(1)    -        PXE(1)        0x2021/1
        BOOT_RETRY_CNT        0         -        0             0x2021/1
        BOOT_STRAP_TYPE       0         -        0             0x2021/1
        BOOT_VLAN_EN          False(0)  -        False(0)      0x2021/1
        BOOT_OPTION_ROM_EN    True(1)   -        True(1)       0x2021/1
        BOOT_LINKUP_TIMEOUT   0         -        15            0x2001/1
        IP_VER                IPv4(0)   -        IPv4_IPv6(2)  0x2001/1
        LINK_TYPE             VPI(3)    -        ETH(2)        0x0012/1

      port 2 (0000:05:00.0, enp5s0d1) IPv6 boot: off
        SETTING               DEFAULT   CURRENT  NEXT      TLV
        BOOT_VLAN             1         -        1         0x2021/2
        BOOT_LINK_SPEED       0         -        0         0x2021/2
        LEGACY_BOOT_PROTOCOL  PXE(1)    -        PXE(1)    0x2021/2
        BOOT_RETRY_CNT        0         -        0         0x2021/2
        BOOT_STRAP_TYPE       0         -        0         0x2021/2
        BOOT_VLAN_EN          False(0)  -        False(0)  0x2021/2
        BOOT_OPTION_ROM_EN    True(1)   -        True(1)   0x2021/2
        BOOT_LINKUP_TIMEOUT   0         -        15        0x2001/2
        IP_VER                IPv4(0)   -        IPv4(0)   0x2001/2
        LINK_TYPE             VPI(3)    -        ETH(2)    0x0012/2

      ! 1 setting waits for the next boot of the host
        port 1  IP_VER  IPv4(0) -> IPv4_IPv6(2)
    ");
}

#[test]
fn a_connectx4_in_full() {
    let place = place();
    place.answer("enable-ipv6 -d sim:connectx-4 --port 1");
    assert_snapshot!(place.run("show -d sim:connectx-4"), @"
    exit 0
    --- stdout
    ConnectX-4 at sim:connectx-4
      board                  CX456A - ConnectX-4 QSFP28, ConnectX-4 VPI adapter card; EDR IB (100Gb/s) and 100GbE; dual-port QSFP28; PCIe3.0 x16; ROHS R6
      chip                   MT27700 Family [ConnectX-4]
      firmware               12.28.2006, PSID MT_2190110032
      expansion ROM          FlexBoot 3.6.102 (knows IPv6)
      function 0000:04:00.0  15b3:1013, mlx5_core, mlx5_0, enp4s0f0np0 02:00:5e:04:04:01, NUMA node 0
      function 0000:04:00.1  15b3:1013, mlx5_core, mlx5_1, enp4s0f1np1 02:00:5e:04:04:02, NUMA node 0
      boot path              this host was booted by its BIOS: FlexBoot runs
      on silicon             untested: agrees with mstconfig 4.21 on virtual cards

      port 1 (0000:04:00.0, enp4s0f0np0) IPv6 boot: on (ipv4-ipv6)
        SETTING                        DEFAULT   CURRENT   NEXT          TLV
        BOOT_VLAN                      1         1         1             0x03000221
        LEGACY_BOOT_PROTOCOL           PXE(1)    PXE(1)    PXE(1)        0x03000221
        BOOT_RETRY_CNT                 NONE(0)   NONE(0)   NONE(0)       0x03000221
        BOOT_INTERRUPT_DIS             False(0)  False(0)  False(0)      0x03000221
        BOOT_LACP_DIS                  True(1)   True(1)   True(1)       0x03000221
        BOOT_VLAN_EN                   False(0)  False(0)  False(0)      0x03000221
        BOOT_OPTION_ROM_EN_DEPRECATED  True(1)   True(1)   True(1)       0x03000221
        BOOT_LINKUP_TIMEOUT            20        20        20            0x03000195
        IP_VER                         IPv4(0)   IPv4(0)   IPv4_IPv6(2)  0x03000195
        BOOT_UNDI_NETWORK_WAIT         0         0         0             0x03000195
        EXP_ROM_PXE_ENABLE             True(1)   not set   not set       0x07000080
        EXP_ROM_UEFI_x86_ENABLE        True(1)   not set   not set       0x07000080
        LINK_TYPE                      ETH(2)    not set   not set       0x01010012

      port 2 (0000:04:00.1, enp4s0f1np1) IPv6 boot: off
        SETTING                        DEFAULT   CURRENT   NEXT      TLV
        BOOT_VLAN                      1         1         1         0x03000221
        LEGACY_BOOT_PROTOCOL           PXE(1)    PXE(1)    PXE(1)    0x03000221
        BOOT_RETRY_CNT                 NONE(0)   NONE(0)   NONE(0)   0x03000221
        BOOT_INTERRUPT_DIS             False(0)  False(0)  False(0)  0x03000221
        BOOT_LACP_DIS                  True(1)   True(1)   True(1)   0x03000221
        BOOT_VLAN_EN                   False(0)  False(0)  False(0)  0x03000221
        BOOT_OPTION_ROM_EN_DEPRECATED  True(1)   True(1)   True(1)   0x03000221
        BOOT_LINKUP_TIMEOUT            20        20        20        0x03000195
        IP_VER                         IPv4(0)   IPv4(0)   IPv4(0)   0x03000195
        BOOT_UNDI_NETWORK_WAIT         0         0         0         0x03000195
        EXP_ROM_PXE_ENABLE             True(1)   not set   not set   0x07000080
        EXP_ROM_UEFI_x86_ENABLE        True(1)   not set   not set   0x07000080
        LINK_TYPE                      ETH(2)    not set   not set   0x01020012

      ! 1 setting waits for the next boot of the host
        port 1  IP_VER  IPv4(0) -> IPv4_IPv6(2)
    ");
}

#[test]
fn the_next_value_becomes_the_current_one_after_a_reboot() {
    let place = place();
    let row = || {
        let text = place.answer("show -d sim:connectx-4-single");
        let row = text.lines().find(|line| line.contains("IP_VER")).unwrap();
        row.split_whitespace().collect::<Vec<_>>().join(" ")
    };
    assert_snapshot!(row(), @"IP_VER IPv4(0) not set not set 0x03000195");
    place.answer("enable-ipv6 -d sim:connectx-4-single");
    assert_snapshot!(row(), @"IP_VER IPv4(0) not set IPv4_IPv6(2) 0x03000195");
    place.answer("sim reboot connectx-4-single");
    assert_snapshot!(row(), @"IP_VER IPv4(0) IPv4_IPv6(2) IPv4_IPv6(2) 0x03000195");
}

#[test]
fn a_factory_card_rests_on_its_defaults() {
    let place = place();
    assert_snapshot!(place.run("show -d sim:connectx-3-factory"), @"
    exit 0
    --- stdout
    ConnectX-3 at sim:connectx-3-factory
      board                  unknown
      chip                   MT27500 Family [ConnectX-3]
      firmware               2.42.5000, PSID MT_1090120019
      expansion ROM          FlexBoot 3.4.752 (knows IPv6)
      function 0000:06:00.0  15b3:1003, mlx4_core, rocep6s0, enp6s0 02:00:5e:03:06:01, enp6s0d1 02:00:5e:03:06:02, NUMA node 0
      boot path              this host was booted by its BIOS: FlexBoot runs
      on silicon             untested: agrees with mstconfig 4.21 on virtual cards

      port 1 (0000:06:00.0, enp6s0) IPv6 boot: off, by default
        SETTING               DEFAULT   CURRENT  NEXT     TLV
        BOOT_VLAN             1         -        not set  0x2021/1
        BOOT_LINK_SPEED       0         -        not set  0x2021/1
        LEGACY_BOOT_PROTOCOL  PXE(1)    -        not set  0x2021/1
        BOOT_RETRY_CNT        0         -        not set  0x2021/1
        BOOT_STRAP_TYPE       0         -        not set  0x2021/1
        BOOT_VLAN_EN          False(0)  -        not set  0x2021/1
        BOOT_OPTION_ROM_EN    True(1)   -        not set  0x2021/1
        BOOT_LINKUP_TIMEOUT   20        -        not set  0x2001/1
        IP_VER                IPv4(0)   -        not set  0x2001/1
        LINK_TYPE             VPI(3)    -        not set  0x0012/1

      port 2 (0000:06:00.0, enp6s0d1) IPv6 boot: off, by default
        SETTING               DEFAULT   CURRENT  NEXT     TLV
        BOOT_VLAN             1         -        not set  0x2021/2
        BOOT_LINK_SPEED       0         -        not set  0x2021/2
        LEGACY_BOOT_PROTOCOL  PXE(1)    -        not set  0x2021/2
        BOOT_RETRY_CNT        0         -        not set  0x2021/2
        BOOT_STRAP_TYPE       0         -        not set  0x2021/2
        BOOT_VLAN_EN          False(0)  -        not set  0x2021/2
        BOOT_OPTION_ROM_EN    True(1)   -        not set  0x2021/2
        BOOT_LINKUP_TIMEOUT   20        -        not set  0x2001/2
        IP_VER                IPv4(0)   -        not set  0x2001/2
        LINK_TYPE             VPI(3)    -        not set  0x0012/2
    ");
}

#[test]
fn a_card_with_corrupt_settings_shows_what_it_still_says() {
    let place = place();
    assert_snapshot!(place.run("show -d sim:connectx-3-corrupt"), @"
    exit 0
    --- stdout
    ConnectX-3 at sim:connectx-3-corrupt
      board                  ConnectX-3 10 GbE Single Port SFP+ Adapter
      chip                   MT27500 Family [ConnectX-3]
      firmware               2.35.5100, PSID MT_1170110023
      expansion ROM          FlexBoot 3.4.648 (too old for IPv6)
      function 0000:09:00.0  15b3:1003, mlx4_core, rocep9s0, enp9s0 e4:1d:2d:dd:78:50, NUMA node 0
      boot path              this host was booted by its BIOS: FlexBoot runs
      on silicon             untested: agrees with mstconfig 4.21 on virtual cards

      port 1 (0000:09:00.0, enp9s0) IPv6 boot: cannot tell: the card answered: configuration corrupt (0x22)
        SETTING               DEFAULT   CURRENT  NEXT                                   TLV
        BOOT_VLAN             1         -        refused: configuration corrupt (0x22)  0x2021/1
        BOOT_LINK_SPEED       0         -        refused: configuration corrupt (0x22)  0x2021/1
        LEGACY_BOOT_PROTOCOL  PXE(1)    -        refused: configuration corrupt (0x22)  0x2021/1
        BOOT_RETRY_CNT        0         -        refused: configuration corrupt (0x22)  0x2021/1
        BOOT_STRAP_TYPE       0         -        refused: configuration corrupt (0x22)  0x2021/1
        BOOT_VLAN_EN          False(0)  -        refused: configuration corrupt (0x22)  0x2021/1
        BOOT_OPTION_ROM_EN    True(1)   -        refused: configuration corrupt (0x22)  0x2021/1
        BOOT_LINKUP_TIMEOUT   0         -        refused: configuration corrupt (0x22)  0x2001/1
        IP_VER                IPv4(0)   -        refused: configuration corrupt (0x22)  0x2001/1
        not offered: LINK_TYPE (nv_config_vpi in QUERY_DEV_CAP is 0)
        to check: LEGACY_BOOT_PROTOCOL cannot be read, the card answered: configuration corrupt (0x22)
        in the way: FlexBoot 3.4.648 is too old: IPv6 came with 3.4.718; burn a newer ROM or firmware
    ");
}

#[test]
fn a_card_that_lacks_the_setting_says_what_is_missing() {
    let place = place();
    assert_snapshot!(place.run("show -d sim:connectx-4-no-ip-ver"), @"
    exit 0
    --- stdout
    ConnectX-4 at sim:connectx-4-no-ip-ver
      board                  CX456A - ConnectX-4 QSFP28, ConnectX-4 VPI adapter card; EDR IB (100Gb/s) and 100GbE; dual-port QSFP28; PCIe3.0 x16; ROHS R6
      chip                   MT27700 Family [ConnectX-4]
      firmware               12.28.2006, PSID MT_2190110032
      expansion ROM          FlexBoot 3.6.102 (knows IPv6)
      function 0000:0d:00.0  15b3:1013, mlx5_core, rocep13s0f0, enp13s0f0 02:00:5e:04:0d:01, NUMA node 0
      function 0000:0d:00.1  15b3:1013, mlx5_core, rocep13s0f1, enp13s0f1 02:00:5e:04:0d:02, NUMA node 0
      boot path              this host was booted by its BIOS: FlexBoot runs
      on silicon             untested: agrees with mstconfig 4.21 on virtual cards

      port 1 (0000:0d:00.0, enp13s0f0) IPv6 boot: not offered: nv_rom_cap.boot_ip_ver is 0
        SETTING                        DEFAULT   CURRENT   NEXT      TLV
        BOOT_VLAN                      1         1         1         0x03000221
        LEGACY_BOOT_PROTOCOL           PXE(1)    PXE(1)    PXE(1)    0x03000221
        BOOT_RETRY_CNT                 NONE(0)   NONE(0)   NONE(0)   0x03000221
        BOOT_INTERRUPT_DIS             False(0)  False(0)  False(0)  0x03000221
        BOOT_LACP_DIS                  True(1)   True(1)   True(1)   0x03000221
        BOOT_VLAN_EN                   False(0)  False(0)  False(0)  0x03000221
        BOOT_OPTION_ROM_EN_DEPRECATED  True(1)   True(1)   True(1)   0x03000221
        BOOT_LINKUP_TIMEOUT            20        20        20        0x03000195
        BOOT_UNDI_NETWORK_WAIT         0         0         0         0x03000195
        EXP_ROM_PXE_ENABLE             True(1)   not set   not set   0x07000080
        EXP_ROM_UEFI_x86_ENABLE        True(1)   not set   not set   0x07000080
        LINK_TYPE                      ETH(2)    not set   not set   0x01010012
        not offered: IP_VER (nv_rom_cap.boot_ip_ver is 0)

      port 2 (0000:0d:00.1, enp13s0f1) IPv6 boot: not offered: nv_rom_cap.boot_ip_ver is 0
        SETTING                        DEFAULT   CURRENT   NEXT      TLV
        BOOT_VLAN                      1         1         1         0x03000221
        LEGACY_BOOT_PROTOCOL           PXE(1)    PXE(1)    PXE(1)    0x03000221
        BOOT_RETRY_CNT                 NONE(0)   NONE(0)   NONE(0)   0x03000221
        BOOT_INTERRUPT_DIS             False(0)  False(0)  False(0)  0x03000221
        BOOT_LACP_DIS                  True(1)   True(1)   True(1)   0x03000221
        BOOT_VLAN_EN                   False(0)  False(0)  False(0)  0x03000221
        BOOT_OPTION_ROM_EN_DEPRECATED  True(1)   True(1)   True(1)   0x03000221
        BOOT_LINKUP_TIMEOUT            20        20        20        0x03000195
        BOOT_UNDI_NETWORK_WAIT         0         0         0         0x03000195
        EXP_ROM_PXE_ENABLE             True(1)   not set   not set   0x07000080
        EXP_ROM_UEFI_x86_ENABLE        True(1)   not set   not set   0x07000080
        LINK_TYPE                      ETH(2)    not set   not set   0x01020012
        not offered: IP_VER (nv_rom_cap.boot_ip_ver is 0)
    ");
}

#[test]
fn what_stands_in_the_way_comes_with_the_command_that_removes_it() {
    let place = place();
    place.booted_by_uefi();
    place.answer("sim seed connectx-3-old-rom 0x2021 --modifier 1 00000001");
    let text = place.answer("show -d sim:connectx-3-old-rom -d sim:connectx-4-ib");
    let lines: Vec<&str> = text
        .lines()
        .filter(|line| {
            ["in the way", "to check", "boot path", "  port "]
                .iter()
                .any(|words| line.contains(words))
        })
        .collect();
    assert_snapshot!(lines.join("\n"), @"
    boot path              this host was booted by UEFI: FlexBoot does not run
    port 1 (0000:07:00.0, enp7s0) IPv6 boot: not offered: boot_ip_ver in QUERY_DEF_PARAMS is 0
      in the way: its boot protocol is None(0), not PXE: enable-ipv6 -d sim:connectx-3-old-rom --with-pxe sets it
      in the way: its option ROM is switched off: enable-ipv6 -d sim:connectx-3-old-rom --with-pxe switches it on
      in the way: FlexBoot 3.4.648 is too old: IPv6 came with 3.4.718; burn a newer ROM or firmware
      in the way: this host was booted by UEFI, where FlexBoot (a BIOS ROM) does not run: enable legacy boot (CSM), or use the platform's own IPv6 PXE switch
    port 2 (0000:07:00.0, enp7s0d1) IPv6 boot: not offered: boot_ip_ver in QUERY_DEF_PARAMS is 0
      in the way: FlexBoot 3.4.648 is too old: IPv6 came with 3.4.718; burn a newer ROM or firmware
      in the way: this host was booted by UEFI, where FlexBoot (a BIOS ROM) does not run: enable legacy boot (CSM), or use the platform's own IPv6 PXE switch
    boot path              this host was booted by UEFI: FlexBoot does not run
    port 1 (0000:0e:00.0, ibp14s0f0) IPv6 boot: off
      in the way: it is an InfiniBand port: FlexBoot boots those over IPv4 only
      in the way: this host was booted by UEFI, where FlexBoot (a BIOS ROM) does not run: enable legacy boot (CSM), or use the platform's own IPv6 PXE switch
    port 2 (0000:0e:00.1, ibp14s0f1) IPv6 boot: off
      in the way: it is an InfiniBand port: FlexBoot boots those over IPv4 only
      in the way: this host was booted by UEFI, where FlexBoot (a BIOS ROM) does not run: enable legacy boot (CSM), or use the platform's own IPv6 PXE switch
    ");
}

#[test]
fn virtual_functions_are_named() {
    let place = place();
    let text = place.answer("show -d sim:connectx-4-sriov");
    let line = text.lines().find(|line| line.contains("virtual functions"));
    assert_snapshot!(line.unwrap(), @"  virtual functions      4, 0000:10:00.2 to 0000:10:00.5");
}

#[test]
fn expansion_roms_are_switched_off_as_often_as_on() {
    let place = place();
    let cards = "connectx-3 connectx-4 connectx-4-upstream-ipxe";
    let Some(run) = place.among_cards(cards, "show") else {
        return;
    };
    assert_eq!(run.code, 0, "{run}");
    for card in cards.split(' ') {
        let enables = place.counter(card, "rom_enables");
        assert!(enables > 0);
        assert_eq!(place.counter(card, "rom_disables"), enables);
        assert_eq!(place.counter(card, "tlv_writes"), 0);
        assert_eq!(place.held(card), 0);
    }
}

#[test]
fn a_card_that_cannot_be_opened_is_shown_as_far_as_the_host_goes() {
    let place = place();
    place.host.connectx3("0000:04:00.0");
    place.locked_down();
    std::fs::write(
        place
            .host
            .path()
            .join("devices/pci0000:00/0000:04:00.0/config"),
        [0; 64],
    )
    .unwrap();
    assert_snapshot!(place.run("show").without_host_lines(), @"
    exit 4
    --- stdout
    ConnectX-3 at 0000:04:00.0
      board                  ConnectX-3 10 GbE Single Port SFP+ Adapter
      chip                   MT27500 Family [ConnectX-3]
      firmware               the card does not say
      expansion ROM          not read
      function 0000:04:00.0  15b3:1003, mlx4_core, mlx4_0, eth4 00:00:5e:00:53:01, eth10 00:00:5e:00:53:02, NUMA node 1
      boot path              this host was booted by its BIOS: FlexBoot runs
      on silicon             untested: agrees with mstconfig 4.21 on virtual cards
    --- stderr
    error: 0000:04:00.0: there is no way into the card
    caused by: 0000:04:00.0: config space ends at 0x040, offset 0x058 is not shown
    hint: kernel lockdown denies access to PCI cards, to root too: switch Secure Boot off (or boot with lockdown=none), change the card, switch it on again
    ");
}

#[test]
fn cards_that_cannot_be_worked_on_say_why() {
    let place = place();
    for (address, device) in [
        ("0000:05:00.0", 0x01f6),
        ("0000:06:00.0", 0x1017),
        ("0000:07:00.0", 0x1014),
    ] {
        ids(&place.host.function(address), [0x15b3, device, 0x15b3, 3]);
    }
    let stderr = |selector: &str, code: i32| {
        let run = place.run(&format!("show -d {selector}"));
        assert_eq!(run.code, code, "{run}");
        run.stderr
    };
    assert_snapshot!(stderr("05:00.0", 5), @"
    error: 0000:05:00.0 is a ConnectX-3 in flash-recovery mode: it runs without firmware and has no settings to reach
    hint: burn firmware with mstflint, or look for a jumper that forces recovery mode
    ");
    assert_snapshot!(stderr("06:00.0", 3), @"
    error: 0000:06:00.0 is not supported: MT27800 Family [ConnectX-5]
    hint: flexctl works on ConnectX-3, -3 Pro, -4 and -4 Lx; mstconfig knows newer cards
    ");
    assert_snapshot!(stderr("07:00.0", 5), @"
    error: 0000:07:00.0 is a virtual function
    hint: its settings belong to the physical card, on the host that has it
    ");
}

#[test]
fn one_dead_card_of_several_is_told_by_the_exit_code() {
    let place = place();
    place.answer("sim fault connectx-4 all-ones@1");
    let run = place.run("show -d sim:connectx-4 -d sim:connectx-3");
    assert_eq!(run.code, 8, "{run}");
    assert!(run.stdout.contains("ConnectX-3 at sim:connectx-3"), "{run}");
}
