//! The data file of ConnectX-4 against the parameter database that Debian's
//! mstconfig 4.21 goes by: types, lengths, bits, names, values, valid bits,
//! versions; and nothing of its TLVs is missing without a reason.
//!
//! Needs mstflint's database and python3 (whose sqlite3 reads it); says SKIPPED
//! where they are missing, and fails there if CI=true.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod ring;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

use flexctl::hwdb::{
    Field, Hwdb, Limit, Place, Requirement, SettingsFile, TextFormat, Tlv, TlvClass,
};
use serde_json::Value;

const DATABASE: &str = "/usr/share/mstflint/mlxconfig_dbs/mlxconfig_host.db";
/// Prints the tables as one JSON document.
const DUMP: &str = "
import json, sqlite3, sys
base = sqlite3.connect('file:' + sys.argv[1] + '?mode=ro', uri=True)
base.row_factory = sqlite3.Row
print(json.dumps({table: [dict(row) for row in base.execute('select * from ' + table)]
                  for table in ('tlvs', 'params')}))
";

const EMULATED: &str = "the ROM of an emulated NVMe or virtio device, which ConnectX-4 has not";
const EMBEDDED: &str = "the database describes it with the embedded processor or the BMC";
const NO_BOOT: &str = "it has nothing to do with booting, and nobody published it of a ConnectX-4";
const VALID: &str = "a valid bit, set along with what it is for";

/// Fields of our TLVs that are left out: where they are, how their names begin,
/// and why.
const LEFT_OUT: [(&str, &str, &str); 24] = [
    ("nv_pci_conf", "ats_enabled", NO_BOOT),
    ("nv_pci_conf", "dynamic_vf_msix", NO_BOOT),
    ("nv_pci_conf", "exp_rom_nvme_", EMULATED),
    ("nv_pci_conf", "exp_rom_virtio_", EMULATED),
    ("nv_pci_conf", "management_pf", EMBEDDED),
    ("nv_pci_conf", "p2p_ordering_mode", NO_BOOT),
    (
        "nv_global_pci_conf",
        "dpu_reset_notification_enabled",
        EMBEDDED,
    ),
    ("nv_global_pci_conf", "full_vf_qos", NO_BOOT),
    ("nv_global_pci_conf", "hide_port2_pf", EMBEDDED),
    ("nv_global_pci_conf", "log_pf_bar2_size", EMBEDDED),
    ("nv_global_pci_conf", "non_prefetchable_pf_bar", NO_BOOT),
    ("nv_global_pci_conf", "partial_wr_cache_mode", NO_BOOT),
    ("nv_global_pci_conf", "per_pf_", NO_BOOT),
    ("nv_global_pci_conf", "pf_bar2_en", EMBEDDED),
    ("nv_global_pci_conf", "rshim_pf", EMBEDDED),
    ("nv_global_pci_conf", "strict_vf_msix_num_enabled", NO_BOOT),
    ("nv_global_pci_conf", "vf_nodnic_enable", NO_BOOT),
    ("nv_global_pci_conf", "vf_vpd_enable", NO_BOOT),
    ("nv_global_pci_conf", "fpp_valid", VALID),
    ("nv_global_pci_conf", "num_pfs_valid", VALID),
    ("nv_global_pci_conf", "num_vf_msix_valid", VALID),
    ("nv_global_pci_conf", "pf_bar_size_valid", VALID),
    ("nv_global_pci_conf", "vf_bar_size_valid", VALID),
    ("nv_global_pci_conf", "sriov_valid", VALID),
];

/// Fields that only FlexBoot's source knows.
const OF_FLEXBOOT: [&str; 2] = ["BOOT_LINKUP_TIMEOUT", "IB_DHCP_MAC_ADMIN_BIT"];

/// Where the database's description says another version than its column.
const VERSION_IN_THE_DESCRIPTION: [&str; 1] = ["ISCSI_KEEP_SAN_DEV_EN"];

