//! `--json`: the contract with programs.

use insta::assert_snapshot;
use serde_json::Value;

use crate::flexctl::{Place, Run, place};
use crate::hosts::ids;

/// A run whose stdout must be one document and nothing else.
fn document(place: &Place, arguments: &str, schema: &str, code: i32) -> Run {
    let run = place.run(&format!("--json {arguments}"));
    assert_eq!(run.code, code, "{run}");
    let document: Value = serde_json::from_str(&run.stdout).unwrap();
    assert_eq!(document["schema"], schema);
    run
}

#[test]
fn list_of_a_virtual_card() {
    let place = place();
    let run = document(&place, "list -d sim:connectx-4-single", "flexctl.list/1", 0);
    assert_eq!(run.stderr, "");
    assert_snapshot!(run.stdout, @r#"
    {
      "schema": "flexctl.list/1",
      "cards": [
        {
          "selector": "sim:connectx-4-single",
          "origin": "simulated",
          "model": "ConnectX-4",
          "support": "supported",
          "chip": "MT27700 Family [ConnectX-4]",
          "board": "Mellanox Technologies ConnectX-4 Stand-up single-port 40GbE MCX413A-BCAT",
          "tested": {
            "list": "untested",
            "read": "untested",
            "set": "untested",
            "burn": "untested"
          },
          "functions": [
            {
              "address": "0000:0b:00.0",
              "id": "15b3:1013",
              "subsystem_id": "15b3:0003",
              "revision": 0,
              "driver": "mlx5_core",
              "numa_node": 0,
              "net": [
                {
                  "name": "enp11s0np0",
                  "mac": "02:00:5e:04:0b:01",
                  "port": 1
                }
              ],
              "rdma": [
                "rocep11s0"
              ],
              "unreadable": []
            }
          ],
          "virtual_functions": [],
          "firmware": "12.28.2006",
          "psid": "MT_2130110032",
          "part_number": null,
          "description": null,
          "rom": null,
          "ports": [
            {
              "port": 1,
              "function": "0000:0b:00.0",
              "interfaces": [
                "enp11s0np0"
              ],
              "ip_mode": "ipv4",
              "ip_mode_stored": false,
              "ip_mode_offered": true,
              "ip_mode_unavailable": null,
              "settings": [
                {
                  "name": "BOOT_VLAN",
                  "tlv": "0x03000221",
                  "default": {
                    "number": 1,
                    "value": "1",
                    "text": "1"
                  },
                  "current": {
                    "number": null,
                    "value": null,
                    "text": "-"
                  },
                  "next": {
                    "number": null,
                    "value": null,
                    "text": "not set"
                  },
                  "differs": false,
                  "pending": false,
                  "restart": "boot",
                  "missing": null
                },
                {
                  "name": "LEGACY_BOOT_PROTOCOL",
                  "tlv": "0x03000221",
                  "default": {
                    "number": 1,
                    "value": "PXE",
                    "text": "PXE(1)"
                  },
                  "current": {
                    "number": null,
                    "value": null,
                    "text": "-"
                  },
                  "next": {
                    "number": null,
                    "value": null,
                    "text": "not set"
                  },
                  "differs": false,
                  "pending": false,
                  "restart": "boot",
                  "missing": null
                },
                {
                  "name": "BOOT_RETRY_CNT",
                  "tlv": "0x03000221",
                  "default": {
                    "number": 0,
                    "value": "NONE",
                    "text": "NONE(0)"
                  },
                  "current": {
                    "number": null,
                    "value": null,
                    "text": "-"
                  },
                  "next": {
                    "number": null,
                    "value": null,
                    "text": "not set"
                  },
                  "differs": false,
                  "pending": false,
                  "restart": "boot",
                  "missing": null
                },
                {
                  "name": "BOOT_INTERRUPT_DIS",
                  "tlv": "0x03000221",
                  "default": {
                    "number": 0,
                    "value": "False",
                    "text": "False(0)"
                  },
                  "current": {
                    "number": null,
                    "value": null,
                    "text": "-"
                  },
                  "next": {
                    "number": null,
                    "value": null,
                    "text": "not set"
                  },
                  "differs": false,
                  "pending": false,
                  "restart": "boot",
                  "missing": null
                },
                {
                  "name": "BOOT_LACP_DIS",
                  "tlv": "0x03000221",
                  "default": {
                    "number": 1,
                    "value": "True",
                    "text": "True(1)"
                  },
                  "current": {
                    "number": null,
                    "value": null,
                    "text": "-"
                  },
                  "next": {
                    "number": null,
                    "value": null,
                    "text": "not set"
                  },
                  "differs": false,
                  "pending": false,
                  "restart": "boot",
                  "missing": null
                },
                {
                  "name": "BOOT_VLAN_EN",
                  "tlv": "0x03000221",
                  "default": {
                    "number": 0,
                    "value": "False",
                    "text": "False(0)"
                  },
                  "current": {
                    "number": null,
                    "value": null,
                    "text": "-"
                  },
                  "next": {
                    "number": null,
                    "value": null,
                    "text": "not set"
                  },
                  "differs": false,
                  "pending": false,
                  "restart": "boot",
                  "missing": null
                },
                {
                  "name": "BOOT_OPTION_ROM_EN_DEPRECATED",
                  "tlv": "0x03000221",
                  "default": {
                    "number": 1,
                    "value": "True",
                    "text": "True(1)"
                  },
                  "current": {
                    "number": null,
                    "value": null,
                    "text": "-"
                  },
                  "next": {
                    "number": null,
                    "value": null,
                    "text": "not set"
                  },
                  "differs": false,
                  "pending": false,
                  "restart": "boot",
                  "missing": null
                },
                {
                  "name": "BOOT_LINKUP_TIMEOUT",
                  "tlv": "0x03000195",
                  "default": {
                    "number": 20,
                    "value": "20",
                    "text": "20"
                  },
                  "current": {
                    "number": null,
                    "value": null,
                    "text": "-"
                  },
                  "next": {
                    "number": null,
                    "value": null,
                    "text": "not set"
                  },
                  "differs": false,
                  "pending": false,
                  "restart": "boot",
                  "missing": null
                },
                {
                  "name": "IP_VER",
                  "tlv": "0x03000195",
                  "default": {
                    "number": 0,
                    "value": "IPv4",
                    "text": "IPv4(0)"
                  },
                  "current": {
                    "number": null,
                    "value": null,
                    "text": "-"
                  },
                  "next": {
                    "number": null,
                    "value": null,
                    "text": "not set"
                  },
                  "differs": false,
                  "pending": false,
                  "restart": "boot",
                  "missing": null
                },
                {
                  "name": "BOOT_UNDI_NETWORK_WAIT",
                  "tlv": "0x03000195",
                  "default": {
                    "number": 0,
                    "value": "0",
                    "text": "0"
                  },
                  "current": {
                    "number": null,
                    "value": null,
                    "text": "-"
                  },
                  "next": {
                    "number": null,
                    "value": null,
                    "text": "not set"
                  },
                  "differs": false,
                  "pending": false,
                  "restart": "boot",
                  "missing": null
                },
                {
                  "name": "EXP_ROM_PXE_ENABLE",
                  "tlv": "0x07000080",
                  "default": {
                    "number": 1,
                    "value": "True",
                    "text": "True(1)"
                  },
                  "current": {
                    "number": null,
                    "value": null,
                    "text": "-"
                  },
                  "next": {
                    "number": null,
                    "value": null,
                    "text": "not set"
                  },
                  "differs": false,
                  "pending": false,
                  "restart": "firmware-reset",
                  "missing": null
                },
                {
                  "name": "EXP_ROM_UEFI_x86_ENABLE",
                  "tlv": "0x07000080",
                  "default": {
                    "number": 1,
                    "value": "True",
                    "text": "True(1)"
                  },
                  "current": {
                    "number": null,
                    "value": null,
                    "text": "-"
                  },
                  "next": {
                    "number": null,
                    "value": null,
                    "text": "not set"
                  },
                  "differs": false,
                  "pending": false,
                  "restart": "firmware-reset",
                  "missing": null
                },
                {
                  "name": "LINK_TYPE",
                  "tlv": "0x01010012",
                  "default": {
                    "number": null,
                    "value": null,
                    "text": "-"
                  },
                  "current": {
                    "number": null,
                    "value": null,
                    "text": "-"
                  },
                  "next": {
                    "number": null,
                    "value": null,
                    "text": "refused: bad parameter"
                  },
                  "differs": false,
                  "pending": false,
                  "restart": "firmware-reset",
                  "missing": "nv_vpi_link_type (0x01010012) is not known to the firmware (bad parameter)"
                }
              ],
              "obstacles": []
            }
          ],
          "error": null
        }
      ]
    }
    "#);
}

#[test]
fn list_of_a_host() {
    let place = place();
    place.host.connectx3("0000:04:00.0");
    ids(
        &place.host.function("0000:05:00.0"),
        [0x15b3, 0x0209, 0x15b3, 8],
    );
    ids(
        &place.host.function("0000:06:00.0"),
        [0x15b3, 0x1017, 0x15b3, 8],
    );
    let run = document(&place, "list --no-open", "flexctl.list/1", 0);
    assert_snapshot!(run.stdout, @r#"
    {
      "schema": "flexctl.list/1",
      "cards": [
        {
          "selector": "0000:04:00.0",
          "origin": "host",
          "model": "ConnectX-3",
          "support": "supported",
          "chip": "MT27500 Family [ConnectX-3]",
          "board": "ConnectX-3 10 GbE Single Port SFP+ Adapter",
          "tested": {
            "list": "untested",
            "read": "untested",
            "set": "untested",
            "burn": "untested"
          },
          "functions": [
            {
              "address": "0000:04:00.0",
              "id": "15b3:1003",
              "subsystem_id": "15b3:0055",
              "revision": 0,
              "driver": "mlx4_core",
              "numa_node": 1,
              "net": [
                {
                  "name": "eth4",
                  "mac": "00:00:5e:00:53:01",
                  "port": 1
                },
                {
                  "name": "eth10",
                  "mac": "00:00:5e:00:53:02",
                  "port": 2
                }
              ],
              "rdma": [
                "mlx4_0"
              ],
              "unreadable": []
            }
          ],
          "virtual_functions": [],
          "firmware": null,
          "psid": null,
          "part_number": null,
          "description": null,
          "rom": null,
          "ports": [],
          "error": null
        },
        {
          "selector": "0000:05:00.0",
          "origin": "host",
          "model": "ConnectX-4 in flash-recovery mode",
          "support": "flash-recovery",
          "chip": "MT27700 Family [ConnectX-4 Flash Recovery]",
          "board": null,
          "tested": null,
          "functions": [
            {
              "address": "0000:05:00.0",
              "id": "15b3:0209",
              "subsystem_id": "15b3:0008",
              "revision": 0,
              "driver": null,
              "numa_node": 1,
              "net": [],
              "rdma": [],
              "unreadable": []
            }
          ],
          "virtual_functions": [],
          "firmware": null,
          "psid": null,
          "part_number": null,
          "description": null,
          "rom": null,
          "ports": [],
          "error": null
        },
        {
          "selector": "0000:06:00.0",
          "origin": "host",
          "model": "MT27800 Family [ConnectX-5]",
          "support": "unsupported",
          "chip": "MT27800 Family [ConnectX-5]",
          "board": null,
          "tested": null,
          "functions": [
            {
              "address": "0000:06:00.0",
              "id": "15b3:1017",
              "subsystem_id": "15b3:0008",
              "revision": 0,
              "driver": null,
              "numa_node": 1,
              "net": [],
              "rdma": [],
              "unreadable": []
            }
          ],
          "virtual_functions": [],
          "firmware": null,
          "psid": null,
          "part_number": null,
          "description": null,
          "rom": null,
          "ports": [],
          "error": null
        }
      ]
    }
    "#);
}

#[test]
fn list_of_a_host_without_cards() {
    let place = place();
    assert_snapshot!(document(&place, "list", "flexctl.list/1", 3), @r#"
    exit 3
    --- stdout
    {
      "schema": "flexctl.list/1",
      "cards": []
    }
    --- stderr
    error: no Mellanox card was found under `<sysfs>`
    hint: lspci -d 15b3: shows what the host sees; sim:connectx-4 is a virtual card to try
    "#);
}

#[test]
fn show_of_a_virtual_card() {
    let place = place();
    let run = document(
        &place,
        "show -d sim:connectx-3-single-port",
        "flexctl.show/1",
        0,
    );
    assert_eq!(run.stderr, "");
    assert_snapshot!(run.stdout, @r#"
    {
      "schema": "flexctl.show/1",
      "host": {
        "boot_mode": "bios"
      },
      "cards": [
        {
          "card": {
            "selector": "sim:connectx-3-single-port",
            "origin": "simulated",
            "model": "ConnectX-3",
            "support": "supported",
            "chip": "MT27500 Family [ConnectX-3]",
            "board": "ConnectX-3 10 GbE Single Port SFP+ Adapter",
            "tested": {
              "list": "untested",
              "read": "untested",
              "set": "untested",
              "burn": "untested"
            },
            "functions": [
              {
                "address": "0000:08:00.0",
                "id": "15b3:1003",
                "subsystem_id": "15b3:0055",
                "revision": 0,
                "driver": "mlx4_core",
                "numa_node": 0,
                "net": [
                  {
                    "name": "enp8s0",
                    "mac": "02:00:5e:03:08:01",
                    "port": 1
                  }
                ],
                "rdma": [
                  "rocep8s0"
                ],
                "unreadable": []
              }
            ],
            "virtual_functions": [],
            "firmware": "2.42.5000",
            "psid": "MT_1170110023",
            "part_number": null,
            "description": null,
            "rom": {
              "kind": "flexboot",
              "version": "3.4.752",
              "ipv6": true,
              "reason": null
            },
            "ports": [
              {
                "port": 1,
                "function": "0000:08:00.0",
                "interfaces": [
                  "enp8s0"
                ],
                "ip_mode": "ipv4",
                "ip_mode_stored": false,
                "ip_mode_offered": true,
                "ip_mode_unavailable": null,
                "settings": [
                  {
                    "name": "BOOT_VLAN",
                    "tlv": "0x2021/1",
                    "default": {
                      "number": 1,
                      "value": "1",
                      "text": "1"
                    },
                    "current": {
                      "number": null,
                      "value": null,
                      "text": "-"
                    },
                    "next": {
                      "number": 1,
                      "value": "1",
                      "text": "1"
                    },
                    "differs": false,
                    "pending": false,
                    "restart": "boot",
                    "missing": null
                  },
                  {
                    "name": "BOOT_LINK_SPEED",
                    "tlv": "0x2021/1",
                    "default": {
                      "number": 0,
                      "value": "0",
                      "text": "0"
                    },
                    "current": {
                      "number": null,
                      "value": null,
                      "text": "-"
                    },
                    "next": {
                      "number": 0,
                      "value": "0",
                      "text": "0"
                    },
                    "differs": false,
                    "pending": false,
                    "restart": "boot",
                    "missing": null
                  },
                  {
                    "name": "LEGACY_BOOT_PROTOCOL",
                    "tlv": "0x2021/1",
                    "default": {
                      "number": 1,
                      "value": "PXE",
                      "text": "PXE(1)"
                    },
                    "current": {
                      "number": null,
                      "value": null,
                      "text": "-"
                    },
                    "next": {
                      "number": 1,
                      "value": "PXE",
                      "text": "PXE(1)"
                    },
                    "differs": false,
                    "pending": false,
                    "restart": "boot",
                    "missing": null
                  },
                  {
                    "name": "BOOT_RETRY_CNT",
                    "tlv": "0x2021/1",
                    "default": {
                      "number": 0,
                      "value": "0",
                      "text": "0"
                    },
                    "current": {
                      "number": null,
                      "value": null,
                      "text": "-"
                    },
                    "next": {
                      "number": 0,
                      "value": "0",
                      "text": "0"
                    },
                    "differs": false,
                    "pending": false,
                    "restart": "boot",
                    "missing": null
                  },
                  {
                    "name": "BOOT_STRAP_TYPE",
                    "tlv": "0x2021/1",
                    "default": {
                      "number": 0,
                      "value": "0",
                      "text": "0"
                    },
                    "current": {
                      "number": null,
                      "value": null,
                      "text": "-"
                    },
                    "next": {
                      "number": 0,
                      "value": "0",
                      "text": "0"
                    },
                    "differs": false,
                    "pending": false,
                    "restart": "boot",
                    "missing": null
                  },
                  {
                    "name": "BOOT_VLAN_EN",
                    "tlv": "0x2021/1",
                    "default": {
                      "number": 0,
                      "value": "False",
                      "text": "False(0)"
                    },
                    "current": {
                      "number": null,
                      "value": null,
                      "text": "-"
                    },
                    "next": {
                      "number": 0,
                      "value": "False",
                      "text": "False(0)"
                    },
                    "differs": false,
                    "pending": false,
                    "restart": "boot",
                    "missing": null
                  },
                  {
                    "name": "BOOT_OPTION_ROM_EN",
                    "tlv": "0x2021/1",
                    "default": {
                      "number": 1,
                      "value": "True",
                      "text": "True(1)"
                    },
                    "current": {
                      "number": null,
                      "value": null,
                      "text": "-"
                    },
                    "next": {
                      "number": 1,
                      "value": "True",
                      "text": "True(1)"
                    },
                    "differs": false,
                    "pending": false,
                    "restart": "boot",
                    "missing": null
                  },
                  {
                    "name": "BOOT_LINKUP_TIMEOUT",
                    "tlv": "0x2001/1",
                    "default": {
                      "number": 0,
                      "value": "0",
                      "text": "0"
                    },
                    "current": {
                      "number": null,
                      "value": null,
                      "text": "-"
                    },
                    "next": {
                      "number": null,
                      "value": null,
                      "text": "not set"
                    },
                    "differs": false,
                    "pending": false,
                    "restart": "boot",
                    "missing": null
                  },
                  {
                    "name": "IP_VER",
                    "tlv": "0x2001/1",
                    "default": {
                      "number": 0,
                      "value": "IPv4",
                      "text": "IPv4(0)"
                    },
                    "current": {
                      "number": null,
                      "value": null,
                      "text": "-"
                    },
                    "next": {
                      "number": null,
                      "value": null,
                      "text": "not set"
                    },
                    "differs": false,
                    "pending": false,
                    "restart": "boot",
                    "missing": null
                  },
                  {
                    "name": "LINK_TYPE",
                    "tlv": "0x0012/1",
                    "default": {
                      "number": 2,
                      "value": "ETH",
                      "text": "ETH(2)"
                    },
                    "current": {
                      "number": null,
                      "value": null,
                      "text": "-"
                    },
                    "next": {
                      "number": null,
                      "value": null,
                      "text": "refused: bad parameter"
                    },
                    "differs": false,
                    "pending": false,
                    "restart": "firmware-reset",
                    "missing": "nv_config_vpi in QUERY_DEV_CAP is 0"
                  }
                ],
                "obstacles": []
              }
            ],
            "error": null
          },
          "unfinished": null,
          "pending": [],
          "says_current": false,
          "restart": null
        }
      ]
    }
    "#);
}

#[test]
fn enable_ipv6_that_changes_a_card() {
    let place = place();
    let enable = "enable-ipv6 -d sim:connectx-4";
    let run = document(&place, enable, "flexctl.enable-ipv6/1", 0);
    assert_eq!(run.stderr, "");
    assert_snapshot!(run.stdout, @r#"
    {
      "schema": "flexctl.enable-ipv6/1",
      "cards": [
        {
          "card": "sim:connectx-4",
          "model": "ConnectX-4",
          "outcome": "changed",
          "ports": [
            {
              "port": 1,
              "function": "0000:04:00.0",
              "interfaces": [
                "enp4s0f0np0"
              ],
              "settings": [
                {
                  "name": "IP_VER",
                  "from": "IPv4(0)",
                  "from_base": "stored",
                  "to": "IPv4_IPv6(2)",
                  "changes": true,
                  "applies": "boot",
                  "risk": "boot"
                }
              ],
              "obstacles": []
            },
            {
              "port": 2,
              "function": "0000:04:00.1",
              "interfaces": [
                "enp4s0f1np1"
              ],
              "settings": [
                {
                  "name": "IP_VER",
                  "from": "IPv4(0)",
                  "from_base": "stored",
                  "to": "IPv4_IPv6(2)",
                  "changes": true,
                  "applies": "boot",
                  "risk": "boot"
                }
              ],
              "obstacles": []
            }
          ],
          "restart": "boot",
          "restart_how": "takes effect at the next boot",
          "rom": {
            "kind": "flexboot",
            "version": "3.6.102",
            "ipv6": true,
            "reason": null
          },
          "unfinished": null,
          "backup": "<place>/state/backups/sim-connectx-4.json",
          "error": null
        }
      ]
    }
    "#);
    let again = place.document(enable);
    assert_eq!(again["cards"][0]["outcome"], "unchanged");
    let dry = place.document("enable-ipv6 -d sim:connectx-3 --dry-run");
    assert_eq!(dry["cards"][0]["outcome"], "planned");
}

#[test]
fn enable_ipv6_that_fails_on_one_of_two_cards() {
    let place = place();
    place.booted_by_uefi();
    place.answer("sim fault connectx-4-single lost-write@1");
    let cards = "-d sim:connectx-4-single -d sim:connectx-3-single-port";
    let run = document(
        &place,
        &format!("enable-ipv6 {cards}"),
        "flexctl.enable-ipv6/1",
        8,
    );
    assert_snapshot!(run, @r#"
    exit 8
    --- stdout
    {
      "schema": "flexctl.enable-ipv6/1",
      "cards": [
        {
          "card": "sim:connectx-4-single",
          "model": "ConnectX-4",
          "outcome": "failed",
          "ports": [
            {
              "port": 1,
              "function": "0000:0b:00.0",
              "interfaces": [
                "enp11s0np0"
              ],
              "settings": [
                {
                  "name": "IP_VER",
                  "from": "IPv4(0)",
                  "from_base": "defaults",
                  "to": "IPv4_IPv6(2)",
                  "changes": true,
                  "applies": "boot",
                  "risk": "boot"
                }
              ],
              "obstacles": [
                {
                  "code": "uefi-host",
                  "certain": true,
                  "text": "this host was booted by UEFI, where FlexBoot (a BIOS ROM) does not run: enable legacy boot (CSM), or use the platform's own IPv6 PXE switch"
                }
              ]
            }
          ],
          "restart": "boot",
          "rom": {
            "kind": "flexboot",
            "version": "3.6.102",
            "ipv6": true,
            "reason": null
          },
          "unfinished": null,
          "backup": null,
          "error": {
            "kind": "card-error",
            "message": "0000:0b:00.0: port 1: nv_rom_boot_conf2 (0x03000195) was written but reads back differently: expected 00000214, found not set",
            "causes": [],
            "state": [
              "port 1 nv_rom_boot_conf2 (0x03000195): as before (not set)"
            ],
            "hints": [
              "the card did not keep what was written; its settings store may be full or damaged",
              "the card holds what it held before"
            ]
          }
        },
        {
          "card": "sim:connectx-3-single-port",
          "model": "ConnectX-3",
          "outcome": "changed",
          "ports": [
            {
              "port": 1,
              "function": "0000:08:00.0",
              "interfaces": [
                "enp8s0"
              ],
              "settings": [
                {
                  "name": "IP_VER",
                  "from": "IPv4(0)",
                  "from_base": "defaults",
                  "to": "IPv4_IPv6(2)",
                  "changes": true,
                  "applies": "boot",
                  "risk": "boot"
                }
              ],
              "obstacles": [
                {
                  "code": "uefi-host",
                  "certain": true,
                  "text": "this host was booted by UEFI, where FlexBoot (a BIOS ROM) does not run: enable legacy boot (CSM), or use the platform's own IPv6 PXE switch"
                }
              ]
            }
          ],
          "restart": "boot",
          "restart_how": "takes effect at the next boot",
          "rom": {
            "kind": "flexboot",
            "version": "3.4.752",
            "ipv6": true,
            "reason": null
          },
          "unfinished": null,
          "backup": "<place>/state/backups/sim-connectx-3-single-port.json",
          "error": null
        }
      ]
    }
    --- stderr
    error: 0000:0b:00.0: port 1: nv_rom_boot_conf2 (0x03000195) was written but reads back differently: expected 00000214, found not set
    the card now: port 1 nv_rom_boot_conf2 (0x03000195): as before (not set)
    hint: the card did not keep what was written; its settings store may be full or damaged
    hint: the card holds what it held before
    "#);
}

#[test]
fn enable_ipv6_after_a_power_cut() {
    let place = place();
    place.answer("sim fault connectx-4 power-cut@1");
    let cut = place.document("enable-ipv6 -d sim:connectx-4");
    assert_eq!(cut["cards"][0]["outcome"], "failed");
    assert_eq!(cut["cards"][0]["error"]["kind"], "card-error");
    assert_eq!(
        cut["cards"][0]["error"]["state"].as_array().unwrap().len(),
        2
    );
    place.answer("sim reboot connectx-4");
    let next = place.document("enable-ipv6 -d sim:connectx-4");
    let unfinished = serde_json::to_string_pretty(&next["cards"][0]["unfinished"]).unwrap();
    assert_snapshot!(unfinished, @r#"
    {
      "process": 0,
      "started_unix": 0,
      "state": [
        "port 1 nv_rom_boot_conf2 (0x03000195) holds the new value",
        "port 2 nv_rom_boot_conf2 (0x03000195) holds what it held before"
      ]
    }
    "#);
}

#[test]
fn disable_ipv6() {
    let place = place();
    let line = "disable-ipv6 -d sim:connectx-3-single-port --dry-run";
    assert_snapshot!(document(&place, line, "flexctl.disable-ipv6/1", 0).stdout, @r#"
    {
      "schema": "flexctl.disable-ipv6/1",
      "cards": [
        {
          "card": "sim:connectx-3-single-port",
          "model": "ConnectX-3",
          "outcome": "unchanged",
          "ports": [
            {
              "port": 1,
              "function": "0000:08:00.0",
              "interfaces": [
                "enp8s0"
              ],
              "settings": [
                {
                  "name": "IP_VER",
                  "from": "IPv4(0)",
                  "from_base": "defaults",
                  "to": "IPv4(0)",
                  "changes": false,
                  "applies": "boot",
                  "risk": "boot"
                }
              ],
              "obstacles": []
            }
          ],
          "restart": null,
          "rom": null,
          "unfinished": null,
          "backup": null,
          "error": null
        }
      ]
    }
    "#);
}

#[test]
fn doctor() {
    let place = place();
    place.locked_down();
    let run = document(&place, "doctor -d sim:connectx-3", "flexctl.doctor/1", 4);
    let report: Value = serde_json::from_str(&run.stdout).unwrap();
    let checks: Vec<String> = report["checks"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|check| check["what"] != "rights" && check["what"] != "virtual cards")
        .map(Value::to_string)
        .collect();
    assert_snapshot!(checks.join("\n"), @r#"
    {"about":"host","hints":["switch Secure Boot off (or boot with lockdown=none), change the card, switch it on again"],"state":"bad","text":"kernel lockdown denies access to PCI cards, to root too","what":"lockdown"}
    {"about":"host","state":"ok","text":"booted by its BIOS: FlexBoot runs on this host","what":"boot mode"}
    {"about":"sim:connectx-3","state":"ok","text":"mlx4_core is bound","what":"driver"}
    {"about":"sim:connectx-3","state":"ok","text":"0000:05:00.0: way in: BAR0","what":"access"}
    {"about":"sim:connectx-3","state":"ok","text":"0000:05:00.0: tools HCR semaphore (CR 0xf03bc) is free","what":"semaphores"}
    {"about":"sim:connectx-3","state":"ok","text":"0000:05:00.0: answers commands","what":"firmware"}
    "#);
}

#[test]
fn sim_list_and_state() {
    let place = place();
    place.answer("sim new a connectx-4-single");
    let list = place.document("sim list");
    assert_eq!(list["schema"], "flexctl.sim-list/1");
    assert_eq!(list["cards"], serde_json::json!(["a"]));
    assert!(list["profiles"].as_array().unwrap().len() >= 15);
    place.answer("sim fault a hold-semaphore=vsec");
    let run = document(&place, "sim state a", "flexctl.sim-state/1", 0);
    assert_snapshot!(run.stdout, @r#"
    {
      "schema": "flexctl.sim-state/1",
      "cards": [
        {
          "name": "a",
          "profile": "connectx-4-single",
          "description": "ConnectX-4 EN, one port, one function",
          "reboots": 0,
          "faults": "hold-semaphore=vsec",
          "counters": {
            "config_reads": 0,
            "config_writes": 0,
            "bar_reads": 0,
            "bar_writes": 0,
            "rom_reads": 0,
            "rom_enables": 0,
            "rom_disables": 0,
            "commands": 0,
            "tlv_writes": 0,
            "unlocked": 0,
            "overruns": 0
          },
          "boot": {
            "start": "0x00000000",
            "slot": 0,
            "firmware": "12.28.2006",
            "psid": "MT_2130110032",
            "reason": null
          },
          "flash": {
            "reads": 0,
            "read_bytes": 0,
            "programs": 0,
            "programmed_bytes": 0,
            "erases": {},
            "refused": 0,
            "status_writes": 0,
            "modelled_ns": 0
          },
          "settings": [],
          "held_semaphores": [
            {
              "name": "vendor capability of function 0",
              "value": 2989
            }
          ]
        }
      ]
    }
    "#);
}

#[test]
fn what_fails_before_there_is_an_answer_is_a_document_too() {
    let place = place();
    for (arguments, code, kind) in [
        ("show -d sim:nothing", 3, "no-such-device"),
        ("enable-ipv6", 3, "no-such-device"),
        ("list --hwdb /nonexistent", 6, "invalid-input"),
        ("sim state nothing", 3, "no-such-device"),
        ("doctor --clear-semaphores", 2, "usage"),
        ("enable-ipv6 --mode ipv5", 2, "usage"),
        ("enable-ipv6 --exit-code", 2, "usage"),
        ("enable-ipv6 -d eth4", 2, "usage"),
        ("frobnicate", 2, "usage"),
    ] {
        let run = document(&place, arguments, "flexctl.error/1", code);
        let report: Value = serde_json::from_str(&run.stdout).unwrap();
        let error = &report["error"];
        assert_eq!(error["kind"], kind, "{run}");
        assert!(!error["message"].as_str().unwrap().is_empty(), "{run}");
        assert!(!error["hints"].as_array().unwrap().is_empty(), "{run}");
        assert!(
            run.stderr.starts_with("error: "),
            "people read stderr: {run}"
        );
    }
    assert_snapshot!(document(&place, "enable-ipv6 --exit-code", "flexctl.error/1", 2).stdout, @r#"
    {
      "schema": "flexctl.error/1",
      "error": {
        "kind": "usage",
        "message": "the following required arguments were not provided: --dry-run",
        "causes": [],
        "hints": [
          "--help after the command tells how it is used"
        ]
      }
    }
    "#);
    assert_snapshot!(document(&place, "show -d 99:00.0", "flexctl.error/1", 3).stdout, @r#"
    {
      "schema": "flexctl.error/1",
      "error": {
        "kind": "no-such-device",
        "message": "no card matches `0000:99:00.0`",
        "causes": [],
        "hints": [
          "no Mellanox card was found at all; sim:connectx-4 is a virtual card to try"
        ]
      }
    }
    "#);
}

#[test]
fn every_failed_card_has_a_kind_and_hints() {
    let place = place();
    place.answer("sim fault connectx-4 all-ones@1");
    for (arguments, kind) in [
        ("list -d sim:connectx-4", "card-error"),
        ("enable-ipv6 -d sim:connectx-4-no-ip-ver", "refused"),
        (
            "enable-ipv6 -d sim:connectx-4-single --port 2",
            "no-such-device",
        ),
        ("disable-ipv6 -d sim:connectx-3-corrupt", "card-error"),
    ] {
        let report = place.document(arguments);
        let error = &report["cards"][0]["error"];
        assert_eq!(error["kind"], kind, "{arguments}");
        assert!(
            !error["hints"].as_array().unwrap().is_empty(),
            "{arguments}"
        );
    }
    let report = place.document("show -d sim:connectx-4");
    assert_eq!(report["cards"][0]["card"]["error"]["kind"], "card-error");
}
