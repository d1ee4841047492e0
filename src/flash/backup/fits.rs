//! Whether a backup is for a card.

use serde::Serialize;

use crate::hwdb::FlashChip;
use crate::settings::{CardIdentity, Sameness};

use super::BackupFacts;

/// Why a backup is not for a card, or perhaps not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, thiserror::Error)]
#[serde(tag = "misfit", rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Misfit {
    /// The chip has another size: nothing can be done.
    #[error("the backup is of a flash of {backup:#x} bytes, this one has {flash:#x}")]
    ChipSize {
        /// Bytes of the backup.
        backup: u32,
        /// Bytes of the chip.
        flash: u32,
    },
    /// It is of another model.
    #[error("the backup is of another model: {backup}; this is {card}")]
    OtherModel {
        /// Whose it is.
        backup: Box<CardIdentity>,
        /// What is there.
        card: Box<CardIdentity>,
    },
    /// It is of another board of this model.
    #[error("the backup is of another board: {backup}; this is {card}")]
    OtherBoard {
        /// Whose it is.
        backup: Box<CardIdentity>,
        /// What is there.
        card: Box<CardIdentity>,
    },
    /// One of both does not say which board it is. A card in flash recovery says
    /// nothing.
    #[error("it cannot be told whether the backup, of {backup}, is of this board, {card}")]
    BoardUnknown {
        /// Whose it is.
        backup: Box<CardIdentity>,
        /// What is there.
        card: Box<CardIdentity>,
    },
}

/// What keeps a backup from being restored onto a card, the worst first. None when
/// it is of this very board.
#[must_use]
pub fn check_backup_fits(
    facts: &BackupFacts,
    card: &CardIdentity,
    chip: &FlashChip,
) -> Vec<Misfit> {
    let mut misfits = Vec::new();
    if facts.bytes != chip.bytes {
        misfits.push(Misfit::ChipSize {
            backup: facts.bytes,
            flash: chip.bytes,
        });
    }
    let both = || (Box::new(facts.card.clone()), Box::new(card.clone()));
    let (backup, card_there) = both();
    let board = facts.card.is_same_board(card);
    if facts.card.is_same_model(card) == Sameness::Other {
        misfits.push(Misfit::OtherModel {
            backup,
            card: card_there,
        });
    } else if board == Sameness::Other {
        misfits.push(Misfit::OtherBoard {
            backup,
            card: card_there,
        });
    } else if board == Sameness::CannotTell {
        misfits.push(Misfit::BoardUnknown {
            backup,
            card: card_there,
        });
    }
    misfits
}
