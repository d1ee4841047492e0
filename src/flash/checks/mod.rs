//! Whether something may be burned onto a card.
//!
//! [`judge`] is pure: it takes what is known of the card and its flash, and what
//! is to be burned, and lists every [`Objection`]. Some of them have a [`Door`]
//! that the user may open, each its own; there is no way to open all. Only when
//! nothing stands in the way does a [`Judgement`] give an image to burn.
//!
//! | objection | door | mstflint 4.21 | where this is stricter |
//! |---|---|---|---|
//! | other hardware, other revision | none | `FwOperations::CheckMatchingHwDevId`, `-no_devid_check` | also for an image that lists nothing |
//! | other PCI device | none | `CheckMatchingDevId`, FS2 without a list only | always |
//! | other format, damaged image | none | `Fs2Burn`, `FsBurnAux`, `FwVerify` | a wrong digest counts |
//! | secure firmware | none | burning through the firmware (MCC) | refused |
//! | unknown or protected flash chip | none | `mf_open`, `isWriteProtected` | read before anything else |
//! | no second slot, other chunk size, too large | none | `Fs2FailSafeBurn`, `CheckAndDealWithChunkSizes`, `CheckFs3ImgSize`, `-nofs` | never non-failsafe |
//! | what is the card's cannot be kept | none | `preFS2PatchGUIDs`, `UpdateDevDataITOC` | blank GUIDs |
//! | in a guest's hands | none | - | |
//! | no proof of IPv6 | none | - | when a command promised IPv6 |
//! | other PSID, other place for settings | other-psid | `CheckPSID`, `-allow_psid_change` | a PSID that is not known |
//! | older firmware | downgrade | `CheckFwVersion`, `-force` | the same version is let through |
//! | the vendor's signature is lost | unsigned | - | |
//! | an image type of the ROM is lost | lost-image | - | |
//! | released with its ROM | rom-change | `RomCommonCheck`, `--allow_rom_change` | |
//! | damaged ROM | damaged-rom | - | |
//! | ROM of another device | other-device-rom | `checkMatchingExpRomDevId` | |
//! | ROM without a version | unversioned-rom | - | |
//! | the flash is not as it should be | unhealthy-flash | `FsIntQueryAux` before a burn | two images that both boot |
//! | other boot defaults than the card's | changed-defaults | - | FS2 |
//! | never tried on silicon | accept-untested | - | live cards |
//!
//! # Sources
//! mstflint 4.21, mlxfwops/lib/fw_ops.cpp, fs2_ops.cpp, fs3_ops.cpp and
//! flint/subcommands.cpp (`BurnSubCommand`).

mod boot_default_checks;
mod card_checks;
mod card_facts;
mod differences;
mod door;
mod image_checks;
mod judge;
mod objection;
mod preparation;
mod rom_checks;
mod rom_types;
#[cfg(test)]
mod tests;

pub use card_facts::{CardFacts, ChipFacts};
pub use differences::{Change, Differences};
pub use door::{Door, Doors};
pub use judge::{Judgement, NewContents, judge, judge_card};
pub use objection::{ExitClass, Objection, ObjectionKind};
pub use rom_types::RomType;
