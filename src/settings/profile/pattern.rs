//! Texts with `*` and `?`: which facts of a card a section is for.

/// A text in which `*` is any number of characters and `?` is one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Pattern {
    text: String,
    case: Case,
}

/// Whether capital and small letters differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Case {
    Matters,
    Ignored,
}

impl Pattern {
    pub(super) fn new(text: &str, case: Case) -> Self {
        Self {
            text: match case {
                Case::Matters => text.to_owned(),
                Case::Ignored => text.to_ascii_lowercase(),
            },
            case,
        }
    }

    pub(super) fn has_wildcards(text: &str) -> bool {
        text.contains(['*', '?'])
    }

    /// Whether it means this text.
    pub(super) fn matches(&self, text: &str) -> bool {
        let any = |_| true;
        match self.case {
            Case::Matters => covers(&self.text, text, any),
            Case::Ignored => covers(&self.text, &text.to_ascii_lowercase(), any),
        }
    }

    /// Whether it means every text that the other means. Patterns with
    /// wildcards on both sides are compared piece by piece: `node1*` is seen to
    /// be inside of `node*`, `*a` is not seen to be inside of `*?`.
    pub(super) fn contains(&self, other: &Self) -> bool {
        covers(&self.text, &other.text, |letter| letter != '*')
    }
}

/// Matches `pattern` with `text`; `one` says what `?` may stand for.
fn covers(pattern: &str, text: &str, one: impl Fn(char) -> bool) -> bool {
    let (pattern, text): (Vec<char>, Vec<char>) =
        (pattern.chars().collect(), text.chars().collect());
    let (mut at, mut done) = (0, 0);
    // Where to go on when the last star has to take one more.
    let mut star: Option<(usize, usize)> = None;
    while done < text.len() {
        let fits = match pattern.get(at) {
            Some('*') => {
                star = Some((at, done));
                at += 1;
                continue;
            }
            Some('?') => one(text[done]),
            Some(letter) => *letter == text[done],
            None => false,
        };
        match star {
            _ if fits => {
                at += 1;
                done += 1;
            }
            Some((star_at, taken)) => {
                star = Some((star_at, taken + 1));
                at = star_at + 1;
                done = taken + 1;
            }
            None => return false,
        }
    }
    pattern[at..].iter().all(|letter| *letter == '*')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn pattern(text: &str) -> Pattern {
        Pattern::new(text, Case::Ignored)
    }

    #[test]
    fn stars_and_question_marks_stand_for_characters() {
        for (text, yes, no) in [
            (
                "node1*",
                vec!["node1", "node17", "NODE1x"],
                vec!["node2", "anode1"],
            ),
            ("n?de", vec!["node", "nide"], vec!["nde", "noode"]),
            ("*", vec!["", "x"], vec![]),
            ("*a*b", vec!["ab", "xaab", "aab b"], vec!["ba", "abc"]),
            ("", vec![""], vec!["x"]),
        ] {
            for fact in yes {
                assert!(pattern(text).matches(fact), "{text} {fact}");
            }
            for fact in no {
                assert!(!pattern(text).matches(fact), "{text} {fact}");
            }
        }
        assert!(!Pattern::new("eth0", Case::Matters).matches("ETH0"));
    }

    #[test]
    fn a_pattern_inside_of_another_is_seen() {
        for (outer, inner, expected) in [
            ("node*", "node1", true),
            ("node*", "node1*", true),
            ("node1*", "node*", false),
            ("n?de", "node", true),
            ("n?de", "n*de", false),
            ("n*de", "n?de", true),
            ("*", "*", true),
            ("node?", "node*", false),
        ] {
            assert_eq!(
                pattern(outer).contains(&pattern(inner)),
                expected,
                "{outer} {inner}"
            );
        }
    }

    proptest! {
        #[test]
        fn what_the_inner_one_means_the_outer_one_means(
            outer in "[ab*?]{0,5}", inner in "[ab*?]{0,5}", text in "[ab]{0,6}",
        ) {
            let (outer, inner) = (pattern(&outer), pattern(&inner));
            if outer.contains(&inner) && inner.matches(&text) {
                prop_assert!(outer.matches(&text));
            }
        }
    }
}
