//! Version records in bytes that are right, cut off, several or hostile.

use flexctl::image::{
    CpuArchitecture, FlexBootVersion, RomProduct, RomProtocol, RomVersion, VersionRecord,
    VersionRecordError, version_records,
};
use proptest::prelude::*;

fn dwords(values: &[u32]) -> Vec<u8> {
    let mut bytes = b"mlxsign:".to_vec();
    for value in values {
        bytes.extend(value.to_le_bytes());
    }
    bytes
}

/// 3.4.812 for ConnectX-3, any port, any protocol: Debian's `mstflint qrom`
/// 4.21 says "type=PXE version=3.4.812 cpu=AMD64" of a ROM with this record.
fn flexboot() -> Vec<u8> {
    dwords(&[0x0010_0003, 0x0004_032c, 0x1003_01ff])
}

fn all(bytes: &[u8]) -> Vec<VersionRecord> {
    version_records(bytes).map(Result::unwrap).collect()
}

#[test]
fn reads_the_record_of_flexboot() {
    let mut rom = vec![0xff; 100];
    rom.extend(flexboot());
    rom.extend([0; 7]);
    assert_eq!(
        all(&rom),
        [VersionRecord {
            offset: 100,
            product: RomProduct::Pxe,
            version: RomVersion::Numbered(FlexBootVersion::new(3, 4, 812)),
            device_id: Some(0x1003),
            port: None,
            cpu: CpuArchitecture::Amd64,
            protocol: RomProtocol::Any,
        }]
    );
}

#[test]
fn reads_several_records_of_one_file() {
    let mut rom = flexboot();
    rom.extend([0x55; 333]);
    rom.extend(dwords(&[0x0011_000e, 0x000b_0010, 0x1003_23ff]));
    rom.extend(dwords(&[0x0099_0001, 0, 0x0000_0901]));
    let records = all(&rom);
    let products: Vec<_> = records.iter().map(|record| record.product).collect();
    assert_eq!(
        products,
        [RomProduct::Pxe, RomProduct::Uefi, RomProduct::Unknown(0x99)]
    );
    assert_eq!(records[1].numbered().unwrap().to_string(), "14.11.16");
    assert_eq!(records[1].port, Some(2));
    assert_eq!(records[1].cpu, CpuArchitecture::Amd64AndAarch64);
    assert_eq!(records[2].device_id, None);
    assert_eq!(records[2].cpu, CpuArchitecture::Unknown(9));
    assert_eq!(records[2].protocol, RomProtocol::Ethernet);
}

#[test]
fn a_text_record_has_its_version_in_words() {
    let mut rom = dwords(&[0x000f_0000, 0, 0, 0x0000_0b07]);
    rom.extend(b"4711 custom\0");
    let record = all(&rom).remove(0);
    assert_eq!(record.product, RomProduct::Text);
    assert_eq!(record.version, RomVersion::Text("4711 custom".into()));
    assert_eq!(record.numbered(), None);
}

#[test]
fn a_text_that_does_not_fit_its_record_is_refused() {
    let mut rom = dwords(&[0x000f_0000, 0, 0, 0x0000_ff07]);
    rom.extend([b'x'; 300]);
    assert_eq!(
        version_records(&rom).next().unwrap(),
        Err(VersionRecordError::TextTooLong {
            offset: 0,
            record_dwords: 7,
            text_bytes: 255
        })
    );
}

#[test]
fn a_record_that_is_cut_off_hides_no_other_one() {
    let whole = flexboot();
    for length in 8..whole.len() {
        let found: Vec<_> = version_records(&whole[..length]).collect();
        assert_eq!(found, [Err(VersionRecordError::Truncated { offset: 0 })]);
    }
    let mut rom = dwords(&[0x000f_0000, 0, 0, 0x0000_ff07]);
    rom.extend(flexboot());
    let found: Vec<_> = version_records(&rom).collect();
    assert!(found[0].is_err());
    assert_eq!(found[1].as_ref().unwrap().product, RomProduct::Pxe);
}

#[test]
fn a_record_of_old_products_has_no_target() {
    let record = all(&dwords(&[0x0001_0002, 0x0003_0004])).remove(0);
    assert_eq!(record.product, RomProduct::Unknown(1));
    assert_eq!(record.device_id, None);
}

proptest! {
    #[test]
    fn hostile_bytes_never_panic(mut bytes in proptest::collection::vec(any::<u8>(), 0..200),
                                 at in 0_usize..200) {
        let at = at.min(bytes.len());
        bytes.splice(at..at, *b"mlxsign:");
        prop_assert!(version_records(&bytes).count() >= 1);
    }

    #[test]
    fn every_number_is_read_back(major: u8, minor: u8, sub: u16, device in 1_u16..) {
        let rom = dwords(&[
            0x0010_0000 | u32::from(major),
            u32::from(minor) << 16 | u32::from(sub),
            u32::from(device) << 16 | 0x01ff,
        ]);
        let record = all(&rom).remove(0);
        prop_assert_eq!(record.numbered(), Some(FlexBootVersion::new(major, minor, sub)));
        prop_assert_eq!(record.device_id, Some(device));
    }
}
