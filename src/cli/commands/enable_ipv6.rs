//! `flexctl enable-ipv6`

use clap::{Args, ValueEnum};

use crate::settings::{IpMode, PxeBoot, Reserved};

use super::super::ExitCode;
use super::super::args::WriteArgs;
use super::super::change::change_one_by_one;
use super::super::context::Context;
use super::super::error::Failure;
use super::super::ipv6_job::Ipv6Job;

/// Make cards boot over IPv6
///
/// Sets IP_VER, the switch that FlexBoot obeys, on every port of the chosen
/// cards; without --device on all supported cards of this host. Shows the plan,
/// asks, backs up, writes, reads back, and restores on trouble. A second run
/// changes nothing. The new value is used at the next boot.
///
/// It also says what else stands in the way: the boot protocol, a switched-off
/// option ROM, a FlexBoot older than 3.4.718, an InfiniBand port, a host that was
/// booted by UEFI.
#[derive(Debug, Args)]
pub(in crate::cli) struct EnableArgs {
    /// Which IP versions to boot with
    ///
    /// FlexBoot 3.4.812 treats ipv4-ipv6 and ipv6-ipv4 alike: it tries both
    /// whatever their order. Newer ROMs try the second only when the first fails.
    #[arg(long, value_enum, default_value_t = Mode::Ipv4Ipv6)]
    mode: Mode,

    /// Only this port, counted from 1
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(1..))]
    port: Option<u8>,

    /// Also make the ROM run and boot by PXE
    ///
    /// Sets the boot protocol to PXE where it does not include PXE yet; on
    /// ConnectX-3 also switches the option ROM on. ConnectX-4 has no such switch.
    #[arg(long)]
    with_pxe: bool,

    /// Go on although a boot setting holds a value that no source defines
    #[arg(long)]
    allow_reserved: bool,

    #[command(flatten)]
    write: WriteArgs,
}

/// Modes with IPv6.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Mode {
    /// Both, IPv4 first
    #[value(name = "ipv4-ipv6")]
    Ipv4Ipv6,
    /// Both, IPv6 first
    #[value(name = "ipv6-ipv4")]
    Ipv6Ipv4,
    /// IPv6 only
    #[value(name = "ipv6")]
    Ipv6,
}

pub(in crate::cli) fn enable_ipv6(args: &EnableArgs, ctx: &Context) -> Result<ExitCode, Failure> {
    let job = Ipv6Job {
        mode: match args.mode {
            Mode::Ipv4Ipv6 => IpMode::Ipv4Ipv6,
            Mode::Ipv6Ipv4 => IpMode::Ipv6Ipv4,
            Mode::Ipv6 => IpMode::Ipv6,
        },
        port: args.port,
        pxe: if args.with_pxe {
            PxeBoot::Set
        } else {
            PxeBoot::Keep
        },
        reserved: if args.allow_reserved {
            Reserved::Allow
        } else {
            Reserved::Refuse
        },
    };
    change_one_by_one(ctx, "flexctl.enable-ipv6/1", &job, args.write)
}
