//! The flexctl command.

use std::process::ExitCode;

fn main() -> ExitCode {
    ExitCode::from(flexctl::cli::run(std::env::args_os()))
}
