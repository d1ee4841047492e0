//! QUERY_DEV_CAP (HCR opcode 0x03), ConnectX-3: what the device can do.
//!
//! | offset | bits | meaning |
//! |---|---|---|
//! | 0xc0 | 0 | SR-IOV can be set |
//! | 0xc0 | 1, 2 | wake on LAN can be set, port 1 and 2 |
//! | 0xc0 | 3, 4 | link type can be set, port 1 and 2 |
//! | 0xc0 | 5 | BAR size can be set |
//!
//! Status "unknown opcode" means that the firmware is older than 2.31.5000 and
//! has no settings to speak of.
//!
//! # Sources
//! mstflint 4.21; FlexBoot 3.4.812 agrees on 0xc0 bits 5:0.

/// What the device can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DevCap {
    nv_config: u32,
}

impl DevCap {
    /// For messages.
    pub const NAME: &'static str = "QUERY_DEV_CAP";
    /// The first dword that is read.
    pub(crate) const FIRST_DWORD: usize = 0xc0 / 4;
    /// How many are read.
    pub(crate) const DWORDS: usize = 2;

    pub(crate) fn from_dwords(dwords: &[u32]) -> Self {
        Self {
            nv_config: dwords.first().copied().unwrap_or(0),
        }
    }

    /// Whether SR-IOV can be set.
    #[must_use]
    pub fn sriov(&self) -> bool {
        self.nv_config & 1 != 0
    }

    /// Whether the link type of a port (1 or 2) can be set.
    #[must_use]
    pub fn vpi(&self, port: u8) -> bool {
        matches!(port, 1 | 2) && self.nv_config >> (2 + port) & 1 == 1
    }
}
