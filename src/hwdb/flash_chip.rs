//! Serial flash chips by their JEDEC id.

use serde::Deserialize;

const CHIPS: &str = include_str!("../../hwdb/flash-chips.toml");
const RECORD: &str = "[[chip]]\n";

/// A serial flash chip: one record of `hwdb/flash-chips.toml`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FlashChip {
    /// Its type, as its maker calls it.
    pub name: String,
    /// Its maker.
    pub vendor: String,
    /// The three bytes that it answers to opcode 0x9f: maker, type, density.
    pub jedec: [u8; 3],
    /// Its size in bytes.
    pub bytes: u32,
    /// The page that one program command can write, in bytes.
    pub page: u32,
    /// Its erase commands, the smallest block first.
    pub erase: Vec<EraseCommand>,
    /// Its program command.
    pub program: ProgramCommand,
    /// Where its status register says that it is protected.
    pub protection: ProtectionBits,
    /// Whether mstflint 4.21 knows it.
    pub mstflint: bool,
    /// Where the facts come from.
    pub source: Vec<String>,
}

/// A command that erases one block.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EraseCommand {
    /// The block in bytes; it starts at a multiple of this.
    pub bytes: u32,
    /// The command.
    pub opcode: u8,
    /// How long it takes, mostly, in microseconds.
    pub typical_us: u32,
    /// How long it takes at most, in microseconds.
    pub longest_us: u32,
}

/// The command that programs a page or a part of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProgramCommand {
    /// The command.
    pub opcode: u8,
    /// How long a whole page takes, mostly, in microseconds.
    pub typical_us: u32,
    /// How long a whole page takes at most, in microseconds.
    pub longest_us: u32,
}

/// The bits of status register 1 that protect something when one of them is set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProtectionBits {
    /// Those bits.
    pub mask: u8,
}

impl FlashChip {
    /// The chip with this JEDEC id. Only its record is read.
    #[must_use]
    pub fn of(jedec: [u8; 3]) -> Option<Self> {
        let [maker, kind, density] = jedec;
        let line = format!("jedec = [{maker:#04x}, {kind:#04x}, {density:#04x}]\n");
        let record = CHIPS
            .split(RECORD)
            .skip(1)
            .find(|record| record.contains(&line))?;
        toml::from_str(record).ok()
    }

    /// The smallest block that it erases, in bytes.
    #[must_use]
    pub fn sector(&self) -> u32 {
        self.erase.first().map_or(self.bytes, |erase| erase.bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct ChipsFile {
        schema: u32,
        chip: Vec<FlashChip>,
    }

    #[test]
    fn every_record_is_found_by_its_id_and_makes_sense() {
        let file: ChipsFile = toml::from_str(CHIPS).unwrap();
        assert_eq!(file.schema, 1);
        for chip in &file.chip {
            assert_eq!(FlashChip::of(chip.jedec).as_ref(), Some(chip));
            assert!(chip.bytes.is_power_of_two() && chip.page.is_power_of_two());
            assert!(chip.erase.is_sorted_by_key(|erase| erase.bytes));
            for erase in &chip.erase {
                assert!(erase.bytes.is_power_of_two() && erase.bytes > chip.page);
                assert!(erase.typical_us < erase.longest_us);
            }
            assert!(!chip.source.is_empty());
        }
    }
}
