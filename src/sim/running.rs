//! What a card boots, and what of that is kept until the next boot.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::boot::{self, Boot, BootCard};
use super::firmware::Firmware;
use super::flash::new_card;
use super::option_rom::OptionRom;
use super::profile::{FlashContent, Profile};
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

    /// Whether firmware runs.
    pub(crate) fn is_firmware(&self, profile: &Profile) -> bool {
        match self {
            Self::AsMade => profile.flash.content == FlashContent::Firmware,
            Self::Image(_) => true,
            Self::Nothing => false,
        }
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

/// Booting, and what runs since then.
impl Firmware {
    /// Whether a boot may lead to something else than what the card came with.
    pub(crate) fn boots_anew(&mut self, warm: bool) -> bool {
        let elsewhere = warm && self.live.boot_address.is_some();
        elsewhere || !self.state.running.is_as_made() || !self.flash_is_as_made()
    }

    /// What happens at a boot; nothing changes.
    pub(crate) fn boot(&mut self, warm: bool) -> Boot {
        let profile = Arc::clone(&self.profile);
        let first = profile.ports.first().map_or(0, |port| port.mac.number());
        let steps: Vec<u64> = profile
            .ports
            .iter()
            .map(|port| port.mac.number().wrapping_sub(first))
            .collect();
        let card = BootCard {
            generation: profile.card.generation,
            hw_id: profile.card.hw_id,
            mac_steps: &steps,
        };
        let address = self.live.boot_address.filter(|_| warm);
        let known = self.verdict.take();
        let cells = &self.chip().cells;
        if address.is_some() {
            let boot = boot::warm(cells, address, card);
            self.verdict = known;
            return boot;
        }
        let version = cells.version();
        let boot = known
            .filter(|(of, _)| *of == version)
            .map_or_else(|| boot::cold(cells, card), |(_, boot)| boot);
        self.verdict = Some((version, boot.clone()));
        boot
    }

    /// Whether firmware runs, so that commands are executed.
    pub(crate) fn runs(&self) -> bool {
        self.state.running.is_firmware(&self.profile)
    }

    fn image(&self) -> Option<&RunningImage> {
        match &self.state.running {
            Running::Image(image) => Some(image),
            _ => None,
        }
    }

    /// The version of the firmware that runs.
    pub(crate) fn version(&self) -> Version {
        let card = &self.profile.card;
        self.image().map_or(card.firmware, |image| image.firmware)
    }

    /// The PSID of the firmware that runs.
    pub(crate) fn psid(&self) -> &str {
        let card = &self.profile.card;
        self.image().map_or(&card.psid, |image| &image.psid)
    }

    /// Where the firmware that runs lies in the flash.
    fn running_start(&self) -> u32 {
        self.image()
            .map_or_else(|| new_card::start(&self.profile), |image| image.start)
    }

    /// Where a warm reset boots from.
    pub(crate) fn effective_boot_address(&self) -> u32 {
        let fallback = if self.runs() { self.running_start() } else { 0 };
        self.live.boot_address.unwrap_or(fallback)
    }

    pub(crate) fn set_boot_address(&mut self, start: u32) {
        self.live.boot_address = Some(start);
        self.touch();
    }

    /// The expansion ROM of the firmware that runs.
    pub(crate) fn booted_rom(&self) -> Option<OptionRom> {
        let card = &self.profile.card;
        match &self.state.running {
            _ if !self.runs() => None,
            Running::AsMade => {
                let rom = self.profile.rom.as_ref()?;
                Some(OptionRom::build(rom, card.device, card.class))
            }
            _ => self.rom.clone().map(OptionRom::of),
        }
    }
}
