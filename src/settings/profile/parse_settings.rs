//! Read a table of settings.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use crate::hwdb::{Access, Device, Field, Place, Scope, Tlv};

use super::catalog;
use super::criteria::Criteria;
use super::document::Reader;
use super::finding::Problem;
use super::given::{Given, Misfit, expected};
use super::node::{Node, Pair, Table};

/// A setting and the value that it shall have.
#[derive(Clone)]
pub(super) struct Wish {
    /// The name as it is written.
    pub(super) written: String,
    /// All names of the setting on any generation.
    pub(super) names: Arc<[String]>,
    /// The port that a suffix of the name says.
    pub(super) port: Option<u8>,
    pub(super) given: Given,
    pub(super) line: usize,
}

/// Without the value, which may be a secret.
impl fmt::Debug for Wish {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Wish")
            .field("written", &self.written)
            .field("line", &self.line)
            .finish_non_exhaustive()
    }
}

/// The setting on one of the generations that a section is for.
struct Candidate<'a> {
    generation: usize,
    name: &'a str,
    tlv: &'a Tlv,
    field: &'a Field,
}

/// Reads a table of settings; names with a port come last, for they refine the
/// others.
pub(super) fn parse_settings(
    reader: &mut Reader<'_>,
    table: &Table,
    criteria: &Criteria,
) -> Vec<Wish> {
    let mut wishes: Vec<Wish> = Vec::new();
    // Which wish gave this setting of this generation and port.
    let mut given: HashMap<(usize, &str, Option<u8>), usize> = HashMap::new();
    for pair in &table.pairs {
        let Parsed { wish, fields } = match parse_wish(reader, pair, criteria) {
            Ok(parsed) => parsed,
            Err(problem) => {
                reader.find(pair.line, problem);
                continue;
            }
        };
        let mut earlier = None;
        let mut differs = false;
        for (generation, field) in fields {
            let place = (generation, field.name.as_str(), wish.port);
            let first = *given.entry(place).or_insert(wishes.len());
            if let Some(first) = wishes.get(first) {
                earlier = Some(first);
                // Saying it twice is no contradiction.
                differs |=
                    first.given.as_value_of(field).ok() != wish.given.as_value_of(field).ok();
            }
        }
        match earlier {
            None => wishes.push(wish),
            Some(_) if !differs => {}
            Some(earlier) => {
                let problem = Problem::GivenTwice {
                    setting: wish.written,
                    other: earlier.written.clone(),
                    other_line: earlier.line,
                };
                reader.find(pair.line, problem);
            }
        }
    }
    wishes.sort_by_key(|wish| wish.port.is_some());
    wishes
}

/// A wish, and which field of which generation it means.
struct Parsed<'a> {
    wish: Wish,
    fields: Vec<(usize, &'a Field)>,
}

fn parse_wish<'a>(
    reader: &Reader<'a>,
    pair: &Pair,
    criteria: &Criteria,
) -> Result<Parsed<'a>, Problem> {
    let written = pair.key.clone();
    let found = reader
        .catalog
        .find(&written)
        .ok_or_else(|| Problem::UnknownSetting {
            near: reader.catalog.near(&written),
            setting: written.clone(),
        })?;
    let is_meant = |device: &&Device| criteria.allows_device(device.pci_device);
    let candidates: Vec<Candidate<'a>> = reader
        .catalog
        .generations
        .iter()
        .enumerate()
        .filter(|(_, generation)| generation.devices.iter().any(is_meant))
        .filter_map(|(index, generation)| {
            let (tlv, field) = catalog::setting(generation.settings, &found.names)?;
            Some(Candidate {
                generation: index,
                name: generation.name,
                tlv,
                field,
            })
        })
        .collect();
    if candidates.is_empty() {
        let meant = reader.catalog.devices().filter(is_meant);
        return Err(Problem::NotOnModels {
            models: meant.map(|device| device.title.clone()).collect(),
            setting: written,
        });
    }
    let writable: Vec<&Candidate<'_>> = candidates
        .iter()
        .filter(|candidate| candidate.tlv.access == Access::ReadWrite)
        .collect();
    if writable.is_empty() {
        return Err(Problem::ReadOnly { setting: written });
    }
    check_port(&written, found.port, criteria, &writable)?;
    let given = parse_value(reader, pair, &written, &writable)?;
    let wish = Wish {
        written,
        names: found.names,
        port: found.port,
        given,
        line: pair.line,
    };
    let fields = candidates
        .iter()
        .map(|candidate| (candidate.generation, candidate.field))
        .collect();
    Ok(Parsed { wish, fields })
}

