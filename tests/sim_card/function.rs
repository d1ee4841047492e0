//! What every function has: config space, capabilities, VPD, ROM, BARs.

use std::collections::BTreeMap;

use flexctl::pci::{Function, FunctionError, FunctionKind};
use flexctl::sim::profiles;

use crate::by_hand::{card, open};

/// Capability ids by place, walked as the specification says.
fn capabilities(pci: &mut dyn Function) -> BTreeMap<u16, u8> {
    let mut found = BTreeMap::new();
    let mut next = [0];
    pci.read_config(0x34, &mut next).unwrap();
    while next[0] != 0 {
        let mut header = [0; 2];
        pci.read_config(next[0].into(), &mut header).unwrap();
        assert!(found.insert(next[0].into(), header[0]).is_none(), "a loop");
        next = [header[1]];
    }
    found
}

#[test]
fn every_profile_makes_a_card_that_is_what_its_host_says() {
    for profile in profiles() {
        let card = card(profile.name);
        for (index, info) in card.infos().into_iter().enumerate() {
            let mut pci = open(&card, index);
            assert_eq!(pci.address(), info.address);
            let ids = pci.read_config32(0).unwrap();
            assert_eq!(
                ids,
                u32::from(info.device) << 16 | 0x15b3,
                "{}",
                profile.name
            );
            let class = pci.read_config32(8).unwrap();
            assert_eq!(class >> 8, info.class.unwrap());
            let subsystem = pci.read_config32(0x2c).unwrap();
            assert_eq!(subsystem >> 16, u32::from(info.subsystem_device.unwrap()));
            if info.kind == FunctionKind::Physical && card.boot().image().is_some() {
                let rom = pci.read_option_rom().unwrap();
                assert_eq!(rom[..2], [0x55, 0xaa]);
            }
        }
    }
}

#[test]
fn the_capabilities_are_where_these_cards_have_them() {
    let walk = |profile: &str| capabilities(open(&card(profile), 0).as_mut());
    let connectx3 = [(0x40, 0x01), (0x48, 0x03), (0x60, 0x10), (0x9c, 0x11)];
    assert_eq!(walk("connectx-3"), BTreeMap::from(connectx3));
    let mut connectx4 = BTreeMap::from(connectx3);
    connectx4.insert(0xc0, 0x09);
    assert_eq!(walk("connectx-4"), connectx4);
}

#[test]
fn the_vpd_is_read_four_bytes_at_a_time() {
    let card = card("connectx-3");
    let mut pci = open(&card, 0);
    let mut vpd = Vec::new();
    while vpd.len() < 0x60 {
        let at = u16::try_from(vpd.len()).unwrap();
        pci.write_config(0x4a, &at.to_le_bytes()).unwrap();
        let mut flag = [0; 2];
        pci.read_config(0x4a, &mut flag).unwrap();
        assert_eq!(u16::from_le_bytes(flag), at | 0x8000);
        vpd.extend(pci.read_config32(0x4c).unwrap().to_le_bytes());
    }
    assert_eq!(vpd[..3], [0x82, 24, 0]);
    assert_eq!(&vpd[3..27], b"CX354A - ConnectX-3 QSFP");
    let part = b"MCX354A-FCB_A2-A5";
    assert!(vpd.windows(part.len()).any(|window| window == part));
}

#[test]
fn a_bar_says_its_size_when_asked_as_the_specification_says() {
    let card = card("connectx-4");
    let mut pci = open(&card, 0);
    let before = pci.read_config32(0x10).unwrap();
    pci.write_config32(0x10, u32::MAX).unwrap();
    assert_eq!(pci.read_config32(0x10).unwrap(), 0xfe00_000c);
    pci.write_config32(0x10, before).unwrap();
    assert_eq!(pci.read_config32(0x10).unwrap(), before);
}

#[test]
fn reads_of_any_width_see_the_same_bytes() {
    let card = card("connectx-4");
    let mut pci = open(&card, 0);
    let mut whole = [0; 64];
    pci.read_config(0, &mut whole).unwrap();
    for at in 0..64_u16 {
        let mut byte = [0];
        pci.read_config(at, &mut byte).unwrap();
        assert_eq!(byte[0], whole[usize::from(at)]);
    }
    let mut odd = [0; 7];
    pci.read_config(5, &mut odd).unwrap();
    assert_eq!(odd, whole[5..12]);
}

#[test]
fn config_space_ends_where_the_host_says() {
    let card = card("connectx-4");
    let mut pci = open(&card, 0);
    assert!(pci.read_config(4092, &mut [0; 4]).is_ok());
    let error = pci.read_config(4094, &mut [0; 4]).unwrap_err();
    assert!(matches!(
        error,
        FunctionError::ConfigTruncated { found: 4096, .. }
    ));
}

#[test]
fn bars_can_be_used_only_where_the_host_maps_them() {
    let mapped = card("connectx-3");
    let mut pci = open(&mapped, 0);
    assert!(matches!(
        pci.read_bar32(0, 0xf_0014).unwrap_err(),
        FunctionError::BarUnavailable { .. }
    ));
    assert_eq!(pci.map_bar(0).unwrap(), 1 << 20);
    assert_eq!(
        pci.read_bar32(0, 0xf_0014).unwrap().swap_bytes(),
        0x0001_01f5
    );
    for offset in [2, 1 << 20, u64::MAX] {
        let error = pci.read_bar32(0, offset).unwrap_err();
        assert!(
            matches!(error, FunctionError::OutOfRange { .. }),
            "{offset}"
        );
    }
    assert!(pci.map_bar(2).is_err());
    let unmapped = card("connectx-3-pro");
    assert!(open(&unmapped, 0).map_bar(0).is_err());
}

#[test]
fn a_bar_that_is_switched_off_answers_all_ones() {
    let card = card("connectx-3");
    let mut pci = open(&card, 0);
    pci.map_bar(0).unwrap();
    let mut command = [0; 2];
    pci.read_config(4, &mut command).unwrap();
    pci.write_config(4, &[command[0] & !2, command[1]]).unwrap();
    assert_eq!(pci.read_bar32(0, 0xf_0014).unwrap(), u32::MAX);
    pci.write_config(4, &command).unwrap();
    assert_ne!(pci.read_bar32(0, 0xf_0014).unwrap(), u32::MAX);
}

#[test]
fn two_ports_are_two_functions_on_connectx4_and_one_on_connectx3() {
    let ports = |profile: &str| {
        let infos = card(profile).infos();
        let of = |info: &flexctl::pci::FunctionInfo| {
            let net = info.net.iter();
            let net = net.map(|one| format!("{}={:?}", one.name, one.port.unwrap()));
            format!("{} {}", info.address, net.collect::<Vec<_>>().join(" "))
        };
        infos.iter().map(of).collect::<Vec<_>>().join("; ")
    };
    insta::assert_snapshot!(ports("connectx-3"), @"0000:05:00.0 enp5s0=1 enp5s0d1=2");
    insta::assert_snapshot!(ports("connectx-4"), @"0000:04:00.0 enp4s0f0np0=1; 0000:04:00.1 enp4s0f1np1=1");
}
