//! `flexctl rom info`

use clap::Args;
use serde::Serialize;

use crate::image::option_rom::{CodeType, Pcir, RomImage};
use crate::image::payload::prove;
use crate::image::{OptionRom, Severity};

use super::super::super::ExitCode;
use super::super::super::args::GlobalArgs;
use super::super::super::context::output_of;
use super::super::super::error::Failure;
use super::super::super::output::{CARE, DIM, TITLE, styled, table};
use super::super::super::report::{ProofReport, RomTreeReport, pci_id, version_text};
use super::proof::proof_text;
use super::source::{CARD_NOTE, Source, SourceArgs, image_title};

/// Show what a ROM consists of, for which card it is, its version, and IPv6
///
/// All images of the chain with their headers, the version records that firmware
/// tools look for, and what the code inside shows: whether there is IPv6 at all,
/// whether it obeys the card's setting IP_VER, and what it does without. An
/// answer that the bytes do not give is `cannot tell`; -v shows the evidence.
#[derive(Debug, Args)]
pub(super) struct InfoArgs {
    #[command(flatten)]
    source: SourceArgs,
}

#[derive(Debug, Serialize)]
struct InfoReport {
    schema: &'static str,
    roms: Vec<RomInfoReport>,
}

#[derive(Debug, Serialize)]
struct RomInfoReport {
    /// Path of the file, or the card as a selector.
    source: String,
    length: usize,
    /// Whether a version record behind the last image would be seen.
    trailing_seen: bool,
    rom: RomTreeReport,
    proof: ProofReport,
    /// How many things are wrong; `rom check` says what.
    errors: usize,
}

pub(super) fn info(args: &InfoArgs, global: &GlobalArgs) -> Result<ExitCode, Failure> {
    let output = output_of(global);
    let mut roms = Vec::new();
    for source in args.source.load(global)? {
        let parsed = OptionRom::parse(&source.bytes);
        let Some(rom) = parsed.tree else {
            return Err(source.no_rom(&parsed.findings));
        };
        let proof = prove(&source.bytes);
        let errors = parsed
            .findings
            .iter()
            .filter(|finding| finding.severity == Severity::Error)
            .count();
        if !output.json {
            let mut text = human(&source, &rom);
            text.push_str(&proof_text(&proof, output.verbose));
            if source.of_card {
                text.push_str(&format!("  {} {CARD_NOTE}\n", styled(CARE, "note:")));
            }
            if errors > 0 {
                text.push_str(&format!(
                    "  {} parts of it are damaged: `flexctl rom check` says all\n",
                    styled(CARE, "note:")
                ));
            }
            output
                .answer(&text)
                .map_err(|error| Failure::unwritten(&error))?;
        }
        roms.push(RomInfoReport {
            length: source.bytes.len(),
            trailing_seen: !source.of_card,
            rom: RomTreeReport::new(&rom, source.bytes.len()),
            proof: (&proof).into(),
            errors,
            source: source.name,
        });
    }
    if output.json {
        output
            .document(&InfoReport {
                schema: "flexctl.rom-info/1",
                roms,
            })
            .map_err(|error| Failure::unwritten(&error))?;
    }
    Ok(ExitCode::Done)
}

fn human(source: &Source, rom: &OptionRom<'_>) -> String {
    let mut text = format!(
        "{}, {} bytes\n",
        styled(TITLE, &source.name),
        source.bytes.len()
    );
    for (index, image) in rom.images.iter().enumerate() {
        let place = format!("at {:#x}, {} bytes", image.offset, image.bytes.len());
        text.push_str(&format!(
            "  {}  {}\n",
            styled(TITLE, image_title(index, image.code_type())),
            styled(DIM, place)
        ));
        text.push_str(&table("    ", &image_rows(image)));
    }
    text.push_str(&table("  ", &record_rows(source, rom)));
    text
}

fn image_rows(image: &RomImage<'_>) -> Vec<String> {
    let mut rows = Vec::new();
    match image.pcir() {
        Some(pcir) => rows.push(format!("device\t{}", device(image, pcir))),
        None => rows.push("device\tnone: no PCIR".to_owned()),
    }
    for pnp in image.pnp() {
        let names: Vec<&str> = [pnp.manufacturer, pnp.product]
            .into_iter()
            .filter_map(|pointer| image.text_at(pointer))
            .collect();
        let vector = match (pnp.bev, pnp.bcv) {
            (0, 0) => "offers no boot".to_owned(),
            (0, bcv) => format!("boots as a disk (BCV {bcv:#06x})"),
            (bev, _) => format!("boots from the network (BEV {bev:#06x})"),
        };
        rows.push(format!("PnP\t{}; {vector}", names.join(", ")));
    }
    if let Some(undi) = image.undi() {
        rows.push(format!("UNDI\tPXE {}", undi.pxe_version()));
    }
    if let Some(ipxe) = image.ipxe() {
        let shrunk = match ipxe.shrunk_blocks {
            0 => String::new(),
            blocks => format!(", shrinks to {} bytes", usize::from(blocks) * 512),
        };
        rows.push(format!("iPXE\tbuild id {:#010x}{shrunk}", ipxe.build_id));
    }
    if let Some(header) = image.efi_header() {
        let named = |name: Option<&str>, number: u16| {
            name.map_or_else(|| format!("{number:#06x}"), str::to_owned)
        };
        let compression = match header.compression {
            0 => "not compressed",
            1 => "UEFI compression",
            _ => "unknown compression",
        };
        rows.push(format!(
            "EFI\t{}, {}, {compression}",
            named(header.machine_name(), header.machine),
            named(header.subsystem_name(), header.subsystem)
        ));
    }
    if image.code_type() == CodeType::IpxePayload {
        rows.push("iPXE\twhat the BIOS image unpacks (.mrom)".to_owned());
    }
    rows
}

fn device(image: &RomImage<'_>, pcir: &Pcir) -> String {
    let mut device = pci_id(pcir);
    let more: Vec<String> = image
        .device_list()
        .unwrap_or_default()
        .iter()
        .filter(|id| **id != pcir.device_id())
        .map(|id| format!("{id:04x}"))
        .collect();
    if !more.is_empty() {
        device.push_str(&format!(" and {}", more.join(", ")));
    }
    device
}

fn record_rows(source: &Source, rom: &OptionRom<'_>) -> Vec<String> {
    let mut rows: Vec<String> = rom
        .records()
        .map(|(image, offset, record)| {
            let record = record.meaning(offset);
            let product = record.product.name().map_or_else(
                || format!("product {:#x}", record.product.id()),
                str::to_owned,
            );
            let mut words = format!("{product} {}", version_text(&record));
            if let Some(device) = record.device_id {
                words.push_str(&format!(" for device {device:#06x}"));
            }
            if let Some(port) = record.port {
                words.push_str(&format!(" port {port}"));
            }
            for name in [record.cpu.name(), record.protocol.name()]
                .into_iter()
                .flatten()
            {
                words.push_str(&format!(" {name}"));
            }
            let place = match image {
                Some(index) => format!("in image {index}"),
                None => "behind the last image".to_owned(),
            };
            format!(
                "version record\t{words} {}",
                styled(DIM, format_args!("({place}, at {offset:#x})"))
            )
        })
        .collect();
    if rows.is_empty() {
        let none = if source.of_card {
            "none is seen"
        } else {
            "none: firmware tools cannot tell a version"
        };
        rows.push(format!("version record\t{none}"));
    }
    rows
}
