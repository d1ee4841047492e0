//! Scans of hosts made of files.

#![allow(
    clippy::unwrap_used,
    reason = "what these functions make is part of the test"
)]

mod hosts;

use std::fs;
use std::os::unix::fs::symlink;

use flexctl::pci::{Bdf, FunctionInfo, FunctionKind, SysfsRoot, Unreadable};
use hosts::{Host, LAYOUTS, Layout, driver, ids, interface, write};

fn bdf(text: &str) -> Bdf {
    text.parse().unwrap()
}

fn notes(function: &FunctionInfo) -> Vec<(&str, &str)> {
    function
        .unreadable
        .iter()
        .map(|note| (note.what.as_str(), note.reason.as_str()))
        .collect()
}

#[test]
fn reads_all_that_the_kernel_says_of_a_card() {
    for layout in LAYOUTS {
        let host = Host::new(layout);
        host.bridge("0000:00:00.0");
        host.connectx3("0000:04:00.0");
        let functions = host.root().scan().unwrap();
        assert_eq!(functions.len(), 1, "{layout:?}");
        let card = &functions[0];
        assert_eq!(card.address, bdf("0000:04:00.0"));
        assert_eq!((card.vendor, card.device), (0x15b3, 0x1003));
        assert_eq!(card.subsystem_vendor, Some(0x15b3));
        assert_eq!(card.subsystem_device, Some(0x0055));
        assert_eq!(card.class, Some(0x02_0000));
        assert_eq!(card.revision, Some(0));
        assert_eq!(card.numa_node, Some(1));
        assert_eq!(card.driver.as_deref(), Some("mlx4_core"));
        assert_eq!(card.kind, FunctionKind::Physical);
        assert_eq!(card.rdma, ["mlx4_0"]);
        let net: Vec<_> = card
            .net
            .iter()
            .map(|net| (net.name.as_str(), net.mac.as_deref(), net.port))
            .collect();
        assert_eq!(
            net,
            [
                ("eth4", Some("00:00:5e:00:53:01"), Some(1)),
                ("eth10", Some("00:00:5e:00:53:02"), Some(2)),
            ]
        );
        assert_eq!(card.unreadable, Vec::<Unreadable>::new());
    }
}

#[test]
fn an_unreadable_attribute_hides_neither_its_card_nor_others() {
    for layout in LAYOUTS {
        let host = Host::new(layout);
        let odd = host.connectx3("0000:04:00.0");
        for name in ["modalias", "subsystem_device", "numa_node"] {
            fs::remove_file(odd.join(name)).unwrap();
        }
        fs::create_dir(odd.join("subsystem_device")).unwrap();
        symlink("nowhere", odd.join("numa_node")).unwrap();
        write(&odd, "class", "net\x1b\n");
        write(&odd, "revision", "");
        write(&odd.join("net/eth4"), "dev_port", "first\n");
        fs::remove_file(odd.join("net/eth10/address")).unwrap();
        host.connectx4("0000:81:00.0");

        let functions = host.root().scan().unwrap();
        assert_eq!(functions.len(), 2);
        let odd = &functions[0];
        assert_eq!(
            notes(odd),
            [
                ("subsystem_device", "it is a directory, not an attribute"),
                ("class", r"`net\u{1b}` is not a class code of 24 bits"),
                ("revision", "`` is not a revision of 8 bits"),
                ("numa_node", "it is a link that leads nowhere"),
                ("net/eth4/dev_port", "`first` is not the number of a port"),
                ("net/eth10/address", "the host does not show it"),
            ]
        );
        assert_eq!(odd.device, 0x1003);
        assert_eq!(odd.subsystem_vendor, Some(0x15b3));
        assert_eq!(
            (odd.subsystem_device, odd.class, odd.revision),
            (None, None, None)
        );
        assert_eq!(odd.net.len(), 2);
        assert_eq!(functions[1].unreadable, Vec::<Unreadable>::new());
    }
}

