//! The rules that data files obey beyond their syntax.

use std::collections::BTreeMap;
use std::path::Path;

use super::{AccessWay, Device, FirmwareInterface, HwdbError, SettingsFile};

/// A broken rule, before the file's name is known.
#[derive(Debug)]
pub(super) struct Broken {
    record: String,
    rule: String,
}

impl Broken {
    pub(super) fn new(record: &str, rule: impl Into<String>) -> Self {
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
pub(super) fn rule(holds: bool, record: &str, text: &str) -> Result<(), Broken> {
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
