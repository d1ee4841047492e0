//! Chips by the hardware id that firmware images carry.

use std::sync::OnceLock;

use serde::Deserialize;

const CHIPS: &str = include_str!("../../hwdb/chips.toml");

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

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ChipsFile {
    #[serde(rename = "schema")]
    _schema: u32,
    #[serde(rename = "source")]
    _source: Vec<String>,
    chip: Vec<Chip>,
}

impl Chip {
    /// All chips; read at the first call, as most commands need none.
    #[must_use]
    pub fn all() -> &'static [Self] {
        static ALL: OnceLock<Vec<Chip>> = OnceLock::new();
        // The file is part of the program and a test reads it.
        ALL.get_or_init(|| {
            toml::from_str::<ChipsFile>(CHIPS).map_or_else(|_| Vec::new(), |file| file.chip)
        })
    }

    /// The chip with the hardware id of a firmware image, its revision (the
    /// upper half) ignored.
    #[must_use]
    pub fn of(hardware_id: u32) -> Option<&'static Self> {
        Self::all()
            .iter()
            .find(|chip| u32::from(chip.hardware_id) == hardware_id & 0xffff)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_loads_and_no_chip_is_there_twice() {
        let file: ChipsFile = toml::from_str(CHIPS).unwrap();
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