fn check_port(
    written: &str,
    port: Option<u8>,
    criteria: &Criteria,
    candidates: &[&Candidate<'_>],
) -> Result<(), Problem> {
    let names_a_port = port.is_some() || criteria.port.is_some();
    let is_card = |candidate: &&Candidate<'_>| candidate.tlv.scope == Scope::Card;
    if names_a_port && candidates.iter().all(is_card) {
        return Err(Problem::WholeCard {
            setting: written.to_owned(),
        });
    }
    if let (Some(port), Some(ports)) = (port, &criteria.port)
        && !ports.contains(&port)
        && let Some(section_port) = ports.first()
    {
        return Err(Problem::OtherPort {
            setting: written.to_owned(),
            port,
            section_port: *section_port,
        });
    }
    Ok(())
}

fn parse_value(
    reader: &Reader<'_>,
    pair: &Pair,
    written: &str,
    candidates: &[&Candidate<'_>],
) -> Result<Given, Problem> {
    let takes_text = candidates
        .iter()
        .any(|candidate| matches!(candidate.field.place, Place::Text(_)));
    let given = match &pair.value.node {
        Node::Boolean(boolean) => Given::Boolean(*boolean),
        Node::Integer(number) => Given::Integer(number.clone()),
        Node::Text(text) => Given::Text(text.clone()),
        Node::Table(table) if takes_text => match table.pairs.as_slice() {
            [Pair { key, value, .. }] if key == "file" => match &value.node {
                Node::Text(file) => Given::Text(reader.line_of(written, file)?),
                other => {
                    let key = format!("{written}.file");
                    return Err(Problem::wrong_type(&key, "a text", other.kind()));
                }
            },
            _ => {
                let expected = "a text or { file = \"...\" }";
                return Err(Problem::wrong_type(written, expected, "another table"));
            }
        },
        other => {
            let expected = expected_by(candidates);
            return Err(Problem::wrong_type(written, &expected, other.kind()));
        }
    };
    // Right for one generation is enough; a card of another is told when it is
    // asked for.
    let misfits: Result<Vec<Misfit>, ()> = candidates
        .iter()
        .map(|candidate| given.as_value_of(candidate.field).err().ok_or(()))
        .collect();
    match misfits.ok().and_then(|misfits| misfits.into_iter().next()) {
        Some(misfit) => Err(misfit.problem(written, &expected_by(candidates))),
        None => Ok(given),
    }
}

/// What a setting takes; by generation where they differ.
fn expected_by(candidates: &[&Candidate<'_>]) -> String {
    let mut words: Vec<(String, Vec<&str>)> = Vec::new();
    for candidate in candidates {
        let expected = expected(candidate.field);
        match words.iter_mut().find(|(known, _)| *known == expected) {
            Some((_, names)) => names.push(candidate.name),
            None => words.push((expected, vec![candidate.name])),
        }
    }
    match words.as_slice() {
        [(expected, _)] => expected.clone(),
        words => {
            let parts = words
                .iter()
                .map(|(expected, names)| format!("{expected} (on {})", names.join(", ")));
            parts.collect::<Vec<_>>().join("; ")
        }
    }
}
