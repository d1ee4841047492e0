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
    /// Where the times come from.
    pub times: Times,
    /// Where its status registers say that it is protected.
    pub protection: ProtectionBits,
    /// Whether mstflint 4.21 knows it.
    pub mstflint: bool,
    /// Why it is read but never written; absent: it may be written.
    pub read_only: Option<String>,
    /// Where the facts come from.
    pub source: Vec<String>,
}

/// Where the times of a chip come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Times {
    /// Its datasheet.
    Datasheet,
    /// A guess from its siblings, on the long side.
    Inferred,
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

/// The bits of its status registers that protect something when one is set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProtectionBits {
    /// Those of status register 1: all 0, and nothing is protected.
    pub mask: u8,
    /// Those of them that say how much.
    #[serde(default)]
    pub block_protect: u8,
    /// The one that counts from the bottom instead of from the top; 0: none.
    #[serde(default)]
    pub top_bottom: u8,
    /// The one that counts sectors instead of blocks; 0: none.
    #[serde(default)]
    pub sector: u8,
    /// Another status register that can protect.
    pub second: Option<SecondStatus>,
}

/// Another status register that can protect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SecondStatus {
    /// The command that reads it.
    pub opcode: u8,
    /// Its bits that protect: "complement" turns what is protected around.
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

    /// A chip that the data file does not know: it is only read.
    #[must_use]
    pub fn unknown(jedec: [u8; 3], bytes: u32) -> Self {
        let [maker, kind, density] = jedec;
        Self {
            name: format!("unknown chip {maker:02x} {kind:02x} {density:02x}"),
            vendor: "unknown".to_owned(),
            jedec,
            bytes,
            page: 256,
            erase: Vec::new(),
            program: ProgramCommand {
                opcode: 0,
                typical_us: 0,
                longest_us: 0,
            },
            times: Times::Inferred,
            protection: ProtectionBits {
                mask: 0,
                block_protect: 0,
                top_bottom: 0,
                sector: 0,
                second: None,
            },
            mstflint: false,
            read_only: Some("nobody told how it is erased and programmed".to_owned()),
            source: Vec::new(),
        }
    }

    /// The chips that the data file knows.
    #[must_use]
    pub fn all() -> Vec<Self> {
        CHIPS
            .split(RECORD)
            .skip(1)
            .filter_map(|record| toml::from_str(record).ok())
            .collect()
    }

    /// Whether it may be erased and programmed.
    #[must_use]
    pub fn writable(&self) -> bool {
        self.read_only.is_none()
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
        assert_eq!(FlashChip::all(), file.chip);
        for chip in &file.chip {
            let name = &chip.name;
            assert_eq!(FlashChip::of(chip.jedec).as_ref(), Some(chip), "{name}");
            assert!(chip.bytes.is_power_of_two() && chip.page.is_power_of_two());
            assert!(chip.erase.is_sorted_by_key(|erase| erase.bytes));
            assert!(!chip.erase.is_empty(), "{name}");
            for erase in &chip.erase {
                assert!(erase.bytes.is_power_of_two() && erase.bytes > chip.page);
                assert!(erase.bytes <= chip.bytes, "{name}");
                assert!(erase.typical_us < erase.longest_us, "{name}");
            }
            assert!(chip.program.typical_us < chip.program.longest_us, "{name}");
            assert!(!chip.source.is_empty(), "{name}");
        }
    }

    #[test]
    fn protection_is_named_within_its_mask_and_never_in_the_busy_bits() {
        for chip in FlashChip::all() {
            let bits = chip.protection;
            let named = bits.block_protect | bits.top_bottom | bits.sector;
            assert_eq!(named & !bits.mask, 0, "{}", chip.name);
            // Write in progress, write enable latch.
            assert!(bits.mask != 0 && bits.mask & 3 == 0, "{}", chip.name);
            assert!(bits.top_bottom.count_ones() <= 1 && bits.sector.count_ones() <= 1);
        }
    }

    #[test]
    fn what_is_written_erases_4_kib_by_three_address_bytes() {
        for chip in FlashChip::all() {
            if chip.writable() {
                assert_eq!((chip.sector(), chip.page), (0x1000, 256), "{}", chip.name);
                assert!(chip.bytes <= 1 << 24, "{}", chip.name);
            }
        }
        assert!(!FlashChip::unknown([1, 2, 3], 1 << 20).writable());
    }
}
