//! A profile as a tree whose every part knows its line: what both syntaxes become.

/// A value and the line on which it begins, counted from 1.
///
/// Has no `Debug`: it may hold a secret.
pub(super) struct Item {
    pub(super) line: usize,
    pub(super) node: Node,
}

/// A value.
pub(super) enum Node {
    Table(Table),
    Array(Vec<Item>),
    Text(String),
    Integer(Integer),
    Boolean(bool),
    /// Something that no key takes, in words.
    Other(&'static str),
}

/// An integer as it is written, and its value where 64 bits hold it.
#[derive(Clone)]
pub(super) struct Integer {
    pub(super) text: String,
    pub(super) value: Option<i64>,
}

/// Keys and values in the order of the file.
#[derive(Default)]
pub(super) struct Table {
    pub(super) pairs: Vec<Pair>,
}

/// A key with its value.
pub(super) struct Pair {
    pub(super) key: String,
    pub(super) line: usize,
    pub(super) value: Item,
}

impl Node {
    /// What it is, in words.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Table(_) => "a table",
            Self::Array(_) => "an array",
            Self::Text(_) => "a text",
            Self::Integer(_) => "an integer",
            Self::Boolean(_) => "a boolean",
            Self::Other(kind) => kind,
        }
    }
}

impl Table {
    pub(super) fn get(&self, key: &str) -> Option<&Pair> {
        self.pairs.iter().find(|pair| pair.key == key)
    }
}

/// Why a text has no tree.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Unreadable {
    pub(super) line: usize,
    pub(super) message: String,
}

/// Where the lines of a text begin.
pub(super) struct Lines {
    begins: Vec<usize>,
}

impl Lines {
    pub(super) fn of(text: &str) -> Self {
        let after_breaks = text.match_indices('\n').map(|(at, _)| at + 1);
        Self {
            begins: std::iter::once(0).chain(after_breaks).collect(),
        }
    }

    /// The line of a byte of the text, counted from 1.
    pub(super) fn at(&self, byte: usize) -> usize {
        self.begins.partition_point(|begin| *begin <= byte)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_counted_from_one() {
        let lines = Lines::of("a\nbc\r\n\nd");
        let found: Vec<usize> = (0..8).map(|byte| lines.at(byte)).collect();
        assert_eq!(found, [1, 1, 2, 2, 2, 2, 3, 4]);
        assert_eq!(Lines::of("").at(0), 1);
    }
}
