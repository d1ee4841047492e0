//! The live function over plain files in place of the kernel's.

#![allow(
    clippy::unwrap_used,
    reason = "what these functions make is part of the test"
)]

mod hosts;

use std::error::Error as _;
use std::fs;
use std::io;

use flexctl::pci::{Access, Bdf, Function, FunctionError, LiveFunction};
use hosts::{Host, Layout};

const ADDRESS: &str = "0000:04:00.0";
const BAR_BYTES: u64 = 1 << 20;

fn address() -> Bdf {
    ADDRESS.parse().unwrap()
}

/// A card with as much config space and a BAR0 of 1 MiB, both of counting bytes.
fn host(config_bytes: usize) -> Host {
    let host = Host::new(Layout::Links);
    let card = host.connectx3(ADDRESS);
    let counting = |length| (0..=255_u8).cycle().take(length).collect::<Vec<_>>();
    fs::write(card.join("config"), counting(config_bytes)).unwrap();
    fs::write(card.join("resource0"), counting(1 << 20)).unwrap();
    host
}

fn open(host: &Host, access: Access) -> LiveFunction {
    LiveFunction::open(&host.root(), address(), access).unwrap()
}

fn file(host: &Host, name: &str) -> std::path::PathBuf {
    host.root().function_path(address()).join(name)
}

#[test]
fn config_space_is_read_and_written_at_its_offsets() {
    let host = host(256);
    let mut function = open(&host, Access::ReadWrite);
    assert_eq!(function.address(), address());
    assert_eq!(function.read_config32(0x58).unwrap(), 0x5b5a_5958);
    let mut word = [0; 2];
    function.read_config(0xfe, &mut word).unwrap();
    assert_eq!(word, [0xfe, 0xff]);
    function.write_config32(0x5c, 0x1234_5678).unwrap();
    assert_eq!(function.read_config32(0x5c).unwrap(), 0x1234_5678);
    function.read_config(0x10, &mut []).unwrap();
    assert_eq!(fs::read(file(&host, "config")).unwrap()[0x5c], 0x78);
}

#[test]
fn the_vital_product_data_is_read_to_its_end() {
    let host = host(256);
    let mut function = open(&host, Access::ReadOnly);
    let error = function.read_vpd().unwrap_err();
    assert_eq!(
        error.to_string(),
        "0000:04:00.0: the vital product data cannot be read: the host shows none"
    );
    fs::write(file(&host, "vpd"), b"\x82\x02\0ab\x78 and what follows").unwrap();
    let bytes = function.read_vpd().unwrap();
    let vpd = flexctl::pci::Vpd::parse(&bytes).unwrap();
    assert_eq!(vpd.identifier, "ab");
    fs::remove_file(file(&host, "vpd")).unwrap();
    fs::create_dir(file(&host, "vpd")).unwrap();
    let error = function.read_vpd().unwrap_err();
    assert_eq!(
        error.to_string(),
        "0000:04:00.0: cannot read the vital product data"
    );
}

#[test]
fn a_reader_without_rights_sees_where_config_space_ends() {
    let host = host(64);
    let mut function = open(&host, Access::ReadOnly);
    assert_eq!(function.read_config32(60).unwrap(), 0x3f3e_3d3c);
    let error = function.read_config32(0x58).unwrap_err();
    assert!(
        matches!(
            error,
            FunctionError::ConfigTruncated {
                offset: 0x58,
                found: 64,
                ..
            }
        ),
        "{error}"
    );
    let error = function.read_config(62, &mut [0; 4]).unwrap_err();
    assert!(
        matches!(
            error,
            FunctionError::ConfigTruncated {
                offset: 64,
                found: 64,
                ..
            }
        ),
        "{error}"
    );
}

#[test]
fn what_is_opened_for_reading_is_not_written() {
    let host = host(256);
    let before = fs::read(file(&host, "config")).unwrap();
    let mut function = open(&host, Access::ReadOnly);
    let error = function.write_config32(0x58, 0).unwrap_err();
    assert!(!error.is_permission(), "{error}");
    assert!(
        error
            .to_string()
            .contains("write 4 bytes of config space at 0x058")
    );
    function.map_bar(0).unwrap();
    assert_eq!(function.read_bar32(0, 8).unwrap(), 0x0b0a_0908);
    assert!(function.write_bar32(0, 8, 0).is_err());
    assert_eq!(fs::read(file(&host, "config")).unwrap(), before);
}

