//! `flexctl list`

use clap::Args;
use serde::Serialize;

use crate::device::Card;
use crate::settings::RomFacts;

use super::super::ExitCode;
use super::super::context::Context;
use super::super::error::Failure;
use super::super::listing::{CardAnswer, open_all};
use super::super::output::{BAD, CARE, DIM, GOOD, Output, styled, table};
use super::super::report::{CardReport, PortReport, RomReport};

/// List cards, their firmware and the IPv6 boot state of every port
///
/// Every card is opened on its own, all at once and each with a deadline, so one
/// dead card costs its own row only. Expansion ROMs are not read: that would
/// switch them on for a moment (--rom does it, show does it). The table may
/// change without notice; --json is stable.
#[derive(Debug, Args)]
pub(in crate::cli) struct ListArgs {
    /// Only list what the host says, open no card
    #[arg(long)]
    no_open: bool,

    /// Read FlexBoot's version from the expansion ROMs too
    #[arg(long, conflicts_with = "no_open")]
    rom: bool,

    /// How long a card may take, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..=600))]
    deadline: u64,
}

#[derive(Debug, Serialize)]
struct ListReport {
    schema: &'static str,
    cards: Vec<CardReport>,
}

pub(in crate::cli) fn list(args: &ListArgs, ctx: &Context) -> Result<ExitCode, Failure> {
    let cards = ctx.listed()?;
    let answers = if args.no_open {
        cards.iter().map(|_| None).collect()
    } else {
        open_all(ctx, &cards, args.deadline, args.rom)
    };
    let mut reports = Vec::with_capacity(cards.len());
    let mut codes = Vec::new();
    let mut failures = Vec::new();
    for (card, answer) in cards.iter().zip(answers) {
        let report = CardReport::listed(card);
        reports.push(match answer {
            None => report,
            Some(Ok(answer)) => {
                codes.push(ExitCode::Done);
                opened(card, report, &answer)
            }
            Some(Err(failure)) => {
                codes.push(failure.code);
                let error = Some(failure.report());
                failures.push(failure);
                CardReport { error, ..report }
            }
        });
    }
    if ctx.output.json {
        let document = ListReport {
            schema: "flexctl.list/1",
            cards: reports,
        };
        print(ctx.output.document(&document))?;
    } else {
        print(ctx.output.answer(&human(&reports, args)))?;
        for report in &reports {
            explain(ctx.output, report);
        }
    }
    for failure in &failures {
        failure.print();
    }
    if cards.is_empty() {
        let failure = Failure::message(
            ExitCode::NoSuchDevice,
            format!(
                "no Mellanox card was found under `{}`",
                ctx.root.path().display()
            ),
        );
        failure
            .hint(
                "lspci -d 15b3: shows what the host sees; sim:connectx-4 is a virtual card to try",
            )
            .print();
        return Ok(ExitCode::NoSuchDevice);
    }
    Ok(ExitCode::of_all(&codes))
}

fn print(outcome: std::io::Result<()>) -> Result<(), Failure> {
    outcome.map_err(|error| Failure::unwritten(&error))
}

/// A card's report with what it said.
pub(super) fn opened(card: &Card, report: CardReport, answer: &CardAnswer) -> CardReport {
    let mut report = report.with_reading(&answer.reading);
    report.rom = RomReport::of(&answer.rom);
    report.ports = answer
        .reading
        .ports
        .iter()
        .map(|port| PortReport::new(card, port, &answer.obstacles(port)))
        .collect();
    if answer.rom == RomFacts::NotRead {
        // Obstacles without the ROM would be half the truth.
        for port in &mut report.ports {
            port.obstacles.clear();
        }
    }
    report
}

fn human(reports: &[CardReport], args: &ListArgs) -> String {
    if reports.is_empty() {
        return String::new();
    }
    let mut head = vec!["CARD", "MODEL"];
    if args.no_open {
        head.extend(["DRIVER", "INTERFACES"]);
    } else {
        head.extend(["FIRMWARE", "PORT", "INTERFACE", "IPV6 BOOT"]);
    }
    if args.rom {
        head.push("EXPANSION ROM");
    }
    let mut rows = vec![styled(DIM, head.join("\t"))];
    for report in reports {
        if args.no_open || report.ports.is_empty() {
            rows.push(closed_row(report, args.no_open));
        } else {
            port_rows(report, args.rom, &mut rows);
        }
        rows.extend(virtual_row(report, head.len()));
    }
    table("", &rows)
}

