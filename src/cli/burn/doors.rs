//! The doors of the safety checks, one flag each.

use clap::Args;

use crate::flash::checks::{Door, Doors};

/// What may be done although a safety check speaks against it.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Safety checks that can be opened, one by one")]
pub(in crate::cli) struct DoorArgs {
    /// Burn although nobody has reported a burn on this model
    ///
    /// hwdb says per model what was ever tried on silicon. What flexctl does agrees
    /// with mstflint 4.21 on virtual cards, and was never seen on a real one.
    #[arg(long)]
    accept_untested: bool,

    /// Burn firmware of another PSID (parameter set, made for another board)
    #[arg(long)]
    allow_other_psid: bool,

    /// Burn firmware that is older than what runs
    #[arg(long)]
    allow_downgrade: bool,

    /// Change an image that its vendor signed, which takes the signature away
    #[arg(long)]
    allow_unsigned: bool,

    /// Lose a kind of ROM image that the card has now (UEFI x86 or ARM, CLP, legacy)
    #[arg(long)]
    allow_lost_image: bool,

    /// Change the ROM of a product-version image, as mstflint's --allow_rom_change
    #[arg(long)]
    allow_rom_change: bool,

    /// Burn a ROM with errors, which a BIOS may refuse to run
    #[arg(long)]
    allow_damaged_rom: bool,

    /// Burn a ROM whose device id is not the card's
    #[arg(long)]
    allow_other_device_rom: bool,

    /// Burn a ROM that firmware tools cannot name the version of
    #[arg(long)]
    allow_unversioned_rom: bool,

    /// Burn although what is in flash now is damaged
    #[arg(long)]
    allow_unhealthy_flash: bool,

    /// Burn an image whose defaults were altered (`flexctl image defaults`)
    #[arg(long)]
    allow_changed_defaults: bool,
}

impl DoorArgs {
    /// The doors that are open.
    pub(in crate::cli) fn open(&self) -> Doors {
        [
            (self.accept_untested, Door::AcceptUntested),
            (self.allow_other_psid, Door::OtherPsid),
            (self.allow_downgrade, Door::Downgrade),
            (self.allow_unsigned, Door::Unsigned),
            (self.allow_lost_image, Door::LostImage),
            (self.allow_rom_change, Door::RomChange),
            (self.allow_damaged_rom, Door::DamagedRom),
            (self.allow_other_device_rom, Door::OtherDeviceRom),
            (self.allow_unversioned_rom, Door::UnversionedRom),
            (self.allow_unhealthy_flash, Door::UnhealthyFlash),
            (self.allow_changed_defaults, Door::ChangedDefaults),
        ]
        .into_iter()
        .filter_map(|(open, door)| open.then_some(door))
        .collect()
    }
}

/// The flag of a door.
pub(in crate::cli) fn flag(door: Door) -> String {
    match door {
        Door::AcceptUntested => "--accept-untested".to_owned(),
        other => format!("--allow-{}", other.name()),
    }
}
