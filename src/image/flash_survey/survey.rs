//! What a flash holds, at one time.

use std::convert::Infallible;
use std::ops::Range;

use crate::hwdb::ImageFormat;
use crate::image::{FIRMWARE_MAGIC, START_ADDRESSES, SlotPlace};

use super::reader::Reader;
use super::slot::{DeviceRegion, Slot, SlotState};
use super::sparse_flash::SparseFlash;
use super::{fs2_flash, fs3_flash};

const MAGIC_BYTES: u32 = 16;
/// As much of an image as tells how the flash is divided.
const HEADER_BYTES: u32 = 0x38;

/// What a flash holds.
#[derive(Clone, Debug)]
pub struct FlashSurvey {
    format: ImageFormat,
    pub(in crate::image) flash: SparseFlash,
    boot_address: Option<u32>,
    magics: Vec<u32>,
    slots: Vec<Slot>,
    device_data: Vec<DeviceRegion>,
}

impl FlashSurvey {
    /// Looks at a flash of so many bytes. `read` fills its buffer from an address
    /// of the flash as it is wired; `boot_address` is where a warm reset looks,
    /// where the card says that.
    ///
    /// # Errors
    /// Whatever `read` says.
    pub fn read<E>(
        format: ImageFormat,
        flash_bytes: u32,
        boot_address: Option<u32>,
        read: impl FnMut(u32, &mut [u8]) -> Result<(), E>,
    ) -> Result<Self, E> {
        let mut reader = Reader::new(flash_bytes, read);
        let mut magics = Vec::new();
        for start in START_ADDRESSES {
            let Some(end) = u32::try_from(start)
                .ok()
                .and_then(|start| start.checked_add(MAGIC_BYTES))
            else {
                continue;
            };
            let range = end - MAGIC_BYTES..end;
            reader.know(&range)?;
            if reader.flash.get(range.clone()) == Some(&FIRMWARE_MAGIC[..]) {
                magics.push(range.start);
            }
        }
        let mut survey = Self {
            format,
            flash: SparseFlash::new(0),
            boot_address,
            magics,
            slots: Vec::new(),
            device_data: Vec::new(),
        };
        for start in survey.by_importance() {
            reader.know(&(start..start.saturating_add(HEADER_BYTES)))?;
        }
        for place in survey.places(&reader.flash) {
            let state = if survey.magics.contains(&place.start) {
                match format {
                    ImageFormat::Fs2 => {
                        fs2_flash::read_slot(&mut reader, place)?;
                        fs2_flash::slot(&reader.flash, place).state
                    }
                    ImageFormat::Fs3 => {
                        fs3_flash::read_slot(&mut reader, place)?;
                        fs3_flash::slot(&reader.flash, place).state
                    }
                }
            } else {
                SlotState::Empty
            };
            survey.slots.push(Slot { place, state });
        }
        survey.device_data = match format {
            ImageFormat::Fs2 => fs2_flash::device_data(&reader.flash, &survey.slots),
            ImageFormat::Fs3 => fs3_flash::device_data(&reader.flash, &survey.slots),
        };
        survey.flash = reader.flash;
        Ok(survey)
    }

    /// The same of a flash that is in memory: a backup, or what a burn left
    /// behind.
    #[must_use]
    pub fn of_bytes(format: ImageFormat, flash: &[u8], boot_address: Option<u32>) -> Self {
        let length = u32::try_from(flash.len()).unwrap_or(u32::MAX);
        let outcome = Self::read(format, length, boot_address, |at, data| {
            let from = usize::try_from(at).unwrap_or(usize::MAX);
            let to = from.saturating_add(data.len());
            if let Some(bytes) = flash.get(from..to) {
                data.copy_from_slice(bytes);
            }
            Ok::<(), Infallible>(())
        });
        match outcome {
            Ok(survey) => survey,
            Err(never) => match never {},
        }
    }

    /// The magics, the one that a warm reset takes first.
    fn by_importance(&self) -> Vec<u32> {
        let first = self.warm_boot();
        let others = self.magics.iter().copied();
        first
            .into_iter()
            .chain(others.filter(|&start| Some(start) != first))
            .collect()
    }

