//! What configuration and jump sections hold.
//!
//! | section | one entry |
//! |---|---|
//! | configuration | dwords: register, value, mask of the bits that are written |
//! | jump addresses | dwords: register, entry address |
//!
//! mstflint carries these sections and does not look into them; the shape is
//! that of released ConnectX-3 Pro firmware (2.42.5000): inferred.
//!
//! # Sources
//! Released firmware of ConnectX-3 and -3 Pro, 2.42.5000: registers 0x1f064 and
//! 0x1f068 get the firmware's version, which mstflint reads there
//! (mlxfwops/lib/fs2_ops.cpp, `CX3_FW_VER_CR_ADDR`).

use super::{Contents, Section, SectionType};

/// One write to a register at the start of the firmware.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RegisterWrite {
    /// Where the entry is in the image.
    pub address: usize,
    /// The register.
    pub register: u32,
    /// The value.
    pub value: u32,
    /// Which bits of it are written.
    pub mask: u32,
}

/// Bytes of an entry before its value.
pub(super) const VALUE_OFFSET: usize = 4;
const ENTRY_DWORDS: usize = 3;

impl Section<'_> {
    /// The entries of a configuration section; none of any other.
    pub fn register_writes(&self) -> impl Iterator<Item = RegisterWrite> + '_ {
        self.entries::<ENTRY_DWORDS>(SectionType::Configuration)
            .map(|(address, [register, value, mask])| RegisterWrite {
                address,
                register,
                value,
                mask,
            })
    }

    /// Registers and entry addresses of a jump section; none of any other.
    pub fn jump_addresses(&self) -> impl Iterator<Item = (u32, u32)> + '_ {
        self.entries::<2>(SectionType::JumpAddresses)
            .map(|(_, [register, entry])| (register, entry))
    }

    fn entries<const N: usize>(
        &self,
        kind: SectionType,
    ) -> impl Iterator<Item = (usize, [u32; N])> + '_ {
        let bytes = match &self.contents {
            Contents::Bytes(bytes) if self.kind == kind => Some(bytes),
            _ => None,
        };
        let mut dwords = bytes.into_iter().flat_map(super::stretch::Stretch::dwords);
        let mut at = self.data_address();
        std::iter::from_fn(move || {
            let mut entry = [0; N];
            for dword in &mut entry {
                *dword = dwords.next()?;
            }
            let address = at;
            at += N * 4;
            Some((address, entry))
        })
    }
}
