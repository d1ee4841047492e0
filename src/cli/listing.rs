//! Open many cards at once, each with a deadline of its own.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::access::Patience;
use crate::device::{Card, CardReading, Host, OpenCard, read_rom_facts};
use crate::hwdb::Hwdb;
use crate::pci::{BootMode, SysfsRoot};
use crate::settings::{
    BOOT_PATH, Detail, Obstacle, Pending, PortSettings, RomFacts, Wanted, obstacles,
};
use crate::sim::Shelf;

use super::ExitCode;
use super::context::Context;
use super::error::Failure;
use super::failure_hints::{Situation, command_failure, open_failure};
use super::waiting::{says_current, waiting};

/// Cards that are opened at the same time.
const MOST_AT_ONCE: usize = 64;
/// A card that keeps to the deadline may need this long to let go.
const GRACE: Duration = Duration::from_millis(500);
const TICK: Duration = Duration::from_millis(50);
/// Nothing is shown of work that is shorter than this.
const SHOW_AFTER: Duration = Duration::from_millis(250);

/// What a card said.
#[derive(Debug)]
pub(super) struct CardAnswer {
    /// Its settings.
    pub(super) reading: CardReading,
    /// Its expansion ROM.
    pub(super) rom: RomFacts,
    boot_mode: BootMode,
    /// What waits for a restart; only `show` looks.
    pub(super) pending: Vec<Pending>,
    /// Whether the card says what is current; only `show` looks.
    pub(super) says_current: bool,
}

impl CardAnswer {
    /// What stands in a port's way.
    pub(super) fn obstacles(&self, port: &PortSettings) -> Vec<Obstacle> {
        obstacles(port, &self.rom, self.boot_mode)
    }
}

/// What a worker needs; it may outlive the caller when a card hangs the kernel.
#[derive(Debug)]
struct Shared {
    cards: Vec<Card>,
    next: AtomicUsize,
    hwdb: Hwdb,
    root: SysfsRoot,
    shelf: Shelf,
    host: Host,
    patience: Patience,
    deadline: Duration,
    rom: bool,
}

enum Event {
    Started(usize),
    Finished(usize, Box<Result<CardAnswer, Failure>>),
}

/// Opens every supported card; the others answer `None`.
pub(super) fn open_all(
    ctx: &Context,
    cards: &[Card],
    deadline_seconds: u64,
    rom: bool,
) -> Vec<Option<Result<CardAnswer, Failure>>> {
    let deadline = Duration::from_secs(deadline_seconds);
    let mut answers: Vec<Option<Result<CardAnswer, Failure>>> =
        cards.iter().map(|_| None).collect();
    // Positions in `cards`, so that answers find their rows.
    let places: Vec<usize> = (0..cards.len())
        .filter(|at| cards[*at].supported().is_some())
        .collect();
    let shared = Arc::new(Shared {
        cards: places.iter().map(|at| cards[*at].clone()).collect(),
        next: AtomicUsize::new(0),
        hwdb: ctx.hwdb.clone(),
        root: ctx.root.clone(),
        shelf: ctx.shelf.clone(),
        host: ctx.host.clone(),
        patience: ctx.patience(),
        deadline,
        rom,
    });
    let (sender, events) = mpsc::channel();
    for _ in 0..places.len().min(MOST_AT_ONCE) {
        start_worker(&shared, &sender);
    }
    let bar = progress(ctx, places.len());
    let mut started: Vec<Option<Instant>> = vec![None; places.len()];
    let mut open = places.len();
    let begun = Instant::now();
    while open > 0 {
        match events.recv_timeout(TICK) {
            Ok(Event::Started(index)) => started[index] = Some(Instant::now()),
            Ok(Event::Finished(index, answer)) if answers[places[index]].is_none() => {
                answers[places[index]] = Some(*answer);
                started[index] = None;
                open -= 1;
            }
            _ => {}
        }
        for index in 0..places.len() {
            let overdue = started[index].is_some_and(|since| since.elapsed() > deadline + GRACE);
            if overdue {
                // Its worker hangs in the kernel: leave it and go on with another.
                started[index] = None;
                answers[places[index]] = Some(Err(no_answer(&shared.cards[index], deadline)));
                open -= 1;
                start_worker(&shared, &sender);
            }
        }
        if begun.elapsed() > SHOW_AFTER {
            bar.set_position((places.len() - open) as u64);
        }
    }
    bar.finish_and_clear();
    answers
}

