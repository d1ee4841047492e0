//! The version of FlexBoot, and what it can do.

use std::fmt;

/// Version of an expansion ROM, `major.minor.sub` as in `3.4.812`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FlexBootVersion {
    /// Major version.
    pub major: u8,
    /// Minor version.
    pub minor: u8,
    /// Sub-minor version.
    pub sub: u16,
}

impl FlexBootVersion {
    /// The first FlexBoot that boots over IPv6 (Mellanox, FlexBoot release
    /// notes 3.4.718, January 2016).
    pub const FIRST_WITH_IPV6: Self = Self::new(3, 4, 718);

    /// A version from its three parts.
    #[must_use]
    pub const fn new(major: u8, minor: u8, sub: u16) -> Self {
        Self { major, minor, sub }
    }

    /// Whether a FlexBoot of this version has IPv6. What an iPXE has that was
    /// built with another version number in its record cannot be told from it.
    #[must_use]
    pub fn has_ipv6(self) -> bool {
        self >= Self::FIRST_WITH_IPV6
    }
}

impl fmt::Display for FlexBootVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.sub)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_ordered_by_number_and_not_by_letter() {
        let version = FlexBootVersion::new;
        assert!(version(3, 4, 752) < version(3, 4, 1000));
        assert!(version(3, 10, 0) > version(3, 4, 812));
        assert_eq!(version(3, 4, 812).to_string(), "3.4.812");
    }

    #[test]
    fn ipv6_starts_with_the_release_of_january_2016() {
        // Versions of cards in the field, as their owners published them.
        for (sub, ipv6) in [(467, false), (648, false), (718, true), (752, true)] {
            assert_eq!(
                FlexBootVersion::new(3, 4, sub).has_ipv6(),
                ipv6,
                "3.4.{sub}"
            );
        }
    }
}
