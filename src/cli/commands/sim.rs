//! `flexctl sim`

use clap::Args;

/// x
#[derive(Debug, Args)]
pub(in crate::cli) struct SimArgs {}
/// x
#[derive(Debug, Args)]
pub(in crate::cli) struct SimExecArgs {}
use super::super::ExitCode;
use super::super::error::Failure;
use super::super::output::Output;
pub(in crate::cli) fn sim(_args: &SimArgs, _output: Output) -> Result<ExitCode, Failure> {
    Ok(ExitCode::Done)
}
pub(in crate::cli) fn sim_exec(_args: &SimExecArgs) -> Result<ExitCode, Failure> {
    Ok(ExitCode::Done)
}
