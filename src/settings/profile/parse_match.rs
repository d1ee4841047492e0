//! Read the `match` of a section.

use std::collections::BTreeSet;

use crate::hwdb::Device;

use super::criteria::{Criteria, HostPattern, KEYS, PciPattern};
use super::finding::Problem;
use super::node::{Item, Node, Table};
use super::pattern::{Case, Pattern};

/// Vendor of all known cards.
const MELLANOX: &str = "15b3";
const DEVICE_ID: &str = "a PCI device id: \"15b3:1013\", \"0x1013\" or an integer";
const TEXTS: &str = "a text or an array of texts";
const PORTS: &str = "1, 2 or an array of these";

/// What is wrong, by line.
type Problems = Vec<(usize, Problem)>;

/// Reads a match; what is wrong with it goes into `problems`.
pub(super) fn parse(table: &Table, devices: &[&Device], problems: &mut Problems) -> Criteria {
    let mut criteria = Criteria::default();
    for pair in &table.pairs {
        let mut reader = Reader {
            key: &pair.key,
            problems,
        };
        let value = &pair.value;
        match pair.key.as_str() {
            "model" => criteria.model = Some(reader.models(value, devices)),
            "device_id" => criteria.device_id = Some(reader.device_ids(value, devices)),
            "psid" => criteria.psid = Some(reader.patterns(value, Case::Ignored)),
            "part_number" => criteria.part_number = Some(reader.patterns(value, Case::Ignored)),
            "serial" => criteria.serial = Some(reader.patterns(value, Case::Ignored)),
            "interface" => criteria.interface = Some(reader.patterns(value, Case::Matters)),
            "host" => {
                let texts = reader.texts(value).into_iter();
                criteria.host = Some(texts.map(|(_, text)| HostPattern::new(text)).collect());
            }
            "pci" => criteria.pci = Some(reader.pci(value)),
            "port" => criteria.port = Some(reader.ports(value)),
            key => problems.push((pair.line, Problem::unknown_key(key, "match", &KEYS))),
        }
    }
    let is_sound = |ids: &Option<BTreeSet<u16>>| ids.as_ref().is_none_or(|ids| !ids.is_empty());
    let means_none = !devices
        .iter()
        .any(|device| criteria.allows_device(device.pci_device));
    if is_sound(&criteria.model) && is_sound(&criteria.device_id) && means_none {
        let line = table.get("device_id").map_or(1, |pair| pair.line);
        problems.push((line, Problem::NoModel));
    }
    criteria
}

/// Reads the value of one key.
struct Reader<'a> {
    key: &'a str,
    problems: &'a mut Problems,
}

impl Reader<'_> {
    fn wrong_type(&mut self, item: &Item, expected: &str) {
        let key = format!("match.{}", self.key);
        let problem = Problem::wrong_type(&key, expected, item.node.kind());
        self.problems.push((item.line, problem));
    }

    fn wrong_value(&mut self, line: usize, found: &str, expected: &str) {
        let key = format!("match.{}", self.key);
        let problem = Problem::wrong_value(&key, found, expected);
        self.problems.push((line, problem));
    }

    /// The values of an array, or the one that stands for itself.
    fn items<'b>(&mut self, value: &'b Item, expected: &str) -> &'b [Item] {
        match &value.node {
            Node::Array(items) => {
                if items.is_empty() {
                    self.wrong_value(value.line, "an empty array", expected);
                }
                items
            }
            _ => std::slice::from_ref(value),
        }
    }

    fn texts<'b>(&mut self, value: &'b Item) -> Vec<(usize, &'b str)> {
        let mut texts = Vec::new();
        for item in self.items(value, TEXTS) {
            match &item.node {
                Node::Text(text) if text.is_empty() => {
                    self.wrong_value(item.line, "an empty text", TEXTS);
                }
                Node::Text(text) => texts.push((item.line, text.as_str())),
                _ => self.wrong_type(item, TEXTS),
            }
        }
        texts
    }

    fn patterns(&mut self, value: &Item, case: Case) -> Vec<Pattern> {
        let texts = self.texts(value).into_iter();
        texts.map(|(_, text)| Pattern::new(text, case)).collect()
    }

    fn models(&mut self, value: &Item, devices: &[&Device]) -> BTreeSet<u16> {
        let mut meant = BTreeSet::new();
        for (line, text) in self.texts(value) {
            let pattern = Pattern::new(text, Case::Ignored);
            let ids: Vec<u16> = devices
                .iter()
                .filter(|device| pattern.matches(&device.name) || pattern.matches(&device.title))
                .map(|device| device.pci_device)
                .collect();
            if ids.is_empty() {
                let problem = Problem::UnknownModel {
                    key: "match.model",
                    found: format!("\"{}\"", text.escape_debug()),
                    known: devices.iter().map(|device| device.name.clone()).collect(),
                };
                self.problems.push((line, problem));
            }
            meant.extend(ids);
        }
        meant
    }

    fn device_ids(&mut self, value: &Item, devices: &[&Device]) -> BTreeSet<u16> {
        let mut meant = BTreeSet::new();
        for item in self.items(value, DEVICE_ID) {
            let (id, found) = match &item.node {
                Node::Integer(number) => (
                    number.value.and_then(|number| u16::try_from(number).ok()),
                    number.text.clone(),
                ),
                Node::Text(text) => (device_id(text), format!("\"{}\"", text.escape_debug())),
                _ => {
                    self.wrong_type(item, DEVICE_ID);
                    continue;
                }
            };
            match id {
                Some(id) if devices.iter().any(|device| device.pci_device == id) => {
                    meant.insert(id);
                }
                Some(_) => {
                    let known = devices.iter();
                    let problem = Problem::UnknownModel {
                        key: "match.device_id",
                        found,
                        known: known
                            .map(|device| format!("{:#06x} ({})", device.pci_device, device.title))
                            .collect(),
                    };
                    self.problems.push((item.line, problem));
                }
                None => self.wrong_value(item.line, &found, DEVICE_ID),
            }
        }
        meant
    }

    fn pci(&mut self, value: &Item) -> Vec<PciPattern> {
        let mut patterns = Vec::new();
        for (line, text) in self.texts(value) {
            match PciPattern::parse(text) {
                Some(pattern) => patterns.push(pattern),
                None => self.wrong_value(
                    line,
                    &format!("\"{}\"", text.escape_debug()),
                    "[DDDD:]BB:DD[.F] in hexadecimal, with * and ?",
                ),
            }
        }
        patterns
    }

    fn ports(&mut self, value: &Item) -> BTreeSet<u8> {
        let mut ports = BTreeSet::new();
        for item in self.items(value, PORTS) {
            match &item.node {
                Node::Integer(number) => match number.value {
                    Some(1) => {
                        ports.insert(1);
                    }
                    Some(2) => {
                        ports.insert(2);
                    }
                    _ => self.wrong_value(item.line, &number.text, PORTS),
                },
                _ => self.wrong_type(item, PORTS),
            }
        }
        ports
    }
}

fn device_id(text: &str) -> Option<u16> {
    let text = text.to_ascii_lowercase();
    let digits = match text.split_once(':') {
        Some((MELLANOX, digits)) => digits,
        Some(_) => return None,
        None => text.strip_prefix("0x")?,
    };
    let is_hex = digits.len() <= 4 && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_hex
        .then(|| u16::from_str_radix(digits, 16).ok())
        .flatten()
}
