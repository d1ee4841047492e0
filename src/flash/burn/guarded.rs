//! Writing to the flash, within what a plan may touch.

use std::ops::Range;

use crate::flash::plan::Extents;
use crate::flash::region::first_touched;
use crate::flash::{Block, Flash, Region};

use super::BurnError;

/// A flash in which only a plan's own sectors can be written.
#[derive(Debug)]
pub(super) struct Guarded<'a> {
    pub(super) flash: &'a mut dyn Flash,
    ours: &'a Extents,
    /// The dwords of other images that may be zeroed.
    dwords: Vec<u32>,
    protected: &'a [Region],
    page: u32,
    pub(super) bytes_programmed: u64,
    pub(super) blocks_erased: u64,
}

impl<'a> Guarded<'a> {
    pub(super) fn new(
        flash: &'a mut dyn Flash,
        ours: &'a Extents,
        dwords: Vec<u32>,
        protected: &'a [Region],
    ) -> Self {
        let page = flash.chip().page;
        Self {
            flash,
            ours,
            dwords,
            protected,
            page,
            bytes_programmed: 0,
            blocks_erased: 0,
        }
    }

    fn check(&self, range: &Range<u32>) -> Result<(), BurnError> {
        if let Some(region) = first_touched(self.protected, range) {
            return Err(BurnError::touches(region, range.start, range.end));
        }
        let dword =
            range.end == range.start.saturating_add(4) && self.dwords.contains(&range.start);
        if dword || self.ours.has(range.clone()) {
            return Ok(());
        }
        let foreign = Region::new(range.clone(), "bytes that the plan does not name");
        Err(BurnError::touches(&foreign, range.start, range.end))
    }

    /// Erases a block.
    pub(super) fn erase(&mut self, block: Block) -> Result<(), BurnError> {
        self.check(&(block.start..block.end()))?;
        self.flash.erase(block)?;
        self.blocks_erased += 1;
        Ok(())
    }

    /// Programs bytes page by page; `done` is told of every page.
    pub(super) fn program(
        &mut self,
        at: u32,
        data: &[u8],
        mut done: impl FnMut(u64),
    ) -> Result<(), BurnError> {
        let mut at = at;
        let mut rest = data;
        while !rest.is_empty() {
            let to_page_end = self.page.max(1) - at % self.page.max(1);
            let fits = usize::try_from(to_page_end).unwrap_or(usize::MAX);
            let (part, after) = rest.split_at(fits.min(rest.len()));
            let bytes = u32::try_from(part.len()).unwrap_or(u32::MAX);
            let end = at.saturating_add(bytes);
            self.check(&(at..end))?;
            self.flash.program(at, part)?;
            self.bytes_programmed += u64::from(bytes);
            done(u64::from(bytes));
            at = end;
            rest = after;
        }
        Ok(())
    }
}
