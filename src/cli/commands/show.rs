//! `flexctl show`

use clap::Args;
use serde::Serialize;

use crate::device::{Card, Journal};
use crate::hwdb::Applies;
use crate::pci::BootMode;
use crate::settings::Pending;

use super::super::ExitCode;
use super::super::change::unfinished_report;
use super::super::context::Context;
use super::super::error::Failure;
use super::super::listing::read_everything;
use super::super::output::{BAD, CARE, DIM, TITLE, styled, table};
use super::super::report::{CardReport, PendingReport, PortReport, UnfinishedReport};
use super::list::{ipv6_state, opened};
use super::settings::restart_line;

/// Show cards in full: identity, expansion ROM, settings, what stands in the way
///
/// Settings are shown as default, current and next value: the default holds while
/// nothing is stored, the current one is what the firmware uses now, the next one
/// is what the next boot will use. ConnectX-3 has no current values.
#[derive(Debug, Args)]
pub(in crate::cli) struct ShowArgs {}

#[derive(Debug, Serialize)]
struct ShowReport {
    schema: &'static str,
    host: HostReport,
    cards: Vec<ShownCard>,
}

#[derive(Debug, Serialize)]
struct HostReport {
    boot_mode: BootMode,
}

#[derive(Debug, Serialize)]
struct ShownCard {
    card: CardReport,
    unfinished: Option<UnfinishedReport>,
    /// What waits for a restart.
    pending: Vec<PendingReport>,
    /// Whether the card itself says what is current. Where it does not
    /// (ConnectX-3), only what flexctl changed since the host was booted is known.
    says_current: bool,
    /// The restart that is enough for what waits; null when nothing is known to.
    restart: Option<Applies>,
}

pub(in crate::cli) fn show(_args: &ShowArgs, ctx: &Context) -> Result<ExitCode, Failure> {
    let mut codes = Vec::new();
    let mut shown = Vec::new();
    for card in ctx.chosen()? {
        let listed = CardReport::listed(&card);
        let mut unfinished = None;
        let mut waiting = Vec::new();
        let mut says_current = false;
        let report = match read_everything(ctx, &card) {
            Ok(answer) => {
                let record = Journal::of(&ctx.folders, &card).unfinished();
                codes.push(match record {
                    Ok(record) => {
                        let ports = &answer.reading.ports;
                        unfinished = record.map(|record| unfinished_report(&record, ports));
                        ExitCode::Done
                    }
                    // What the card says is shown all the same.
                    Err(error) => {
                        let failure = Failure::from(error);
                        failure.print();
                        failure.code
                    }
                });
                waiting.clone_from(&answer.pending);
                says_current = answer.says_current;
                opened(&card, listed, &answer)
            }
            Err(failure) => {
                failure.print();
                codes.push(failure.code);
                CardReport {
                    error: Some(failure.report()),
                    ..listed
                }
            }
        };
        if !ctx.output.json {
            let mut text = human(&card, &report, unfinished.as_ref(), ctx);
            text.push_str(&pending_text(&waiting));
            ctx.output
                .answer(&text)
                .map_err(|error| Failure::unwritten(&error))?;
        }
        shown.push(ShownCard {
            card: report,
            unfinished,
            restart: waiting.iter().map(|one| one.restart).max(),
            pending: waiting.iter().map(PendingReport::new).collect(),
            says_current,
        });
    }
    if ctx.output.json {
        ctx.output
            .document(&ShowReport {
                schema: "flexctl.show/1",
                host: HostReport {
                    boot_mode: ctx.host.boot_mode,
                },
                cards: shown,
            })
            .map_err(|error| Failure::unwritten(&error))?;
    }
    Ok(ExitCode::of_all(&codes))
}

fn human(
    card: &Card,
    report: &CardReport,
    unfinished: Option<&UnfinishedReport>,
    ctx: &Context,
) -> String {
    let mut text = format!(
        "{}\n",
        styled(
            TITLE,
            format_args!("{} at {}", report.model, report.selector)
        )
    );
    text.push_str(&table("  ", &facts(report, ctx)));
    for port in &report.ports {
        text.push_str(&port_text(card, port));
    }
    if let Some(unfinished) = unfinished {
        text.push_str(&format!(
            "\n  {} an earlier run (process {}) ended before it had finished:\n",
            styled(CARE, "note:"),
            unfinished.process
        ));
        for state in &unfinished.state {
            text.push_str(&format!("    {state}\n"));
        }
    }
    text
}

