//! The flexctl command.

fn main() {}
