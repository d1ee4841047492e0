//! What is written down of a burn.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::flash::Region;
use crate::image::SlotPlace;
use crate::image::fs2::Stripes;
use crate::settings::CardIdentity;

/// The schema of [`BurnRecord`].
pub(super) const SCHEMA: &str = "flexctl.burn/1";

/// A burn or restore under way. Made with [`BurnRecord::new`]; what it says of the
/// image is filled in when it is written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BurnRecord {
    /// `flexctl.burn/1`.
    pub schema: String,
    /// When it was begun, seconds since 1970.
    pub created_unix: u64,
    /// By what: `flexctl 0.1.0`.
    pub created_by: String,
    /// The process that began it.
    pub process: u32,
    /// Model and board.
    pub card: CardIdentity,
    /// The PCI function that the flash was reached through.
    pub address: String,
    /// JEDEC id of the chip.
    pub jedec: [u8; 3],
    /// Bytes of the flash.
    pub flash_bytes: u32,
    /// What is to be done.
    pub task: BurnTask,
    /// The backup that was made before, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backup: Option<PathBuf>,
    /// The doors that were opened for it, by their names.
    #[serde(default)]
    pub doors: Vec<String>,
    /// Bytes of the image.
    #[serde(default)]
    pub image_bytes: u64,
    /// Its SHA-256, hexadecimal.
    #[serde(default)]
    pub image_sha256: String,
}

/// What was begun.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum BurnTask {
    /// An image into a slot.
    Burn {
        /// The slot.
        target: PlaceRecord,
        /// The slot that the card booted from.
        old: Option<PlaceRecord>,
        /// What the boot address becomes.
        boot_address: Option<u32>,
        /// What must not be touched.
        protected: Vec<Region>,
    },
    /// A whole backup: it goes on by restoring that again.
    Restore {
        /// The backup.
        backup: PathBuf,
        /// Whether the card's own data come from it as well.
        device_data: bool,
    },
}

/// A slot's place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlaceRecord {
    /// Its number.
    pub slot: usize,
    /// Its first byte in the flash.
    pub start: u32,
    /// Bytes of a chunk where the flash is cut into such.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chunk: Option<u32>,
}

/// A record and the image that was wanted; empty for a restore.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unfinished {
    /// What was begun.
    pub record: BurnRecord,
    /// The image, by its own addresses.
    pub image: Vec<u8>,
}

impl From<SlotPlace> for PlaceRecord {
    fn from(place: SlotPlace) -> Self {
        let chunk = place.stripes.map(Stripes::chunk);
        Self {
            slot: place.slot,
            start: place.start,
            chunk: chunk.and_then(|chunk| u32::try_from(chunk).ok()),
        }
    }
}

impl PlaceRecord {
    /// The place; `None` for a chunk size that cannot be.
    #[must_use]
    pub fn place(self) -> Option<SlotPlace> {
        let stripes = match self.chunk {
            None => None,
            Some(chunk) if chunk.is_power_of_two() => {
                let log2 = u8::try_from(chunk.trailing_zeros()).ok()?;
                Some(Stripes::new(log2, self.start != 0)?)
            }
            Some(_) => return None,
        };
        Some(SlotPlace {
            slot: self.slot,
            start: self.start,
            stripes,
        })
    }
}

impl BurnRecord {
    /// A record of a card and a flash; the time is seconds since 1970.
    #[must_use]
    pub fn new(
        card: CardIdentity,
        flash: &dyn crate::flash::Flash,
        task: BurnTask,
        created_unix: u64,
    ) -> Self {
        Self {
            schema: SCHEMA.to_owned(),
            created_unix,
            created_by: concat!("flexctl ", env!("CARGO_PKG_VERSION")).to_owned(),
            process: std::process::id(),
            card,
            address: flash.address().to_string(),
            jedec: flash.chip().jedec,
            flash_bytes: flash.chip().bytes,
            task,
            backup: None,
            doors: Vec::new(),
            image_bytes: 0,
            image_sha256: String::new(),
        }
    }
}
