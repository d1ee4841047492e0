//! What a profile wants of one card.

use std::collections::BTreeMap;
use std::fmt;

use crate::hwdb::{Access, Field, FieldValue, Scope};

use super::catalog;
use super::criteria::Fit;
use super::document::{Profile, Section};
use super::facts::CardFacts;
use super::finding::{At, Contradiction, Finding, Problem, ProfileError, Remedy, SectionLabel};
use super::given::expected;
use super::parse_settings::Wish;

/// What a card shall be like.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Desired {
    /// By port, then in the order of the data files.
    pub entries: Vec<Entry>,
    /// What was left out, and why.
    pub notes: Vec<Note>,
}

/// A setting of a card and the value that it shall have.
#[derive(Clone, PartialEq, Eq)]
pub struct Entry {
    /// The port, counted from 1; 0 for settings of the whole card.
    pub port: u8,
    /// The setting's name in the data files of the card.
    pub setting: String,
    /// The value.
    pub value: FieldValue,
    /// The value for people; a secret is hidden.
    pub value_text: String,
    /// The line of the profile that says so.
    pub line: usize,
    /// The section of that line.
    pub section: SectionLabel,
}

/// Without the value itself, which may be a secret.
impl fmt::Debug for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Entry")
            .field("port", &self.port)
            .field("setting", &self.setting)
            .field("value", &self.value_text)
            .field("line", &self.line)
            .field("section", &self.section)
            .finish()
    }
}

/// Something of the profile that this card is left out of.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Note {
    /// Sections ask for a fact of the card that is not known.
    UnknownFact {
        /// The key of the match.
        key: &'static str,
        /// The lines of the sections.
        lines: Vec<usize>,
    },
    /// The card's generation has no such setting.
    NoSuchSetting {
        /// The model.
        model: String,
        /// The setting, as it is written.
        setting: String,
        /// The lines.
        lines: Vec<usize>,
    },
    /// The card has no such port.
    NoSuchPort {
        /// The port.
        port: u8,
        /// The lines.
        lines: Vec<usize>,
    },
}

impl Note {
    /// The lines of the profile.
    #[must_use]
    pub fn lines(&self) -> &[usize] {
        match self {
            Self::UnknownFact { lines, .. }
            | Self::NoSuchSetting { lines, .. }
            | Self::NoSuchPort { lines, .. } => lines,
        }
    }

    fn is_like(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::UnknownFact { key, .. }, Self::UnknownFact { key: other, .. }) => key == other,
            (Self::NoSuchSetting { setting, .. }, Self::NoSuchSetting { setting: other, .. }) => {
                setting == other
            }
            (Self::NoSuchPort { port, .. }, Self::NoSuchPort { port: other, .. }) => port == other,
            _ => false,
        }
    }

    fn lines_mut(&mut self) -> &mut Vec<usize> {
        match self {
            Self::UnknownFact { lines, .. }
            | Self::NoSuchSetting { lines, .. }
            | Self::NoSuchPort { lines, .. } => lines,
        }
    }
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines = spell_lines(self.lines());
        match self {
            Self::UnknownFact { key, lines: all } => {
                let sections = match all.len() {
                    1 => "the section that asks for it is",
                    _ => "the sections that ask for it are",
                };
                write!(f, "{key} is not known, so {sections} left out: {lines}")
            }
            Self::NoSuchSetting { model, setting, .. } => {
                write!(f, "{model} has no {setting}, {lines}")
            }
            Self::NoSuchPort { port, .. } => write!(f, "there is no port {port}, {lines}"),
        }
    }
}

/// `line 3`, `lines 3, 8`, `lines 1, 2, 3 and 17 more`.
fn spell_lines(lines: &[usize]) -> String {
    const SHOWN: usize = 5;
    let words: Vec<String> = lines.iter().take(SHOWN).map(usize::to_string).collect();
    let word = if lines.len() == 1 { "line" } else { "lines" };
    let more = lines.len().saturating_sub(SHOWN);
    let more = if more == 0 {
        String::new()
    } else {
        format!(" and {more} more")
    };
    format!("{word} {}{more}", words.join(", "))
}

