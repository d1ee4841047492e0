//! `flexctl image check`

use clap::Args;
use serde::Serialize;

use crate::image::{Finding, FindingKind, Firmware};

use super::super::super::ExitCode;
use super::super::super::args::GlobalArgs;
use super::super::super::context::output_of;
use super::super::super::error::Failure;
use super::super::super::findings_text::{Strictness, exit_code, findings_text};
use super::super::super::input_file::Loading;
use super::super::super::output::Output;
use super::super::super::report::{FindingCounts, FindingReport};
use super::source::LookArgs;

/// Check everything in an image that can be checked without a card
///
/// Structure, CRCs of all parts, the CRC over the whole image where it counts,
/// digests, pointers, limits of the flash. All findings are printed. Ends with 6
/// when one is an error, with --strict also for warnings. That nothing is found
/// does not mean that the code in the image is any good.
#[derive(Debug, Args)]
pub(super) struct CheckArgs {
    #[command(flatten)]
    source: LookArgs,

    /// Warnings count as errors
    #[arg(long)]
    strict: bool,

    /// Also make the file again from what was understood, and compare
    #[arg(long)]
    round_trip: bool,
}

#[derive(Debug, Serialize)]
struct CheckReport<'a> {
    schema: &'static str,
    file: &'a str,
    format: Option<&'static str>,
    slots: Vec<usize>,
    #[serde(flatten)]
    counts: FindingCounts,
    findings: Vec<FindingReport>,
}

pub(super) fn check(args: &CheckArgs, global: &GlobalArgs) -> Result<ExitCode, Failure> {
    let output = output_of(global);
    let source = args.source.load(Loading::Mapped, global)?;
    let parsed = Firmware::parse(&source.bytes, source.shape);
    let mut findings = parsed.findings;
    let Some(firmware) = parsed.tree else {
        return Err(source.no_firmware(&findings));
    };
    findings.extend(firmware.check());
    if args.round_trip {
        findings.extend(round_trip(&firmware, &source.bytes));
    }
    findings.sort_by_key(|finding| finding.offset);
    let strictness = if args.strict {
        Strictness::Strict
    } else {
        Strictness::Normal
    };
    let answer = if output.json {
        output.document(&CheckReport {
            schema: "flexctl.image-check/1",
            file: &source.name,
            format: Some(firmware.format()),
            slots: firmware.slots(),
            counts: FindingCounts::of(&findings),
            findings: findings.iter().map(FindingReport::from).collect(),
        })
    } else {
        output.answer(&findings_text(&source.name, &findings))
    };
    answer.map_err(|error| Failure::unwritten(&error))?;
    let code = exit_code(&findings, strictness);
    if code != ExitCode::Done {
        Output::hint("get the image again from where it comes from; do not burn this one");
    }
    Ok(code)
}

/// Where the file made from the tree differs from the file that was read. That
/// would be a mistake of flexctl's, and the image must not be edited with it.
fn round_trip(firmware: &Firmware<'_>, bytes: &[u8]) -> Option<Finding> {
    let mut offset = 0;
    for piece in firmware.layout().pieces() {
        let end = offset + piece.bytes.len();
        if bytes.get(offset..end) != Some(&*piece.bytes) {
            return Some(Finding::error(
                FindingKind::Mismatch,
                piece.path.clone(),
                offset as u64,
                "the file made again from its parts differs here",
            ));
        }
        offset = end;
    }
    (offset != bytes.len()).then(|| {
        Finding::error(
            FindingKind::Mismatch,
            "file",
            offset as u64,
            "the file made again from its parts has another length",
        )
        .expected_found(bytes.len(), offset)
    })
}
