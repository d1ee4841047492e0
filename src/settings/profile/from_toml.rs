//! TOML as a tree with lines.

use toml::Spanned;
use toml::de::{DeArray, DeInteger, DeTable, DeValue};

use super::node::{Integer, Item, Lines, Node, Pair, Table, Unreadable};

pub(super) fn parse(text: &str) -> Result<Table, Unreadable> {
    let lines = Lines::of(text);
    let root = DeTable::parse(text).map_err(|error| Unreadable {
        line: lines.at(error.span().map_or(0, |span| span.start)),
        // Not the whole error: it shows the line, which may hold a secret.
        message: error.message().to_owned(),
    })?;
    Ok(table(root.get_ref(), &lines))
}

fn table(from: &DeTable<'_>, lines: &Lines) -> Table {
    let mut keyed: Vec<(usize, Pair)> = from
        .iter()
        .map(|(key, value)| {
            let begin = key.span().start;
            let pair = Pair {
                key: key.get_ref().to_string(),
                line: lines.at(begin),
                value: item(value, lines),
            };
            (begin, pair)
        })
        .collect();
    keyed.sort_by_key(|(begin, _)| *begin);
    Table {
        pairs: keyed.into_iter().map(|(_, pair)| pair).collect(),
    }
}

fn item(from: &Spanned<DeValue<'_>>, lines: &Lines) -> Item {
    Item {
        line: lines.at(from.span().start),
        node: node(from.get_ref(), lines),
    }
}

fn node(from: &DeValue<'_>, lines: &Lines) -> Node {
    match from {
        DeValue::String(text) => Node::Text(text.to_string()),
        DeValue::Integer(number) => Node::Integer(integer(number)),
        DeValue::Boolean(boolean) => Node::Boolean(*boolean),
        DeValue::Float(_) => Node::Other("a number with a fraction"),
        DeValue::Datetime(_) => Node::Other("a date or time"),
        DeValue::Array(items) => Node::Array(array(items, lines)),
        DeValue::Table(pairs) => Node::Table(table(pairs, lines)),
    }
}

fn array(from: &DeArray<'_>, lines: &Lines) -> Vec<Item> {
    from.iter().map(|value| item(value, lines)).collect()
}

fn integer(from: &DeInteger<'_>) -> Integer {
    Integer {
        text: from.to_string(),
        value: i64::from_str_radix(from.as_str(), from.radix()).ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_and_values_know_their_lines() {
        let root = parse("schema = 1\n\n[[section]]\nmatch = { port = [1,\n 2] }\n[section.settings]\nx = 0x1F\n\n[[section]]\n").unwrap();
        assert_eq!(root.get("schema").map(|pair| pair.line), Some(1));
        let Node::Array(sections) = &root.get("section").unwrap().value.node else {
            panic!("section is no array");
        };
        let lines: Vec<usize> = sections.iter().map(|section| section.line).collect();
        assert_eq!(lines, [3, 9]);
        let Node::Table(section) = &sections[0].node else {
            panic!("no table");
        };
        let Node::Table(criteria) = &section.get("match").unwrap().value.node else {
            panic!("no table");
        };
        let Node::Array(ports) = &criteria.get("port").unwrap().value.node else {
            panic!("no array");
        };
        assert_eq!((ports[0].line, ports[1].line), (4, 5));
        let Node::Table(settings) = &section.get("settings").unwrap().value.node else {
            panic!("no table");
        };
        let number = settings.get("x").unwrap();
        assert_eq!((number.line, number.value.line), (7, 7));
        let Node::Integer(number) = &number.value.node else {
            panic!("no integer");
        };
        assert_eq!(
            (number.text.as_str(), number.value),
            ("0x1F", Some(31)),
            "as it is written"
        );
    }

    #[test]
    fn a_mistake_is_named_with_its_line_and_without_its_text() {
        let found = parse("schema = 1\npassword = \"secret\n").err().unwrap();
        assert_eq!(found.line, 2);
        assert!(!found.message.contains("secret"), "{}", found.message);
        let found = parse("a = 1\nb = 2\na = 3\n").err().unwrap();
        assert_eq!((found.line, found.message.as_str()), (3, "duplicate key"));
    }
}
