//! The doors: what the user may allow, each by itself.

use std::collections::BTreeSet;

/// Something that is refused unless the user asked for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Door {
    /// An image for another board.
    OtherPsid,
    /// Older firmware than the card has.
    Downgrade,
    /// An image without the vendor's signature in place of one with it.
    Unsigned,
    /// The loss of an image type that the ROM has now.
    LostImage,
    /// Another ROM in firmware that was released with its ROM.
    RomChange,
    /// A ROM with errors.
    DamagedRom,
    /// A ROM for another device.
    OtherDeviceRom,
    /// A ROM that no tool can name the version of.
    UnversionedRom,
    /// A flash that is not as it should be.
    UnhealthyFlash,
    /// An image with other boot defaults than the card's.
    ChangedDefaults,
    /// Burning a model on which nobody ever tried it.
    AcceptUntested,
}

impl Door {
    /// All of them.
    pub const ALL: [Self; 11] = [
        Self::OtherPsid,
        Self::Downgrade,
        Self::Unsigned,
        Self::LostImage,
        Self::RomChange,
        Self::DamagedRom,
        Self::OtherDeviceRom,
        Self::UnversionedRom,
        Self::UnhealthyFlash,
        Self::ChangedDefaults,
        Self::AcceptUntested,
    ];

    /// Its stable name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::OtherPsid => "other-psid",
            Self::Downgrade => "downgrade",
            Self::Unsigned => "unsigned",
            Self::LostImage => "lost-image",
            Self::RomChange => "rom-change",
            Self::DamagedRom => "damaged-rom",
            Self::OtherDeviceRom => "other-device-rom",
            Self::UnversionedRom => "unversioned-rom",
            Self::UnhealthyFlash => "unhealthy-flash",
            Self::ChangedDefaults => "changed-defaults",
            Self::AcceptUntested => "accept-untested",
        }
    }

    /// The door of that name.
    #[must_use]
    pub fn by_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|door| door.name() == name)
    }

    /// What it allows, in words.
    #[must_use]
    pub fn meaning(self) -> &'static str {
        match self {
            Self::OtherPsid => "an image that is made for another board (PSID)",
            Self::Downgrade => "firmware that is older than the card's",
            Self::Unsigned => "the loss of the vendor's signature",
            Self::LostImage => "a ROM without an image type that the card's has (BIOS, UEFI, CLP)",
            Self::RomChange => "another ROM in firmware that was released together with its ROM",
            Self::DamagedRom => "a ROM with errors",
            Self::OtherDeviceRom => "a ROM that is made for another device",
            Self::UnversionedRom => "a ROM without a version record",
            Self::UnhealthyFlash => "burning although the flash is not as it should be",
            Self::ChangedDefaults => "an image with other boot defaults than the card's",
            Self::AcceptUntested => "burning a model of card on which nobody ever tried it",
        }
    }
}

/// The doors that are open.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Doors(BTreeSet<Door>);

impl Doors {
    /// None.
    #[must_use]
    pub fn closed() -> Self {
        Self::default()
    }

    /// The same, with one more open.
    #[must_use]
    pub fn open(mut self, door: Door) -> Self {
        self.0.insert(door);
        self
    }

    /// Whether it is open.
    #[must_use]
    pub fn is_open(&self, door: Door) -> bool {
        self.0.contains(&door)
    }
}

impl FromIterator<Door> for Doors {
    fn from_iter<I: IntoIterator<Item = Door>>(doors: I) -> Self {
        Self(doors.into_iter().collect())
    }
}
