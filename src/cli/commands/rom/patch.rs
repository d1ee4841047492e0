//! `flexctl rom patch`

use std::path::{Path, PathBuf};

use clap::Args;
use serde::Serialize;

use crate::image::option_rom::{CodeType, RecordPatch, RomImage, RomPatch, check_option_rom};
use crate::image::{
    CpuArchitecture, Edited, FlexBootVersion, OptionRom, Permission, RomProduct, RomProtocol,
    Severity,
};

use super::super::super::ExitCode;
use super::super::super::args::GlobalArgs;
use super::super::super::context::output_of;
use super::super::super::error::Failure;
use super::super::super::output::{CARE, DIM, TITLE, styled, table};
use super::super::super::output_file::{Existing, must_be_another, must_not_exist, write_file};
use super::super::super::report::{ByteChangeReport, FindingReport};
use super::source::{Source, load_file};

/// Change a ROM file: device id, version record, EFI image
///
/// One build serves several cards with --device-id: it goes into every image,
/// device list and version record. Firmware tools name the version of a ROM only
/// when it has a version record; --version changes it, or adds one behind the
/// last image, where FlexBoot's releases have it. All other bytes stay as they
/// are; sums are made right again.
#[derive(Debug, Args)]
pub(super) struct PatchArgs {
    /// ROM file, - for stdin
    #[arg(value_name = "FILE")]
    file: PathBuf,

    /// Set the PCI device id, such as 0x1013
    #[arg(long, value_name = "ID", value_parser = device_id)]
    device_id: Option<u16>,

    /// Set the version in the version record, or add a record
    #[arg(long, value_name = "X.Y.Z")]
    version: Option<FlexBootVersion>,

    /// Which version record: pxe, uefi, clp, nvme, fcode or a number
    ///
    /// Without it the only one there is, or pxe in a ROM with a BIOS image.
    #[arg(long, value_parser = product)]
    product: Option<RomProduct>,

    /// Set the processor in the version record: any, amd64, aarch64, amd64+aarch64, ia32
    #[arg(long, value_parser = cpu)]
    cpu: Option<CpuArchitecture>,

    /// Set the network in the version record: any, ib, eth, vpi
    #[arg(long, value_parser = protocol)]
    protocol: Option<RomProtocol>,

    /// Set the port in the version record, 0 for all
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(0..=15))]
    port: Option<u8>,

    /// Put in the EFI image of this ROM, in place of one that is there
    #[arg(long, value_name = "ROM")]
    with_efi: Option<PathBuf>,

    /// Correct sums that are wrong
    ///
    /// A wrong sum may mean that the file is damaged: without this it is refused.
    #[arg(long)]
    fix_checksums: bool,

    /// Write to this file, - for stdout
    #[arg(short, long, value_name = "FILE", required_unless_present_any = ["in_place", "dry_run"])]
    output: Option<PathBuf>,

    /// Replace that file if it exists
    #[arg(long, requires = "output")]
    overwrite: bool,

    /// Replace FILE itself: a new file is written beside it and renamed
    #[arg(long, conflicts_with = "output")]
    in_place: bool,

    /// Show the changes and write nothing
    #[arg(long)]
    dry_run: bool,
}

#[derive(Debug, Serialize)]
struct PatchReport {
    schema: &'static str,
    source: String,
    /// Where it was written to; null with --dry-run.
    path: Option<String>,
    length_before: usize,
    length: usize,
    changes: Vec<ByteChangeReport>,
    notes: Vec<String>,
    /// What `rom check` says of the result.
    findings: Vec<FindingReport>,
}

pub(super) fn patch(args: &PatchArgs, global: &GlobalArgs) -> Result<ExitCode, Failure> {
    let output = output_of(global);
    if !global.device.is_empty() {
        return Err(
            Failure::message(ExitCode::Usage, "a ROM is changed in a file, not on a card")
                .hint("`flexctl rom extract -d CARD` saves it to a file; leave out --device here"),
        );
    }
    let target = args.target()?;
    let source = load_file(&args.file)?;
    let efi = args.with_efi.as_deref().map(load_file).transpose()?;
    if let Some(efi) = &efi {
        must_have_efi(efi)?;
    }
    let record = RecordPatch {
        product: args.product,
        version: args.version,
        cpu: args.cpu,
        protocol: args.protocol,
        port: args.port,
    };
    let wants_record = record
        != RecordPatch {
            product: args.product,
            ..RecordPatch::default()
        };
    if args.device_id.is_none() && efi.is_none() && !wants_record && !args.fix_checksums {
        return Err(
            Failure::message(ExitCode::Usage, "nothing to change is named")
                .hint("name a change: --device-id, --version, --with-efi or --fix-checksums"),
        );
    }
    let patch = RomPatch {
        device_id: args.device_id,
        record: wants_record.then_some(record),
        efi: efi.as_ref().map(|efi| &*efi.bytes),
        correct_sums: if args.fix_checksums {
            Permission::Granted
        } else {
            Permission::Refused
        },
    };
    let edited = patch
        .apply(&source.bytes)
        .map_err(|error| source.refused(&error))?;
    // What the ROM had before is not news.
    let findings: Vec<_> = check_option_rom(&edited.bytes)
        .into_iter()
        .filter(|finding| finding.severity > Severity::Note)
        .collect();
    let to_stdout = target.is_some_and(|(path, _)| path.as_os_str() == "-");
    if !output.json && !to_stdout {
        output
            .answer(&human(&source, &edited))
            .map_err(|error| Failure::unwritten(&error))?;
    }
    for note in &edited.notes {
        output.status(format_args!("{} {note}", styled(DIM, "note:")));
    }
    for finding in &findings {
        output.warning(finding);
    }
    let unchanged_in_place = args.in_place && *edited.bytes == *source.bytes;
    if let Some((path, existing)) = target
        && !unchanged_in_place
    {
        write_file(output, path, &edited.bytes, existing)?;
    }
    if output.json && !to_stdout {
        output
            .document(&PatchReport {
                schema: "flexctl.rom-patch/1",
                path: target.map(|(path, _)| path.display().to_string()),
                length_before: source.bytes.len(),
                length: edited.bytes.len(),
                changes: edited.changes.iter().map(ByteChangeReport::from).collect(),
                notes: edited.notes,
                findings: findings.iter().map(FindingReport::from).collect(),
                source: source.name,
            })
            .map_err(|error| Failure::unwritten(&error))?;
    }
    Ok(ExitCode::Done)
}

