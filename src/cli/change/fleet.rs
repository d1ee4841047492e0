//! Cards together: all are read, planned and checked before the first is written.

use std::collections::HashMap;
use std::sync::atomic::Ordering;
use std::sync::{Mutex, PoisonError};
use std::thread;

use crate::device::{Card, CardLock};

use super::super::ExitCode;
use super::super::args::WriteArgs;
use super::super::context::Context;
use super::super::error::Failure;
use super::super::output::{BAD, CARE, GOOD, styled};
use super::super::report::{ChangeReport, ChangesReport, Outcome};
use super::Job;
use super::carry_out::{carry_out, leave};
use super::one_card::{confirmed, nothing_to_do, say, written};
use super::plan_text::plan_text;
use super::prepare::{Prepared, lock, prepare};

/// Most cards that are worked on at the same time.
const WORKERS: usize = 16;

/// What is to become of the plans.
#[derive(Clone, Copy, Debug)]
pub(in crate::cli) enum Purpose {
    /// They are carried out, as far as the arguments allow.
    Change(WriteArgs),
    /// They are shown.
    Plan {
        /// Whether a change is told by the exit code.
        exit_code: bool,
    },
    /// The cards are compared with what is wanted.
    Check,
}

impl Purpose {
    /// The same as arguments of a command that writes.
    fn write(self) -> WriteArgs {
        match self {
            Self::Change(write) => write,
            Self::Plan { exit_code } => WriteArgs::dry_run(exit_code),
            Self::Check => WriteArgs::dry_run(true),
        }
    }
}

/// A card on its way through the stations.
struct Station<'a> {
    card: &'a Card,
    job: &'a dyn Job,
    report: ChangeReport,
    lock: Option<CardLock>,
    prepared: Option<Prepared<'a>>,
    code: ExitCode,
}

impl Station<'_> {
    fn fail(&mut self, failure: &Failure) {
        self.report.outcome = Outcome::Failed;
        self.report.error = Some(failure.report());
        self.code = failure.code;
    }
}

/// Changes cards together: one question for all, and nothing is written anywhere
/// unless every card can be changed.
pub(in crate::cli) fn change_together(
    ctx: &Context,
    schema: &'static str,
    jobs: Vec<(&Card, &dyn Job)>,
    purpose: Purpose,
) -> Result<ExitCode, Failure> {
    let write = purpose.write();
    let mut stations: Vec<Station<'_>> = jobs
        .into_iter()
        .map(|(card, job)| Station {
            card,
            job,
            report: ChangeReport::new(card),
            lock: None,
            prepared: None,
            code: ExitCode::Done,
        })
        .collect();
    let unlocked = lock_all(ctx, &mut stations, write);
    let failures = on_all(&mut stations, |station| {
        if let Some(failure) = unlocked.get(&station.card.selector()) {
            return Err(failure.clone());
        }
        let lock = station.lock.take();
        let prepared = prepare(
            ctx,
            station.card,
            station.job,
            write,
            lock,
            &mut station.report,
        )?;
        station.prepared = Some(prepared);
        Ok(())
    });
    show_plans(ctx, &mut stations, failures, purpose)?;
    let outcome = decide(ctx, &mut stations, purpose)?;
    if outcome == Decision::Write {
        let failures = on_all(&mut stations, |station| match &mut station.prepared {
            Some(prepared) if !prepared.plan.is_empty() => {
                carry_out(ctx, prepared, &mut station.report)
            }
            _ => Ok(()),
        });
        show_outcomes(ctx, &mut stations, failures)?;
    }
    let codes: Vec<ExitCode> = stations.iter().map(|station| station.code).collect();
    if ctx.output.json {
        ctx.output
            .document(&ChangesReport {
                schema,
                cards: stations.into_iter().map(|station| station.report).collect(),
            })
            .map_err(|error| Failure::unwritten(&error))?;
    }
    Ok(ExitCode::of_all(&codes))
}