struct Database {
    tlvs: Vec<Value>,
    params: Vec<Value>,
}

fn database() -> Option<Database> {
    if ring::skipped("mstconfig", &[ring::Need::Program("python3")]) {
        return None;
    }
    if ring::skipped("mstconfig", &[ring::Need::Program("mstconfig")]) {
        return None;
    }
    assert!(Path::new(DATABASE).is_file(), "{DATABASE} is missing");
    let output = Command::new("python3")
        .args(["-c", DUMP, DATABASE])
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    let mut tables: BTreeMap<String, Vec<Value>> = serde_json::from_slice(&output.stdout).unwrap();
    Some(Database {
        tlvs: tables.remove("tlvs").unwrap(),
        params: tables.remove("params").unwrap(),
    })
}

fn text<'a>(row: &'a Value, column: &str) -> &'a str {
    row[column].as_str().unwrap_or_default()
}

fn number(row: &Value, column: &str) -> u64 {
    row[column].as_u64().unwrap_or_default()
}

impl Database {
    fn tlv(&self, tlv: &Tlv) -> &Value {
        self.tlvs
            .iter()
            .find(|row| text(row, "name") == tlv.name)
            .unwrap_or_else(|| panic!("the database has no {}", tlv.name))
    }

    fn params<'a>(&'a self, tlv: &str) -> impl Iterator<Item = &'a Value> {
        self.params
            .iter()
            .filter(move |row| text(row, "tlv_name") == tlv)
    }

    /// Dword and bit of a parameter by its name in the source.
    fn place_of(&self, tlv: &str, name: &str) -> (usize, u8) {
        let row = self
            .params(tlv)
            .find(|row| text(row, "name") == name)
            .unwrap_or_else(|| panic!("the database has no {tlv}.{name}"));
        place(row)
    }
}

/// `0x4.16` is bit 16 of the dword at byte 4.
fn pair(text: &str) -> (usize, usize) {
    let (bytes, bits) = text.split_once('.').unwrap();
    let bytes = usize::from_str_radix(bytes.trim_start_matches("0x"), 16).unwrap();
    (bytes, bits.parse().unwrap())
}

fn place(row: &Value) -> (usize, u8) {
    let (byte, bit) = pair(text(row, "offset"));
    (byte / 4, u8::try_from(bit).unwrap())
}

fn width(row: &Value) -> usize {
    let (bytes, bits) = pair(text(row, "size"));
    bytes * 8 + bits
}

fn class_code(class: TlvClass) -> u64 {
    match class {
        TlvClass::Global => 0,
        TlvClass::Port => 1,
        TlvClass::Host => 3,
        TlvClass::Pci => 7,
    }
}

fn type_dword(tlv: &Value) -> u64 {
    number(tlv, "class") << 24 | number(tlv, "id")
}

fn connectx4(hwdb: &Hwdb) -> &SettingsFile {
    hwdb.settings(hwdb.device(0x1013).unwrap())
}

/// The field's row of the database: by mlxconfig's name, else by its place.
fn row_of<'a>(database: &'a Database, tlv: &Tlv, field: &Field) -> Option<&'a Value> {
    if field.ours {
        return database
            .params(&tlv.name)
            .find(|row| match &field.place {
                Place::Number { dword, bits } => place(row) == (*dword, bits.1),
                Place::Text(text) => {
                    let (byte, bit) = pair(self::text(row, "offset"));
                    bit == 24 && byte == text.offset
                }
            })
            .filter(|row| text(row, "mlxconfig_name").is_empty());
    }
    let row = database
        .params(&tlv.name)
        .find(|row| text(row, "mlxconfig_name") == field.name);
    assert!(
        row.is_some(),
        "mlxconfig has no {} in {}",
        field.name,
        tlv.name
    );
    row
}

