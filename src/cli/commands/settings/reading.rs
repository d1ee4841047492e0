//! What `settings list` and `settings get` have in common: cards with their
//! settings, for people and for programs.

use serde::Serialize;

use crate::device::{Card, CardReading, OpenCard};
use crate::hwdb::{Applies, Scope};
use crate::settings::{Detail, Pending, PortSettings, SettingValue, Wanted};

use super::super::super::ExitCode;
use super::super::super::context::Context;
use super::super::super::error::{Failure, FailureReport};
use super::super::super::failure_hints::{Situation, command_failure, open_failure};
use super::super::super::output::{CARE, DIM, GOOD, TITLE, styled, table};
use super::super::super::report::{PendingReport, Secrets, SettingReport, interfaces};
use super::super::super::waiting::waiting;

/// The document of `settings list` and `settings get`.
#[derive(Debug, Serialize)]
pub(super) struct SettingsReport {
    /// `flexctl.settings-list/1` or `flexctl.settings-get/1`.
    pub(super) schema: &'static str,
    /// One entry a card.
    pub(super) cards: Vec<CardSettingsReport>,
}

/// A card's settings.
#[derive(Debug, Serialize)]
pub(super) struct CardSettingsReport {
    card: String,
    model: String,
    /// Settings of the whole card.
    settings: Vec<SettingReport>,
    ports: Vec<PortSettingsReport>,
    /// What waits for a restart.
    pending: Vec<PendingReport>,
    /// The restart that is enough for it.
    restart: Option<Applies>,
    error: Option<FailureReport>,
}

/// A port's settings.
#[derive(Debug, Serialize)]
struct PortSettingsReport {
    port: u8,
    function: String,
    interfaces: Vec<String>,
    settings: Vec<SettingReport>,
}

/// Which settings are shown.
pub(super) struct Filter<'a> {
    /// Only of this port; settings of the card are shown all the same.
    pub(super) port: Option<u8>,
    /// Which ones, by field and port.
    pub(super) includes: &'a dyn Fn(&SettingValue<'_>, &PortSettings) -> bool,
    /// Whether secrets are shown.
    pub(super) secrets: Secrets,
    /// Whether only what waits for a restart is shown.
    pub(super) pending_only: bool,
}

/// Reads all settings of a card.
pub(super) fn read_all(ctx: &Context, card: &Card) -> Result<(OpenCard, CardReading), Failure> {
    let situation = Situation::of(&ctx.host, card);
    let mut open = OpenCard::open(card, &ctx.hwdb, &ctx.root, &ctx.shelf, &ctx.patience())
        .map_err(|error| open_failure(&error, &situation))?;
    let reading = open
        .read(Detail::Everything, Wanted::All)
        .map_err(|error| command_failure(&error, &situation))?;
    Ok((open, reading))
}

/// Reads the chosen cards and shows what the filter lets through. `filter` is
/// made for each card.
pub(super) fn show_cards<'f>(
    ctx: &Context,
    schema: &'static str,
    filter: impl Fn(&OpenCard, &CardReading) -> Result<Filter<'f>, Failure>,
) -> Result<ExitCode, Failure> {
    let mut codes = Vec::new();
    let mut reports = Vec::new();
    for card in ctx.chosen()? {
        let outcome = read_all(ctx, &card).and_then(|(open, reading)| {
            let filter = filter(&open, &reading)?;
            let waiting = waiting(ctx, &card, &open, &reading);
            Ok(CardSettingsReport::new(&card, &reading, &filter, &waiting))
        });
        let report = match outcome {
            Ok(report) => {
                codes.push(ExitCode::Done);
                report
            }
            Err(failure) => {
                failure.print();
                codes.push(failure.code);
                CardSettingsReport::failed(&card, &failure)
            }
        };
        if !ctx.output.json && report.error.is_none() {
            ctx.output
                .answer(&report.text())
                .map_err(|error| Failure::unwritten(&error))?;
        }
        reports.push(report);
    }
    if ctx.output.json {
        ctx.output
            .document(&SettingsReport {
                schema,
                cards: reports,
            })
            .map_err(|error| Failure::unwritten(&error))?;
    }
    Ok(ExitCode::of_all(&codes))
}

