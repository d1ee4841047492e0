//! `flexctl settings set`

use std::io::Read;
use std::path::Path;

use clap::Args;

use crate::device::{Card, CardReading, ChangeKind, OpenCard};
use crate::hwdb::{Device, Place, Scope};
use crate::settings::{Assignment, Reserved, SettingName, Wanted, plan};

use super::super::super::ExitCode;
use super::super::super::args::WriteArgs;
use super::super::super::change::{Job, Planned, Purpose, change_together, chosen_ports};
use super::super::super::context::Context;
use super::super::super::error::Failure;
use super::super::super::failure_hints::{
    name_failure, one_port, plan_failure, unknown_here, value_failure,
};

/// Longest value that is read from a file; the longest text of a card has 256 bytes.
const LONGEST_VALUE: u64 = 4096;

/// Change settings by name
///
/// Several settings are one plan: all are checked before the first is written,
/// all are read back, and all go back when one of them fails. Bits that no
/// setting names stay as they are. Without --device on all supported cards of
/// this host; nothing is written anywhere unless every card can be changed.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  flexctl settings set -d 04:00.0 IP_VER=IPv6 BOOT_VLAN_EN=true BOOT_VLAN=7
  flexctl settings set -d 04:00.0 LEGACY_BOOT_PROTOCOL_P1=PXE --dry-run
  flexctl settings set -d 04:00.0 ISCSI_INITIATOR_CHAP_PASSWORD=@chap.txt")]
pub(super) struct SetArgs {
    /// What to set
    ///
    /// The value is a name, a number (0x for hexadecimal) or a text. NAME=@FILE
    /// takes a text from the first line of a file, NAME=@- from stdin: for
    /// passwords, which others could see among the arguments of a process.
    #[arg(required = true, value_name = "NAME=VALUE")]
    assignments: Vec<String>,

    /// Only this port, counted from 1
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(1..))]
    port: Option<u8>,

    /// Go on although another field of a setting's TLV holds a value that no source
    /// defines
    #[arg(long)]
    allow_reserved: bool,

    #[command(flatten)]
    write: WriteArgs,
}

/// Names with values as they were written.
struct SetJob {
    assignments: Vec<(SettingName, String)>,
    bases: Vec<String>,
    port: Option<u8>,
    reserved: Reserved,
}

pub(super) fn set(args: &SetArgs, ctx: &Context) -> Result<ExitCode, Failure> {
    let assignments = args
        .assignments
        .iter()
        .map(|text| assignment(text))
        .collect::<Result<Vec<_>, Failure>>()?;
    let job = SetJob {
        bases: assignments
            .iter()
            .map(|(name, _)| name.base.clone())
            .collect(),
        assignments,
        port: args.port,
        reserved: if args.allow_reserved {
            Reserved::Allow
        } else {
            Reserved::Refuse
        },
    };
    for (name, _) in &job.assignments {
        one_port(name, job.port)?;
    }
    let cards = ctx.chosen()?;
    // A wrong name or value is told before any card is opened.
    for card in &cards {
        if let Some(device) = card.supported() {
            job.check_words(ctx, device)?;
        }
    }
    let jobs = cards.iter().map(|card| (card, &job as &dyn Job)).collect();
    change_together(
        ctx,
        "flexctl.settings-set/1",
        jobs,
        Purpose::Change(args.write),
    )
}

fn assignment(text: &str) -> Result<(SettingName, String), Failure> {
    let Some((name, value)) = text.split_once('=') else {
        // What follows the name may be a secret.
        let is_name = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
        let end = text.find(|letter| !is_name(letter));
        let shown = end.map_or_else(|| text.to_owned(), |end| format!("{}...", &text[..end]));
        return Err(
            Failure::message(ExitCode::Usage, format!("`{shown}` is not NAME=VALUE"))
                .hint("as in: flexctl settings set IP_VER=IPv6"),
        );
    };
    let value = match value.strip_prefix('@') {
        Some(path) => first_line(path)?,
        None => value.to_owned(),
    };
    Ok((SettingName::parse(name), value))
}

/// Opens a file, and nothing that would have to be waited for.
fn open_regular(path: &Path) -> std::io::Result<std::fs::File> {
    if !std::fs::metadata(path)?.is_file() {
        return Err(std::io::Error::other("it is no regular file"));
    }
    std::fs::File::open(path)
}

/// The first line of a file, or of stdin for `-`.
fn first_line(path: &str) -> Result<String, Failure> {
    let mut text = String::new();
    let read = if path == "-" {
        std::io::stdin()
            .take(LONGEST_VALUE)
            .read_to_string(&mut text)
    } else {
        open_regular(Path::new(path))
            .and_then(|file| file.take(LONGEST_VALUE).read_to_string(&mut text))
    };
    read.map_err(|error| {
        let mut failure = Failure::message(
            ExitCode::InvalidInput,
            format!("cannot read the value from `{path}`"),
        );
        failure.messages.push(error.to_string());
        failure.hint("NAME=@FILE takes the first line of FILE as the value")
    })?;
    Ok(text.lines().next().unwrap_or_default().to_owned())
}

impl SetJob {
    /// Whether every name and value means something on cards of a generation.
    fn check_words(&self, ctx: &Context, device: &Device) -> Result<(), Failure> {
        let file = ctx.hwdb.settings(device);
        for (name, value) in &self.assignments {
            let (_, field) = name
                .resolve(file)
                .map_err(|error| unknown_here(ctx, device, name, &error))?;
            let from_file = matches!(field.place, Place::Text(_));
            field
                .parse(value)
                .map_err(|error| value_failure(&error, from_file))?;
        }
        Ok(())
    }
}

impl Job for SetJob {
    fn kind(&self) -> ChangeKind {
        ChangeKind::Set
    }

    fn wanted(&self) -> Wanted<'_> {
        Wanted::Holding(&[])
    }

    fn wanted_names(&self) -> Option<Vec<&str>> {
        Some(self.bases.iter().map(String::as_str).collect())
    }

    fn plan(
        &self,
        _ctx: &Context,
        _card: &Card,
        open: &mut OpenCard,
        reading: &CardReading,
    ) -> Result<Planned, Failure> {
        let mut wishes = Vec::new();
        for (name, value) in &self.assignments {
            let (tlv, field) = name
                .resolve(&open.settings)
                .map_err(|error| name_failure(&error))?;
            let value = field
                .parse(value)
                .map_err(|error| value_failure(&error, false))?;
            if tlv.scope == Scope::Card {
                wishes.push(Assignment::set(0, &field.name, value));
                continue;
            }
            for port in chosen_ports(reading, one_port(name, self.port)?)? {
                wishes.push(Assignment::set(port.port, &field.name, value.clone()));
            }
        }
        let plan =
            plan(&reading.ports, &wishes, self.reserved).map_err(|error| plan_failure(&error))?;
        Ok(Planned::new(plan, reading))
    }
}
