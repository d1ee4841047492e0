//! Where a card sits and what the host says of it.

use std::sync::Arc;

use super::profile::{Generation, Identity, Port, Profile};
use super::running::Running;
use super::scalar::Mac;
use super::storage::State;
use crate::hwdb::Hwdb;
use crate::pci::{Bdf, FunctionInfo, FunctionKind, NetInterface};

/// A profile at a place.
#[derive(Clone, Debug)]
pub(crate) struct Instance {
    profile: Arc<Profile>,
    bus: u8,
    number: u8,
    running: Running,
}

impl Instance {
    pub(crate) fn new(profile: Arc<Profile>, state: &State) -> Self {
        Self {
            profile,
            bus: state.bus,
            number: state.number,
            running: state.running.clone(),
        }
    }

    /// Whether firmware runs.
    fn runs(&self) -> bool {
        self.running.is_firmware(&self.profile)
    }

    /// The address of the function with this number on the card.
    fn address(&self, function: u8) -> Bdf {
        Bdf {
            domain: 0,
            bus: self.bus,
            device: 0,
            function,
        }
    }

    /// Physical functions first, then the virtual ones of each.
    pub(crate) fn infos(&self) -> Vec<FunctionInfo> {
        if !self.runs() {
            return vec![FunctionInfo {
                device: recovery_device(&self.profile.card),
                driver: None,
                net: Vec::new(),
                rdma: Vec::new(),
                ..self.physical(0)
            }];
        }
        let physical = self.profile.physical_functions();
        let each = self.profile.card.virtual_functions;
        let numbered = |of: u8| (0..each).map(move |index| physical + of * each + index);
        let mut infos: Vec<FunctionInfo> = (0..physical)
            .map(|index| {
                let mut info = self.physical(index);
                info.virtual_functions = numbered(index).map(|vf| self.address(vf)).collect();
                info
            })
            .collect();
        for of in 0..physical {
            infos.extend(numbered(of).map(|vf| self.virtual_function(vf, of)));
        }
        infos
    }

    fn physical(&self, index: u8) -> FunctionInfo {
        let card = &self.profile.card;
        let ports = || {
            (1..)
                .zip(&self.profile.ports)
                .filter(|(_, port)| port.function == index)
        };
        // Linux numbers the ports of a function, not of the card, from 0.
        let mut net: Vec<NetInterface> = (1..)
            .zip(ports())
            .filter_map(|(on_function, (number, port))| self.interface(on_function, number, port))
            .collect();
        net.sort_by(|left, right| left.name.cmp(&right.name));
        FunctionInfo {
            address: self.address(index),
            vendor: 0x15b3,
            device: card.device,
            subsystem_vendor: Some(card.subsystem_vendor),
            subsystem_device: Some(card.subsystem_device),
            class: Some(card.class),
            revision: Some(card.revision),
            kind: FunctionKind::Physical,
            physical_function: None,
            driver: card.driver.clone(),
            numa_node: card.numa_node,
            net,
            rdma: ports()
                .filter_map(|(_, port)| port.rdma.as_deref())
                .map(|name| self.name(name))
                .collect(),
            virtual_functions: Vec::new(),
            unreadable: Vec::new(),
        }
    }

    /// `number` is the port's on the card, from 1.
    fn interface(&self, on_function: u8, number: usize, port: &Port) -> Option<NetInterface> {
        Some(NetInterface {
            name: self.name(port.net.as_deref()?),
            mac: Some(self.mac(number, port.mac)),
            port: Some(on_function),
        })
    }

    fn virtual_function(&self, index: u8, of: u8) -> FunctionInfo {
        let card = &self.profile.card;
        FunctionInfo {
            address: self.address(index),
            vendor: 0x15b3,
            device: match card.generation {
                Generation::ConnectX3 => 0x1004,
                Generation::ConnectX4 => card.device + 1,
            },
            kind: FunctionKind::Virtual,
            physical_function: Some(self.address(of)),
            net: Vec::new(),
            rdma: Vec::new(),
            ..self.physical(of)
        }
    }

    fn name(&self, template: &str) -> String {
        template.replace("{bus}", &self.bus.to_string())
    }

    /// Cards of one profile have addresses apart from each other.
    fn mac(&self, number: usize, mac: Mac) -> String {
        let booted = match &self.running {
            Running::Image(image) => image.macs.get(number - 1),
            _ => None,
        };
        booted.cloned().unwrap_or_else(|| {
            let apart = u64::from(self.number) * 0x100;
            mac.plus(apart).to_string()
        })
    }
}

/// The PCI device id of a card without firmware.
pub(crate) fn recovery_device(card: &Identity) -> u16 {
    let hwdb = Hwdb::builtin().ok();
    let device = hwdb.as_ref().and_then(|hwdb| hwdb.device(card.device));
    device.map_or(card.device, |device| device.flash_recovery)
}
