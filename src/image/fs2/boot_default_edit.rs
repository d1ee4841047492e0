//! Other boot defaults in a file.
//!
//! The value of the write to the register changes, the CRC of its section, and
//! the full-image CRC; nothing else.

use std::collections::BTreeMap;

use super::boot_defaults::{facts, overridden, spelled};
use super::boot_pattern::{Found, find, writes};
use super::header::CRC_OFFSET;
use super::registers::VALUE_OFFSET;
use super::splice::{change, new_full_crc};
use super::target::{Target, crc_dword, put, write};
use super::{Fs2Image, Section};
use crate::hwdb::{
    BitField, BootDefaultsFile, DefaultField, DefaultName, Field, FieldValue, Hwdb, SettingsFile,
};
use crate::image::{ByteChange, EditError, EditPolicy, Edited};

const IP_VER: &str = "IP_VER";
/// What the firmware says of itself, as QUERY_DEF_PARAMS calls it.
const KNOWS_IP_VER: &str = "boot_ip_ver";

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
    let target = Target::of(bytes, None, policy)?;
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
    if changes.iter().any(|change| change.setting == IP_VER) && !knows_ip_ver(&found) {
        edited.notes.push(
            "the image says that its firmware does not know IP_VER, so this may have no effect"
                .to_owned(),
        );
    }
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
        return Err(EditError::NoSuchDefault {
            name: change.setting.clone(),
            known: names(facts),
        });
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

