//! Stretches that may lie over each other, and which of them is on top where.
//!
//! An image is described by parts that ought not to overlap, and in a damaged
//! or hostile one do. Whatever needs every byte exactly once (the layout, the
//! digest, what is written after an edit) goes through this.

use std::ops::Range;

/// Tiles, the later ones on top.
#[derive(Clone, Debug)]
pub(super) struct Mosaic<T> {
    tiles: Vec<(Range<u64>, T)>,
}

/// A stretch in which the same tile is on top, or none.
#[derive(Clone, Debug)]
pub(super) struct Visible<'m, T> {
    /// Where it is.
    pub(super) range: Range<u64>,
    /// The tile: where it starts and what it is.
    pub(super) top: Option<(u64, &'m T)>,
}

impl<T> Mosaic<T> {
    pub(super) fn new() -> Self {
        Self { tiles: Vec::new() }
    }

    /// Puts a tile on top; an empty one is left out.
    pub(super) fn lay(&mut self, range: Range<u64>, tile: T) {
        if !range.is_empty() {
            self.tiles.push((range, tile));
        }
    }

    /// What is visible within a range, in its order and without holes.
    ///
    /// There are at most a few hundred tiles, so that looking at all of them for
    /// each stretch is fine.
    pub(super) fn visible(&self, range: Range<u64>) -> Vec<Visible<'_, T>> {
        let mut edges: Vec<u64> = self
            .tiles
            .iter()
            .flat_map(|(tile, _)| [tile.start, tile.end])
            .chain([range.start, range.end])
            .filter(|edge| (range.start..=range.end).contains(edge))
            .collect();
        edges.sort_unstable();
        edges.dedup();
        let mut stretches: Vec<(Range<u64>, Option<usize>)> = Vec::new();
        for (&from, &to) in edges.iter().zip(edges.iter().skip(1)) {
            let top = self
                .tiles
                .iter()
                .rposition(|(tile, _)| tile.start <= from && to <= tile.end);
            match stretches.last_mut() {
                Some((range, number)) if *number == top => range.end = to,
                _ => stretches.push((from..to, top)),
            }
        }
        stretches
            .into_iter()
            .map(|(range, number)| Visible {
                range,
                top: number
                    .and_then(|number| self.tiles.get(number))
                    .map(|(place, tile)| (place.start, tile)),
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Seen = (Range<u64>, Option<(u64, char)>);

    fn seen(mosaic: &Mosaic<char>, range: Range<u64>) -> Vec<Seen> {
        mosaic
            .visible(range)
            .into_iter()
            .map(|stretch| {
                (
                    stretch.range,
                    stretch.top.map(|(start, tile)| (start, *tile)),
                )
            })
            .collect()
    }

    #[test]
    fn the_later_tile_is_on_top_and_holes_stay() {
        let mut mosaic = Mosaic::new();
        mosaic.lay(2..8, 'a');
        mosaic.lay(4..6, 'b');
        mosaic.lay(7..7, 'c');
        assert_eq!(
            seen(&mosaic, 0..10),
            [
                (0..2, None),
                (2..4, Some((2, 'a'))),
                (4..6, Some((4, 'b'))),
                (6..8, Some((2, 'a'))),
                (8..10, None),
            ]
        );
        assert_eq!(seen(&mosaic, 5..7).len(), 2);
        assert_eq!(seen(&mosaic, 20..20), []);
    }

    #[test]
    fn every_byte_is_seen_exactly_once() {
        let mut mosaic = Mosaic::new();
        for n in 0..50_u64 {
            let start = n * 7 % 40;
            mosaic.lay(start..start + n % 9, 'x');
        }
        let stretches = mosaic.visible(3..60);
        assert_eq!(stretches.first().unwrap().range.start, 3);
        assert_eq!(stretches.last().unwrap().range.end, 60);
        for pair in stretches.windows(2) {
            assert_eq!(pair[0].range.end, pair[1].range.start);
        }
    }
}
