//! `flexctl apply`

use clap::Args;

use crate::settings::Detail;

use super::super::ExitCode;
use super::super::args::WriteArgs;
use super::super::change::Purpose;
use super::super::context::Context;
use super::super::error::Failure;
use super::plan::{ProfileArgs, follow_profile};

/// Make cards what a profile says
///
/// All cards are read and every setting is checked before the first write; one
/// question for all. Each card is backed up, written, read back, and restored on
/// trouble. A second run changes nothing. Without --device on all supported cards
/// of this host.
#[derive(Debug, Args)]
pub(in crate::cli) struct ApplyArgs {
    #[command(flatten)]
    profile: ProfileArgs,

    #[command(flatten)]
    write: WriteArgs,
}

pub(in crate::cli) fn apply(args: &ApplyArgs, ctx: &Context) -> Result<ExitCode, Failure> {
    follow_profile(
        ctx,
        "flexctl.apply/1",
        &args.profile,
        Detail::ForChange,
        Purpose::Change(args.write),
    )
}
