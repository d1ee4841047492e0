//! What speaks against a burn.

use std::fmt;

use super::Door;

/// What kind of objection it is; a stable word for scripts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum ObjectionKind {
    /// `unknown-chip`: too little is known of the flash chip to write to it, or it
    /// is another than was looked at.
    UnknownChip,
    /// `protected-flash`: the chip protects parts of itself.
    ProtectedFlash,
    /// `secure-firmware`: the card or the image insists on signatures.
    SecureFirmware,
    /// `driver`: the card is in somebody else's hands.
    Driver,
    /// `untested`: nobody ever burned such a card with flexctl.
    Untested,
    /// `unhealthy-flash`: what the flash holds is not as it should be.
    UnhealthyFlash,
    /// `too-few-slots`: there is no second slot.
    TooFewSlots,
    /// `wrong-format`: firmware of another format, or none.
    WrongFormat,
    /// `damaged-image`: the image is damaged or cut off.
    DamagedImage,
    /// `which-image`: the file has several images, or not the one asked for.
    WhichImage,
    /// `other-hardware`: the image does not list the card's hardware id.
    OtherHardware,
    /// `other-device`: the image gives the card the PCI id of another chip.
    OtherDevice,
    /// `other-chunk`: the flash is divided in another way.
    OtherChunk,
    /// `too-large`: there is not enough room.
    TooLarge,
    /// `identity`: what makes the card this one card cannot be kept.
    Identity,
    /// `other-psid`: the image is for another board.
    OtherPsid,
    /// `settings-place`: the image keeps settings at another place.
    SettingsPlace,
    /// `downgrade`: the image is older than the card's firmware.
    Downgrade,
    /// `unsigned`: the vendor's signature is lost.
    Unsigned,
    /// `changed-defaults`: the image has other boot defaults than the card's.
    ChangedDefaults,
    /// `rom-change`: the firmware was released together with its ROM.
    RomChange,
    /// `lost-image`: the new ROM lacks an image type.
    LostImage,
    /// `damaged-rom`: the ROM has errors.
    DamagedRom,
    /// `other-device-rom`: the ROM is for another device.
    OtherDeviceRom,
    /// `unversioned-rom`: the ROM has no version record.
    UnversionedRom,
    /// `no-ipv6-proof`: IPv6 was promised and the ROM does not show it.
    NoIpv6Proof,
    /// `not-possible`: this cannot be done with this image at all.
    NotPossible,
}

/// Which end of the program an objection means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ExitClass {
    /// Refused by a safety check: 5.
    Refused,
    /// Invalid input: 6.
    InvalidInput,
}

/// What speaks against a burn.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Objection {
    /// What kind.
    pub kind: ObjectionKind,
    /// In words: lower case, no full stop.
    pub message: String,
    /// What would have been right, where there is such a thing.
    pub expected: Option<String>,
    /// What is there instead.
    pub found: Option<String>,
    /// What opens the way; `None` when nothing does.
    pub door: Option<Door>,
}

impl Objection {
    pub(super) fn new(kind: ObjectionKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
            expected: None,
            found: None,
            door: None,
        }
    }

    pub(super) fn expected_found(
        mut self,
        expected: impl fmt::Display,
        found: impl fmt::Display,
    ) -> Self {
        self.expected = Some(expected.to_string());
        self.found = Some(found.to_string());
        self
    }

    pub(super) fn door(mut self, door: Door) -> Self {
        self.door = Some(door);
        self
    }

    /// Which end of the program it means.
    #[must_use]
    pub fn exit(&self) -> ExitClass {
        match self.kind {
            ObjectionKind::DamagedImage | ObjectionKind::DamagedRom | ObjectionKind::WhichImage => {
                ExitClass::InvalidInput
            }
            _ => ExitClass::Refused,
        }
    }
}

impl fmt::Display for Objection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        match (&self.expected, &self.found) {
            (Some(expected), Some(found)) => write!(f, " (expected {expected}, found {found})"),
            _ => Ok(()),
        }
    }
}

impl ExitClass {
    /// The exit code.
    #[must_use]
    pub fn code(self) -> u8 {
        match self {
            Self::Refused => 5,
            Self::InvalidInput => 6,
        }
    }
}

impl ObjectionKind {
    /// Its stable word.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::UnknownChip => "unknown-chip",
            Self::ProtectedFlash => "protected-flash",
            Self::SecureFirmware => "secure-firmware",
            Self::Driver => "driver",
            Self::Untested => "untested",
            Self::UnhealthyFlash => "unhealthy-flash",
            Self::TooFewSlots => "too-few-slots",
            Self::WrongFormat => "wrong-format",
            Self::DamagedImage => "damaged-image",
            Self::WhichImage => "which-image",
            Self::OtherHardware => "other-hardware",
            Self::OtherDevice => "other-device",
            Self::OtherChunk => "other-chunk",
            Self::TooLarge => "too-large",
            Self::Identity => "identity",
            Self::OtherPsid => "other-psid",
            Self::SettingsPlace => "settings-place",
            Self::Downgrade => "downgrade",
            Self::Unsigned => "unsigned",
            Self::ChangedDefaults => "changed-defaults",
            Self::RomChange => "rom-change",
            Self::LostImage => "lost-image",
            Self::DamagedRom => "damaged-rom",
            Self::OtherDeviceRom => "other-device-rom",
            Self::UnversionedRom => "unversioned-rom",
            Self::NoIpv6Proof => "no-ipv6-proof",
            Self::NotPossible => "not-possible",
        }
    }
}
