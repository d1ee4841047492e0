//! One ConnectX generation as the tool knows it.

use serde::Deserialize;

/// A device: ids, ways in, firmware interface. One file of `hwdb/devices`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Device {
    /// Version of the file format, 1.
    pub schema: u32,
    /// Name in file names and selectors: `connectx-4-lx`.
    pub name: String,
    /// Name for people: `ConnectX-4 Lx`.
    pub title: String,
    /// PCI device id of the running card.
    pub pci_device: u16,
    /// PCI device ids of its virtual functions.
    pub virtual_functions: Vec<u16>,
    /// PCI device id in flash-recovery mode.
    pub flash_recovery: u16,
    /// Hardware id, CR 0xf0014 bits 15:0.
    pub hardware_id: u16,
    /// How its firmware takes commands.
    pub firmware_interface: FirmwareInterface,
    /// Format of its firmware image.
    pub image_format: ImageFormat,
    /// Ways into the card, the preferred one first.
    pub access: Vec<AccessWay>,
    /// Name of the settings file that describes its TLVs.
    pub settings: String,
    /// How ports are laid out over PCI functions.
    pub ports: Ports,
    /// How far the claims of this record go.
    pub verified: Verified,
    /// Where the facts come from.
    pub source: Vec<String>,
    /// What was ever tried on silicon.
    pub tested: Tested,
}

/// How the firmware of a card takes commands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum FirmwareInterface {
    /// Tools HCR, 4th generation (ConnectX-3).
    ToolsHcr,
    /// Internal command interface, 5th generation (ConnectX-4).
    Icmd,
}

/// Format of a firmware image.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ImageFormat {
    /// ConnectX-3.
    Fs2,
    /// ConnectX-4.
    Fs3,
}

/// A way into the card.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum AccessWay {
    /// Vendor-specific capability in config space.
    Vsec,
    /// Address/data pair at 0x58/0x5c of config space.
    LegacyGateway,
    /// CR space in BAR0.
    Bar0,
}

/// How the ports of a card are laid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ports {
    /// One PCI function carries all ports; boot TLVs are per port (ConnectX-3).
    OneFunction,
    /// One PCI function a port; boot TLVs are per function (ConnectX-4).
    FunctionPerPort,
}

/// How far a claim goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verified {
    /// Debian's mstflint 4.21 was run against it.
    #[serde(rename = "agrees-with-mstflint-4.21")]
    AgreesWithMstflint,
    /// Stated by a public source, not run.
    Published,
    /// A guess: only read, never written.
    Unverified,
}

/// What was ever tried on silicon.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tested {
    /// Listing the card.
    pub list: TestedState,
    /// Reading its settings.
    pub read: TestedState,
    /// Writing its settings.
    pub set: TestedState,
    /// Burning its flash.
    pub burn: TestedState,
}

/// Outcome of a try on silicon.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum TestedState {
    /// Somebody reported that it works.
    Ok,
    /// Nobody reported anything.
    Untested,
    /// Somebody reported that it does not work.
    Broken,
}
