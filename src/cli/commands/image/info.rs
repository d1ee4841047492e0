//! `flexctl image info`

use std::fmt::Write as _;

use clap::Args;
use serde::Serialize;

use crate::hwdb::Chip;
use crate::image::{AddressKind, Finding, Firmware, FirmwareFacts, RomFact, Severity};

use super::super::super::ExitCode;
use super::super::super::args::GlobalArgs;
use super::super::super::context::output_of;
use super::super::super::error::Failure;
use super::super::super::input_file::Loading;
use super::super::super::output::{Output, TITLE, styled, table};
use super::super::super::report::{
    FindingReport, FirmwareReport, address_text, pci_id_of, version_text,
};
use super::rom::SlotArgs;
use super::source::{LookArgs, Source};

/// Show what a firmware image says of itself
///
/// Version, board (PSID), chip, addresses, expansion ROM and security of every
/// image in the file. With --sections or -v also all its parts. Only what is
/// needed for that is read: `image check` looks at every byte.
#[derive(Debug, Args)]
pub(super) struct InfoArgs {
    #[command(flatten)]
    source: LookArgs,

    /// Also list all parts of the image
    #[arg(long)]
    sections: bool,

    /// Print the configuration text (ini) that the image carries, and nothing else
    ///
    /// A copy for people, as `mstflint dc` prints it: nothing goes by it.
    #[arg(long)]
    ini: bool,

    #[command(flatten)]
    slot: SlotArgs,
}

#[derive(Debug, Serialize)]
struct InfoReport<'a> {
    schema: &'static str,
    file: &'a str,
    length: usize,
    format: &'static str,
    /// A copy of a flash whose images lie in stripes.
    striped: bool,
    images: Vec<FirmwareReport>,
    findings: Vec<FindingReport>,
}

#[derive(Debug, Serialize)]
struct IniReport<'a> {
    schema: &'static str,
    file: &'a str,
    ini: &'a str,
}

pub(super) fn info(args: &InfoArgs, global: &GlobalArgs) -> Result<ExitCode, Failure> {
    let output = output_of(global);
    let source = args.source.load(Loading::Glanced, global)?;
    let parsed = Firmware::parse(&source.bytes, source.shape);
    let Some(firmware) = parsed.tree else {
        return Err(source.no_firmware(&parsed.findings));
    };
    if args.ini {
        return print_ini(args, output, &source, &firmware);
    }
    let images: Vec<FirmwareFacts> = firmware
        .slots()
        .into_iter()
        .filter(|slot| args.slot.slot().is_none_or(|wanted| wanted == *slot))
        .filter_map(|slot| firmware.facts(slot))
        .collect();
    let answer = if output.json {
        output.document(&InfoReport {
            schema: "flexctl.image-info/1",
            file: &source.name,
            length: source.bytes.len(),
            format: firmware.format(),
            striped: firmware.is_striped(),
            images: images.iter().map(FirmwareReport::from).collect(),
            findings: parsed.findings.iter().map(FindingReport::from).collect(),
        })
    } else {
        let mut text = format!(
            "{}: {} firmware, {} bytes{}\n",
            source.name,
            firmware.format(),
            source.bytes.len(),
            if firmware.is_striped() {
                ", a copy of a flash with its images in stripes"
            } else {
                ""
            }
        );
        for facts in &images {
            text.push('\n');
            text.push_str(&image_text(facts, images.len() > 1));
            if args.sections || output.verbose {
                text.push_str(&sections_text(facts));
            }
        }
        output.answer(&text)
    };
    answer.map_err(|error| Failure::unwritten(&error))?;
    warn(output, &parsed.findings);
    Ok(ExitCode::Done)
}

/// The ini of the image that was named, or of the first.
fn print_ini(
    args: &InfoArgs,
    output: Output,
    source: &Source,
    firmware: &Firmware<'_>,
) -> Result<ExitCode, Failure> {
    let slots = firmware.slots();
    let slot = args.slot.slot().or_else(|| slots.first().copied());
    let text = match slot.and_then(|slot| firmware.ini(slot)) {
        Some(Ok(text)) => text,
        Some(Err(reason)) => {
            return Err(Failure::message(
                ExitCode::InvalidInput,
                format!("{}: the ini in the image is damaged: {reason}", source.name),
            )
            .hint("`flexctl image check` says all that is wrong"));
        }
        None => {
            return Err(Failure::message(
                ExitCode::Failed,
                format!("{}: the image carries no ini", source.name),
            )
            .hint("`flexctl image info --sections` shows its parts"));
        }
    };
    let answer = if output.json {
        output.document(&IniReport {
            schema: "flexctl.image-ini/1",
            file: &source.name,
            ini: &text,
        })
    } else {
        output.answer(&text)
    };
    answer.map_err(|error| Failure::unwritten(&error))?;
    Ok(ExitCode::Done)
}

