//! `flexctl sim`

mod flash;

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde::Serialize;

use crate::sim::fuse::{Guard, RunError, RunOptions, exec_child, run};
use crate::sim::{Card, Counters, FaultPlan, FlashCounters, Shelf, profiles};

use super::super::ExitCode;
use super::super::error::Failure;
use super::super::output::{DIM, Output, TITLE, styled, table};
use flash::{BootState, FlashArgs, flash};

/// Work with virtual cards
///
/// A virtual card is made from a profile and keeps its state, so that sim:NAME
/// is the same card in the next command. It behaves as mstflint 4.21 and
/// FlexBoot's source expect of a card; nothing was compared with real silicon.
/// FLEXCTL_SIM_DIR names another folder to keep cards in.
#[derive(Debug, Args)]
pub(in crate::cli) struct SimArgs {
    #[command(subcommand)]
    command: SimCommand,
}

#[derive(Debug, Subcommand)]
enum SimCommand {
    Run(RunArgs),
    /// Make a card from a profile
    New {
        /// Name of the card
        name: String,
        /// Profile to make it from
        profile: String,
        /// Faults to inject, as in `sim fault`
        #[arg(long, value_name = "PLAN", default_value_t)]
        fault: FaultPlan,
    },
    /// List cards and profiles
    List,
    /// Show what a card holds: settings, counters, held semaphores, what it boots
    State {
        /// Name of the card
        name: String,
    },
    /// Power cards off and on: next values become current, semaphores are free
    Reboot {
        /// Names of the cards
        #[arg(required = true)]
        names: Vec<String>,
    },
    Fault(FaultArgs),
    Flash(FlashArgs),
    /// Store raw bytes for a TLV of a card, or delete it
    Seed {
        /// Name of the card
        name: String,
        /// PCI function of the card, counted from 0
        #[arg(long, default_value_t = 0)]
        function: u8,
        /// Type, as in 0x2001 or 0x03000195
        #[arg(value_parser = number)]
        tlv: u32,
        /// Port of a ConnectX-3 TLV; 0 for the card
        #[arg(long, default_value_t = 0)]
        modifier: u8,
        /// Data in hexadecimal; empty to delete the TLV
        data: String,
    },
    /// Throw cards away
    Remove {
        /// Names of the cards
        #[arg(required = true)]
        names: Vec<String>,
    },
}

/// Run a command that sees virtual cards in /sys/bus/pci/devices
///
/// The cards are the only PCI functions that the command sees; nothing outside
/// of it changes, and nothing stays mounted, whatever ends it. Works without root
/// where /dev/fuse and user namespaces are allowed.
///
///   flexctl sim run connectx-3 connectx-4 -- mstconfig -d 04:00.0 query
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
struct RunArgs {
    /// Cards or profiles to show
    #[arg(required = true, value_name = "CARD")]
    cards: Vec<String>,

    /// Use fresh cards that are forgotten afterwards
    #[arg(long)]
    ephemeral: bool,

    /// Write what was done to the cards to this file as JSON
    #[arg(long, value_name = "FILE")]
    stats: Option<PathBuf>,

    /// The command and its arguments, after --
    #[arg(last = true, required = true, value_name = "COMMAND")]
    command: Vec<OsString>,
}

/// Plan what goes wrong with a card
///
/// A plan is a list of faults with commas between them; an empty plan ends them.
/// K counts from 1 and from the moment the plan is set.
///
///   stuck-busy, stuck-busy@K      a command never finishes
///   hold-semaphore=vsec|icmd|hcr|flash
///                                 somebody died holding a semaphore
///   status=0x22, status=0x22@K    a command answers this status
///   all-ones@K                    gone from the bus from the K-th access on
///   power-cut@K                   power fails after the K-th settings write
///   power-cut-access@K            power fails at the K-th access
///   lost-write@K, corrupt-write@K a settings write is not stored, or wrongly
///   foreign-change@K              another program changes the setting first
///   kill@K, interrupt@K           the program at the card gets SIGKILL or SIGINT
///   flash-power-cut@K             power fails after the K-th program or erase
///   flash-torn@K                  power fails in the middle of it
///   flash-erase-fail@K            the K-th erase erases half of its block
///   flash-read-flip@K             the K-th read of the flash has a wrong bit
///   flash-lost-lock@K             somebody else takes the flash before the K-th
///                                 program or erase
///   flash-stuck-bit=ADDRESS[:BIT] a bit of the flash cannot be programmed
///   flash-protected               all of the flash is write protected
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
struct FaultArgs {
    /// Name of the card
    name: String,
    /// The plan
    plan: FaultPlan,
}

