//! Show virtual cards to any program, as the sysfs tree of a Linux host.
//!
//! [`run`] starts a command in a mount namespace of its own where a FUSE file
//! system lies over `/sys/bus/pci/devices`. Debian's mstconfig and mstflint
//! find the cards there, and so does flexctl.
//!
//! What FUSE cannot do is a live memory BAR: `resource0` is all-ones, as on a
//! host where nothing decodes it, and programs go through config space.

mod attributes;
mod child;
mod error;
mod mounts;
mod namespace;
mod one_cpu;
mod run;
mod server;
mod tree;

pub use child::{ExecError, exec_child};
pub use error::RunError;
pub use run::{Guard, RunOptions, run};
