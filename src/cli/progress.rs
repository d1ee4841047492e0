//! How far a long piece of work has come: a bar on a terminal, plain lines
//! elsewhere, JSON lines with `--json`. All of it goes to stderr.

use std::io::{IsTerminal, stderr};
use std::time::{Duration, Instant};

use indicatif::{HumanBytes, HumanDuration, ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde::Serialize;

use crate::flash::{self, Phase};

use super::output::{DIM, Output, styled};

/// Between two plain lines of one phase.
const BETWEEN_LINES: Duration = Duration::from_secs(5);
/// A shorter phase is over before it is read about.
const WORTH_A_LINE: Duration = Duration::from_secs(1);
/// Between two JSON lines of one phase.
const BETWEEN_EVENTS: Duration = Duration::from_millis(500);

/// One JSON line on stderr.
#[derive(Debug, Serialize)]
struct Event<'a> {
    schema: &'static str,
    card: &'a str,
    phase: Phase,
    done_bytes: u64,
    total_bytes: u64,
    bytes_per_second: Option<u64>,
    seconds_left: Option<u64>,
}

/// Who looks at it.
#[derive(Debug)]
enum Audience {
    Nobody,
    Terminal(ProgressBar),
    Log,
    Program,
}

/// The progress of the work on one card.
#[derive(Debug)]
pub(super) struct Progress {
    card: String,
    audience: Audience,
    phase: Option<Phase>,
    total: u64,
    done: u64,
    began: Instant,
    said: Instant,
}

impl Progress {
    /// Progress of a card, a selector.
    pub(super) fn new(output: Output, card: &str) -> Self {
        let audience = if output.json {
            Audience::Program
        } else if output.quiet {
            Audience::Nobody
        } else if stderr().is_terminal() {
            let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
            Audience::Terminal(bar)
        } else {
            Audience::Log
        };
        Self::for_audience(audience, card)
    }

    fn for_audience(audience: Audience, card: &str) -> Self {
        let now = Instant::now();
        Self {
            card: card.to_owned(),
            audience,
            phase: None,
            total: 0,
            done: 0,
            began: now,
            said: now,
        }
    }

    fn begin(&mut self, phase: Phase, total: u64) {
        self.end();
        (self.phase, self.total, self.done) = (Some(phase), total, 0);
        self.began = Instant::now();
        self.said = self.began;
        match &self.audience {
            Audience::Terminal(bar) => {
                bar.reset();
                bar.set_length(total);
                bar.set_style(bar_style());
                bar.set_message(phase.to_string());
            }
            Audience::Program => self.event(),
            Audience::Log | Audience::Nobody => {}
        }
    }

    /// So many bytes of the phase are done.
    fn reach(&mut self, done: u64) {
        self.done = done.min(self.total);
        match &self.audience {
            Audience::Terminal(bar) => bar.set_position(self.done),
            Audience::Log if self.said.elapsed() >= BETWEEN_LINES => {
                self.said = Instant::now();
                Output::line(self.line());
            }
            Audience::Program if self.said.elapsed() >= BETWEEN_EVENTS => {
                self.said = Instant::now();
                self.event();
            }
            Audience::Log | Audience::Program | Audience::Nobody => {}
        }
    }

    /// The phase is over, done or not.
    fn end(&mut self) {
        if self.phase.is_none() {
            return;
        }
        match &self.audience {
            Audience::Terminal(bar) => bar.finish_and_clear(),
            Audience::Log if self.began.elapsed() >= WORTH_A_LINE => Output::line(self.line()),
            Audience::Program => self.event(),
            Audience::Log | Audience::Nobody => {}
        }
        self.phase = None;
    }

    fn rate(&self) -> Option<u64> {
        let micros = u64::try_from(self.began.elapsed().as_micros()).ok()?;
        self.done.saturating_mul(1_000_000).checked_div(micros)
    }

    fn seconds_left(&self) -> Option<u64> {
        (self.total - self.done).checked_div(self.rate()?)
    }

    /// A plain line: what, how far, how fast, how long still.
    fn line(&self) -> String {
        let mut line = format!(
            "{}: {}, {} of {}",
            self.card,
            self.phase
                .map_or_else(String::new, |phase| phase.to_string()),
            HumanBytes(self.done),
            HumanBytes(self.total)
        );
        if let Some(rate) = self.rate().filter(|_| self.done > 0) {
            line.push_str(&format!(", {}/s", HumanBytes(rate)));
        }
        if let Some(left) = self.seconds_left().filter(|_| self.done < self.total) {
            let left = HumanDuration(Duration::from_secs(left));
            line.push_str(&format!(", about {left} left"));
        }
        styled(DIM, line)
    }

    fn event(&self) {
        let Some(phase) = self.phase else {
            return;
        };
        let event = Event {
            schema: "flexctl.progress/1",
            card: &self.card,
            phase,
            done_bytes: self.done,
            total_bytes: self.total,
            bytes_per_second: self.rate(),
            seconds_left: self.seconds_left(),
        };
        if let Ok(line) = serde_json::to_string(&event) {
            Output::line(line);
        }
    }
}

impl flash::Progress for Progress {
    fn at(&mut self, phase: Phase, done: u64, total: u64) {
        if done == 0 || self.phase.is_some_and(|current| current != phase) {
            self.begin(phase, total);
        }
        // What is over stays over.
        if self.phase.is_some() {
            self.reach(done);
            if done >= total {
                self.end();
            }
        }
    }

    fn stage(&mut self, number: usize, of: usize, title: &str) {
        self.end();
        match &self.audience {
            Audience::Log | Audience::Terminal(_) if of > 1 => {
                let card = &self.card;
                Output::line(styled(
                    DIM,
                    format_args!("{card}: {title} ({number} of {of})"),
                ));
            }
            _ => {}
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.end();
    }
}

fn bar_style() -> ProgressStyle {
    // A template that does not parse would only look plainer.
    ProgressStyle::with_template(
        "  {msg:<28} [{bar:30}] {bytes}/{total_bytes} {bytes_per_sec} {eta} left",
    )
    .unwrap_or_else(|_| ProgressStyle::default_bar())
    .progress_chars("=> ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn progress() -> Progress {
        Progress::for_audience(Audience::Nobody, "04:00.0")
    }

    #[test]
    fn a_line_says_what_and_how_far() {
        let mut progress = progress();
        progress.begin(Phase::Write, 4096);
        progress.reach(1024);
        let line = progress.line();
        assert!(line.contains(", 1.00 KiB of 4.00 KiB"));
        assert!(line.contains("/s"), "{line}");
        assert!(line.contains("left"), "{line}");
        progress.reach(4096);
        assert!(!progress.line().contains("left"));
    }

    #[test]
    fn nothing_is_divided_by_a_phase_without_bytes() {
        let mut progress = progress();
        progress.begin(Phase::Write, 0);
        progress.reach(10);
        assert_eq!(progress.done, 0);
        assert_eq!(progress.seconds_left(), None);
        progress.end();
    }
}
