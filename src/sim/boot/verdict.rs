//! Which image a card boots.

use std::fmt;

use super::{fs2, fs3};
use crate::image::{FIRMWARE_MAGIC, START_ADDRESSES};
use crate::sim::flash::Cells;
use crate::sim::profile::Generation;
use crate::sim::scalar::Mac;

/// What becomes of a card that is switched on, or reset.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Boot {
    /// Firmware starts.
    Firmware(BootedImage),
    /// There is no firmware: the card comes up in flash-recovery mode.
    FlashRecovery {
        /// Where the magic was; `None` when there is none.
        start: Option<u32>,
        /// Why there is no firmware.
        reason: String,
    },
}

/// The image that a card runs.
#[derive(Clone, PartialEq, Eq)]
pub struct BootedImage {
    /// Physical address of its first byte.
    pub start: u32,
    /// Which slot that is: 0 or 1.
    pub slot: usize,
    /// Version of the firmware, as in `2.42.5000`.
    pub firmware: String,
    /// The PSID that it has.
    pub psid: String,
    /// The MAC of each port.
    pub macs: Vec<String>,
    /// Its expansion ROM.
    pub rom: Option<Vec<u8>>,
}

impl Boot {
    /// The image, if there is one.
    #[must_use]
    pub fn image(&self) -> Option<&BootedImage> {
        match self {
            Self::Firmware(image) => Some(image),
            Self::FlashRecovery { .. } => None,
        }
    }
}

impl fmt::Debug for BootedImage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rom = self.rom.as_ref().map(Vec::len);
        f.debug_struct("BootedImage")
            .field("start", &format_args!("{:#x}", self.start))
            .field("slot", &self.slot)
            .field("firmware", &self.firmware)
            .field("psid", &self.psid)
            .field("macs", &self.macs)
            .field("rom_bytes", &rom)
            .finish()
    }
}

impl fmt::Display for Boot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Firmware(image) => write!(
                f,
                "firmware {} at {:#010x} (slot {})",
                image.firmware, image.start, image.slot
            ),
            Self::FlashRecovery { reason, .. } => write!(f, "flash recovery: {reason}"),
        }
    }
}

/// What the boot ROM is in.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BootCard<'a> {
    pub(crate) generation: Generation,
    /// Hardware id without the revision.
    pub(crate) hw_id: u16,
    /// How far the MAC of each port is from that of the first one.
    pub(crate) mac_steps: &'a [u64],
}

impl BootCard<'_> {
    /// Refuses an image for other hardware. The revision is not looked at.
    pub(super) fn check_hardware(&self, ids: &[u32]) -> Result<(), String> {
        let own = u32::from(self.hw_id);
        if ids.is_empty() || ids.iter().any(|id| id & 0xffff == own) {
            return Ok(());
        }
        let ids: Vec<String> = ids.iter().map(|id| format!("{id:#x}")).collect();
        Err(format!(
            "the image is for hardware {}, this is {own:#x}",
            ids.join(", ")
        ))
    }

    /// The MAC of each port of a card whose ports count on from `base`.
    pub(super) fn macs(&self, base: Mac) -> Vec<String> {
        let macs = self.mac_steps.iter().map(|step| base.plus(*step));
        macs.map(|mac| mac.to_string()).collect()
    }
}

/// What happens at a cold boot.
pub(crate) fn cold(cells: &Cells, card: BootCard<'_>) -> Boot {
    let mut starts = START_ADDRESSES.iter().filter_map(|start| {
        let start = u32::try_from(*start).ok()?;
        has_magic(cells, start).then_some(start)
    });
    match starts.next() {
        Some(start) => boot_from(cells, start, card),
        None => Boot::FlashRecovery {
            start: None,
            reason: "no image in the flash: there is no magic at any start address".to_owned(),
        },
    }
}

/// What happens at a warm reset.
pub(crate) fn warm(cells: &Cells, boot_address: Option<u32>, card: BootCard<'_>) -> Boot {
    match boot_address.filter(|start| has_magic(cells, *start)) {
        Some(start) => boot_from(cells, start, card),
        None => cold(cells, card),
    }
}

fn has_magic(cells: &Cells, start: u32) -> bool {
    // Most of a flash is erased.
    !cells.piece_is_erased(start)
        && cells
            .get(start, 16)
            .is_some_and(|bytes| bytes == FIRMWARE_MAGIC)
}

fn boot_from(cells: &Cells, start: u32, card: BootCard<'_>) -> Boot {
    let booted = match card.generation {
        Generation::ConnectX3 => fs2::boot(cells, start, card),
        Generation::ConnectX4 => fs3::boot(cells, start, card),
    };
    match booted {
        Ok(image) => Boot::Firmware(image),
        Err(problem) => Boot::FlashRecovery {
            start: Some(start),
            reason: format!("the image at {start:#010x} is damaged: {problem}"),
        },
    }
}

/// A big-endian dword; `None` behind the end.
pub(super) fn dword(bytes: &[u8], at: usize) -> Option<u32> {
    let bytes = bytes.get(at..)?.first_chunk()?;
    Some(u32::from_be_bytes(*bytes))
}

/// A text that ends with its first zero.
pub(super) fn text(bytes: &[u8]) -> String {
    let end = bytes.iter().position(|byte| *byte == 0);
    let bytes = bytes.get(..end.unwrap_or(bytes.len())).unwrap_or_default();
    String::from_utf8_lossy(bytes).into_owned()
}

/// A MAC from the lower six of eight bytes.
pub(super) fn mac(bytes: &[u8]) -> Option<Mac> {
    let [_, _, mac @ ..] = bytes.first_chunk::<8>()?;
    Some(Mac(*mac))
}
