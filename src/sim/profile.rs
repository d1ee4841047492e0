//! What a virtual card is made from: the schema of `src/sim/profiles/*.toml`.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::faults::FaultPlan;
use super::scalar::{Bytes, Kind, Mac, Place, Version};

/// One kind of virtual card.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Profile {
    /// One line for people.
    pub(crate) description: String,
    /// The profile that this one starts from; resolved by the catalog.
    #[serde(default, rename = "base")]
    pub(crate) _base: Option<String>,
    pub(crate) card: Identity,
    pub(crate) gateway: GatewaySwitches,
    pub(crate) ports: Vec<Port>,
    /// Absent: the host shows no expansion ROM.
    #[serde(default)]
    pub(crate) rom: Option<Rom>,
    /// What is unusual about its flash.
    #[serde(default)]
    pub(crate) flash: FlashProfile,
    /// What QUERY_DEF_PARAMS and QUERY_DEV_CAP answer (ConnectX-3 only).
    #[serde(default)]
    pub(crate) defaults: Option<Defaults>,
    /// The settings that the card knows, by type number.
    pub(crate) tlv: BTreeMap<Kind, Tlv>,
    /// The settings that are set when the card is new, by place and type.
    #[serde(default)]
    pub(crate) set: BTreeMap<Place, BTreeMap<Kind, Bytes>>,
    /// Faults that the card is born with.
    #[serde(default)]
    pub(crate) faults: FaultPlan,
}

/// Which firmware interface the card speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub(crate) enum Generation {
    /// Tools HCR and MNVA: ConnectX-3, ConnectX-3 Pro.
    #[serde(rename = "connectx-3")]
    ConnectX3,
    /// ICMD and MNVDA: ConnectX-4, ConnectX-4 Lx.
    #[serde(rename = "connectx-4")]
    ConnectX4,
}

/// Who the card is.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Identity {
    pub(crate) generation: Generation,
    /// PCI device id.
    pub(crate) device: u16,
    pub(crate) subsystem_vendor: u16,
    pub(crate) subsystem_device: u16,
    /// PCI class code, 24 bits.
    pub(crate) class: u32,
    /// PCI revision id.
    pub(crate) revision: u8,
    /// Hardware id, CR space 0xf0014 bits 15:0.
    pub(crate) hw_id: u16,
    /// Hardware revision, CR space 0xf0014 bits 23:16.
    pub(crate) hw_revision: u8,
    /// PCI bus number, unless another card on the shelf has it.
    pub(crate) bus: u8,
    /// How much config space the host shows: 4096, or 256 behind some bridges.
    #[serde(default = "whole_config_space")]
    pub(crate) config_bytes: u16,
    /// The bound kernel driver.
    #[serde(default)]
    pub(crate) driver: Option<String>,
    #[serde(default)]
    pub(crate) numa_node: Option<u32>,
    /// Virtual functions of each physical one.
    #[serde(default)]
    pub(crate) virtual_functions: u8,
    pub(crate) firmware: Version,
    pub(crate) psid: String,
    pub(crate) part_number: String,
    pub(crate) serial_number: String,
    /// What MQIS and the VPD call the card.
    pub(crate) name: String,
    /// The long description that MQIS has.
    pub(crate) long_name: String,
}

fn whole_config_space() -> u16 {
    4096
}

/// A port of the card. Its place in the list is its number, from 1.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Port {
    /// The PCI function that drives it.
    pub(crate) function: u8,
    pub(crate) mac: Mac,
    /// Network interface; `{bus}` stands for the bus number in decimal.
    #[serde(default)]
    pub(crate) net: Option<String>,
    /// RDMA device; `{bus}` as in `net`.
    #[serde(default)]
    pub(crate) rdma: Option<String>,
}

