//! Which blocks to erase and which bytes to program.
//!
//! A block is erased with one large command or with several small ones, whichever
//! takes less time by the chip's typical figures: what a large one erases needlessly
//! has to be programmed again, and that counts.

use std::ops::Range;

use crate::hwdb::FlashChip;

use super::Step;
use super::extents::{Extents, index, len_of};

const ERASED: u8 = 0xff;
const DWORD: usize = 4;

/// What is there, and what shall be.
#[derive(Debug)]
pub(super) struct Work<'a> {
    pub(super) chip: &'a FlashChip,
    /// What is there when the work begins.
    pub(super) present: &'a Extents,
    /// What shall be there in the end: decides what must be erased.
    pub(super) wanted: &'a Extents,
    /// The same with ones where a magic will be: what is programmed.
    pub(super) main: &'a Extents,
    /// Where magics will be.
    pub(super) magics: &'a [Range<u32>],
}

/// What is done to one block.
#[derive(Debug, Default)]
struct Choice {
    microseconds: u64,
    erases: bool,
    steps: Vec<Step>,
}

impl Work<'_> {
    /// The erase and program steps, in the order of addresses.
    pub(super) fn steps(&self) -> Vec<Step> {
        let Some(level) = self.chip.erase.len().checked_sub(1) else {
            return Vec::new();
        };
        let size = self.size(level).max(1);
        let mut steps = Vec::new();
        let mut next = 0;
        for (range, _) in self.wanted.iter() {
            let mut block = (range.start - range.start % size).max(next);
            while block < range.end {
                steps.extend(self.choose(block, level).steps);
                block = block.saturating_add(size);
            }
            next = block;
        }
        steps
    }

    fn size(&self, level: usize) -> u32 {
        self.chip.erase.get(level).map_or(0, |erase| erase.bytes)
    }

    fn choose(&self, start: u32, level: usize) -> Choice {
        let size = self.size(level);
        let range = start..start.saturating_add(size);
        let Some(smaller) = level.checked_sub(1) else {
            return self.sector(range);
        };
        let mut parts = Choice::default();
        let mut at = range.start;
        while at < range.end {
            let part = self.choose(at, smaller);
            parts.microseconds += part.microseconds;
            parts.erases |= part.erases;
            parts.steps.extend(part.steps);
            at = at.saturating_add(self.size(smaller).max(1));
        }
        if !parts.erases {
            return parts;
        }
        match self.erased(range, level) {
            Some(whole) if whole.microseconds < parts.microseconds => whole,
            _ => parts,
        }
    }

    /// The smallest block: left alone, programmed over, or erased.
    fn sector(&self, range: Range<u32>) -> Choice {
        let (Some(present), Some(wanted), Some(main)) = (
            self.present.get(range.clone()),
            self.wanted.get(range.clone()),
            self.main.get(range.clone()),
        ) else {
            return Choice::default();
        };
        if sector_needs_erase(present, wanted) {
            return self.erased(range, 0).unwrap_or_default();
        }
        let page = self.chip.page;
        let runs = programs_over(present, main, range.start, page, self.magics);
        Choice {
            microseconds: self.program_time(&runs),
            erases: false,
            steps: runs.into_iter().map(program).collect(),
        }
    }

    /// A block that is erased; `None` when something in it is not ours.
    fn erased(&self, range: Range<u32>, level: usize) -> Option<Choice> {
        let main = self.main.get(range.clone())?;
        let runs = programs_after_erase(main, range.start, self.chip.page);
        let erase = self.chip.erase.get(level)?;
        let microseconds = u64::from(erase.typical_us) + self.program_time(&runs);
        let mut steps = vec![Step::Erase {
            start: range.start,
            bytes: erase.bytes,
        }];
        steps.extend(runs.into_iter().map(program));
        Some(Choice {
            microseconds,
            erases: true,
            steps,
        })
    }

    fn program_time(&self, runs: &[Range<u32>]) -> u64 {
        runs.iter()
            .map(|run| pages(run, self.chip.page) * u64::from(self.chip.program.typical_us))
            .sum()
    }
}

fn program(run: Range<u32>) -> Step {
    Step::Program {
        at: run.start,
        bytes: run.end - run.start,
    }
}

/// How many pages have a byte of a run.
pub(super) fn pages(run: &Range<u32>, page: u32) -> u64 {
    let page = page.max(1);
    u64::from(run.end.div_ceil(page).saturating_sub(run.start / page))
}

/// Whether a bit has to become 1 again.
pub(in crate::flash) fn sector_needs_erase(present: &[u8], wanted: &[u8]) -> bool {
    present
        .iter()
        .zip(wanted)
        .any(|(present, wanted)| present & wanted != *wanted)
}

/// The runs to program in a block of ones that starts at `start`.
pub(in crate::flash) fn programs_after_erase(
    main: &[u8],
    start: u32,
    page: u32,
) -> Vec<Range<u32>> {
    runs(main, start, page, |bytes, _| {
        bytes.iter().any(|byte| *byte != ERASED)
    })
}

/// The runs to program over what is there, which only clears bits. What is where
/// the magic will be does not count.
pub(in crate::flash) fn programs_over(
    present: &[u8],
    main: &[u8],
    start: u32,
    page: u32,
    magics: &[Range<u32>],
) -> Vec<Range<u32>> {
    runs(main, start, page, |bytes, at| {
        let address = start.saturating_add(u32::try_from(at).unwrap_or(u32::MAX));
        let of_magic = magics.iter().any(|magic| magic.contains(&address));
        !of_magic && present.get(at..at + bytes.len()) != Some(bytes)
    })
}

/// From the first to the last dword of every page that has to be programmed;
/// what follows without a gap is one run.
fn runs(
    main: &[u8],
    start: u32,
    page: u32,
    needed: impl Fn(&[u8], usize) -> bool,
) -> Vec<Range<u32>> {
    let mut runs: Vec<Range<u32>> = Vec::new();
    let page = index(page).max(DWORD);
    for (number, bytes) in main.chunks(page).enumerate() {
        let offset = number * page;
        let mut dwords = bytes
            .chunks(DWORD)
            .enumerate()
            .filter(|(at, dword)| needed(dword, offset + at * DWORD))
            .map(|(at, dword)| (at * DWORD, at * DWORD + dword.len()));
        let Some((from, mut to)) = dwords.next() else {
            continue;
        };
        if let Some((_, end)) = dwords.last() {
            to = end;
        }
        let first = main
            .get(..offset + from)
            .map_or(start, |before| start.saturating_add(len_of(before)));
        let run = first..first.saturating_add(u32::try_from(to - from).unwrap_or(0));
        match runs.last_mut() {
            Some(last) if last.end == run.start => last.end = run.end,
            _ => runs.push(run),
        }
    }
    runs
}
