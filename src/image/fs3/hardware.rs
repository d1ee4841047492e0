//! Which devices an FS3 image can be for.
//!
//! # Sources
//! mstflint 4.21, mlxfwops/lib/mlxfwops_com.h (`*_HW_ID`) and fw_ops.cpp
//! (`FwOperations::hwDevData`).

/// A device, by the hardware id in IMAGE_INFO.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hardware {
    /// Hardware id, without the revision.
    pub id: u16,
    /// Its name.
    pub name: &'static str,
    /// Whether it is a network card; the others are switches.
    pub adapter: bool,
    /// PCI device id, the first where there are several.
    pub pci_device: u16,
}

/// Those that have firmware of this format.
const FS3_DEVICES: [Hardware; 6] = [
    device(0x1ff, "Connect-IB", true, 4113),
    device(0x209, "ConnectX-4", true, 4115),
    device(0x20b, "ConnectX-4 Lx", true, 4117),
    device(0x247, "Switch-IB", false, 52000),
    device(0x249, "Spectrum", false, 52100),
    device(0x24b, "Switch-IB 2", false, 53000),
];

/// Hardware ids of devices with other formats that mstflint 4.21 knows.
const OTHERS: [u16; 21] = [
    501, 503, 525, 527, 529, 530, 532, 534, 536, 540, 542, 544, 589, 590, 592, 594, 595, 596, 598,
    599, 603,
];

const fn device(id: u16, name: &'static str, adapter: bool, pci_device: u16) -> Hardware {
    Hardware {
        id,
        name,
        adapter,
        pci_device,
    }
}

impl Hardware {
    /// The device with this hardware id, its revision ignored.
    #[must_use]
    pub fn of(id: u32) -> Option<&'static Self> {
        FS3_DEVICES
            .iter()
            .find(|device| u32::from(device.id) == id & 0xffff)
    }

    /// Whether the id is that of a device which has firmware of another format.
    pub(super) fn is_other(id: u32) -> bool {
        OTHERS.iter().any(|other| u32::from(*other) == id & 0xffff)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_revision_does_not_matter() {
        let name = |id| Hardware::of(id).map(|device| device.name);
        assert_eq!(name(0x209), Some("ConnectX-4"));
        assert_eq!(name(0x1_020b), Some("ConnectX-4 Lx"));
        assert_eq!(name(0x20d), None);
        assert!(Hardware::is_other(0x20d));
    }
}
