//! What status registers say of write protection, in words.

use crate::hwdb::FlashChip;

/// What is protected when the chip's status registers read as these; `None` when
/// nothing is.
pub(super) fn protected_parts(chip: &FlashChip, status: u8, second: Option<u8>) -> Option<String> {
    let bits = chip.protection;
    let turned = bits
        .second
        .zip(second)
        .filter(|(register, value)| value & register.mask != 0);
    if status & bits.mask == 0 && turned.is_none() {
        return None;
    }
    let mut parts = Vec::new();
    if bits.block_protect != 0 {
        parts.push(format!(
            "block protect bits {:#04x} of {:#04x}",
            status & bits.block_protect,
            bits.block_protect
        ));
    }
    if status & bits.sector != 0 {
        parts.push("in sectors".to_owned());
    }
    if status & bits.top_bottom != 0 {
        parts.push("from the bottom".to_owned());
    }
    if let Some((register, _)) = turned {
        parts.push(format!(
            "turned around by status register {:#04x}",
            register.opcode
        ));
    }
    let parts = parts.join(", ");
    Some(format!("status register {status:#04x} ({parts})"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_bit_that_protects_is_named() {
        let chip = FlashChip::of([0xef, 0x40, 0x15]).unwrap();
        assert_eq!(protected_parts(&chip, 0x82, Some(0x02)), None);
        assert_eq!(
            protected_parts(&chip, 0x2c, None).unwrap(),
            "status register 0x2c (block protect bits 0x0c of 0x1c, from the bottom)"
        );
        // Complement with no block protected: all of it is.
        assert!(protected_parts(&chip, 0, Some(0x40)).is_some());
    }
}