/// A wish that holds for a port so far.
#[derive(Clone, Copy)]
struct Standing<'a> {
    section: usize,
    wish: &'a Wish,
}

/// What a wish means on this card.
struct Meant<'a> {
    field: &'a Field,
    value: FieldValue,
    /// Ports, and the setting's place in the data files.
    places: Vec<(u8, usize)>,
}

/// Wishes for one setting of one port that nobody has refined, all with this value.
struct Slot<'a> {
    field: &'a Field,
    value: FieldValue,
    standing: Vec<Standing<'a>>,
}

impl Profile {
    /// What the profile wants of a card.
    ///
    /// A section refines earlier ones where its match is narrower; sections that
    /// want different things of one port otherwise contradict each other.
    ///
    /// # Errors
    /// [`ProfileError::Refused`] with every contradiction, and with every value
    /// that this generation does not take.
    pub fn resolve(&self, card: &CardFacts<'_>) -> Result<Desired, ProfileError> {
        let mut resolver = Resolver {
            profile: self,
            card,
            slots: BTreeMap::new(),
            notes: Vec::new(),
            findings: Vec::new(),
        };
        for (index, section) in self.sections.iter().enumerate() {
            match section.criteria.fit(card) {
                Fit::No => {}
                Fit::Unknown(key) => resolver.note(Note::UnknownFact {
                    key,
                    lines: vec![section.line],
                }),
                Fit::Ports(ports) => {
                    for wish in &section.wishes {
                        resolver.wish(index, wish, &ports);
                    }
                }
            }
        }
        resolver.finish()
    }

    fn at(&self, line: usize) -> At {
        At {
            path: self.path.clone(),
            line,
        }
    }
}

struct Resolver<'a> {
    profile: &'a Profile,
    card: &'a CardFacts<'a>,
    /// By port and place in the data files.
    slots: BTreeMap<(u8, usize), Slot<'a>>,
    notes: Vec<Note>,
    findings: Vec<Finding>,
}

impl<'a> Resolver<'a> {
    fn note(&mut self, note: Note) {
        match self.notes.iter_mut().find(|known| known.is_like(&note)) {
            Some(known) => known.lines_mut().extend(note.lines()),
            None => self.notes.push(note),
        }
    }

    fn find(&mut self, line: usize, problem: Problem) {
        self.findings.push(Finding {
            at: self.profile.at(line),
            problem,
        });
    }

    fn section(&self, standing: Standing<'_>) -> &'a Section {
        &self.profile.sections[standing.section]
    }

    fn wish(&mut self, section: usize, wish: &'a Wish, ports: &[u8]) {
        match self.meant(section, wish, ports) {
            Ok(None) => {}
            Ok(Some(meant)) => {
                for place in &meant.places {
                    self.put(*place, &meant, Standing { section, wish });
                }
            }
            Err(problem) => {
                let problem = Problem::OnCard {
                    card: self.card.to_string(),
                    problem: Box::new(problem),
                };
                self.find(wish.line, problem);
            }
        }
    }

    /// What a wish means on this card, if anything.
    fn meant(
        &mut self,
        section: usize,
        wish: &'a Wish,
        ports: &[u8],
    ) -> Result<Option<Meant<'a>>, Problem> {
        let settings = self.card.settings;
        let Some((tlv, field)) = catalog::setting(settings, &wish.names) else {
            self.note(Note::NoSuchSetting {
                model: self.card.model_name.clone(),
                setting: wish.written.clone(),
                lines: vec![wish.line],
            });
            return Ok(None);
        };
        let setting = wish.written.clone();
        if tlv.access == Access::ReadOnly {
            return Err(Problem::ReadOnly { setting });
        }
        let value = wish.given.as_value_of(field);
        let value = value.map_err(|misfit| misfit.problem(&setting, &expected(field)))?;
        let index = settings
            .settings()
            .position(|(_, other)| std::ptr::eq(other, field))
            .unwrap_or(usize::MAX);
        if tlv.scope == Scope::Card {
            let criteria = &self.profile.sections[section].criteria;
            if wish.port.is_some() || criteria.port.is_some() {
                return Err(Problem::WholeCard { setting });
            }
            return Ok(Some(Meant {
                field,
                value,
                places: vec![(0, index)],
            }));
        }
        if let Some(port) = wish.port
            && !self.card.ports.iter().any(|known| known.port == port)
        {
            let lines = vec![wish.line];
            self.note(Note::NoSuchPort { port, lines });
        }
        let places = ports
            .iter()
            .filter(|port| wish.port.is_none_or(|only| only == **port));
        Ok(Some(Meant {
            field,
            value,
            places: places.map(|port| (*port, index)).collect(),
        }))
    }

