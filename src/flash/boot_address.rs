//! Where the card looks for its firmware after a warm reset.
//!
//! | place | who writes it |
//! |---|---|
//! | CR 0xf0000, start << 8 | tools, on ConnectX-3 and through the gateway of ConnectX-4 |
//! | CR 0xf0204 bit 1 | along with it on ConnectX-4, so that a warm reboot looks at it |
//! | MFAI, start | tools, on ConnectX-4 with running firmware; then MFRL, warm reboot |
//!
//! A cold boot looks for the first image in the flash instead. Which image runs
//! nobody can ask the card: mstflint takes the first one with a magic (lowest
//! address of 0, 64 KiB, 128 KiB, ... 16 MiB) for the running one, on ConnectX-4
//! always, on ConnectX-3 the last of those whose header is sound. It compares
//! the version there with the running one (MGIR; CR 0x1f064 on ConnectX-3) only
//! for display. The magic of an image that was replaced is zeroed, so there are
//! two only after an interruption.
//!
//! # Sources
//! mstflint 4.21 `mflash.c`: `mf_update_boot_addr`,
//! `mf_set_reset_flash_on_warm_reboot`; `fs3_ops.cpp`: `bootAddrUpdate`,
//! `Fs3IsfuActivateImage`, `FsVerifyAux`; `fs2_ops.cpp`: `FwBurnAdvanced` and
//! the loop over `FindAllImageStart`, `getRunningFwVer`; `fw_ops.cpp`:
//! `FindAllImageStart`. That CR 0xf0000 can be read back is inferred.

use crate::access::{AccessError, Space, Word};
use crate::hwdb::FlashPath;

use super::FlashError;
use super::link::Link;

const ACTION: &str = "setting the boot address";

/// Reads the boot address from CR space.
pub(super) fn read(link: &mut Link<'_>, path: &FlashPath) -> Result<u32, FlashError> {
    let address = link.address();
    let register = path.boot_address.register;
    let failed = |source| FlashError::of_access(address, "reading the boot address", source);
    let dword = link.gateway().read(Space::Cr, register).map_err(failed)?;
    if dword == u32::MAX {
        let what = "the boot address (CR 0xf0000)";
        return Err(failed(AccessError::Gone { address, what }));
    }
    Ok(dword.unbounded_shr(path.boot_address.shift.into()))
}

/// Writes the boot address to CR space.
pub(super) fn write(link: &mut Link<'_>, path: &FlashPath, start: u32) -> Result<(), FlashError> {
    let address = link.address();
    let failed = |source| FlashError::of_access(address, ACTION, source);
    let place = path.boot_address;
    let dword = start.unbounded_shl(place.shift.into());
    if dword.unbounded_shr(place.shift.into()) != start {
        return Err(has_no_room(link, start));
    }
    let mut words = vec![Word::write(place.register, dword)];
    if let Some(also) = path.boot_address_also {
        let before = link
            .gateway()
            .read(Space::Cr, also.register)
            .map_err(failed)?;
        words.push(Word::write(also.register, also.set(before)));
    }
    link.gateway().batch(Space::Cr, &mut words).map_err(failed)
}

/// The register has no room for this address.
pub(super) fn has_no_room(link: &Link<'_>, start: u32) -> FlashError {
    FlashError::Unsupported {
        address: link.address(),
        action: ACTION.to_owned(),
        reason: format!("its register has no room for {start:#010x}"),
    }
}
