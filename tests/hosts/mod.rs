//! Hosts made of files: sysfs trees in a temporary directory, laid out as the
//! Linux kernel does it or plainly, as a FUSE server may.
//!
//! Attribute values are those of real cards (PCI ID database, published
//! outputs); hardware addresses are made up from a documentation range.

#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    reason = "each test binary uses a part of this, and a tree that cannot be made fails the test"
)]

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use flexctl::pci::SysfsRoot;
use tempfile::TempDir;

/// How `bus/pci/devices` lists its functions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// Links into `devices/pciDDDD:00`, as the kernel has them.
    Links,
    /// The functions' directories themselves.
    Plain,
}

pub const LAYOUTS: [Layout; 2] = [Layout::Links, Layout::Plain];

/// A host; its tree goes away with it.
#[derive(Debug)]
pub struct Host {
    tree: TempDir,
    layout: Layout,
}

impl Host {
    pub fn new(layout: Layout) -> Self {
        let tree = tempfile::tempdir().unwrap();
        fs::create_dir_all(tree.path().join("bus/pci/devices")).unwrap();
        Self { tree, layout }
    }

    pub fn root(&self) -> SysfsRoot {
        SysfsRoot::new(self.tree.path())
    }

    pub fn path(&self) -> &Path {
        self.tree.path()
    }

    /// The directory of a function, made with its entry in the list.
    pub fn function(&self, address: &str) -> PathBuf {
        let listed = self.path().join("bus/pci/devices").join(address);
        let directory = match self.layout {
            Layout::Plain => listed,
            Layout::Links => {
                let bridge = format!("devices/pci{}:00", address.split(':').next().unwrap());
                let target = format!("../../../{bridge}/{address}");
                symlink(target, &listed).unwrap();
                self.path().join(bridge).join(address)
            }
        };
        fs::create_dir_all(&directory).unwrap();
        directory
    }

    /// A ConnectX-3 with two Ethernet ports, as mlx4_core shows it.
    pub fn connectx3(&self, address: &str) -> PathBuf {
        let card = self.function(address);
        ids(&card, [0x15b3, 0x1003, 0x15b3, 0x0055]);
        driver(&card, "mlx4_core");
        interface(&card, "eth4", "00:00:5e:00:53:01", 0);
        interface(&card, "eth10", "00:00:5e:00:53:02", 1);
        rdma(&card, "mlx4_0");
        card
    }

    /// One function of a ConnectX-4, as mlx5_core shows it.
    pub fn connectx4(&self, address: &str) -> PathBuf {
        let card = self.function(address);
        ids(&card, [0x15b3, 0x1013, 0x15b3, 0x0008]);
        driver(&card, "mlx5_core");
        interface(&card, "enp1s0", "00:00:5e:00:53:11", 0);
        rdma(&card, "mlx5_0");
        card
    }

    /// What every host has besides: a bridge of another vendor.
    pub fn bridge(&self, address: &str) -> PathBuf {
        let bridge = self.function(address);
        ids(&bridge, [0x8086, 0x0d57, 0, 0]);
        write(&bridge, "class", "0x060000\n");
        bridge
    }
}

/// Vendor, device, subsystem vendor, subsystem device and what goes with them.
pub fn ids(function: &Path, [vendor, device, subvendor, subdevice]: [u16; 4]) {
    write(function, "vendor", &format!("{vendor:#06x}\n"));
    write(function, "device", &format!("{device:#06x}\n"));
    write(function, "subsystem_vendor", &format!("{subvendor:#06x}\n"));
    write(function, "subsystem_device", &format!("{subdevice:#06x}\n"));
    write(function, "class", "0x020000\n");
    write(function, "revision", "0x00\n");
    write(function, "numa_node", "1\n");
    let alias =
        format!("pci:v{vendor:08X}d{device:08X}sv{subvendor:08X}sd{subdevice:08X}bc02sc00i00\n");
    write(function, "modalias", &alias);
}

pub fn write(directory: &Path, name: &str, text: &str) {
    fs::write(directory.join(name), text).unwrap();
}

pub fn driver(function: &Path, name: &str) {
    let target = format!("../../../bus/pci/drivers/{name}");
    symlink(target, function.join("driver")).unwrap();
}

pub fn interface(function: &Path, name: &str, mac: &str, dev_port: u8) {
    let directory = function.join("net").join(name);
    fs::create_dir_all(&directory).unwrap();
    write(&directory, "address", &format!("{mac}\n"));
    write(&directory, "dev_port", &format!("{dev_port}\n"));
}

pub fn rdma(function: &Path, name: &str) {
    fs::create_dir_all(function.join("infiniband").join(name)).unwrap();
}