#[test]
fn a_malformed_vendor_hides_its_function_only_if_the_alias_names_another() {
    let host = Host::new(Layout::Links);
    let by_alias = host.connectx3("0000:04:00.0");
    write(&by_alias, "vendor", "Mellanox\n");
    let by_driver = host.connectx4("0000:05:00.0");
    write(&by_driver, "vendor", "Mellanox\n");
    fs::remove_file(by_driver.join("modalias")).unwrap();
    let untold = host.connectx4("0000:06:00.0");
    for name in ["vendor", "modalias", "driver"] {
        fs::remove_file(untold.join(name)).unwrap();
    }
    write(&host.bridge("0000:07:00.0"), "vendor", "???\n");

    let functions = host.root().scan().unwrap();
    let vendors: Vec<_> = functions
        .iter()
        .map(|function| (function.address.bus, function.vendor, function.device))
        .collect();
    assert_eq!(
        vendors,
        [
            (4, 0x15b3, 0x1003),
            (5, 0x15b3, 0x1013),
            (6, 0xffff, 0x1013)
        ]
    );
    assert_eq!(
        notes(&functions[1]),
        [("vendor", "`Mellanox` is not an id of 16 bits")]
    );
    assert_eq!(
        notes(&functions[2]),
        [("vendor", "the host does not show it")]
    );
}

#[test]
fn ids_come_from_the_alias_or_from_an_attribute_each() {
    let host = Host::new(Layout::Plain);
    let aliased = host.connectx4("0000:04:00.0");
    write(&aliased, "device", "0x123456\n");
    let plain = host.connectx4("0000:05:00.0");
    write(&plain, "modalias", "platform:card\n");
    let neither = host.connectx4("0000:06:00.0");
    write(&neither, "modalias", "pci:v000015B3\n");
    write(&neither, "device", "0x123456\n");
    let functions = host.root().scan().unwrap();
    for function in &functions[..2] {
        assert_eq!(function.device, 0x1013);
        assert_eq!(function.subsystem_device, Some(0x0008));
        assert_eq!(function.class, Some(0x02_0000));
        assert_eq!(function.unreadable, Vec::<Unreadable>::new());
    }
    assert_eq!(functions[2].device, 0xffff);
    assert_eq!(
        notes(&functions[2]),
        [("device", "`0x123456` is not an id of 16 bits")]
    );
}

#[test]
fn virtual_functions_and_their_card_point_at_each_other() {
    let host = Host::new(Layout::Links);
    let card = host.connectx4("0000:81:00.0");
    for number in 0..12 {
        let address = format!("0000:81:{:02x}.{}", 1 + number / 8, number % 8);
        symlink(
            format!("../{address}"),
            card.join(format!("virtfn{number}")),
        )
        .unwrap();
        let function = host.function(&address);
        ids(&function, [0x15b3, 0x1014, 0x15b3, 0x0008]);
        symlink("../0000:81:00.0", function.join("physfn")).unwrap();
    }
    symlink("../elsewhere", card.join("virtfn12")).unwrap();
    write(&card, "virtfn", "no link");

    let functions = host.root().scan().unwrap();
    assert_eq!(functions.len(), 13);
    let addresses: Vec<_> = functions[0].virtual_functions.clone();
    let others: Vec<_> = functions[1..]
        .iter()
        .map(|function| function.address)
        .collect();
    assert_eq!(addresses, others);
    assert_eq!(
        notes(&functions[0]),
        [("virtfn12", "`elsewhere` is not a PCI address")]
    );
    for function in &functions[1..] {
        assert_eq!(function.kind, FunctionKind::Virtual);
        assert_eq!(function.physical_function, Some(bdf("0000:81:00.0")));
    }
}

#[test]
fn a_function_that_may_be_virtual_is_never_physical() {
    let host = Host::new(Layout::Plain);
    let function = host.connectx4("0000:81:00.2");
    fs::create_dir(function.join("physfn")).unwrap();
    let functions = host.root().scan().unwrap();
    assert_eq!(functions[0].kind, FunctionKind::Virtual);
    assert_eq!(functions[0].physical_function, None);
    assert_eq!(notes(&functions[0]), [("physfn", "it is not a link")]);
}

#[test]
fn a_card_may_have_two_functions_no_driver_and_no_node() {
    let host = Host::new(Layout::Links);
    host.connectx4("0000:81:00.1");
    let first = host.function("0000:81:00.0");
    ids(&first, [0x15b3, 0x1015, 0x15b3, 0x0003]);
    write(&first, "numa_node", "-1\n");
    let functions = host.root().scan().unwrap();
    assert_eq!(functions[0].address.slot(), functions[1].address.slot());
    assert_eq!(functions[0].driver, None);
    assert_eq!(functions[0].numa_node, None);
    assert!(functions[0].net.is_empty() && functions[0].rdma.is_empty());
    assert_eq!(functions[0].unreadable, Vec::<Unreadable>::new());
}

