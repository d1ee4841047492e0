//! A change to one card, from the lock to the report.

use std::sync::atomic::Ordering;

use crate::device::{
    Card, CardLock, CardReading, Journal, OpenCard, Origin, Unfinished, read_rom_facts,
};
use crate::hwdb::Applies;
use crate::settings::{
    BOOT_PATH, Detail, IpMode, Plan, PortSettings, PxeBoot, Reserved, RomFacts, Stored, TlvKey,
    Wanted, apply, goal, obstacles, plan, refuse_reserved,
};

use super::ExitCode;
use super::args::WriteArgs;
use super::confirm::{Answer, ask};
use super::context::Context;
use super::error::Failure;
use super::failure_hints::{Situation, apply_failure, command_failure, open_failure, plan_failure};
use super::output::{BAD, CARE, DIM, GOOD, TITLE, styled, table};
use super::report::{
    ChangeReport, ObstacleReport, Outcome, PortChangeReport, RomReport, UnfinishedReport,
    interfaces,
};

/// What shall be done to every card.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wish {
    /// Which IP versions.
    pub(super) mode: IpMode,
    /// Only this port.
    pub(super) port: Option<u8>,
    /// Whether the boot protocol is set too.
    pub(super) pxe: PxeBoot,
    /// What to do about reserved values.
    pub(super) reserved: Reserved,
    /// Dry run, confirmation.
    pub(super) write: WriteArgs,
}

/// Changes one card and says how it ended.
pub(super) fn change_card(ctx: &Context, card: &Card, wish: Wish) -> (ChangeReport, ExitCode) {
    let mut report = ChangeReport {
        card: card.selector(),
        model: card.model(),
        outcome: Outcome::Failed,
        ports: Vec::new(),
        rom: None,
        unfinished: None,
        backup: None,
        error: None,
    };
    let code = match change(ctx, card, wish, &mut report) {
        Ok(code) => code,
        Err(failure) => {
            failure.print();
            report.error = Some(failure.report());
            failure.code
        }
    };
    (report, code)
}

fn change(
    ctx: &Context,
    card: &Card,
    wish: Wish,
    report: &mut ChangeReport,
) -> Result<ExitCode, Failure> {
    let situation = Situation::of(&ctx.host, card);
    let _lock = if wish.write.dry_run {
        None
    } else {
        Some(CardLock::take(&ctx.folders, card, &ctx.lock_patience())?)
    };
    let mut open = OpenCard::open(card, &ctx.hwdb, &ctx.root, &ctx.shelf, &ctx.patience())
        .map_err(|error| open_failure(&error, &situation))?;
    for firmware in &open.firmwares {
        ctx.output.detail(format_args!(
            "{}: way in: {}",
            firmware.address(),
            firmware.gateway().name()
        ));
    }
    let reading = open
        .read(Detail::ForChange, Wanted::Holding(&BOOT_PATH))
        .map_err(|error| command_failure(&error, &situation))?;
    let journal = Journal::of(&ctx.folders, card);
    let unfinished = journal.unfinished()?;
    report.unfinished = unfinished
        .as_ref()
        .map(|record| unfinished_report(record, &reading.ports));

    let chosen = chosen_ports(&reading, wish.port)?;
    for port in &chosen {
        refuse_reserved(port, wish.reserved).map_err(|error| plan_failure(&error))?;
    }
    let wishes = goal(&chosen, wish.mode, wish.pxe);
    let plan =
        plan(&reading.ports, &wishes, wish.reserved).map_err(|error| plan_failure(&error))?;
    let rom = rom_facts(ctx, card, wish.mode);
    report.rom = RomReport::of(&rom);
    report.ports = port_reports(ctx, card, &chosen, &plan, &rom, wish);
    if !ctx.output.json {
        print_plan(ctx, card, report)?;
    }

    if plan.is_empty() {
        report.outcome = Outcome::Unchanged;
        if unfinished.is_some() && !wish.write.dry_run && wish.port.is_none() {
            // Every port holds what is wanted: nothing of the old run is left to do.
            journal.discard(None)?;
        }
        say(
            ctx,
            &styled(GOOD, "nothing to do: the card holds this already"),
        )?;
        return Ok(ExitCode::Done);
    }
    if wish.write.dry_run {
        report.outcome = Outcome::Planned;
        say(ctx, "dry run: nothing was written")?;
        return Ok(if wish.write.exit_code {
            ExitCode::Differs
        } else {
            ExitCode::Done
        });
    }
    if !confirmed(ctx, card, wish.write)? {
        report.outcome = Outcome::Declined;
        say(ctx, "nothing was written")?;
        return Ok(ExitCode::Failed);
    }
    // A wish for one port settles nothing for the others.
    let left_over = unfinished
        .as_ref()
        .filter(|_| wish.port.is_some())
        .and_then(|record| record.without(&plan));
    journal.begin(card, &plan, unfinished.as_ref())?;
    let outcome = carry_out(ctx, card, &mut open, &plan);
    match &outcome {
        Ok(()) | Err((_, After::DefaultsWrittenDown)) => journal.finish(left_over.as_ref())?,
        Err((_, After::NothingWritten)) => journal.discard(unfinished.as_ref())?,
        Err((_, After::Unsettled)) => {}
    }
    outcome.map_err(|(failure, after)| match after {
        After::NothingWritten => failure,
        After::DefaultsWrittenDown => failure.hint(format!(
            "what was set before is in {}",
            journal.backup_path().display()
        )),
        After::Unsettled => failure.hint(format!(
            "the values of before are in {}",
            journal.path().display()
        )),
    })?;
    report.outcome = Outcome::Changed;
    report.backup = Some(journal.backup_path().display().to_string());
    say(
        ctx,
        &format!(
            "{}, takes effect at the next boot {}",
            styled(GOOD, "written and read back"),
            styled(
                DIM,
                format_args!("(values of before: {})", journal.backup_path().display())
            )
        ),
    )?;
    Ok(ExitCode::Done)
}