#[test]
fn every_tlv_is_where_the_database_has_it() {
    let Some(database) = database() else { return };
    let hwdb = Hwdb::builtin().unwrap();
    for tlv in &connectx4(&hwdb).tlv {
        let row = database.tlv(tlv);
        assert_eq!(number(row, "id"), u64::from(tlv.tlv_type), "{}", tlv.name);
        assert_eq!(number(row, "class"), class_code(tlv.class.unwrap()));
        assert_eq!(
            number(row, "size"),
            u64::from(tlv.length_bytes),
            "{}",
            tlv.name
        );
        let is_capability = number(row, "cap") == 1;
        let read_only = tlv.access == flexctl::hwdb::Access::ReadOnly;
        assert_eq!(is_capability, read_only, "{}", tlv.name);
    }
}

#[test]
fn every_field_is_where_the_database_has_it() {
    let Some(database) = database() else { return };
    let hwdb = Hwdb::builtin().unwrap();
    for (tlv, field) in connectx4(&hwdb).settings() {
        let name = &field.name;
        let Some(row) = row_of(&database, tlv, field) else {
            assert!(OF_FLEXBOOT.contains(&name.as_str()), "{name} is nowhere");
            continue;
        };
        match &field.place {
            Place::Number { dword, bits } => {
                assert_eq!(place(row), (*dword, bits.1), "{name}");
                assert_eq!(usize::from(bits.0 - bits.1) + 1, width(row), "{name}");
            }
            Place::Text(text) => {
                // An array of bytes that begins at the highest one.
                assert_eq!(pair(self::text(row, "offset")), (text.offset, 24), "{name}");
                assert_eq!(number(row, "array_length"), text.length as u64, "{name}");
                let is_text = self::text(row, "type") == "STRING";
                assert!(is_text || text.format == TextFormat::Hex, "{name}");
            }
        }
        same_values(row, field);
        same_valid_bit(&database, tlv, row, field);
        same_version(row, field);
    }
}

fn same_values(row: &Value, field: &Field) {
    let ours: BTreeMap<String, u32> = field
        .values
        .iter()
        .map(|value| (value.name.to_ascii_uppercase(), value.value))
        .collect();
    let theirs: BTreeMap<String, u32> = match text(row, "type") {
        "BOOL" => [("FALSE".to_owned(), 0), ("TRUE".to_owned(), 1)].into(),
        "ENUM" => text(row, "textual_values")
            .split(',')
            .map(|value| {
                let (name, number) = value.split_once('=').unwrap();
                let number = u32::from_str_radix(number.trim_start_matches("0x"), 16).unwrap();
                (name.to_ascii_uppercase(), number)
            })
            .collect(),
        _ => BTreeMap::new(),
    };
    assert_eq!(ours, theirs, "{}", field.name);
}

fn same_valid_bit(database: &Database, tlv: &Tlv, row: &Value, field: &Field) {
    let theirs = text(row, "valid_bit");
    match &field.valid {
        None => assert_eq!(theirs, "", "{}", field.name),
        Some(valid) => {
            assert_eq!(valid.name, theirs, "{}", field.name);
            let place = database.place_of(&tlv.name, theirs);
            assert_eq!(place, (valid.dword, valid.bit), "{}", field.name);
        }
    }
}

fn same_version(row: &Value, field: &Field) {
    let ours = field.requires.iter().find_map(|requirement| {
        let Requirement::MnvqcVersion { at_least, .. } = requirement else {
            return None;
        };
        Some(u64::from(*at_least))
    });
    let theirs = match field.name.as_str() {
        name if VERSION_IN_THE_DESCRIPTION.contains(&name) => 2,
        _ => number(row, "supported_from_version"),
    };
    assert_eq!(ours.unwrap_or_default(), theirs, "{}", field.name);
}

