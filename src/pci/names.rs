//! Names of functions, from the PCI ID database (<https://pci-ids.ucw.cz>) as
//! the `pci-ids` crate carries it; build.rs makes the text of it. Vendors are all
//! there, devices and boards those of Mellanox. An id that it does not know has no
//! name.

/// Sorted lines: ids in hexadecimal digits, a tab, the name.
const NAMES: &str = include_str!(concat!(env!("OUT_DIR"), "/pci-names"));

/// The name of a vendor, as in `Mellanox Technologies`.
#[must_use]
pub fn vendor_name(vendor: u16) -> Option<&'static str> {
    name_of(&format!("{vendor:04x}"))
}

/// The name of a device, as in `MT27500 Family [ConnectX-3]`.
#[must_use]
pub fn device_name(vendor: u16, device: u16) -> Option<&'static str> {
    name_of(&format!("{vendor:04x}{device:04x}"))
}

/// The name of the board that carries a device: its subsystem.
#[must_use]
pub fn subsystem_name(
    vendor: u16,
    device: u16,
    subvendor: u16,
    subdevice: u16,
) -> Option<&'static str> {
    name_of(&format!(
        "{vendor:04x}{device:04x}{subvendor:04x}{subdevice:04x}"
    ))
}

/// Looks a key up by halving. The text is small and asked a few times a run, so
/// that an index would cost more than it saves.
fn name_of(key: &str) -> Option<&'static str> {
    let mut rest = NAMES;
    while !rest.is_empty() {
        // Names are ASCII and UTF-8, the middle may lie inside of a character.
        let middle = rest.as_bytes().get(..rest.len() / 2)?;
        let start = middle
            .iter()
            .rposition(|&byte| byte == b'\n')
            .map_or(0, |newline| newline + 1);
        let (before, line_and_after) = rest.split_at_checked(start)?;
        let (line, after) = line_and_after
            .split_once('\n')
            .unwrap_or((line_and_after, ""));
        let (id, name) = line.split_once('\t')?;
        match id.cmp(key) {
            std::cmp::Ordering::Equal => return Some(name),
            std::cmp::Ordering::Less => rest = after,
            std::cmp::Ordering::Greater => rest = before.strip_suffix('\n').unwrap_or(before),
        }
    }
    None
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
    fn every_line_is_found() {
        for line in NAMES.lines() {
            let (id, name) = line.split_once('\t').unwrap();
            assert_eq!(name_of(id), Some(name), "{id}");
        }
        assert!(NAMES.lines().count() > 2000);
    }

    #[test]
    fn what_is_unknown_has_no_name() {
        assert_eq!(vendor_name(0xffff), None);
        assert_eq!(device_name(0x15b3, 0xffff), None);
        assert_eq!(subsystem_name(0x15b3, 0x1013, 0xffff, 0xffff), None);
        assert_eq!(subsystem_name(0xffff, 0xffff, 0, 0), None);
    }
}
