//! The proof of IPv6: what the program in an expansion ROM can do.
//!
//! "IPv6 is on" are three facts. The code is inside; the program obeys the
//! card's setting IP_VER; and what it does when the card has no such setting.
//! FlexBoot always has the code and obeys the setting. iPXE has the code if it
//! was built so, knows nothing of the setting, and then always tries both
//! versions. None of it can be seen from outside: the code is compressed.
//!
//! [`prove`] decompresses it and looks for what comes with each of these. It
//! says yes, no or cannot tell, and why. It says no only if all code of a
//! recognised program was read: a damaged or unknown compression is never a no.
//!
//! Nothing in a file makes it take much memory or time: sizes are not believed,
//! 16 MiB come out of one block at most and 64 MiB out of a file.
//!
//! | file | idea |
//! |---|---|
//! | chain | the images in a file |
//! | blocks | compressed blocks of BIOS images |
//! | uefi_compression | the compression of EFI images |
//! | bios, efi | all code of an image |
//! | traces | what code says of itself |
//! | ip_version_default, instructions | the default of FlexBoot for ConnectX-4 |
//! | verdict | what follows |
//!
//! # Sources
//! See the files; FlexBoot 3.4.812, src/core/driver_settings.c
//! (`driver_set_nic_settings`), src/drivers/infiniband/hermon.c and
//! flexboot_nodnic.c for what is done with IP_VER.

mod answer;
mod bios;
mod blocks;
mod chain;
mod efi;
mod instructions;
mod ip_version_default;
mod proof;
#[cfg(test)]
pub(crate) mod synthetic;
mod traces;
mod uefi_compression;
mod verdict;

pub use answer::{Answer, Fact, ImageProof, Program, Proof};
pub use proof::prove;
