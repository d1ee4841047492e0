//! What the host shows of a card: its address, its sysfs attributes and one
//! PCI function's config space, BARs and option ROM.
//!
//! [`Function`] is the seam of the whole program. Whatever is above it never
//! knows whether it talks to silicon or to a card in software.

mod address;
mod function;
mod info;

pub use address::{Bdf, ParseBdfError};
pub use function::{Function, FunctionError};
pub use info::{FunctionInfo, FunctionKind, NetInterface, Unreadable};