/// Whether the firmware says that it knows the setting; images that say nothing of
/// it are given the benefit of the doubt.
fn knows_ip_ver(found: &[Found<'_>]) -> bool {
    found
        .iter()
        .flat_map(|found| {
            let fields = found.register.field.iter();
            fields.map(|field| (field, found.write.entry.value))
        })
        .find(|(field, _)| field.name() == KNOWS_IP_VER)
        .is_none_or(|(field, value)| field.bits.get(value) != 0)
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

#[cfg(test)]
mod tests {
    use super::super::file::tests::{GUIDS, build, findings};
    use super::super::{boot_defaults, parse};
    use super::*;

    fn change(setting: &str, port: Option<u8>, value: &str) -> DefaultChange {
        DefaultChange {
            setting: setting.to_owned(),
            port,
            value: value.to_owned(),
        }
    }

    fn edit(bytes: &[u8], changes: &[DefaultChange]) -> Result<Edited, EditError> {
        let hwdb = Hwdb::builtin().unwrap();
        edit_boot_defaults(bytes, changes, &EditPolicy::default(), &hwdb)
    }

    /// Values as `NAME[port]=value`.
    fn values(bytes: &[u8]) -> Vec<String> {
        let hwdb = Hwdb::builtin().unwrap();
        let file = parse(bytes).tree.unwrap();
        let defaults = boot_defaults(&file, None, &hwdb).unwrap();
        defaults
            .values
            .iter()
            .map(|default| match default.port {
                None => format!("{}={}", default.name, default.spelled),
                Some(port) => format!("{}[{port}]={}", default.name, default.spelled),
            })
            .collect()
    }

    fn has(bytes: &[u8], value: &str) -> bool {
        values(bytes).iter().any(|known| known == value)
    }

    #[test]
    fn released_defaults_are_read_by_their_names() {
        let image = build(GUIDS);
        for value in [
            "BOOT_BANNER_TIMEOUT=4",
            "boot_ip_ver=1",
            "BOOT_OPTION_ROM_EN[1]=True",
            "LEGACY_BOOT_PROTOCOL[2]=PXE",
            "BOOT_VLAN[1]=1",
            "BOOT_VLAN_EN[2]=False",
            "BOOT_RETRY_CNT[1]=0",
            "BOOT_LINKUP_TIMEOUT[1]=0",
            "IP_VER[1]=IPv4",
            "IP_VER[2]=IPv4",
            "ISCSI_IPV4_DHCP_EN[1]=True",
        ] {
            assert!(has(&image, value), "{value}: {:?}", values(&image));
        }
        assert_eq!(values(&image).len(), 2 + 2 * 17);
    }

    #[test]
    fn six_bytes_change_and_change_back() {
        let image = build(GUIDS);
        let v6 = edit(&image, &[change("ip_ver", None, "IPv6_IPv4")]).unwrap();
        assert!(has(&v6.bytes, "IP_VER[1]=IPv6_IPv4") && has(&v6.bytes, "IP_VER[2]=IPv6_IPv4"));
        assert_eq!(findings(&v6.bytes), []);
        let changed: Vec<usize> = (0..image.len())
            .filter(|&at| image[at] != v6.bytes[at])
            .collect();
        assert!(changed.len() <= 6, "{changed:x?}");
        let named = |at: usize| {
            v6.changes
                .iter()
                .any(|change| (change.offset..change.offset + change.length).contains(&(at as u64)))
        };
        assert!(changed.into_iter().all(named));
        let back = edit(&v6.bytes, &[change("IP_VER", None, "0")]).unwrap();
        assert!(back.bytes == image);
        let nothing = edit(&image, &[change("IP_VER", None, "IPv4")]).unwrap();
        assert!(nothing.bytes == image && nothing.changes.is_empty());
    }

    #[test]
    fn several_defaults_change_together_one_port_alone() {
        let image = build(GUIDS);
        let done = edit(
            &image,
            &[
                change("IP_VER", Some(2), "IPv6"),
                change("BOOT_VLAN", Some(2), "17"),
                change("BOOT_VLAN_EN", Some(2), "True"),
                change("BOOT_BANNER_TIMEOUT", None, "9"),
            ],
        )
        .unwrap();
        for value in [
            "IP_VER[1]=IPv4",
            "IP_VER[2]=IPv6",
            "BOOT_VLAN[2]=17",
            "BOOT_VLAN_EN[2]=True",
            "BOOT_VLAN[1]=1",
            "BOOT_BANNER_TIMEOUT=9",
            "boot_ip_ver=1",
        ] {
            assert!(
                has(&done.bytes, value),
                "{value}: {:?}",
                values(&done.bytes)
            );
        }
        assert_eq!(findings(&done.bytes), []);
    }

    #[test]
    fn nonsense_is_refused() {
        let image = build(GUIDS);
        for nonsense in [
            change("IP_VER", None, "IPv5"),
            change("IP_VER", Some(3), "IPv6"),
            change("IP_VER", Some(0), "IPv6"),
            change("BOOT_BANNER_TIMEOUT", Some(1), "3"),
            change("BOOT_BANNER_TIMEOUT", None, "16"),
            change("boot_ip_ver", None, "0"),
            change("SRIOV_EN", None, "True"),
            change("", None, ""),
        ] {
            let error = edit(&image, &[nonsense]).unwrap_err();
            assert!(
                matches!(
                    error,
                    EditError::BadValue { .. } | EditError::NoSuchDefault { .. }
                ),
                "{error}"
            );
        }
        let twice = [
            change("IP_VER", None, "IPv6"),
            change("IP_VER", Some(1), "IPv4"),
        ];
        assert!(edit(&image, &twice).is_err());
    }

    #[test]
    fn any_other_number_of_patterns_is_refused() {
        let pattern = |image: &[u8]| match edit(image, &[change("IP_VER", None, "IPv6")]) {
            Err(EditError::PatternCount { found, .. }) => Some(found),
            _ => None,
        };
        let none = build(&format!("{GUIDS}boot_defaults = false\n"));
        assert_eq!(pattern(&none), Some(0));
        let port = "[0x3000, 0, 0xf0ff0fff], [0x3004, 0, 0xe3ffffff], [0x3008, 0, 0xfcffc000]";
        let three = build(&format!("{GUIDS}configuration = [{port}]\n"));
        assert_eq!(pattern(&three), Some(3));
        let one = build(&format!(
            "{GUIDS}boot_defaults = false\nconfiguration = [{port}]\n"
        ));
        assert_eq!(pattern(&one), Some(1));
        let twice_global = build(&format!(
            "{GUIDS}configuration = [[0x1f57c, 0, 0x003fff00]]\n"
        ));
        assert_eq!(pattern(&twice_global), Some(2));
        let twice_one_register = build(&format!(
            "{GUIDS}configuration = [[0x1f588, 0, 0xfcffc000]]\n"
        ));
        assert_eq!(pattern(&twice_one_register), Some(2));
    }

    #[test]
    fn a_later_write_to_the_register_is_reported() {
        let image = build(&format!(
            "{GUIDS}late_configuration = [[0x1f584, 0, 0x03000000], [0x1f594, 0, 1]]\n"
        ));
        let hwdb = Hwdb::builtin().unwrap();
        let file = parse(&image).tree.unwrap();
        let defaults = boot_defaults(&file, None, &hwdb).unwrap();
        let overridden: Vec<_> = defaults
            .values
            .iter()
            .filter(|default| !default.overridden.is_empty())
            .map(|default| (&default.name[..], default.port))
            .collect();
        assert_eq!(overridden, [("IP_VER", Some(1)), ("BOOT_PKEY", Some(2))]);
        let done = edit(&image, &[change("IP_VER", None, "IPv6")]).unwrap();
        let told = |note: &&String| note.contains("CNF[1]");
        assert_eq!(done.notes.iter().filter(told).count(), 1);
    }
}
