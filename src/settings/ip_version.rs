//! The main job as wishes: which IP versions the ROM boots with.

use std::fmt;
use std::str::FromStr;

use crate::hwdb::FieldValue;

use super::{Assignment, Availability, PortSettings};

/// The setting behind it, on both generations.
pub(super) const IP_VER: &str = "IP_VER";
pub(super) const BOOT_PROTOCOL: &str = "LEGACY_BOOT_PROTOCOL";
pub(super) const OPTION_ROM: &str = "BOOT_OPTION_ROM_EN";
pub(super) const PXE: u32 = 1;

/// Which IP versions the ROM boots with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IpMode {
    /// IPv4 only: what a factory card does.
    Ipv4,
    /// IPv6 only.
    Ipv6,
    /// Both, IPv4 named first.
    Ipv4Ipv6,
    /// Both, IPv6 named first.
    Ipv6Ipv4,
}

/// A name that is none of the modes.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a mode (ipv4-ipv6, ipv6-ipv4, ipv6)")]
pub struct UnknownIpMode {
    /// What was given.
    pub text: String,
}

impl IpMode {
    /// The number of IP_VER.
    #[must_use]
    pub fn number(self) -> u32 {
        match self {
            Self::Ipv4 => 0,
            Self::Ipv6 => 1,
            Self::Ipv4Ipv6 => 2,
            Self::Ipv6Ipv4 => 3,
        }
    }

    /// Whether the ROM does IPv6 with it.
    #[must_use]
    pub fn has_ipv6(self) -> bool {
        self != Self::Ipv4
    }

    /// The mode of a number of IP_VER.
    #[must_use]
    pub fn from_number(number: u32) -> Option<Self> {
        [Self::Ipv4, Self::Ipv6, Self::Ipv4Ipv6, Self::Ipv6Ipv4]
            .into_iter()
            .find(|mode| mode.number() == number)
    }
}

impl fmt::Display for IpMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Ipv4 => "ipv4",
            Self::Ipv6 => "ipv6",
            Self::Ipv4Ipv6 => "ipv4-ipv6",
            Self::Ipv6Ipv4 => "ipv6-ipv4",
        })
    }
}

impl FromStr for IpMode {
    type Err = UnknownIpMode;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        [Self::Ipv4, Self::Ipv6, Self::Ipv4Ipv6, Self::Ipv6Ipv4]
            .into_iter()
            .find(|mode| mode.to_string() == text)
            .ok_or_else(|| UnknownIpMode {
                text: text.to_owned(),
            })
    }
}

/// Whether the boot protocol is set as well.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PxeBoot {
    /// Leave the boot protocol alone.
    Keep,
    /// Make the ROM run and boot by PXE: boot protocol and option ROM switch.
    Set,
}

/// The wishes that make the given ports boot in this mode.
#[must_use]
pub fn goal(ports: &[&PortSettings], mode: IpMode, pxe: PxeBoot) -> Vec<Assignment> {
    let mut wishes = Vec::new();
    for settings in ports {
        let mut wish = |setting: &str, value| {
            wishes.push(Assignment::set(settings.port, setting, value));
        };
        if pxe == PxeBoot::Set {
            if !boots_pxe(settings) {
                wish(BOOT_PROTOCOL, PXE);
            }
            // ConnectX-4 has no such switch.
            if settings.setting(OPTION_ROM).is_some() {
                wish(OPTION_ROM, 1);
            }
        }
        // A card without the setting boots over IPv4 only, as wished.
        let is_missing = matches!(settings.availability(IP_VER), Availability::Missing(_));
        if mode.has_ipv6() || !is_missing {
            wish(IP_VER, mode.number());
        }
    }
    wishes
}

/// Whether the port's boot protocol includes PXE already, also by another name
/// than plain PXE.
pub(super) fn boots_pxe(settings: &PortSettings) -> bool {
    settings.setting(BOOT_PROTOCOL).is_some_and(|protocol| {
        let value = protocol.values.effective();
        value
            .and_then(FieldValue::number)
            .is_some_and(|value| protocol.field.boots_pxe(value))
    })
}
