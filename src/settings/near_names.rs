//! Names that somebody may have meant.

/// How alike two names must be, from 0 to 1.
const ALIKE: f64 = 0.85;
const MOST: usize = 3;

/// The known names that are most like a name that is not known, the best first.
#[must_use]
pub fn near_names<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Vec<&'a str> {
    let name = name.to_ascii_uppercase();
    let mut near: Vec<(f64, &str)> = known
        .into_iter()
        .map(|known| {
            let likeness = strsim::jaro_winkler(&name, &known.to_ascii_uppercase());
            (likeness, known)
        })
        .filter(|(likeness, _)| *likeness >= ALIKE)
        .collect();
    near.sort_by(|one, other| other.0.total_cmp(&one.0).then(one.1.cmp(other.1)));
    // A near miss makes far ones uninteresting.
    let best = near.first().map_or(0.0, |(likeness, _)| *likeness);
    near.retain(|(likeness, _)| *likeness + 0.06 >= best);
    near.dedup_by(|one, other| one.1 == other.1);
    near.into_iter().take(MOST).map(|(_, name)| name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_of_the_finger_are_recognised() {
        let known = [
            "IP_VER",
            "BOOT_VLAN",
            "BOOT_VLAN_EN",
            "BOOT_RETRY_CNT",
            "LINK_TYPE",
        ];
        for (name, expected) in [
            ("IP_VERS", vec!["IP_VER"]),
            ("ipver", vec!["IP_VER"]),
            ("BOOT_VLN", vec!["BOOT_VLAN", "BOOT_VLAN_EN"]),
            ("LINKTYPE", vec!["LINK_TYPE"]),
            ("FROBNICATE", vec![]),
            ("", vec![]),
        ] {
            assert_eq!(near_names(name, known), expected, "{name}");
        }
    }
}
