//! One TLV write of a transaction: what was tried and what the card holds.

use crate::command::register::Which;
use crate::command::{CommandError, Session};

use super::change::TlvWrite;
use super::tlv_store::{self, Stored};

/// Reads what the card holds for the TLV now.
pub(super) fn holds_now(
    session: &mut Session<'_>,
    write: &TlvWrite,
) -> Result<Stored, CommandError> {
    let length = |stored: &Stored| match stored {
        Stored::Set(data) => data.len(),
        Stored::NotSet => 0,
    };
    let longest = length(&write.before)
        .max(length(&write.after))
        .max(write.base.len());
    let length = u16::try_from(longest).unwrap_or(u16::MAX);
    tlv_store::read(session, write.key, Which::Next, length)
}

/// Does what is planned.
pub(super) fn carry_out(session: &mut Session<'_>, write: &TlvWrite) -> Result<(), CommandError> {
    match &write.after {
        Stored::Set(data) => tlv_store::write(session, write.key, data, write.header),
        Stored::NotSet => tlv_store::delete(session, write.key),
    }
}

/// Puts back what was there before.
///
/// Where the card cannot delete a single TLV (ConnectX-3) an unset one becomes
/// its default bytes: the same values, written down.
pub(super) fn restore(session: &mut Session<'_>, write: &TlvWrite) -> Result<(), CommandError> {
    match &write.before {
        Stored::Set(data) => tlv_store::write(session, write.key, data, write.header),
        Stored::NotSet if tlv_store::can_delete(write.key) => tlv_store::delete(session, write.key),
        Stored::NotSet => tlv_store::write(session, write.key, &write.base, None),
    }
}
