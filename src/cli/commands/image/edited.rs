//! What an edit of an image needs and what comes of it, for all of them.

use std::path::{Path, PathBuf};

use clap::Args;
use serde::Serialize;

use crate::image::{EditError, Edited};

use super::super::super::ExitCode;
use super::super::super::error::Failure;
use super::super::super::output::Output;
use super::super::super::output_file::{Existing, must_be_another, must_not_exist, write_file};
use super::super::super::report::ByteChangeReport;
use super::source::Source;

/// Where the result goes.
#[derive(Debug, Args)]
pub(super) struct TargetArgs {
    /// File to write, - for stdout
    #[arg(short, long, value_name = "FILE", required_unless_present_any = ["in_place", "dry_run"])]
    output: Option<PathBuf>,

    /// Replace the file if it exists
    #[arg(long, requires = "output")]
    overwrite: bool,

    /// Put the result in the image's place, as a whole
    #[arg(long, conflicts_with = "output")]
    in_place: bool,

    /// Only show what would be changed
    #[arg(long)]
    dry_run: bool,
}

/// The same for a command that may also only show.
#[derive(Debug, Args)]
pub(super) struct OptionalTargetArgs {
    /// File to write, - for stdout
    #[arg(short, long, value_name = "FILE", requires = "change")]
    output: Option<PathBuf>,

    /// Replace the file if it exists
    #[arg(long, requires = "output")]
    overwrite: bool,

    /// Put the result in the image's place, as a whole
    #[arg(long, conflicts_with = "output", requires = "change")]
    in_place: bool,

    /// Only show what would be changed
    #[arg(long, requires = "change")]
    dry_run: bool,
}

impl OptionalTargetArgs {
    /// Where the result of a change goes.
    pub(super) fn required(&self) -> Result<TargetArgs, Failure> {
        if self.output.is_none() && !self.in_place && !self.dry_run {
            return Err(Failure::message(
                ExitCode::Usage,
                "where to write the changed image is not said",
            )
            .hint("name a new file with --output, or add --in-place"));
        }
        Ok(TargetArgs {
            output: self.output.clone(),
            overwrite: self.overwrite,
            in_place: self.in_place,
            dry_run: self.dry_run,
        })
    }
}

#[derive(Debug, Serialize)]
struct EditReport<'a> {
    schema: &'static str,
    file: &'a str,
    /// Where it was written to; null when nothing was.
    output: Option<String>,
    slot: usize,
    length: usize,
    changes: Vec<ByteChangeReport>,
    notes: Vec<String>,
}

impl TargetArgs {
    /// Refuses what cannot be written to before work is done in vain.
    pub(super) fn check(&self, output: Output, image: &Path) -> Result<(), Failure> {
        let to_stdout = self
            .output
            .as_deref()
            .is_some_and(|path| path.as_os_str() == "-");
        if output.json && to_stdout {
            return Err(Failure::message(
                ExitCode::Usage,
                "stdout cannot take the image and the report",
            )
            .hint("name a file with --output, or leave out --json"));
        }
        if self.in_place && image.as_os_str() == "-" {
            return Err(
                Failure::message(ExitCode::Usage, "stdin cannot be changed in place")
                    .hint("name a file with --output"),
            );
        }
        if let Some(path) = &self.output {
            must_be_another(path, image)?;
        }
        match &self.output {
            Some(path) if !self.overwrite && !self.dry_run => must_not_exist(path),
            _ => Ok(()),
        }
    }

