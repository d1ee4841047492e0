//! The rules that files of boot defaults obey beyond their syntax.

use std::collections::{BTreeMap, BTreeSet};

use super::validate::{Broken, rule};
use super::{BootDefaultsFile, DefaultName, DefaultOf, DefaultRegister, SettingsFile};

pub(super) fn validate_boot_defaults(
    file: &BootDefaultsFile,
    settings: &BTreeMap<String, SettingsFile>,
    others: &[BootDefaultsFile],
) -> Result<(), Broken> {
    rule(file.schema == 1, "schema", "is not 1")?;
    rule(!file.source.is_empty(), "source", "is empty")?;
    rule(!file.status.is_empty(), "status", "is empty")?;
    rule(
        others
            .iter()
            .all(|other| other.image_format != file.image_format),
        "image_format",
        "another file is for the same images",
    )?;
    let Some(settings) = settings.get(&file.settings) else {
        let problem = format!("there is no settings file `{}`", file.settings);
        return Err(Broken::new("settings", problem));
    };
    rule(
        file.ports > 0 && file.port_step > 0 && file.port_step.is_multiple_of(4),
        "port_step",
        "ports and port_step are above 0, port_step a multiple of 4",
    )?;
    let has = |scope| file.register.iter().any(|register| register.scope == scope);
    rule(
        has(DefaultOf::Card) && has(DefaultOf::Port),
        "register",
        "the pattern needs registers of the card and of a port",
    )?;
    let mut distances = BTreeSet::new();
    for register in &file.register {
        let name = format!("register at offset {:#x}", register.offset);
        rule(
            register.offset.is_multiple_of(4) && register.mask != 0,
            &name,
            "offset is no multiple of 4, or the mask is empty",
        )?;
        let ports = match register.scope {
            DefaultOf::Card => vec![None],
            DefaultOf::Port => (1..=file.ports).map(Some).collect(),
        };
        for port in ports {
            rule(
                distances.insert(register.distance(file, port)),
                &name,
                "lies over another register",
            )?;
        }
        fields(register, settings)?;
    }
    Ok(())
}

fn fields(register: &DefaultRegister, settings: &SettingsFile) -> Result<(), Broken> {
    let mut taken = 0;
    for field in &register.field {
        let (name, bits) = (field.name(), field.bits);
        rule(
            bits.0 <= 31 && bits.1 <= bits.0,
            name,
            "bits is not [high, low] of a dword",
        )?;
        let place = bits.mask() << bits.1;
        rule(
            place & !register.mask == 0,
            name,
            "has bits that the mask leaves alone",
        )?;
        rule(place & taken == 0, name, "overlaps another default")?;
        taken |= place;
        let DefaultName::Setting(setting) = &field.what else {
            continue;
        };
        let Some((_, setting)) = settings.setting(setting) else {
            return Err(Broken::new(name, "there is no such setting"));
        };
        let same = setting.default.is_some_and(|default| {
            default.of == register.scope && default.dword == register.dword && default.bits == bits
        });
        rule(
            same,
            name,
            "its `default` in the settings file lies elsewhere",
        )?;
    }
    Ok(())
}
