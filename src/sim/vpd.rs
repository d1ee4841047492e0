//! Vital product data: the text of a card and the capability that reads it.
//!
//! Format and capability: PCI Local Bus Specification 3.0, appendix I.

use super::profile::Identity;

/// Builds the VPD of a card: name, part number, serial number, checksum.
pub(crate) fn build(card: &Identity) -> Vec<u8> {
    let mut fields = Vec::new();
    for (keyword, text) in [
        (b"PN", card.part_number.as_str()),
        (b"EC", "A5"),
        (b"SN", &card.serial_number),
        (b"V0", "PCIe Gen3 x8"),
    ] {
        fields.extend_from_slice(keyword);
        fields.push(u8::try_from(text.len()).unwrap_or(u8::MAX));
        fields.extend(text.bytes().take(0xff));
    }
    let mut vpd = resource(0x82, card.name.as_bytes());
    // RV: one checksum byte, everything up to and including it sums to zero.
    fields.extend_from_slice(b"RV\x01");
    fields.push(0);
    vpd.extend(resource(0x90, &fields));
    let sum = vpd.iter().fold(0_u8, |sum, byte| sum.wrapping_add(*byte));
    if let Some(checksum) = vpd.last_mut() {
        *checksum = sum.wrapping_neg();
    }
    vpd.push(0x78);
    vpd
}

fn resource(tag: u8, data: &[u8]) -> Vec<u8> {
    let length = u16::try_from(data.len()).unwrap_or(u16::MAX);
    let mut bytes = vec![tag];
    bytes.extend_from_slice(&length.to_le_bytes());
    bytes.extend_from_slice(data);
    bytes
}

/// The VPD capability's address and data registers.
#[derive(Clone, Debug, Default)]
pub(crate) struct VpdPort {
    /// Bits 14:0 address, bit 15 flag.
    address: u16,
    data: u32,
}

const FLAG: u16 = 0x8000;

impl VpdPort {
    /// The address register, as the upper half of the capability's first dword.
    pub(crate) fn address(&self) -> u16 {
        self.address
    }

    pub(crate) fn data(&self) -> u32 {
        self.data
    }

    /// A write with the flag clear fetches a dword and sets the flag; with the
    /// flag set it asks to store one, which a read-only VPD acknowledges.
    pub(crate) fn set_address(&mut self, address: u16, vpd: &[u8]) {
        if address & FLAG == 0 {
            let at = usize::from(address);
            let byte = |index: usize| vpd.get(at + index).copied().unwrap_or(0xff);
            self.data = u32::from_le_bytes([byte(0), byte(1), byte(2), byte(3)]);
            self.address = address | FLAG;
        } else {
            self.address = address & !FLAG;
        }
    }

    pub(crate) fn set_data(&mut self, data: u32) {
        self.data = data;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_register_fetches_four_bytes() {
        let mut port = VpdPort::default();
        port.set_address(4, b"abcdefgh");
        assert_eq!(port.address(), FLAG | 4);
        assert_eq!(port.data(), u32::from_le_bytes(*b"efgh"));
        port.set_address(6, b"abcdefgh");
        assert_eq!(port.data(), u32::from_le_bytes([b'g', b'h', 0xff, 0xff]));
    }

    #[test]
    fn a_write_is_acknowledged_and_changes_nothing() {
        let mut port = VpdPort::default();
        port.set_data(0);
        port.set_address(FLAG, b"abcd");
        assert_eq!(port.address(), 0);
    }
}