/// What is amiss already at this glance; everything else is for `image check`.
fn warn(output: Output, findings: &[Finding]) {
    let serious: Vec<&Finding> = findings
        .iter()
        .filter(|finding| finding.severity >= Severity::Warning)
        .collect();
    if output.json || serious.is_empty() {
        return;
    }
    for finding in &serious {
        output.warning(finding);
    }
    output.status("`flexctl image check` says all that is wrong");
}

fn image_text(facts: &FirmwareFacts, several: bool) -> String {
    let mut rows = Vec::new();
    let mut row = |name: &str, value: Option<String>| {
        if let Some(value) = value.filter(|value| !value.is_empty()) {
            rows.push(format!("{name}\t{value}"));
        }
    };
    row(
        "version",
        facts.version.map(|version| match facts.release_date {
            Some(date) => format!("{version}, released {date}"),
            None => version.to_string(),
        }),
    );
    row("product version", facts.product_version.clone());
    row(
        "board (PSID)",
        facts.psid.as_ref().map(|psid| match &facts.original_psid {
            Some(original) => format!("{psid}, originally {original}"),
            None => psid.clone(),
        }),
    );
    row("product", facts.name.clone());
    row("description", facts.description.clone());
    row("for", hardware_text(facts));
    row("PCI id", pci_id_of(facts));
    row(
        "expansion ROM",
        Some(
            facts
                .rom
                .as_ref()
                .map_or_else(|| "none".to_owned(), rom_text),
        ),
    );
    for address in &facts.addresses {
        let kind = match address.kind {
            AddressKind::Guid => "GUID",
            AddressKind::Mac => "MAC",
        };
        let mut text = address_text(address);
        if address.count > 1 {
            let _ = write!(text, " and {} more", address.count - 1);
            if address.step > 1 {
                let _ = write!(text, ", {} apart", address.step);
            }
        }
        row(&format!("{} {kind}", address.role), Some(text));
    }
    row("VSD", facts.vsd.clone());
    row("made from", facts.prs_name.clone());
    row("least mstflint", facts.mic_version.clone());
    row(
        "security",
        Some(match (&facts.security[..], &facts.signatures[..]) {
            ([], []) => "none".to_owned(),
            ([], signatures) => format!("carries {}", signatures.join(", ")),
            (security, []) => security.join(", "),
            (security, signatures) => {
                format!("{}; carries {}", security.join(", "), signatures.join(", "))
            }
        }),
    );
    let title = if several || facts.slot != 0 {
        format!("slot {} at {:#010x}", facts.slot, facts.offset)
    } else {
        format!("image of {} bytes at {:#010x}", facts.size, facts.offset)
    };
    format!("{}\n{}", styled(TITLE, title), table("  ", &rows))
}

fn hardware_text(facts: &FirmwareFacts) -> Option<String> {
    let names: Vec<String> = facts
        .hardware_ids
        .iter()
        .map(|id| {
            let chip = Chip::of(*id).map_or_else(|| "unknown chip".to_owned(), |chip| chip.name);
            format!("{chip} (hardware id {:#06x} rev {})", id & 0xffff, id >> 16)
        })
        .collect();
    (!names.is_empty()).then(|| names.join(", "))
}

fn rom_text(rom: &RomFact) -> String {
    let records: Vec<String> = rom
        .records
        .iter()
        .map(|record| {
            let product = record.product.name().unwrap_or("unknown kind");
            let mut text = format!("{product} {}", version_text(record));
            if let Some(device) = record.device_id {
                let _ = write!(text, " for {device:#06x}");
            }
            text
        })
        .collect();
    let what = if records.is_empty() {
        "no version record".to_owned()
    } else {
        records.join(" + ")
    };
    format!("{what}, {} bytes at {:#010x}", rom.length, rom.offset)
}

fn sections_text(facts: &FirmwareFacts) -> String {
    let mut rows = vec!["part\ttype\toffset\tbytes\tCRC\t".to_owned()];
    rows.extend(facts.sections.iter().map(|section| {
        format!(
            "{}\t{:#04x}\t{:#010x}\t{}\t{}\t{}",
            section.name,
            section.type_id,
            section.offset,
            section.length,
            section
                .crc
                .map_or_else(|| "none".to_owned(), |crc| format!("{crc:#06x}")),
            if section.device_data {
                "of the one card"
            } else {
                ""
            }
        )
    }));
    format!("\n{}", table("  ", &rows))
}
