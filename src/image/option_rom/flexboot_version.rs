//! The version of FlexBoot, and what it can do.

use std::fmt;
use std::str::FromStr;

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

/// A text that is no version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a version is MAJOR.MINOR.SUB, at most 255.255.65535")]
pub struct ParseVersionError;

impl FromStr for FlexBootVersion {
    type Err = ParseVersionError;

    fn from_str(text: &str) -> Result<Self, ParseVersionError> {
        let number = |part: Option<&str>| {
            let part = part.filter(|part| part.bytes().all(|byte| byte.is_ascii_digit()))?;
            part.parse::<u16>().ok()
        };
        let mut parts = text.split('.').fuse();
        let major = number(parts.next()).and_then(|number| u8::try_from(number).ok());
        let minor = number(parts.next()).and_then(|number| u8::try_from(number).ok());
        match (major, minor, number(parts.next()), parts.next()) {
            (Some(major), Some(minor), Some(sub), None) => Ok(Self { major, minor, sub }),
            _ => Err(ParseVersionError),
        }
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

    #[test]
    fn versions_are_read_as_they_are_written() {
        let version: FlexBootVersion = "3.4.812".parse().unwrap();
        assert_eq!(version, FlexBootVersion::new(3, 4, 812));
        for wrong in [
            "",
            "3",
            "3.4",
            "3.4.5.6",
            "3.4.x",
            "3.4.-1",
            "+3.4.5",
            "256.0.0",
            "1.2.65536",
        ] {
            assert!(wrong.parse::<FlexBootVersion>().is_err(), "{wrong}");
        }
    }
}
