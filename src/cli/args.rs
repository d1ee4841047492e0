//! The arguments as they are typed.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};

use crate::device::Selector;

use super::commands::{
    ApplyArgs, BackupArgs, BurnArgs, CheckArgs, CompletionsArgs, DisableArgs, DoctorArgs,
    EnableArgs, ImageArgs, ListArgs, ManArgs, PlanArgs, RestoreArgs, RomArgs, SettingsArgs,
    ShowArgs, SimArgs, SimExecArgs,
};
use super::only_named::OnlyNamed;

/// Switch Mellanox ConnectX-3/-4 cards to IPv6 network boot from the running system
///
/// The cards boot with FlexBoot, which can do IPv6 since version 3.4.718 but has
/// it switched off. flexctl reads and writes that switch on the card, checks what
/// else stands in the way, and never leaves a card half written.
#[derive(Debug, Parser)]
#[command(
    name = "flexctl",
    version,
    arg_required_else_help = true,
    subcommand_required = true,
    max_term_width = 100,
    after_long_help = "\
Exit codes:
  0  done, or nothing to do          5  refused by a safety check
  1  failed                          6  invalid input (data file)
  2  wrong usage                     7  the card reported an error or broke off
  3  no such card or port            8  some of several cards failed
  4  not permitted (rights,          9  differs from the desired state
     kernel lockdown)                   (--dry-run --exit-code)

Try it without a card:
  flexctl enable-ipv6 -d sim:connectx-4
  flexctl show -d sim:connectx-4"
)]
pub(super) struct Cli {
    #[command(flatten)]
    pub(super) global: GlobalArgs,
    #[command(subcommand)]
    pub(super) command: Command,
}

/// Options of every command.
#[derive(Clone, Debug, Args)]
pub(super) struct GlobalArgs {
    /// Card to work on (can be repeated)
    ///
    /// A selector names a whole card, whichever of its functions or ports it
    /// mentions: 04:00.0 or 0000:04:00.0 (PCI address), mlx4_0 or mlx5_0 (RDMA
    /// device), net:eth4 (network interface), sim:connectx-4 (virtual card),
    /// all (all supported cards of this host).
    #[arg(short, long = "device", global = true, value_name = "SEL")]
    pub(super) device: Vec<Selector>,

    /// Look for cards in this sysfs instead of /sys
    #[arg(
        long,
        global = true,
        value_name = "DIR",
        default_value = "/sys",
        hide_default_value = true
    )]
    pub(super) sysfs_root: PathBuf,

    /// Replace or complete the built-in data files from this folder
    #[arg(long, global = true, value_name = "DIR")]
    pub(super) hwdb: Option<PathBuf>,

    /// How long to wait for a card that is busy or held, in seconds
    #[arg(long, global = true, value_name = "SECONDS", default_value = "3", value_parser = seconds, hide_short_help = true)]
    pub(super) wait: Duration,

    /// Print one JSON document on stdout
    #[arg(long, global = true)]
    pub(super) json: bool,

    /// Leave out commentary on stderr; errors stay
    #[arg(short, long, global = true)]
    pub(super) quiet: bool,

    /// Say more on stderr (can be repeated)
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub(super) verbose: u8,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    List(OnlyNamed<ListArgs>),
    Show(OnlyNamed<ShowArgs>),
    EnableIpv6(OnlyNamed<EnableArgs>),
    DisableIpv6(OnlyNamed<DisableArgs>),
    Settings(OnlyNamed<SettingsArgs>),
    Plan(OnlyNamed<PlanArgs>),
    Apply(OnlyNamed<ApplyArgs>),
    Check(OnlyNamed<CheckArgs>),
    Backup(OnlyNamed<BackupArgs>),
    Restore(OnlyNamed<RestoreArgs>),
    Burn(OnlyNamed<BurnArgs>),
    Rom(OnlyNamed<RomArgs>),
    Image(OnlyNamed<ImageArgs>),
    Doctor(OnlyNamed<DoctorArgs>),
    Sim(OnlyNamed<SimArgs>),
    Completions(OnlyNamed<CompletionsArgs>),
    Man(OnlyNamed<ManArgs>),
    #[command(name = "__sim-exec", hide = true)]
    SimExec(OnlyNamed<SimExecArgs>),
}

/// Options of every command that writes to a card.
#[derive(Clone, Copy, Debug, Args)]
pub(super) struct WriteArgs {
    /// Show the plan and write nothing
    #[arg(long)]
    pub(super) dry_run: bool,

    /// With --dry-run, exit with 9 when something would change
    #[arg(long, requires = "dry_run")]
    pub(super) exit_code: bool,

    /// Do not ask before writing
    ///
    /// Needed where stdin or stderr is no terminal. Virtual cards (sim:NAME) are
    /// never asked for.
    #[arg(short, long)]
    pub(super) yes: bool,
}

impl WriteArgs {
    /// The arguments of a command that only shows what it would do.
    pub(super) fn dry_run(exit_code: bool) -> Self {
        Self {
            dry_run: true,
            exit_code,
            yes: false,
        }
    }
}

fn seconds(text: &str) -> Result<Duration, String> {
    text.parse()
        .ok()
        .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
        .filter(|wait| *wait <= Duration::from_secs(600))
        .ok_or_else(|| "not a number of seconds from 0 to 600".to_owned())
}
