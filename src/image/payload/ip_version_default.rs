//! The IP version that FlexBoot takes when the card has no setting for it,
//! read out of its code.
//!
//! FlexBoot for cards from ConnectX-4 on has a table of functions, one for each
//! kind of setting, that fill in the defaults of a port:
//!
//! | offset | size | content |
//! |---|---|---|
//! | 0 | 4 | kind of setting: 0x2021 boot settings, 0x2001 their extension |
//! | 4 | 4 | size of the setting in bytes |
//! | 8 | 4 | address of the function |
//!
//! These two entries follow each other. Addresses count from the start of the
//! decompressed block. The function gets the setting in EAX, a status in EDX and
//! the defaults in ECX: with status 0 it copies the fields of the setting
//! (link-up time in the first byte, IP version in the low bits of the second),
//! with any other it stores constants. It is followed with both, instruction by
//! instruction: the first run shows where the IP version goes, the second which
//! constant goes there. Nothing is assumed about the compiler, but a function
//! with an instruction that is not known here says nothing.
//!
//! # Sources
//! FlexBoot 3.4.812, src/drivers/infiniband/mlx_utils/mlx_lib/mlx_nvconfig/
//! mlx_nvconfig_defaults.c (`tlv_port_defaults`,
//! `nvconfig_get_boot_ext_default_conf`) and mlx_nvconfig_prm.h
//! (`mlx_nvconfig_nic_boot_ext_conf`). Intel 64 and IA-32 Architectures Software
//! Developer's Manual, volume 2.

use super::instructions::{Machine, run};

/// What the code shows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum IpVersionDefault {
    /// There is no such table.
    #[default]
    NotThere,
    /// There is one, but its function cannot be followed.
    Unreadable,
    /// The constant: 0 IPv4, 1 IPv6, 2 and 3 both.
    Constant(u8),
}

/// Kind 0x2021, four bytes.
const BOOT_SETTINGS: [u8; 8] = [0x21, 0x20, 0, 0, 4, 0, 0, 0];
/// Kind 0x2001, four bytes.
const EXTENSION: [u8; 8] = [0x01, 0x20, 0, 0, 4, 0, 0, 0];
const ENTRY_BYTES: usize = 12;
/// FlexBoot has one.
const MOST_TABLES: usize = 4;
/// More than the structure of defaults has.
const MOST_DEFAULTS: usize = 128;

impl IpVersionDefault {
    /// Looks for the table in a decompressed block.
    pub(super) fn find(code: &[u8]) -> Self {
        let tables = code
            .windows(2 * ENTRY_BYTES)
            .filter(|table| table.starts_with(&BOOT_SETTINGS))
            .filter_map(|table| table.get(ENTRY_BYTES..))
            .filter_map(|entry| entry.strip_prefix(&EXTENSION));
        let mut found = Self::NotThere;
        for (number, address) in tables.enumerate() {
            let constant = address
                .first_chunk()
                .and_then(|address| usize::try_from(u32::from_le_bytes(*address)).ok())
                .and_then(|function| code.get(function..))
                .and_then(constant_of);
            // Two tables that disagree say nothing.
            found = match (found, constant) {
                (Self::NotThere, Some(constant)) => Self::Constant(constant),
                (Self::Constant(before), Some(constant))
                    if before == constant && number < MOST_TABLES =>
                {
                    found
                }
                _ => return Self::Unreadable,
            };
        }
        found
    }

    /// The one that says something.
    pub(super) fn or(self, other: Self) -> Self {
        match (self, other) {
            (Self::NotThere, other) => other,
            (found, Self::NotThere) => found,
            (found, other) if found == other => found,
            _ => Self::Unreadable,
        }
    }
}

/// The constant that the function stores as IP version.
fn constant_of(function: &[u8]) -> Option<u8> {
    let copied = |linkup: u8, ip_version: u8| {
        // The other bits of the setting must not get through.
        run(
            function,
            Machine::new([linkup, 0xf4 | ip_version, 0xa5, 0x5a], 0),
        )
    };
    let (one, two) = (copied(0x77, 1)?, copied(0x66, 2)?);
    let mut places =
        (0..MOST_DEFAULTS).filter(|&at| one.stored(at) == Some(1) && two.stored(at) == Some(2));
    let place = places.next()?;
    if places.next().is_some() {
        return None;
    }
    run(function, Machine::new([0xff; 4], 1))?
        .stored(place)
        .filter(|constant| *constant <= 3)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// Code with the table at its start and its function behind it.
    pub(in super::super) fn code_with_default(constant: u8) -> Vec<u8> {
        let mut code = BOOT_SETTINGS.to_vec();
        code.extend([0; 4]);
        code.extend(EXTENSION);
        code.extend(24_u32.to_le_bytes());
        code.extend([
            0x85, 0xd2, // test edx, edx
            0x75, 0x0e, // jnz: to the constants
            0x8a, 0x10, // mov dl, [eax]
            0x88, 0x51, 0x16, // mov [ecx+0x16], dl
            0x8a, 0x40, 0x01, // mov al, [eax+1]
            0x24, 0x03, // and al, 3
            0x88, 0x41, 0x17, // mov [ecx+0x17], al
            0xc3, // ret
            0x66, 0xc7, 0x41, 0x16, 0, constant, // mov word [ecx+0x16], constants
            0xc3,     // ret
        ]);
        code.extend([0; 32]);
        code
    }

    #[test]
    fn the_constant_is_read_out_of_the_code() {
        for constant in 0..4 {
            let code = code_with_default(constant);
            let found = IpVersionDefault::find(&code);
            assert_eq!(found, IpVersionDefault::Constant(constant));
        }
    }

    #[test]
    fn without_the_table_there_is_nothing() {
        let code = code_with_default(1);
        for code in [&code[1..], &code[..20], &[]] {
            assert_eq!(IpVersionDefault::find(code), IpVersionDefault::NotThere);
        }
    }

    #[test]
    fn what_cannot_be_followed_is_not_guessed() {
        let code = code_with_default(1);
        let changed = |at: usize, byte: u8| {
            let mut code = code.clone();
            code[at] = byte;
            IpVersionDefault::find(&code)
        };
        // A constant that is none, a call, an address outside.
        assert_eq!(changed(47, 4), IpVersionDefault::Unreadable);
        assert_eq!(changed(24, 0xe8), IpVersionDefault::Unreadable);
        assert_eq!(changed(23, 0xff), IpVersionDefault::Unreadable);
        // Both ways store the same field of the setting, or none.
        assert_eq!(changed(35, 0), IpVersionDefault::Unreadable);
        let two = [code_with_default(1), code_with_default(2)].concat();
        assert_eq!(IpVersionDefault::find(&two), IpVersionDefault::Constant(1));
        let contradiction = IpVersionDefault::Constant(1).or(IpVersionDefault::Constant(2));
        assert_eq!(contradiction, IpVersionDefault::Unreadable);
    }
}
