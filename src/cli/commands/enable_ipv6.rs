//! `flexctl enable-ipv6`

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};

use crate::image::{ImageKind, RomSource};
use crate::settings::{IpMode, PxeBoot, Reserved};

use super::super::ExitCode;
use super::super::args::WriteArgs;
use super::super::burn::{BurnJob, DoorArgs, What};
use super::super::change::{burn_then_enable, change_one_by_one};
use super::super::context::Context;
use super::super::error::Failure;
use super::super::input_file::{Loading, load, name_of};
use super::super::ipv6_job::Ipv6Job;
use super::burn::{CopyArgs, ViaArgs};

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

    /// Burn this expansion ROM first where the card's own is too old for IPv6
    ///
    /// The ROM must be for the card and its code must show that it has IPv6 and obeys
    /// IP_VER. A card whose ROM knows IPv6 already keeps it. `flexctl burn --help` says
    /// how a burn goes. Cards must be named with --device.
    #[arg(long, value_name = "FILE")]
    burn_rom: Option<PathBuf>,

    #[command(flatten)]
    write: WriteArgs,

    #[command(flatten)]
    via: ViaArgs,

    #[command(flatten)]
    copy: CopyArgs,

    #[command(flatten)]
    doors: DoorArgs,
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
        rom: None,
    };
    if let Some(path) = &args.burn_rom {
        return with_rom(args, ctx, path, &job);
    }
    change_one_by_one(ctx, "flexctl.enable-ipv6/1", &job, args.write)
}

fn with_rom(
    args: &EnableArgs,
    ctx: &Context,
    path: &Path,
    job: &Ipv6Job,
) -> Result<ExitCode, Failure> {
    if !ctx.has_selectors() {
        return Err(
            Failure::message(ExitCode::Usage, "no card is named to be burned")
                .hint("name it with --device; `flexctl list` shows cards"),
        );
    }
    let bytes = load(path, Loading::Read, "an expansion ROM")?;
    if ImageKind::of(&bytes) != Some(ImageKind::OptionRom) {
        return Err(Failure::message(
            ExitCode::InvalidInput,
            format!("{} is no expansion ROM", name_of(path)),
        )
        .hint("`flexctl burn` takes firmware images; `flexctl rom info FILE` looks into a ROM"));
    }
    let burn = BurnJob {
        what: What::File {
            name: name_of(path),
            bytes,
            slot: None,
            rom: RomSource::Usual,
        },
        way: args.via.via.into(),
        doors: args.doors.open(),
        copy: args.copy.copy(),
        promises_ipv6: true,
    };
    burn_then_enable(ctx, "flexctl.enable-ipv6/1", &burn, job, args.write)
}
