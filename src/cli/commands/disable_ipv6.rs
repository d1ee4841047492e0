//! `flexctl disable-ipv6`

use clap::Args;

use crate::settings::{IpMode, PxeBoot, Reserved};

use super::super::ExitCode;
use super::super::args::WriteArgs;
use super::super::change::change_one_by_one;
use super::super::context::Context;
use super::super::error::Failure;
use super::super::ipv6_job::Ipv6Job;

/// Make cards boot over IPv4 only, as they came
///
/// Sets IP_VER to IPv4 on every port of the chosen cards; without --device on all
/// supported cards of this host. Everything else is as with enable-ipv6.
#[derive(Debug, Args)]
pub(in crate::cli) struct DisableArgs {
    /// Only this port, counted from 1
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(1..))]
    port: Option<u8>,

    /// Go on although a boot setting holds a value that no source defines
    #[arg(long)]
    allow_reserved: bool,

    #[command(flatten)]
    write: WriteArgs,
}

pub(in crate::cli) fn disable_ipv6(args: &DisableArgs, ctx: &Context) -> Result<ExitCode, Failure> {
    let job = Ipv6Job {
        mode: IpMode::Ipv4,
        port: args.port,
        pxe: PxeBoot::Keep,
        reserved: if args.allow_reserved {
            Reserved::Allow
        } else {
            Reserved::Refuse
        },
        rom: None,
    };
    change_one_by_one(ctx, "flexctl.disable-ipv6/1", &job, args.write)
}
