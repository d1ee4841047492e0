//! Virtual cards through the PCI function alone, with a client of this test's
//! own: nothing of flexctl's access code takes part.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "a test fails by panicking and says on stderr what it skips"
)]

mod by_hand;
mod connectx3;
mod connectx4;
mod faults;
mod flash;
mod function;
mod random;
mod shelf;
