//! Waiting for a chip that erases or programs: as long as its datasheet says,
//! with few looks.

use std::thread;
use std::time::{Duration, Instant};

/// A wait for the chip, bounded by what its datasheet calls the longest time.
#[derive(Debug)]
pub(super) struct BusyWait {
    since: Instant,
    typical: Duration,
    limit: Duration,
    looks: u32,
    late_looks: u32,
}

impl BusyWait {
    /// Datasheets promise their longest times for chips that are not worn out.
    const MARGIN: u32 = 2;
    const LEAST_LIMIT: Duration = Duration::from_millis(100);
    const QUICK_LOOKS: u32 = 4;
    /// Looks after the time is up: on a busy host all of it may have gone by
    /// between two looks.
    const LATE_LOOKS: u32 = 3;
    const SHORTEST_PAUSE: Duration = Duration::from_micros(50);

    pub(super) fn new(typical_us: u32, longest_us: u32) -> Self {
        Self {
            since: Instant::now(),
            typical: Duration::from_micros(typical_us.into()),
            limit: limit(longest_us),
            looks: 0,
            late_looks: 0,
        }
    }

    /// Sleeps before the next look.
    ///
    /// # Errors
    /// How long it was waited for, when the time is up.
    pub(super) fn pause(&mut self) -> Result<(), Duration> {
        let waited = self.since.elapsed();
        if waited >= self.limit {
            if self.late_looks == Self::LATE_LOOKS {
                return Err(waited);
            }
            self.late_looks += 1;
        }
        // Some looks at once, then less and less often.
        let pause = match self.looks.checked_sub(Self::QUICK_LOOKS) {
            None => Duration::ZERO,
            Some(doublings) => {
                let longest = (self.typical / 8).max(Self::SHORTEST_PAUSE);
                (Self::SHORTEST_PAUSE * (1 << doublings.min(16))).min(longest)
            }
        };
        self.looks += 1;
        if !pause.is_zero() {
            thread::sleep(pause);
        }
        Ok(())
    }
}

/// How long an operation may take whose longest time is this.
pub(super) fn limit(longest_us: u32) -> Duration {
    (Duration::from_micros(longest_us.into()) * BusyWait::MARGIN).max(BusyWait::LEAST_LIMIT)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_ends_when_the_longest_time_is_long_over() {
        let mut wait = BusyWait::new(100, 1000);
        let waited = loop {
            if let Err(waited) = wait.pause() {
                break waited;
            }
        };
        assert!(waited >= BusyWait::LEAST_LIMIT && waited < Duration::from_secs(10));
        let mut stalled = BusyWait::new(100, 1000);
        thread::sleep(BusyWait::LEAST_LIMIT);
        assert!(stalled.pause().is_ok(), "nobody has looked since");
        assert_eq!(limit(3_000_000), Duration::from_secs(6));
    }
}
