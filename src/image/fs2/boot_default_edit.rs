//! Other boot defaults in a file.
//!
//! The value of the write to the register changes, the CRC of its section, and
//! the full-image CRC; nothing else.

use std::collections::BTreeMap;

use super::boot_defaults::{facts, overridden, spelled};
use super::boot_pattern::{Found, find, writes};
use super::header::CRC_OFFSET;
use super::registers::VALUE_OFFSET;
use super::rom_edit::{change, new_full_crc};
use super::target::{Target, crc_dword, put, write};
use super::{Fs2Image, Section};
use crate::hwdb::{
    BitField, BootDefaultsFile, DefaultField, DefaultName, Field, FieldValue, Hwdb, SettingsFile,
};
use crate::image::{ByteChange, EditError, EditPolicy, Edited};

/// What a default should become.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DefaultChange {
    /// Name of the setting.
    pub setting: String,
    /// The port, counted from 1; `None` for a setting of the card, and for all
    /// ports.
    pub port: Option<u8>,
    /// The value, as the setting spells it: `IPv6`, `4`.
    pub value: String,
}

/// Changes boot defaults in a file.
///
/// # Errors
/// A damaged file, defaults that are not there exactly once, a name, port or
/// value that does not exist, or nobody said which of two images.
pub fn edit_boot_defaults(
    bytes: &[u8],
    changes: &[DefaultChange],
    policy: &EditPolicy,
    hwdb: &Hwdb,
) -> Result<Edited, EditError> {
    let target = Target::of(bytes, policy)?;
    let image = target.image()?;
    let (facts, settings) = facts(hwdb)?;
    let all = writes(image);
    let found = find(&all, facts)?;
    let mut wanted: BTreeMap<Place, u32> = BTreeMap::new();
    for change in changes {
        for (place, value) in places(change, &found, facts, settings)? {
            if wanted.insert(place, value).is_some_and(|old| old != value) {
                return Err(bad(change, "it was given another value before"));
            }
        }
    }

    let mut edited = Edited {
        bytes: bytes.to_vec(),
        slot: target.slot,
        changes: Vec::new(),
        notes: vec![format!(
            "what these registers are is {}; a value that is set on the card goes before them",
            facts.status
        )],
    };
    let mut row = image.layout().to_bytes();
    let mut sections = Vec::new();
    let mut values: BTreeMap<usize, u32> = BTreeMap::new();
    for (&(index, high, low), &value) in &wanted {
        let Some(found) = found.get(index) else {
            continue;
        };
        let bits = BitField(high, low);
        let entry = found.write.entry;
        let field = found.register.field.iter().find(|field| field.bits == bits);
        let name = field.map_or("", DefaultField::name);
        for other in overridden(image, &all, found.write, bits) {
            edited.notes.push(format!(
                "{name}: register {:#x} is set again in {} at {:#010x}",
                entry.register, other.path, other.offset
            ));
        }
        let address = entry.address + VALUE_OFFSET;
        let old = *values.entry(address).or_insert(entry.value);
        let new = bits.put(old, value).unwrap_or(old);
        if new == old {
            continue;
        }
        values.insert(address, new);
        put(&mut row, address, &new.to_be_bytes());
        let setting = settings.setting(name).map(|(_, setting)| setting);
        edited.changes.push(ByteChange {
            path: path(image, found, name),
            offset: image.physical(address),
            length: 4,
            what: format!(
                "{} -> {}",
                spelled(setting, bits.get(old)),
                spelled(setting, value)
            ),
        });
        sections.push(found.write.section);
    }
    sections.dedup();
    let mut patches: Vec<(usize, Vec<u8>)> = values
        .into_iter()
        .map(|(address, value)| (address, value.to_be_bytes().to_vec()))
        .collect();
    for section in sections
        .into_iter()
        .filter_map(|index| image.sections.get(index))
    {
        patches.push(section_crc(image, section, &mut row, &mut edited.changes));
    }
    if !edited.changes.is_empty()
        && let Some(crc) = new_full_crc(image, &row)
    {
        let (old, new) = (u32::from(image.header.crc), u32::from(crc));
        edited
            .changes
            .push(change(image, "crc", CRC_OFFSET, 2, old, new));
        patches.push((CRC_OFFSET, crc.to_be_bytes().to_vec()));
    }
    for (address, patch) in patches {
        write(&mut edited.bytes, image, address, &patch);
    }
    edited.changes.sort_by_key(|change| change.offset);
    Ok(edited)
}

