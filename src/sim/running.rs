//! What a card booted, as it is kept until the next boot.

use serde::{Deserialize, Serialize};

use super::boot::Boot;
use super::scalar::Version;

/// What a card runs. Its expansion ROM is kept apart from it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) enum Running {
    /// What it came with; its profile says what that is.
    #[default]
    AsMade,
    /// Firmware that was booted from a changed flash.
    Image(RunningImage),
    /// Nothing: flash-recovery mode.
    Nothing,
}

/// Firmware that was booted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RunningImage {
    pub(crate) start: u32,
    pub(crate) firmware: Version,
    pub(crate) psid: String,
    /// One per port.
    pub(crate) macs: Vec<String>,
}

impl Running {
    pub(crate) fn is_as_made(&self) -> bool {
        *self == Self::AsMade
    }

    /// What is left of a boot.
    pub(crate) fn of(boot: &Boot) -> Self {
        let Some(image) = boot.image() else {
            return Self::Nothing;
        };
        let nothing = Version {
            major: 0,
            minor: 0,
            sub: 0,
        };
        Self::Image(RunningImage {
            start: image.start,
            firmware: image.firmware.parse().unwrap_or(nothing),
            psid: image.psid.clone(),
            macs: image.macs.clone(),
        })
    }
}