#[test]
fn a_function_that_is_not_there_is_gone() {
    let host = Host::new(Layout::Plain);
    let error = LiveFunction::open(&host.root(), address(), Access::ReadOnly).unwrap_err();
    assert!(error.is_gone());
    assert!(error.source().unwrap().is::<io::Error>());
    assert_eq!(
        error.to_string(),
        "0000:04:00.0: cannot open config space for reading"
    );
}

#[test]
fn a_function_that_goes_away_is_gone() {
    let host = host(256);
    let mut function = open(&host, Access::ReadWrite);
    fs::remove_dir_all(host.root().function_path(address())).unwrap();
    assert!(function.map_bar(0).unwrap_err().is_gone());
    assert!(function.read_option_rom().unwrap_err().is_gone());
}

#[test]
fn the_bar_is_read_and_written_in_place() {
    let host = host(256);
    let mut function = open(&host, Access::ReadWrite);
    assert_eq!(function.map_bar(0).unwrap(), BAR_BYTES);
    assert_eq!(function.map_bar(0).unwrap(), BAR_BYTES);
    assert_eq!(function.read_bar32(0, 0xf_0014).unwrap(), 0x1716_1514);
    function.write_bar32(0, 0xf_0380, 0xcafe_f00d).unwrap();
    function.write_bar32(0, BAR_BYTES - 4, 1).unwrap();
    assert_eq!(function.read_bar32(0, 0xf_0380).unwrap(), 0xcafe_f00d);
    let bytes = fs::read(file(&host, "resource0")).unwrap();
    assert_eq!(bytes[0xf_0380..0xf_0384], [0x0d, 0xf0, 0xfe, 0xca]);
    assert_eq!(bytes[bytes.len() - 4..], [1, 0, 0, 0]);
}

#[test]
fn offsets_outside_of_the_bar_or_not_aligned_are_refused() {
    let host = host(256);
    let mut function = open(&host, Access::ReadWrite);
    function.map_bar(0).unwrap();
    for offset in [
        1,
        2,
        3,
        0xf_0016,
        BAR_BYTES - 3,
        BAR_BYTES,
        1 << 40,
        u64::MAX,
        u64::MAX - 3,
    ] {
        for error in [
            function.read_bar32(0, offset).unwrap_err(),
            function.write_bar32(0, offset, 0).unwrap_err(),
        ] {
            assert!(
                matches!(
                    error,
                    FunctionError::OutOfRange {
                        length: BAR_BYTES,
                        ..
                    }
                ),
                "{error}"
            );
        }
    }
}

#[test]
fn a_bar_that_the_host_does_not_map_says_why() {
    let host = host(256);
    fs::write(file(&host, "resource2"), "").unwrap();
    // What mmap refuses, as a FUSE tree does.
    fs::create_dir(file(&host, "resource4")).unwrap();
    let mut function = open(&host, Access::ReadOnly);
    for bar in [1, 2, 4, 6, 255] {
        let error = function.map_bar(bar).unwrap_err();
        assert!(
            matches!(&error, FunctionError::BarUnavailable { reason, .. } if !reason.is_empty()),
            "{error}"
        );
        let error = function.read_bar32(bar, 0).unwrap_err();
        assert!(error.to_string().ends_with("it is not mapped"), "{error}");
    }
}

#[test]
fn the_rom_is_disabled_again_whatever_it_held() {
    for contents in [
        vec![0x55, 0xaa, 1, 2],
        vec![0xff; 8192],
        vec![0; 20_000_000],
    ] {
        let host = host(256);
        fs::write(file(&host, "rom"), contents).unwrap();
        let mut function = open(&host, Access::ReadOnly);
        // A plain file keeps the `1` in front of its contents: no signature.
        let error = function.read_option_rom().unwrap_err();
        assert!(
            matches!(error, FunctionError::RomUnavailable { .. }),
            "{error}"
        );
        assert!(fs::read(file(&host, "rom")).unwrap().starts_with(b"0\n"));
    }
}

#[test]
fn a_rom_that_the_host_does_not_show_is_unavailable() {
    let host = host(256);
    let error = open(&host, Access::ReadOnly).read_option_rom().unwrap_err();
    assert!(
        matches!(&error, FunctionError::RomUnavailable { reason, .. } if reason.contains("none")),
        "{error}"
    );
}
