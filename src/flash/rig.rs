//! What the tests of this room burn and boot: images that say whether they are
//! whole, flashes for two of them, and a boot that trusts nothing.

use std::ops::Range;

use crate::hwdb::FlashChip;
use crate::image::fs2::Stripes;
use crate::image::{FIRMWARE_MAGIC, ReadyImage, START_ADDRESSES, SlotPlace};

use super::in_memory::{InMemory, chip};
use super::{BurnGoal, FlashPlan, Quiet, Region, burn};

/// Length and checksum are behind the magic.
const HEADER: usize = 24;

/// An image of this many bytes; one seed, one content. A part of it is ones.
pub(super) fn image(seed: u64, bytes: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    let mut image = vec![0xff; bytes.max(HEADER + 8)];
    for part in image[HEADER..].chunks_mut(512) {
        match next() % 4 {
            0 => {}
            1 => part.fill(next().to_le_bytes()[3]),
            _ => part.fill_with(|| next().to_le_bytes()[2]),
        }
    }
    image[..16].copy_from_slice(&FIRMWARE_MAGIC);
    let length = u32::try_from(image.len()).unwrap();
    image[16..20].copy_from_slice(&length.to_be_bytes());
    let sum = crc32fast::hash(&image[HEADER..]);
    image[20..24].copy_from_slice(&sum.to_be_bytes());
    image
}

/// Bytes of an image by its own addresses; ones where the flash ends.
pub(super) fn bytes_at(flash: &[u8], place: SlotPlace, range: Range<u32>) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (at, part) in place.pieces(range) {
        let from = at as usize;
        match flash.get(from..from + part.len()) {
            Some(part) => bytes.extend(part),
            None => bytes.extend(vec![0xff; part.len()]),
        }
    }
    bytes
}

/// The whole image at a place.
pub(super) fn whole_image(flash: &[u8], place: SlotPlace) -> Option<Vec<u8>> {
    let header = bytes_at(flash, place, 0..24);
    let word = |at: usize| u32::from_be_bytes(header[at..at + 4].try_into().unwrap());
    let (length, sum) = (word(16), word(20));
    if header[..16] != FIRMWARE_MAGIC || length as usize > flash.len() || length < 24 {
        return None;
    }
    let bytes = bytes_at(flash, place, 0..length);
    (crc32fast::hash(&bytes[HEADER..]) == sum).then_some(bytes)
}

/// A flash with two slots.
#[derive(Clone, Debug)]
pub(super) struct Rig {
    pub(super) chip: FlashChip,
    pub(super) slots: [SlotPlace; 2],
    /// Bytes of a slot, by its own addresses.
    pub(super) slot_bytes: u32,
    pub(super) protected: Vec<Region>,
}

/// Two slots in one piece each, device data at the end, as FS3 has them.
pub(super) fn linear(page: u32, erase: &[(u32, u32)]) -> Rig {
    let slot = |slot, start| SlotPlace {
        slot,
        start,
        stripes: None,
    };
    Rig {
        chip: chip(0x2_0000, page, erase),
        slots: [slot(0, 0), slot(1, 0x1_0000)],
        slot_bytes: 0x1_0000,
        protected: vec![Region::new(0x1_e000..0x2_0000, "device data")],
    }
}

/// Two slots in stripes, device data at the end of each, as FS2 has them.
pub(super) fn striped(page: u32, erase: &[(u32, u32)]) -> Rig {
    let slot = |slot, start| SlotPlace {
        slot,
        start,
        stripes: Stripes::new(16, slot == 1),
    };
    Rig {
        chip: chip(0x4_0000, page, erase),
        slots: [slot(0, 0), slot(1, 0x1_0000)],
        slot_bytes: 0x2_0000,
        protected: vec![
            Region::new(0x2_f000..0x3_0000, "NV data"),
            Region::new(0x3_f000..0x4_0000, "NV data"),
        ],
    }
}

impl Rig {
    /// A flash of this layout with these images; the rest is noise.
    pub(super) fn flash(&self, seed: u64, images: [Option<&[u8]>; 2]) -> InMemory {
        let noise = image(seed ^ 0x5a5a, self.chip.bytes as usize + HEADER);
        let mut bytes = noise[HEADER..].to_vec();
        for (slot, image) in self.slots.iter().zip(images) {
            bytes[slot.start as usize..][..16].fill(0xff);
            if let Some(image) = image {
                put(&mut bytes, *slot, image);
            }
        }
        let mut flash = InMemory::new(self.chip.clone(), bytes);
        flash.sacred = self.protected.iter().map(|r| r.start..r.end).collect();
        flash
    }

    pub(super) fn goal(&self, slot: usize, image: &[u8], old: bool) -> BurnGoal {
        BurnGoal {
            image: ReadyImage {
                place: self.slots[slot],
                bytes: image.to_vec(),
            },
            old: old.then_some(self.slots[1 - slot]),
            boot_address: Some(self.slots[slot].start),
            boot_address_now: None,
            protected: self.protected.clone(),
        }
    }

    /// The slot that boots from a start; `None` where nothing whole is there.
    pub(super) fn boots_at(&self, flash: &[u8], start: u32) -> Option<usize> {
        let slot = self.slots.iter().find(|slot| slot.start == start)?;
        whole_image(flash, *slot).map(|_| slot.slot)
    }

    /// The slot that a cold boot takes: the first magic counts, whole or not.
    pub(super) fn cold_boot(&self, flash: &[u8]) -> Option<usize> {
        let magic = |start: &usize| flash.get(*start..*start + 16) == Some(&FIRMWARE_MAGIC);
        let start = START_ADDRESSES.into_iter().find(magic)?;
        self.boots_at(flash, u32::try_from(start).unwrap())
    }

    /// The slot that a warm reset takes: the boot address where it is set and has
    /// a magic behind it.
    pub(super) fn warm_boot(&self, flash: &InMemory) -> Option<usize> {
        match flash.boot_address {
            Some(start) if flash.bytes[start as usize..].starts_with(&FIRMWARE_MAGIC) => {
                self.boots_at(&flash.bytes, start)
            }
            _ => self.cold_boot(&flash.bytes),
        }
    }
}

/// Puts an image into its place, whatever was there.
pub(super) fn put(flash: &mut [u8], place: SlotPlace, image: &[u8]) {
    for (at, range) in place.pieces(0..u32::try_from(image.len()).unwrap()) {
        let part = &image[range.start as usize..range.end as usize];
        flash[at as usize..][..part.len()].copy_from_slice(part);
    }
}

/// Plans and burns, without trouble.
pub(super) fn burn_all(goal: &BurnGoal, flash: &mut InMemory) -> FlashPlan {
    let plan = goal.plan(flash).unwrap();
    burn(flash, &plan, &mut Quiet).unwrap();
    plan
}
