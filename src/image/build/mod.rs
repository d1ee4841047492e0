//! Images from a description in text (TOML): for tests, virtual cards and the
//! documentation. They hold no code of any vendor, only the structure.
//!
//! The key `format` says what is built: `"fs2"`, `"fs3"` or `"option-rom"`.

mod content;
mod fs2;
mod fs3;
pub mod option_rom;

pub use content::Content;
pub use fs2::{FlashDescription, Fs2Description, Fs2Format, flash_dump};
pub use fs3::{Fs3Description, Fs3Section, Fs3Signature, SpareItoc};
pub use option_rom::OptionRomDescription;

/// Why a description is no image.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// Not TOML, or not of the known shape; says the line.
    #[error("{0}")]
    Syntax(String),
    /// A value that cannot be built.
    #[error("{path}: {problem}")]
    Value {
        /// Which key, from the outside in.
        path: String,
        /// What is wrong with it.
        problem: String,
    },
}

/// Builds an image from its description, whichever format that names.
///
/// # Errors
/// A text that is no description, or values that make no image.
pub fn build(text: &str) -> Result<Vec<u8>, BuildError> {
    #[derive(serde::Deserialize)]
    struct Format {
        format: Option<String>,
    }
    let format: Format =
        toml::from_str(text).map_err(|error| BuildError::Syntax(error.to_string()))?;
    match format.format.as_deref() {
        Some("fs2") => Fs2Description::from_toml(text)?.build(),
        Some("fs3") => Fs3Description::parse(text)?.build(),
        Some("option-rom") => OptionRomDescription::from_toml(text)?.build(),
        Some(other) => Err(BuildError::Value {
            path: "format".to_owned(),
            problem: format!("\"{other}\" is not \"fs2\", \"fs3\" or \"option-rom\""),
        }),
        None => Err(BuildError::Value {
            path: "format".to_owned(),
            problem: "it is missing: \"fs2\", \"fs3\" or \"option-rom\"".to_owned(),
        }),
    }
}
