//! Random accesses: a card may answer anything, but it answers.

use flexctl::pci::Function;
use flexctl::sim::profiles;
use proptest::prelude::*;

use crate::by_hand::{card, open};

#[derive(Clone, Debug)]
enum Access {
    ReadConfig(u16, u8),
    WriteConfig(u16, Vec<u8>),
    ReadBar(u64),
    WriteBar(u64, u32),
    /// Through the gateways, where the interesting registers are.
    Gateway(u32, u32, u32),
}

fn access() -> impl Strategy<Value = Access> {
    // Addresses where something is, and any others.
    let inside = prop_oneof![
        Just(0x8_0798_u32),
        Just(0xf_03bc),
        Just(0xf_0014),
        (0..72_u32).prop_map(|index| 0xe_0000 + index * 4),
        (0..8_u32).prop_map(|index| 0x8_0780 + index * 4),
        (0..256_u32).prop_map(|index| 0x10_0000 + index * 4),
        Just(0),
        Just(0x1000),
        any::<u32>(),
    ];
    let value = prop_oneof![
        Just(0x9001_0001_u32),
        Just(0x0804_0000),
        Just(0x9024_0101),
        Just(0x9024_0201),
        Just(0x1844_0000),
        Just(0x0300_0195),
        Just(0x0080_003b),
        Just(0x0080_0070),
        Just(0x0080_0071),
        Just(0x0080_1073),
        Just(0),
        Just(1),
        any::<u32>(),
    ];
    prop_oneof![
        (0..4100_u16, 0..20_u8).prop_map(|(at, length)| Access::ReadConfig(at, length)),
        (0..4100_u16, proptest::collection::vec(any::<u8>(), 0..9))
            .prop_map(|(at, data)| Access::WriteConfig(at, data)),
        prop_oneof![0..0x10_0010_u64, any::<u64>()].prop_map(Access::ReadBar),
        (0..0x4_0004_u64, any::<u32>()).prop_map(|(at, value)| Access::WriteBar(at * 4, value)),
        (0..16_u32, inside, value).prop_map(|(space, at, value)| Access::Gateway(space, at, value)),
    ]
}

fn perform(pci: &mut dyn Function, access: &Access) {
    // Errors are answers too; what counts is that nothing panics.
    match access {
        Access::ReadConfig(at, length) => {
            let _ = pci.read_config(*at, &mut vec![0; usize::from(*length)]);
        }
        Access::WriteConfig(at, data) => {
            let _ = pci.write_config(*at, data);
        }
        Access::ReadBar(at) => {
            let _ = pci.map_bar(0);
            let _ = pci.read_bar32(0, *at);
        }
        Access::WriteBar(at, value) => {
            let _ = pci.write_bar32(0, *at, *value);
        }
        Access::Gateway(space, at, value) => {
            for (register, word) in [(0x58, *at), (0x5c, *value)] {
                let _ = pci.write_config32(register, word);
            }
            for (register, word) in [(0xc4, *space), (0xd4, *value), (0xd0, at | 1 << 31)] {
                let _ = pci.write_config32(register, word);
            }
            let _ = pci.read_config32(0x5c);
            let _ = pci.read_config32(0xd0);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, ..ProptestConfig::default() })]

    #[test]
    fn random_accesses_are_answered(
        which in 0..26_usize,
        accesses in proptest::collection::vec(access(), 1..200),
    ) {
        let profiles = profiles();
        let card = card(profiles[which % profiles.len()].name);
        let functions = card.infos().len();
        let mut open: Vec<_> = (0..functions).map(|index| open(&card, index)).collect();
        for (turn, access) in accesses.iter().enumerate() {
            perform(open[turn % functions].as_mut(), access);
        }
        card.reboot();
        for pci in &mut open {
            prop_assert_eq!(pci.read_config32(0).unwrap() & 0xffff, 0x15b3);
        }
    }

    #[test]
    fn faults_strike_without_harm(
        text in "[a-z-]{0,14}(=[a-z0-9]{0,5})?(@[0-9]{0,3})?",
        accesses in proptest::collection::vec(access(), 1..60),
    ) {
        let card = card("connectx-4");
        if let Ok(plan) = text.parse() {
            card.set_faults(plan);
        }
        let mut pci = open(&card, 0);
        for access in &accesses {
            perform(pci.as_mut(), access);
        }
    }
}
