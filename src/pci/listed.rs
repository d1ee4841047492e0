//! What one directory below `bus/pci/devices` says of its function.
//!
//! Attribute names and formats: Linux kernel,
//! Documentation/ABI/testing/sysfs-bus-pci (`physfn`, `virtfnN`, `numa_node`,
//! `revision`), Documentation/ABI/testing/sysfs-class-net (`address`,
//! `dev_port`), Documentation/PCI/sysfs-pci.rst (the rest).

use super::attribute::{Directory, Fault, hexadecimal, hexadecimal16};
use super::modalias::Modalias;
use super::{Bdf, FunctionInfo, FunctionKind, MELLANOX, NetInterface, Unreadable};

/// What stands for an id that the host does not tell. Config space of a
/// function that does not answer reads all ones, so no function has this id.
const UNKNOWN_ID: u16 = 0xffff;
/// What an id attribute should be.
pub(super) const ID: &str = "an id of 16 bits";
/// How the directory itself is named among what could not be read.
const DIRECTORY: &str = "directory";

/// Where the ids of a function come from.
pub(super) enum Ids {
    /// All of them from its alias.
    Alias(Modalias),
    /// From one attribute each; `vendor` was read already.
    Attributes(Result<u16, Fault>),
}

/// Makes the description of the function at the place `function`.
///
/// Never fails: what cannot be read is listed in the description.
pub(super) fn describe(function: &Directory, address: Bdf, ids: Ids) -> FunctionInfo {
    let mut notes = Notes(Vec::new());
    let mut info = identify(function, address, ids, &mut notes);
    info.revision = notes.optional(function, "revision", || {
        function.attribute("revision", "a revision of 8 bits", |text| {
            hexadecimal(text).and_then(|value| u8::try_from(value).ok())
        })
    });
    info.physical_function = notes.optional_link("physfn", pci_link(function, "physfn"));
    // What may be virtual is never taken for physical: those get written to.
    if info.physical_function.is_some() || notes.mentions("physfn") {
        info.kind = FunctionKind::Virtual;
    }
    info.driver = notes.optional_link("driver", driver(function));
    info.numa_node = notes
        .optional(function, "numa_node", || {
            function.attribute("numa_node", "a node number", |text| {
                text.parse::<i32>().ok()
            })
        })
        .and_then(|node| u32::try_from(node).ok());
    info.net = interfaces(function, &mut notes);
    info.rdma = notes
        .optional(function, "infiniband", || {
            function.directory("infiniband")?.names()
        })
        .unwrap_or_default();
    info.virtual_functions = virtual_functions(function, &mut notes);
    info.unreadable = notes.0;
    info
}

/// The description of a function whose directory the host does not open.
pub(super) fn undescribed(address: Bdf, ids: Ids, closed: Fault) -> FunctionInfo {
    let mut notes = Notes(Vec::new());
    let vendor = match ids {
        Ids::Alias(alias) => Some(alias.vendor),
        Ids::Attributes(vendor) => notes.required("vendor", vendor),
    };
    notes.required::<()>(DIRECTORY, Err(closed));
    FunctionInfo {
        vendor: vendor.unwrap_or(UNKNOWN_ID),
        kind: FunctionKind::Virtual,
        unreadable: notes.0,
        ..blank(address)
    }
}

/// A physical function of which nothing else is known.
fn blank(address: Bdf) -> FunctionInfo {
    FunctionInfo {
        address,
        vendor: UNKNOWN_ID,
        device: UNKNOWN_ID,
        subsystem_vendor: None,
        subsystem_device: None,
        class: None,
        revision: None,
        kind: FunctionKind::Physical,
        physical_function: None,
        driver: None,
        numa_node: None,
        net: Vec::new(),
        rdma: Vec::new(),
        virtual_functions: Vec::new(),
        unreadable: Vec::new(),
    }
}

/// A description with nothing but the ids.
fn identify(function: &Directory, address: Bdf, ids: Ids, notes: &mut Notes) -> FunctionInfo {
    let vendor = match ids {
        Ids::Alias(alias) => {
            return FunctionInfo {
                vendor: alias.vendor,
                device: alias.device,
                subsystem_vendor: Some(alias.subsystem_vendor),
                subsystem_device: Some(alias.subsystem_device),
                class: Some(alias.class),
                ..blank(address)
            };
        }
        Ids::Attributes(vendor) => vendor,
    };
    let mut id = |name| {
        let value = function.attribute(name, ID, hexadecimal16);
        notes.required(name, value)
    };
    let [device, subsystem_vendor, subsystem_device] =
        [id("device"), id("subsystem_vendor"), id("subsystem_device")];
    let class = function.attribute("class", "a class code of 24 bits", |text| {
        hexadecimal(text).filter(|class| *class <= 0xff_ffff)
    });
    FunctionInfo {
        vendor: notes
            .required("vendor", vendor)
            .or_else(|| vendor_of_driver(&driver(function).ok()?))
            .unwrap_or(UNKNOWN_ID),
        device: device.unwrap_or(UNKNOWN_ID),
        subsystem_vendor,
        subsystem_device,
        class: notes.required("class", class),
        ..blank(address)
    }
}

