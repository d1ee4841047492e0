//! What the host says of a PCI function without touching the card.

use super::Bdf;

/// An attribute that could not be read, with the reason in words.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Unreadable {
    /// The attribute or file, as the kernel names it.
    pub what: String,
    /// Why it could not be read.
    pub reason: String,
}

/// A network interface of a function.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct NetInterface {
    /// Interface name, as in `eth4`.
    pub name: String,
    /// Hardware address as the kernel prints it; `None` when unreadable or empty.
    pub mac: Option<String>,
    /// The port of the card, counted from 1 (`dev_port` + 1); `None` when unknown.
    pub port: Option<u8>,
}

/// What kind of function this is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum FunctionKind {
    /// A physical function: the card itself.
    Physical,
    /// A virtual function (SR-IOV): listed, never written to.
    Virtual,
}

/// One PCI function as the host lists it. Made without opening the card.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FunctionInfo {
    /// Where it sits.
    pub address: Bdf,
    /// PCI vendor id; Mellanox is 0x15b3, and 0xffff stands for an unreadable one.
    pub vendor: u16,
    /// PCI device id; 0xffff stands for an unreadable one.
    pub device: u16,
    /// Subsystem vendor id; `None` when unreadable.
    pub subsystem_vendor: Option<u16>,
    /// Subsystem device id; `None` when unreadable.
    pub subsystem_device: Option<u16>,
    /// PCI class code, 24 bits; `None` when unreadable.
    pub class: Option<u32>,
    /// PCI revision id; `None` when unreadable.
    pub revision: Option<u8>,
    /// Physical or virtual.
    pub kind: FunctionKind,
    /// For a virtual function, the physical one that it belongs to.
    pub physical_function: Option<Bdf>,
    /// The bound kernel driver, if any.
    pub driver: Option<String>,
    /// NUMA node; `None` when the host knows none (-1) or does not say.
    pub numa_node: Option<u32>,
    /// Network interfaces of the reader's network namespace, by name (`eth2`
    /// before `eth10`). Those moved into another namespace are not shown.
    pub net: Vec<NetInterface>,
    /// RDMA devices, as in `mlx5_0`.
    pub rdma: Vec<String>,
    /// Addresses of the virtual functions that belong to this one, in the
    /// order of their numbers.
    pub virtual_functions: Vec<Bdf>,
    /// What could not be read, and why.
    pub unreadable: Vec<Unreadable>,
}
