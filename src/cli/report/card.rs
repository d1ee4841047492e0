//! A card in JSON.

use serde::Serialize;

use crate::device::{Card, CardKind, CardReading, Origin};
use crate::hwdb::TestedState;
use crate::pci::{FunctionInfo, NetInterface, Unreadable};

use super::super::error::FailureReport;
use super::{PortReport, RomReport};

/// A card: what the host lists, and what the card said when it was opened.
#[derive(Debug, Serialize)]
pub(in crate::cli) struct CardReport {
    /// What to pass to `--device` to mean this card.
    pub(in crate::cli) selector: String,
    /// `host` or `simulated`.
    pub(in crate::cli) origin: &'static str,
    /// The model's name.
    pub(in crate::cli) model: String,
    /// `supported`, `flash-recovery`, `virtual-function` or `unsupported`.
    pub(in crate::cli) support: &'static str,
    /// The chip's name in the PCI ID database.
    pub(in crate::cli) chip: Option<&'static str>,
    /// The board's name in the PCI ID database.
    pub(in crate::cli) board: Option<&'static str>,
    /// What was ever tried on silicon with this model.
    pub(in crate::cli) tested: Option<TestedReport>,
    /// Its physical functions.
    pub(in crate::cli) functions: Vec<FunctionReport>,
    /// Its virtual functions, listed only.
    pub(in crate::cli) virtual_functions: Vec<String>,
    /// Firmware version, where the card said it.
    pub(in crate::cli) firmware: Option<String>,
    /// Parameter-set id, where the card said it.
    pub(in crate::cli) psid: Option<String>,
    /// Part number, where the card was asked and said it.
    pub(in crate::cli) part_number: Option<String>,
    /// Description, where the card was asked and said it.
    pub(in crate::cli) description: Option<String>,
    /// The expansion ROM, where it was asked for.
    pub(in crate::cli) rom: Option<RomReport>,
    /// Its ports; empty when the card was not opened.
    pub(in crate::cli) ports: Vec<PortReport>,
    /// Why the card could not be read.
    pub(in crate::cli) error: Option<FailureReport>,
}

/// What was ever tried on silicon.
#[derive(Debug, Serialize)]
pub(in crate::cli) struct TestedReport {
    list: TestedState,
    read: TestedState,
    set: TestedState,
    burn: TestedState,
}

/// A PCI function.
#[derive(Debug, Serialize)]
pub(in crate::cli) struct FunctionReport {
    /// Its address.
    pub(in crate::cli) address: String,
    /// PCI ids, as in `15b3:1013`.
    pub(in crate::cli) id: String,
    /// Subsystem ids, as in `15b3:0008`.
    pub(in crate::cli) subsystem_id: Option<String>,
    /// PCI revision.
    pub(in crate::cli) revision: Option<u8>,
    /// The bound driver.
    pub(in crate::cli) driver: Option<String>,
    /// NUMA node.
    pub(in crate::cli) numa_node: Option<u32>,
    /// Network interfaces.
    pub(in crate::cli) net: Vec<NetInterface>,
    /// RDMA devices.
    pub(in crate::cli) rdma: Vec<String>,
    /// What the host would not say.
    pub(in crate::cli) unreadable: Vec<Unreadable>,
}

impl FunctionReport {
    fn new(info: &FunctionInfo) -> Self {
        let subsystem = info.subsystem_vendor.zip(info.subsystem_device);
        Self {
            address: info.address.to_string(),
            id: format!("{:04x}:{:04x}", info.vendor, info.device),
            subsystem_id: subsystem.map(|(vendor, device)| format!("{vendor:04x}:{device:04x}")),
            revision: info.revision,
            driver: info.driver.clone(),
            numa_node: info.numa_node,
            net: info.net.clone(),
            rdma: info.rdma.clone(),
            unreadable: info.unreadable.clone(),
        }
    }
}

impl CardReport {
    /// What the host lists.
    pub(in crate::cli) fn listed(card: &Card) -> Self {
        Self {
            selector: card.selector(),
            origin: match card.origin {
                Origin::Host => "host",
                Origin::Simulated(_) => "simulated",
            },
            model: card.model(),
            support: match card.kind {
                CardKind::Supported(_) => "supported",
                CardKind::FlashRecovery(_) => "flash-recovery",
                CardKind::VirtualOnly(_) => "virtual-function",
                CardKind::Unsupported => "unsupported",
            },
            chip: card.chip(),
            board: card.board(),
            tested: card.supported().map(|device| TestedReport {
                list: device.tested.list,
                read: device.tested.read,
                set: device.tested.set,
                burn: device.tested.burn,
            }),
            functions: card.functions.iter().map(FunctionReport::new).collect(),
            virtual_functions: card
                .virtual_functions
                .iter()
                .map(|info| info.address.to_string())
                .collect(),
            firmware: None,
            psid: None,
            part_number: None,
            description: None,
            rom: None,
            ports: Vec::new(),
            error: None,
        }
    }

    /// Adds what the card said of itself.
    pub(in crate::cli) fn with_reading(mut self, reading: &CardReading) -> Self {
        if let Some(identity) = &reading.identity {
            let [major, minor, sub] = identity.fw_version;
            self.firmware =
                Some(format!("{major}.{minor}.{sub:04}")).filter(|_| identity.fw_version != [0; 3]);
            self.psid = Some(identity.psid.clone()).filter(|psid| !psid.is_empty());
        }
        self.part_number.clone_from(&reading.part_number);
        self.description.clone_from(&reading.description);
        self
    }
}