#[test]
fn a_bare_tree_of_vendor_and_device_is_enough() {
    let host = Host::new(Layout::Plain);
    let function = host.function("0000:05:00.0");
    write(&function, "vendor", "0x15b3");
    write(&function, "device", "0x1007");
    let functions = host.root().scan().unwrap();
    assert_eq!(functions[0].device, 0x1007);
    let missing: Vec<_> = notes(&functions[0]).iter().map(|note| note.0).collect();
    assert_eq!(missing, ["subsystem_vendor", "subsystem_device", "class"]);
}

#[test]
fn functions_come_by_address_in_wide_domains_too() {
    let host = Host::new(Layout::Links);
    for address in [
        "10000:01:00.0",
        "0000:82:00.0",
        "0000:0a:00.1",
        "ffff:00:1f.7",
    ] {
        host.connectx4(address);
    }
    let functions = host.root().scan().unwrap();
    let addresses: Vec<_> = functions
        .iter()
        .map(|function| function.address.to_string())
        .collect();
    assert_eq!(
        addresses,
        [
            "0000:0a:00.1",
            "0000:82:00.0",
            "ffff:00:1f.7",
            "10000:01:00.0"
        ]
    );
}

#[test]
fn what_is_no_function_is_passed_over() {
    let host = Host::new(Layout::Links);
    let list = host.path().join("bus/pci/devices");
    host.connectx3("0000:04:00.0");
    fs::create_dir(list.join("not-an-address")).unwrap();
    fs::write(list.join("0000:05:00.0"), "a file").unwrap();
    symlink("../nowhere", list.join("0000:06:00.0")).unwrap();
    assert_eq!(host.root().scan().unwrap().len(), 1);
}

#[test]
fn interfaces_without_a_port_number_or_address_are_listed() {
    let host = Host::new(Layout::Plain);
    let card = host.connectx4("0000:04:00.0");
    fs::remove_file(card.join("net/enp1s0/dev_port")).unwrap();
    write(&card.join("net/enp1s0"), "address", "\n");
    interface(&card, "ib0", "80:00:02:08:fe:80", 255);
    let functions = host.root().scan().unwrap();
    let net = &functions[0].net;
    assert_eq!((net[0].name.as_str(), net[0].port), ("ib0", None));
    assert_eq!((net[1].mac.as_deref(), net[1].port), (None, None));
    assert_eq!(notes(&functions[0])[0].0, "net/ib0/dev_port");
}

#[test]
fn a_host_without_pci_is_an_error_with_the_path() {
    let tree = tempfile::tempdir().unwrap();
    let error = SysfsRoot::new(tree.path()).scan().unwrap_err();
    assert_eq!(error.path, tree.path().join("bus/pci/devices"));
    assert_eq!(error.source.kind(), std::io::ErrorKind::NotFound);
    assert!(error.to_string().ends_with("bus/pci/devices"), "{error}");
}

#[test]
fn a_thousand_cards_are_all_found() {
    let host = Host::new(Layout::Links);
    fill(&host, 1000, 0);
    let functions = host.root().scan().unwrap();
    assert_eq!(functions.len(), 1000);
    assert!(functions.is_sorted_by_key(|function| function.address));
    assert!(
        functions
            .iter()
            .all(|function| function.unreadable.is_empty())
    );
}

/// `cards` cards, one a bus; each with `padding` files that nobody reads, as
/// there are some forty on a real host.
fn fill(host: &Host, cards: usize, padding: usize) {
    for number in 0..cards {
        let address = format!("{:04x}:{:02x}:00.0", number / 250, number % 250);
        let card = host.function(&address);
        ids(&card, [0x15b3, 0x1015, 0x15b3, 0x0003]);
        driver(&card, "mlx5_core");
        interface(&card, &format!("eth{number}"), "00:00:5e:00:53:11", 0);
        for file in 0..padding {
            write(&card, &format!("attribute{file}"), "");
        }
    }
}

/// Not a test: prints how long a scan takes.
#[test]
#[ignore = "a measurement; run it alone, with --release --nocapture"]
fn time_of_a_scan_of_a_thousand_cards() {
    let host = Host::new(Layout::Links);
    fill(&host, 1000, 40);
    let mut times: Vec<_> = (0..51)
        .map(|_| {
            let start = std::time::Instant::now();
            assert_eq!(host.root().scan().unwrap().len(), 1000);
            start.elapsed()
        })
        .collect();
    let first = times[0];
    times.sort();
    println!(
        "first {first:?}, median {:?}, worst {:?}",
        times[25], times[50]
    );
}
