//! `flexctl sim flash`

use std::fmt;
use std::path::PathBuf;

use clap::Args;
use serde::Serialize;

use crate::cli::ExitCode;
use crate::cli::error::Failure;
use crate::cli::output::{Output, TITLE, styled, table};
use crate::sim::{Boot, FlashCounters, Shelf};

use super::printed;

/// Show, save or load the flash of a card
///
/// The bytes are those of the chip, as a programmer at its pins would read them:
/// on ConnectX-3 the two images lie in stripes. What is loaded runs when the card
/// is rebooted.
///
///   flexctl sim flash node3 --save flash.bin
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(super) struct FlashArgs {
    /// Name of the card
    name: String,

    /// Write all of the flash to this file
    #[arg(long, value_name = "FILE", conflicts_with = "load")]
    save: Option<PathBuf>,

    /// Put this file into the flash; it must have the chip's size
    #[arg(long, value_name = "FILE")]
    load: Option<PathBuf>,
}

/// What a card boots.
#[derive(Debug, Serialize)]
pub(super) struct BootState {
    /// Where the image starts; `None` when there is none.
    start: Option<String>,
    /// Its slot.
    slot: Option<usize>,
    firmware: Option<String>,
    psid: Option<String>,
    /// Why there is no firmware.
    reason: Option<String>,
    #[serde(skip)]
    words: String,
}

impl BootState {
    pub(super) fn of(boot: &Boot) -> Self {
        let image = boot.image();
        let reason = match boot {
            Boot::FlashRecovery { reason, .. } => Some(reason.clone()),
            Boot::Firmware(_) => None,
        };
        Self {
            start: image.map(|image| format!("{:#010x}", image.start)),
            slot: image.map(|image| image.slot),
            firmware: image.map(|image| image.firmware.clone()),
            psid: image.map(|image| image.psid.clone()),
            reason,
            words: boot.to_string(),
        }
    }
}

impl fmt::Display for BootState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.words)
    }
}

#[derive(Debug, Serialize)]
struct FlashReport {
    schema: &'static str,
    name: String,
    bytes: usize,
    /// After switching it off and on.
    boot: BootState,
    /// After a reset with power on.
    warm_boot: BootState,
    counters: FlashCounters,
}

pub(super) fn in_words(counters: &FlashCounters) -> String {
    format!(
        "{} reads, {} programs, {} erases",
        counters.reads,
        counters.programs,
        counters.erases.values().sum::<u64>()
    )
}

pub(super) fn flash(args: &FlashArgs, shelf: &Shelf, output: Output) -> Result<(), Failure> {
    let card = shelf.card(&args.name)?;
    let name = &args.name;
    if let Some(path) = &args.save {
        let bytes = card.flash();
        std::fs::write(path, &bytes).map_err(|error| {
            let message = format!("cannot write `{}`: {error}", path.display());
            Failure::message(ExitCode::Failed, message)
                .hint("--save needs a file in a folder that is there")
        })?;
        let path = path.display();
        output.status(format_args!(
            "saved the {:#x} bytes of sim:{name}'s flash to {path}",
            bytes.len()
        ));
        return Ok(());
    }
    if let Some(path) = &args.load {
        let bytes = std::fs::read(path).map_err(|error| {
            let message = format!("cannot read `{}`: {error}", path.display());
            Failure::message(ExitCode::Failed, message).hint("--load needs a file to read")
        })?;
        card.set_flash(&bytes)?;
        output.status(format_args!(
            "sim:{name} has new bytes in its flash; when it is rebooted: {}",
            card.boot()
        ));
        return Ok(());
    }
    let report = FlashReport {
        schema: "flexctl.sim-flash/1",
        name: name.clone(),
        bytes: card.flash().len(),
        boot: BootState::of(&card.boot()),
        warm_boot: BootState::of(&card.boot_warm()),
        counters: card.flash_counters(),
    };
    if output.json {
        return printed(output.document(&report));
    }
    let counters = &report.counters;
    let mut rows = vec![
        format!("bytes\t{:#x}", report.bytes),
        format!("boots\t{}", report.boot),
    ];
    if report.warm_boot.words != report.boot.words {
        rows.push(format!("after a warm reset\t{}", report.warm_boot));
    }
    rows.push(format!("done to it\t{}", in_words(counters)));
    let milliseconds = counters.modelled_ns / 1_000_000;
    rows.push(format!("time of a real chip\t{milliseconds} ms"));
    let text = styled(TITLE, format_args!("sim:{name}")).to_string();
    printed(output.answer(&format!("{text}\n{}", table("  ", &rows))))
}
