//! Bounded waiting: every wait has an end, and a request to stop is heard.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// How long to wait for a card, and the flag that asks to stop.
///
/// Clones share the flag. The deadline, when there is one, bounds everything
/// that is done with the card.
#[derive(Clone, Debug)]
pub struct Patience {
    /// The longest single wait: a semaphore, a busy bit.
    pub limit: Duration,
    stop: Arc<AtomicBool>,
    deadline: Option<Instant>,
}

/// Why a wait ended without success.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GaveUp {
    /// The time was up after this long.
    TimeUp(Duration),
    /// Somebody asked to stop.
    Stopped,
}

impl Patience {
    /// The bound for a single wait unless somebody chose another one.
    ///
    /// mstflint 4.21 gives up on a gateway semaphore after about 3 s.
    pub const LIMIT: Duration = Duration::from_secs(3);

    /// Waits of at most `limit`, stopped when `stop` becomes true.
    #[must_use]
    pub fn new(limit: Duration, stop: Arc<AtomicBool>) -> Self {
        Self {
            limit,
            stop,
            deadline: None,
        }
    }

    /// The same, but everything ends at `deadline`.
    #[must_use]
    pub fn until(mut self, deadline: Instant) -> Self {
        self.deadline = Some(deadline);
        self
    }

    /// The same limits, deaf to requests to stop: for restoring what was there.
    #[must_use]
    pub fn undisturbed(&self) -> Self {
        Self::new(self.limit, Arc::default())
    }

    /// Whether somebody asked to stop or the deadline has passed.
    #[must_use]
    pub fn stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
            || self
                .deadline
                .is_some_and(|deadline| Instant::now() >= deadline)
    }

    /// Starts a wait.
    #[must_use]
    pub fn wait(&self) -> Wait<'_> {
        Wait {
            patience: self,
            since: None,
            rounds: 0,
        }
    }
}

impl Default for Patience {
    fn default() -> Self {
        Self::new(Self::LIMIT, Arc::default())
    }
}

/// A wait under way: call [`Wait::pause`] between two looks.
#[derive(Debug)]
pub struct Wait<'a> {
    patience: &'a Patience,
    since: Option<Instant>,
    rounds: u32,
}

impl Wait<'_> {
    /// Looks are free of sleep this often, then pauses double from 50 us to 8 ms.
    const QUICK_LOOKS: u32 = 4;
    const LONGEST_PAUSE: Duration = Duration::from_millis(8);

    /// Sleeps a little before the next look.
    ///
    /// # Errors
    /// [`GaveUp`] when the time is up or somebody asked to stop.
    pub fn pause(&mut self) -> Result<(), GaveUp> {
        let since = *self.since.get_or_insert_with(Instant::now);
        if self.patience.stopped() {
            return Err(GaveUp::Stopped);
        }
        if since.elapsed() >= self.patience.limit {
            return Err(GaveUp::TimeUp(self.patience.limit));
        }
        if self.rounds >= Self::QUICK_LOOKS {
            let doublings = (self.rounds - Self::QUICK_LOOKS).min(8);
            thread::sleep((Duration::from_micros(50) * (1 << doublings)).min(Self::LONGEST_PAUSE));
        }
        self.rounds += 1;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_ends_when_its_time_is_up() {
        let patience = Patience::new(Duration::from_millis(5), Arc::default());
        let mut wait = patience.wait();
        let end = loop {
            if let Err(end) = wait.pause() {
                break end;
            }
        };
        assert_eq!(end, GaveUp::TimeUp(Duration::from_millis(5)));
    }

    #[test]
    fn a_request_to_stop_is_heard_at_once() {
        let stop = Arc::new(AtomicBool::new(true));
        let patience = Patience::new(Duration::from_secs(60), Arc::clone(&stop));
        assert_eq!(patience.wait().pause(), Err(GaveUp::Stopped));
        assert!(patience.undisturbed().wait().pause().is_ok());
    }
}
