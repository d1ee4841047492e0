//! Chips by the hardware id that firmware images carry.

use serde::Deserialize;

const CHIPS: &str = include_str!("../../hwdb/chips.toml");
const RECORD: &str = "[[chip]]\n";

/// A chip that runs firmware.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Chip {
    /// What people call it.
    pub name: String,
    /// Hardware id, without the revision.
    pub hardware_id: u16,
    /// Format of its firmware images.
    pub format: ChipFormat,
    /// What it is.
    pub kind: ChipKind,
    /// The PCI device ids that its firmware may give it.
    pub pci_devices: Vec<u16>,
}

/// Format of a chip's firmware images.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ChipFormat {
    /// FS2.
    Fs2,
    /// FS3.
    Fs3,
    /// FS4 or later, which flexctl does not handle.
    Later,
}

/// What a chip is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ChipKind {
    /// Of a network card: it may have an expansion ROM.
    Adapter,
    /// Of a switch.
    Switch,
}

impl Chip {
    /// The chip with the hardware id of a firmware image, its revision (the
    /// upper half) ignored.
    ///
    /// Only this chip's record is read: a start of the program has no time to
    /// waste on the others. `tests` below read the whole file.
    #[must_use]
    pub fn of(hardware_id: u32) -> Option<Self> {
        let line = format!("hardware_id = {:#06x}\n", hardware_id & 0xffff);
        let record = CHIPS
            .split(RECORD)
            .skip(1)
            .find(|record| record.contains(&line))?;
        toml::from_str(record).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct ChipsFile {
        schema: u32,
        source: Vec<String>,
        chip: Vec<Chip>,
    }

    #[test]
    fn the_file_loads_and_no_chip_is_there_twice() {
        let file: ChipsFile = toml::from_str(CHIPS).unwrap();
        assert_eq!(file.schema, 1);
        assert!(!file.source.is_empty());
        for chip in &file.chip {
            assert_eq!(Chip::of(chip.hardware_id.into()).as_ref(), Some(chip));
        }
        let mut ids: Vec<u16> = file.chip.iter().map(|chip| chip.hardware_id).collect();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), file.chip.len());
        assert!(file.chip.len() > 20);
        assert!(file.chip.iter().all(|chip| !chip.pci_devices.is_empty()));
    }

    #[test]
    fn the_cards_that_are_worked_on_are_there() {
        let hwdb = crate::hwdb::Hwdb::builtin().unwrap();
        for device in hwdb.devices() {
            let chip = Chip::of(device.hardware_id.into()).unwrap();
            assert_eq!(chip.name, device.title);
            assert!(chip.pci_devices.contains(&device.pci_device));
        }
        assert_eq!(Chip::of(0x1_0209).unwrap().name, "ConnectX-4");
        assert_eq!(Chip::of(0xffff), None);
    }
}
