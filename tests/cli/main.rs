//! The command line as its users see it: the real program, its words, its exit
//! codes. One file a command.
//!
//! Cards are virtual ones (`-d sim:PROFILE`) and hosts made of files
//! (`--sysfs-root`). Every failing run is checked to end in a hint
//! (`flexctl.rs`).

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr
)]

mod flexctl;
#[path = "../hosts/mod.rs"]
mod hosts;
#[path = "../ring/mod.rs"]
mod ring;

mod apply;
mod backup;
mod bad_input;
mod burn;
mod check;
mod completions;
mod disable_ipv6;
mod doctor;
mod enable_ipv6;
mod faults;
mod image;
mod json;
mod list;
mod man;
mod plan;
mod reference;
mod restore;
mod rom;
mod settings;
mod show;
mod sim;