impl CardSettingsReport {
    fn new(card: &Card, reading: &CardReading, filter: &Filter<'_>, waiting: &[Pending]) -> Self {
        let of_scope = |port: &PortSettings, of_card: bool| -> Vec<SettingReport> {
            port.settings()
                .filter(|setting| (setting.reading.tlv.scope == Scope::Card) == of_card)
                .filter(|setting| (filter.includes)(setting, port))
                .map(|setting| {
                    let number = if of_card { 0 } else { port.port };
                    let mut report = SettingReport::new(port, &setting, filter.secrets);
                    report.pending |= waiting
                        .iter()
                        .any(|one| one.port == number && one.setting == setting.field.name);
                    report
                })
                .filter(|report| !filter.pending_only || report.pending)
                .collect()
        };
        Self {
            card: card.selector(),
            model: card.model(),
            settings: reading
                .ports
                .first()
                .map(|port| of_scope(port, true))
                .unwrap_or_default(),
            ports: reading
                .ports
                .iter()
                .filter(|port| filter.port.is_none_or(|number| port.port == number))
                .map(|port| PortSettingsReport {
                    port: port.port,
                    function: port.function.to_string(),
                    interfaces: interfaces(card, port),
                    settings: of_scope(port, false),
                })
                .collect(),
            restart: waiting.iter().map(|one| one.restart).max(),
            pending: waiting.iter().map(PendingReport::new).collect(),
            error: None,
        }
    }

    fn failed(card: &Card, failure: &Failure) -> Self {
        Self {
            card: card.selector(),
            model: card.model(),
            settings: Vec::new(),
            ports: Vec::new(),
            pending: Vec::new(),
            restart: None,
            error: Some(failure.report()),
        }
    }

    fn text(&self) -> String {
        let mut text = format!(
            "{}\n",
            styled(TITLE, format_args!("{} at {}", self.model, self.card))
        );
        if !self.settings.is_empty() {
            text.push_str(&format!("\n  {}\n", styled(TITLE, "card")));
            text.push_str(&settings_table(&self.settings));
        }
        for port in self.ports.iter().filter(|port| !port.settings.is_empty()) {
            let mut place = vec![port.function.clone()];
            place.extend(port.interfaces.iter().cloned());
            text.push_str(&format!(
                "\n  {} {}\n",
                styled(TITLE, format_args!("port {}", port.port)),
                styled(DIM, format_args!("({})", place.join(", ")))
            ));
            text.push_str(&settings_table(&port.settings));
        }
        let shown = self.settings.len()
            + self
                .ports
                .iter()
                .map(|port| port.settings.len())
                .sum::<usize>();
        if shown == 0 {
            text.push_str("  nothing to show\n");
        }
        if let Some(restart) = self.restart {
            text.push_str(&format!(
                "\n  {}\n",
                restart_line(restart, self.pending.len())
            ));
        }
        text
    }
}

/// Default, current and next; `*` marks what differs from the default, `!` what
/// waits for a restart.
fn settings_table(settings: &[SettingReport]) -> String {
    let mut rows = vec![styled(DIM, "\tSETTING\tDEFAULT\tCURRENT\tNEXT")];
    rows.extend(settings.iter().map(|setting| {
        if let Some(missing) = &setting.missing {
            let words = styled(DIM, format_args!("not offered: {missing}"));
            return format!("\t{}\t{words}", setting.name);
        }
        let mark = if setting.pending {
            styled(CARE, "!")
        } else if setting.differs {
            styled(GOOD, "*")
        } else {
            String::new()
        };
        format!(
            "{mark}\t{}\t{}\t{}\t{}",
            setting.name, setting.default.text, setting.current.text, setting.next.text
        )
    }));
    table("    ", &rows)
}

/// What is enough for what waits.
pub(in crate::cli) fn restart_line(restart: Applies, count: usize) -> String {
    let what = if count == 1 {
        "1 setting waits".to_owned()
    } else {
        format!("{count} settings wait")
    };
    let enough = match restart {
        Applies::Boot => "the next boot of the host",
        Applies::FirmwareReset => "a reset of the firmware (power the host off and on)",
    };
    format!("{} {what} for {enough}", styled(CARE, "!"))
}
