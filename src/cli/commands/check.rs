//! `flexctl check`

use clap::Args;

use crate::settings::Detail;

use super::super::ExitCode;
use super::super::change::Purpose;
use super::super::context::Context;
use super::super::error::Failure;
use super::plan::{ProfileArgs, follow_profile};

/// Check whether cards are what a profile says
///
/// Writes nothing. Exits with 9 when a card differs. It also says what is stored
/// but still waits for a restart, and which kind of restart is enough. Without
/// --device all supported cards of this host are checked.
#[derive(Debug, Args)]
pub(in crate::cli) struct CheckArgs {
    #[command(flatten)]
    profile: ProfileArgs,
}

pub(in crate::cli) fn check(args: &CheckArgs, ctx: &Context) -> Result<ExitCode, Failure> {
    follow_profile(
        ctx,
        "flexctl.check/1",
        &args.profile,
        Detail::Everything,
        Purpose::Check,
    )
}
