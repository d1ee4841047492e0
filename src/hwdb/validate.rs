//! The rules that data files obey beyond their syntax.

use std::collections::{BTreeMap, HashSet};
use std::path::Path;

use super::{
    Access, AccessWay, Device, Field, FirmwareInterface, HwdbError, SettingsFile, Tlv, Verified,
};

/// A broken rule, before the file's name is known.
#[derive(Debug)]
pub(super) struct Broken {
    record: String,
    rule: String,
}

impl Broken {
    fn new(record: &str, rule: impl Into<String>) -> Self {
        Self {
            record: record.to_owned(),
            rule: rule.into(),
        }
    }

    pub(super) fn in_file(self, path: &Path) -> HwdbError {
        HwdbError::Rule {
            path: path.to_owned(),
            record: self.record,
            rule: self.rule,
        }
    }
}

/// Fails with the rule unless the condition holds.
fn rule(holds: bool, record: &str, text: &str) -> Result<(), Broken> {
    if holds {
        Ok(())
    } else {
        Err(Broken::new(record, text))
    }
}

pub(super) fn validate_device(
    device: &Device,
    settings: &BTreeMap<String, SettingsFile>,
    others: &[Device],
) -> Result<(), Broken> {
    let name = &device.name;
    rule(device.schema == 1, name, "schema is not 1")?;
    rule(!device.source.is_empty(), name, "has no source")?;
    rule(!device.access.is_empty(), name, "has no way in")?;
    let Some(file) = settings.get(&device.settings) else {
        return Err(Broken::new(
            name,
            format!("there is no settings file `{}`", device.settings),
        ));
    };
    rule(
        file.interface == device.firmware_interface,
        name,
        "its settings file is for another firmware interface",
    )?;
    let wants_vsec = device.firmware_interface == FirmwareInterface::Icmd;
    rule(
        device
            .access
            .iter()
            .all(|way| (*way == AccessWay::Vsec) == wants_vsec),
        name,
        "ICMD is reached through vsec only, the tools HCR through bar0 and legacy-gateway only",
    )?;
    rule(
        device.pci_device != device.flash_recovery,
        name,
        "pci_device and flash_recovery are the same id",
    )?;
    rule(
        others.iter().all(|other| {
            other.pci_device != device.pci_device && other.flash_recovery != device.flash_recovery
        }),
        name,
        "another device has the same PCI device id",
    )
}

pub(super) fn validate_settings(file: &SettingsFile) -> Result<(), Broken> {
    rule(file.schema == 1, "schema", "is not 1")?;
    let mut names = HashSet::new();
    for tlv in &file.tlv {
        validate_tlv(file, tlv)?;
        for field in &tlv.field {
            for name in std::iter::once(&field.name).chain(&field.aliases) {
                rule(names.insert(name), name, "is the name of two settings")?;
            }
        }
    }
    Ok(())
}

fn validate_tlv(file: &SettingsFile, tlv: &Tlv) -> Result<(), Broken> {
    let name = &tlv.name;
    rule(!tlv.source.is_empty(), name, "has no source")?;
    rule(
        tlv.length_bytes > 0 && tlv.length_bytes.is_multiple_of(4) && tlv.length_bytes <= 256,
        name,
        "length_bytes is not a multiple of 4 up to 256",
    )?;
    rule(
        tlv.class.is_some() == (file.interface == FirmwareInterface::Icmd),
        name,
        "class is for the ICMD interface, which needs it",
    )?;
    rule(
        tlv.verified != Verified::Unverified || tlv.access == Access::ReadOnly,
        name,
        "is unverified and may therefore only be read",
    )?;
    let mut taken: Vec<u32> = vec![0; usize::from(tlv.length_bytes / 4)];
    for field in &tlv.field {
        validate_field(tlv, field, &mut taken)?;
    }
    Ok(())
}

fn validate_field(tlv: &Tlv, field: &Field, taken: &mut [u32]) -> Result<(), Broken> {
    let name = &field.name;
    rule(
        field.bits.0 < 32 && field.bits.0 >= field.bits.1,
        name,
        "bits is not [high, low] of a dword",
    )?;
    let Some(word) = taken.get_mut(field.dword) else {
        return Err(Broken::new(
            name,
            format!("dword {} is outside of {}", field.dword, tlv.name),
        ));
    };
    let own = field.bits.put(0, field.bits.get(u32::MAX)).unwrap_or(0);
    rule(*word & own == 0, name, "overlaps another field")?;
    *word |= own;
    for value in &field.values {
        rule(
            field.bits.fits(value.value),
            name,
            &format!("value {} does not fit into its bits", value.name),
        )?;
    }
    rule(!field.meaning.is_empty(), name, "has no meaning")
}
