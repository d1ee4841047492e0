//! The plain part of config space: header and capabilities as bytes and masks.
//!
//! Places of the capabilities as `lspci -vv` shows them on these cards:
//! ConnectX-3 0x40 power management, 0x48 VPD, 0x9c MSI-X, 0x60 PCI Express;
//! ConnectX-4 0x60, 0x48, 0x9c, 0xc0 vendor specific (id 9), 0x40.

use super::profile::{Generation, Identity};

/// Where the VPD capability is.
pub(crate) const VPD: u16 = 0x48;
/// Where ConnectX-4 has its vendor-specific capability.
pub(crate) const VSEC: u16 = 0xc0;

const BYTES: usize = 4096;

/// The bytes of a function's config space and which bits of them software sets.
#[derive(Clone)]
pub(crate) struct ConfigSpace {
    bytes: Box<[u8]>,
    writable: Box<[u8]>,
    /// How much of it the host shows.
    shown: u16,
}

impl std::fmt::Debug for ConfigSpace {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ConfigSpace")
            .field("shown", &self.shown)
            .finish_non_exhaustive()
    }
}

impl ConfigSpace {
    /// A physical function of the card.
    pub(crate) fn physical(card: &Identity, decoding: bool, index: u8) -> Self {
        let mut space = Self::header(card, card.device, card.class);
        match card.generation {
            Generation::ConnectX3 => {
                // BAR0 1 MiB registers, BAR2 8 MiB doorbells (prefetchable).
                space.bar(0x10, 0x4, 0xe000_0000, 20);
                space.bar(0x18, 0xc, 0xe080_0000, 23);
                space.capabilities(&[0x40, 0x48, 0x9c, 0x60]);
            }
            Generation::ConnectX4 => {
                // BAR0 32 MiB, prefetchable.
                let base = 0xe000_0000 + u32::from(index) * 0x0200_0000;
                space.bar(0x10, 0xc, base, 25);
                space.capabilities(&[0x60, 0x48, 0x9c, 0xc0, 0x40]);
            }
        }
        // Expansion ROM BAR, 1 MiB, off.
        space.set32(0x30, 0xf000_0000, 0xfff0_0001);
        // Command: bus master, parity and SERR as BIOSes set them.
        let command = 0x0144 | if decoding { 2 } else { 0 };
        space.set16(0x04, command, 0x0547);
        space.serial_number(card);
        space
    }

    /// A virtual function: ids and nothing to talk to.
    pub(crate) fn virtual_function(card: &Identity) -> Self {
        let device = match card.generation {
            Generation::ConnectX3 => 0x1004,
            Generation::ConnectX4 => card.device + 1,
        };
        let mut space = Self::header(card, device, card.class);
        space.capabilities(&[0x60, 0x9c]);
        space
    }

    fn header(card: &Identity, device: u16, class: u32) -> Self {
        let mut space = Self {
            bytes: vec![0; BYTES].into(),
            writable: vec![0; BYTES].into(),
            shown: card.config_bytes.clamp(64, 4096),
        };
        space.set16(0x00, 0x15b3, 0);
        space.set16(0x02, device, 0);
        // Status: has a capability list.
        space.set16(0x06, 0x0010, 0);
        space.set32(0x08, class << 8 | u32::from(card.revision), 0);
        // Cache line size is software's; header type: several functions or one.
        space.set32(0x0c, 0x10, 0xff);
        space.set16(0x2c, card.subsystem_vendor, 0);
        space.set16(0x2e, card.subsystem_device, 0);
        // Interrupt line is software's; pin A.
        space.set16(0x3c, 0x0100, 0x00ff);
        space
    }

    /// Says in the header that the device has several functions.
    pub(crate) fn mark_multifunction(&mut self) {
        self.bytes[0x0e] |= 0x80;
    }

    fn bar(&mut self, at: usize, flags: u32, base: u32, log_size: u32) {
        let mask = u32::MAX << log_size;
        self.set32(at, base & mask | flags, mask);
        self.set32(at + 4, 0, u32::MAX);
    }