/// How the ways into the card behave.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct GatewaySwitches {
    /// Whether the host maps BAR0.
    pub(crate) bar0: bool,
    /// Whether the command register lets BAR0 answer (else: all-ones).
    #[serde(default = "yes")]
    pub(crate) memory_decoding: bool,
    /// How many looks at a mailbox find it busy.
    #[serde(default = "two")]
    pub(crate) busy_looks: u32,
    /// ConnectX-4: how many looks at the gateway flag come too early.
    #[serde(default)]
    pub(crate) flag_looks: u32,
    /// ConnectX-4: the ICMD mailbox in bytes.
    #[serde(default = "icmd_mailbox")]
    pub(crate) mailbox_bytes: u32,
    /// ConnectX-3: the HCR mailbox window in CR space works.
    #[serde(default = "yes")]
    pub(crate) mailbox_window: bool,
    /// ConnectX-3: the gateway's address register reads as 0xbadacce5.
    #[serde(default)]
    pub(crate) write_only_address: bool,
    /// ConnectX-4: a GET of an unset TLV answers the default, not status 8.
    #[serde(default)]
    pub(crate) unset_reads_default: bool,
    /// ConnectX-4: MNVGC says that defaults can be read.
    #[serde(default = "yes")]
    pub(crate) reads_default: bool,
    /// ConnectX-4: MNVGC says that current values can be read.
    #[serde(default = "yes")]
    pub(crate) reads_current: bool,
    /// The register status of every GET of a setting, when not 0.
    #[serde(default)]
    pub(crate) settings_status: u8,
}

fn yes() -> bool {
    true
}

fn two() -> u32 {
    2
}

/// What mstflint 4.21 worked with when the card reported it at space 3, 0x1000.
fn icmd_mailbox() -> u32 {
    0x340
}

/// The expansion ROM, described; [`super::option_rom`] builds it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Rom {
    pub(crate) flavour: Flavour,
    /// Version of the legacy (PXE) image.
    pub(crate) version: Version,
    /// Whether the images have version records.
    #[serde(default = "yes")]
    pub(crate) records: bool,
    /// Version of a UEFI driver beside it; absent: none.
    #[serde(default)]
    pub(crate) uefi_version: Option<Version>,
    /// Where the records are.
    #[serde(default)]
    pub(crate) record: RecordPlace,
}

/// Whose code the ROM pretends to hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Flavour {
    Flexboot,
    Ipxe,
}

/// Where the version records are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum RecordPlace {
    /// Inside the images, where the host's ROM file shows them.
    #[default]
    Inside,
    /// After the last image, where Linux does not show them: its ROM file ends
    /// with the image that is marked as the last one.
    Behind,
}

/// The flash: its chip, and what is on it when the card is new. What is left out
/// is as usual for the generation; [`super::flash::new_card`] builds it.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct FlashProfile {
    /// What the chip answers to opcode 0x9f.
    pub(crate) jedec: Option<[u8; 3]>,
    /// Its size, where `hwdb/flash-chips.toml` does not know the chip.
    pub(crate) bytes: Option<u32>,
    /// Its status register 1 when it is new.
    pub(crate) status: u8,
    /// Bytes of a chunk (FS2), or of a slot (FS3).
    pub(crate) chunk: Option<u32>,
    /// Which slot the firmware is in.
    pub(crate) slot: usize,
    pub(crate) content: FlashContent,
    /// Firmware that takes only what its vendor has signed (FS3).
    pub(crate) secure: bool,
    /// An image in the other slot.
    pub(crate) other: Option<OtherImage>,
}

/// Whether a new card has firmware.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum FlashContent {
    /// The firmware that the profile describes.
    #[default]
    Firmware,
    /// The same, with a bit wrong in its boot code.
    Damaged,
    /// Nothing.
    Blank,
}

/// The image in the other slot.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct OtherImage {
    pub(crate) firmware: Version,
    #[serde(default)]
    pub(crate) rom: Option<Rom>,
    /// Its magic begins with zeros, as a burn leaves the image that it replaced.
    #[serde(default)]
    pub(crate) hidden: bool,
}

