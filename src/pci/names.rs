//! Names of functions, from the PCI ID database (<https://pci-ids.ucw.cz>) as
//! the `pci-ids` crate carries it. An id that it does not know has no name.

use pci_ids::{Device, FromId, Vendor};

/// The database calls it illegal; here it stands for an unreadable id.
const UNKNOWN_VENDOR: u16 = 0xffff;

/// The name of a vendor, as in `Mellanox Technologies`.
#[must_use]
pub fn vendor_name(vendor: u16) -> Option<&'static str> {
    Vendor::from_id(vendor)
        .filter(|vendor| vendor.id() != UNKNOWN_VENDOR)
        .map(Vendor::name)
}

/// The name of a device, as in `MT27500 Family [ConnectX-3]`.
#[must_use]
pub fn device_name(vendor: u16, device: u16) -> Option<&'static str> {
    Device::from_vid_pid(vendor, device).map(Device::name)
}

/// The name of the board that carries a device: its subsystem.
#[must_use]
pub fn subsystem_name(
    vendor: u16,
    device: u16,
    subvendor: u16,
    subdevice: u16,
) -> Option<&'static str> {
    Device::from_vid_pid(vendor, device)?
        .subsystems()
        .find(|board| board.subvendor() == subvendor && board.subdevice() == subdevice)
        .map(pci_ids::SubSystem::name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_the_supported_cards() {
        for (device, family) in [
            (0x1003, "ConnectX-3"),
            (0x1007, "ConnectX-3 Pro"),
            (0x1013, "ConnectX-4"),
            (0x1015, "ConnectX-4 Lx"),
        ] {
            let name = device_name(0x15b3, device).unwrap();
            assert!(name.contains(family), "{name}");
        }
        assert_eq!(vendor_name(0x15b3), Some("Mellanox Technologies"));
    }

    #[test]
    fn knows_boards_by_their_subsystem() {
        let board = subsystem_name(0x15b3, 0x1013, 0x15b3, 0x0008).unwrap();
        assert!(board.contains("MCX416A-CCAT"), "{board}");
    }

    #[test]
    fn what_is_unknown_has_no_name() {
        assert_eq!(vendor_name(0xffff), None);
        assert_eq!(device_name(0x15b3, 0xffff), None);
        assert_eq!(subsystem_name(0x15b3, 0x1013, 0xffff, 0xffff), None);
        assert_eq!(subsystem_name(0xffff, 0xffff, 0, 0), None);
    }
}
