//! What waits for a restart on a card, as the card says it or the records do.

use crate::device::{Card, CardReading, Journal, OpenCard, Record, Sameness};
use crate::settings::{HeldAtBoot, Pending, pending};

use super::boot_id::boot_id;
use super::context::Context;

/// What waits for a restart.
pub(super) fn waiting(
    ctx: &Context,
    card: &Card,
    open: &OpenCard,
    reading: &CardReading,
) -> Vec<Pending> {
    pending(&reading.ports, &held_at_boot(ctx, card, open, reading))
}

/// Whether the card itself says what is current.
pub(super) fn says_current(reading: &CardReading) -> bool {
    let mut tlvs = reading.ports.iter().flat_map(|port| &port.tlvs);
    tlvs.any(|tlv| tlv.current.is_some())
}

/// What TLVs held when the host was booted, where flexctl changed them since. A
/// record that cannot be read says nothing.
fn held_at_boot(
    ctx: &Context,
    card: &Card,
    open: &OpenCard,
    reading: &CardReading,
) -> Vec<HeldAtBoot> {
    let boot = boot_id(ctx, card);
    if boot.is_none() || says_current(reading) {
        return Vec::new();
    }
    let journal = Journal::of(&ctx.folders, card);
    let board = open.identity(reading);
    let in_this_boot =
        |record: &Record| record.boot_id == boot && record.is_of(&board) != Sameness::Other;
    let finished = journal.history().unwrap_or_default();
    let records = finished
        .into_iter()
        .filter_map(|entry| entry.record.ok())
        .filter(in_this_boot);
    let mut held: Vec<HeldAtBoot> = Vec::new();
    // The newest come first: what an older one says is further back.
    for tlv in records.flat_map(|record| record.tlvs) {
        let (Some(function), Some(key), Some(stored)) =
            (tlv.address(), tlv.tlv_key(), tlv.stored_before())
        else {
            continue;
        };
        match held
            .iter_mut()
            .find(|known| known.function == function && known.key == key)
        {
            Some(known) => known.stored = stored,
            None => held.push(HeldAtBoot {
                function,
                key,
                stored,
            }),
        }
    }
    held
}