/// A card that was not opened, or could not be.
fn closed_row(report: &CardReport, no_open: bool) -> String {
    let mut drivers: Vec<&str> = report
        .functions
        .iter()
        .filter_map(|function| function.driver.as_deref())
        .collect();
    drivers.dedup();
    let nets: Vec<&str> = report
        .functions
        .iter()
        .flat_map(|function| &function.net)
        .map(|net| net.name.as_str())
        .collect();
    let start = format!("{}\t{}", report.selector, report.model);
    if no_open {
        return format!(
            "{start}\t{}\t{}",
            or_dash(&drivers.join(",")),
            or_dash(&nets.join(","))
        );
    }
    let state = match (&report.error, report.support) {
        (Some(error), _) => {
            let reason = error.causes.last().unwrap_or(&error.message);
            let prefix = format!("{}: ", report.selector);
            styled(
                BAD,
                format_args!("cannot tell: {}", reason.trim_start_matches(&prefix)),
            )
        }
        (None, "flash-recovery") => styled(BAD, "waits for firmware (flash recovery)"),
        (None, "virtual-function") => {
            "virtual function: its settings belong to the host".to_owned()
        }
        (None, _) => "not supported by flexctl".to_owned(),
    };
    format!("{start}\t-\t-\t{}\t{state}", or_dash(&nets.join(",")))
}

fn port_rows(report: &CardReport, with_rom: bool, rows: &mut Vec<String>) {
    for (index, port) in report.ports.iter().enumerate() {
        let start = if index == 0 {
            format!(
                "{}\t{}\t{}",
                report.selector,
                report.model,
                report.firmware.as_deref().unwrap_or("-")
            )
        } else {
            "\t\t".to_owned()
        };
        // Every row has every cell, or the columns below it would not line up.
        let rom = match &report.rom {
            Some(rom) if index == 0 => format!("\t{}", rom.text()),
            _ if with_rom => "\t".to_owned(),
            _ => String::new(),
        };
        rows.push(format!(
            "{start}\t{}\t{}\t{}{rom}",
            port.port,
            or_dash(&port.interfaces.join(",")),
            ipv6_state(port)
        ));
    }
}

/// Whether a port boots over IPv6, in a few words.
pub(super) fn ipv6_state(port: &PortReport) -> String {
    match (&port.ip_mode, &port.ip_mode_unavailable) {
        (Some(mode), _) => {
            let stored = if port.ip_mode_stored {
                ""
            } else {
                ", by default"
            };
            if mode == "ipv4" {
                format!("off{stored}")
            } else {
                format!("{} ({mode}{stored})", styled(GOOD, "on"))
            }
        }
        (None, Some(missing)) if port.ip_mode_offered == Some(false) => {
            styled(CARE, format_args!("not offered: {missing}"))
        }
        (None, Some(reason)) => styled(BAD, format_args!("cannot tell: {reason}")),
        (None, None) => styled(BAD, "cannot tell"),
    }
}

/// The virtual functions, in the last column, where long words widen nothing.
fn virtual_row(report: &CardReport, columns: usize) -> Option<String> {
    let (first, last) = (
        report.virtual_functions.first()?,
        report.virtual_functions.last()?,
    );
    let words = if first == last {
        format!("virtual function {first}")
    } else {
        let count = report.virtual_functions.len();
        format!("{count} virtual functions {first} to {last}")
    };
    Some(format!(
        "{}{}",
        "\t".repeat(columns - 1),
        styled(DIM, words)
    ))
}

fn or_dash(text: &str) -> &str {
    if text.is_empty() { "-" } else { text }
}

/// What does not fit into a row: why something is missing.
fn explain(output: Output, report: &CardReport) {
    for function in &report.functions {
        for gap in &function.unreadable {
            output.status(format_args!(
                "{}: {}: {}",
                function.address, gap.what, gap.reason
            ));
        }
    }
}