    /// Links capabilities of well-known places and writes their first words.
    fn capabilities(&mut self, places: &[u8]) {
        self.bytes[0x34] = places.first().copied().unwrap_or(0);
        for (index, place) in places.iter().enumerate() {
            let at = usize::from(*place);
            self.bytes[at + 1] = places.get(index + 1).copied().unwrap_or(0);
            match place {
                // Power management: version 3, D0.
                0x40 => {
                    self.bytes[at] = 0x01;
                    self.set16(at + 2, 0x0003, 0);
                    self.set16(at + 4, 0x0008, 0);
                }
                0x48 => self.bytes[at] = 0x03,
                // PCI Express: version 2 endpoint; x8 at 8 GT/s.
                0x60 => {
                    self.bytes[at] = 0x10;
                    self.set16(at + 2, 0x0002, 0);
                    self.set32(at + 4, 0x1000_8fe2, 0);
                    self.set16(at + 8, 0x2930, 0xffff);
                    self.set32(at + 0x0c, 0x0040_f483, 0);
                    self.set16(at + 0x10, 0x0040, 0xffff);
                    self.set16(at + 0x12, 0x1083, 0);
                }
                // MSI-X: 128 vectors.
                0x9c => {
                    self.bytes[at] = 0x11;
                    self.set16(at + 2, 0x007f, 0xc000);
                    self.set32(at + 4, 0x0000_2000, 0);
                    self.set32(at + 8, 0x0000_3000, 0);
                }
                // Vendor specific: length 0x18, type 0 (functional).
                _ => {
                    self.bytes[at] = 0x09;
                    self.bytes[at + 2] = 0x18;
                }
            }
        }
    }

    /// Extended capabilities: ARI at 0x100, device serial number at 0x148.
    fn serial_number(&mut self, card: &Identity) {
        self.set32(0x100, 0x1481_000e, 0);
        self.set32(0x148, 0x0001_0003, 0);
        let number = card
            .serial_number
            .bytes()
            .fold(0x15b3_u32, |sum, byte| sum.rotate_left(5) ^ u32::from(byte));
        self.set32(0x14c, number, 0);
        self.set32(0x150, 0x0002_c903, 0);
    }

    fn set16(&mut self, at: usize, value: u16, writable: u16) {
        self.bytes[at..at + 2].copy_from_slice(&value.to_le_bytes());
        self.writable[at..at + 2].copy_from_slice(&writable.to_le_bytes());
    }

    fn set32(&mut self, at: usize, value: u32, writable: u32) {
        self.bytes[at..at + 4].copy_from_slice(&value.to_le_bytes());
        self.writable[at..at + 4].copy_from_slice(&writable.to_le_bytes());
    }

    /// How many bytes the host shows.
    pub(crate) fn shown(&self) -> u16 {
        self.shown
    }

    /// The dword at an aligned offset.
    pub(crate) fn dword(&self, at: u16) -> u32 {
        let at = usize::from(at);
        let byte = |index: usize| self.bytes.get(at + index).copied().unwrap_or(0xff);
        u32::from_le_bytes([byte(0), byte(1), byte(2), byte(3)])
    }

    /// Writes the bits of a dword that software may set, in the given lanes.
    pub(crate) fn write(&mut self, at: u16, value: u32, lanes: u32) {
        let at = usize::from(at);
        for (index, (new, lane)) in value
            .to_le_bytes()
            .into_iter()
            .zip(lanes.to_le_bytes())
            .enumerate()
        {
            if let (Some(byte), Some(mask)) = (
                self.bytes.get_mut(at + index),
                self.writable.get(at + index),
            ) {
                let mask = mask & lane;
                *byte = *byte & !mask | new & mask;
            }
        }
    }

    /// Whether the command register lets memory BARs answer.
    pub(crate) fn decodes_memory(&self) -> bool {
        self.bytes[4] & 2 != 0
    }
}