/// Says it of the file that lacks it.
fn must_have_efi(source: &Source) -> Result<(), Failure> {
    let parsed = OptionRom::parse(&source.bytes);
    let Some(rom) = parsed.tree else {
        return Err(source.no_rom(&parsed.findings));
    };
    let is_efi = |image: &RomImage<'_>| image.code_type() == CodeType::Efi;
    if rom.images.iter().any(is_efi) {
        return Ok(());
    }
    Err(Failure::message(
        ExitCode::InvalidInput,
        format!("{}: there is no EFI image in it", source.name),
    )
    .hint("--with-efi takes a ROM with an EFI image, such as iPXE's .efirom"))
}

impl PatchArgs {
    /// Where to write; `None` when nothing is to be written.
    fn target(&self) -> Result<Option<(&Path, Existing)>, Failure> {
        if self.dry_run {
            return Ok(None);
        }
        if self.in_place {
            if self.file.as_os_str() == "-" {
                return Err(
                    Failure::message(ExitCode::Usage, "stdin cannot be changed in place")
                        .hint("name a file with --output, or - for stdout"),
                );
            }
            return Ok(Some((&self.file, Existing::Replaced)));
        }
        let Some(path) = self.output.as_deref() else {
            return Ok(None);
        };
        must_be_another(path, &self.file)?;
        if self.overwrite {
            return Ok(Some((path, Existing::Replaced)));
        }
        must_not_exist(path)?;
        Ok(Some((path, Existing::Kept)))
    }
}

fn human(source: &Source, edited: &Edited) -> String {
    let mut text = format!("{}\n", styled(TITLE, &source.name));
    if edited.changes.is_empty() {
        text.push_str("  nothing to change: it is like that already\n");
        return text;
    }
    let rows: Vec<String> = edited
        .changes
        .iter()
        .map(|change| format!("{:#x}\t{}\t{}", change.offset, change.path, change.what))
        .collect();
    text.push_str(&table("  ", &rows));
    if edited.bytes.len() != source.bytes.len() {
        text.push_str(&format!(
            "  {} {} bytes, {} before\n",
            styled(CARE, "length:"),
            edited.bytes.len(),
            source.bytes.len()
        ));
    }
    text
}

/// A number in decimal, or in hexadecimal after 0x.
fn number(text: &str) -> Option<u16> {
    match text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        Some(digits) => u16::from_str_radix(digits, 16).ok(),
        None => text.parse().ok(),
    }
}

/// PCI ids are written in hexadecimal everywhere, with 0x or without.
fn device_id(text: &str) -> Result<u16, String> {
    let digits = text.strip_prefix("0x").unwrap_or(text);
    Some(digits)
        .filter(|digits| digits.len() <= 4 && digits.bytes().all(|byte| byte.is_ascii_hexdigit()))
        .and_then(|digits| u16::from_str_radix(digits, 16).ok())
        .filter(|id| !matches!(id, 0 | 0xffff))
        .ok_or_else(|| "not a PCI device id in hexadecimal, such as 0x1013".to_owned())
}

fn product(text: &str) -> Result<RomProduct, String> {
    Ok(match text.to_ascii_lowercase().as_str() {
        "pxe" => RomProduct::Pxe,
        "uefi" => RomProduct::Uefi,
        "clp" => RomProduct::Clp,
        "nvme" => RomProduct::Nvme,
        "fcode" => RomProduct::Fcode,
        other => match number(other) {
            Some(0xf) => return Err("0xf is text, not a version in numbers".to_owned()),
            Some(id) => RomProduct::from_id(id),
            None => return Err("pxe, uefi, clp, nvme, fcode or a number".to_owned()),
        },
    })
}

fn cpu(text: &str) -> Result<CpuArchitecture, String> {
    Ok(match text.to_ascii_lowercase().as_str() {
        "any" => CpuArchitecture::Unspecified,
        "amd64" => CpuArchitecture::Amd64,
        "aarch64" => CpuArchitecture::Aarch64,
        "amd64+aarch64" => CpuArchitecture::Amd64AndAarch64,
        "ia32" => CpuArchitecture::Ia32,
        _ => return Err("any, amd64, aarch64, amd64+aarch64 or ia32".to_owned()),
    })
}

fn protocol(text: &str) -> Result<RomProtocol, String> {
    Ok(match text.to_ascii_lowercase().as_str() {
        "any" => RomProtocol::Any,
        "ib" => RomProtocol::InfiniBand,
        "eth" => RomProtocol::Ethernet,
        "vpi" => RomProtocol::Vpi,
        _ => return Err("any, ib, eth or vpi".to_owned()),
    })
}
