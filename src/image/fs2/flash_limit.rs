//! How large an image may be in a flash.
//!
//! The settings store of the card is at the end of each half of a failsafe
//! flash, and twice at the end of another: as many sectors as tag 19 says, 64 KiB
//! at most, and as many more behind it as it says.
//!
//! # Sources
//! mstflint 4.21, mlxfwops/lib/fs2_ops.cpp (`Fs2Operations::GetMaxImageSize`,
//! `getDefaultSectorSz`, `FwResetNvData`).

use super::{FileShape, Fs2File, Fs2Image, InfoValue};

const MOST_STORE_BYTES: u64 = 0x1_0000;
const USUAL_SECTOR_BYTES: u64 = 0x1_0000;
const SETTINGS_AREA_TAG: u8 = 19;

/// The settings store in a flash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Store {
    bytes: u64,
    pad: u64,
}

impl Fs2Image<'_> {
    fn store(&self) -> Store {
        let area = self.info().and_then(|info| info.tag(SETTINGS_AREA_TAG));
        let Some(&InfoValue::SettingsArea {
            sectors,
            pad,
            log2_sector_kib,
        }) = area
        else {
            return Store { bytes: 0, pad: 0 };
        };
        let sector = log2_sector_kib.map_or(USUAL_SECTOR_BYTES, |log2| {
            1_024_u64
                .checked_shl(log2)
                .filter(|&bytes| bytes != 0 && log2 < 32)
                .unwrap_or(USUAL_SECTOR_BYTES)
        });
        let bytes = u64::from(sectors).saturating_mul(sector);
        Store {
            bytes: bytes.min(MOST_STORE_BYTES),
            pad: u64::from(pad).saturating_mul(sector),
        }
    }

    /// The largest image that a flash of so many bytes can hold.
    #[must_use]
    pub fn limit_in_flash(&self, flash: u64) -> u64 {
        let store = self.store();
        if self.header.is_failsafe() {
            let reserved = store.bytes.saturating_add(store.pad);
            (flash / 2).saturating_sub(reserved)
        } else {
            let reserved = (store.bytes * 2).saturating_add(store.pad);
            flash.saturating_sub(reserved)
        }
    }
}

impl Fs2File<'_> {
    /// The most bytes that the image in a slot may have; `None` when the file is
    /// no copy of a whole flash, so that nothing in it sets a limit.
    #[must_use]
    pub fn image_limit(&self, slot: usize) -> Option<u64> {
        let image = self.slot(slot)?;
        (self.shape == FileShape::Striped).then(|| image.limit_in_flash(self.length as u64))
    }
}