    /// Says what was changed, and writes it.
    pub(super) fn write(
        &self,
        output: Output,
        schema: &'static str,
        image: &Path,
        source: &Source,
        edited: &Edited,
    ) -> Result<ExitCode, Failure> {
        for change in &edited.changes {
            output.status(format_args!(
                "{} at {:#010x}: {}",
                change.path, change.offset, change.what
            ));
        }
        if edited.changes.is_empty() {
            output.status("nothing is changed: it is so already");
        }
        for note in &edited.notes {
            output.warning(note);
        }
        let target = match &self.output {
            _ if self.dry_run => None,
            Some(path) if self.overwrite => Some((path.as_path(), Existing::Replaced)),
            Some(path) => Some((path.as_path(), Existing::Kept)),
            None => Some((image, Existing::Replaced)),
        };
        match target {
            Some((path, existing)) => write_file(output, path, &edited.bytes, existing)?,
            None => output.status("nothing was written (--dry-run)"),
        }
        let to_stdout = target.is_some_and(|(path, _)| path.as_os_str() == "-");
        if output.json && !to_stdout {
            output
                .document(&EditReport {
                    schema,
                    file: &source.name,
                    output: target.map(|(path, _)| path.display().to_string()),
                    slot: edited.slot,
                    length: edited.bytes.len(),
                    changes: edited.changes.iter().map(ByteChangeReport::from).collect(),
                    notes: edited.notes.clone(),
                })
                .map_err(|error| Failure::unwritten(&error))?;
        }
        Ok(ExitCode::Done)
    }
}

/// An edit was refused: why, and what to do about it.
pub(super) fn refused(source: &Source, error: &EditError) -> Failure {
    let mut reasons = Vec::new();
    let (code, hint) = match error {
        EditError::Damaged { .. } => (
            ExitCode::InvalidInput,
            "get the image again; `flexctl image check` says all that is wrong",
        ),
        EditError::RomDamaged { .. } => (
            ExitCode::InvalidInput,
            "`flexctl rom check` says all that is wrong with the ROM; --allow-damaged-rom takes it \
             as it is",
        ),
        EditError::RomLength { .. } => (
            ExitCode::InvalidInput,
            "a built ROM has whole blocks of 512 bytes; get or build it again",
        ),
        EditError::NoSuchSlot { .. } | EditError::WhichSlot { .. } => (
            ExitCode::Usage,
            "say which with --slot; `flexctl image info` shows both",
        ),
        EditError::HasRom { .. } => (
            ExitCode::Refused,
            "`flexctl image rom replace` puts another in its place",
        ),
        EditError::NoRom { .. } => (ExitCode::Refused, "`flexctl image rom insert` puts one in"),
        EditError::SignatureLost {
            secure_firmware, ..
        } => {
            reasons.push(
                if *secure_firmware {
                    "it is for cards with secure firmware: these check the signature and will \
                     refuse the changed image"
                } else {
                    "a card with secure firmware refuses an unsigned image; one without does not \
                     look at the signature"
                }
                .to_owned(),
            );
            (
                ExitCode::Refused,
                "--allow-unsigned changes it all the same; `mstflint -d CARD q full` says whether a \
                 card has secure firmware",
            )
        }
        EditError::OtherDevice { .. } => (
            ExitCode::Refused,
            "`flexctl rom patch --device-id` makes a ROM for another card of the same driver; \
             --allow-other-device takes it as it is",
        ),
        EditError::Unversioned => (
            ExitCode::Refused,
            "`flexctl rom patch --version X.Y.Z` adds one",
        ),
        EditError::TooLarge { .. } => (
            ExitCode::Refused,
            "a ROM with fewer features is smaller: see `flexctl rom info`",
        ),
        EditError::PatternCount { .. } => (
            ExitCode::Refused,
            "this image is not of the kind whose boot defaults are known; use `flexctl settings set` \
             on the card instead",
        ),
        EditError::BadValue { .. } | EditError::NoSuchDefault { .. } => (
            ExitCode::Usage,
            "`flexctl image defaults IMAGE` shows names and values",
        ),
        EditError::Lacks { .. } => (
            ExitCode::Refused,
            "`flexctl image info --sections` shows the parts of the image",
        ),
        _ => (
            ExitCode::Refused,
            "`flexctl image info` shows what the image is",
        ),
    };
    let mut failure = Failure::message(code, format!("{}: {error}", source.name));
    failure.messages.extend(reasons);
    failure.hint(hint)
}
