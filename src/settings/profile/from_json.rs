//! JSON as a tree with lines.

use jsonc_parser::ast::{Object, ObjectPropName, Value};
use jsonc_parser::common::Ranged;
use jsonc_parser::{CollectOptions, ParseOptions, parse_to_ast};

use super::node::{Integer, Item, Lines, Node, Pair, Table, Unreadable};

/// JSON as the standard has it: the parser that knows ranges reads dialects.
const STRICT: ParseOptions = ParseOptions {
    allow_comments: false,
    allow_loose_object_property_names: false,
    allow_trailing_commas: false,
    allow_missing_commas: false,
    allow_single_quoted_strings: false,
    allow_hexadecimal_numbers: false,
    allow_unary_plus_numbers: false,
    allow_bare_decimal_point_numbers: false,
    allow_non_finite_numbers: false,
    allow_extended_string_escapes: false,
};

pub(super) fn parse(text: &str) -> Result<Table, Unreadable> {
    // The first look is serde_json's, whose messages people know.
    if let Err(error) = serde_json::from_str::<serde_json::Value>(text) {
        let whole = error.to_string();
        let place = format!(" at line {} column {}", error.line(), error.column());
        return Err(Unreadable {
            line: error.line().max(1),
            message: whole.trim_end_matches(&place).to_owned(),
        });
    }
    let lines = Lines::of(text);
    let parsed = parse_to_ast(text, &CollectOptions::default(), &STRICT);
    let value = parsed.map_err(|error| Unreadable {
        line: lines.at(error.range().start),
        message: lower_case(&error.kind().to_string()),
    })?;
    match value.value {
        Some(Value::Object(object)) => table(object, &lines),
        _ => Err(Unreadable {
            line: 1,
            message: "a profile is an object".to_owned(),
        }),
    }
}

fn table(from: Object<'_>, lines: &Lines) -> Result<Table, Unreadable> {
    let mut table = Table::default();
    let mut seen = std::collections::HashSet::new();
    for property in from.properties {
        let line = lines.at(property.range.start);
        let key = match property.name {
            ObjectPropName::String(text) => text.value.into_owned(),
            ObjectPropName::Word(word) => word.value.to_owned(),
        };
        if !seen.insert(key.clone()) {
            return Err(Unreadable {
                line,
                message: "duplicate key".to_owned(),
            });
        }
        let value = item(property.value, lines)?;
        table.pairs.push(Pair { key, line, value });
    }
    Ok(table)
}

fn item(from: Value<'_>, lines: &Lines) -> Result<Item, Unreadable> {
    let line = lines.at(from.range().start);
    let node = match from {
        Value::StringLit(text) => Node::Text(text.value.into_owned()),
        Value::NumberLit(number) => number_node(number.value),
        Value::BooleanLit(boolean) => Node::Boolean(boolean.value),
        Value::NullKeyword(_) => Node::Other("null"),
        Value::Object(object) => Node::Table(table(object, lines)?),
        Value::Array(array) => Node::Array(
            array
                .elements
                .into_iter()
                .map(|element| item(element, lines))
                .collect::<Result<_, _>>()?,
        ),
    };
    Ok(Item { line, node })
}

fn number_node(text: &str) -> Node {
    if text.contains(['.', 'e', 'E']) {
        return Node::Other("a number with a fraction");
    }
    Node::Integer(Integer {
        text: text.to_owned(),
        value: text.parse().ok(),
    })
}

fn lower_case(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| {
        first.to_lowercase().chain(letters).collect()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_and_values_know_their_lines() {
        let root =
            parse("{\n \"schema\": 1,\n \"section\": [\n  {},\n  {\"x\":\n -7}\n ]\n}").unwrap();
        assert_eq!(root.get("schema").map(|pair| pair.line), Some(2));
        let Node::Array(sections) = &root.get("section").unwrap().value.node else {
            panic!("section is no array");
        };
        let lines: Vec<usize> = sections.iter().map(|section| section.line).collect();
        assert_eq!(lines, [4, 5]);
        let Node::Table(section) = &sections[1].node else {
            panic!("no table");
        };
        let number = section.get("x").unwrap();
        assert_eq!((number.line, number.value.line), (5, 6));
        let Node::Integer(number) = &number.value.node else {
            panic!("no integer");
        };
        assert_eq!((number.text.as_str(), number.value), ("-7", Some(-7)));
    }

    #[test]
    fn only_json_of_the_standard_is_read() {
        for (text, line, message) in [
            ("{\n // no\n}", 2, "key must be a string"),
            ("{\"a\": 1,\n}", 2, "trailing comma"),
            ("{a: 1}", 1, "key must be a string"),
            ("{\"a\": 0x10}", 1, "expected `,` or `}`"),
            ("{\"a\": 'b'}", 1, "expected value"),
            ("{\"a\": 1}\n{}", 2, "trailing characters"),
            ("{\n\"a\": 1,\n\"a\": 2}", 3, "duplicate key"),
            ("", 1, "EOF while parsing a value"),
            ("[]", 1, "a profile is an object"),
            ("7", 1, "a profile is an object"),
        ] {
            let found = parse(text).err().unwrap();
            assert_eq!(
                (found.line, found.message.as_str()),
                (line, message),
                "{text}"
            );
        }
    }

    #[test]
    fn escapes_of_every_kind_are_read_or_refused() {
        let root = parse(r#"{"a": "\u0041\n", "b": "\ud83d\ude00"}"#);
        assert!(root.is_ok_and(|root| root.pairs.len() == 2));
        assert!(parse(r#"{"a": "\ud800"}"#).is_err());
        assert!(parse(r#"{"a": "\x41"}"#).is_err());
    }
}