    fn put(&mut self, place: (u8, usize), meant: &Meant<'a>, standing: Standing<'a>) {
        let Some(slot) = self.slots.get(&place) else {
            let slot = Slot {
                field: meant.field,
                value: meant.value.clone(),
                standing: vec![standing],
            };
            self.slots.insert(place, slot);
            return;
        };
        if slot.value != meant.value {
            let mut earlier = slot.standing.iter();
            if let Some(earlier) = earlier.find(|earlier| !self.refines(standing, **earlier)) {
                let problem = self.contradiction(place.0, slot, *earlier, &meant.value, standing);
                self.find(standing.wish.line, problem);
                return;
            }
        }
        if let Some(slot) = self.slots.get_mut(&place) {
            if slot.value != meant.value {
                slot.value = meant.value.clone();
                slot.standing.clear();
            }
            slot.standing.push(standing);
        }
    }

    /// Whether the later one may say otherwise.
    fn refines(&self, later: Standing<'_>, earlier: Standing<'_>) -> bool {
        let is_everywhere = |standing| self.section(standing).label == SectionLabel::Everywhere;
        if later.section == earlier.section {
            return later.wish.port.is_some() && earlier.wish.port.is_none();
        }
        if is_everywhere(earlier) {
            return true;
        }
        let criteria = |standing: Standing<'_>| {
            let criteria = &self.section(standing).criteria;
            criteria.for_port(standing.wish.port)
        };
        criteria(later).is_narrower_than(&criteria(earlier))
    }

    fn contradiction(
        &self,
        port: u8,
        slot: &Slot<'_>,
        earlier: Standing<'_>,
        value: &FieldValue,
        later: Standing<'_>,
    ) -> Problem {
        Problem::Contradiction(Box::new(Contradiction {
            card: self.card.to_string(),
            place: if port == 0 {
                "the card".to_owned()
            } else {
                format!("port {port}")
            },
            setting: slot.field.name.clone(),
            value: slot.field.describe(value),
            section: self.section(later).label.clone(),
            other_value: slot.field.describe(&slot.value),
            other_section: self.section(earlier).label.clone(),
            other: self.profile.at(earlier.wish.line),
            remedy: if self.refines(earlier, later) {
                Remedy::Swap
            } else {
                Remedy::Narrow
            },
        }))
    }

    fn finish(self) -> Result<Desired, ProfileError> {
        if !self.findings.is_empty() {
            return Err(ProfileError::refused(self.findings));
        }
        let sections = &self.profile.sections;
        let entries = self.slots.into_iter().filter_map(|((port, _), slot)| {
            let last = slot.standing.last()?;
            Some(Entry {
                port,
                setting: slot.field.name.clone(),
                value_text: slot.field.describe(&slot.value),
                value: slot.value,
                line: last.wish.line,
                section: sections[last.section].label.clone(),
            })
        });
        Ok(Desired {
            entries: entries.collect(),
            notes: self.notes,
        })
    }
}
