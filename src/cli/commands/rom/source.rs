//! Where a ROM comes from: a file, stdin, or a card.

use std::path::{Path, PathBuf};

use clap::Args;

use crate::device::OpenCard;
use crate::image::option_rom::CodeType;
use crate::image::{EditError, FileBytes, Finding, FindingKind, ImageKind};
use crate::pci::FunctionError;

use super::super::super::ExitCode;
use super::super::super::args::GlobalArgs;
use super::super::super::context::Context;
use super::super::super::error::Failure;
use super::super::super::failure_hints::{Situation, open_failure, rom_failure};
use super::super::super::input_file::{Loading, load, name_of};

/// A host shows no more of a ROM.
pub(super) const CARD_NOTE: &str = "a host shows the ROM of a card up to its last image: a version \
     record behind that, where FlexBoot's releases have it, is not seen this way";

/// Which ROM.
#[derive(Debug, Args)]
pub(super) struct SourceArgs {
    /// ROM file, - for stdin; without it the ROM of the cards named with --device
    #[arg(value_name = "FILE")]
    pub(super) file: Option<PathBuf>,
}

/// A ROM and where it comes from.
#[derive(Debug)]
pub(super) struct Source {
    /// Path of the file, or the card as a selector.
    pub(super) name: String,
    pub(super) bytes: FileBytes,
    pub(super) of_card: bool,
}

impl SourceArgs {
    /// Loads what was named. Cards are several when several were named.
    pub(super) fn load(&self, global: &GlobalArgs) -> Result<Vec<Source>, Failure> {
        match (&self.file, global.device.is_empty()) {
            (Some(path), true) => Ok(vec![load_file(path)?]),
            (None, false) => load_cards(global),
            (Some(_), false) => Err(Failure::message(
                ExitCode::Usage,
                "both a file and a card are named",
            )
            .hint("leave out the file, or --device")),
            (None, true) => Err(Failure::message(ExitCode::Usage, "no ROM is named").hint(
                "name a ROM file, or a card with --device, as in: flexctl rom info -d 04:00.0",
            )),
        }
    }

    /// The same where only one can be worked on.
    pub(super) fn load_one(&self, global: &GlobalArgs) -> Result<Source, Failure> {
        let mut sources = self.load(global)?;
        match (sources.pop(), sources.is_empty()) {
            (Some(source), true) => Ok(source),
            _ => Err(
                Failure::message(ExitCode::Usage, "not exactly one card is named")
                    .hint("name one card with --device"),
            ),
        }
    }
}

/// Loads a file, or stdin for `-`.
pub(super) fn load_file(path: &Path) -> Result<Source, Failure> {
    // Read, not mapped: it may be the file that is going to be replaced.
    Ok(Source {
        name: name_of(path),
        bytes: load(path, Loading::Read, "an expansion ROM file")?,
        of_card: false,
    })
}

fn load_cards(global: &GlobalArgs) -> Result<Vec<Source>, Failure> {
    let ctx = Context::new(global)?;
    let mut sources = Vec::new();
    for card in ctx.chosen()? {
        let situation = Situation::of(&ctx.host, &card);
        let mut function = OpenCard::first_function(&card, &ctx.root, &ctx.shelf)
            .map_err(|error| open_failure(&error, &situation))?;
        let bytes = function
            .read_option_rom()
            .map_err(|error: FunctionError| rom_failure(&error, &situation))?;
        sources.push(Source {
            name: card.selector(),
            bytes: bytes.into(),
            of_card: true,
        });
    }
    Ok(sources)
}

impl Source {
    /// What a finding means here: of a card, not all of the ROM is seen.
    pub(super) fn adapt(&self, findings: &mut [Finding]) {
        if !self.of_card {
            return;
        }
        for finding in findings {
            if finding.kind == FindingKind::Missing && finding.path == "version-record" {
                *finding = Finding::note(
                    FindingKind::NotChecked,
                    finding.path.clone(),
                    finding.offset,
                    "no version record is seen",
                );
            }
        }
    }

    /// It is no expansion ROM at all.
    pub(super) fn no_rom(&self, findings: &[Finding]) -> Failure {
        let mut failure = Failure::message(
            ExitCode::InvalidInput,
            format!("{}: no expansion ROM", self.name),
        );
        failure
            .messages
            .extend(findings.iter().map(Finding::to_string));
        self.hint_of_kind(failure)
    }

    /// An edit was refused.
    pub(super) fn refused(&self, error: &EditError) -> Failure {
        let (code, hint) = match error {
            EditError::Damaged { findings } if !looks_like_rom(findings) => {
                return self.no_rom(findings);
            }
            EditError::Damaged { findings } => (
                ExitCode::InvalidInput,
                if findings
                    .iter()
                    .any(|finding| finding.kind == FindingKind::BadChecksum)
                {
                    "get the file again; if it was changed on purpose, `flexctl rom patch \
                     --fix-checksums` corrects its sums"
                } else {
                    "get the file again; `flexctl rom check` says all that is wrong"
                },
            ),
            EditError::RomDamaged { .. } => (
                ExitCode::InvalidInput,
                "--with-efi takes an expansion ROM with an EFI image (.efirom), not an .efi program",
            ),
            EditError::BadValue { field, .. } if field.contains("EFI image") => (
                ExitCode::Refused,
                "take the EFI ROM of this card, or set the id of all images with --device-id",
            ),
            EditError::BadValue { .. } | EditError::PatternCount { .. } => (
                ExitCode::Usage,
                "`flexctl rom info` shows the version records; --product says which is meant",
            ),
            EditError::Lacks { part, .. } if part.starts_with("version record") => {
                (ExitCode::Usage, "give --version X.Y.Z")
            }
            EditError::Unsupported { .. } => (
                ExitCode::Refused,
                "change the ROM with the tools of its maker",
            ),
            _ => (
                ExitCode::InvalidInput,
                "`flexctl rom info` shows what is inside",
            ),
        };
        let mut failure = Failure::message(code, format!("{}: {error}", self.name));
        failure.hints.push(hint.to_owned());
        failure
    }

    fn hint_of_kind(&self, failure: Failure) -> Failure {
        match ImageKind::of(&self.bytes) {
            Some(kind) if kind != ImageKind::OptionRom => failure.hint(format!(
                "this is {} firmware: `flexctl image rom extract` takes its ROM out",
                kind.name()
            )),
            _ if self.bytes.starts_with(b"MZ") => failure
                .hint("this is an EFI or DOS program: iPXE's efirom makes a ROM of an EFI driver"),
            _ => failure.hint("an expansion ROM begins with the bytes 55 AA"),
        }
    }
}

fn looks_like_rom(findings: &[Finding]) -> bool {
    !findings
        .iter()
        .any(|finding| finding.path == "image0/header/signature")
}

/// The name of an image for people.
pub(super) fn image_title(index: usize, code: CodeType) -> String {
    format!("image {index}: {code}")
}
