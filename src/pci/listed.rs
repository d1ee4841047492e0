//! What one directory below `bus/pci/devices` says of its function.
//!
//! Attribute names and formats: Linux kernel,
//! Documentation/ABI/testing/sysfs-bus-pci (`physfn`, `virtfnN`, `numa_node`,
//! `revision`), Documentation/ABI/testing/sysfs-class-net (`address`,
//! `dev_port`), Documentation/PCI/sysfs-pci.rst (the rest).

use super::attribute::{Directory, Fault, hexadecimal, hexadecimal16};
use super::{Bdf, FunctionInfo, FunctionKind, MELLANOX, NetInterface, Unreadable};

/// What stands for an id that the host does not tell. Config space of a
/// function that does not answer reads all ones, so no function has this id.
const UNKNOWN_ID: u16 = 0xffff;
/// How the directory itself is named among what could not be read.
const LISTING: &str = "directory listing";

/// Makes the description of the function behind `directory`.
///
/// Never fails: what cannot be read is listed in the description.
pub(super) fn describe(
    directory: &Directory,
    address: Bdf,
    vendor: Result<u16, Fault>,
) -> FunctionInfo {
    let mut notes = Notes(Vec::new());
    let shown = Shown::list(directory, &mut notes);
    let driver = notes.optional("driver", shown.driver, || {
        directory.link("driver", "the name of a driver", |name| {
            Some(name.to_owned())
        })
    });
    let alias = match vendor {
        Ok(_) => None,
        Err(_) => modalias(directory).ok(),
    };
    let vendor = notes
        .required("vendor", vendor)
        .or(alias.map(|(vendor, _)| vendor))
        .or_else(|| vendor_of_driver(driver.as_deref()?))
        .unwrap_or(UNKNOWN_ID);
    let device = notes
        .required("device", id(directory, "device"))
        .or_else(|| alias.or_else(|| modalias(directory).ok()).map(|(_, id)| id))
        .unwrap_or(UNKNOWN_ID);
    let physical_function =
        notes.optional("physfn", shown.physfn, || pci_link(directory, "physfn"));
    // What may be virtual is never taken for physical: those get written to.
    let virtual_function = physical_function.is_some() || notes.mentions("physfn");

    FunctionInfo {
        address,
        vendor,
        device,
        subsystem_vendor: notes.required("subsystem_vendor", id(directory, "subsystem_vendor")),
        subsystem_device: notes.required("subsystem_device", id(directory, "subsystem_device")),
        class: notes.required(
            "class",
            directory.attribute("class", "a class code of 24 bits", |text| {
                hexadecimal(text).filter(|class| *class <= 0xff_ffff)
            }),
        ),
        revision: notes.optional("revision", shown.revision, || {
            directory.attribute("revision", "a revision of 8 bits", |text| {
                hexadecimal(text).and_then(|value| u8::try_from(value).ok())
            })
        }),
        kind: if virtual_function {
            FunctionKind::Virtual
        } else {
            FunctionKind::Physical
        },
        physical_function,
        driver,
        numa_node: notes
            .optional("numa_node", shown.numa_node, || {
                directory.attribute("numa_node", "a node number", |text| {
                    text.parse::<i32>().ok()
                })
            })
            .and_then(|node| u32::try_from(node).ok()),
        net: interfaces(directory, &shown, &mut notes),
        rdma: rdma_devices(directory, &shown, &mut notes),
        virtual_functions: virtual_functions(directory, &shown, &mut notes),
        unreadable: notes.0,
    }
}

/// The description of a function whose directory the host does not open.
pub(super) fn undescribed(address: Bdf, vendor: Result<u16, Fault>, closed: Fault) -> FunctionInfo {
    let mut notes = Notes(Vec::new());
    let vendor = notes.required("vendor", vendor).unwrap_or(UNKNOWN_ID);
    notes.required::<()>(LISTING, Err(closed));
    FunctionInfo {
        address,
        vendor,
        device: UNKNOWN_ID,
        subsystem_vendor: None,
        subsystem_device: None,
        class: None,
        revision: None,
        kind: FunctionKind::Virtual,
        physical_function: None,
        driver: None,
        numa_node: None,
        net: Vec::new(),
        rdma: Vec::new(),
        virtual_functions: Vec::new(),
        unreadable: notes.0,
    }
}

/// Vendor and device id out of `modalias`, which repeats them
/// (`pci:v000015B3d00001013sv…`; Linux kernel, drivers/pci/pci-sysfs.c).
pub(super) fn modalias(directory: &Directory) -> Result<(u16, u16), Fault> {
    directory.attribute("modalias", "the alias of a PCI function", |text| {
        let ids = text.strip_prefix("pci:v")?;
        let vendor = u32::from_str_radix(ids.get(..8)?, 16).ok()?;
        let device = u32::from_str_radix(ids.get(8..)?.strip_prefix('d')?.get(..8)?, 16).ok()?;
        Some((u16::try_from(vendor).ok()?, u16::try_from(device).ok()?))
    })
}