/// What waits for a restart, and for which.
fn pending_text(waiting: &[Pending]) -> String {
    let Some(restart) = waiting.iter().map(|one| one.restart).max() else {
        return String::new();
    };
    let mut text = format!("\n  {}\n", restart_line(restart, waiting.len()));
    let rows: Vec<String> = waiting
        .iter()
        .map(|one| {
            let place = match one.port {
                0 => "card".to_owned(),
                port => format!("port {port}"),
            };
            format!("{place}\t{}\t{} -> {}", one.setting, one.current, one.next)
        })
        .collect();
    text.push_str(&table("    ", &rows));
    text
}

fn facts(report: &CardReport, ctx: &Context) -> Vec<String> {
    let mut rows = Vec::new();
    let mut row = |name: &str, value: &str| rows.push(format!("{}\t{value}", styled(DIM, name)));
    let board = match (&report.part_number, &report.description, report.board) {
        (Some(number), Some(words), _) => Some(format!("{number}, {words}")),
        (Some(number), None, Some(board)) => Some(format!("{number}, {board}")),
        (Some(one), None, None) | (None, Some(one), _) => Some(one.clone()),
        (None, None, board) => board.map(str::to_owned),
    };
    row("board", board.as_deref().unwrap_or("unknown"));
    row("chip", report.chip.unwrap_or("unknown"));
    let firmware = match (&report.firmware, &report.psid) {
        (Some(version), Some(psid)) => format!("{version}, PSID {psid}"),
        (Some(version), None) => version.clone(),
        (None, _) => "the card does not say".to_owned(),
    };
    row("firmware", &firmware);
    let rom = report
        .rom
        .as_ref()
        .map(super::super::report::RomReport::text);
    row("expansion ROM", rom.as_deref().unwrap_or("not read"));
    for function in &report.functions {
        let mut words = vec![function.id.clone()];
        words.push(
            function
                .driver
                .clone()
                .unwrap_or_else(|| "no driver".to_owned()),
        );
        words.extend(function.rdma.iter().cloned());
        words.extend(function.net.iter().map(|net| match &net.mac {
            Some(mac) => format!("{} {mac}", net.name),
            None => net.name.clone(),
        }));
        words.extend(function.numa_node.map(|node| format!("NUMA node {node}")));
        row(&format!("function {}", function.address), &words.join(", "));
        for gap in &function.unreadable {
            row("", &format!("{} cannot be read: {}", gap.what, gap.reason));
        }
    }
    if let [first, .., last] = report.virtual_functions.as_slice() {
        let count = report.virtual_functions.len();
        row("virtual functions", &format!("{count}, {first} to {last}"));
    } else if let [only] = report.virtual_functions.as_slice() {
        row("virtual function", only);
    }
    let boot = match ctx.host.boot_mode {
        BootMode::Uefi => "this host was booted by UEFI: FlexBoot does not run",
        BootMode::Bios => "this host was booted by its BIOS: FlexBoot runs",
    };
    row("boot path", boot);
    row(
        "on silicon",
        "untested: agrees with mstconfig 4.21 on virtual cards",
    );
    rows
}

fn port_text(card: &Card, port: &PortReport) -> String {
    let mut place = vec![port.function.clone()];
    place.extend(port.interfaces.iter().cloned());
    let mut text = format!(
        "\n  {} {} IPv6 boot: {}\n",
        styled(TITLE, format_args!("port {}", port.port)),
        styled(DIM, format_args!("({})", place.join(", "))),
        ipv6_state(port)
    );
    let mut rows = vec![styled(DIM, "SETTING\tDEFAULT\tCURRENT\tNEXT\tTLV")];
    let offered = port
        .settings
        .iter()
        .filter(|setting| setting.missing.is_none());
    rows.extend(offered.map(|setting| {
        format!(
            "{}\t{}\t{}\t{}\t{}",
            setting.name,
            setting.default.text,
            setting.current.text,
            setting.next.text,
            setting.tlv
        )
    }));
    text.push_str(&table("    ", &rows));
    let missing: Vec<String> = port
        .settings
        .iter()
        .filter_map(|setting| Some(format!("{} ({})", setting.name, setting.missing.as_ref()?)))
        .collect();
    if !missing.is_empty() {
        text.push_str(&format!(
            "    {} {}\n",
            styled(DIM, "not offered:"),
            missing.join(", ")
        ));
    }
    for obstacle in &port.obstacles {
        let (style, label) = if obstacle.certain {
            (BAD, "in the way:")
        } else {
            (CARE, "to check:")
        };
        let words = obstacle.text.replace(
            "--with-pxe",
            &format!("enable-ipv6 -d {} --with-pxe", card.selector()),
        );
        text.push_str(&format!("    {} {words}\n", styled(style, label)));
    }
    text
}
