//! A card that is locked and known, its flash within reach.

use crate::command::register::Mgir;
use crate::device::{Card, CardKind, CardLock, FlashCard, OpenCard};
use crate::flash::{Flash, FlashWish};
use crate::hwdb::Device;
use crate::settings::{CardIdentity, Detail, Wanted};

use super::super::change::know_board;
use super::super::context::Context;
use super::super::error::Failure;
use super::super::failure_hints::{Situation, command_failure, open_failure};
use super::failure::flash_failure;

/// Who a card is, as far as it says.
pub(super) struct About<'c> {
    pub(super) card: &'c Card,
    pub(super) device: Device,
    pub(super) identity: CardIdentity,
    /// What the firmware says of itself; nothing in flash-recovery mode.
    pub(super) mgir: Option<Mgir>,
    /// Hardware id and revision, CR 0xf0014.
    pub(super) hardware: (u16, u8),
}

/// A card whose flash is to be worked on.
pub(in crate::cli) struct Opened<'c> {
    pub(super) about: About<'c>,
    flash_card: FlashCard,
    _lock: Option<CardLock>,
}

impl<'c> Opened<'c> {
    /// Asks a card who it is and opens the way to its flash. The caller took the
    /// card's lock, or does without for a dry run.
    pub(in crate::cli) fn open(
        ctx: &Context,
        card: &'c Card,
        lock: Option<CardLock>,
    ) -> Result<Self, Failure> {
        let situation = Situation::of(&ctx.host, card);
        let (identity, mgir) = match &card.kind {
            CardKind::FlashRecovery(device) => (recovering(device), None),
            _ => know(ctx, card, &situation)?,
        };
        let mut flash_card = FlashCard::open(card, &ctx.root, &ctx.shelf, &ctx.patience())
            .map_err(|error| open_failure(&error, &situation))?;
        let hardware = flash_card
            .hardware_id()
            .map_err(|error| open_failure(&error, &situation))?;
        Ok(Self {
            about: About {
                card,
                device: flash_card.device.clone(),
                identity,
                mgir,
                hardware,
            },
            flash_card,
            _lock: lock,
        })
    }

    /// Takes the locks of the flash and finds out what chip it is.
    pub(super) fn parts(
        &mut self,
        ctx: &Context,
        wish: FlashWish,
    ) -> Result<(&About<'c>, Box<dyn Flash + '_>), Failure> {
        let situation = Situation::of(&ctx.host, self.about.card);
        let flash = self
            .flash_card
            .flash(wish)
            .map_err(|error| flash_failure(&error, &situation))?;
        Ok((&self.about, flash))
    }
}

impl About<'_> {
    /// The driver that holds one of its functions.
    pub(super) fn driver(&self) -> Option<String> {
        let mut functions = self.card.functions.iter();
        functions.find_map(|info| info.driver.clone())
    }
}

/// All that is known of a card without firmware.
fn recovering(device: &Device) -> CardIdentity {
    CardIdentity {
        model: device.name.clone(),
        device_id: device.pci_device,
        psid: None,
        part_number: None,
        serial_number: None,
    }
}

fn know(
    ctx: &Context,
    card: &Card,
    situation: &Situation<'_>,
) -> Result<(CardIdentity, Option<Mgir>), Failure> {
    let mut open = OpenCard::open(card, &ctx.hwdb, &ctx.root, &ctx.shelf, &ctx.patience())
        .map_err(|error| open_failure(&error, situation))?;
    let mut reading = open
        .read(Detail::ForChange, Wanted::Holding(&[]))
        .map_err(|error| command_failure(&error, situation))?;
    know_board(ctx, card, &open, &mut reading);
    Ok((open.identity(&reading), reading.identity))
}
