//! What every fuzz target does with its bytes: read them in all ways there are,
//! and insist on what must hold for any input. Shared by the targets and by
//! tests/corpus.rs, which runs them over the corpus as an ordinary test.

#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic
)]

use std::sync::OnceLock;

use flexctl::command::register::{Mgir, Mnva, Mnvda, Mnvgc, Mnvgn, Mnvqc, Mqis, Readable};
use flexctl::hwdb::{Hwdb, Tlv};
use flexctl::pci::Vpd;

/// TLVs of non-volatile settings and the registers that carry them: the first
/// byte chooses the TLV, the rest is its contents.
pub fn tlv(bytes: &[u8]) {
    registers(bytes);
    let _ = Vpd::parse(bytes);
    let Some((choice, contents)) = bytes.split_first() else {
        return;
    };
    let tlvs = all_tlvs();
    let tlv = &tlvs[usize::from(*choice) % tlvs.len()];
    for field in &tlv.field {
        let before = field.get(contents);
        let _ = field.is_valid(contents);
        let Some(value) = before else {
            continue;
        };
        let mut again = contents.to_vec();
        if field.put_bits(&mut again, &value).is_some() {
            assert_eq!(
                field.get(&again),
                Some(value),
                "{}: put and get differ",
                field.name
            );
            assert_eq!(again.len(), contents.len());
        }
    }
}

fn registers(bytes: &[u8]) {
    let _ = Mnva::unpack(bytes);
    let _ = Mnvda::unpack(bytes);
    let _ = Mnvgc::unpack(bytes);
    let _ = Mnvgn::unpack(bytes);
    let _ = Mnvqc::unpack(bytes);
    let _ = Mqis::unpack(bytes);
    let _ = Mgir::unpack(bytes);
}

fn all_tlvs() -> &'static [Tlv] {
    static TLVS: OnceLock<Vec<Tlv>> = OnceLock::new();
    TLVS.get_or_init(|| {
        let hwdb = Hwdb::builtin().unwrap();
        hwdb.devices()
            .iter()
            .flat_map(|device| hwdb.settings(device).tlv.clone())
            .collect()
    })
}
