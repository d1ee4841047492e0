//! What else stands between a setting and a boot over IPv6.

use crate::command::Status;
use crate::image::FlexBootVersion;
use crate::pci::BootMode;

use super::ip_version::{BOOT_PROTOCOL, IP_VER, OPTION_ROM, boots_pxe};
use super::{PlanError, PortSettings, Reserved, Value};

/// The settings that decide whether a port boots over IPv6.
pub const BOOT_PATH: [&str; 5] = [BOOT_PROTOCOL, OPTION_ROM, IP_VER, PXE_ROM, LINK_TYPE];

const PXE_ROM: &str = "EXP_ROM_PXE_ENABLE";
const LINK_TYPE: &str = "LINK_TYPE";
const INFINIBAND: u32 = 1;

/// What is known of the card's expansion ROM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RomFacts {
    /// Its version record says FlexBoot of this version.
    FlexBoot(FlexBootVersion),
    /// It has no FlexBoot version record, but its code shows that it boots over IPv6;
    /// which program it is.
    Proven(String),
    /// An iPXE without FlexBoot's version record.
    IpxeWithoutRecord,
    /// A ROM that is neither.
    Foreign,
    /// Nobody can tell, for this reason.
    CannotTell(String),
    /// Nobody looked.
    NotRead,
}

/// Something that keeps the port from booting over IPv6, or may do so.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Obstacle {
    /// The boot protocol does not include PXE.
    BootProtocol {
        /// What it is, for people.
        found: String,
    },
    /// A setting holds a value that no source defines.
    Reserved {
        /// The setting.
        setting: String,
        /// The value.
        value: String,
    },
    /// The card does not show its option ROM.
    OptionRomOff,
    /// The card does not show its PXE ROM image.
    PxeRomDisabled,
    /// The port is InfiniBand, where FlexBoot boots over IPv4 only.
    InfiniBand,
    /// FlexBoot is too old to know IPv6.
    RomTooOld {
        /// Its version.
        found: FlexBootVersion,
    },
    /// Nobody can tell whether the ROM knows IPv6.
    RomUnknown {
        /// Why.
        reason: String,
    },
    /// The host was booted by UEFI: FlexBoot, a BIOS ROM, does not run.
    UefiHost,
    /// A setting that decides about booting could not be read.
    Unreadable {
        /// The setting.
        setting: String,
        /// What the card answered.
        status: Status,
    },
}

impl Obstacle {
    /// Whether it is certain to keep the port from booting over IPv6, as far as
    /// the sources go; otherwise it may.
    #[must_use]
    pub fn is_certain(&self) -> bool {
        !matches!(
            self,
            Self::RomUnknown { .. } | Self::Unreadable { .. } | Self::Reserved { .. }
        )
    }

    /// A stable name for programs.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::BootProtocol { .. } => "boot-protocol-not-pxe",
            Self::Reserved { .. } => "reserved-value",
            Self::OptionRomOff => "option-rom-off",
            Self::PxeRomDisabled => "pxe-rom-disabled",
            Self::InfiniBand => "infiniband-port",
            Self::RomTooOld { .. } => "rom-without-ipv6",
            Self::RomUnknown { .. } => "rom-unknown",
            Self::UefiHost => "uefi-host",
            Self::Unreadable { .. } => "unreadable-setting",
        }
    }
}

/// What stands in the way of a port, given what will be stored.
#[must_use]
pub fn obstacles(port: &PortSettings, rom: &RomFacts, boot_mode: BootMode) -> Vec<Obstacle> {
    let mut found = Vec::new();
    protocol(port, &mut found);
    if port.effective(OPTION_ROM) == Some(0) {
        found.push(Obstacle::OptionRomOff);
    }
    if port.effective(PXE_ROM) == Some(0) && offered(port, PXE_ROM) {
        found.push(Obstacle::PxeRomDisabled);
    }
    if port.effective(LINK_TYPE) == Some(INFINIBAND) {
        found.push(Obstacle::InfiniBand);
    }
    match rom {
        RomFacts::FlexBoot(version) if !version.has_ipv6() => {
            found.push(Obstacle::RomTooOld { found: *version });
        }
        RomFacts::FlexBoot(_) | RomFacts::Proven(_) | RomFacts::NotRead => {}
        RomFacts::IpxeWithoutRecord => found.push(Obstacle::RomUnknown {
            reason: "it is an iPXE, but no FlexBoot version record shows (upstream iPXE has none and does not look at IP_VER; a record behind the last image is hidden by the kernel)".to_owned(),
        }),
        RomFacts::Foreign => found.push(Obstacle::RomUnknown {
            reason: "it is neither FlexBoot nor iPXE as far as can be seen".to_owned(),
        }),
        RomFacts::CannotTell(reason) => found.push(Obstacle::RomUnknown {
            reason: reason.clone(),
        }),
    }
    if boot_mode == BootMode::Uefi {
        found.push(Obstacle::UefiHost);
    }
    found
}

fn protocol(port: &PortSettings, found: &mut Vec<Obstacle>) {
    let Some(protocol) = port.setting(BOOT_PROTOCOL) else {
        return;
    };
    if let Value::Refused(status) = protocol.values.next {
        found.push(Obstacle::Unreadable {
            setting: BOOT_PROTOCOL.to_owned(),
            status,
        });
    }
    let Some(value) = protocol.values.effective().cloned() else {
        return;
    };
    if !protocol.field.is_legal(&value) {
        found.push(Obstacle::Reserved {
            setting: BOOT_PROTOCOL.to_owned(),
            value: value.to_string(),
        });
    } else if !boots_pxe(port) {
        found.push(Obstacle::BootProtocol {
            found: protocol.field.describe(&value),
        });
    }
}

fn offered(port: &PortSettings, setting: &str) -> bool {
    port.availability(setting) == super::Availability::Offered
}

/// Refuses a port whose boot settings hold values that no source defines.
///
/// What such a card does at boot nobody knows, so nothing is written to it
/// unless that was asked for.
///
/// # Errors
/// [`PlanError::ReservedValue`] for the first one.
pub fn refuse_reserved(port: &PortSettings, reserved: Reserved) -> Result<(), PlanError> {
    if reserved == Reserved::Allow {
        return Ok(());
    }
    for name in [BOOT_PROTOCOL, OPTION_ROM, IP_VER] {
        let Some(setting) = port.setting(name) else {
            continue;
        };
        if let Some(value) = setting.values.effective()
            && !setting.field.is_legal(value)
        {
            return Err(PlanError::ReservedValue {
                function: port.function,
                port: port.port,
                setting: name.to_owned(),
                tlv: setting.reading.tlv.name.clone(),
                key: setting.reading.key,
                value: value.to_string(),
            });
        }
    }
    Ok(())
}
