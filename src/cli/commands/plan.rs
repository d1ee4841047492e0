//! `flexctl plan`

use std::path::PathBuf;

use clap::Args;

use crate::settings::profile::Profile;
use crate::settings::{Detail, Reserved};

use super::super::ExitCode;
use super::super::change::{Job, Purpose, change_together};
use super::super::context::Context;
use super::super::error::Failure;
use super::super::profile_job::{ProfileJob, profile_failure};

/// Show what a profile would change on cards
///
/// Writes nothing: `apply` does it, `check` only tells whether anything differs.
/// Without --device for all supported cards of this host.
#[derive(Debug, Args)]
pub(in crate::cli) struct PlanArgs {
    #[command(flatten)]
    profile: ProfileArgs,

    /// Exit with 9 when something would change
    #[arg(long)]
    exit_code: bool,
}

/// The profile, and what it goes by.
#[derive(Debug, Args)]
pub(super) struct ProfileArgs {
    /// The profile: TOML, or JSON when its name ends in .json
    ///
    /// A profile says how cards shall be. `[settings]` is for every card and port,
    /// a `[[section]]` with a `match` for some: by model, device_id, psid,
    /// part_number, serial, pci, interface, port or host, with `*` and `?`. A later
    /// section refines an earlier one where its match is narrower.
    ///
    ///   schema = 1
    ///   [settings]
    ///   IP_VER = "IPv4_IPv6"
    ///   [[section]]
    ///   match = { model = "connectx-4*", host = "rack7-*", port = 1 }
    ///   [section.settings]
    ///   BOOT_VLAN_EN = true
    ///   BOOT_VLAN = 7
    ///
    /// `flexctl settings export` writes one, `flexctl settings schema` prints its
    /// JSON Schema.
    #[arg(value_name = "FILE", verbatim_doc_comment)]
    file: PathBuf,

    /// The host's name for `host` in a match, where it is not this host's own
    #[arg(long, value_name = "NAME")]
    host: Option<String>,

    /// Go on although another field of a setting's TLV holds a value that no source
    /// defines
    #[arg(long)]
    allow_reserved: bool,
}

pub(in crate::cli) fn plan(args: &PlanArgs, ctx: &Context) -> Result<ExitCode, Failure> {
    follow_profile(
        ctx,
        "flexctl.plan/1",
        &args.profile,
        Detail::ForChange,
        Purpose::Plan {
            exit_code: args.exit_code,
        },
    )
}

/// Reads the profile, then does with the chosen cards what is the purpose.
pub(super) fn follow_profile(
    ctx: &Context,
    schema: &'static str,
    args: &ProfileArgs,
    detail: Detail,
    purpose: Purpose,
) -> Result<ExitCode, Failure> {
    let profile = Profile::load(&args.file, &ctx.hwdb).map_err(|error| profile_failure(&error))?;
    let reserved = if args.allow_reserved {
        Reserved::Allow
    } else {
        Reserved::Refuse
    };
    let job = ProfileJob::new(profile, args.host.as_deref(), reserved, detail);
    let cards = ctx.chosen()?;
    let jobs = cards.iter().map(|card| (card, &job as &dyn Job)).collect();
    change_together(ctx, schema, jobs, purpose)
}