    /// How the flash is divided, by the first image that makes sense.
    fn places(&self, flash: &SparseFlash) -> Vec<SlotPlace> {
        let header = |start: u32| flash.get(start..start.checked_add(HEADER_BYTES)?);
        let starts = self.by_importance();
        match self.format {
            ImageFormat::Fs2 => starts
                .into_iter()
                .find_map(|start| fs2_flash::places(header(start)?, start))
                .unwrap_or_default(),
            ImageFormat::Fs3 => {
                let seconds: Vec<(u32, u32)> = starts
                    .into_iter()
                    .filter_map(|start| {
                        Some((start, fs3_flash::second_start(header(start)?, start)?))
                    })
                    .collect();
                // An image in the second slot knows best where that is.
                let second = seconds
                    .iter()
                    .find(|(start, _)| *start != 0)
                    .or(seconds.first());
                second
                    .map(|&(_, second)| fs3_flash::places(second))
                    .unwrap_or_default()
            }
        }
    }

    /// Format of the card's firmware.
    #[must_use]
    pub fn format(&self) -> ImageFormat {
        self.format
    }

    /// Size of the flash in bytes.
    #[must_use]
    pub fn flash_bytes(&self) -> u32 {
        self.flash.length()
    }

    /// The places for images: two, one where the flash is not divided, none
    /// where nothing says how it is.
    #[must_use]
    pub fn slots(&self) -> &[Slot] {
        &self.slots
    }

    /// A place by its number.
    #[must_use]
    pub fn slot(&self, number: usize) -> Option<&Slot> {
        self.slots.iter().find(|slot| slot.place.slot == number)
    }

    /// Where there is a magic, in the order in which a cold boot looks.
    #[must_use]
    pub fn magics(&self) -> &[u32] {
        &self.magics
    }

    /// Where a cold boot starts: at the first magic.
    #[must_use]
    pub fn cold_boot(&self) -> Option<u32> {
        self.magics.first().copied()
    }

    /// Where a warm reset starts: at the boot address if there is a magic, else
    /// where a cold boot does. That the boot ROM falls back like this is an
    /// inference.
    #[must_use]
    pub fn warm_boot(&self) -> Option<u32> {
        self.boot_address
            .filter(|address| self.magics.contains(address))
            .or_else(|| self.cold_boot())
    }

    /// The slot of the image that runs: the one that a warm reset takes.
    #[must_use]
    pub fn active(&self) -> Option<&Slot> {
        let start = self.warm_boot()?;
        self.slots.iter().find(|slot| slot.place.start == start)
    }

    /// The slot for a new image of the same chunk size: the one that is not
    /// active. `None` when there is none, or it is not all within the flash.
    #[must_use]
    pub fn target(&self) -> Option<SlotPlace> {
        let active = self.active()?;
        let other = self
            .slots
            .iter()
            .find(|slot| slot.place.slot != active.place.slot)?;
        (other.place.start < self.flash_bytes()).then_some(other.place)
    }

    /// What belongs to the card, in the order of addresses.
    #[must_use]
    pub fn device_data(&self) -> &[DeviceRegion] {
        &self.device_data
    }

    /// The first of these that shares a byte with a range of the flash.
    #[must_use]
    pub fn device_data_within(&self, range: &Range<u32>) -> Option<&DeviceRegion> {
        self.device_data
            .iter()
            .find(|region| region.range.start < range.end && range.start < region.range.end)
    }

    /// How many bytes of the flash were read.
    #[must_use]
    pub fn read_bytes(&self) -> u64 {
        self.flash.known_bytes()
    }

    /// Bytes of the flash as they were read; `None` unless all of them were.
    #[must_use]
    pub fn known(&self, range: Range<u32>) -> Option<&[u8]> {
        self.flash.get(range)
    }
}

/// What is in one slot of a flash that is in memory, the settings of the card
/// aside.
pub(in crate::image) fn read_again(format: ImageFormat, flash: Vec<u8>, place: SlotPlace) -> Slot {
    let flash = SparseFlash::of(flash);
    match format {
        ImageFormat::Fs2 => fs2_flash::slot(&flash, place),
        ImageFormat::Fs3 => fs3_flash::slot(&flash, place),
    }
}
