//! Names of cards: which are allowed, and which one may have been meant.

use super::error::SimError;

/// The longest name of a card.
const LONGEST: usize = 64;

/// Checks that `name` can be a directory of the shelf and nothing else.
pub(crate) fn check(name: &str) -> Result<&str, SimError> {
    let plain = name
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'));
    let starts_well = name
        .bytes()
        .next()
        .is_some_and(|byte| byte.is_ascii_alphanumeric());
    if plain && starts_well && name.len() <= LONGEST {
        Ok(name)
    } else {
        Err(SimError::BadName {
            name: name.to_owned(),
        })
    }
}

/// The candidate that `name` was probably meant for: at most a third of it wrong.
pub(crate) fn nearest<'a>(
    name: &str,
    candidates: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    candidates
        .into_iter()
        .map(|candidate| (distance(name, candidate), candidate))
        .filter(|(distance, candidate)| *distance * 3 <= candidate.len())
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// How many characters have to be put in, taken out or replaced (Levenshtein).
fn distance(from: &str, to: &str) -> usize {
    let to: Vec<char> = to.chars().collect();
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (line, left) in from.chars().enumerate() {
        let mut diagonal = line;
        row[0] = line + 1;
        for (column, right) in to.iter().enumerate() {
            let replaced = diagonal + usize::from(left != *right);
            diagonal = row[column + 1];
            row[column + 1] = replaced.min(diagonal + 1).min(row[column] + 1);
        }
    }
    row[to.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stay_inside_the_shelf() {
        for name in ["connectx-4", "rack7_node3", "a.b", "4"] {
            assert!(check(name).is_ok(), "{name}");
        }
        let long = "x".repeat(65);
        for name in [
            "", ".", "..", "../x", "a/b", "/etc", "-x", ".hidden", "a b", "ü", &long,
        ] {
            assert!(check(name).is_err(), "{name}");
        }
    }

    #[test]
    fn finds_what_was_meant() {
        let names = ["connectx-3", "connectx-4", "connectx-4-lx"];
        assert_eq!(nearest("conectx-4", names), Some("connectx-4"));
        assert_eq!(nearest("connectx-4lx", names), Some("connectx-4-lx"));
        assert_eq!(nearest("banana", names), None);
    }
}
