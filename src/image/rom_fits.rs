//! Whether an expansion ROM may go into a firmware image, as far as that does not
//! depend on the image's format.

use super::{
    EditError, EditPolicy, Finding, FindingKind, Firmware, ImageKind, OptionRom, Permission,
    Severity,
};

/// Looks at a ROM before an edit. Gives what the user should know of it.
///
/// # Errors
/// A ROM that is none, is damaged, or is for another device, as far as the policy
/// does not permit it.
pub(super) fn rom_fits(
    rom: &[u8],
    firmware: &Firmware<'_>,
    policy: &EditPolicy,
) -> Result<Vec<String>, EditError> {
    if !rom.len().is_multiple_of(4) {
        return Err(EditError::RomLength { length: rom.len() });
    }
    let nonsense = |reason: String| EditError::Unsupported {
        format: "the ROM".to_owned(),
        reason,
    };
    match ImageKind::of(rom) {
        _ if rom.is_empty() => return Err(nonsense("it is empty".to_owned())),
        Some(ImageKind::OptionRom) | None => {}
        Some(firmware) => {
            return Err(nonsense(format!(
                "it is {} firmware, not an expansion ROM",
                firmware.name()
            )));
        }
    }
    let obstacles = rom_obstacles(rom, firmware);
    let mut notes = Vec::new();
    if !obstacles.damages.is_empty() {
        if policy.damaged_rom == Permission::Refused {
            return Err(EditError::RomDamaged {
                findings: obstacles.damages,
            });
        }
        let damages = obstacles.damages.iter();
        notes.extend(damages.map(|damage| format!("the ROM is damaged: {damage}")));
    }
    if obstacles.other_device {
        if policy.other_device == Permission::Refused {
            return Err(EditError::OtherDevice {
                rom: obstacles.of_rom,
                image: obstacles.of_image,
            });
        }
        notes.push("the ROM is for another device than the image".to_owned());
    }
    Ok(notes)
}

/// What keeps a ROM from running on the cards of an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RomObstacles {
    /// Errors in it.
    pub damages: Vec<Finding>,
    /// No device that it names is one of the image's.
    pub other_device: bool,
    /// PCI device ids that it is for.
    pub of_rom: Vec<u16>,
    /// Those of the image.
    pub of_image: Vec<u16>,
}

/// Looks for what keeps a ROM from running on the cards of a file.
pub(super) fn rom_obstacles(rom: &[u8], firmware: &Firmware<'_>) -> RomObstacles {
    rom_obstacles_on(rom, device_ids(firmware))
}

/// Looks for what keeps a ROM from running on cards with these PCI device ids.
#[must_use]
pub fn rom_obstacles_on(rom: &[u8], of_image: Vec<u16>) -> RomObstacles {
    let parsed = OptionRom::parse(rom);
    let mut damages = parsed.findings;
    if let Some(tree) = &parsed.tree {
        damages.extend(tree.check());
    } else if damages.is_empty() {
        damages.push(Finding::error(
            FindingKind::BadMagic,
            "file",
            0,
            "this is no expansion ROM",
        ));
    }
    damages.retain(|finding| finding.severity == Severity::Error);
    let of_rom = parsed
        .tree
        .as_ref()
        .map(OptionRom::device_ids)
        .unwrap_or_default();
    // A ROM with a list of devices is for each of them.
    let other_device = !of_rom.is_empty()
        && !of_image.is_empty()
        && !of_rom.iter().any(|id| of_image.contains(id));
    RomObstacles {
        damages,
        other_device,
        of_rom,
        of_image,
    }
}

/// PCI device ids of the chips that the images of a file are for.
fn device_ids(firmware: &Firmware<'_>) -> Vec<u16> {
    let mut ids: Vec<u16> = firmware
        .slots()
        .into_iter()
        .filter_map(|slot| firmware.facts(slot))
        .flat_map(|facts| facts.pci_device_ids())
        .collect();
    ids.sort_unstable();
    ids.dedup();
    ids
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::build::build;

    fn image() -> Vec<u8> {
        build("format = 'fs3'\nfile_size = 0x200000\nhw_ids = [0x209]\npci_device = 0x1013")
            .unwrap()
    }

    fn rom(device: u16, more: &str) -> Vec<u8> {
        build(&format!(
            "format = 'option-rom'\nvendor_id = 0x15b3\ndevice_id = {device}\n[[image]]\n{more}"
        ))
        .unwrap()
    }

    fn fits(rom: &[u8], policy: &EditPolicy) -> Result<Vec<String>, EditError> {
        let image = image();
        let firmware = Firmware::parse(&image, None).tree.unwrap();
        rom_fits(rom, &firmware, policy)
    }

    #[test]
    fn a_sound_rom_of_the_device_goes_in() {
        assert_eq!(fits(&rom(0x1013, ""), &EditPolicy::default()), Ok(vec![]));
    }

    #[test]
    fn a_rom_of_another_device_is_known_by_its_pcir_even_without_a_record() {
        let other = rom(0x1003, "");
        let error = fits(&other, &EditPolicy::default()).unwrap_err();
        assert!(matches!(error, EditError::OtherDevice { .. }), "{error}");
        let policy = EditPolicy {
            other_device: Permission::Granted,
            ..EditPolicy::default()
        };
        assert_eq!(fits(&other, &policy).unwrap().len(), 1);
    }

    #[test]
    fn damaged_roms_and_what_is_none_are_refused() {
        let damaged = rom(0x1013, "wrong_sum = 7");
        for bytes in [&damaged[..], b"none", &[0xff; 512]] {
            let error = fits(bytes, &EditPolicy::default()).unwrap_err();
            assert!(matches!(error, EditError::RomDamaged { .. }), "{error}");
        }
        let policy = EditPolicy {
            damaged_rom: Permission::Granted,
            ..EditPolicy::default()
        };
        assert!(fits(&damaged, &policy).unwrap()[0].contains("damaged"));
        assert_eq!(
            fits(&[0x55, 0xaa, 1], &policy),
            Err(EditError::RomLength { length: 3 })
        );
    }
}
