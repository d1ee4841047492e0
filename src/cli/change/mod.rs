//! A change to cards, from the lock to the report: what `enable-ipv6`, `settings
//! set`, `apply` and the others have in common.
//!
//! A [`Job`] says what is wanted of a card. [`prepare`](prepare::prepare) locks the card,
//! reads it and plans; nothing is written before the plan was shown and agreed to;
//! [`carry_out`](carry_out::carry_out) keeps the record and writes.

mod burn_first;
mod carry_out;
mod fleet;
mod job;
mod one_card;
mod plan_text;
mod prepare;
mod unfinished;

pub(super) use burn_first::burn_then_enable;
pub(super) use fleet::{Purpose, change_together};
pub(super) use job::{Job, Planned, chosen_ports};
pub(super) use one_card::{asks, change_one_by_one, confirmed};
pub(super) use prepare::{know_board, lock};
pub(super) use unfinished::unfinished_report;
