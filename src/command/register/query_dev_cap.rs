//! QUERY_DEV_CAP (HCR opcode 0x03), ConnectX-3: what the device can do.
//!
//! | offset | bits | meaning |
//! |---|---|---|
//! | 0x38 | 7:0 | highest number of functions |
//! | 0xc0 | 0 | SR-IOV can be set |
//! | 0xc0 | 1, 2 | wake on LAN can be set, port 1 and 2 |
//! | 0xc0 | 3, 4 | link type can be set, port 1 and 2 |
//! | 0xc0 | 5 | BAR size can be set |
//! | 0xc8 | 8:3 | highest log2 of the BAR size |
//!
//! Status "unknown opcode" means that the firmware is older than 2.31.5000 and
//! has no settings to speak of. Which setting needs which bit is data, in
//! `hwdb/settings/connectx-3.toml`.
//!
//! # Sources
//! mstflint 4.21; FlexBoot 3.4.812 agrees on 0xc0 bits 5:0.

/// What the device can do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DevCap {
    /// Byte offset and dword.
    dwords: Vec<(usize, u32)>,
}

impl DevCap {
    /// For messages.
    pub const NAME: &'static str = "QUERY_DEV_CAP";
    /// Byte offset of the dword that says which settings there are.
    pub const NV_CONFIG: usize = 0xc0;
    /// The pairs of dwords that are read, by the index of the first one.
    pub(crate) const PAIRS: [usize; 3] = [0x38 / 4, 0xc0 / 4, 0xc8 / 4];

    pub(crate) fn from_pairs(dwords: &[u32]) -> Self {
        let offsets = Self::PAIRS.iter().flat_map(|at| [at * 4, at * 4 + 4]);
        Self {
            dwords: offsets.zip(dwords.iter().copied()).collect(),
        }
    }

    /// The dword at a byte offset, where it was read.
    #[must_use]
    pub fn dword(&self, offset: usize) -> Option<u32> {
        let (_, dword) = self.dwords.iter().find(|(at, _)| *at == offset)?;
        Some(*dword)
    }

    /// A bit of the dword at a byte offset; `false` where it was not read.
    #[must_use]
    pub fn bit(&self, offset: usize, bit: u8) -> bool {
        self.dword(offset)
            .is_some_and(|word| bit < 32 && word >> bit & 1 == 1)
    }
}
