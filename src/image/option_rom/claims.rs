//! Which part has which bytes of an image: no byte has two, and what nobody
//! claims becomes contents or padding.

use std::collections::BTreeMap;

use super::super::{Finding, FindingKind};
use super::{Part, Placed, StoredRecord};

/// Fewer equal bytes at the end of an image may as well be code.
const LEAST_PADDING: usize = 16;

/// A record and where it starts in the file.
pub(super) type FoundRecord<'a> = (usize, StoredRecord<'a>);

/// Parts that have their place in a stretch of the file, and do not overlap.
pub(super) struct Claims<'a> {
    start: usize,
    end: usize,
    placed: BTreeMap<usize, (usize, Part<'a>)>,
    /// Where unclaimed bytes are divided.
    split: Option<usize>,
}

impl<'a> Claims<'a> {
    pub(super) fn new(start: usize, end: usize) -> Self {
        Self {
            start,
            end,
            placed: BTreeMap::new(),
            split: None,
        }
    }

    pub(super) fn split_at(&mut self, offset: usize) {
        self.split = Some(offset);
    }

    /// Gives a part its place; `false` when that is not free.
    pub(super) fn claim(&mut self, offset: usize, part: Part<'a>) -> bool {
        let end = offset.saturating_add(part.to_bytes().len());
        let free = offset >= self.start
            && end <= self.end
            && self
                .placed
                .range(..end)
                .next_back()
                .is_none_or(|(_, (end, _))| *end <= offset);
        if free {
            self.placed.insert(offset, (end, part));
        }
        free
    }

    /// Gives the records their place that begin in this stretch.
    pub(super) fn claim_records(
        &mut self,
        records: &[FoundRecord<'a>],
        findings: &mut Vec<Finding>,
    ) {
        let (start, end) = (self.start, self.end);
        let from = records.partition_point(|(offset, _)| *offset < start);
        let begin_here = records.get(from..).unwrap_or_default();
        for (offset, record) in begin_here.iter().take_while(|(offset, _)| *offset < end) {
            if !self.claim(*offset, Part::Record(*record)) {
                findings.push(Finding::warning(
                    FindingKind::Overlap,
                    "version-record",
                    *offset as u64,
                    "a version record lies across another part",
                ));
            }
        }
    }

    /// All parts in order, with what nobody claimed in between; `bytes` is the
    /// stretch.
    pub(super) fn fill(
        self,
        bytes: &'a [u8],
        name: impl Fn(usize) -> &'static str,
    ) -> Vec<Placed<'a>> {
        let mut parts = Vec::with_capacity(self.placed.len() * 2 + 2);
        let unclaimed = |parts: &mut Vec<Placed<'a>>, from: usize, to: usize, at_end: bool| {
            let cut = |from: usize, to: usize| {
                bytes
                    .get(from - self.start..to - self.start)
                    .unwrap_or_default()
            };
            let mut push = |offset: usize, part: Part<'a>| parts.push(Placed { offset, part });
            let padding = if at_end { padding(cut(from, to)) } else { 0 };
            let padding = if padding >= LEAST_PADDING { padding } else { 0 };
            let contents_end = to - padding;
            let middle = self
                .split
                .filter(|split| (from + 1..contents_end).contains(split))
                .unwrap_or(contents_end);
            for (from, to) in [(from, middle), (middle, contents_end)] {
                if from < to {
                    push(from, Part::Contents(name(from), cut(from, to)));
                }
            }
            if padding > 0 {
                push(contents_end, Part::Padding(cut(contents_end, to)));
            }
        };
        let mut at = self.start;
        for (offset, (end, part)) in self.placed {
            if at < offset {
                unclaimed(&mut parts, at, offset, false);
            }
            parts.push(Placed { offset, part });
            at = end;
        }
        if at < self.end {
            unclaimed(&mut parts, at, self.end, true);
        }
        parts
    }
}

/// How many bytes at the end are 0, or 0xff.
fn padding(bytes: &[u8]) -> usize {
    let Some(last) = bytes.last().filter(|byte| matches!(byte, 0 | 0xff)) else {
        return 0;
    };
    bytes.iter().rev().take_while(|byte| *byte == last).count()
}