/// What a failed plan left behind, for the record of the transaction.
enum After {
    /// The card holds what it held before.
    NothingWritten,
    /// The values of before, but TLVs that were not set hold them as their own.
    DefaultsWrittenDown,
    /// Old and new, or nobody knows.
    Unsettled,
}

fn carry_out(
    ctx: &Context,
    card: &Card,
    open: &mut OpenCard,
    plan: &Plan,
) -> Result<(), (Failure, After)> {
    let mut firmwares: Vec<_> = open.firmwares.iter_mut().collect();
    apply(&mut firmwares, plan).map(drop).map_err(|error| {
        let after = if !error.nothing_written() {
            After::Unsettled
        } else if error.defaults_written_down() {
            After::DefaultsWrittenDown
        } else {
            After::NothingWritten
        };
        (
            apply_failure(&error, &Situation::of(&ctx.host, card)),
            after,
        )
    })
}

fn confirmed(ctx: &Context, card: &Card, write: WriteArgs) -> Result<bool, Failure> {
    if write.yes || matches!(card.origin, Origin::Simulated(_)) {
        return Ok(true);
    }
    let question = format!("Write this to {}?", card.selector());
    let answer =
        ask(&question, &ctx.stop).map_err(|error| Failure::new(ExitCode::Failed, &error))?;
    match answer {
        Answer::Yes => Ok(true),
        Answer::No => Ok(false),
        Answer::NobodyThere => Err(Failure::message(
            ExitCode::Usage,
            "nobody can be asked whether to write: stdin or stderr is no terminal",
        )
        .hint("--yes writes without asking, --dry-run only shows the plan")),
    }
}

fn chosen_ports(reading: &CardReading, port: Option<u8>) -> Result<Vec<&PortSettings>, Failure> {
    let chosen: Vec<&PortSettings> = reading
        .ports
        .iter()
        .filter(|settings| port.is_none_or(|number| settings.port == number))
        .collect();
    match port {
        Some(port) if chosen.is_empty() => {
            Err(plan_failure(&crate::settings::PlanError::NoSuchPort {
                function: reading.ports.first().map(|settings| settings.function),
                port,
                ports: reading.ports.iter().map(|settings| settings.port).collect(),
            }))
        }
        _ => Ok(chosen),
    }
}

/// What the ROM says; nobody needs it to switch IPv6 off.
fn rom_facts(ctx: &Context, card: &Card, mode: IpMode) -> RomFacts {
    if !mode.has_ipv6() {
        return RomFacts::NotRead;
    }
    match OpenCard::first_function(card, &ctx.root, &ctx.shelf) {
        Ok(mut function) => read_rom_facts(function.as_mut()),
        Err(error) => RomFacts::CannotTell(error.to_string()),
    }
}

fn port_reports(
    ctx: &Context,
    card: &Card,
    ports: &[&PortSettings],
    plan: &Plan,
    rom: &RomFacts,
    wish: Wish,
) -> Vec<PortChangeReport> {
    ports
        .iter()
        .map(|port| {
            let in_the_way = if wish.mode.has_ipv6() {
                obstacles(&port.after(plan), rom, ctx.host.boot_mode)
            } else {
                Vec::new()
            };
            PortChangeReport::new(
                port.port,
                port.function.to_string(),
                interfaces(card, port),
                &plan.changes,
                in_the_way.iter().map(ObstacleReport::new).collect(),
            )
        })
        .collect()
}