/// `nv_rom_cap.boot_ip_ver` of requirements and limits: its type dword and place,
/// and the same names in the database's expressions.
#[test]
fn what_a_field_needs_is_what_the_database_says() {
    let Some(database) = database() else { return };
    let hwdb = Hwdb::builtin().unwrap();
    for (tlv, field) in connectx4(&hwdb).settings() {
        let Some(row) = row_of(&database, tlv, field) else {
            continue;
        };
        let mut needed = BTreeSet::new();
        for requirement in &field.requires {
            if let Requirement::CapabilityTlv {
                tlv_type,
                dword,
                bit,
                name,
            } = requirement
            {
                same_capability(&database, name, *tlv_type, (*dword, *bit));
                needed.insert(name.clone());
            }
        }
        if let Some(Limit::CapabilityTlv {
            tlv_type,
            dword,
            bits,
            name,
            ..
        }) = &field.limit
        {
            same_capability(&database, name, *tlv_type, (*dword, bits.1));
            assert!(text(row, "max_val").contains(&format!("${name}")), "{name}");
        }
        assert_eq!(
            text(row, "max_val").is_empty(),
            field.limit.is_none(),
            "{}",
            field.name
        );
        let said = text(row, "dependency");
        let theirs: BTreeSet<String> = said
            .split(|c: char| !(c.is_alphanumeric() || "_.$".contains(c)))
            .filter_map(|word| word.strip_prefix('$'))
            .filter(|word| !word.starts_with(&format!("{}.", tlv.name)))
            .map(str::to_owned)
            .collect();
        // What has no name in mlxconfig has no expression either.
        if !field.ours {
            assert_eq!(needed, theirs, "{}: {said}", field.name);
            // A condition on the own TLV is the field without which it has no effect.
            if said.contains(&format!("${}.", tlv.name)) {
                let other = &field.effective_with.as_ref().expect(&field.name).setting;
                let other = tlv.field.iter().find(|field| field.is_called(other));
                let source = row_of(&database, tlv, other.unwrap()).unwrap();
                assert!(said.contains(&format!("${}.{}", tlv.name, text(source, "name"))));
            }
        }
    }
}

fn same_capability(database: &Database, name: &str, tlv_type: u32, at: (usize, u8)) {
    let (tlv, param) = name.split_once('.').unwrap();
    let row = database
        .tlvs
        .iter()
        .find(|row| text(row, "name") == tlv)
        .unwrap();
    assert_eq!(type_dword(row), u64::from(tlv_type), "{name}");
    assert_eq!(number(row, "cap"), 1, "{name}");
    assert_eq!(database.place_of(tlv, param), at, "{name}");
}

#[test]
fn nothing_of_the_database_is_missing_without_a_reason() {
    let Some(database) = database() else { return };
    let hwdb = Hwdb::builtin().unwrap();
    let file = connectx4(&hwdb);
    let mut used = BTreeSet::new();
    for tlv in &file.tlv {
        let ours: BTreeSet<&str> = tlv
            .field
            .iter()
            .filter_map(|field| row_of(&database, tlv, field))
            .map(|row| text(row, "name"))
            .collect();
        for row in database.params(&tlv.name) {
            let name = text(row, "name");
            let left_out = LEFT_OUT
                .iter()
                .position(|(of, begin, _)| *of == tlv.name && name.starts_with(begin));
            used.extend(left_out);
            assert!(
                ours.contains(name) != left_out.is_some(),
                "{}.{name}: in the data file {}, in the list of what is left out {}",
                tlv.name,
                ours.contains(name),
                left_out.is_some()
            );
        }
    }
    assert_eq!(
        used.len(),
        LEFT_OUT.len(),
        "the list has too much: {used:?}"
    );
    // Every TLV that the expansion ROM looks at is there.
    for row in &database.tlvs {
        if text(row, "target") == "EXP_ROM" {
            let name = text(row, "name");
            assert!(file.tlv.iter().any(|tlv| tlv.name == name), "{name}");
        }
    }
}
