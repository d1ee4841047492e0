//! In which boot a change was made: what was written since then waits for the
//! next one.

use std::path::Path;

use crate::device::{Card, Origin, read_boot_id};

use super::context::Context;

/// The boot of the host that the card is in. A virtual card counts its own.
pub(super) fn boot_id(ctx: &Context, card: &Card) -> Option<String> {
    match &card.origin {
        Origin::Host => read_boot_id(Path::new("/")),
        Origin::Simulated(name) => {
            let card = ctx.shelf.card(name).ok()?;
            Some(format!("sim-{}", card.reboots()))
        }
    }
}
