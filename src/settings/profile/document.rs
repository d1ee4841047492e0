//! A profile: read from text, with everything checked that needs no card.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use crate::hwdb::Hwdb;

use super::catalog::Catalog;
use super::criteria::Criteria;
use super::finding::{At, Finding, Problem, ProfileError, SectionLabel};
use super::node::{Item, Node, Pair, Table};
use super::parse_settings::{Wish, parse_settings};
use super::{from_json, from_toml, parse_match};

/// The version of the format.
pub(super) const SCHEMA: i64 = 1;
/// No profile and no value is longer.
const MOST_BYTES: u64 = 16 << 20;
/// `$schema` is for editors.
const KEYS: [&str; 4] = ["schema", "settings", "section", "$schema"];
const SECTION_KEYS: [&str; 3] = ["name", "match", "settings"];

/// How a profile is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Syntax {
    /// TOML.
    Toml,
    /// JSON.
    Json,
}

impl Syntax {
    /// JSON for names that end in `.json`, else TOML.
    #[must_use]
    pub fn of(path: &Path) -> Self {
        match path.extension() {
            Some(extension) if extension.eq_ignore_ascii_case("json") => Self::Json,
            _ => Self::Toml,
        }
    }
}

/// The text of a profile.
#[derive(Clone, Copy, Debug)]
pub struct ProfileText<'a> {
    /// Its name in messages.
    pub path: &'a Path,
    /// How it is written.
    pub syntax: Syntax,
    /// The text.
    pub text: &'a str,
}

/// Reads a file that a profile names; the path is relative to the profile.
pub type ReadBeside<'a> = dyn Fn(&Path) -> io::Result<String> + 'a;

/// How cards shall be: settings, and for which cards and ports they are.
#[derive(Clone, Debug)]
pub struct Profile {
    pub(super) path: Arc<Path>,
    /// In the order of the file; the settings for all cards come first.
    pub(super) sections: Vec<Section>,
}

/// A part of a profile.
#[derive(Clone, Debug)]
pub(super) struct Section {
    pub(super) label: SectionLabel,
    pub(super) line: usize,
    pub(super) criteria: Criteria,
    pub(super) wishes: Vec<Wish>,
}

impl Profile {
    /// Reads a profile and the files beside it that it names.
    ///
    /// # Errors
    /// [`ProfileError`] with all that was found.
    pub fn load(path: &Path, hwdb: &Hwdb) -> Result<Self, ProfileError> {
        let text = read(path).map_err(|source| ProfileError::Unreadable {
            path: path.to_owned(),
            source,
        })?;
        let folder = path.parent().unwrap_or(Path::new(""));
        let source = ProfileText {
            path,
            syntax: Syntax::of(path),
            text: &text,
        };
        Self::parse(&source, hwdb, &|file| {
            let file = folder.join(file);
            if file.metadata()?.is_file() {
                read(&file)
            } else {
                Err(io::Error::other("it is no regular file"))
            }
        })
    }

    /// The file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The names of all settings that it speaks of, each of every generation.
    pub fn setting_names(&self) -> impl Iterator<Item = &str> {
        self.sections
            .iter()
            .flat_map(|section| &section.wishes)
            .flat_map(|wish| wish.names.iter().map(String::as_str))
    }

    /// Whether a match asks for what only the board says: part or serial number.
    #[must_use]
    pub fn asks_for_the_board(&self) -> bool {
        self.sections.iter().any(|section| {
            section.criteria.part_number.is_some() || section.criteria.serial.is_some()
        })
    }

    /// Reads a profile from its text.
    ///
    /// Checked are its form, every name, and every value as far as it can be
    /// told without a card: it is right for a generation that the section is for.
    ///
    /// # Errors
    /// [`ProfileError`] with all that was found.
    pub fn parse(
        source: &ProfileText<'_>,
        hwdb: &Hwdb,
        beside: &ReadBeside<'_>,
    ) -> Result<Self, ProfileError> {
        let mut reader = Reader {
            path: source.path.into(),
            catalog: Catalog::new(hwdb),
            beside,
            findings: Vec::new(),
        };
        let root = match source.syntax {
            Syntax::Toml => from_toml::parse(source.text),
            Syntax::Json => from_json::parse(source.text),
        };
        let sections = match root {
            Ok(root) => reader.profile(&root),
            Err(found) => {
                let message = found.message;
                reader.find(found.line, Problem::Syntax { message });
                Vec::new()
            }
        };
        if reader.findings.is_empty() {
            Ok(Self {
                path: reader.path,
                sections,
            })
        } else {
            Err(ProfileError::refused(reader.findings))
        }
    }
}

/// Reads a text file, not one without end.
fn read(path: &Path) -> io::Result<String> {
    // A FIFO or device would be waited for.
    if !path.metadata()?.is_file() {
        return Err(io::Error::other("it is no regular file"));
    }
    let file = File::open(path)?;
    let mut text = String::new();
    file.take(MOST_BYTES + 1).read_to_string(&mut text)?;
    if text.len() as u64 > MOST_BYTES {
        return Err(io::ErrorKind::FileTooLarge.into());
    }
    Ok(text)
}

