//! The plan of a burn for people.

use std::time::Duration;

use indicatif::{HumanBytes, HumanDuration};

use super::super::output::{CARE, DIM, GOOD, TITLE, styled, table};
use super::super::report::{BurnReport, FromTo};

/// What a burn does to one card.
pub(in crate::cli) fn plan_text(report: &BurnReport, steps_wanted: bool) -> String {
    let mut text = format!(
        "{}\n",
        styled(TITLE, format_args!("{} at {}", report.model, report.card))
    );
    let mut rows = vec![format!("burn\t{}", report.what)];
    if let Some(firmware) = &report.firmware {
        rows.push(format!("firmware\t{}", from_to(firmware, option_text)));
    }
    if let Some(psid) = report.psid.as_ref().filter(|psid| psid.from != psid.to) {
        rows.push(format!("PSID\t{}", from_to(psid, option_text)));
    }
    if let Some(roms) = &report.roms {
        rows.push(format!(
            "expansion ROM\t{}",
            from_to(roms, |roms| list(roms))
        ));
    }
    if let Some(ipv6) = &report.ipv6 {
        rows.push(format!("IPv6 in its code\t{ipv6}"));
    }
    if let Some(to) = report.start.as_ref().and_then(|start| start.to) {
        let from = report.start.as_ref().and_then(|start| start.from);
        let other = from.map_or_else(String::new, |from| {
            format!(" (the image at {from:#010x} starts until all is verified)")
        });
        let to = styled(GOOD, format_args!("{to:#010x}"));
        rows.push(format!("goes to\t{to}{other}"));
    }
    if let Some(flash) = &report.flash {
        rows.push(format!(
            "flash\t{}, {}, by {}",
            flash.chip,
            HumanBytes(flash.bytes.into()),
            flash.way
        ));
    }
    rows.extend(totals(report));
    if !report.stays.is_empty() {
        rows.push(format!("stays\t{}", report.stays.join(", ")));
    }
    text.push_str(&table("  ", &rows));
    text.push_str(&steps(report, steps_wanted));
    for (style, label, lines) in [
        (CARE, "note:", &report.notes),
        (CARE, "not covered:", &report.not_covered),
    ] {
        for line in lines {
            text.push_str(&format!("  {} {line}\n", styled(style, label)));
        }
    }
    for way in &report.way_back {
        text.push_str(&format!("  {} {way}\n", styled(DIM, "the way back:")));
    }
    for opened in &report.overridden {
        let flag = opened.flag.as_deref().unwrap_or_default();
        let label = styled(CARE, format_args!("{flag}:"));
        text.push_str(&format!("  {label} {}\n", opened.text));
    }
    text
}

fn totals(report: &BurnReport) -> Vec<String> {
    let mut rows = Vec::new();
    let totals = || report.plan.iter().map(|plan| &plan.totals);
    if report.plan.is_empty() {
        return rows;
    }
    let sum = |of: &dyn Fn(&crate::flash::PlanTotals) -> u64| totals().map(of).sum::<u64>();
    let erase = sum(&|totals| totals.blocks_to_erase);
    let pages = sum(&|totals| totals.pages_to_program);
    let alone = sum(&|totals| totals.sectors_left_alone);
    let time = Duration::from_millis(sum(&|totals| totals.estimated_ms));
    if erase + pages > 0 {
        rows.push(format!(
            "writes\t{}{} programmed ({}){}; the chip takes about {}",
            if erase == 0 {
                String::new()
            } else {
                let bytes = HumanBytes(sum(&|totals| totals.bytes_to_erase));
                format!("{} erased ({bytes}), ", counted(erase, "block"))
            },
            counted(pages, "page"),
            HumanBytes(sum(&|totals| totals.bytes_to_program)),
            if alone == 0 {
                String::new()
            } else {
                format!(", {} as wanted already", counted(alone, "sector"))
            },
            if time < Duration::from_secs(1) {
                "a second".to_owned()
            } else {
                HumanDuration(time).to_string()
            }
        ));
    }
    rows
}

fn counted(number: u64, what: &str) -> String {
    match number {
        1 => format!("1 {what}"),
        number => format!("{number} {what}s"),
    }
}

/// The steps one by one, for those who asked for more.
fn steps(report: &BurnReport, wanted: bool) -> String {
    let all = report.plan.iter().flat_map(|plan| &plan.steps);
    all.filter(|_| wanted)
        .map(|step| format!("    {}\n", styled(DIM, step)))
        .collect()
}

fn from_to<T: PartialEq>(change: &FromTo<T>, words: impl Fn(&T) -> String) -> String {
    if change.from == change.to {
        format!("{} {}", words(&change.from), styled(DIM, "(stays)"))
    } else {
        format!(
            "{} -> {}",
            words(&change.from),
            styled(GOOD, words(&change.to))
        )
    }
}

fn option_text(text: &Option<String>) -> String {
    text.clone().unwrap_or_else(|| "unknown".to_owned())
}

fn list(words: &[String]) -> String {
    if words.is_empty() {
        "none".to_owned()
    } else {
        words.join(", ")
    }
}