/// What the card holds of a transaction that an earlier run did not finish.
pub(super) fn unfinished_report(record: &Unfinished, ports: &[PortSettings]) -> UnfinishedReport {
    let holds = |function: &str, key: &str| {
        ports
            .iter()
            .filter(|port| port.function.to_string() == function)
            .flat_map(|port| &port.tlvs)
            .find(|reading| key_text(reading.key) == key)
            .and_then(|reading| reading.next.as_ref().ok())
    };
    let state = record
        .tlvs
        .iter()
        .map(|tlv| {
            let what = match holds(&tlv.function, &tlv.key).map(Stored::to_string) {
                Some(now) if now == tlv.after => "holds the new value".to_owned(),
                Some(now) if now == tlv.before => "holds what it held before".to_owned(),
                Some(now) => format!("holds something else: {now}"),
                None => "cannot be read".to_owned(),
            };
            format!("port {} {} ({}) {what}", tlv.port, tlv.tlv, tlv.key)
        })
        .collect();
    UnfinishedReport {
        process: record.process,
        started_unix: record.started_unix,
        state,
    }
}

fn key_text(key: TlvKey) -> String {
    key.to_string()
}

fn print_plan(ctx: &Context, card: &Card, report: &ChangeReport) -> Result<(), Failure> {
    let mut text = format!(
        "{}\n",
        styled(
            TITLE,
            format_args!("{} at {}", report.model, card.selector())
        )
    );
    if let Some(unfinished) = &report.unfinished {
        text.push_str(&format!(
            "  {} an earlier run (process {}) ended before it had finished:\n",
            styled(CARE, "note:"),
            unfinished.process
        ));
        for state in &unfinished.state {
            text.push_str(&format!("    {state}\n"));
        }
    }
    let mut rows = Vec::new();
    for port in &report.ports {
        for setting in &port.settings {
            let from = if setting.from_base == crate::settings::Base::Defaults {
                format!("{} (the card's default)", setting.from)
            } else {
                setting.from.clone()
            };
            let change = if setting.changes {
                let when = match setting.applies {
                    Applies::Boot => "from the next boot on",
                    Applies::FirmwareReset => "after a reset of the firmware",
                };
                format!(
                    "{from} -> {}\t{}",
                    styled(GOOD, &setting.to),
                    styled(DIM, when)
                )
            } else {
                format!("{from} {}", styled(DIM, "(stays)"))
            };
            rows.push(format!(
                "port {}\t{}\t{}\t{change}",
                port.port,
                port.interfaces.join(","),
                setting.name
            ));
        }
    }
    for port in report.ports.iter().filter(|port| port.settings.is_empty()) {
        // Only switching off meets a card without the switch.
        rows.push(format!(
            "port {}\t{}\tIP_VER\t{}",
            port.port,
            port.interfaces.join(","),
            styled(DIM, "not offered by this card, which boots over IPv4 only")
        ));
    }
    text.push_str(&table("  ", &rows));
    text.push_str(&obstacle_lines(report));
    ctx.output
        .answer(&text)
        .map_err(|error| Failure::unwritten(&error))
}

/// One line an obstacle; what all ports share is said once.
fn obstacle_lines(report: &ChangeReport) -> String {
    let mut lines: Vec<(String, Vec<u8>)> = Vec::new();
    for port in &report.ports {
        for obstacle in &port.obstacles {
            let style = if obstacle.certain { BAD } else { CARE };
            let label = if obstacle.certain {
                "in the way:"
            } else {
                "to check:"
            };
            let line = format!("{} {}", styled(style, label), obstacle.text);
            match lines.iter_mut().find(|(known, _)| *known == line) {
                Some((_, ports)) => ports.push(port.port),
                None => lines.push((line, vec![port.port])),
            }
        }
    }
    let mut text = String::new();
    for (line, ports) in lines {
        let which = if ports.len() == report.ports.len() {
            String::new()
        } else {
            let numbers: Vec<String> = ports.iter().map(u8::to_string).collect();
            format!("port {}: ", numbers.join(", "))
        };
        text.push_str(&format!("  {which}{line}\n"));
    }
    text
}

fn say(ctx: &Context, line: &str) -> Result<(), Failure> {
    if ctx.output.json {
        return Ok(());
    }
    ctx.output
        .answer(&format!("  {line}\n"))
        .map_err(|error| Failure::unwritten(&error))
}

/// Whether somebody asked to stop.
pub(super) fn stop_requested(ctx: &Context) -> bool {
    ctx.stop.load(Ordering::Relaxed)
}