/// Reads the tree, and collects what is wrong with it.
pub(super) struct Reader<'a> {
    path: Arc<Path>,
    pub(super) catalog: Catalog<'a>,
    beside: &'a ReadBeside<'a>,
    findings: Vec<Finding>,
}

impl Reader<'_> {
    pub(super) fn find(&mut self, line: usize, problem: Problem) {
        let at = At {
            path: self.path.clone(),
            line,
        };
        self.findings.push(Finding { at, problem });
    }

    fn profile(&mut self, root: &Table) -> Vec<Section> {
        if !self.knows_schema(root) {
            return Vec::new();
        }
        let mut sections = vec![Section {
            label: SectionLabel::Everywhere,
            line: 1,
            criteria: Criteria::default(),
            wishes: Vec::new(),
        }];
        for pair in &root.pairs {
            match pair.key.as_str() {
                "schema" => {}
                "$schema" => {
                    if !matches!(pair.value.node, Node::Text(_)) {
                        self.wrong_type(pair, "a text");
                    }
                }
                "settings" => {
                    if let Some(table) = self.table(pair) {
                        let criteria = Criteria::default();
                        sections[0].line = pair.line;
                        sections[0].wishes = parse_settings(self, table, &criteria);
                    }
                }
                "section" => match &pair.value.node {
                    Node::Array(items) => {
                        for (index, item) in items.iter().enumerate() {
                            sections.extend(self.section(item, index + 1));
                        }
                    }
                    _ => self.wrong_type(pair, "an array of tables"),
                },
                key => self.find(pair.line, Problem::unknown_key(key, "a profile", &KEYS)),
            }
        }
        sections
    }

    fn knows_schema(&mut self, root: &Table) -> bool {
        let Some(pair) = root.get("schema") else {
            self.find(1, Problem::NoSchema);
            return false;
        };
        match &pair.value.node {
            Node::Integer(number) if number.value == Some(SCHEMA) => true,
            Node::Integer(number) => {
                let found = number.text.clone();
                self.find(pair.value.line, Problem::OtherSchema { found });
                false
            }
            _ => {
                self.wrong_type(pair, "the integer 1");
                false
            }
        }
    }

    fn section(&mut self, item: &Item, number: usize) -> Option<Section> {
        let Node::Table(table) = &item.node else {
            let problem = Problem::wrong_type("section", "a table", item.node.kind());
            self.find(item.line, problem);
            return None;
        };
        let mut label = SectionLabel::Number(number);
        // Settings need to know the match, wherever it stands.
        let mut criteria = Criteria::default();
        for pair in &table.pairs {
            match pair.key.as_str() {
                "name" => match &pair.value.node {
                    Node::Text(name) => label = SectionLabel::Named(name.clone()),
                    _ => self.wrong_type(pair, "a text"),
                },
                "match" => {
                    if let Some(table) = self.table(pair) {
                        let devices: Vec<_> = self.catalog.devices().collect();
                        let mut problems = Vec::new();
                        criteria = parse_match::parse(table, &devices, &mut problems);
                        if !problems.is_empty() {
                            // Settings are judged as if for all models then.
                            (criteria.model, criteria.device_id) = (None, None);
                        }
                        for (line, problem) in problems {
                            self.find(line, problem);
                        }
                    }
                }
                "settings" => {}
                key => self.find(
                    pair.line,
                    Problem::unknown_key(key, "a section", &SECTION_KEYS),
                ),
            }
        }
        let settings = table.get("settings").and_then(|pair| self.table(pair));
        let wishes = settings.map(|table| parse_settings(self, table, &criteria));
        Some(Section {
            label,
            line: item.line,
            criteria,
            wishes: wishes.unwrap_or_default(),
        })
    }

    fn table<'b>(&mut self, pair: &'b Pair) -> Option<&'b Table> {
        if let Node::Table(table) = &pair.value.node {
            return Some(table);
        }
        self.wrong_type(pair, "a table");
        None
    }

    pub(super) fn wrong_type(&mut self, pair: &Pair, expected: &str) {
        let problem = Problem::wrong_type(&pair.key, expected, pair.value.node.kind());
        self.find(pair.value.line, problem);
    }

    /// The one line of a file beside the profile.
    pub(super) fn line_of(&self, setting: &str, file: &str) -> Result<String, Problem> {
        let contents = |found| {
            Err(Problem::FileContents {
                setting: setting.to_owned(),
                file: file.to_owned(),
                found,
            })
        };
        let path = PathBuf::from(file);
        let is_beside = path
            .components()
            .all(|part| matches!(part, Component::Normal(_) | Component::CurDir));
        if file.is_empty() || !is_beside {
            return Err(Problem::wrong_value(
                &format!("{setting}.file"),
                &format!("`{file}`"),
                "a file in the folder of the profile or below",
            ));
        }
        let text = (self.beside)(&path).map_err(|source| Problem::FileUnreadable {
            setting: setting.to_owned(),
            file: file.to_owned(),
            source,
        })?;
        let line = text.strip_suffix('\n').unwrap_or(&text);
        let line = line.strip_suffix('\r').unwrap_or(line);
        if line.is_empty() {
            contents("nothing")
        } else if line.contains(['\n', '\r']) {
            contents("several")
        } else {
            Ok(line.to_owned())
        }
    }
}
