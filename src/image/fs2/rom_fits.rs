//! Whether an expansion ROM may go into an image.
//!
//! # Sources
//! mstflint 4.21, mlxfwops/lib/fs2_ops.cpp (`Fs2Operations::FwBurnRom`,
//! `FwDeleteRom`) and fw_ops.cpp (`FwOperations::checkMatchingExpRomDevId`,
//! `IsFwSupportingRomModify`).

use super::{Fs2Image, MOST_SECTION_BYTES};
use crate::hwdb::Chip;
use crate::image::{
    EditError, EditPolicy, FirmwareVersion, OptionRom, Permission, version_records,
};

/// The first firmware that takes a ROM which it was not released with.
const FIRST_WITH_ROM_CHANGE: FirmwareVersion = FirmwareVersion {
    major: 2,
    minor: 6,
    subminor: 1410,
};

/// What there is to say of a ROM that may go in.
pub(super) fn check_rom(
    image: &Fs2Image<'_>,
    rom: &[u8],
    policy: &EditPolicy,
) -> Result<Vec<String>, EditError> {
    if !rom.len().is_multiple_of(4) {
        return Err(EditError::RomLength { length: rom.len() });
    }
    let parsed = OptionRom::parse(rom).sound();
    let tree = match parsed {
        Ok(tree) => Some(tree),
        Err(_) if policy.damaged_rom == Permission::Granted => None,
        Err(findings) => return Err(EditError::RomDamaged { findings }),
    };
    if rom.len() > MOST_SECTION_BYTES {
        return Err(EditError::TooLarge {
            what: "the ROM".to_owned(),
            needed: rom.len() as u64,
            available: MOST_SECTION_BYTES as u64,
            limit: "no section may be larger".to_owned(),
        });
    }
    let mut notes = Vec::new();
    let records: Vec<_> = version_records(rom).filter_map(Result::ok).collect();
    if records.is_empty() {
        if policy.unversioned == Permission::Refused {
            return Err(EditError::Unversioned);
        }
        notes.push("the ROM has no version record: no firmware tool can name its version".into());
    }
    let mut wanted: Vec<u16> = records.iter().filter_map(|rom| rom.device_id).collect();
    wanted.sort_unstable();
    wanted.dedup();
    // Without a record that names a device, the PCI data structures tell.
    let by_records = !wanted.is_empty();
    if !by_records {
        wanted = tree.map(|tree| tree.device_ids()).unwrap_or_default();
    }
    let own = device_ids(image);
    let fits = if by_records {
        wanted.iter().all(|id| own.contains(id))
    } else {
        wanted.is_empty() || wanted.iter().any(|id| own.contains(id))
    };
    if own.is_empty() && !wanted.is_empty() {
        notes.push(
            "the image does not say which device it is for, so the ROM's was not checked".into(),
        );
    } else if !fits {
        if policy.other_device == Permission::Refused {
            return Err(EditError::OtherDevice {
                rom: wanted,
                image: own,
            });
        }
        notes.push("the ROM is for another device than the image".to_owned());
    }
    Ok(notes)
}

/// Whether the ROM of an image may be changed apart from the firmware.
pub(super) fn check_image(image: &Fs2Image<'_>) -> Result<Vec<String>, EditError> {
    let facts = image.facts();
    if let Some(version) = facts
        .version
        .filter(|&version| version < FIRST_WITH_ROM_CHANGE)
    {
        return Err(EditError::Unsupported {
            format: "FS2".to_owned(),
            reason: format!(
                "firmware {version} takes only the ROM that it was released with, \
                 {FIRST_WITH_ROM_CHANGE} is the first that takes others"
            ),
        });
    }
    let product = facts.product_version.map(|product| {
        format!(
            "firmware and ROM were released together as {product}, which is no longer true; \
             mstflint changes such a ROM with --allow_rom_change only"
        )
    });
    Ok(product.into_iter().collect())
}

/// PCI device ids of the cards that an image is for: the one that it names, else
/// those that go with its hardware ids.
fn device_ids(image: &Fs2Image<'_>) -> Vec<u16> {
    let facts = image.facts();
    if let Some(id) = facts.pci_device_id.filter(|&id| id != 0) {
        return vec![id];
    }
    let chips = facts.hardware_ids.iter().filter_map(|id| Chip::of(*id));
    chips.flat_map(|chip| chip.pci_devices.clone()).collect()
}
