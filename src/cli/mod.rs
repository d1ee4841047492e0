//! The command line.
//!
//! stdout is the answer, stderr is everything else. Hints live here: the
//! library says what it found, the command line says what to do next.

mod args;
mod boot_id;
mod burn;
mod change;
mod commands;
mod complete;
mod confirm;
mod context;
mod error;
mod exit_code;
mod failure_hints;
mod findings_text;
mod input_file;
mod ipv6_job;
mod listing;
mod new_file;
mod only_named;
mod output;
mod output_file;
mod profile_job;
mod progress;
mod report;
mod restore_plan;
mod run;
mod semaphore_hints;
mod signals;
mod waiting;

pub use exit_code::ExitCode;
pub use run::run;