/// Become the command of `sim run`.
#[derive(Debug, Args)]
pub(in crate::cli) struct SimExecArgs {
    #[arg(last = true, required = true)]
    command: Vec<OsString>,
}

#[derive(Debug, Serialize)]
struct StateReport {
    schema: &'static str,
    cards: Vec<CardState>,
}

#[derive(Debug, Serialize)]
struct CardState {
    name: String,
    profile: String,
    description: String,
    reboots: u32,
    faults: String,
    counters: Counters,
    boot: BootState,
    flash: FlashCounters,
    settings: Vec<SettingState>,
    held_semaphores: Vec<SemaphoreState>,
}

#[derive(Debug, Serialize)]
struct SettingState {
    place: String,
    tlv: String,
    data: String,
}

#[derive(Debug, Serialize)]
struct SemaphoreState {
    name: String,
    value: u32,
}

#[derive(Debug, Serialize)]
struct ListReport {
    schema: &'static str,
    cards: Vec<String>,
    profiles: Vec<ProfileReport>,
}

#[derive(Debug, Serialize)]
struct ProfileReport {
    name: &'static str,
    description: &'static str,
}

pub(in crate::cli) fn sim(args: &SimArgs, output: Output) -> Result<u8, Failure> {
    let shelf = Shelf::open(Shelf::default_directory()?);
    match &args.command {
        SimCommand::Run(args) => return run_command(args, &shelf),
        SimCommand::New {
            name,
            profile,
            fault,
        } => {
            shelf.create(name, profile)?.set_faults(fault.clone());
            output.status(format_args!("made sim:{name} from {profile}"));
        }
        SimCommand::List => list(&shelf, output)?,
        SimCommand::State { name } => state(&shelf, name, output)?,
        SimCommand::Reboot { names } => {
            for name in names {
                shelf.card(name)?.reboot();
                output.status(format_args!("sim:{name} was powered off and on"));
            }
        }
        SimCommand::Fault(args) => {
            shelf.card(&args.name)?.set_faults(args.plan.clone());
            output.status(format_args!("sim:{} has a new plan", args.name));
        }
        SimCommand::Flash(args) => flash(args, &shelf, output)?,
        SimCommand::Seed {
            name,
            function,
            tlv,
            modifier,
            data,
        } => seed(&shelf, name, (*function, *tlv, *modifier), data)?,
        SimCommand::Remove { names } => {
            for name in names {
                shelf.remove(name)?;
                output.status(format_args!("sim:{name} was thrown away"));
            }
        }
    }
    Ok(ExitCode::Done as u8)
}

/// Does not come back when it works.
pub(in crate::cli) fn sim_exec(args: &SimExecArgs) -> u8 {
    let error = exec_child(&args.command);
    Failure::new(ExitCode::Failed, &error)
        .hint("is it installed, and spelled like that?")
        .print();
    error.exit_code()
}

fn run_command(args: &RunArgs, shelf: &Shelf) -> Result<u8, Failure> {
    let own = Shelf::memory();
    let shelf = if args.ephemeral { &own } else { shelf };
    let cards = args
        .cards
        .iter()
        .map(|name| shelf.card(name))
        .collect::<Result<Vec<Card>, _>>()?;
    let program =
        std::env::current_exe().map_err(|error| Failure::new(ExitCode::Failed, &error))?;
    let options = RunOptions {
        guard: Guard::Reexec(vec![program.into(), "__sim-exec".into(), "--".into()]),
        ..RunOptions::default()
    };
    let code = run(&cards, &args.command, &options).map_err(|error| run_failure(&error))?;
    if let Some(path) = &args.stats {
        let document = StateReport {
            schema: "flexctl.sim-state/1",
            cards: cards.iter().map(card_state).collect(),
        };
        let text = serde_json::to_string_pretty(&document)
            .map_err(|error| Failure::new(ExitCode::Failed, &error))?;
        std::fs::write(path, text + "\n").map_err(|error| {
            Failure::message(
                ExitCode::Failed,
                format!("cannot write `{}`: {error}", path.display()),
            )
            .hint("--stats needs a file in a folder that is there")
        })?;
    }
    Ok(code)
}

fn run_failure(error: &RunError) -> Failure {
    let failure = Failure::new(ExitCode::Failed, error);
    match error {
        RunError::Command { .. } => failure.hint("is it installed, and spelled like that?"),
        _ => failure.hint(
            "it needs /dev/fuse, and the right to mount: root, or user namespaces for everybody \
             (sysctl kernel.unprivileged_userns_clone=1 on Debian)",
        ),
    }
}

