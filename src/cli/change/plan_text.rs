//! A plan for people.

use crate::hwdb::{Applies, Risk};
use crate::settings::Base;

use super::super::output::{BAD, CARE, DIM, GOOD, TITLE, styled, table};
use super::super::report::{ChangeReport, SettingChangeReport};

/// So many settings that stay are shown; more are counted.
const FEW: usize = 12;

/// The plan of one card.
pub(super) fn plan_text(report: &ChangeReport) -> String {
    let mut text = format!(
        "{}\n",
        styled(TITLE, format_args!("{} at {}", report.model, report.card))
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
    let (rows, left_out) = rows(report);
    if !rows.is_empty() {
        text.push_str(&table("  ", &rows));
    }
    if left_out > 0 {
        let words = format_args!("{left_out} more are as wanted and stay");
        text.push_str(&format!("  {}\n", styled(DIM, words)));
    }
    for note in &report.notes {
        text.push_str(&format!("  {} {note}\n", styled(CARE, "note:")));
    }
    text.push_str(&cautions(report));
    text.push_str(&obstacle_lines(report));
    text
}

/// The settings, and how many that stay are left out: a few are shown.
fn rows(report: &ChangeReport) -> (Vec<String>, usize) {
    let of_ports = report.ports.iter().flat_map(|port| &port.settings);
    let all = report.settings.iter().chain(of_ports);
    let stay = all.filter(|setting| !setting.changes).count();
    let shows = |setting: &&SettingChangeReport| setting.changes || stay <= FEW;
    let mut rows: Vec<String> = report
        .settings
        .iter()
        .filter(shows)
        .map(|setting| format!("card\t\t{}\t{}", setting.name, change_text(setting)))
        .collect();
    for port in &report.ports {
        rows.extend(port.settings.iter().filter(shows).map(|setting| {
            format!(
                "port {}\t{}\t{}\t{}",
                port.port,
                port.interfaces.join(","),
                setting.name,
                change_text(setting)
            )
        }));
    }
    for port in report.ports.iter().filter(|port| port.settings.is_empty()) {
        // Only switching IPv6 off meets a card without the switch.
        rows.push(format!(
            "port {}\t{}\tIP_VER\t{}",
            port.port,
            port.interfaces.join(","),
            styled(DIM, "not offered by this card, which boots over IPv4 only")
        ));
    }
    (rows, if stay > FEW { stay } else { 0 })
}

fn change_text(setting: &SettingChangeReport) -> String {
    let from = if setting.from_base == Base::Defaults {
        format!("{} (the card's default)", setting.from)
    } else {
        setting.from.clone()
    };
    if !setting.changes {
        return format!("{from} {}", styled(DIM, "(stays)"));
    }
    let when = match setting.applies {
        Applies::Boot => "from the next boot on",
        Applies::FirmwareReset => "after a reset of the firmware",
    };
    let to = if setting.to_default {
        format!("{} (back to the card's default)", styled(GOOD, &setting.to))
    } else {
        styled(GOOD, &setting.to)
    };
    format!("{from} -> {to}\t{}", styled(DIM, when))
}

/// What to know before the changed settings change, each once.
fn cautions(report: &ChangeReport) -> String {
    let mut lines: Vec<String> = Vec::new();
    let of_ports = report.ports.iter().flat_map(|port| &port.settings);
    let all = report.settings.iter().chain(of_ports);
    for setting in all.filter(|setting| setting.changes) {
        let risk = match setting.risk {
            Risk::Host => styled(BAD, "careful:"),
            Risk::Boot | Risk::None => styled(CARE, "note:"),
        };
        let words = [&setting.caution, &setting.without_effect];
        for words in words.into_iter().flatten() {
            let line = format!("  {risk} {}: {words}\n", setting.name);
            if !lines.contains(&line) {
                lines.push(line);
            }
        }
    }
    lines.concat()
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
