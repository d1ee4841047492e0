//! Names of settings as people write them: with or without a port.
//!
//! mlxconfig's names of ConnectX-3 settings end in `_P1` or `_P2`; those of a
//! ConnectX-4's function do not, those of its ports do. Both forms are
//! understood for both: without a suffix all ports are meant.

use crate::hwdb::{Field, Scope, SettingsFile, Tlv};

use super::near_names::near_names;

/// A name, taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SettingName {
    /// The setting without its suffix, as it was written.
    pub base: String,
    /// The port of the suffix, counted from 1.
    pub port: Option<u8>,
}

/// Why a name means nothing on a card.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NameError {
    /// Nothing is called so.
    #[error("there is no setting {name}{}", did_you_mean(.near))]
    Unknown {
        /// What was written.
        name: String,
        /// Settings with a similar name.
        near: Vec<String>,
    },
    /// A setting of the whole card was given a port.
    #[error("{setting} belongs to the whole card: there is no {name}")]
    NotOfAPort {
        /// What was written.
        name: String,
        /// The setting.
        setting: String,
    },
}

fn did_you_mean(near: &[String]) -> String {
    if near.is_empty() {
        String::new()
    } else {
        format!(", did you mean {}?", near.join(" or "))
    }
}

impl SettingName {
    /// Takes a name apart: `IP_VER_P2` is `IP_VER` of port 2.
    #[must_use]
    pub fn parse(name: &str) -> Self {
        for (suffix, port) in [("_P1", 1), ("_P2", 2)] {
            let at = name.len().checked_sub(suffix.len());
            if let Some(at) = at.filter(|at| *at > 0 && name.is_char_boundary(*at))
                && name[at..].eq_ignore_ascii_case(suffix)
            {
                return Self {
                    base: name[..at].to_owned(),
                    port: Some(port),
                };
            }
        }
        Self {
            base: name.to_owned(),
            port: None,
        }
    }

    /// The setting of this name among those of a generation.
    ///
    /// # Errors
    /// [`NameError`] with the names that are near.
    pub fn resolve<'a>(&self, file: &'a SettingsFile) -> Result<(&'a Tlv, &'a Field), NameError> {
        let Some((tlv, field)) = file.setting(&self.base) else {
            return Err(NameError::Unknown {
                name: self.to_string(),
                near: near(&self.base, file.settings().map(|(_, field)| field)),
            });
        };
        if tlv.scope == Scope::Card && self.port.is_some() {
            return Err(NameError::NotOfAPort {
                name: self.to_string(),
                setting: field.name.clone(),
            });
        }
        Ok((tlv, field))
    }
}

impl std::fmt::Display for SettingName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.base)?;
        self.port.map_or(Ok(()), |port| write!(f, "_P{port}"))
    }
}

/// Up to three names that are most like the one that was written.
#[must_use]
pub fn near<'a>(name: &str, fields: impl Iterator<Item = &'a Field>) -> Vec<String> {
    let known = fields.flat_map(|field| std::iter::once(&field.name).chain(&field.aliases));
    let near = near_names(name, known.map(String::as_str));
    near.into_iter().map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hwdb::Hwdb;

    #[test]
    fn a_suffix_is_a_port() {
        let name = SettingName::parse("ip_ver_p2");
        assert_eq!((name.base.as_str(), name.port), ("ip_ver", Some(2)));
        assert_eq!(name.to_string(), "ip_ver_P2");
        assert_eq!(SettingName::parse("IP_VER").port, None);
        assert_eq!(SettingName::parse("_P1").base, "_P1");
        assert_eq!(SettingName::parse("\u{e4}P1").port, None);
    }

    #[test]
    fn an_unknown_name_is_answered_with_near_ones() {
        let hwdb = Hwdb::builtin().unwrap();
        for device in hwdb.devices() {
            let file = hwdb.settings(device);
            let error = SettingName::parse("IPVER").resolve(file).unwrap_err();
            assert_eq!(
                error.to_string(),
                "there is no setting IPVER, did you mean IP_VER?"
            );
            let error = SettingName::parse("qqq").resolve(file).unwrap_err();
            assert_eq!(error.to_string(), "there is no setting qqq");
        }
    }
}