fn progress(ctx: &Context, cards: usize) -> ProgressBar {
    let bar = ProgressBar::new(cards as u64);
    if ctx.output.quiet {
        bar.set_draw_target(ProgressDrawTarget::hidden());
    } else {
        // Hidden by itself where stderr is no terminal.
        bar.set_draw_target(ProgressDrawTarget::stderr_with_hz(10));
    }
    if let Ok(style) = ProgressStyle::with_template("reading cards {pos}/{len}") {
        bar.set_style(style);
    }
    bar
}

fn no_answer(card: &Card, deadline: Duration) -> Failure {
    Failure::message(
        ExitCode::CardError,
        format!("{}: no answer within {deadline:?}", card.selector()),
    )
    .hint("power the host off and on; --deadline waits longer")
}

fn start_worker(shared: &Arc<Shared>, sender: &mpsc::Sender<Event>) {
    let (shared, sender) = (Arc::clone(shared), sender.clone());
    thread::spawn(move || {
        loop {
            let index = shared.next.fetch_add(1, Ordering::Relaxed);
            let Some(card) = shared.cards.get(index) else {
                return;
            };
            // The listener may be gone: then nobody wants the rest.
            if sender.send(Event::Started(index)).is_err() {
                return;
            }
            let answer = read_card(&shared, card, Detail::ForChange);
            if sender
                .send(Event::Finished(index, Box::new(answer)))
                .is_err()
            {
                return;
            }
        }
    });
}

fn read_card(shared: &Shared, card: &Card, detail: Detail) -> Result<CardAnswer, Failure> {
    let situation = Situation::of(&shared.host, card);
    let patience = shared
        .patience
        .clone()
        .until(Instant::now() + shared.deadline);
    let mut open = OpenCard::open(card, &shared.hwdb, &shared.root, &shared.shelf, &patience)
        .map_err(|error| open_failure(&error, &situation))?;
    let reading = open
        .read(detail, Wanted::Holding(&BOOT_PATH))
        .map_err(|error| command_failure(&error, &situation))?;
    let rom = if shared.rom {
        match OpenCard::first_function(card, &shared.root, &shared.shelf) {
            Ok(mut function) => read_rom_facts(function.as_mut()),
            Err(error) => RomFacts::CannotTell(error.to_string()),
        }
    } else {
        RomFacts::NotRead
    };
    Ok(CardAnswer {
        reading,
        rom,
        boot_mode: shared.host.boot_mode,
        pending: Vec::new(),
        says_current: false,
    })
}

/// Reads one card in full, with its ROM.
pub(super) fn read_everything(ctx: &Context, card: &Card) -> Result<CardAnswer, Failure> {
    let situation = Situation::of(&ctx.host, card);
    let mut open = OpenCard::open(card, &ctx.hwdb, &ctx.root, &ctx.shelf, &ctx.patience())
        .map_err(|error| open_failure(&error, &situation))?;
    let reading = open
        .read(Detail::Everything, Wanted::All)
        .map_err(|error| command_failure(&error, &situation))?;
    let rom = match OpenCard::first_function(card, &ctx.root, &ctx.shelf) {
        Ok(mut function) => read_rom_facts(function.as_mut()),
        Err(error) => RomFacts::CannotTell(error.to_string()),
    };
    Ok(CardAnswer {
        pending: waiting(ctx, card, &open, &reading),
        says_current: says_current(&reading),
        reading,
        rom,
        boot_mode: ctx.host.boot_mode,
    })
}