/// The drivers mlx4_core and mlx5_core bind to nothing but Mellanox cards
/// (Linux kernel, their `MODULE_DEVICE_TABLE`s).
fn vendor_of_driver(driver: &str) -> Option<u16> {
    matches!(driver, "mlx4_core" | "mlx5_core").then_some(MELLANOX)
}

fn id(directory: &Directory, name: &str) -> Result<u16, Fault> {
    directory.attribute(name, "an id of 16 bits", hexadecimal16)
}

fn pci_link(directory: &Directory, name: &str) -> Result<Bdf, Fault> {
    directory.link(name, "a PCI address", |name| name.parse().ok())
}

fn interfaces(directory: &Directory, shown: &Shown, notes: &mut Notes) -> Vec<NetInterface> {
    let listed = || {
        let net = directory.directory("net")?;
        Ok((net.names()?, net))
    };
    let Some((names, net)) = notes.optional("net", shown.net, listed) else {
        return Vec::new();
    };
    let interface = |name: String| {
        let path = [name.as_str(), "/address"].concat();
        let mac = net.attribute(path.as_str(), "text", |text| Some(text.to_owned()));
        let mac = notes.required(&["net/", path.as_str()].concat(), mac);
        let path = [name.as_str(), "/dev_port"].concat();
        let port = || {
            net.attribute(path.as_str(), "the number of a port", |text| {
                text.parse::<u8>().ok()?.checked_add(1)
            })
        };
        NetInterface {
            mac: mac.filter(|mac| !mac.is_empty()),
            // Kernels before 3.15 have no dev_port.
            port: notes.optional(&["net/", path.as_str()].concat(), None, port),
            name,
        }
    };
    names.into_iter().map(interface).collect()
}

fn rdma_devices(directory: &Directory, shown: &Shown, notes: &mut Notes) -> Vec<String> {
    let listed = || directory.directory("infiniband")?.names();
    notes
        .optional("infiniband", shown.infiniband, listed)
        .unwrap_or_default()
}

fn virtual_functions(directory: &Directory, shown: &Shown, notes: &mut Notes) -> Vec<Bdf> {
    let mut links = shown.virtual_functions.clone();
    links.sort_unstable();
    let link = |number| {
        let name = format!("virtfn{number}");
        notes.required(&name, pci_link(directory, &name))
    };
    links.into_iter().filter_map(link).collect()
}

/// Which of the optional entries the directory lists; `None` when it does not
/// let itself be listed.
#[derive(Debug, Default)]
struct Shown {
    driver: Option<bool>,
    infiniband: Option<bool>,
    net: Option<bool>,
    numa_node: Option<bool>,
    physfn: Option<bool>,
    revision: Option<bool>,
    virtual_functions: Vec<u32>,
}

impl Shown {
    fn list(directory: &Directory, notes: &mut Notes) -> Self {
        let mut shown = Self {
            driver: Some(false),
            infiniband: Some(false),
            net: Some(false),
            numa_node: Some(false),
            physfn: Some(false),
            revision: Some(false),
            virtual_functions: Vec::new(),
        };
        let listed = directory.for_each_name(|name| match name {
            b"driver" => shown.driver = Some(true),
            b"infiniband" => shown.infiniband = Some(true),
            b"net" => shown.net = Some(true),
            b"numa_node" => shown.numa_node = Some(true),
            b"physfn" => shown.physfn = Some(true),
            b"revision" => shown.revision = Some(true),
            _ => shown
                .virtual_functions
                .extend(virtual_function_number(name)),
        });
        match notes.required(LISTING, listed.map_err(Fault::from)) {
            Some(()) => shown,
            None => Self::default(),
        }
    }
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

    /// The value of an attribute that may be absent without a word, unless the
    /// directory lists it.
    fn optional<T>(
        &mut self,
        what: &str,
        listed: Option<bool>,
        read: impl FnOnce() -> Result<T, Fault>,
    ) -> Option<T> {
        if listed == Some(false) {
            return None;
        }
        match read() {
            Err(fault) if fault.is_absent() && listed == Some(true) => {
                self.required(what, Err(Fault::Dangling))
            }
            Err(fault) if fault.is_absent() => None,
            value => self.required(what, value),
        }
    }

    fn mentions(&self, what: &str) -> bool {
        self.0.iter().any(|note| note.what == what)
    }
}