fn list(shelf: &Shelf, output: Output) -> Result<(), Failure> {
    let cards = shelf.list()?;
    if output.json {
        return printed(
            output.document(&ListReport {
                schema: "flexctl.sim-list/1",
                cards,
                profiles: profiles()
                    .into_iter()
                    .map(|profile| ProfileReport {
                        name: profile.name,
                        description: profile.description,
                    })
                    .collect(),
            }),
        );
    }
    let mut text = format!("{}\n", styled(TITLE, "cards"));
    if cards.is_empty() {
        text.push_str("  none yet: a profile becomes a card when it is first used\n");
    }
    for card in cards {
        text.push_str(&format!("  sim:{card}\n"));
    }
    text.push_str(&format!("{}\n", styled(TITLE, "profiles")));
    let rows: Vec<String> = profiles()
        .into_iter()
        .map(|profile| format!("{}\t{}", profile.name, styled(DIM, profile.description)))
        .collect();
    text.push_str(&table("  ", &rows));
    printed(output.answer(&text))
}

fn state(shelf: &Shelf, name: &str, output: Output) -> Result<(), Failure> {
    let card = card_state(&shelf.card(name)?);
    if output.json {
        return printed(output.document(&StateReport {
            schema: "flexctl.sim-state/1",
            cards: vec![card],
        }));
    }
    let mut text = format!(
        "{} {}\n",
        styled(TITLE, format_args!("sim:{}", card.name)),
        card.description
    );
    let counters = card.counters;
    let mut rows = vec![
        format!("profile\t{}", card.profile),
        format!("reboots\t{}", card.reboots),
        format!(
            "faults\t{}",
            if card.faults.is_empty() {
                "none"
            } else {
                &card.faults
            }
        ),
        format!(
            "config space\t{} reads, {} writes",
            counters.config_reads, counters.config_writes
        ),
        format!(
            "BARs\t{} reads, {} writes",
            counters.bar_reads, counters.bar_writes
        ),
        format!(
            "commands\t{}, {} of them to change settings",
            counters.commands, counters.tlv_writes
        ),
        format!("flash\t{}", flash::in_words(&card.flash)),
        format!("boots\t{}", card.boot),
    ];
    rows.extend(
        card.held_semaphores
            .iter()
            .map(|held| format!("held\t{} (value {:#x})", held.name, held.value)),
    );
    text.push_str(&table("  ", &rows));
    let rows: Vec<String> = card
        .settings
        .iter()
        .map(|setting| format!("{}\t{}\t{}", setting.place, setting.tlv, setting.data))
        .collect();
    text.push_str(&table("  ", &rows));
    printed(output.answer(&text))
}

fn card_state(card: &Card) -> CardState {
    CardState {
        name: card.name().to_owned(),
        profile: card.profile(),
        description: card.description(),
        reboots: card.reboots(),
        faults: card.faults().to_string(),
        counters: card.counters(),
        boot: BootState::of(&card.boot()),
        flash: card.flash_counters(),
        settings: card
            .settings()
            .iter()
            .map(|setting| SettingState {
                place: setting.place.to_string(),
                tlv: format!("{:#x}", setting.kind),
                data: setting
                    .data
                    .iter()
                    .map(|byte| format!("{byte:02x}"))
                    .collect(),
            })
            .collect(),
        held_semaphores: card
            .held_semaphores()
            .into_iter()
            .map(|held| SemaphoreState {
                name: held.name,
                value: held.value,
            })
            .collect(),
    }
}

fn seed(
    shelf: &Shelf,
    name: &str,
    (function, tlv, modifier): (u8, u32, u8),
    data: &str,
) -> Result<(), Failure> {
    let card = shelf.card(name)?;
    if data.is_empty() {
        card.unset_tlv(function, tlv, modifier);
        return Ok(());
    }
    let bytes = hex_bytes(data).ok_or_else(|| {
        Failure::message(
            ExitCode::Usage,
            format!("`{data}` is not data in hexadecimal"),
        )
        .hint("two digits a byte, as in 00000200")
    })?;
    Ok(card.seed_tlv(function, tlv, modifier, &bytes)?)
}

fn hex_bytes(text: &str) -> Option<Vec<u8>> {
    let digits = text.as_bytes();
    if !digits.len().is_multiple_of(2) || !digits.iter().all(u8::is_ascii_hexdigit) {
        return None;
    }
    digits
        .chunks(2)
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok())
        .collect()
}

fn number(text: &str) -> Result<u32, String> {
    let parsed = match text.strip_prefix("0x") {
        Some(digits) => u32::from_str_radix(digits, 16),
        None => text.parse(),
    };
    parsed.map_err(|error| error.to_string())
}

fn printed(outcome: std::io::Result<()>) -> Result<(), Failure> {
    outcome.map_err(|error| Failure::unwritten(&error))
}
