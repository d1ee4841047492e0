//! QUERY_DEF_PARAMS (HCR opcode 0x73), ConnectX-3: the card's own defaults.
//!
//! Opcode modifier 0 asks for the card, 1 and 2 for a port.
//!
//! | answer | dword | bits | meaning |
//! |---|---|---|---|
//! | card | 0 | 31:24 | payload version |
//! | card | 1 | 21 | boot_ip_ver: the firmware knows IP_VER |
//! | port | 1 | 11:0 | VLAN |
//! | port | 1 | 19:16 | boot protocol |
//! | port | 1 | 23:20 | retry count |
//! | port | 1 | 26:25 | link type |
//! | port | 1 | 28 | VLAN on |
//! | port | 1 | 29 | option ROM on |
//! | port | 2 | 15:0 | partition key |
//! | port | 2 | 23:16 | link-up timeout |
//! | port | 2 | 25:24 | IP version |
//!
//! Which field of which TLV takes which bits as its default is data, in
//! `hwdb/settings/connectx-3.toml`.
//!
//! # Sources
//! mstflint 4.21 `tools_open_layouts`; FlexBoot 3.4.812 `hermon.h`,
//! hermonprm_query_defparams_port_st (link-up timeout only there).

/// Defaults of the card.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DefParamsGlobal {
    dwords: Vec<u32>,
}

/// Defaults of a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DefParamsPort {
    dwords: Vec<u32>,
}

impl DefParamsGlobal {
    /// For messages.
    pub const NAME: &'static str = "QUERY_DEF_PARAMS";
    /// How much of the answer is read.
    pub(crate) const DWORDS: usize = 2;

    pub(crate) fn from_dwords(dwords: &[u32]) -> Self {
        Self {
            dwords: dwords.to_vec(),
        }
    }

    /// A dword of the answer, where it was read.
    #[must_use]
    pub fn dword(&self, index: usize) -> Option<u32> {
        self.dwords.get(index).copied()
    }

    /// A bit of the answer; `false` where it was not read.
    #[must_use]
    pub fn bit(&self, dword: usize, bit: u8) -> bool {
        is_set(self.dword(dword), bit)
    }
}

impl DefParamsPort {
    /// For messages.
    pub const NAME: &'static str = "QUERY_DEF_PARAMS of a port";
    /// How much of the answer is read.
    pub(crate) const DWORDS: usize = 4;

    pub(crate) fn from_dwords(dwords: &[u32]) -> Self {
        Self {
            dwords: dwords.to_vec(),
        }
    }

    /// A dword of the answer, where it was read.
    #[must_use]
    pub fn dword(&self, index: usize) -> Option<u32> {
        self.dwords.get(index).copied()
    }

    /// A bit of the answer; `false` where it was not read.
    #[must_use]
    pub fn bit(&self, dword: usize, bit: u8) -> bool {
        is_set(self.dword(dword), bit)
    }
}

fn is_set(dword: Option<u32>, bit: u8) -> bool {
    dword.is_some_and(|word| bit < 32 && word >> bit & 1 == 1)
}
