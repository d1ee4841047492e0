//! `flexctl rom check`

use clap::Args;
use serde::Serialize;

use crate::image::option_rom::check_option_rom;
use crate::image::payload::prove;
use crate::image::{Finding, FindingKind, OptionRom, Severity, worst};

use super::super::super::ExitCode;
use super::super::super::args::GlobalArgs;
use super::super::super::context::output_of;
use super::super::super::error::Failure;
use super::super::super::findings_text::{Strictness, exit_code, findings_text};
use super::super::super::output::{DIM, Output, styled};
use super::super::super::report::{FindingCounts, FindingReport, ProofReport};
use super::proof::proof_text;
use super::source::{CARD_NOTE, Source, SourceArgs};

/// Check a ROM: structure, sums, ids that contradict each other, version records
///
/// Prints everything that is found, each with its place in the structure and in
/// the file, and what the code inside shows about IPv6. Exits with 6 when one
/// finding is an error.
#[derive(Debug, Args)]
pub(super) struct CheckArgs {
    #[command(flatten)]
    source: SourceArgs,

    /// Warnings count as errors
    #[arg(long)]
    strict: bool,
}

#[derive(Debug, Serialize)]
struct CheckReport {
    schema: &'static str,
    roms: Vec<RomCheckReport>,
}

#[derive(Debug, Serialize)]
struct RomCheckReport {
    source: String,
    /// Whether it passes, warnings counted as --strict says.
    passed: bool,
    counts: FindingCounts,
    findings: Vec<FindingReport>,
    proof: ProofReport,
}

pub(super) fn check(args: &CheckArgs, global: &GlobalArgs) -> Result<ExitCode, Failure> {
    let output = output_of(global);
    let strictness = if args.strict {
        Strictness::Strict
    } else {
        Strictness::Normal
    };
    let mut codes = Vec::new();
    let mut roms = Vec::new();
    for source in args.source.load(global)? {
        let mut findings = check_option_rom(&source.bytes);
        if OptionRom::parse(&source.bytes).tree.is_none() {
            return Err(source.no_rom(&findings));
        }
        source.adapt(&mut findings);
        let code = exit_code(&findings, strictness);
        let passed = code == ExitCode::Done;
        codes.push(code);
        let proof = prove(&source.bytes);
        if !output.json {
            let mut text = human(&source, &findings);
            text.push_str(&proof_text(&proof, output.verbose));
            output
                .answer(&text)
                .map_err(|error| Failure::unwritten(&error))?;
        }
        if !passed {
            Output::hint(hint(&findings));
        }
        roms.push(RomCheckReport {
            passed,
            counts: FindingCounts::of(&findings),
            findings: findings.iter().map(FindingReport::from).collect(),
            proof: (&proof).into(),
            source: source.name,
        });
    }
    if output.json {
        output
            .document(&CheckReport {
                schema: "flexctl.rom-check/1",
                roms,
            })
            .map_err(|error| Failure::unwritten(&error))?;
    }
    Ok(ExitCode::of_all(&codes))
}

fn hint(findings: &[Finding]) -> &'static str {
    let sums_only = findings
        .iter()
        .filter(|finding| finding.severity == Severity::Error)
        .all(|finding| finding.kind == FindingKind::BadChecksum);
    match worst(findings) {
        Some(Severity::Error) if sums_only => {
            "get the file again; if it was changed on purpose, `flexctl rom patch --fix-checksums` \
             corrects its sums"
        }
        Some(Severity::Error) => "get the file again: it is damaged",
        _ => "`flexctl rom patch` sets ids and adds a version record",
    }
}

fn human(source: &Source, findings: &[Finding]) -> String {
    let mut text = findings_text(&source.name, findings);
    if source.of_card {
        text.push_str(&format!("  {} {CARD_NOTE}\n", styled(DIM, "note:")));
    }
    text
}