fn driver(function: &Directory) -> Result<String, Fault> {
    function.link("driver", "the name of a driver", owned)
}

/// The drivers mlx4_core and mlx5_core bind to nothing but Mellanox cards
/// (Linux kernel, their `MODULE_DEVICE_TABLE`s).
fn vendor_of_driver(driver: &str) -> Option<u16> {
    matches!(driver, "mlx4_core" | "mlx5_core").then_some(MELLANOX)
}

fn pci_link(function: &Directory, name: &str) -> Result<Bdf, Fault> {
    function.link(name, "a PCI address", |name| name.parse().ok())
}

fn interfaces(function: &Directory, notes: &mut Notes) -> Vec<NetInterface> {
    let listed = || {
        let net = function.directory("net")?;
        Ok((net.names()?, net))
    };
    let Some((names, net)) = notes.optional(function, "net", listed) else {
        return Vec::new();
    };
    let interface = |name: String| {
        let mac = [name.as_str(), "/address"].concat();
        let mac = notes.labelled("net/", &mac, net.attribute(mac.as_str(), "text", owned));
        // Kernels before 3.15 have no dev_port.
        let port = [name.as_str(), "/dev_port"].concat();
        let number = net.attribute(port.as_str(), "the number of a port", |text| {
            text.parse::<u8>().ok()?.checked_add(1)
        });
        let port = match number {
            Err(fault) if fault.is_absent() => None,
            number => notes.labelled("net/", &port, number),
        };
        let mac = mac.filter(|mac| !mac.is_empty());
        NetInterface { name, mac, port }
    };
    names.into_iter().map(interface).collect()
}

fn owned(text: &str) -> Option<String> {
    Some(text.to_owned())
}

/// The targets of `virtfn0`, `virtfn1` and so on: the kernel makes them in this
/// order. Where there is no first one the directory is not listed.
fn virtual_functions(function: &Directory, notes: &mut Notes) -> Vec<Bdf> {
    if matches!(pci_link(function, "virtfn0"), Err(fault) if fault.is_absent()) {
        return Vec::new();
    }
    let mut numbers = Vec::new();
    let listed = function.directory(".").and_then(|listing| {
        listing.for_each_name(|name| numbers.extend(virtual_function_number(name)))?;
        Ok(())
    });
    notes.required(DIRECTORY, listed);
    numbers.sort_unstable();
    let link = |number| {
        let name = format!("virtfn{number}");
        notes.required(&name, pci_link(function, &name))
    };
    numbers.into_iter().filter_map(link).collect()
}

fn virtual_function_number(name: &[u8]) -> Option<u32> {
    let digits = std::str::from_utf8(name.strip_prefix(b"virtfn")?).ok()?;
    let number: u32 = digits.parse().ok()?;
    // Only the kernel's own spelling: no sign, no leading zero.
    (number.to_string() == digits).then_some(number)
}

/// What could not be read so far.
struct Notes(Vec<Unreadable>);

impl Notes {
    /// The value of an attribute that every function has.
    fn required<T>(&mut self, what: &str, value: Result<T, Fault>) -> Option<T> {
        value
            .map_err(|fault| {
                self.0.push(Unreadable {
                    what: what.to_owned(),
                    reason: fault.to_string(),
                });
            })
            .ok()
    }

    /// As [`Notes::required`], for an attribute further down.
    fn labelled<T>(&mut self, above: &str, what: &str, value: Result<T, Fault>) -> Option<T> {
        match value {
            Ok(value) => Some(value),
            failed => self.required(&[above, what].concat(), failed),
        }
    }

    /// The value of an attribute that may be absent without a word.
    fn optional<T>(
        &mut self,
        function: &Directory,
        what: &str,
        read: impl FnOnce() -> Result<T, Fault>,
    ) -> Option<T> {
        match read() {
            Err(fault) if fault.is_absent() => {
                let dangling = function.has_link(what).then_some(Fault::Dangling)?;
                self.required(what, Err(dangling))
            }
            value => self.required(what, value),
        }
    }

    /// The target of a link that may be absent without a word. A link is read
    /// itself, so there is nothing that could dangle.
    fn optional_link<T>(&mut self, what: &str, value: Result<T, Fault>) -> Option<T> {
        match value {
            Err(fault) if fault.is_absent() => None,
            value => self.required(what, value),
        }
    }

    fn mentions(&self, what: &str) -> bool {
        self.0.iter().any(|note| note.what == what)
    }
}