/// One setting that the card knows.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Tlv {
    #[serde(rename = "name")]
    pub(crate) _name: String,
    pub(crate) bytes: u16,
    /// The version that MNVQC reports.
    #[serde(default)]
    pub(crate) version: u8,
    pub(crate) scope: Scope,
    /// A capability: read-only, always there, its value is the default.
    #[serde(default)]
    pub(crate) capability: bool,
    /// Taken back out of what the base profile knows.
    #[serde(default)]
    pub(crate) absent: bool,
    /// What a read of the default answers (ConnectX-4).
    #[serde(default)]
    pub(crate) default: Option<Bytes>,
}

/// For what a setting has a value of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Scope {
    Card,
    Function,
    Port,
}

/// What ConnectX-3 firmware answers to QUERY_DEF_PARAMS and QUERY_DEV_CAP.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Defaults {
    /// QUERY_DEF_PARAMS global dw1 bit 21.
    pub(crate) boot_ip_ver: bool,
    pub(crate) sriov: bool,
    pub(crate) vfs: u8,
    pub(crate) max_vfs: u8,
    /// LOG_BAR_SIZE as mstconfig shows it.
    pub(crate) log_bar_size: u8,
    pub(crate) max_log_bar_size: u8,
    pub(crate) cq_timestamp: bool,
    /// Ports can change their link type (LINK_TYPE is shown).
    pub(crate) vpi: bool,
    /// BOOT_PKEY is shown.
    pub(crate) ib_boot: bool,
    pub(crate) wake_on_lan: bool,
    /// FlexBoot: seconds that its banner waits.
    pub(crate) menu_timeout: u8,
    /// The same for all ports.
    pub(crate) option_rom: bool,
    pub(crate) boot_protocol: u8,
    pub(crate) boot_vlan: u16,
    pub(crate) boot_vlan_enabled: bool,
    pub(crate) retry_count: u8,
    pub(crate) pkey: u16,
    pub(crate) linkup_timeout: u8,
    pub(crate) ip_ver: u8,
    pub(crate) link_type: u8,
    /// PHY_TYPE, XFI_MODE and FORCE_MODE are shown.
    #[serde(default)]
    pub(crate) forced_modes: bool,
    #[serde(default)]
    pub(crate) phy_type: u8,
    #[serde(default)]
    pub(crate) xfi_mode: u8,
    #[serde(default)]
    pub(crate) force_mode: bool,
    /// STEER_FORCE_VLAN, PHY_PARAMETER_MODE and INT_CLOCK_TO_USER are shown.
    #[serde(default)]
    pub(crate) card_switches: bool,
    #[serde(default)]
    pub(crate) steer_force_vlan: bool,
    #[serde(default)]
    pub(crate) phy_parameter_mode: u8,
    #[serde(default)]
    pub(crate) int_clock_to_user: bool,
    /// The firmware stores settings of DHCP over InfiniBand and of DHCP for iSCSI.
    #[serde(default)]
    pub(crate) more_dhcp: bool,
    /// iSCSI takes address and parameters from DHCP.
    #[serde(default)]
    pub(crate) iscsi_dhcp: bool,
    #[serde(default)]
    pub(crate) ib_client_identifier: u8,
    #[serde(default)]
    pub(crate) iscsi_lun_busy_retries: u8,
    #[serde(default)]
    pub(crate) iscsi_link_up_delay: u8,
}

impl Profile {
    /// The number of physical PCI functions.
    pub(crate) fn physical_functions(&self) -> u8 {
        self.ports
            .iter()
            .map(|port| port.function + 1)
            .max()
            .unwrap_or(1)
    }

    /// The setting with this type number, if the card knows it.
    pub(crate) fn tlv(&self, kind: Kind) -> Option<&Tlv> {
        self.tlv.get(&kind).filter(|tlv| !tlv.absent)
    }

    /// The number of ports.
    pub(crate) fn port_count(&self) -> u8 {
        u8::try_from(self.ports.len()).unwrap_or(u8::MAX)
    }
}