/// A default: which register of those found, and its bits there.
type Place = (usize, u8, u8);

/// The defaults that a change is about, with their new value.
fn places(
    change: &DefaultChange,
    found: &[Found<'_>],
    facts: &BootDefaultsFile,
    settings: &SettingsFile,
) -> Result<Vec<(Place, u32)>, EditError> {
    let called = |field: &DefaultField| match &field.what {
        DefaultName::Setting(name) => settings
            .setting(name)
            .is_some_and(|(_, setting)| setting.is_called(&change.setting)),
        DefaultName::Flag { name, .. } => name.eq_ignore_ascii_case(&change.setting),
    };
    let mut registers = facts.register.iter();
    let Some((register, field)) = registers.find_map(|register| {
        let field = register.field.iter().find(|field| called(field))?;
        Some((register, field))
    }) else {
        return Err(bad(change, &format!("allowed are {}", names(facts))));
    };
    let DefaultName::Setting(name) = &field.what else {
        return Err(bad(change, "the firmware says so of itself"));
    };
    let Some((_, setting)) = settings.setting(name) else {
        return Err(bad(change, "there is no such setting"));
    };
    let value = number(change, setting, field.bits)?;
    let places: Vec<_> = (0..)
        .zip(found)
        .filter(|(_, found)| {
            std::ptr::eq(found.register, register)
                && (change.port.is_none() || change.port == found.port)
        })
        .map(|(index, _)| ((index, field.bits.0, field.bits.1), value))
        .collect();
    if places.is_empty() {
        let allowed = match register.scope {
            crate::hwdb::DefaultOf::Card => "the setting is the card's and has no port".to_owned(),
            crate::hwdb::DefaultOf::Port => format!("ports are 1 to {}", facts.ports),
        };
        return Err(bad(change, &allowed));
    }
    Ok(places)
}

fn number(change: &DefaultChange, setting: &Field, bits: BitField) -> Result<u32, EditError> {
    let allowed = || bad(change, &format!("allowed is {}", setting.allowed()));
    let value = setting.parse(&change.value).map_err(|_| allowed())?;
    match value {
        FieldValue::Number(value) if bits.fits(value) => Ok(value),
        _ => Err(allowed()),
    }
}

fn bad(change: &DefaultChange, allowed: &str) -> EditError {
    let port = change.port.map(|port| format!(" of port {port}"));
    EditError::BadValue {
        field: format!("{}{}", change.setting, port.unwrap_or_default()),
        value: change.value.clone(),
        allowed: allowed.to_owned(),
    }
}

/// The settings whose defaults may be changed.
fn names(facts: &BootDefaultsFile) -> String {
    let fields = facts.register.iter().flat_map(|register| &register.field);
    let names = fields.filter_map(|field| match &field.what {
        DefaultName::Setting(name) => Some(&name[..]),
        DefaultName::Flag { .. } => None,
    });
    names.collect::<Vec<_>>().join(", ")
}

fn path(image: &Fs2Image<'_>, found: &Found<'_>, name: &str) -> String {
    let section = image.sections.get(found.write.section).map(Section::path);
    let port = found.port.map(|port| format!("[{port}]"));
    format!(
        "{}/{}/{name}{}",
        image.path(),
        section.unwrap_or_default(),
        port.unwrap_or_default()
    )
}

/// Brings the CRC of a section up to date.
fn section_crc(
    image: &Fs2Image<'_>,
    section: &Section<'_>,
    row: &mut [u8],
    changes: &mut Vec<ByteChange>,
) -> (usize, Vec<u8>) {
    let at = section.crc_address();
    let crc = crc_dword(row.get(section.address..at).unwrap_or_default());
    put(row, at, &crc);
    changes.push(ByteChange {
        path: format!("{}/{}/crc", image.path(), section.path()),
        offset: image.physical(at),
        length: 4,
        what: format!("{:#x} -> {:#x}", section.crc, u32::from_be_bytes(crc)),
    });
    (at, crc.to_vec())
}
