//! What kind of image a file is.
//!
//! | bytes | where | kind |
//! |---|---|---|
//! | 55 AA | 0 | expansion ROM |
//! | 4D544657 8CDFD000 DEAD9270 4154BEEF | a start address | firmware, generation at +0x24: 0 FS2, 3 FS3 |
//! | 4D544657 ABCDEF00 FADE1234 5678DEAD | a start address | firmware, generation at +0x10: 1 FS4, 2 FS5 |
//!
//! Images of firmware start at fixed addresses; a flash dump may hold two.
//!
//! # Sources
//! mstflint 4.21, mlxfwops/lib/fw_ops.cpp (`FwOperations::FwOpsCreate`,
//! `FwOperations::FindMagicPattern`, `FwOperations::IsFS4OrFS5Image`) and
//! fw_version and magic tables in mlxfwops_com.h; newer mstflint adds 0x2000000.

/// Magic of FS2 and FS3 firmware.
pub const FIRMWARE_MAGIC: [u8; 16] = *b"MTFW\x8c\xdf\xd0\x00\xde\xad\x92\x70\x41\x54\xbe\xef";
/// Magic of FS4 and FS5 firmware.
pub const FS4_MAGIC: [u8; 16] = *b"MTFW\xab\xcd\xef\x00\xfa\xde\x12\x34\x56\x78\xde\xad";

/// Where an image may start in a file or in flash.
pub const START_ADDRESSES: [usize; 11] = [
    0, 0x1_0000, 0x2_0000, 0x4_0000, 0x8_0000, 0x10_0000, 0x20_0000, 0x40_0000, 0x80_0000,
    0x100_0000, 0x200_0000,
];

const GENERATION: usize = 0x24;
const FS4_GENERATION: usize = 0x10;

/// What kind of image a file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ImageKind {
    /// An expansion ROM.
    OptionRom,
    /// Firmware of a ConnectX-3 or -3 Pro.
    Fs2,
    /// Firmware of a ConnectX-4 or -4 Lx, Connect-IB and switches of that time.
    Fs3,
    /// Firmware of a ConnectX-5 and later.
    Fs4,
    /// Firmware of a later generation still.
    Fs5,
    /// Firmware magic with a generation that nobody knows.
    UnknownFirmware(u8),
}

impl ImageKind {
    /// Looks at the beginnings; `None` when nothing is recognised.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Option<Self> {
        if bytes.starts_with(&[0x55, 0xaa]) {
            return Some(Self::OptionRom);
        }
        START_ADDRESSES
            .iter()
            .find_map(|&start| Self::of_firmware(bytes.get(start..)?))
    }

    /// The same for an image that starts with the first byte.
    fn of_firmware(image: &[u8]) -> Option<Self> {
        if image.starts_with(&FIRMWARE_MAGIC) {
            return image.get(GENERATION).map(|generation| match generation {
                0 => Self::Fs2,
                3 => Self::Fs3,
                other => Self::UnknownFirmware(*other),
            });
        }
        if image.starts_with(&FS4_MAGIC) {
            return image
                .get(FS4_GENERATION)
                .map(|generation| match generation {
                    2 => Self::Fs5,
                    _ => Self::Fs4,
                });
        }
        None
    }

    /// Its name, as mstflint prints it where it does.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::OptionRom => "expansion ROM",
            Self::Fs2 => "FS2",
            Self::Fs3 => "FS3",
            Self::Fs4 => "FS4",
            Self::Fs5 => "FS5",
            Self::UnknownFirmware(_) => "unknown firmware",
        }
    }
}

/// Where firmware images start in a file, in file order.
pub fn firmware_starts(bytes: &[u8]) -> impl Iterator<Item = usize> + '_ {
    START_ADDRESSES.into_iter().filter(|&start| {
        bytes
            .get(start..)
            .is_some_and(|image| image.starts_with(&FIRMWARE_MAGIC))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn firmware(start: usize, magic: [u8; 16], at: usize, generation: u8) -> Vec<u8> {
        let mut bytes = vec![0xff; start + 0x40];
        bytes[start..start + 16].copy_from_slice(&magic);
        bytes[start + at] = generation;
        bytes
    }

    #[test]
    fn kinds_are_told_apart_at_every_start() {
        for start in START_ADDRESSES {
            let kind =
                |magic, at, generation| ImageKind::of(&firmware(start, magic, at, generation));
            assert_eq!(kind(FIRMWARE_MAGIC, 0x24, 0), Some(ImageKind::Fs2));
            assert_eq!(kind(FIRMWARE_MAGIC, 0x24, 3), Some(ImageKind::Fs3));
            assert_eq!(
                kind(FIRMWARE_MAGIC, 0x24, 9),
                Some(ImageKind::UnknownFirmware(9))
            );
            assert_eq!(kind(FS4_MAGIC, 0x10, 1), Some(ImageKind::Fs4));
            assert_eq!(kind(FS4_MAGIC, 0x10, 2), Some(ImageKind::Fs5));
        }
        assert_eq!(ImageKind::of(&[0x55, 0xaa]), Some(ImageKind::OptionRom));
        assert_eq!(ImageKind::of(&[]), None);
        assert_eq!(ImageKind::of(&[0xff; 0x10_0000]), None);
    }
}
