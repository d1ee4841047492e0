//! Reading back, and writing once more what did not arrive.

use std::ops::Range;

use crate::flash::plan::{programs_after_erase, programs_over, sector_needs_erase};
use crate::flash::{Block, Flash, FlashError, FlashPlan};

use super::BurnError;
use super::guarded::Guarded;

/// How often bytes are read before they count as wrong: a read can be disturbed.
const READS: u32 = 3;
/// How often a sector is written before it counts as broken.
const WRITES: u32 = 3;

/// What a comparison found.
#[derive(Debug)]
pub(super) enum Compared {
    /// The bytes are there.
    Right,
    /// They are, but a read was disturbed.
    RightAfterAll,
    /// They are not.
    Wrong {
        /// The first that is not.
        at: u32,
        expected: u8,
        found: u8,
        /// All that was read.
        read: Vec<u8>,
    },
}

/// Reads bytes and compares them; those of `skip` do not count.
pub(super) fn compare(
    flash: &mut dyn Flash,
    at: u32,
    expected: &[u8],
    skip: &[Range<u32>],
) -> Result<Compared, FlashError> {
    let mut read = vec![0; expected.len()];
    let mut wrong = None;
    for round in 0..READS {
        flash.read(at, &mut read)?;
        wrong = first_difference(at, expected, &read, skip);
        if wrong.is_none() {
            return Ok(match round {
                0 => Compared::Right,
                _ => Compared::RightAfterAll,
            });
        }
    }
    Ok(match wrong {
        Some((at, expected, found)) => Compared::Wrong {
            at,
            expected,
            found,
            read,
        },
        None => Compared::Right,
    })
}

fn first_difference(
    at: u32,
    expected: &[u8],
    read: &[u8],
    skip: &[Range<u32>],
) -> Option<(u32, u8, u8)> {
    if expected == read {
        return None;
    }
    (at..)
        .zip(expected.iter().zip(read))
        .find(|(at, (expected, read))| {
            expected != read && !skip.iter().any(|range| range.contains(at))
        })
        .map(|(at, (expected, read))| (at, *expected, *read))
}

/// What became of a sector.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verified {
    Right,
    ReadAgain,
    Rewritten,
}

/// Compares one of a plan's sectors with what it shall hold, the magics aside, and
/// writes it again where it differs.
pub(super) fn verify_sector(
    guarded: &mut Guarded<'_>,
    plan: &FlashPlan,
    sector: Range<u32>,
) -> Result<Verified, BurnError> {
    let magics = plan.magic_ranges();
    let Some(main) = plan.main.get(sector.clone()) else {
        return Ok(Verified::Right);
    };
    let mut verified = Verified::Right;
    for tries in 1..=WRITES {
        let (at, expected, found, read) = match compare(guarded.flash, sector.start, main, &magics)?
        {
            Compared::RightAfterAll if verified == Verified::Right => {
                return Ok(Verified::ReadAgain);
            }
            Compared::Right | Compared::RightAfterAll => return Ok(verified),
            Compared::Wrong {
                at,
                expected,
                found,
                read,
            } => (at, expected, found, read),
        };
        if tries == WRITES {
            return Err(BurnError::DoesNotVerify {
                at,
                expected,
                found,
                tries,
            });
        }
        verified = Verified::Rewritten;
        rewrite(guarded, plan, &sector, main, &read)?;
    }
    Ok(verified)
}

fn rewrite(
    guarded: &mut Guarded<'_>,
    plan: &FlashPlan,
    sector: &Range<u32>,
    main: &[u8],
    read: &[u8],
) -> Result<(), BurnError> {
    let page = plan.chip.page;
    let wanted = plan.wanted(sector.clone()).unwrap_or_default();
    let runs = if sector_needs_erase(read, &wanted) {
        guarded.erase(Block {
            start: sector.start,
            bytes: sector.end - sector.start,
        })?;
        programs_after_erase(main, sector.start, page)
    } else {
        programs_over(read, main, sector.start, page, &plan.magic_ranges())
    };
    for run in runs {
        if let Some(data) = plan.main.get(run.clone()) {
            guarded.program(run.start, data, |_| {})?;
        }
    }
    Ok(())
}

/// Programs a few bytes until they read as they should.
pub(super) fn program_surely(
    guarded: &mut Guarded<'_>,
    at: u32,
    data: &[u8],
) -> Result<(), BurnError> {
    let mut tries = 1;
    loop {
        guarded.program(at, data, |_| {})?;
        match compare(guarded.flash, at, data, &[])? {
            Compared::Right | Compared::RightAfterAll => return Ok(()),
            Compared::Wrong {
                at,
                expected,
                found,
                ..
            } if tries == WRITES => {
                return Err(BurnError::DoesNotVerify {
                    at,
                    expected,
                    found,
                    tries,
                });
            }
            Compared::Wrong { .. } => tries += 1,
        }
    }
}
