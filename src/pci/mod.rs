//! What the host shows of a card: its address, its sysfs attributes and one
//! PCI function's config space, BARs and option ROM.
//!
//! [`Function`] is the seam of the whole program. Whatever is above it never
//! knows whether it talks to silicon or to a card in software.
//!
//! [`SysfsRoot::scan`] lists the functions without touching a card,
//! [`LiveFunction`] opens one of them; [`Lockdown`] and [`BootMode`] tell what
//! can be expected of this host.

mod address;
mod attribute;
mod bar;
mod boot_mode;
mod function;
mod info;
mod listed;
mod live;
mod lockdown;
mod modalias;
mod names;
mod rom;
mod sysfs;
mod vpd;

pub use address::{Bdf, ParseBdfError};
pub use boot_mode::BootMode;
pub use function::{Function, FunctionError};
pub use info::{FunctionInfo, FunctionKind, NetInterface, Unreadable};
pub use live::{Access, LiveFunction};
pub use lockdown::Lockdown;
pub use names::{device_name, subsystem_name, vendor_name};
pub use sysfs::{MELLANOX, ScanError, SysfsRoot};
pub use vpd::{Vpd, VpdError};
