//! `flexctl settings schema`

use clap::Args;

use crate::settings::profile::profile_schema;

use super::super::super::ExitCode;
use super::super::super::context::Context;
use super::super::super::error::Failure;

/// Print the JSON Schema of profiles
///
/// Editors complete and check profiles with it.
#[derive(Debug, Args)]
pub(super) struct SchemaArgs {}

pub(super) fn schema(_args: &SchemaArgs, ctx: &Context) -> Result<ExitCode, Failure> {
    ctx.output
        .document(&profile_schema(&ctx.hwdb))
        .map(|()| ExitCode::Done)
        .map_err(|error| Failure::unwritten(&error))
}