/// Takes the locks of all cards, in the same order in every process: two that want
/// the same cards queue and do not wait for each other. After a failure the rest is
/// left.
fn lock_all(
    ctx: &Context,
    stations: &mut [Station<'_>],
    write: WriteArgs,
) -> HashMap<String, Failure> {
    let mut failures = HashMap::new();
    let mut in_order: Vec<&mut Station<'_>> = stations.iter_mut().collect();
    in_order.sort_by_key(|station| station.card.selector());
    for station in in_order {
        match lock(ctx, station.card, write) {
            Ok(lock) => station.lock = lock,
            Err(failure) => {
                failures.insert(station.card.selector(), failure);
                break;
            }
        }
    }
    failures
}

/// Does the same to every station, several at a time; a failure ends its own only.
fn on_all<'a>(
    stations: &mut [Station<'a>],
    work: impl Fn(&mut Station<'a>) -> Result<(), Failure> + Sync,
) -> Vec<Option<Failure>> {
    let count = stations.len();
    let failures: Vec<Mutex<Option<Failure>>> = (0..count).map(|_| Mutex::new(None)).collect();
    let queue = Mutex::new(stations.iter_mut().zip(&failures));
    thread::scope(|scope| {
        for _ in 0..count.min(WORKERS) {
            scope.spawn(|| {
                loop {
                    let next = queue.lock().unwrap_or_else(PoisonError::into_inner).next();
                    let Some((station, failure)) = next else {
                        return;
                    };
                    let outcome = work(station);
                    *failure.lock().unwrap_or_else(PoisonError::into_inner) = outcome.err();
                }
            });
        }
    });
    failures
        .into_iter()
        .map(|failure| failure.into_inner().unwrap_or_else(PoisonError::into_inner))
        .collect()
}

fn show_plans(
    ctx: &Context,
    stations: &mut [Station<'_>],
    failures: Vec<Option<Failure>>,
    purpose: Purpose,
) -> Result<(), Failure> {
    for (station, failure) in stations.iter_mut().zip(failures) {
        if let Some(failure) = failure {
            failure.print();
            station.fail(&failure);
            continue;
        }
        if !ctx.output.json {
            ctx.output
                .answer(&plan_text(&station.report))
                .map_err(|error| Failure::unwritten(&error))?;
        }
        let empty = station
            .prepared
            .as_ref()
            .is_some_and(|prepared| prepared.plan.is_empty());
        if empty {
            station.report.outcome = Outcome::Unchanged;
            let words = match purpose {
                Purpose::Check if station.report.is_silent() => styled(CARE, "nothing was checked"),
                Purpose::Check => styled(GOOD, "as the profile says"),
                _ => nothing_to_do(),
            };
            say(ctx, &words)?;
        } else {
            station.report.outcome = Outcome::Planned;
            if matches!(purpose, Purpose::Check) {
                say(ctx, &styled(BAD, "differs from the profile"))?;
            }
        }
    }
    Ok(())
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Decision {
    Write,
    Leave,
}

/// Whether to write at all.
fn decide(
    ctx: &Context,
    stations: &mut [Station<'_>],
    purpose: Purpose,
) -> Result<Decision, Failure> {
    let write = purpose.write();
    let planned = |station: &&mut Station<'_>| station.report.outcome == Outcome::Planned;
    let to_write = stations.iter_mut().filter(planned).count();
    let failed = stations
        .iter()
        .any(|one| one.report.outcome == Outcome::Failed);
    for prepared in stations.iter().filter_map(|one| one.prepared.as_ref()) {
        if prepared.plan.is_empty() && !failed {
            leave(prepared, write.dry_run)?;
        }
    }
    if to_write == 0 {
        return Ok(Decision::Leave);
    }
    if write.dry_run {
        if matches!(purpose, Purpose::Change(_)) {
            say(ctx, "dry run: nothing was written")?;
        }
        if write.exit_code {
            let differs = |station: &mut Station<'_>| station.code = ExitCode::Differs;
            stations.iter_mut().filter(planned).for_each(differs);
        }
        return Ok(Decision::Leave);
    }
    if failed {
        let failure = Failure::message(
            ExitCode::Refused,
            "nothing was written to any card, because not every card can be changed",
        )
        .hint("name the cards that can be changed with --device");
        failure.print();
        for station in stations.iter_mut().filter(planned) {
            station.code = ExitCode::Refused;
            station.report.outcome = Outcome::Declined;
        }
        return Ok(Decision::Leave);
    }
    let cards: Vec<&Card> = stations
        .iter()
        .filter(|one| one.report.outcome == Outcome::Planned)
        .map(|one| one.card)
        .collect();
    let question = match cards.as_slice() {
        [card] => format!("Write this to {}?", card.selector()),
        cards => format!("Write this to {} cards?", cards.len()),
    };
    if !ctx.stop.load(Ordering::Relaxed) && confirmed(ctx, &cards, &question, write)? {
        return Ok(Decision::Write);
    }
    say(ctx, "nothing was written")?;
    for station in stations.iter_mut().filter(planned) {
        station.report.outcome = Outcome::Declined;
        station.code = ExitCode::Failed;
    }
    Ok(Decision::Leave)
}

fn show_outcomes(
    ctx: &Context,
    stations: &mut [Station<'_>],
    failures: Vec<Option<Failure>>,
) -> Result<(), Failure> {
    let several = stations.len() > 1;
    for (station, failure) in stations.iter_mut().zip(failures) {
        if let Some(failure) = failure {
            failure.print();
            station.fail(&failure);
        } else if station.report.outcome == Outcome::Changed {
            let line = written(&station.report);
            if several {
                say(ctx, &format!("{}: {line}", station.report.card))?;
            } else {
                say(ctx, &line)?;
            }
        }
    }
    Ok(())
}
