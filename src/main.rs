//! The flexctl command.

use std::process::ExitCode;

fn main() -> ExitCode {
    flexctl::cli::run(std::env::args_os()).into()
}
